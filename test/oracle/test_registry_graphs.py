"""Lineage, revocation and recomposition against brute force.

PA_GRAPHS random graphs (60), most of 5 to 50 values, one in fifty of 300, of tiny (IA)^3 and LoRA
adapters: sums in both spaces, and every other kind of operation.  Versions are committed in any
order, some values never, some later, some by the session that made them (facts) and some by
another (claims).  lineage, descendants, is_live and revoke must be those of a walk in Python
(registry_model.py) that knows how the values were made; recompose must give what the same
operations give in SQL without the digest (recipes.py), digest for digest, or be refused where that
is refused.  Then graphs of stories alone, ten times as many: circles, stories that differ, weights
that vanish or grow beyond all bounds.

SPDX-License-Identifier: PostgreSQL
"""
import os

import harness
import random_lineage as lineage
import recipes
import registry_model


class Registered:
    """A graph of which some values are versions, each an entry of its own."""

    def __init__(self, run, connection, other, label, size, distinct, taken):
        self.run, self.c, self.other, self.label = run, connection, other, label
        self.taken = taken              # digests of earlier graphs, and whether they are live
        self.graph = lineage.Graph(connection, run.random, size, distinct, taken)
        self.versions = {}              # digest to entry
        self.model = registry_model.Model()
        self.distinct = distinct
        self.seen = set()               # what the first session has evaluated
        for i, digest in enumerate(self.graph.digests):
            self.seen |= {registry_model.story(*s) for s in recipes.told(self.graph.recipe(i), digest)}

    def commit(self, digest):
        i = self.graph.first[digest]
        recipe = self.graph.recipe(i)
        entry = "%s %d" % (self.label, i)
        virtual = self.run.random.random() < 0.1 and self.virtual_possible(recipe)
        here = virtual or self.run.random.random() < 0.7
        (self.c if here else self.other).execute(
            "INSERT INTO registry.version (entry, value, virtual) SELECT %s, a, %s FROM n WHERE id = %s", (entry, virtual, i))
        self.model.commit(entry + "@1", digest, recipe, self.seen if here else set())
        self.versions[digest] = entry
        if virtual:
            self.c.execute("SELECT registry.materialize(%s)", (entry,))

    def virtual_possible(self, recipe):
        return recipe["root"]["op"] != "import" and recipes.needs(recipe, self.versions) <= set(self.versions)

    def check_rows(self, rows, graph, start, downward, standing, cut, hidden, label):
        """Rows of lineage or descendants against a graph that Python has drawn."""
        wanted, depths = graph.totals(start, downward), graph.depths(start, downward)
        if not self.run.equal(sorted(r[0] for r in rows), sorted(set(wanted) - {start} - hidden), label):
            return
        for d, names, kind, depth, via, p, q, w, gone, stands, incomplete in rows:
            untold = "registered" if d in self.versions else "intermediate" if downward or d in graph.claims else "external"
            self.run.equal((names, kind, depth, gone, stands, incomplete),
                           ([self.versions[d] + "@1"] if d in self.versions else [], untold, depths[d], d in self.model.revoked,
                            "proven" if d in standing else "claimed", not downward and d in cut), "%s: %s" % (label, d[:12]))
            self.run.ok(depths.get(via) == depth - 1 and d in graph.near(via, downward), "%s: on the way to %s" % (label, d[:12]), via)
            for name, got, want in zip("pqw", (p, q, w), wanted[d]):
                self.run.ok(lineage.near_enough(got, want), "%s: %s of %s" % (label, name, d[:12]),
                            "got %r, wanted %s" % (got, want and float(want[0])))

    def check_graph(self, digest, downward):
        label = "%s: %s of %s" % (self.label, "descendants" if downward else "lineage", digest[:12])
        by = bytes.fromhex(digest)
        if digest in self.versions and self.run.random.random() < 0.5:
            by = self.versions[digest] + "@1"
        rows = self.c.execute("SELECT encode(digest, 'hex'), names, kind, depth, encode(via, 'hex'),"
                              " p, q, w, revoked, standing, incomplete FROM registry.%s(%%s)" % ("descendants" if downward else "lineage"),
                              (by,)).fetchall()
        if downward:
            graph, standing, hidden = self.model.descendants(digest)
            self.check_rows(rows, graph, digest, True, standing, set(), hidden, label)
        else:
            named = {"ref": by} if isinstance(by, str) else {"digest": digest}
            graph, _, standing, cut = self.model.lineage(**named)
            self.check_rows(rows, graph, digest, False, standing, cut, set(), label)

    def check_live(self, label):
        live = self.c.execute("SELECT encode(d, 'hex'), registry.is_live(d) FROM unnest(%s::bytea[]) d",
                              ([bytes.fromhex(d) for d in self.graph.first],)).fetchall()
        self.run.equal({d for d, is_live in live if is_live}, {d for d in self.graph.first if self.model.digest_live(d)}, label + ": digests")
        refs = self.c.execute("SELECT r, registry.is_live(r) FROM unnest(%s::text[]) r", (list(self.model.versions),)).fetchall()
        self.run.equal({r for r, is_live in refs if is_live}, {r for r in self.model.versions if self.model.version_live(r)}, label + ": versions")

    def check(self, most):
        digests = sorted(self.graph.first)
        for digest in self.run.random.sample(digests, min(most, len(digests))):
            self.check_graph(digest, False)
            self.check_graph(digest, True)

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
                line += recipes.references(recipes.first(recipe, d))
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
            if got == "55000" and "is a claim" in (e.diag.message_detail or ""):
                seen["unproven"] += 1
                self.run.ok(self.model.versions[self.versions[digest] + "@1"].claims, self.label + ": a claim that is one", e)
                return
        what = "inexpressible" if wanted is None else "refused" if len(wanted) == 5 else "made"
        seen[what] += 1
        if wanted is not None:
            self.run.equal(got, wanted, "%s: %s without %s, renormalize %s" % (self.label, digest[:12], lost[:12], renormalize))

    def revoke(self, seen, most):
        makers = {p for s in self.model.facts for p in self.model.parents(s)} & set(self.graph.first)
        lost = self.run.random.choice(sorted(makers) or sorted(self.graph.first))
        graph, proven, _ = self.model.descendants(lost)
        depths = graph.depths(lost, True)
        concerned = self.model.concerned(lost)
        affected = {self.model.versions[r].digest for r in concerned} | proven
        told = self.c.execute("SELECT ref, kind, depth, standing, recomposable, obstacle FROM registry.revoke(%s::bytea, 'test')",
                              (bytes.fromhex(lost),)).fetchall()
        self.model.revoked.add(lost)
        wanted = []
        for ref, is_proven in concerned.items():
            d = self.model.versions[ref].digest
            wanted.append((ref, "revoked" if d == lost else "descendant", depths[d], "proven" if is_proven else "claimed"))
        self.run.equal(sorted(r[:4] for r in told), sorted(wanted), self.label + ": what revoke tells")
        for ref, _, depth, _, recomposable, obstacle in told if self.distinct else ():
            recipe = self.model.versions[ref].recipe
            possible = recipe["root"]["op"] != "import" and bool(self.without(recipe, lost, self.model.affected(ref, lost)))
            self.run.ok(depth == 0 or recomposable == possible == (obstacle is None), "%s: recomposable %s" % (self.label, ref), obstacle)
        self.check_live(self.label + ": before it is settled")
        # (how far that gets depends on who else is running; what is asked does not)
        for _ in range(self.run.random.choice((0, 1, 2, 4))):
            self.c.execute("SELECT registry.settle()")
        self.check_live(self.label + ": afterwards")
        self.check_graph(lost, True)
        descendants = sorted(d for d in affected if d in self.versions and d != lost)
        for digest in self.run.random.sample(descendants, min(most, len(descendants))) if self.distinct else ():
            self.check_graph(digest, False)
            self.recompose(digest, lost, self.model.affected(self.versions[digest] + "@1", lost), seen)
        return affected


