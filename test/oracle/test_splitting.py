"""An operation on the parts of adapters is the part of the operation, bit for bit.

Random adapters are cut by module, all at the same places; every operation is computed for the whole
and for each part, and adapter_union of the results must have the whole's digest; what is told module
by module (norms, products, singular values) must be the same numbers.  doc/algebra.md, "Splitting".
PA_SPLIT sets the number of adapters (60; the long form is 1000).

SPDX-License-Identifier: PostgreSQL
"""
import collections
import os
import re

import described
import harness
import random_adapters
import safetensors_lite as st
import test_difference
from described import A

METHODS = ("magnitude_prune", "ties", "dare_linear", "dare_ties")
WEIGHTS = (0.5, 0.3, 0.7, -0.4, -1.0, 2.0, 0.1, 1 / 3, -7.25, 1e-3, 0.9)
DIFFERENCE = 3

# A path as the pattern that means it: what a regular expression reads as more than itself, escaped.
ESCAPED = "regexp_replace(%s, '([][\\\\.*+?^$(){}|])', '\\\\\\1', 'g')"


class Leaves:
    """n adapters whole (table w) and in parts (table p, part k), cut at the same modules."""

    def __init__(self, connection, rng, adapters):
        self.connection, self.n = connection, len(adapters)
        connection.execute("TRUNCATE w, p")
        for i, a in enumerate(adapters):
            connection.execute("INSERT INTO w SELECT %s, adapter_from_safetensors(%s, %s::json)", (i, a.file, a.config))
        if not self.cut_by_size(rng):
            self.cut_by_path(rng)
        rows = connection.execute("SELECT k, i, adapter_digest(a) FROM p ORDER BY k, i").fetchall()
        self.parts = sorted({k for k, _, _ in rows})
        self.having = {k: [i for q, i, _ in rows if q == k] for k in self.parts}
        # two operands with one and the same part are one operand there
        self.twins = len({(k, d) for k, _, d in rows}) < len(rows)
        self.complete = all(len(h) == self.n for h in self.having.values())
        # adapter_select writes PEFT's names, adapter_split keeps those of the file
        self.same_names = connection.execute(
            "SELECT bool_and(adapter_digest(w.a) = (SELECT adapter_digest(adapter_union(p.a)) FROM p WHERE p.i = w.i))"
            " FROM w").fetchone()[0]

    def modules(self):
        return self.connection.execute("SELECT i, array_agg(m.module ORDER BY m.module COLLATE \"C\") FROM w,"
                                       " adapter_modules(a) m GROUP BY i ORDER BY i").fetchall()

    def cut_by_size(self, rng):
        """By adapter_split, if that cuts all of them at the same modules."""
        if rng.random() < 0.5:
            return False
        size = self.connection.execute(
            "SELECT max(adapter_raw_size(adapter_select(a, %s))) FROM w, adapter_modules(a) m"
            % (ESCAPED % "m.module")).fetchone()[0]
        self.connection.execute("INSERT INTO p SELECT k, i, s FROM w, lateral (SELECT row_number() OVER () AS k, s"
                                " FROM adapter_split(a, %s) s) x", (max(1, int(size) * rng.randint(1, 2)),))
        cuts = self.connection.execute(
            "SELECT DISTINCT array_agg(m ORDER BY k, m COLLATE \"C\") FROM (SELECT i, k, (adapter_modules(a)).module || ' ' || k"
            " AS m FROM p) q GROUP BY i").fetchall()
        if len(cuts) == 1:
            return True
        self.connection.execute("TRUNCATE p")
        return False

    def cut_by_path(self, rng):
        n = rng.randint(2, 4)
        part = {}
        for i, paths in self.modules():
            mine = {}
            for path in set(paths):
                mine.setdefault(part.setdefault(path, rng.randrange(n)), []).append(path)
            for k, group in mine.items():
                self.connection.execute("INSERT INTO p SELECT %s, %s, adapter_select(a, %s) FROM w WHERE i = %s",
                                        (k, i, "|".join(re.escape(path) for path in group), i))

    def whole(self, expression):
        return "SELECT " + expression(Operands("w", "", range(self.n)))

    def parted(self, expression):
        each = (expression(Operands("p", " AND k = %d" % k, self.having[k])) for k in self.parts)
        return "SELECT adapter_union(e) FROM (%s) u" % " UNION ALL ".join("SELECT %s AS e" % e for e in each)


class Operands:
    """SQL of the adapters (or of one part of each) that there are."""

    def __init__(self, table, condition, ids):
        self.table, self.condition, self.ids = table, condition, ids

    def one(self, i):
        return "(SELECT a FROM %s WHERE i = %d%s)" % (self.table, i, self.condition)

    def rows(self, what):
        return "(SELECT %s FROM %s WHERE true%s)" % (what, self.table, self.condition)

    def total(self, form, terms):
        """form % (weight, operand) of each, added up."""
        return "(%s)" % " + ".join(form % (number(w), self.one(i)) for i, w in terms if i in self.ids)

    def array(self, weights):
        ids = list(self.ids)
        return "ARRAY[%s], '{%s}'" % (", ".join(map(self.one, ids)), ",".join(repr(weights[i]) for i in ids))


