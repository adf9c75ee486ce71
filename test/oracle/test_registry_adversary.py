"""Random graphs in which half of the writers forge, against the model of doc/trust.md.

PA_GRAPHS graphs (40; a release runs 1,000) from PA_FIRST (0) on, each of which follows from the seed and
its number alone.  alice makes adapters and commits them, partly in the
session that made them, partly later from a table.  mallory commits adapters whose recipes he wrote
himself: true, false, circular, cut off, stale (an import where there is a story), crowding
(thousands of nodes), about his own digests, alice's, and digests that are still to be made; and
gives alice such files, which she composes with.  Then somebody revokes.  After each step

- what is live is what the model says, versions and digests, settled or not;
- none of alice's versions is live of which a true ancestor is revoked;
- none of alice's versions that no file of mallory's went into is dead but for a true ancestor;
- what recompose makes of alice's versions is made of true ancestors of theirs, or refused;
- registry.verify() finds nothing.

Both are writers without each other's rights: what mallory evaluates himself (sums that round to a
value of alice's among it) is no fact about what she has registered.

SPDX-License-Identifier: PostgreSQL
"""
import json
import os

import harness
import random_lineage as lineage
import recipes
import registry_model

IMPORT = {"op": "import", "sha256": "ab" * 32}
KINDS = ("true", "false", "false", "circular", "cut", "stale", "crowding", "future")


