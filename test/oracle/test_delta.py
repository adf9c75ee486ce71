"""Delta space on random small adapters against the oracle, bit for bit.

The database and the oracle (algebra.py: numpy float64) work out the same sums
of deltas of adapters of other ranks, scalings, dtypes and modules; the stacked
tensors, the canonical file, the digest and the recipe's terms must be the same,
a refusal must have the expected SQLSTATE, and the change that the result makes
must be the exact sum of the changes within one rounding of each term.  PA_PAIRS
sets the number of pairs (1000).

SPDX-License-Identifier: PostgreSQL
"""
import os

import numpy as np

import algebra
import described
import harness
import random_adapters
import rounding
import safetensors_lite as st
from algebra import Refusal
from test_aggregates import mean, outcome, total
from test_operators import Bench, Node, binary, difference, plain, unary, vector, weight

# one rounding of factor B, relative to the sum of the terms' sizes
TOLERANCE = {"F64": 1e-12, "F32": 1e-6, "F16": 2.0**-10, "BF16": 2.0**-7}


def leaf(i, adapter):
    return Node("delta(t%d.a)" % i, lambda: algebra.delta_leaf(adapter))


def cast(x):
    """Out of delta space, through parameter space and back: x is evaluated, so is its double."""
    def value():
        inside = algebra.leaf(x.value().evaluate())
        return algebra.delta_leaf((2.0 * inside).evaluate())
    return Node("delta(2::float8 * adapter(%s))" % x.sql, value)


def expression(rng, leaves, depth):
    if depth == 0 or rng.random() < 0.15:
        return rng.choice(leaves)
    kind = rng.random()
    if kind < 0.45:
        op, t = rng.choice("+-"), None
        if kind > 0.35:
            op, t = "lerp", weight(rng)
        return binary(op, expression(rng, leaves, depth - 1), expression(rng, leaves, depth - 1), t)
    if kind < 0.95:
        return unary(rng.choice(("-", "w*", "*w", "/")), expression(rng, leaves, depth - 1), weight(rng))
    return cast(expression(rng, leaves, depth - 1))


def recipe_difference(recipe, wanted, result):
    """The recipe's root must be the terms of the expression."""
    root = recipe["root"]
    if result.file is not None:
        return "" if root["op"] == "import" else "recipe of an import: %s" % root["op"]
    if result in [t[0] for t in wanted.terms]:
        return ""       # a computed leaf: its own recipe
    if root["op"] != "concatenate":
        return "root is " + root["op"]
    got = [(t["of"], float.fromhex(t["w"])) for t in root["terms"]]
    if any(sorted(t) != ["of", "w"] or t["w"] != w.hex() for t, (_, w) in zip(root["terms"], got)):
        return "weights are not written as float.hex() does: %s" % root["terms"]
    if sorted(got) != sorted((a.digest().hex(), w) for a, _, w in wanted.terms):
        return "terms %s" % got
    return "" if got == sorted(got) else "terms are not in order"


