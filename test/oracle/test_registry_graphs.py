"""Lineage, revocation and recomposition against brute force.

PA_GRAPHS random graphs (60), most of 5 to 50 values, one in fifty of 300, of tiny (IA)^3 and LoRA
adapters: sums in both spaces, and every other kind of operation.  Versions are committed in any
order, some values never, some later.  lineage, descendants, is_live, revoke and the rows of
registry.lineage must be those of a walk in Python (random_lineage.py) that knows how the values
were made; recompose must give what the same operations give in SQL without the digest
(recipes.py), digest for digest, or be refused where that is refused.  Then graphs of claims alone,
ten times as many: circles, claims that differ, weights that vanish or grow beyond all bounds.

SPDX-License-Identifier: PostgreSQL
"""
import os

import harness
import random_lineage as lineage
import recipes



class Registered:
    """A graph of which some values are versions, each an entry of its own."""

    def __init__(self, run, connection, label, size, distinct, taken):
        self.run, self.c, self.label = run, connection, label
        self.taken = taken              # digests of earlier graphs, and whether they are live
        self.graph = lineage.Graph(connection, run.random, size, distinct, taken)
        self.versions = {}              # digest to entry
        self.story, self.rows = lineage.Story(), {}
        self.distinct = distinct

    def commit(self, digest):
        i = self.graph.first[digest]
        recipe = self.graph.recipe(i)
        for of, parent, p, q, w, external in recipes.edges(recipe, digest, self.versions):
            if (digest, of, parent) not in self.rows:
                self.rows[digest, of, parent] = (p, q, w, external)
                self.story.tell(of, parent, p, q, w)
        entry = "%s %d" % (self.label, i)
        virtual = self.run.random.random() < 0.1 and self.virtual_possible(recipe)
        self.c.execute("INSERT INTO registry.version (entry, value, virtual) SELECT %s, a, %s FROM n WHERE id = %s", (entry, virtual, i))
        self.versions[digest] = entry
        if virtual:
            self.c.execute("SELECT registry.materialize(%s)", (entry,))

    def virtual_possible(self, recipe):
        return recipe["root"]["op"] != "import" and recipes.needs(recipe, self.versions) <= set(self.versions)

    def truth(self):
        """Where every digest was made in one way: how it was made.  Else what the recipes said."""
        if not self.distinct:
            return self.story
        whole, told = self.graph.story(), lineage.Story()
        for start in self.versions:
            for of in whole.depths(start, False):
                for parent, weights in whole.near(of, False).items():
                    told.tell(of, parent, *weights)
        return told

    def kind(self, digest, story):
        return "registered" if digest in self.versions else "intermediate" if digest in story.claims else "external"

    def check_graph(self, digest, downward, revoked=()):
        story = self.truth()
        label = "%s: %s of %s" % (self.label, "descendants" if downward else "lineage", digest[:12])
        wanted, depths = story.totals(digest, downward), story.depths(digest, downward)
        by = bytes.fromhex(digest)
        if digest in self.versions and self.run.random.random() < 0.5:
            by = self.versions[digest] + "@1"
        rows = self.c.execute("SELECT encode(digest, 'hex'), names, kind, depth, ARRAY(SELECT encode(d, 'hex') FROM unnest(path) d),"
                              " p, q, w, revoked FROM registry.%s(%%s)" % ("descendants" if downward else "lineage"), (by,)).fetchall()
        if not self.run.equal(sorted(r[0] for r in rows), sorted(set(wanted) - {digest}), label):
            return
        for d, names, kind, depth, path, p, q, w, gone in rows:
            self.run.equal((names, kind, depth, gone), ([self.versions[d] + "@1"] if d in self.versions else [], self.kind(d, story),
                           depths[d], d in revoked), "%s: %s" % (label, d[:12]))
            self.run.ok(path[0] == digest and path[-1] == d and len(path) == depth + 1 and all(
                b in story.near(a, downward) for a, b in zip(path, path[1:])), "%s: path to %s" % (label, d[:12]), path)
            for name, got, want in zip("pqw", (p, q, w), wanted[d]):
                self.run.ok(lineage.near_enough(got, want), "%s: %s of %s" % (label, name, d[:12]),
                            "got %r, wanted %s" % (got, want and float(want[0])))

    def check(self, most):
        digests = sorted(self.graph.first)
        for digest in self.run.random.sample(digests, min(most, len(digests))):
            self.check_graph(digest, False)
            self.check_graph(digest, True)
        rows = self.c.execute("SELECT encode(child, 'hex'), encode(of, 'hex'), encode(parent, 'hex'), p, q, w, external"
                              " FROM registry.lineage WHERE child = ANY (%s)", ([bytes.fromhex(d) for d in self.versions],)).fetchall()
        self.run.equal(sorted(map(repr, rows)), sorted(repr(k + v) for k, v in self.rows.items()), self.label + ": rows")

    def without(self, recipe, lost, affected):
        """Digests whose values are given, or None: something is needed that is not registered."""
        given, line, seen = set(), recipes.references(recipe["root"]), set()
        while line:
            d = line.pop()
            if d == lost or d in seen:
                continue
            seen.add(d)
            if d in self.versions and d not in affected:
                given.add(d)
            elif recipes.is_end(recipe, d):
                return None
            else:
                line += recipes.references(recipe["nodes"][d])
        return given

    def wanted(self, digest, lost, affected, renormalize):
        """The digest of the value without lost, a SQLSTATE, or None if SQL cannot spell it."""
        recipe = self.graph.recipe(self.graph.first[digest])
        given = self.without(recipe, lost, affected)
        if not given:
            return "55000"
        try:
            value = recipes.Evaluator(self.c, harness.psycopg.Error, recipe, {d: self.graph.value(self.graph.first[d]) for d in given},
                                      lost, renormalize).evaluate()
        except recipes.Inexpressible:
            return None
        except recipes.Failed as e:
            return e.sqlstate
        made, recipe = self.c.execute("SELECT encode(adapter_digest(a), 'hex'), adapter_recipe(a) FROM (SELECT %s) v(a)" % value).fetchone()
        # Leaving it out can change nothing, or give, on the way too, what is made from it in another way.
        if made == digest:
            return "23505"
        on_the_way = {made} | recipes.reachable(recipe, self.versions)
        return "55000" if affected & on_the_way or any(not self.taken.get(d, True) for d in on_the_way) else made

    def recompose(self, digest, lost, affected, seen):
        renormalize = self.run.random.random() < 0.5
        wanted = self.wanted(digest, lost, affected, renormalize)
        try:
            with self.c.transaction(force_rollback=True):
                ref = self.c.execute("SELECT registry.recompose(%s, %s::bytea, %s)",
                                     (self.versions[digest] + "@1", bytes.fromhex(lost), renormalize)).fetchone()[0]
                got = self.c.execute("SELECT encode(registry.digest(%s), 'hex')", (ref,)).fetchone()[0]
        except harness.psycopg.Error as e:
            got = e.sqlstate
        what = "inexpressible" if wanted is None else "refused" if len(wanted) == 5 else "made"
        seen[what] += 1
        if wanted is not None:
            self.run.equal(got, wanted, "%s: %s without %s, renormalize %s" % (self.label, digest[:12], lost[:12], renormalize))

    def revoke(self, seen, most):
        story = self.truth()
        lost = self.run.random.choice(sorted(d for d in self.graph.first if d in story.made) or sorted(self.graph.first))
        depths = story.depths(lost, True)
        affected = set(depths)
        told = self.c.execute("SELECT ref, kind, depth, recomposable, obstacle FROM registry.revoke(%s::bytea, 'test')",
                              (bytes.fromhex(lost),)).fetchall()
        self.run.equal(sorted((r[0], r[1], r[2]) for r in told), sorted(
            (self.versions[d] + "@1", "descendant" if n else "revoked", n) for d, n in depths.items() if d in self.versions),
            self.label + ": what revoke tells")
        by_ref = {self.versions[d] + "@1": d for d in self.versions}
        for ref, _, depth, recomposable, obstacle in told if self.distinct else ():
            recipe = self.graph.recipe(self.graph.first[by_ref[ref]])
            possible = recipe["root"]["op"] != "import" and bool(self.without(recipe, lost, affected))
            self.run.ok(depth == 0 or recomposable == possible == (obstacle is None), "%s: recomposable %s" % (self.label, ref), obstacle)
        live = self.c.execute("SELECT encode(d, 'hex'), registry.is_live(d) FROM unnest(%s::bytea[]) d",
                              ([bytes.fromhex(d) for d in self.graph.first],)).fetchall()
        self.run.equal({d for d, is_live in live if not is_live}, affected & set(self.graph.first), self.label + ": what is not live")
        self.check_graph(lost, True, {lost})
        descendants = sorted(d for d in affected if d in self.versions and d != lost)
        for digest in self.run.random.sample(descendants, min(most, len(descendants))) if self.distinct else ():
            self.check_graph(digest, False, {lost})
            self.recompose(digest, lost, affected, seen)
        return affected


