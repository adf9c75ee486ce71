"""Every operator on random small adapters against the oracle, bit for bit.

The database and the oracle (algebra.py: numpy float64) work out the same
expressions; the tensors, the canonical file, the digest and the recipe's terms
must be the same, and a refusal must have the expected SQLSTATE.  PA_ADAPTERS
sets the number of adapters (1000).

SPDX-License-Identifier: PostgreSQL
"""
import json
import math
import os

import numpy as np

import algebra
import described
import harness
import random_adapters
import rounding
import safetensors_lite as st
from algebra import Refusal

WEIGHTS = (0.0, -0.0, 1.0, -1.0, 0.5, 0.5, 2.0, 0.1, -0.4, 1 / 3, 0.7, 3.0, -7.25, 1e-3, 1e-30,
           1e5, 2.0**-24, 2.0**-1040, 0.25, 0.75)


def number(w):
    return "'%r'::float8" % w


class Node:
    """SQL text and a function that gives the oracle's Sum (or raises Refusal)."""

    def __init__(self, sql, value):
        self.sql, self.value = sql, value


def both(x, y, f):
    """f of two operands; if both are refused, either reason may come first."""
    codes, got = set(), []
    for node in (x, y):
        try:
            got.append(node.value())
        except Refusal as e:
            codes |= e.codes
    if codes:
        raise Refusal(*((c, "operand") for c in codes))
    return f(*got)


def computed(f):
    return algebra.leaf(f())


def leaf(i, adapter):
    return Node("t%d.a" % i, lambda: algebra.leaf(adapter))


def unary(op, x, w=None):
    if op == "-":
        return Node("(- %s)" % x.sql, lambda: -x.value())
    if op == "w*":
        return Node("(%s * %s)" % (number(w), x.sql), lambda: w * x.value())
    if op == "*w":
        return Node("(%s * %s)" % (x.sql, number(w)), lambda: x.value() * w)
    if op == "/":
        return Node("(%s / %s)" % (x.sql, number(w)), lambda: x.value() / w)
    if op == "scale":
        return Node("adapter_scale(%s, %s)" % (x.sql, number(w)),
                    lambda: computed(lambda: algebra.scale(x.value().evaluate(), w)))
    return Node("adapter_cast(%s, '%s')" % (x.sql, w),
                lambda: computed(lambda: algebra.cast(x.value().evaluate(), w)))


def binary(op, x, y, t=None):
    if op == "+":
        return Node("(%s + %s)" % (x.sql, y.sql), lambda: both(x, y, lambda a, b: a + b))
    if op == "-":
        return Node("(%s - %s)" % (x.sql, y.sql), lambda: both(x, y, lambda a, b: a - b))
    return Node("adapter_lerp(%s, %s, %s)" % (x.sql, y.sql, number(t)),
                lambda: both(x, y, lambda a, b: algebra.lerp(a, b, t)))


def weight(rng):
    return rng.choice(WEIGHTS) if rng.random() < 0.7 else rng.gauss(0, 2)


def expression(rng, leaves, depth):
    if depth == 0 or rng.random() < 0.15:
        return rng.choice(leaves)
    kind = rng.random()
    if kind < 0.35:
        return binary(rng.choice("+-"), expression(rng, leaves, depth - 1),
                      expression(rng, leaves, depth - 1))
    if kind < 0.5:
        return binary("lerp", expression(rng, leaves, depth - 1),
                      expression(rng, leaves, depth - 1), weight(rng))
    if kind < 0.9:
        op = rng.choice(("-", "w*", "*w", "/"))
        return unary(op, expression(rng, leaves, depth - 1), weight(rng))
    if kind < 0.96:
        return unary("scale", expression(rng, leaves, depth - 1), weight(rng))
    return unary("cast", expression(rng, leaves, depth - 1),
                 rng.choice(("F32", "bf16", "F16", "F64", "f32")))


def mixture(rng, leaves):
    """Weights that sum to 1, so that dense tensors take part."""
    w = [rng.choice((0.25, 0.5, 0.1, -0.5, 1.5)) for _ in leaves[1:]]
    node = unary("w*", leaves[0], 1.0 - math.fsum(w))
    for x, v in zip(leaves[1:], w):
        node = binary("+", node, unary("w*", x, v))
    return node