class Scene:
    def __init__(self, run, alice, other, later, mallory, label, taken):
        self.run, self.rng, self.label = run, run.random, label
        self.alice, self.other, self.later, self.mallory = alice, other, later, mallory
        self.graph = lineage.Graph(alice, run.random, 5 + run.random.randrange(12), True, taken)
        self.model = registry_model.Model()
        self.true, self.foreign = {}, set()
        self.his = set()                # stories that mallory has evaluated in his session
        self.seen = []                  # of each value the stories that alice has evaluated on the way to it
        for i, edges in enumerate(self.graph.edges):
            self.made(i, set(edges))
        self.hers, self.n = {}, 0

    def made(self, i, operands):
        digest, recipe = self.graph.digests[i], self.graph.recipe(i)
        self.true.setdefault(digest, set()).update({self.graph.digests[k] for k in operands} - {digest})
        own = set() if recipe["root"]["op"] == "import" else {registry_model.story(digest, recipe["root"])}
        self.seen.append(own.union(*(self.seen[k] for k in operands)))

    def true_ancestors(self, digest):
        seen, line = {digest}, [digest]
        for d in line:
            line += self.true.get(d, set()) - seen
            seen |= self.true.get(d, set())
        return seen

    def some_digest(self):
        return self.rng.choice(self.graph.digests) if self.rng.random() < 0.9 else self.rng.randbytes(32).hex()

    def story(self, avoid):
        terms = sorted({self.some_digest() for _ in range(self.rng.randint(1, 3))} - {avoid}) or [self.rng.randbytes(32).hex()]
        if self.rng.random() < 0.5:
            return {"op": "union", "of": terms}
        return {"op": "combine", "terms": [{"of": d, "u": "0x1.0p-1", "v": self.rng.choice(("0x1.0p-1", "-0x1.0p-1"))} for d in terms]}

    def lie(self, digest, i, kind):
        """A recipe for the value of this digest."""
        rng, honest = self.rng, self.graph.recipe(i)
        root, nodes = self.story(digest), {}
        for d in recipes.references(root):
            nodes[d] = rng.choice((IMPORT, self.story(d)))
        if kind == "true":
            return honest
        if kind == "circular":
            nodes = {d: {"op": "scale", "of": rng.choice([digest] + sorted(nodes)), "by": "0x1.0p+0"} for d in nodes}
        elif kind == "cut":
            nodes = {d: n for d, n in nodes.items() if rng.random() < 0.3}
        elif kind == "stale":
            return {"version": 1, "root": honest["root"], "nodes": {d: IMPORT for d in recipes.references(honest["root"])}} \
                if rng.random() < 0.5 else {"version": 1, "root": IMPORT, "nodes": {}}
        elif kind == "crowding":
            root = {"op": "union", "of": sorted([rng.randbytes(32).hex() for _ in range(rng.choice((30, 30, 3000)))] + list(nodes)[:1])}
            nodes.update((d, IMPORT) for d in root["of"])
        elif kind == "future":
            # of what 0.5 of it and 0.5 of another will be
            other = rng.randrange(len(self.graph.digests))
            try:
                ahead, = self.mallory.execute("SELECT encode(adapter_digest(0.5 * x.a + 0.5 * y.a), 'hex') FROM n x, n y WHERE x.id = %s AND y.id = %s",
                                              (i, other)).fetchone()
            except harness.psycopg.Error:
                return honest
            nodes[ahead] = rng.choice((IMPORT, self.story(ahead)))
            root = {"op": "union", "of": sorted({ahead} | set(nodes) - {digest})}
        return {"version": 1, "root": root, "nodes": nodes}

    def forge(self):
        """An envelope of a value of the graph that mallory has spelled anew; (bytes, digest, recipe)."""
        i = self.rng.randrange(len(self.graph.digests))
        digest = self.graph.digests[i]
        recipe = self.lie(digest, i, self.rng.choice(KINDS))
        envelope, = self.mallory.execute("SELECT adapter_send(a) FROM n WHERE id = %s", (i,)).fetchone()
        return recipes.forged(envelope, recipe), digest, recipe

    def entry(self, who):
        self.n += 1
        return "%s %s %d" % (self.label, who, self.n)

    def mallory_commits(self):
        envelope, digest, recipe = self.forge()
        entry = self.entry("m")
        self.mallory.execute("INSERT INTO registry.version (entry, value) VALUES (%s, adapter_from_safetensors(%b))", (entry, envelope))
        self.model.commit(entry + "@1", digest, recipe, set(), "mallory")

    def mallory_rounds(self):
        """A value of the graph with a little of another added, which does not show: true arithmetic."""
        i, j = (self.rng.randrange(len(self.graph.digests)) for _ in range(2))
        if self.graph.digests[i] == self.graph.digests[j]:
            return
        way = self.rng.choice(("x.a + '1e-30'::float8 * y.a", "0.5 * adapter_scale(x.a, 2) + '1e-30'::float8 * y.a"))
        self.mallory.execute("TRUNCATE mine")
        digest, recipe = self.mallory.execute("INSERT INTO mine SELECT %s FROM n x, n y WHERE x.id = %d AND y.id = %d"
                                              " RETURNING encode(adapter_digest(a), 'hex'), adapter_recipe(a)" % (way, i, j)).fetchone()
        # what he has evaluated, and not only read in the recipes of x and y (which may tell the same)
        twice = {"op": "scale", "of": self.graph.digests[i], "by": "0x1.0000000000000p+1"}
        self.his |= {registry_model.story(d, node) for d, node in recipes.told(recipe, digest)
                     if (d, node) == (digest, recipe["root"]) or ("adapter_scale" in way and node == twice)}
        told = {registry_model.story(*s) for s in recipes.told(recipe, digest)}
        entry = self.entry("m")
        self.mallory.execute("INSERT INTO registry.version (entry, value) SELECT %s, a FROM mine", (entry,))
        self.model.commit(entry + "@1", digest, recipe, self.his, "mallory")
        # What nobody had registered before him he has proven something of: doc/trust.md, "What is not promised".
        self.foreign |= {s[0] for s in self.his & told & self.model.facts}

    def alice_downloads(self):
        """One of mallory's files, composed with one of hers."""
        envelope, digest, _ = self.forge()
        self.foreign.add(digest)
        if not self.graph_add("adapter_from_safetensors(%b)", None, (envelope,)):
            return
        last, other = len(self.graph.digests) - 1, self.rng.randrange(len(self.graph.digests) - 1)
        if self.graph.digests[other] != digest:
            self.graph_add("0.5 * %s + 0.5 * %s" % (self.graph.value(last), self.graph.value(other)), (last, other), None)

    def graph_add(self, sql, operands, parameters):
        """One more value; a digest may be there already, with another recipe."""
        i = len(self.graph.digests)
        try:
            digest, = self.alice.execute("INSERT INTO n SELECT %d, (%s) RETURNING encode(adapter_digest(a), 'hex')" % (i, sql), parameters).fetchone()
        except harness.psycopg.Error:
            return False
        self.graph.digests.append(digest)
        self.graph.edges.append({})
        if operands is None:
            self.seen.append(set())
        else:
            self.made(i, operands)
            if {self.graph.digests[k] for k in operands} & self.foreign:
                self.foreign.add(digest)
        return True

    def alice_commits(self):
        i = self.rng.randrange(len(self.graph.digests))
        here, entry = self.rng.random() < 0.6, self.entry("a")
        (self.alice if here else self.other).execute("INSERT INTO registry.version (entry, value) SELECT %s, a FROM n WHERE id = %s", (entry, i))
        self.model.commit(entry + "@1", self.graph.digests[i], self.graph.recipe(i), self.seen[i] if here else set(), "alice")
        self.hers[entry + "@1"] = i

    def touched(self, ref):
        """A file of mallory's went into it."""
        digest = self.graph.digests[self.hers[ref]]
        return bool(self.true_ancestors(digest) & self.foreign) or any(
            self.graph.digests[k] == digest and k == self.hers[ref] for k in range(len(self.graph.digests)) if digest in self.foreign)

    def check(self, label):
        c = self.later
        refs = sorted(self.model.versions)
        got = dict(c.execute("SELECT r, registry.is_live(r) FROM unnest(%s::text[]) r", (refs,)).fetchall())
        self.run.equal(got, {r: self.model.version_live(r) for r in refs}, label + ": versions")
        digests = sorted(set(self.graph.digests) | self.model.revoked)
        live = dict(c.execute("SELECT encode(d, 'hex'), registry.is_live(d) FROM unnest(%s::bytea[]) d", ([bytes.fromhex(d) for d in digests],)).fetchall())
        self.run.equal(live, {d: self.model.digest_live(d) for d in digests}, label + ": digests")
        for ref, i in self.hers.items():
            gone = self.true_ancestors(self.graph.digests[i]) & self.model.revoked
            told = {d for d, _ in recipes.told(self.graph.recipe(i), self.graph.digests[i])} | recipes.reachable(self.graph.recipe(i))
            self.run.ok(not gone & told or not got[ref], "%s: %s is live, and a true ancestor is revoked" % (label, ref), gone)
            if not self.touched(ref):
                self.run.ok(got[ref] or gone, "%s: %s is dead by somebody's claim" % (label, ref))

    def recompose(self, counts):
        for ref in sorted(self.hers):
            if self.model.version_live(ref):
                continue
            digest = self.graph.digests[self.hers[ref]]
            lost = sorted(self.model.ancestors(digest, self.model.versions[ref].claims) & self.model.revoked)[0]
            try:
                with self.later.transaction(force_rollback=True):
                    made, = self.later.execute("SELECT registry.recompose(%s, %s::bytea)", (ref, bytes.fromhex(lost))).fetchone()
                    weights, recipe = self.later.execute(
                        "SELECT encode(adapter_digest(a), 'hex'), adapter_recipe(a) FROM registry.get(%s) a", (made,)).fetchone()
            except harness.psycopg.Error as e:
                counts["refused"] += 1
                self.run.ok(e.sqlstate in ("55000", "23505", "22012"), "%s: recompose %s" % (self.label, ref), e)
                continue
            counts["recomposed"] += 1
            # ... or of what alice has made of true ancestors alone, which leaving something out can come to
            known = {d for d in self.true if self.true_ancestors(d) - {d} <= self.true_ancestors(digest)}
            # (or one of these values itself, whose recipe may be what a file says of it)
            leaves = set() if weights in known else recipes.needs(recipe, known)
            self.run.ok(leaves <= known, "%s: %s is made of true ancestors" % (self.label, ref), leaves)

    def play(self, counts):
        for _ in range(self.rng.randint(10, 24)):
            step = self.rng.choice((self.mallory_commits, self.mallory_rounds, self.alice_downloads) + (self.alice_commits,) * 4)
            try:
                step()
            except harness.psycopg.Error as e:
                # what was revoked before in another graph; operands that cannot be summed
                self.run.ok(e.sqlstate in ("55000", "0A000", "22000", "22003", "22023"), "%s: %s" % (self.label, step.__name__), e)
        self.check(self.label + ": committed")
        for _ in range(self.rng.randint(1, 2)):
            lost = self.rng.choice(self.graph.digests)
            self.later.execute("SELECT count(*) FROM registry.revoke(%s::bytea, 'test')", (bytes.fromhex(lost),))
            self.model.revoked.add(lost)
            self.check(self.label + ": revoked")
            # (how far that gets depends on who else is running; what is asked does not)
            for _ in range(self.rng.choice((0, 1, 2, 4))):
                self.later.execute("SELECT registry.settle()")
            self.check(self.label + ": settled")
        self.recompose(counts)


