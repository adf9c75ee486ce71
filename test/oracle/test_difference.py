"""Differences of whole weights against numpy, bit for bit.

Random sums of random differences, in parameter space and in delta space, must
have the tensors, the file, the digest and the recipe's terms of doc/algebra.md,
"Differences"; adapter_difference of two random files the rounded differences of
their elements; norms, inner products and sketches those of the entries as one
vector.  PA_DIFFERENCES sets the number of sums and of pairs of files (300).

SPDX-License-Identifier: PostgreSQL
"""
import json
import os

import numpy as np

import algebra
import described
import harness
import random_adapters
import rounding
import safetensors_lite as st
from test_merge import bins_and_signs, stream_key
from test_operators import WEIGHTS

NAMES = ("h.0.weight", "h.0.bias", "h.0.attn.weight", "h.1.weight", "embed.weight", "norm.weight",
         "norm.bias", "scale", "h.10.weight", "a.base_layer.weight", "h.0.weight_g")
STYLES = ("plain", "plain", "ties", "edges", "bits")
CONFIG = {"peft_type": "DIFFERENCE", "base_model_name_or_path": "some/base", "revision": None,
          "task_type": "CAUSAL_LM"}


def shapes_of(rng):
    shapes = {}
    for name in NAMES:
        shapes[name] = tuple(rng.choice((0, 1, 2, 3, 5, 8)) for _ in range(rng.randint(0, 3)))
    if rng.random() < 0.05:
        shapes["embed.weight"] = (33, 1001)     # more than one block
    return shapes


def tensors_of(rng, shapes, names, dtype=None):
    out = {}
    for name in names:
        t = random_adapters.weights(rng, dtype or rng.choice(described.ARITHMETIC), (st.elements(shapes[name]),),
                                    rng.choice(STYLES))
        out[name] = st.Tensor(t.dtype, shapes[name], t.data)
    return out


def widen(t):
    """The elements as one vector."""
    return rounding.widen(t.array().reshape(-1), t.dtype)


def encode(x, dtype, shape):
    """The tensor of these elements, rounded once; None if one overflows."""
    if not np.isfinite(rounding.round_value(x, dtype)).all():
        return None
    return st.Tensor(dtype, shape, st.of_array(dtype, rounding.encode(x, dtype)).data)


def difference(tensors, prefix="", **changes):
    text = json.dumps(dict(CONFIG, **changes))
    return described.describe(st.canonical({prefix + n: t for n, t in tensors.items()}), text)


def composed(tensors, task_type):
    """The adapter that a sum is, under the names that a composed file has."""
    return difference(tensors, task_type=task_type)


def in_order(parts):
    return sorted(parts, key=lambda x: (algebra.rank_of_tensor(x[0]), algebra.number_of(x[1])))


def weighted(parts):
    """sum q x of [(tensor, q)] in the order of terms; None if it overflows."""
    total, dtype = None, None
    with np.errstate(all="ignore"):
        for t, q in in_order(parts):
            x = q * widen(t)
            total = x if total is None else total + x
            dtype = t.dtype if dtype is None else algebra.wider(dtype, t.dtype)
    return encode(total, dtype, parts[0][0].shape)


def by_key(a):
    return {p.key: a.tensors[name] for name, p in a.places.items()}


def evaluate(terms):
    """("leaf", adapter), ("sum", adapter) or "22003" of [(adapter, v)]"""
    live = [(a, q) for a, _, q in algebra.totals([(a, abs(v), v) for a, v in terms]) if q != 0]
    if len(live) == 1 and live[0][1] == 1:
        return "leaf", live[0][0]
    if not live:
        first = min((a for a, _ in terms), key=lambda a: a.digest())
        zeros = {k: st.Tensor(t.dtype, t.shape, bytes(len(t.data))) for k, t in by_key(first).items()}
        return "sum", composed(zeros, first.task_type)
    out = {}
    for key in sorted(set(k for a, _ in live for k in by_key(a))):
        out[key] = weighted([(by_key(a)[key], q) for a, q in live if key in by_key(a)])
        if out[key] is None:
            return "22003"
    types = set(a.task_type for a, _ in live)
    return "sum", composed(out, types.pop() if len(types) == 1 else None)