def number(w):
    return "'%r'::float8" % w


def sums(rng, leaves):
    """(name, expression) of what adds operands up; equal parts are one operand, so without them."""
    n = leaves.n
    w = [rng.choice(WEIGHTS) if rng.random() < 0.7 else rng.gauss(0, 2) for _ in range(n)]
    if rng.random() < 0.5:
        w[-1] = 1.0 - sum(w[:-1])
    terms = list(enumerate(w)) + [(rng.randrange(n), rng.choice(WEIGHTS)) for _ in range(rng.randint(0, 2))]
    form = {"sum": "%s * %s", "stack": "%s * delta(%s)"}
    yield "sum", lambda o: o.total(form["sum"], terms)
    yield "divided", lambda o: "(%s / -3)" % o.total(form["sum"], terms)
    yield "stack", lambda o: "adapter(%s)" % o.total(form["stack"], terms)
    yield "combine", lambda o: o.rows("adapter_combine(a, (array%s::float8[])[i + 1])" % (w,))
    yield "combine of deltas", lambda o: "adapter(%s)" % o.rows("adapter_combine(delta(a), (array%s::float8[])[i + 1])" % (w,))
    for keep in (rng.randint(1, 5), rng.choice((0.5, 0.9, 0.99))):
        how = "rank => %d" % keep if isinstance(keep, int) else "energy => %r" % keep
        yield "truncate by " + how.split()[0], lambda o, how=how: "adapter_truncate(%s, %s)" % (o.total(form["stack"], terms), how)
    if leaves.complete:
        t = rng.choice((0.3, 0.5, -0.7, 1.25))
        for name in ("sum", "avg", "adapter_sum", "adapter_avg"):
            yield name + " of rows", lambda o, name=name: o.rows("%s(a)" % name)
            yield name + " of deltas", lambda o, name=name: "adapter(%s)" % o.rows("%s(delta(a))" % name)
        yield "lerp", lambda o: "adapter_lerp(%s, %s, %s)" % (o.one(0), o.one(n - 1), number(t))
        yield "lerp of a sum", lambda o: "adapter_lerp(%s, %s, %s)" % (o.total(form["sum"], terms), o.one(n - 1), number(t))
        yield "difference", lambda o: "(%s - %s)" % (o.total(form["sum"], terms[:-1]), o.one(n - 1))


def merges(rng, leaves):
    w = [rng.choice(WEIGHTS + (0.0, 1.0)) for _ in range(leaves.n)]
    for method in METHODS:
        arguments = "%r" % rng.choice((1.0, 0.5, 0.3, 0.9))
        if "dare" in method:
            arguments += ", '%d'" % rng.getrandbits(40)
        arguments += ", 'peft'"
        if "ties" in method:
            arguments += ", '%s'" % rng.choice(("total", "frequency"))
        yield method, lambda o, m=method, a=arguments: "adapter_%s(%s, %s)" % (m, o.array(w), a)
    twice = "%r, '%d', 'peft'" % (0.5, rng.getrandbits(40))
    yield "a value twice", lambda o: "adapter_dare_linear(ARRAY[%s, %s, %s], '{1, -0.5, 0.25}', %s)" % (
        o.one(0), o.one(leaves.n - 1), o.one(0), twice)


def of_one(rng, leaves):
    i = rng.randrange(leaves.n)
    s, dtype = rng.choice((-0.7, 3.3, 0.0, -1.0)), rng.choice(("F32", "BF16", "F16", "F64"))
    yield "scale", lambda o: "adapter_scale(%s, %s)" % (o.one(i), number(s))
    yield "cast", lambda o: "adapter_cast(%s, '%s')" % (o.one(i), dtype)
    if leaves.same_names:
        yield "base model", lambda o: "adapter_set_base_model(%s, 'org/other', 'v2')" % o.one(i)
    one_of_each = leaves.connection.execute(
        "SELECT string_agg(DISTINCT " + ESCAPED % "m" + ", '|') FROM (SELECT min(m.module) AS m FROM p, adapter_modules(a) m"
        " WHERE i = %s GROUP BY k) q", (i,)).fetchone()[0].replace("'", "''")
    yield "select", lambda o: "adapter_select(%s, '%s')" % (o.one(i), one_of_each)
    yield "truncate one", lambda o: "adapter_truncate(%s, 2)" % o.one(i)


