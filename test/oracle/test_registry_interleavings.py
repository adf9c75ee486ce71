"""Random interleavings of commits, revocations and more, statement by statement.

Each race has new adapters: three leaves, compositions of them four deep, some of
which come in without their recipe.  Three or four sessions have transactions of
up to four statements, at every isolation level: they commit versions (virtual
ones too), revoke digests, move aliases, erase, end with COMMIT or ROLLBACK.  One
statement is sent at a time, of a session that is chosen at random, and the next
one when it has ended or waits for a lock; so the order is the seed's.  Now and
then the log is sealed in between.  Then:

- errors are 40001, 40P01, or the registry's refusals 55000 (and 23505, 42704 for
  duplicates and what is not there), and a commit that was refused is not there;
- the log has exactly the versions that were committed, with their digests, and
  the revocations;
- what is live, versions and digests, is what the model says (registry_model.py), at once and when
  everything is settled, whoever came first;
- then no alias stands at what is not live;
- a virtual version can be evaluated; every hundred races verify() is clean.

PA_RACES sets the number of races (200; a release runs 2,000).

SPDX-License-Identifier: PostgreSQL
"""
import collections
import os
import select
import time

from psycopg import pq

import harness
import recipes
import registry_model

LEVELS = ("read committed", "repeatable read", "serializable")
REFUSED = {"commit": {"55000", "23505"}, "virtual": {"55000", "23505"}, "revoke": set(), "alias": {"55000", "23503"},
           "erase": {"55000", "42704"}, "begin": set(), "look": set(), "commit;": set(), "rollback;": set()}
AGAIN = {"40001", "40P01"}

SETUP = """
create table made (race int, name text, a adapter, primary key (race, name));
create function leaf(n bigint) returns adapter language sql as $$
	select adapter_from_json(format('{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 1},
		"tensors": {"base_model.model.q.lora_A.weight": {"dtype": "F64", "shape": [1, 2], "data": [%s, %s]},
		            "base_model.model.q.lora_B.weight": {"dtype": "F64", "shape": [2, 1], "data": [1, %s]}}}', n, n * n, n)::json)
$$;
"""

Statement = collections.namedtuple("Statement", "kind sql subject")


class Session:
    """A connection that is sent one statement and does not wait for its end."""

    def __init__(self, database):
        self.pq = pq.PGconn.connect(("dbname=" + database).encode())
        if self.pq.status != pq.ConnStatus.OK:
            raise RuntimeError(self.pq.error_message)
        self.pq.nonblocking = 1
        self.pid = self.pq.backend_pid

    def start(self, script):
        self.script, self.at = script, 0
        self.busy, self.failed = False, False
        self.done, self.kept = [], []

    @property
    def over(self):
        return not self.busy and self.at == len(self.script)

    def send(self):
        self.current = self.script[self.at]
        self.at += 1
        self.pq.send_query(self.current.sql.encode())
        while self.pq.flush():
            pass
        self.busy, self.state = True, None

    def poll(self, wait):
        """True if the statement has ended."""
        if wait:
            select.select([self.pq.socket], [], [], wait)
        self.pq.consume_input()
        while not self.pq.is_busy():
            result = self.pq.get_result()
            if result is None:
                self.busy = False
                return True
            if result.status == pq.ExecStatus.FATAL_ERROR:
                self.state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"dead").decode()
            elif result.status == pq.ExecStatus.TUPLES_OK and result.ntuples:
                self.done.append((self.current, (result.get_value(0, 0) or b"").decode()))
            elif result.status == pq.ExecStatus.COMMAND_OK and self.current.kind == "commit;":
                # COMMIT of a transaction that failed is answered ROLLBACK
                self.kept = self.done if result.command_status == b"COMMIT" else []
        return False


def made(name):
    return "(select a from made where race = %(race)d and name = '" + name + "')"


def commit_sql(entry, value, virtual, allow_duplicate):
    return ("insert into registry.version as v (entry, value, virtual, allow_duplicate) values ('%s', %s, %s, %s)"
            " returning v.entry || '@' || v.number || ' ' || encode(v.digest, 'hex')" % (entry, value, virtual, allow_duplicate))