ROLES = ["peftarith_%s_%d" % (name, os.getpid()) for name in ("alice", "mallory")]


def connect_as(role, database):
    c = harness.connect(database)
    c.execute("SET SESSION AUTHORIZATION " + role)
    return c


def play(run, database, label, counts):
    """A registry anew each time: what is revoked stays so, and small values come again.  So are the sessions, which
    keep what they compiled of each."""
    with harness.connect(database) as later, connect_as(ROLES[0], database) as alice, connect_as(ROLES[0], database) as other, \
            connect_as(ROLES[1], database) as mallory:
        later.execute("DROP SCHEMA IF EXISTS registry CASCADE")
        later.execute("SELECT registry_create(writer => %s)", (ROLES[0],))
        later.execute("SELECT registry.allow(writer => %s)", (ROLES[1],))
        Scene(run, alice, other, later, mallory, label, ()).play(counts)
        run.equal(later.execute("SELECT * FROM registry.verify()").fetchall(), [], label + ": verify")


def body(run):
    first, graphs = (int(os.environ.get(*v)) for v in (("PA_FIRST", "0"), ("PA_GRAPHS", "24")))
    counts = dict.fromkeys(("recomposed", "refused"), 0)
    with harness.scratch("adversary") as database, harness.connect(database) as later:
        later.execute("CREATE TABLE n (id int PRIMARY KEY, a adapter)")
        later.execute("CREATE TABLE mine (a adapter)")
        for role in ROLES:
            later.execute("CREATE ROLE " + role)
            later.execute("GRANT ALL ON n, mine TO " + role)
        try:
            for number in range(first, first + graphs):
                run.random.seed("%d %d" % (run.seed, number))
                play(run, database, "graph %d" % number, counts)
        finally:
            for role in ROLES:
                later.execute("DROP OWNED BY %s; DROP ROLE %s" % (role, role))
        print("%(recomposed)d recomposed, %(refused)d refused" % counts)
        run.ok(counts["recomposed"] >= graphs / 10 and counts["refused"] > 0, "enough is compared", counts)


if __name__ == "__main__":
    harness.main("registry_adversary", body)