class Bench:
    """The table of adapters in the database and their twins here."""

    def __init__(self, run, connection):
        self.run, self.connection = run, connection
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, a adapter)")
        self.n = 0
        self.refused = self.computed = 0

    def store(self, adapter):
        row = self.connection.execute(
            "INSERT INTO t VALUES (%s, adapter_from_safetensors(%s, %s::json))"
            " RETURNING adapter_digest(a), adapter_to_safetensors(a), adapter_config(a)::text",
            (self.n, adapter.file, adapter.config)).fetchone()
        ok = row == (adapter.digest(), adapter.file, adapter.config)
        self.run.ok(ok, "import of adapter %d" % self.n, "" if ok else difference(row, adapter))
        self.n += 1
        return self.n - 1

    def query(self, ids, node, columns, fence=""):
        tables = ", ".join("t t%d" % i for i in ids)
        where = " AND ".join("t%d.id = %d" % (i, i) for i in ids)
        return "SELECT %s FROM (SELECT %s AS e FROM %s WHERE %s%s) s" % (
            columns, node.sql, tables, where, fence)

    def check(self, label, ids, node):
        """One expression: the same result or the same refusal."""
        try:
            wanted, codes = node.value(), None
            result = wanted.evaluate()
        except Refusal as e:
            codes = e.codes
        fence = self.run.random.choice(("", " OFFSET 0"))
        sql = self.query(ids, node, "adapter_digest(e), adapter_to_safetensors(e),"
                         " adapter_config(e)::text, adapter_recipe(e)", fence)
        if codes is not None:
            self.refused += 1
            got = harness.sqlstate_of(self.connection, sql)
            return self.run.ok(got in codes, label, "%s: got %s, wanted %s" % (
                sql, got, sorted(codes)))
        self.computed += 1
        try:
            row = self.connection.execute(sql).fetchone()
        except harness.psycopg.Error as e:
            return self.run.ok(False, label, "%s: %s %s" % (sql, e.sqlstate, e))
        problem = difference(row, result) or recipe_difference(row[3], wanted, result)
        return self.run.ok(not problem, label, "%s: %s" % (sql, problem))


def difference(row, wanted):
    """What differs between (digest, file, config) and the wanted adapter, or ''."""
    digest, file, config = row[:3]
    if wanted.file is not None and (file, config) != (wanted.file, wanted.config):
        return "not the imported file or configuration"
    _, tensors = st.read(file)
    if set(tensors) != set(wanted.tensors):
        return "tensors %s, wanted %s" % (sorted(tensors), sorted(wanted.tensors))
    for name, t in tensors.items():
        w = wanted.tensors[name]
        if t != w:
            return "tensor %s: %s" % (name, tensor_difference(t, w))
    if wanted.file is None and file != st.canonical(wanted.tensors):
        return "not the canonical file"
    if digest != wanted.digest():
        return "digest; configuration %s" % config
    if described.describe(file, config).digest() != digest:
        return "file and configuration do not give the digest: " + config
    return ""


def tensor_difference(got, wanted):
    if (got.dtype, got.shape) != (wanted.dtype, wanted.shape):
        return "%r, wanted %r" % (got, wanted)
    a, b = (rounding.widen(t.array(), t.dtype).ravel() for t in (got, wanted))
    bad = np.flatnonzero(a.view("u8") != b.view("u8"))
    return "%d of %d elements; [%d] got %r, wanted %r" % (
        len(bad), len(a), bad[0], a[bad[0]], b[bad[0]])


def recipe_difference(recipe, wanted, result):
    """The recipe's root must be the terms of the expression."""
    root = recipe["root"]
    if result.file is not None:
        return "" if root["op"] == "import" else "recipe of an import: %s" % root["op"]
    if len(wanted.terms) == 1 and wanted.terms[0][0] is result:
        return ""       # a computed leaf: its own recipe
    if root["op"] != "combine":
        return "" if result in [t[0] for t in wanted.terms] else "root is " + root["op"]
    got = [(t["of"], float.fromhex(t["u"]), float.fromhex(t["v"])) for t in root["terms"]]
    if any((t["u"], t["v"]) != (u.hex(), v.hex()) for t, (_, u, v) in zip(root["terms"], got)):
        return "weights are not written as float.hex() does: %s" % root["terms"]
    want = sorted((a.digest().hex(), u, v) for a, u, v in wanted.terms)
    if sorted(got) != want:
        return "terms %s, wanted %s" % (got, want)
    order = [(d, u, v) for d, u, v in got]
    return "" if order == sorted(order) else "terms are not in order"