def make(c, race, rng):
    """Values of a race: {name: names of operands}; some without their recipe."""
    graph = {}

    def add(name, expression, operands):
        c.execute("insert into made select %d, %%s, %s" % (race, expression), (name,))
        graph[name] = operands

    for i in range(3):
        add("l%d" % i, "leaf(%d)" % (10 * race + i + 1), [])
    for i in range(5):
        x, y = rng.sample(sorted(graph), 2) if rng.random() < 0.6 else [rng.choice(sorted(graph))] * 2
        expression = ("0.5 * %s + 0.25 * %s" % (made(x), made(y)) if x != y else "adapter_scale(%s, 0.%d)" % (made(x), i + 3))
        add("c%d" % i, expression % {"race": race}, sorted({x, y}))
    add("c5", "0.125 * %s" % made("c4") % {"race": race}, ["c4"])
    for name in ("c4", rng.choice(["c%d" % i for i in range(4)])):
        add("p" + name, "adapter_from_safetensors(adapter_to_safetensors(a), adapter_config(a)) from made where race = %d and name = '%s'" % (race, name), [])
    return graph


def revocation(race, name):
    return Statement("revoke", "select coalesce(string_agg(ref, ','), '') from registry.revoke("
                     "(select adapter_digest(a) from made where race = %d and name = '%s'), 'race')" % (race, name), name)


def begin(level):
    return Statement("begin", "begin isolation level " + level, None)


END = Statement("commit;", "commit", None)


def transaction(rng, race, graph, level):
    def commit(kind):
        name = rng.choice(sorted(graph))
        entry = "r%d %s" % (race, rng.choice("ab"))
        return Statement(kind, commit_sql(entry, made(name) % {"race": race}, kind == "virtual", rng.random() < 0.5), name)

    def revoke():
        return revocation(race, rng.choice([n for n in sorted(graph) if n[0] == "l" or rng.random() < 0.3]))

    def alias():
        return Statement("alias", "select registry.set_alias('r%d %s', '%s', %d)"
                         % (race, rng.choice("ab"), rng.choice(("production", "candidate")), rng.randint(1, 3)), None)

    def unalias():
        return Statement("alias", "delete from registry.alias where entry = 'r%d %s' and alias = 'production'" % (race, rng.choice("ab")), None)

    def erase():
        return Statement("erase", "select registry.erase('r%d %s@%d', 'race')" % (race, rng.choice("ab"), rng.randint(1, 3)), None)

    acts = [lambda: commit("commit")] * 5 + [lambda: commit("virtual"), alias, unalias]
    if level == "read committed":
        acts += [revoke, revoke, erase]
    script = [begin(level)]
    if rng.random() < 0.7:
        script.append(Statement("look", "select count(*) from registry.revocation", None))
    script += [rng.choice(acts)() for _ in range(rng.randint(1, 3))]
    return script + [END if rng.random() < 0.9 else Statement("rollback;", "rollback", None)]


def some_story(rng, race, graph):
    """Anything: (versions before, transactions)."""
    before = rng.sample(sorted(graph), 3) if rng.random() < 0.7 else []
    return before, [transaction(rng, race, graph, rng.choice(LEVELS + LEVELS[:1])) for _ in range(rng.randint(2, 4))]


def closure(edges, start):
    seen, line = {start}, [start]
    for d in line:
        for parent in edges.get(d, ()):
            if parent not in seen:
                seen.add(parent)
                line.append(parent)
    return seen


def late_story(rng, race, graph):
    """What came in without its recipe gets ancestors while something is made of
    it and one of them is revoked: (versions before, transactions)."""
    entry, value = "r%d %%s" % race, made("%s").replace("%(race)d", str(race))
    leaf = rng.choice(sorted(n for n in closure(graph, "c4") if not graph[n]))
    commits = [[Statement("commit", commit_sql(entry % e, value % name, False, True), name)] for e, name in (("b", "c4"), ("a", "c5"))]
    look = [Statement("look", "select count(*) from registry.revocation", None)]
    alias = [Statement("alias", "select registry.set_alias('%s', 'production', 2)" % (entry % "a"), None)]
    scripts = [(look + commits[0], rng.choice(LEVELS)), (look + commits[1] + alias, rng.choice(LEVELS)), ([revocation(race, leaf)], LEVELS[0])]
    if rng.random() < 0.5:
        scripts.append((look + [rng.choice(commits)[0]], rng.choice(LEVELS)))
    return ["pc4"], [[begin(level)] + script + [END] for script, level in scripts]


