"""Lineage, revocation and recomposition of a registry against brute force.

Random graphs of compositions: sums of two to four operands with weights that
are exact in binary, scalings between them, some values never registered.  The
oracle knows who was made from whom, with which weights, and computes ancestors,
descendants, depths, total weights (exact, by counting out every path) and what
is left of a composition without an ancestor.  PA_GRAPHS sets the number of
graphs (40).

SPDX-License-Identifier: PostgreSQL
"""
import os
from fractions import Fraction

import harness

SETUP = """
create function lora(n int) returns adapter language sql as $$
	select adapter_from_json(format('{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 1},
		"tensors": {"base_model.model.q.lora_A.weight": {"dtype": "F64", "shape": [1, 2], "data": [%s, 1]},
		            "base_model.model.q.lora_B.weight": {"dtype": "F64", "shape": [2, 1], "data": [1, %s]}}}', n, n)::json)
$$;
create table node (id int primary key, a adapter);
"""
WEIGHTS = (0.5, 0.25, 0.75, -0.5, 1.5)


class Graph:
    """Nodes 0..n-1; made[i] is None (imported), a list of (operand, weight), or an operand that was scaled."""

    def __init__(self, run, connection, number):
        self.c, rng = connection, run.random
        self.n = rng.randint(5, 25)
        self.made, self.registered = [], []
        connection.execute("truncate node")
        for i in range(self.n):
            if i < 3 or rng.random() < 0.1:
                self.made.append(None)
                connection.execute("insert into node values (%s, lora(%s))", (i, i + 2))
            elif rng.random() < 0.15:
                self.made.append(rng.randrange(i))
                connection.execute("insert into node select %s, adapter_scale(a, 3) from node where id = %s", (i, self.made[i]))
            else:
                operands = rng.sample(range(i), min(i, rng.randint(2, 4)))
                self.made.append([(o, rng.choice(WEIGHTS)) for o in operands])
                connection.execute("insert into node select %d, %s" % (i, " + ".join(
                    "(%r::float8) * (select a from node where id = %d)" % (w, o) for o, w in self.made[i])))
            self.registered.append(i == self.n - 1 or rng.random() < 0.7)
            if self.registered[i]:
                connection.execute("select registry.commit('n%d', a) from node where id = %d" % (i, i))
        self.digest = dict(connection.execute("select id, adapter_digest(a) from node").fetchall())
        self.distinct = len(set(self.digest.values())) == self.n

    def operands(self, i):
        made = self.made[i]
        return [] if made is None else [(made, None)] if isinstance(made, int) else made

    def ancestors(self, i):
        """id: (depth, total of |weight|, total of weight), totals None through a scaling; every path is walked."""
        found = {}
        line = [(i, 0, Fraction(1), Fraction(1))]
        while line:
            j, depth, p, q = line.pop()
            for o, w in self.operands(j):
                step = (None, None) if w is None or p is None else (p * abs(Fraction(w)), q * Fraction(w))
                had = found.get(o, (depth + 1, Fraction(0), Fraction(0)))
                found[o] = (min(had[0], depth + 1),) + tuple(
                    None if a is None or b is None else a + b for a, b in zip(had[1:], step))
                line.append((o, depth + 1) + step)
        return found

    def without(self, i, lost):
        """SQL of node i without lost, from values that were not made from it; None if nothing is left, KeyError if a value is lacking."""
        if i == lost:
            return None
        if i not in self.tainted:
            if not self.available(i):
                raise KeyError(i)
            return "(select a from node where id = %d)" % i
        if isinstance(self.made[i], int):
            inner = self.without(self.made[i], lost)
            return None if inner is None else "adapter_scale(%s, 3)" % inner
        terms = [(w, self.without(o, lost)) for o, w in self.made[i]]
        terms = ["(%r::float8) * %s" % (w, t) for w, t in terms if t is not None]
        # An operation is rounded once: a subquery that the planner cannot flatten.
        return "(select v from (select %s as v offset 0) s)" % " + ".join(terms) if terms else None

    def available(self, i):
        """A registered value, or one that can be made from such."""
        return self.registered[i] or (self.made[i] is not None and all(self.available(o) for o, _ in self.operands(i)))


def lineage(run, graph, label):
    for i in range(graph.n):
        if not graph.registered[i]:
            continue
        rows = graph.c.execute("select digest, depth, p, q, cardinality(path), cardinality(names) from registry.lineage('n%d')" % i).fetchall()
        got = {bytes(d): (depth, p, q, length, names > 0) for d, depth, p, q, length, names in rows}
        wanted = {graph.digest[o]: (depth, None if p is None else float(p), None if p is None else float(q), depth + 1, graph.registered[o])
                  for o, (depth, p, q) in graph.ancestors(i).items()}
        run.equal(got, wanted, "%s: lineage of %d" % (label, i))


def descendants(graph, lost):
    return {i for i in range(graph.n) if lost in graph.ancestors(i)}


def revocation(run, graph, label):
    lost = run.random.choice([i for i in range(graph.n) if i < graph.n - 1 and any(lost == i for j in range(graph.n) for lost in graph.ancestors(j))])
    graph.tainted = descendants(graph, lost)
    rows = graph.c.execute("select ref, recomposable from registry.revoke(%s::bytea, 'test')", (graph.digest[lost],)).fetchall()
    concerned = {"n%d@1" % i for i in graph.tainted | {lost} if graph.registered[i]}
    run.equal({ref for ref, _ in rows}, concerned, "%s: concerned by %d" % (label, lost))
    for ref, recomposable in rows:
        i = int(ref[1:-2])
        if i == lost:
            continue
        try:
            wanted = graph.without(i, lost)
        except KeyError:
            wanted = None
        run.equal(recomposable, wanted is not None, "%s: recomposable %d without %d" % (label, i, lost))
        if wanted is None:
            run.equal(harness.sqlstate_of(graph.c, "select registry.recompose(%s, %s::bytea)", (ref, graph.digest[lost])), "55000",
                      "%s: recompose %d without %d" % (label, i, lost))
        else:
            name = graph.c.execute("select registry.recompose(%s, %s::bytea)", (ref, graph.digest[lost])).fetchone()[0]
            made = graph.c.execute("select registry.digest(%s)", (name,)).fetchone()[0]
            fresh = graph.c.execute("select adapter_digest(%s)" % wanted).fetchone()[0]
            run.equal(bytes(made), bytes(fresh), "%s: %d without %d" % (label, i, lost))


def body(run):
    graphs = int(os.environ.get("PA_GRAPHS", "40"))
    with harness.scratch("lineage") as database, harness.connect(database) as c:
        c.execute(SETUP)
        for number in range(graphs):
            c.execute("select registry_create()")
            graph = Graph(run, c, number)
            if graph.distinct:
                lineage(run, graph, "graph %d" % number)
                revocation(run, graph, "graph %d" % number)
            run.equal(c.execute("select count(*) from registry.verify()").fetchone()[0], 0, "graph %d: verify" % number)
            c.execute("select registry_drop(true)")


if __name__ == "__main__":
    harness.main("registry_lineage", body)