def check_one(run, connection, other, number, taken, seen):
    rng = run.random
    size = 300 if number % 50 == 25 else 5 + int(45 * rng.random() ** 2)
    made = Registered(run, connection, other, "graph %d" % number, size, rng.random() < 0.75, taken)
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
    """Stories as a liar could tell them."""
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
        for n, ((_, of, parent), weights) in enumerate(rows.items()):
            connection.execute("INSERT INTO registry.story (id, digest, sha256, node, proven) OVERRIDING SYSTEM VALUE"
                               " VALUES (%s, %s, sha256(''), '{}', true)", (10**9 + n, of))
            connection.execute("INSERT INTO registry.edge VALUES (%s, %s, %s, %s, %s, %s)", (10**9 + n, of, parent) + weights)
        for downward in (False, True):
            start = rng.choice(nodes)
            wanted, depths = story.totals(start, downward), story.depths(start, downward)
            got = {d: (depth, p, q, w) for d, depth, p, q, w in connection.execute(
                "SELECT digest, depth, p, q, w FROM registry." + ("descendant_graph(%s)" if downward else "ancestor_graph(%s, '{}')"),
                (start,))}
            run.equal({d: g[0] for d, g in got.items()}, depths, label + ": depths")
            for d, g in got.items():
                run.ok(d == start or all(lineage.near_enough(x, y) for x, y in zip(g[1:], wanted[d])), "%s: weights" % label,
                       "got %s, wanted %s" % (g[1:], [y and float(y[0]) for y in wanted[d]]))


def body(run):
    seen = dict.fromkeys(("values", "made", "refused", "inexpressible", "unproven"), 0)
    taken = {}
    graphs = int(os.environ.get("PA_GRAPHS", "36"))
    with harness.scratch("graphs") as database, harness.connect(database) as connection, harness.connect(database) as other:
        connection.execute("CREATE TABLE n (id int PRIMARY KEY, a adapter)")
        connection.execute("CREATE TEMP TABLE made (k int PRIMARY KEY, a adapter)")
        connection.execute("SELECT registry_create()")
        for number in range(graphs):
            check_one(run, connection, other, number, taken, seen)
        for number in range(10 * graphs):
            check_claims(run, connection, number)
        print("%(values)d values; recomposed %(made)d, refused %(refused)d, not spelled in SQL %(inexpressible)d, unproven %(unproven)d" % seen)
        run.ok(seen["made"] >= graphs / 2 and seen["refused"] > 0, "enough is compared", seen)
        run.equal(connection.execute("SELECT * FROM registry.verify()").fetchall(), [], "the log verifies")


if __name__ == "__main__":
    harness.main("registry_graphs", body)