def check_family(bench, rng, kind=None):
    family = random_adapters.Family(rng, kind)
    adapters = [family.adapter() for _ in range(4)]
    ids = [bench.store(a) for a in adapters]
    leaves = [leaf(i, a) for i, a in zip(ids, adapters)]
    x, y = leaves[0], leaves[1]
    bench.check("x + y", ids[:2], binary("+", x, y))
    bench.check("x - y", ids[:2], binary("-", x, y))
    bench.check("x - x", ids[:1], binary("-", x, x))
    bench.check("- x", ids[:1], unary("-", x))
    bench.check("w * x", ids[:1], unary("w*", x, weight(rng)))
    bench.check("x * w", ids[:1], unary("*w", x, weight(rng)))
    bench.check("x / w", ids[:1], unary("/", x, weight(rng)))
    bench.check("lerp", ids[:2], binary("lerp", x, y, weight(rng)))
    bench.check("scale", ids[:1], unary("scale", x, weight(rng)))
    bench.check("cast", ids[:1], unary("cast", x, rng.choice(("F32", "BF16", "F16", "F64"))))
    bench.check("mixture", ids, mixture(rng, leaves))
    for _ in range(4):
        bench.check("nested", ids, expression(rng, leaves, rng.randint(2, 5)))
    check_identities(bench, rng, ids, leaves, len({a.digest() for a in adapters}) == len(adapters))


def check_identities(bench, rng, ids, leaves, distinct):
    """Of design: bit for bit, for every kind; a refusal on both sides is equal too."""
    x, y, z = leaves[:3]
    w = 2.0 ** rng.randint(-20, 20)
    pairs = [("1 * a = a", unary("w*", x, 1.0), x),
             ("-(-a) = a", unary("-", unary("-", x)), x),
             ("a * w / w = a", unary("/", unary("*w", x, w), w), x),
             ("a * -w / -w = a", unary("/", unary("*w", x, -w), -w), x),
             ("a + b = b + a", binary("+", x, y), binary("+", y, x)),
             ("(a+b)+c = a+(b+c)", binary("+", binary("+", x, y), z), binary("+", x, binary("+", y, z))),
             ("a + 0*b = a", binary("+", x, unary("w*", y, 0.0)), x),
             ("lerp(a, b, 0) = a", binary("lerp", x, y, 0.0), x),
             ("lerp(a, b, 1) = b", binary("lerp", x, y, 1.0), y)]
    tables = ", ".join("t t%d" % i for i in ids[:3])
    where = " AND ".join("t%d.id = %d" % (i, i) for i in ids[:3])
    for label, a, b in pairs:
        state, rows = None, []
        for side in (a, b):
            try:
                rows.append(bench.connection.execute(
                    "SELECT adapter_digest(e), adapter_to_safetensors(e), adapter_recipe(e)::text,"
                    " adapter_config(e)::text FROM (SELECT %s AS e FROM %s WHERE %s) s"
                    % (side.sql, tables, where)).fetchone())
            except harness.psycopg.Error as e:
                rows.append(e.sqlstate)
        if not distinct and rows[0][0] == rows[1][0]:
            rows = rows[:1] * 2     # equal adapters from two files: either one is right
        bench.run.ok(rows[0] == rows[1], label, [harness.short(r, 120) for r in rows])


def plain(path="m", alpha=1, dtype="F32", a=((1.0, 2.0),), b=((3.0,), (4.0,)), extra=(), **config):
    """A one-module LoRA for the table of refusals."""
    named = {"base_model.model.%s.lora_A.weight" % path: st.of_array(dtype, rounding.encode(np.array(a), dtype)),
             "base_model.model.%s.lora_B.weight" % path: st.of_array(dtype, rounding.encode(np.array(b), dtype))}
    named.update(extra)
    members = {"peft_type": "LORA", "r": np.array(a).shape[0], "lora_alpha": alpha}
    members.update(config)
    return described.describe(st.canonical(named), json.dumps(members))