def settle(watcher, sessions):
    """Until every busy session has ended its statement or waits for a lock."""
    limit = time.monotonic() + 30
    ended = []
    while True:
        ended += [s for s in sessions if s.busy and s.poll(0)]
        busy = [s for s in sessions if s.busy]
        if not busy:
            return ended
        waiting = watcher.execute("select count(*) from unnest(%s::int[]) p where pg_blocking_pids(p) <> '{}'",
                                  ([s.pid for s in busy],)).fetchone()[0]
        if waiting == len(busy) and not any(s.poll(0) for s in busy):
            return ended
        ended += [s for s in busy if not s.busy]
        if time.monotonic() > limit:
            raise RuntimeError("a session neither ends nor waits: %s" % [s.current.sql for s in busy])
        select.select([s.pq.socket for s in busy], [], [], 0.001)


def play(run, watcher, sessions, counts):
    while not all(s.over for s in sessions):
        ready = [s for s in sessions if not s.busy and not s.over]
        if ready:
            run.random.choice(ready).send()
            if run.random.random() < 0.1:
                # waits for nobody, and nobody for it
                watcher.execute("select registry.seal()")
        else:
            # all wait: a deadlock, which the server is about to find
            select.select([s.pq.socket for s in sessions if s.busy], [], [], 0.05)
        for s in dict.fromkeys(settle(watcher, sessions)):
            counts[s.current.kind, s.state] += 1
            run.ok(s.state is None or s.state in AGAIN or s.state in REFUSED[s.current.kind],
                   "state of %s" % s.current.sql, s.state)
            if s.state and s.current.kind != "commit;":
                # what is left of it would only be 25P02
                s.script = s.script[:s.at] + [Statement("rollback;", "rollback;", None)]


def check_live(run, c, race, model, digests, when):
    run.equal(dict(c.execute("select encode(d, 'hex'), registry.is_live(d) from unnest(%s::bytea[]) d",
                             ([bytes.fromhex(d) for d in digests.values()],)).fetchall()),
              {d: model.digest_live(d) for d in digests.values()}, "race %d: digests that are live, %s" % (race, when))
    run.equal(dict(c.execute("select r, registry.is_live(r) from unnest(%s::text[]) r", (list(model.versions),)).fetchall()),
              {r: model.version_live(r) for r in model.versions}, "race %d: versions that are live, %s" % (race, when))