class Bench:
    def __init__(self, run, connection):
        self.run, self.connection = run, connection
        self.computed, self.refused, self.adapters = collections.Counter(), collections.Counter(), 0
        connection.execute("CREATE TABLE w (i int PRIMARY KEY, a adapter);"
                           "CREATE TABLE p (k int, i int, a adapter, PRIMARY KEY (k, i))")

    def digest(self, query):
        try:
            return self.connection.execute("SELECT adapter_digest(x.a) FROM (%s) x(a)" % query).fetchone()[0].hex()
        except harness.psycopg.Error as e:
            return e.sqlstate

    def check(self, name, leaves, expression):
        """What the whole is refused can be allowed for a part, not the other way round."""
        label = "adapters up to %d, %s" % (self.adapters, name)
        whole = self.digest(leaves.whole(expression))
        if len(whole) == 5:
            self.refused[name] += 1
            return self.run.ok(whole in ("22000", "22003", "0A000", "54000"), label, whole)
        self.computed[name] += 1
        return self.run.equal(self.digest(leaves.parted(expression)), whole, label)

    def check_rows(self, name, leaves, function):
        """What is told of each module."""
        label = "adapters up to %d, %s" % (self.adapters, name)

        def ask(operands):
            return "SELECT r::text FROM %s r" % function(operands)
        parts = [ask(Operands("p", " AND k = %d" % k, leaves.having[k])) for k in leaves.parts]
        try:
            whole = self.connection.execute(ask(Operands("w", "", range(leaves.n)))).fetchall()
        except harness.psycopg.Error as e:
            self.refused[name] += 1
            return self.run.ok(e.sqlstate in ("22000", "22003", "0A000", "54000"), label, e)
        self.computed[name] += 1
        try:
            got = self.connection.execute(" UNION ALL ".join(parts)).fetchall()
        except harness.psycopg.Error as e:
            return self.run.ok(False, label, e)
        return self.run.equal(sorted(got), sorted(whole), label)


def check_family(bench, rng, adapters):
    bench.adapters += len(adapters)
    leaves = Leaves(bench.connection, rng, adapters)
    operations = list(of_one(rng, leaves)) + list(merges(rng, leaves)) if leaves.complete else []
    if not leaves.twins:
        operations += list(sums(rng, leaves))
    for name, expression in operations:
        bench.check(name, leaves, expression)
    if not leaves.twins and leaves.complete:
        d, e = ([(i, rng.choice(WEIGHTS)) for i in rng.sample(range(leaves.n), rng.randint(1, leaves.n))] for _ in "de")
        bench.check_rows("geometry", leaves, lambda o: "adapter_module_geometry(%s, %s)" % tuple(
            o.total("%s * delta(%s)", x) for x in (d, e)))
        bench.check_rows("spectrum", leaves, lambda o: "adapter_spectrum(%s)" % o.total("%s * delta(%s)", d))


def shared(rng, adapters):
    """The same adapters with the first one's factors A, where they fit: what is shared at the start of a training."""
    first, out = adapters[0], adapters[:1]
    for a in adapters[1:]:
        named = dict(a.tensors)
        for name, t in a.tensors.items():
            other = first.tensors.get(name)
            if a.places[name].role == A and other is not None and (other.dtype, other.shape) == (t.dtype, t.shape):
                named[name] = other
        out.append(described.describe(st.canonical(named), a.config))
    return out


def differences(rng, n):
    shapes = {name: tuple(rng.randint(1, 9) for _ in range(rng.randint(1, 2))) for name in test_difference.NAMES}
    dtype = rng.choice((None, "F32", "BF16", "F64"))
    names = rng.sample(test_difference.NAMES, rng.randint(2, len(shapes)))
    return [test_difference.difference(test_difference.tensors_of(rng, shapes, names, dtype)) for _ in range(n)]


def random_family(rng):
    kind = rng.choice((1, 1, 1, 1, 2, DIFFERENCE))
    n = rng.randint(2, 5)
    if kind == DIFFERENCE:
        return differences(rng, n)
    family = random_adapters.Family(rng, kind, free_ranks=kind == 1 and rng.random() < 0.3)
    while len(family.modules) < 2:
        path = rng.choice([p for p in random_adapters.PATHS if p not in family.modules])
        family.modules[path] = family.module(path)
        family.common[path] = rng.choice(random_adapters.ALPHAS)
    # what overflows is refused, and dense tensors are by half of the operations: less of both
    family.style = rng.choice(("plain", "plain", "ties", family.style))
    if rng.random() < 0.7:
        family.dense, family.bias = {}, "none"
    complete = rng.random() < 0.8
    adapters = [family.adapter(all_modules=complete) for _ in range(n)]
    return shared(rng, adapters) if kind == 1 and rng.random() < 0.3 else adapters


def body(run):
    with harness.scratch("splitting") as database, harness.connect(database) as connection:
        bench = Bench(run, connection)
        while bench.adapters < int(os.environ.get("PA_SPLIT", "60")):
            check_family(bench, run.random, random_family(run.random))
        for name in sorted(bench.computed | bench.refused):
            run.ok(bench.computed[name] > 0, name + " was computed at least once")
            print("%-20s %5d computed, %5d refused" % (name, bench.computed[name], bench.refused[name]))
        print("%d adapters, %d results computed" % (bench.adapters, sum(bench.computed.values())))


if __name__ == "__main__":
    harness.main("test_splitting", body)