def check_one(run, connection, number, taken, seen):
    rng = run.random
    size = 300 if number % 50 == 25 else 5 + int(45 * rng.random() ** 2)
    made = Registered(run, connection, "graph %d" % number, size, rng.random() < 0.75, taken)
    order = rng.sample(sorted(made.graph.first), len(made.graph.first))
    seen["values"] += len(order)
    now = int(len(order) * rng.choice((0.3, 0.6, 0.9))) + 1
    for digest in order[:now]:
        made.commit(digest)
    made.check(4)
    for digest in order[now:]:
        if rng.random() < 0.5:
            made.commit(digest)
    made.check(6)
    affected = made.revoke(seen, 6)
    # Neutral values are the same in every graph.
    taken.update((d, d not in affected) for d in made.graph.first)


def weight(rng, style):
    if style == "range":
        return rng.choice((1e-100, 1e100, 1e-40, 1e60, 3.0))
    return rng.choice((0.0, 1.0, -1.0, 0.5, 1 / 3, -0.1))


def check_claims(run, connection, number):
    """Rows of lineage as a liar could make them."""
    rng, label = run.random, "claims %d" % number
    nodes = [rng.randbytes(32) for _ in range(rng.randint(2, 12))]
    style, circles = rng.choice(("range", "cancel", "cancel")), rng.random() < 0.4
    story, rows = lineage.Story(), {}
    for _ in range(rng.randint(1, 24)):
        a, b = sorted(rng.sample(range(len(nodes)), 2))
        a, b = (b, a) if circles and rng.random() < 0.15 else (a, b)
        space = rng.random()
        weights = (weight(rng, style),) * 2 + (None,) if space < 0.7 else (None, None, weight(rng, style)) if space < 0.9 else (None,) * 3
        child = nodes[a] if rng.random() < 0.8 else rng.choice(nodes)
        if child != nodes[b]:
            rows.setdefault((child, nodes[a], nodes[b]), weights)
    for (_, of, parent), weights in rows.items():
        story.tell(of, parent, *weights)
    with connection.transaction(force_rollback=True):
        connection.cursor().executemany("INSERT INTO registry.state VALUES (%s)", [(d,) for d in nodes])
        connection.cursor().executemany("INSERT INTO registry.lineage VALUES (%s, %s, %s, %s, %s, %s, false)",
                                        [k + v for k, v in rows.items()])
        for downward in (False, True):
            start = rng.choice(nodes)
            wanted, depths = story.totals(start, downward), story.depths(start, downward)
            got = {d: (depth, p, q, w) for d, depth, p, q, w in connection.execute(
                "SELECT digest, depth, p, q, w FROM registry.graph(%s, %s)", (start, downward))}
            run.equal({d: g[0] for d, g in got.items()}, depths, label + ": depths")
            for d, g in got.items():
                run.ok(d == start or all(lineage.near_enough(x, y) for x, y in zip(g[1:], wanted[d])), "%s: weights" % label,
                       "got %s, wanted %s" % (g[1:], [y and float(y[0]) for y in wanted[d]]))


def body(run):
    seen = dict.fromkeys(("values", "made", "refused", "inexpressible"), 0)
    taken = {}
    graphs = int(os.environ.get("PA_GRAPHS", "60"))
    with harness.scratch("graphs") as database, harness.connect(database) as connection:
        connection.execute("CREATE TEMP TABLE n (id int PRIMARY KEY, a adapter)")
        connection.execute("CREATE TEMP TABLE made (k int PRIMARY KEY, a adapter)")
        connection.execute("SELECT registry_create()")
        for number in range(graphs):
            check_one(run, connection, number, taken, seen)
        for number in range(10 * graphs):
            check_claims(run, connection, number)
        print("%(values)d values; recomposed %(made)d, refused %(refused)d, not spelled in SQL %(inexpressible)d" % seen)
        run.ok(seen["made"] >= graphs / 2 and seen["refused"] > 0, "enough is compared", seen)
        run.equal(connection.execute("SELECT * FROM registry.verify()").fetchall(), [], "the log verifies")


if __name__ == "__main__":
    harness.main("registry_graphs", body)