class Bench:
    def __init__(self, run, connection):
        self.run, self.connection = run, connection
        self.computed = self.refused = 0
        connection.execute("CREATE TABLE d (i int PRIMARY KEY, a adapter)")

    def put(self, adapters):
        self.connection.execute("TRUNCATE d")
        for i, a in enumerate(adapters):
            self.connection.execute("INSERT INTO d SELECT %s, adapter_from_safetensors(%s, %s::json)",
                                    (i, a.file, a.config))

    def leaf(self, i):
        return "(SELECT a FROM d WHERE i = %d)" % i

    def ask(self, columns, expression):
        query = "SELECT %s FROM (SELECT %s AS a OFFSET 0) s" % (columns, expression)
        try:
            return self.connection.execute(query).fetchone()
        except harness.psycopg.Error as e:
            return e.sqlstate

    def check(self, label, expression, wanted, terms=None):
        got = self.ask("adapter_to_safetensors(a), adapter_digest(a)::text, adapter_recipe(a)", expression)
        if isinstance(wanted, str):
            self.refused += 1
            self.run.equal(got, wanted, label)
            return
        self.computed += 1
        form, a = wanted
        if not self.run.ok(not isinstance(got, str), label, got):
            return
        file, digest, recipe = got
        self.run.ok(file == (a.file if form == "leaf" else st.canonical(a.tensors)), label + ": file")
        self.run.equal(digest.removeprefix("\\x"), a.digest().hex(), label + ": digest")
        if terms is not None and form == "sum":
            said = sorted((t["of"], float.fromhex(t.get("v", t.get("w")))) for t in recipe["root"]["terms"])
            self.run.equal(said, sorted((x.digest().hex(), v) for x, v in terms), label + ": terms")


def random_terms(rng, n):
    """[(leaf, w)] with leaves that repeat; sometimes they cancel."""
    terms = [(rng.randrange(n), rng.choice(WEIGHTS)) for _ in range(rng.randint(1, 5))]
    if rng.random() < 0.2:
        terms += [(i, -w) for i, w in terms[rng.randrange(len(terms)):]]
    return terms


def check_sum(bench, rng, k):
    shapes = shapes_of(rng)
    dtype = rng.choice((None, "F32", "BF16"))
    adapters = [difference(tensors_of(rng, shapes, rng.sample(NAMES, rng.randint(1, len(NAMES))), dtype),
                           rng.choice(("", "", "base_model.model.")), task_type=rng.choice((None, "CAUSAL_LM", "CAUSAL_LM")))
                for _ in range(rng.randint(1, 4))]
    bench.put(adapters)
    terms = random_terms(rng, len(adapters))
    valued = [(adapters[i], w) for i, w in terms]
    wanted = evaluate(valued)
    sql = ["'%r'::float8 * %s", "'%r'::float8 * delta(%s)"]
    plain, delta = (" + ".join(s % (w, bench.leaf(i)) for i, w in terms) for s in sql)
    bench.check("sum %d" % k, plain, wanted, valued)
    bench.check("sum %d of deltas" % k, "adapter(%s)" % delta, wanted, valued)
    if not isinstance(wanted, str):
        check_geometry(bench, k, delta, valued)
    s = rng.choice(WEIGHTS)
    scaled = {key: weighted([(t, s)]) if s != 0 else st.Tensor(t.dtype, t.shape, bytes(len(t.data)))
              for key, t in by_key(adapters[0]).items()}
    bench.check("scale %d" % k, "adapter_scale(%s, '%r')" % (bench.leaf(0), s),
                "22003" if any(t is None for t in scaled.values()) else ("sum", composed(scaled, adapters[0].task_type)))


