"""INSERT ... ON CONFLICT DO NOTHING against another session's version.

One session commits an adapter whose recipe was lost and keeps its transaction
open; another inserts the same digest with the recipe under the same entry and
asks that a conflict do nothing.  The second must be refused: if it came to the
unique index, no version would be made and what it tells would stay, which no entry
of the log tells of.  The same where the entry gets another owner while the second waits, so
that it sees neither the entry nor its versions any more, and where it does so before the
second has come to any trigger, but after its snapshot was taken.

SPDX-License-Identifier: PostgreSQL
"""
import os
import threading
import time

import psycopg

import harness

SETUP = """
select registry_create(%s);
create function lora(n int) returns adapter language sql as $$
	select adapter_from_json(format('{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 1},
		"tensors": {"base_model.model.q.lora_A.weight": {"dtype": "F32", "shape": [1, 2], "data": [%%s, 1]},
		            "base_model.model.q.lora_B.weight": {"dtype": "F32", "shape": [2, 1], "data": [1, %%s]}}}', n, n)::json)
$$;
create table made as select 0.5 * lora(1) + 0.5 * lora(2) as a;
"""
LOST = "insert into registry.version (entry, value) select 'e', adapter_from_safetensors(adapter_to_safetensors(a), adapter_config(a)) from made"
TOLD = "insert into registry.version (entry, value) select 'e', a from made on conflict do nothing"


OWNERS = ["peftarith_%s_%d" % (name, os.getpid()) for name in ("owner", "heir")]
# The advisory lock holds the statement up between its snapshot and its first row.
HELD = ("insert into registry.version (entry, value) select 'e', a from made, "
        "(select pg_advisory_xact_lock(7) offset 0) l on conflict do nothing")


def second(database, states, text=TOLD, role=None):
    with harness.connect(database) as c:
        if role:
            c.execute("set session authorization " + role)
        try:
            c.execute(text)
            states.append("done")
        except psycopg.Error as e:
            states.append(e.sqlstate)


def wait_for_lock(c):
    for _ in range(500):
        if c.execute("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'").fetchone()[0]:
            return True
        time.sleep(0.02)
    return False


def nothing_is_left(run, c, label):
    run.equal(c.execute("select count(*) from registry.story").fetchone()[0], 0, label + ": no story is left")
    run.equal(c.execute("select next_number from registry.entry").fetchone()[0], 2, label + ": no number is lost")
    run.equal(c.execute("select * from registry.verify()").fetchall(), [], label + ": the log verifies")


def both_commit(run):
    states = []
    with harness.scratch("conflict") as database, harness.connect(database) as c, harness.connect(database) as first:
        c.execute(SETUP % "")
        c.execute("insert into registry.entry (name) values ('e')")
        other = threading.Thread(target=second, args=(database, states))
        with first.transaction():
            first.execute(LOST)
            other.start()
            run.ok(wait_for_lock(c), "the second waits for the first")
        other.join(60)
        run.equal(states, ["23505"], "the second is refused")
        nothing_is_left(run, c, "two commits")


def given_away(run, text, before, hold, after, label):
    """What the first session has done, does in its transaction before the second begins, and after that."""
    states = []
    with harness.scratch("conflict") as database, harness.connect(database) as c, harness.connect(database) as first:
        owner, heir = OWNERS
        for role in OWNERS:
            c.execute("create role " + role)
        try:
            c.execute(SETUP % ("writer => '%s', row_security => true" % owner))
            c.execute("select registry.allow(writer => '%s')" % heir)
            c.execute("grant select on made to " + owner)
            c.execute("set session authorization %s; insert into registry.entry (name) values ('e');"
                      " reset session authorization" % owner)
            for command in before:
                first.execute(command)
            other = threading.Thread(target=second, args=(database, states, text, owner))
            first.execute("begin")
            for command in hold:
                first.execute(command)
            other.start()
            run.ok(wait_for_lock(c), label + ": the second waits")
            for command in after:
                first.execute(command)
            other.join(60)
            run.equal(states, ["42501"], label + ": the second is refused")
            nothing_is_left(run, c, label)
        finally:
            for role in OWNERS:
                c.execute("drop owned by %s; drop role %s" % (role, role))


def body(run):
    both_commit(run)
    give = "update registry.entry set owner = '%s'" % OWNERS[1]
    given_away(run, TOLD, (), (LOST, give), ("commit",), "given away meanwhile")
    given_away(run, HELD, (LOST,), ("select pg_advisory_lock(7)",), (give, "commit", "select pg_advisory_unlock(7)"),
               "given away before")


if __name__ == "__main__":
    harness.main("registry_conflict", body)
