"""Commits, revocations, aliases and erasures of a registry at the same time.

Each round has a new root and sessions that act on it at once, at random
isolation levels, with a random pause between the first look and the act: one
commits a child of the root, one a grandchild (whose recipe names a child that
may not be registered yet), one revokes the root, others move an alias, commit a
virtual version, erase its leaf, seal the log, take a checkpoint.  Whatever the
order:

- all that descends from the revoked root was told by revoke(), or was refused:
  nothing new came into being behind its back;
- no alias stands at a version that is not live;
- a virtual version can be evaluated, or was not committed;
- numbers have no gaps, and the log verifies.

Errors other than serialization failures, deadlocks and the registry's refusals
are failures.  PA_ROUNDS sets the number of rounds (60).

SPDX-License-Identifier: PostgreSQL
"""
import os
import threading
import time

import psycopg

import harness

LEVELS = ("read committed", "repeatable read", "serializable")
REFUSED = ("40001", "40P01", "55000", "23505", "42704")

SETUP = """
create function lora(n int) returns adapter language sql as $$
	select adapter_from_json(format('{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 1},
		"tensors": {"base_model.model.q.lora_A.weight": {"dtype": "F32", "shape": [1, 2], "data": [%s, 1]},
		            "base_model.model.q.lora_B.weight": {"dtype": "F32", "shape": [2, 1], "data": [1, %s]}}}', n, n)::json)
$$;
create table made (round int, name text, a adapter, primary key (round, name));
"""


class Actor(threading.Thread):
    """One session: looks, waits, acts once."""

    def __init__(self, database, barrier, level, pause, look, act):
        super().__init__()
        self.connection = harness.connect(database)
        self.barrier, self.level, self.pause = barrier, level, pause
        self.look, self.act = look, act
        self.rows, self.state = None, None

    def run(self):
        with self.connection as c:
            self.barrier.wait()
            try:
                with c.transaction():
                    c.execute("set transaction isolation level " + self.level)
                    c.execute(self.look)
                    time.sleep(self.pause)
                    cursor = c.execute(self.act)
                    self.rows = cursor.fetchall() if cursor.description else None
                    time.sleep(self.pause / 2)
            except psycopg.Error as e:
                self.state = e.sqlstate or "dead: %s" % e


def actions(i):
    """(name, isolation level or None for any, statement)"""
    value = "(select a from made where round = %d and name = '%%s')" % i
    return (
        ("child", None, "select registry.commit('child%d', %s)" % (i, value % "child")),
        ("sibling", None, "select registry.commit('child%d', %s)" % (i, value % "sibling")),
        ("grandchild", None, "select registry.commit('grandchild%d', %s)" % (i, value % "grandchild")),
        ("virtual", None, "select registry.commit_virtual('virtual%d', %s)" % (i, value % "virtual")),
        ("alias", None, "select registry.set_alias('old%d', 'production', 1)" % i),
        ("erase", "read committed", "select registry.erase('leaf%d@1', 'race')" % i),
        ("revoke", "read committed", "select ref from registry.revoke('root%d@1', 'race')" % i),
        ("seal", "read committed", "select registry.seal()"),
        ("checkpoint", None, "select registry.checkpoint()"),
    )


def prepare(c, i):
    c.execute("select registry.commit('root%d', lora(%d)), registry.commit('leaf%d', lora(%d))" % (i, 2 * i + 1, i, 2 * i + 2))
    c.execute("insert into made select %d, 'child', 0.5 * lora(%d)" % (i, 2 * i + 1))
    c.execute("insert into made select %d, 'sibling', 0.25 * lora(%d)" % (i, 2 * i + 1))
    c.execute("insert into made select %d, 'grandchild', 0.5 * a from made where round = %d and name = 'child'" % (i, i))
    c.execute("insert into made select %d, 'virtual', 0.5 * lora(%d)" % (i, 2 * i + 2))
    c.execute("select registry.commit('old%d', 0.75 * lora(%d))" % (i, 2 * i + 1))


def judge(run, c, i, actors):
    revoked = actors["revoke"].rows
    told = {row[0] for row in revoked or ()}
    there = {row[0] for row in c.execute(
        "select unnest(names) from registry.descendants((select digest from registry.version where entry = 'root%d'))" % i)}
    if revoked is not None:
        # What was under way when it was told is not in the list, and not live either.
        live = {r for r, in c.execute("select r from unnest(%s::text[]) r where registry.is_live(r)", (sorted(there | told),)).fetchall()}
        run.equal(live, set(), "round %d: descendants that are live" % i)
    for _ in range(1000):
        if not c.execute("select registry.settle()").fetchone()[0]:
            break
        time.sleep(0.01)
    aliases = c.execute("select count(*) from registry.alias a join registry.version v using (entry, number)"
                        " where not registry.version_live(v.digest, v.claims)").fetchone()[0]
    run.equal(aliases, 0, "round %d: aliases of what is not live" % i)
    if c.execute("select count(*) from registry.version where entry = 'virtual%d'" % i).fetchone()[0]:
        run.equal(harness.sqlstate_of(c, "select registry.get('virtual%d')" % i), None, "round %d: virtual version" % i)
    for name, actor in actors.items():
        run.ok(actor.state is None or actor.state in REFUSED, "round %d: %s" % (i, name), actor.state)


def body(run):
    rounds = int(os.environ.get("PA_ROUNDS", "60"))
    outcomes = {}
    with harness.scratch("races") as database, harness.connect(database) as c:
        c.execute(SETUP)
        c.execute("select registry_create()")
        for i in range(rounds):
            prepare(c, i)
            chosen = actions(i)
            barrier = threading.Barrier(len(chosen))
            actors = {name: Actor(database, barrier, level or run.random.choice(LEVELS), run.random.choice((0, 0.01, 0.03)),
                                  "select count(*) from registry.revocation", act) for name, level, act in chosen}
            for actor in actors.values():
                actor.start()
            for actor in actors.values():
                actor.join(60)
                run.ok(not actor.is_alive(), "round %d: an end" % i)
            for name, actor in actors.items():
                outcomes.setdefault(name, {}).setdefault(actor.state or "done", 0)
                outcomes[name][actor.state or "done"] += 1
            judge(run, c, i, actors)
        gaps = c.execute("select entry from registry.version group by entry having max(number) <> count(*)").fetchall()
        run.equal(gaps, [], "numbers without gaps")
        run.equal(c.execute("select * from registry.verify(recompute => true)").fetchall(), [], "the log verifies")
    for name, counts in outcomes.items():
        print("%s: %s" % (name, ", ".join("%d %s" % (n, s) for s, n in sorted(counts.items()))))
    # Both sides must have won, or nothing was tested.
    run.ok(len(outcomes["child"]) > 1 or rounds < 20, "commits that came first and second", outcomes["child"])


if __name__ == "__main__":
    harness.main("registry_races", body)