def vector(values=((2.0,),), **config):
    named = {"m.ia3_l": st.of_array("F32", np.array(values, dtype="f4"))}
    return described.describe(st.canonical(named), json.dumps(dict(peft_type="IA3", **config)))


def check_refusals(bench):
    """(label, adapters, expression, SQLSTATE or None): each named reason alone."""
    inf, nan = math.inf, math.nan
    x = plain()
    def experts(alpha=4, seed=1.0, **config):
        return plain("experts", alpha, "F32", a=[[seed + i + j for j in range(3)] for i in range(6)],
                     b=[[seed * i - j for j in range(6)] for i in range(2)], target_parameters=["experts.weight"],
                     target_modules=[], **dict({"r": 2}, **config))

    dense = {"base_model.model.head.weight": st.of_array("F32", np.ones((2, 2), dtype="f4"))}
    other = {"base_model.model.head.weight": st.of_array("F32", np.zeros((2, 2), dtype="f4"))}
    wide = {"base_model.model.head.weight": st.of_array("F32", np.ones((3, 2), dtype="f4"))}
    long = {"base_model.model.head.weight": st.of_array("F32", np.ones((1, 4), dtype="f4"))}
    ints = {"base_model.model.head.weight": st.Tensor("I32", (2, 2), np.ones((2, 2), dtype="f4").tobytes())}
    count = {"base_model.model.head.n": st.Tensor("I64", (), bytes(8))}
    more = {"base_model.model.head.n": st.Tensor("I64", (), bytes([1] * 8))}
    broken = {"base_model.model.head.w": st.of_array("F32", np.array([math.nan, math.inf], dtype="f4"))}
    magnitude = {"base_model.model.m.lora_magnitude_vector": st.of_array("F32", np.ones(2, dtype="f4"))}
    add = lambda l: binary("+", l[0], l[1])     # noqa: E731
    half = lambda l: unary("w*", l[0], 0.5)     # noqa: E731
    blend = lambda l: binary("lerp", l[0], l[1], 0.5)   # noqa: E731
    three = lambda l: binary("lerp", blend(l), l[2], 0.5)    # noqa: E731
    zero = lambda l: unary("w*", add(l), 0.0)   # noqa: E731
    table = [
        ("kinds", [x, vector()], add, "22000"),
        ("base models", [x, plain(base_model_name_or_path="b")], add, "22000"),
        ("base model null and empty", [x, plain(base_model_name_or_path="")], add, "22000"),
        ("base revisions", [x, plain(revision="v2")], add, "22000"),
        ("ranks", [x, plain(a=((1, 2), (3, 4)), b=((1, 2), (3, 4)))], add, "22000"),
        ("shapes of A", [x, plain(a=((1, 2, 3),))], add, "22000"),
        ("shapes of B", [x, plain(b=((1,), (2,), (3,)))], add, "22000"),
        ("fan_in_fan_out", [x, plain(fan_in_fan_out=True)], add, None),
        ("lora_bias", [x, plain(lora_bias=True)], add, None),
        ("scaling 0 against 1", [x, plain(alpha=0)], add, "22000"),
        ("scaling -1 against 1", [x, plain(alpha=-1)], add, "22000"),
        ("scaling 0 on both sides", [plain(alpha=0), plain(alpha=0, a=((9, 9),))], add, None),
        ("negative scaling on both sides", [plain(alpha=-2), plain(alpha=-2, a=((9, 9),))], add, None),
        ("dense missing", [x, plain(extra=dense, modules_to_save=["head"])], blend, None),
        ("dense missing, another one with it", [x, plain(extra=dense), plain(extra=other)], three, "22000"),
        ("dense missing, the same with it", [x, plain(extra=dense), plain(extra=dense, a=((5, 6),))], three, None),
        ("equal dense with weights 2", [plain(extra=dense), plain(extra=dense, a=((5, 6),))], add, None),
        ("dense with weights 2", [plain(extra=dense), plain(extra=other, a=((5, 6),))], add, "22000"),
        ("dense of other shapes", [plain(extra=dense), plain(extra=wide)], blend, "22000"),
        ("equal bytes of other shapes", [plain(extra=dense), plain(extra=long)], add, "22000"),
        ("equal bytes of other dtypes", [plain(extra=dense), plain(extra=ints)], blend, "0A000"),
        ("dense with weights 1", [plain(extra=dense), plain(extra=dense, a=((5, 6),))], blend, None),
        ("dense halved", [plain(extra=dense)], half, None),
        ("dense of no weight", [plain(extra=dense)], lambda l: unary("w*", l[0], 0.0), None),
        ("dense of no weights", [plain(extra=dense), plain(extra=other)], zero, "22000"),
        ("equal dense of no weights", [plain(extra=dense), plain(extra=dense, a=((5, 6),))], zero, None),
        ("equal dense integer", [plain(extra=count), plain(extra=count, a=((5, 6),))], blend, None),
        ("dense integer", [plain(extra=count), plain(extra=more, a=((5, 6),))], blend, "0A000"),
        ("equal dense NaN halved", [plain(extra=broken)], half, None),
        ("scale leaves dense alone", [plain(extra=dense)], lambda l: unary("scale", l[0], 2.0), None),
        ("scale leaves dense integers alone", [plain(extra=count)], lambda l: unary("scale", l[0], 2.0), None),
        ("scale leaves dense NaN alone", [plain(extra=broken)], lambda l: unary("scale", l[0], -2.0), None),
        ("experts", [experts(), experts(seed=2.5)], add, None), ("experts halved", [experts()], half, None),
        ("experts scaled", [experts()], lambda l: unary("scale", l[0], 0.3), None),
        ("experts with rsLoRA scaled", [experts(use_rslora=True)], lambda l: unary("scale", l[0], 3.0), None),
        ("experts of other scalings", [experts(), experts(alpha=3, seed=2.0)], add, "22000"),
        ("experts of no weight", [experts()], lambda l: unary("w*", l[0], 0.0), None),
        ("experts of other ranks", [experts(), experts(r=3, alpha=6, seed=2.0)], add, "22000"),
        ("experts and a linear module", [experts(), plain("experts", 2, a=[[1.0, 2, 3]] * 6, b=[[1.0] * 6] * 2)], add, "22000"),
        ("DoRA", [plain(use_dora=True, extra=magnitude)], half, "0A000"),
        ("DoRA scaled", [plain(use_dora=True, extra=magnitude)], lambda l: unary("scale", l[0], 2.0), "0A000"),
        ("DoRA cast", [plain(use_dora=True, extra=magnitude)], lambda l: unary("cast", l[0], "F16"), "0A000"),
        ("1 * DoRA", [plain(use_dora=True, extra=magnitude)], lambda l: unary("w*", l[0], 1.0), None),
        ("0 * DoRA drops out", [plain(use_dora=True, extra=magnitude), x],
         lambda l: binary("+", unary("w*", l[0], 0.0), half([l[1]])), None),
        ("0 * DoRA alone", [plain(use_dora=True, extra=magnitude)], lambda l: unary("w*", l[0], 0.0), "0A000"),
        ("PiSSA", [plain(init_lora_weights="pissa")], half, "0A000"),
        ("PiSSA with iterations", [plain(init_lora_weights="pissa_niter_4")], half, "0A000"),
        ("OLoRA", [plain(init_lora_weights="olora")], half, "0A000"),
        ("CorDA", [plain(init_lora_weights="corda")], half, "0A000"),
        ("LoftQ", [plain(init_lora_weights="loftq")], half, "0A000"),
        ("gaussian", [plain(init_lora_weights="gaussian")], half, None),
        ("aLoRA", [plain(alora_invocation_tokens=[1, 2])], half, "0A000"),
        ("layer replication", [plain(layer_replication=[[0, 2], [1, 2]])], half, "0A000"),
        ("trainable tokens", [plain(trainable_token_indices=[1])], half, "0A000"),
        ("QALoRA", [plain(use_qalora=True)], half, "0A000"),
        ("NaN in A", [plain(a=((nan, 1),))], half, "22003"),
        ("Inf in B", [plain(b=((inf,), (1,)))], half, "22003"),
        ("NaN with weight 0 on A", [plain(a=((nan, 1),)), x],
         lambda l: binary("+", binary("lerp", l[0], l[1], 2.0), unary("-", l[0])), "22003"),
        ("NaN in a dropped leaf", [plain(a=((nan, 1),)), x],
         lambda l: binary("+", unary("w*", l[0], 0.0), half([l[1]])), None),
        ("1 * NaN", [plain(a=((nan, 1),))], lambda l: unary("w*", l[0], 1.0), None),
        ("NaN scaled", [plain(a=((nan, 1),))], lambda l: unary("scale", l[0], 2.0), "22003"),
        ("NaN cast", [plain(a=((nan, 1),))], lambda l: unary("cast", l[0], "F64"), "22003"),
        ("NaN in IA3", [vector(((nan,),))], half, "22003"),
        ("overflow F16", [plain(dtype="F16", a=((60000.0, 1),))], lambda l: unary("w*", l[0], 2.0), "22003"),
        ("half of the spacing below overflow F16", [plain(dtype="F16", a=((32752.0, 1),))],
         lambda l: unary("w*", l[0], 2.0), None),
        ("overflow F32", [plain(a=((3e38, 1),))], lambda l: unary("w*", l[0], 2.0), "22003"),
        ("overflow BF16", [plain(dtype="BF16", a=((3e38, 1),))], lambda l: unary("w*", l[0], 2.0), "22003"),
        ("overflow F64", [plain(dtype="F64", a=((1e308, 1),))], lambda l: unary("w*", l[0], 2.0), "22003"),
        ("overflow of a cast", [plain(a=((1e5, 1),))], lambda l: unary("cast", l[0], "f16"), "22003"),
        ("65519.99 cast to F16", [plain(dtype="F64", a=((65519.99, 1),))], lambda l: unary("cast", l[0], "F16"), None),
        ("65520 cast to F16", [plain(dtype="F64", a=((65520.0, 1),))], lambda l: unary("cast", l[0], "F16"), "22003"),
        ("alpha overflows", [plain(alpha=1e308)], lambda l: unary("scale", l[0], 1e308), "22003"),
        ("weight NaN", [x], lambda l: unary("w*", l[0], nan), "22003"),
        ("weight infinite", [x], lambda l: unary("*w", l[0], inf), "22003"),
        ("divide by NaN", [x], lambda l: unary("/", l[0], nan), "22003"),
        ("divide by infinity", [x], lambda l: unary("/", l[0], inf), "22003"),
        ("divide by 0", [x], lambda l: unary("/", l[0], 0.0), "22012"),
        ("divide by -0", [x], lambda l: unary("/", l[0], -0.0), "22012"),
        ("quotient overflows", [x], lambda l: unary("/", unary("/", l[0], 1e-300), 1e-300), "22003"),
        ("product overflows", [x], lambda l: unary("w*", unary("w*", l[0], 1e300), 1e300), "22003"),
        ("lerp NaN", [x, plain(alpha=2)], lambda l: binary("lerp", l[0], l[1], nan), "22003"),
        ("lerp infinite", [x, plain(alpha=2)], lambda l: binary("lerp", l[0], l[1], -inf), "22003"),
        ("scale NaN", [x], lambda l: unary("scale", l[0], nan), "22003"),
        ("scale infinite", [x], lambda l: unary("scale", l[0], inf), "22003"),
        ("scale 0", [plain(alpha=3)], lambda l: unary("scale", l[0], 0.0), None),
        ("scale -0", [plain(alpha=3)], lambda l: unary("scale", l[0], -0.0), None),
        ("tasks differ", [plain(task_type="CAUSAL_LM"), plain(task_type="SEQ_CLS")], add, None),
        ("rsLoRA on both sides", [plain(use_rslora=True, alpha=3, a=((1, 2), (3, 4), (5, 6)), b=((1, 2, 3),)),
                                  plain(use_rslora=True, alpha=3, a=((1, 2), (3, 4), (5, 7)), b=((1, 2, 3),))], add, None),
        ("rsLoRA scaled", [plain(use_rslora=True, alpha=3, a=((1, 2), (3, 4), (5, 6)), b=((1, 2, 3),))],
         lambda l: unary("scale", l[0], 0.3), None),
        ("IA3 all weights 0", [vector(((2.0,), (7.0,)))], lambda l: unary("w*", l[0], 0.0), None),
        ("LoRA all weights 0", [plain(alpha=5)], lambda l: unary("w*", l[0], 0.0), None),
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


def check_arguments(bench):
    i = bench.store(plain())
    for label, sql, code in (
            ("cast to an unknown type", "adapter_cast(a, 'F33')", {"22023"}),
            ("cast to an integer type", "adapter_cast(a, 'I32')", {"0A000", "22023"}),
            ("cast to nothing", "adapter_cast(a, '')", {"22023"}),
            ("null weight", "'1'::float8 * NULL::adapter IS NULL", {None}),
            ("null adapter", "(a + NULL::adapter) IS NULL", {None})):
        bench.run.ok(harness.sqlstate_of(
            bench.connection, "SELECT %s FROM t WHERE id = %d" % (sql, i)) in code, label)


def check_spellings(bench, rng):
    """A materialised intermediate is rounded and is a node of the recipe."""
    family = random_adapters.Family(rng, 1)
    family.dense, family.bias, family.dtypes = {}, "none", ("F32",)
    family.style = "plain"
    adapters = [family.adapter(all_modules=True) for _ in range(3)]
    ids = [bench.store(a) for a in adapters]
    x, y, z = (leaf(i, a) for i, a in zip(ids, adapters))
    one = binary("+", binary("+", unary("w*", x, 0.3), unary("w*", y, 0.3)), unary("w*", z, 0.4))
    bench.check("one expression", ids, one)
    m = algebra.leaf((0.3 * x.value() + 0.3 * y.value()).evaluate())
    second = (m + 0.4 * z.value()).evaluate()
    row = bench.connection.execute(
        "WITH m AS MATERIALIZED (SELECT 0.3::float8 * t%d.a + 0.3::float8 * t%d.a AS v FROM t t%d, t t%d"
        " WHERE t%d.id = %d AND t%d.id = %d) SELECT adapter_digest(e), adapter_to_safetensors(e),"
        " adapter_config(e)::text FROM (SELECT m.v + 0.4::float8 * t%d.a AS e FROM m, t t%d WHERE t%d.id = %d) s"
        % (ids[0], ids[1], ids[0], ids[1], ids[0], ids[0], ids[1], ids[1], ids[2], ids[2], ids[2], ids[2])
    ).fetchone()
    problem = difference(row, second)
    bench.run.ok(not problem, "materialised intermediate is rounded", problem)
    bench.run.ok(second.digest() != one.value().evaluate().digest(), "two spellings, two digests")
    bench.connection.execute("CREATE TABLE m AS SELECT 0.3::float8 * x.a + 0.3::float8 * y.a AS v"
                             " FROM t x, t y WHERE x.id = %d AND y.id = %d" % (ids[0], ids[1]))
    stored = bench.connection.execute(
        "SELECT adapter_digest(v), adapter_digest(v + 0.4::float8 * t.a), adapter_recipe(v + 0.4::float8 * t.a)"
        " FROM m, t WHERE t.id = %d" % ids[2]).fetchone()
    bench.run.equal(stored[:2], (m.terms[0][0].digest(), second.digest()), "stored intermediate")
    node = stored[2]["nodes"].get(m.terms[0][0].digest().hex(), {})
    bench.run.equal(node.get("op"), "combine", "the intermediate is a node of the recipe")


def body(run):
    with harness.scratch("operators") as database, harness.connect(database) as connection:
        bench = Bench(run, connection)
        check_refusals(bench)
        check_arguments(bench)
        for _ in range(3):
            check_spellings(bench, run.random)
            connection.execute("DROP TABLE m")
        n = int(os.environ.get("PA_ADAPTERS", "1000"))
        families = 0
        while 4 * families < n:
            check_family(bench, run.random)
            families += 1
        print("%d adapters, %d expressions computed, %d refused" % (
            bench.n, bench.computed, bench.refused))


if __name__ == "__main__":
    harness.main("test_operators", body)