def judge(run, c, race, sessions, before):
    """What is there, against what the sessions were told."""
    c.execute("select registry.seal()")
    digests = dict(c.execute("select name, encode(adapter_digest(a), 'hex') from made where race = %s", (race,)).fetchall())
    told = sorted(before + [value for s in sessions for statement, value in s.kept if statement.kind in ("commit", "virtual")])
    revoked = {digests[statement.subject] for s in sessions for statement, _ in s.kept if statement.kind == "revoke"}
    tables = c.execute("select entry || '@' || number || ' ' || encode(digest, 'hex') from registry.version where entry like 'r%d _'" % race).fetchall()
    log = c.execute("select position, kind, fields from registry.log where (kind in ('version', 'alias') and fields[1] like %s)"
                    " or (kind = 'revoke' and fields[1] = any(%s)) order by 1", ("r%d _" % race, list(digests.values()))).fetchall()
    run.equal(sorted(t for t, in tables), told, "race %d: versions" % race)
    run.equal(sorted("%s@%s %s" % tuple(f[:3]) for _, kind, f in log if kind == "version"), told, "race %d: versions in the log" % race)
    run.equal(sorted(f[0] for _, kind, f in log if kind == "revoke"), sorted(revoked), "race %d: revocations in the log" % race)

    # What was committed before by the session that made it are facts.  So is what was evaluated before a virtual version
    # was committed, if it came out with the same recipe: that depends on which values the session saw, so it says so itself.
    model, first = registry_model.Model(), {b.rsplit(" ", 1)[0] for b in before}
    model.revoked = revoked
    made = {r: (d, recipe, virtual, {registry_model.story(*s) for s in proven}) for r, d, recipe, virtual, proven in c.execute(
        "select entry || '@' || number, encode(digest, 'hex'), coalesce(recipe, adapter_recipe(value)), virtual,"
        " coalesce((select jsonb_agg(jsonb_build_array(encode(s.digest, 'hex'), s.node)) from registry.story s"
        " where s.proven and (s.id = v.root or s.id = any(v.facts))), '[]') from registry.version v where entry like 'r%d _'" % race).fetchall()}
    whole = {registry_model.story(*s) for d, recipe in c.execute("select encode(adapter_digest(a), 'hex'), adapter_recipe(a) from made"
                                                                 " where race = %s", (race,)).fetchall() for s in recipes.told(recipe, d)}
    for _, kind, f in log:
        if kind == "version":
            ref = "%s@%s" % (f[0], f[1])
            digest, recipe, virtual, proven = made[ref]
            if virtual:
                run.ok(proven <= whole, "race %d: what was evaluated for %s" % (race, ref), proven - whole)
            model.commit(ref, digest, recipe, whole if ref in first else proven if virtual else set())
    check_live(run, c, race, model, digests, "at once")
    for _ in range(1000):
        if not c.execute("select registry.settle()").fetchone()[0]:
            break
        time.sleep(0.01)
    run.equal(c.execute("select count(*) from registry.revocation where not settled").fetchone()[0], 0, "race %d: settled" % race)
    check_live(run, c, race, model, digests, "settled")
    for ref, in c.execute("select entry || '@' || number from registry.alias where entry like 'r%d _'" % race).fetchall():
        run.ok(model.version_live(ref), "race %d: alias at %s, which is not live" % (race, ref))
    for ref, in c.execute("select entry || '@' || number from registry.version where virtual and value is null and erased_at is null"
                          " and entry like 'r%d _'" % race).fetchall():
        run.equal(harness.sqlstate_of(c, "select registry.get(%s, true)", (ref,)), None, "race %d: virtual version %s" % (race, ref))


def body(run):
    races = int(os.environ.get("PA_RACES", "200"))
    counts = collections.Counter()
    with harness.scratch("interleavings") as database, harness.connect(database) as c:
        c.execute("alter database %s set deadlock_timeout = '20ms'" % database)
        c.execute(SETUP)
        sessions = [Session(database) for _ in range(4)]
        for race in range(races):
            if race % 100 == 0:
                c.execute("drop schema if exists registry cascade")
                c.execute("select registry_create()")
            graph = make(c, race, run.random)
            names, transactions = some_story(run.random, race, graph) if run.random.random() < 0.7 else late_story(run.random, race, graph)
            before = [c.execute(commit_sql("r%d a" % race, made(name) % {"race": race}, False, True)).fetchone()[0] for name in names]
            chosen = sessions[:len(transactions)]
            for s, script in zip(chosen, transactions):
                s.start(script)
            play(run, c, chosen, counts)
            judge(run, c, race, chosen, before)
            if race % 100 == 99 or race == races - 1:
                run.equal(c.execute("select * from registry.verify(recompute => true)").fetchall(), [], "the log verifies after race %d" % race)
        for s in sessions:
            s.pq.finish()
    for kind in ("commit", "virtual", "revoke", "alias", "erase", "commit;"):
        print("%s: %s" % (kind, ", ".join("%d %s" % (n, state or "done") for (k, state), n in sorted(counts.items(), key=str) if k == kind)))
    # Every ending must have been met, or the races were none.
    if races >= 200:
        # (a COMMIT that fails is rare since none waits for the log: of SERIALIZABLE ones among each other)
        rare = [("commit;", "40001")] if races >= 2000 else []
        for kind, state in [("commit", None), ("commit", "40001"), ("commit", "55000"), ("revoke", None), ("commit;", None)] + rare:
            run.ok(counts[kind, state] > 0, "%s with %s was met" % (kind, state))


if __name__ == "__main__":
    harness.main("registry_interleavings", body)