def size_and_floor(a, path):
    """(sum over k of abs(b_k) abs(a_k) times the scaling, the same of B's smallest step)"""
    placed = a.placed()
    (_, ta), (_, tb) = (placed[path, role, None] for role in (described.A, described.B))
    fa, fb = (abs(rounding.widen(t.array(), t.dtype)) for t in (ta, tb))
    fa = fa.reshape(fa.shape[0], -1)
    step = 2.0 ** rounding.FORMATS[tb.dtype][1]
    each = fb.reshape(fb.shape[0], -1).shape[1]
    bound, floor = 0.0, 0.0
    for g in range(fa.shape[0] // each):
        rows = fa[g * each:(g + 1) * each]
        bound = np.hypot(bound, np.linalg.norm(fb.reshape(fb.shape[0], -1) @ rows))
        floor = np.hypot(floor, fb.shape[0] * step * np.linalg.norm(rows))
    return abs(a.modules[path].scaling) * bound, floor


def products(a, path):
    """The change of one module in float64; a grouped convolution as the blocks of all groups."""
    if a.kind == 2:
        return algebra.delta(a, path)
    placed = a.placed()
    fa, fb = (rounding.widen(t.array(), t.dtype) for _, t in
              (placed[path, role, None] for role in (described.A, described.B)))
    fa, fb = fa.reshape(fa.shape[0], -1), fb.reshape(fb.shape[0], -1)
    each = fb.shape[1]
    return a.modules[path].scaling * np.stack([fb @ fa[k:k + each] for k in range(0, fa.shape[0], each)])


def change_difference(got, live):
    """'' if the result's change is the weighted sum of the leaves', module by module."""
    for path in got.modules:
        terms = [(a, w) for a, w in live if path in a.modules]
        with np.errstate(all="ignore"):
            wanted = sum(w * products(a, path) for a, w in terms)
            have = products(got, path)
            if got.kind == 2:
                dtype = got.placed()[path, described.VECTOR, None][1].dtype
                bound = np.linalg.norm(1 + sum(abs(w) * (2 + abs(products(a, path))) for a, w in terms))
            else:
                dtype = got.placed()[path, described.B, None][1].dtype
                sizes = [(abs(w) * s, f) for (s, f), (_, w) in zip((size_and_floor(a, path) for a, _ in terms), terms)]
                bound = sum(s for s, _ in sizes) + size_and_floor(got, path)[1] / TOLERANCE[dtype]
            error = np.linalg.norm(have - wanted)
        if np.isfinite(bound) and not error <= TOLERANCE[dtype] * bound:
            return "%s: error %.3g of %.3g" % (path, error, bound)
    return ""


class DeltaBench(Bench):
    """Bench for expressions of type adapter_delta."""

    def __init__(self, run, connection):
        super().__init__(run, connection)
        self.measured = 0

    def check(self, label, ids, node):
        try:
            wanted, codes = node.value(), None
            result = wanted.evaluate()
        except Refusal as e:
            codes = e.codes
        fence = self.run.random.choice(("", " OFFSET 0"))
        sql = self.query(ids, node, "adapter_digest(adapter(e)), adapter_to_safetensors(adapter(e)),"
                         " adapter_config(adapter(e))::text, adapter_recipe(adapter(e))", fence)
        if codes is not None:
            self.refused += 1
            got = harness.sqlstate_of(self.connection, sql)
            return self.run.ok(got in codes, label, "%s: got %s, wanted %s" % (sql, got, sorted(codes)))
        self.computed += 1
        try:
            row = self.connection.execute(sql).fetchone()
        except harness.psycopg.Error as e:
            return self.run.ok(False, label, "%s: %s %s" % (sql, e.sqlstate, e))
        problem = difference(row, result) or recipe_difference(row[3], wanted, result)
        live = [(a, w) for a, _, w in algebra.totals(wanted.terms) if w != 0]
        if not problem and live and not live[0][0].target_parameters:
            self.measured += 1
            problem = change_difference(described.describe(row[1], row[2]), live)
        return self.run.ok(not problem, label, "%s: %s" % (sql, problem))


def check_pair(bench, rng):
    family = random_adapters.Family(rng, free_ranks=True)
    adapters = [family.adapter(), family.adapter()]
    ids = [bench.store(a) for a in adapters]
    x, y = (leaf(i, a) for i, a in zip(ids, adapters))
    v = 0.5 if family.dense else weight(rng)
    w = 1.0 - v if family.dense else weight(rng)
    bench.check("v x + w y", ids, binary("+", unary("w*", x, v), unary("*w", y, w)))
    bench.check("lerp", ids, binary("lerp", x, y, rng.choice((0.25, 0.3, weight(rng)))))
    return family, adapters, ids, [x, y]


def check_family(bench, rng, family, adapters, ids, leaves):
    more = [family.adapter(), family.adapter()]
    adapters, ids = adapters + more, ids + [bench.store(a) for a in more]
    leaves = leaves + [leaf(i, a) for i, a in zip(ids[2:], more)]
    x, y = leaves[:2]
    bench.check("x - y", ids[:2], binary("-", x, y))
    bench.check("- x", ids[:1], unary("-", x))
    bench.check("x / w", ids[:1], unary("/", x, weight(rng)))
    bench.check("neutral", ids[:1], binary("-", x, x))
    for _ in range(4):
        bench.check("nested", ids, expression(rng, leaves, rng.randint(2, 5)))
    distinct = len({a.digest() for a in adapters}) == len(adapters)
    check_laws(bench, rng, ids, leaves, distinct)
    check_neutral(bench, ids[0], adapters[0])


def check_laws(bench, rng, ids, leaves, distinct):
    """Bit for bit, for every kind; a refusal on both sides is equal too."""
    x, y, z = leaves[:3]
    v, w, two = weight(rng), weight(rng), 2.0 ** rng.randint(-20, 20)
    plus, times = (lambda a, b: binary("+", a, b)), (lambda a, b: unary("w*", b, a))
    pairs = [("adapter(delta(a)) = a", Node("delta(adapter(%s))" % x.sql, None), x),
             ("1 * d = d", times(1.0, x), x), ("-(-d) = d", unary("-", unary("-", x)), x),
             ("d * w / w = d", unary("/", unary("*w", x, two), two), x),
             ("d - d = 0 * d", binary("-", x, x), times(0.0, x)),
             ("d + e = e + d", plus(x, y), plus(y, x)),
             ("(d + e) + f = d + (e + f)", plus(plus(x, y), z), plus(x, plus(y, z))),
             ("d + 0 * e = d", plus(x, times(0.0, y)), x), ("(d + e) - e = d", binary("-", plus(x, y), y), x),
             ("(v + w) d = v d + w d", times(v + w, x), plus(times(v, x), times(w, x))),
             ("w (d + e) = w d + w e", times(w, plus(x, y)), plus(times(w, x), times(w, y))),
             ("lerp(d, e, 1) = e", binary("lerp", x, y, 1.0), y)]
    tables = ", ".join("t t%d" % i for i in ids[:3])
    where = " AND ".join("t%d.id = %d" % (i, i) for i in ids[:3])
    for label, a, b in pairs:
        rows = []
        for side in (a, b):
            try:
                rows.append(bench.connection.execute(
                    "SELECT adapter_digest(adapter(e)), adapter_to_safetensors(adapter(e)),"
                    " adapter_config(adapter(e))::text FROM (SELECT %s AS e FROM %s WHERE %s) s"
                    % (side.sql, tables, where)).fetchone())
            except harness.psycopg.Error as e:
                rows.append(e.sqlstate)
        if not distinct and rows[0][0] == rows[1][0]:
            rows = rows[:1] * 2     # equal adapters from two files: either one is right
        bench.run.ok(rows[0] == rows[1], label, [harness.short(r, 120) for r in rows])


def check_neutral(bench, i, adapter):
    """The neutral value is an adapter like others: exported, it is imported again."""
    sql = ("SELECT adapter_digest(n) = adapter_digest(adapter_from_safetensors(adapter_to_safetensors(n), adapter_config(n)))"
           " FROM (SELECT adapter(0::float8 * delta(a)) AS n FROM t WHERE id = %d) s" % i)
    try:
        algebra.neutral([adapter])
    except Refusal as e:
        bench.run.ok(harness.sqlstate_of(bench.connection, sql) in e.codes, "neutral value is refused")
        return
    bench.run.ok(bench.connection.execute(sql).fetchone()[0], "neutral value, out and in")


def experts(r, alpha, seed, **config):
    """Two experts of rank r each: A (2 r, 3), B (2, 2 r)."""
    return plain("experts", alpha, a=[[seed + i + j for j in range(3)] for i in range(2 * r)],
                 b=[[seed * i - j for j in range(2 * r)] for i in range(2)],
                 target_parameters=["experts.weight"], target_modules=[], r=r, **config)


def of_rank(r, seed=1.0, rows=1, columns=1):
    gen = np.random.default_rng(int(1000 * seed))
    return plain(a=gen.integers(-9, 9, (r, columns)), b=gen.integers(-9, 9, (rows, r)))


def convolution(r, groups, seed):
    gen = np.random.default_rng(seed)
    named = {"c.lora_A.weight": st.of_array("F32", gen.standard_normal((r, 2, 3, 3)).astype("f4")),
             "c.lora_B.weight": st.of_array("F32", gen.standard_normal((4, r // groups, 1, 1)).astype("f4"))}
    return described.describe(st.canonical(named), '{"peft_type": "LORA", "r": %d, "lora_alpha": 3}' % r)


def check_table(bench):
    """(label, adapters, expression, SQLSTATE or None)"""
    add = lambda l: binary("+", l[0], l[1])     # noqa: E731
    take = lambda l: binary("-", unary("w*", l[0], 0.7), unary("w*", l[1], 0.3))    # noqa: E731
    half = lambda l: unary("w*", l[0], 0.5)     # noqa: E731
    x = plain()
    table = [
        ("kinds", [x, vector()], add, "22000"),
        ("base models", [x, plain(base_model_name_or_path="b")], add, "22000"),
        ("ranks", [x, plain(a=((1, 2), (3, 4)), b=((1, 2), (3, 4)))], add, None),
        ("shapes of A", [x, plain(a=((1, 2, 3),))], add, "22000"),
        ("shapes of B", [x, plain(b=((1,), (2,), (3,)))], add, "22000"),
        ("shapes beside ranks", [x, plain(a=((1,), (2,)), b=((1, 2), (3, 4)))], add, "22000"),
        ("fan_in_fan_out", [x, plain(fan_in_fan_out=True)], add, None),
        ("lora_bias", [x, plain(lora_bias=True)], add, None),
        ("scaling 0", [x, plain(alpha=0, a=((5, 6),))], take, None),
        ("negative scaling", [x, plain(alpha=-3)], take, None),
        ("rsLoRA and plain", [plain(use_rslora=True, alpha=3, a=((1, 2), (3, 4), (5, 6)), b=((1, 2, 3), (4, 5, 6))), x], take, None),
        ("tasks differ", [plain(task_type="CAUSAL_LM"), plain(task_type="SEQ_CLS")], add, None),
        ("experts", [experts(2, 4, 1.0), experts(2, 4, 2.5)], take, None),
        ("experts of other ranks and alphas", [experts(2, 4, 1.0), experts(3, 7, 2.5)], take, None),
        ("experts with rsLoRA", [experts(2, 4, 1.0), experts(4, 7, 2.5, use_rslora=True)], take, None),
        ("experts halved", [experts(3, 4, 1.0)], half, None),
        ("experts of no weight", [experts(3, 4, 1.0)], lambda l: unary("w*", l[0], 0.0), None),
        ("experts and a linear module", [experts(2, 4, 1.0), plain("experts", 2, a=[[1.0, 2, 3]] * 4, b=[[1.0] * 4] * 2)], add, "22000"),
        ("grouped convolutions", [convolution(4, 2, 1), convolution(6, 2, 2)], take, None),
        ("groups differ", [convolution(4, 2, 1), convolution(4, 4, 2)], add, "22000"),
        ("rank 1024", [of_rank(1000), of_rank(24, 2.0)], add, None),
        ("rank 1025", [of_rank(1000), of_rank(25, 2.0)], add, "54000"),
        ("one of rank 1025", [of_rank(1025)], half, None),
        ("rank 1025 and nothing", [of_rank(1025), of_rank(1, 2.0)],
         lambda l: binary("+", half(l), unary("w*", l[1], 0.0)), None),
        ("one of rank 40000", [of_rank(40000, 1.0, 3, 2)], half, None),
        ("rows across blocks", [of_rank(200, 1.0, 401, 307), of_rank(63, 2.0, 401, 307)], take, None),
        ("rows of one block", [of_rank(256, 1.0, 300, 128), of_rank(256, 2.0, 300, 128)], take, None),
        ("DoRA", [plain(use_dora=True, extra={"base_model.model.m.lora_magnitude_vector":
                                              st.of_array("F32", np.ones(2, dtype="f4"))})], half, "0A000"),
        ("PiSSA", [plain(init_lora_weights="pissa")], half, "0A000"),
        ("NaN in A", [plain(a=((np.nan, 1),))], half, "22003"),
        ("Inf in B", [plain(b=((np.inf,), (1,)))], half, "22003"),
        ("1 * NaN", [plain(a=((np.nan, 1),))], lambda l: unary("w*", l[0], 1.0), None),
        ("NaN in a dropped leaf", [plain(a=((np.nan, 1),)), x],
         lambda l: binary("+", unary("w*", l[0], 0.0), unary("w*", l[1], 0.5)), None),
        ("A does not overflow", [plain(dtype="F16", a=((60000.0, 1),))], lambda l: unary("w*", l[0], 2.0), None),
        ("overflow of B", [plain(dtype="F16", b=((60000.0,), (1,)))], lambda l: unary("w*", l[0], 2.0), "22003"),
        ("coefficient overflows", [plain(alpha=1e200)], lambda l: unary("w*", l[0], 1e200), "22003"),
        ("weight NaN", [x], lambda l: unary("w*", l[0], np.nan), "22003"),
        ("divide by 0", [x], lambda l: unary("/", l[0], 0.0), "22012"),
        ("product overflows", [x], lambda l: unary("w*", unary("w*", l[0], 1e300), 1e300), "22003"),
        ("lerp infinite", [x, plain(alpha=2)], lambda l: binary("lerp", l[0], l[1], np.inf), "22003"),
        ("IA3 all weights 0", [vector(((2.0,), (7.0,)))], lambda l: unary("w*", l[0], 0.0), None),
    ]
    for label, adapters, make, code in table:
        ids = [bench.store(a) for a in adapters]
        node = make([leaf(i, a) for i, a in zip(ids, adapters)])
        try:
            node.value().evaluate()
            expected = None
        except Refusal as e:
            expected = code if code in e.codes else "oracle says %s" % sorted(e.codes)
        bench.run.equal(expected, code, "table and oracle agree: " + label)
        bench.check(label, ids, node)


def check_set(run, connection, number_of_set):
    """sum, avg and adapter_combine in several orders of the rows."""
    rng = run.random
    family = random_adapters.Family(rng, free_ranks=True)
    adapters = [family.adapter() for _ in range(rng.randint(1, 4))]
    rows = []
    for place in range(rng.randint(1, 9)):
        adapter, w = rng.choice(adapters), rng.choice((0.0, 1.0, -1.0, 0.5, 1 / 3, 2.0**-1040, 1e5))
        rows.append((algebra.delta_leaf(adapter), w))
        connection.execute("INSERT INTO s SELECT %s, %s, delta(adapter_from_safetensors(%b, %s::json)), %s",
                           (number_of_set, place, adapter.file, adapter.config, w))
    connection.execute("INSERT INTO s VALUES (%s, 100, NULL, 1)", (number_of_set,))
    values = [row for row, _ in rows]
    average = algebra.DeltaSum(mean(values).terms)
    for call, wanted in (("sum(d%s)", total(values)), ("avg(d%s)", average),
                         ("adapter_combine(d, w%s)", total([r * w for r, w in rows]))):
        digest, codes = outcome(algebra.DeltaSum(wanted.terms))
        for order in ("", " ORDER BY i DESC", " ORDER BY md5(i::text)", " over"):
            text = call % ("" if order == " over" else order)
            if order == " over":
                text += " OVER (ORDER BY i ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"
            query = "SELECT adapter_digest(adapter(%s)) FROM s WHERE k = %d LIMIT 1" % (text, number_of_set)
            try:
                got = connection.execute(query).fetchone()[0]
            except harness.psycopg.Error as e:
                got = e.sqlstate
            run.ok(got == digest if codes is None else got in codes, text,
                   "got %r, wanted %r\n%s" % (got, digest or codes, query))


FORCE_WORKERS = """
    SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
    ALTER TABLE w SET (parallel_workers = 8);
    ALTER FUNCTION adapter_aggregate_combine(internal, internal) COST 1;
    ALTER FUNCTION adapter_aggregate_serialize(internal) COST 1;
    ALTER FUNCTION adapter_aggregate_deserialize(bytea, internal) COST 1;
    ALTER FUNCTION adapter_delta_sum_transition(internal, adapter_delta) COST 100000"""


def check_workers(run, connection):
    """The oracle's digest with 0 to 8 workers."""
    family = random_adapters.Family(run.random, 1, free_ranks=True)
    family.dense, family.bias, family.dtypes, family.style = {}, "none", ("F32", "BF16"), "plain"
    adapters = [family.adapter() for _ in range(40)]
    connection.execute("CREATE TABLE w (d adapter_delta)")
    for a in adapters:
        connection.execute("INSERT INTO w SELECT delta(adapter_from_safetensors(%b, %s::json))", (a.file, a.config))
    connection.execute(FORCE_WORKERS)
    connection.execute("ANALYZE w")
    digest, codes = outcome(algebra.DeltaSum(total([algebra.delta_leaf(a) for a in adapters]).terms))
    run.ok(codes is None, "forty adapters add up", codes)
    query = "SELECT adapter_digest(adapter(sum(d))) FROM w"
    for workers in (0, 1, 2, 4, 8):
        connection.execute("SET max_parallel_workers_per_gather = %d" % workers)
        plan = "\n".join(r[0] for r in connection.execute("EXPLAIN " + query))
        run.ok(("Partial Aggregate" in plan) == (workers > 0), "%d workers: the plan" % workers, plan)
        run.equal(connection.execute(query).fetchone()[0], digest, "%d workers" % workers)


def check_copy(run, connection):
    """Binary COPY, out and in."""
    connection.execute("CREATE TABLE c (LIKE t); ALTER TABLE c ADD d adapter_delta, DROP a")
    with connection.cursor() as cursor, connection.cursor() as other:
        with cursor.copy("COPY (SELECT id, delta(a) FROM t ORDER BY id LIMIT 200) TO STDOUT (FORMAT binary)") as out:
            data = b"".join(out)
        with other.copy("COPY c FROM STDIN (FORMAT binary)") as into:
            into.write(data)
    row = connection.execute("SELECT count(*), count(*) FILTER (WHERE adapter_envelope_digest(adapter(d)) ="
                             " adapter_envelope_digest(a)) FROM t JOIN c USING (id)").fetchone()
    run.ok(row[0] == row[1] > 50, "binary COPY of adapter_delta", row)


def body(run):
    with harness.scratch("delta") as database, harness.connect(database) as connection:
        bench = DeltaBench(run, connection)
        check_table(bench)
        for k in range(int(os.environ.get("PA_PAIRS", "1000"))):
            made = check_pair(bench, run.random)
            if k % 8 == 0:
                check_family(bench, run.random, *made)
        check_copy(run, connection)
        connection.execute("CREATE TABLE s (k int, i int, d adapter_delta, w float8)")
        for k in range(int(os.environ.get("PA_SETS", "100"))):
            check_set(run, connection, k)
        check_workers(run, connection)
        print("%d adapters, %d expressions computed, %d of them measured, %d refused" % (
            bench.n, bench.computed, bench.measured, bench.refused))


if __name__ == "__main__":
    harness.main("test_delta", body)
