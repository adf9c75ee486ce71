"""INSERT ... ON CONFLICT DO NOTHING against another session's version.

One session commits an adapter whose recipe was lost and keeps its transaction
open; another inserts the same digest with the recipe under the same entry and
asks that a conflict do nothing.  The second must be refused: if it came to the
unique index, no version would be made and what it tells would stay, which no entry
of the log tells of.

SPDX-License-Identifier: PostgreSQL
"""
import threading
import time

import psycopg

import harness

SETUP = """
select registry_create();
create function lora(n int) returns adapter language sql as $$
	select adapter_from_json(format('{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 1},
		"tensors": {"base_model.model.q.lora_A.weight": {"dtype": "F32", "shape": [1, 2], "data": [%s, 1]},
		            "base_model.model.q.lora_B.weight": {"dtype": "F32", "shape": [2, 1], "data": [1, %s]}}}', n, n)::json)
$$;
create table made as select 0.5 * lora(1) + 0.5 * lora(2) as a;
insert into registry.entry (name) values ('e');
"""
LOST = "insert into registry.version (entry, value) select 'e', adapter_from_safetensors(adapter_to_safetensors(a), adapter_config(a)) from made"
TOLD = "insert into registry.version (entry, value) select 'e', a from made on conflict do nothing"


def second(database, states):
    with harness.connect(database) as c:
        try:
            c.execute(TOLD)
            states.append("done")
        except psycopg.Error as e:
            states.append(e.sqlstate)


def wait_for_lock(c):
    for _ in range(500):
        if c.execute("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'").fetchone()[0]:
            return True
        time.sleep(0.02)
    return False


def body(run):
    states = []
    with harness.scratch("conflict") as database, harness.connect(database) as c, harness.connect(database) as first:
        c.execute(SETUP)
        other = threading.Thread(target=second, args=(database, states))
        with first.transaction():
            first.execute(LOST)
            other.start()
            run.ok(wait_for_lock(c), "the second waits for the first")
        other.join(60)
        run.equal(states, ["23505"], "the second is refused")
        run.equal(c.execute("select count(*) from registry.story").fetchone()[0], 0, "no story is left")
        run.equal(c.execute("select next_number from registry.entry").fetchone()[0], 2, "no number is lost")
        run.equal(c.execute("select * from registry.verify()").fetchall(), [], "the log verifies")


if __name__ == "__main__":
    harness.main("registry_conflict", body)