def entries(terms):
    """[(path, key, [(x, w) in the order of terms])] in the order in which sketches add."""
    live = [(a, q) for a, _, q in algebra.totals([(a, abs(v), v) for a, v in terms]) if q != 0]
    keys = set((p.path, p.key) for a, _ in live for p in a.places.values())
    return [(path, key, [(widen(t), q) for t, q in in_order([(by_key(a)[key], q) for a, q in live if key in by_key(a)])])
            for path, key in sorted(keys, key=lambda i: (i[0].encode(), i[1].encode()))]


def check_geometry(bench, k, expression, terms, dims=16, seed=7):
    sums = np.zeros(dims)
    vector = [np.zeros(0)]
    with np.errstate(all="ignore"):
        for _, key, parts in entries(terms):
            bins, signs = bins_and_signs(stream_key("sketch", seed, key, described.DIFFERENCE), len(parts[0][0]), dims)
            for x, w in parts:
                np.add.at(sums, bins, signs * (w * x))
            vector.append(sum(w * x for x, w in parts))
        wanted = sums.astype(np.float32)
    got = bench.ask("adapter_sketch(a, %d, %d)" % (dims, seed), expression)
    if np.isfinite(wanted).all():
        bench.run.ok(not isinstance(got, str) and (np.array(got[0], np.float32) == wanted).all(), "sketch %d" % k, got)
    else:
        bench.run.equal(got, "22003", "sketch %d" % k)
    flat = np.concatenate(vector)
    scale = np.abs(flat).max(initial=0)
    norm = scale * np.linalg.norm(flat / scale) if scale > 0 else 0.0
    if 1e-140 < norm < 1e140 or norm == 0:
        (got,) = bench.ask("adapter_norm(a)", expression)
        terms_norm = sum(np.linalg.norm(w * x) for _, _, parts in entries(terms) for x, w in parts)
        bench.run.ok(abs(got - norm) <= 1e-13 * terms_norm, "norm %d" % k, "%r, wanted %r" % (got, norm))


def check_files(bench, rng, k):
    shapes = shapes_of(rng)
    names = rng.sample(NAMES, rng.randint(1, len(NAMES)))
    pair = [tensors_of(rng, shapes, names, rng.choice((None, "F32", "BF16"))) for _ in range(2)]
    kept = {}
    for name in names:
        with np.errstate(all="ignore"):
            x = widen(pair[0][name]) - widen(pair[1][name])
        kept[name] = encode(x, pair[0][name].dtype, pair[0][name].shape)
    if rng.random() < 0.5:
        for side in pair:
            side["position_ids"] = st.of_array("I64", np.arange(5))
    files = [st.build(rng.sample(sorted(side.items()), len(side)), None) for side in pair]
    bench.connection.execute("DROP TABLE IF EXISTS f")
    bench.connection.execute("CREATE TABLE f AS SELECT %s::bytea AS tuned, %s::bytea AS base", files)
    expression = "(SELECT adapter_difference(tuned, base, '%s') FROM f)" % json.dumps(CONFIG)
    if any(t is None for t in kept.values()):
        bench.check("files %d" % k, expression, "22003")
        return
    a = difference(kept)
    bench.check("files %d" % k, expression, ("leaf", a))
    bench.connection.execute("TRUNCATE d")
    bench.connection.execute("INSERT INTO d SELECT 0, adapter_from_safetensors(%s, %s::json)", (a.file, json.dumps(CONFIG)))
    same = bench.ask("adapter_envelope_digest(a) = adapter_envelope_digest(%s)" % bench.leaf(0), expression)
    bench.run.equal(same, (True,), "files %d: as imported" % k)


def body(run):
    with harness.scratch("difference") as database, harness.connect(database) as connection:
        bench = Bench(run, connection)
        for k in range(int(os.environ.get("PA_DIFFERENCES", "300"))):
            check_sum(bench, run.random, k)
            check_files(bench, run.random, k)
        print("%d computed, %d refused" % (bench.computed, bench.refused))


if __name__ == "__main__":
    harness.main("test_difference", body)
