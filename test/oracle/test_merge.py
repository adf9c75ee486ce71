"""The merge methods and the sketch against numpy, bit for bit.

Random adapters are merged by the database and here, by doc/algebra.md ("Merge
methods", "Random draws", "Sketch"); the tensors, the canonical file, the digest
and the recipe must be the same, and a refusal must have the expected SQLSTATE.
PA_MERGES sets the number of families (150).

SPDX-License-Identifier: PostgreSQL
"""
import hashlib
import math
import os
import struct

import numpy as np

import algebra
import described
import harness
import random_adapters
import test_operators
from algebra import MISMATCH, RANGE, UNSUPPORTED, Refusal
from described import A, B, BIAS, DENSE, PARAMETER, ROLE_NAMES, VECTOR

METHODS = ("magnitude_prune", "ties", "dare_linear", "dare_ties")
DENSITIES = (1.0, 0.5, 0.25, 0.9, 0.1, 1 / 3, 1e-3, 0.999)
WEIGHTS = (1.0, 0.5, -1.0, 2.0, 0.0, -0.0, 0.1, 4.0, -0.25)
MASK = (1 << 64) - 1


# --- random draws

def stream_key(purpose, seed, path, role, hashes=b""):
    text = b"".join((b"peftarith draw 1\0", purpose.encode(), b"\0", struct.pack("<q", seed),
                     path.encode(), b"\0", ROLE_NAMES[role].encode(), b"\0", hashes))
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "little")


def draws(key, n):
    """The first n draws of a stream, as uint64."""
    with np.errstate(over="ignore"):
        z = np.uint64(key) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9e3779b97f4a7c15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xbf58476d1ce4e5b9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94d049bb133111eb)
        return z ^ (z >> np.uint64(31))


def uniform(key, n):
    return (draws(key, n) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def bins_and_signs(key, n, dims):
    bits = draws(key, n)
    return (((bits >> np.uint64(32)) * np.uint64(dims)) >> np.uint64(32)).astype(np.int64), \
        np.where(bits & np.uint64(1), -1.0, 1.0)


# --- merge methods

def top(x, density):
    flat = x.ravel()
    k = flat.size if density == 1 else int(density * flat.size)
    kept = np.argsort(-np.abs(flat), kind="stable")[:k]
    out = np.zeros(flat.size)
    out[kept] = flat[kept]
    return out.reshape(x.shape)


def kept_mask(shape, density, seed, a, path, role):
    """The draws are those of the module as a has it."""
    n = math.prod(shape)
    hashes = b"".join(hashlib.sha256(t.data).digest() for t in algebra.own_tensors(a, path) if t is not None)
    return (uniform(stream_key("dare", seed, path, role, hashes), n) < density).reshape(shape)


def merged(pruned, weights, majority):
    """pruned entries and coefficients in order; majority None is the weighted sum."""
    if majority is None:
        acc = weights[0] * pruned[0]
        for c, x in zip(weights[1:], pruned[1:]):
            acc = acc + c * x
        return acc
    votes = np.zeros(pruned[0].shape)
    for x in pruned:
        votes = votes + (x if majority == "total" else np.sign(x))
    elected = np.where(votes >= 0, 1.0, -1.0)
    acc, count = np.zeros(votes.shape), np.zeros(votes.shape)
    for c, x in zip(weights, pruned):
        agrees = np.sign(x) == elected
        acc = np.where(agrees, acc + c * x, acc)
        count = count + agrees
    return acc / np.maximum(1.0, count)


def coefficient(w, s, role):
    both = w * s
    if role == A:
        return -math.sqrt(-both) if both < 0 else math.sqrt(both)
    return math.sqrt(abs(both)) if role == B else both


def merge(adapters, weights, method, density, seed, majority):
    """The described result, or Refusal with every SQLSTATE that applies."""
    reasons = []
    for a in adapters:
        if a.kind != 1:
            reasons.append((UNSUPPORTED, "kind"))
        if any(m.flags & PARAMETER for m in a.modules.values()):
            reasons.append((UNSUPPORTED, "experts"))
    for w in weights:
        if not math.isfinite(w):
            reasons.append((RANGE, "weight"))
    live = [(a, 0.0, 0.0 if w == 0 else w) for a, w in zip(adapters, weights)]
    reasons += algebra.plan_reasons(live, mixtures=False)
    algebra.refuse(reasons)
    r = algebra.facts_like(adapters[0])
    r.rslora = False
    r.fan_in_fan_out = all(a.fan_in_fan_out for a in adapters)
    r.lora_bias = any(a.lora_bias for a in adapters)
    r.saved_modules = sorted({s for a in adapters for s in a.saved_modules}, key=str.encode)
    if len({a.task_type for a in adapters}) > 1:
        r.task_type = None
    if len({a.bias for a in adapters}) > 1:
        r.bias = "none"
    for a in adapters:
        for path, m in a.modules.items():
            r.modules.setdefault(path, m.copy())
    for m in r.modules.values():
        m.scaling, m.r = 1.0, m.rank
    for (path, role, key), inputs in algebra.by_place(live).items():
        if role == DENSE:
            r.add(path, role, key, inputs[0][-1])
            continue
        pruned, coefficients, dtype = [], [], None
        for a, _, w, name, t in inputs:
            x = algebra.values_of(t, name)
            if method in ("magnitude_prune", "ties"):
                x = top(x, density)
            else:
                mask = kept_mask(t.shape, density, seed, a, path, role)
                with np.errstate(all="ignore"):
                    x = np.where(mask, x / density, 0.0)
            pruned.append(x)
            coefficients.append(coefficient(w, a.modules[path].scaling, role))
            dtype = t.dtype if dtype is None else algebra.wider(dtype, t.dtype)
        with np.errstate(all="ignore"):
            total = merged(pruned, coefficients, majority if "ties" in method else None)
        r.add(path, role, None, algebra.tensor(total, dtype, inputs[0][3]))
    algebra.add_zero_biases(r, live)
    return r


def array_of(ids, element="t.a"):
    return ("(SELECT array_agg(%s ORDER BY o) FROM unnest('{%s}'::int[]) WITH ORDINALITY u(i, o) JOIN t ON id = i)"
            % (element, ",".join(map(str, ids))))


def call(method, ids, weights, density, seed, majority, element="t.a"):
    arguments = [array_of(ids, element), "'{%s}'::float8[]" % ",".join(map(repr, weights)), "'%r'::float8" % density]
    if "dare" in method:
        arguments.append("'%d'::bigint" % seed)
    arguments.append("'peft'")
    if "ties" in method and majority != "total":
        arguments.append("'%s'" % majority)
    return "adapter_%s(%s)" % (method, ", ".join(arguments))


def recipe_problem(recipe, adapters, weights, method, density, seed, majority):
    root = recipe["root"]
    wanted = {"op": "merge", "method": method, "flavour": "peft", "density": density.hex(),
              "majority_sign": majority if "ties" in method else None,
              "seed": seed if "dare" in method else None}
    terms = sorted((a.digest().hex(), 0.0 if w == 0 else w) for a, w in zip(adapters, weights))
    got = [(t["of"], float.fromhex(t["w"])) for t in root.pop("terms")]
    if root != wanted:
        return "root %s, wanted %s" % (root, wanted)
    return "" if got == terms else "terms %s, wanted %s" % (got, terms)


def check_merge(bench, rng, adapters, ids):
    method = rng.choice(METHODS)
    density = rng.choice(DENSITIES) if rng.random() < 0.8 else 1 - rng.random()
    weights = [rng.choice(WEIGHTS) if rng.random() < 0.7 else rng.gauss(0, 2) for _ in ids]
    seed = rng.choice((0, 1, -1, 42, 2**63 - 1, -2**63, rng.getrandbits(40)))
    majority = rng.choice(("total", "frequency"))
    sql = call(method, ids, weights, density, seed, majority, rng.choice(("t.a", "delta(t.a)")))
    try:
        wanted = merge(adapters, weights, method, density, seed, majority)
    except Refusal as e:
        bench.refused += 1
        got = harness.sqlstate_of(bench.connection, "SELECT adapter_digest(%s)" % sql)
        return bench.run.ok(got in e.codes, method, "%s: got %s, wanted %s" % (sql, got, sorted(e.codes)))
    bench.computed += 1
    try:
        row = bench.connection.execute(
            "SELECT adapter_digest(e), adapter_to_safetensors(e), adapter_config(e)::text, adapter_recipe(e)"
            " FROM (SELECT %s AS e OFFSET 0) s" % sql).fetchone()
    except harness.psycopg.Error as e:
        return bench.run.ok(False, method, "%s: %s %s" % (sql, e.sqlstate, e))
    problem = test_operators.difference(row, wanted) or recipe_problem(
        row[3], adapters, weights, method, density, seed, majority)
    return bench.run.ok(not problem, method, "%s: %s" % (sql, problem))


# --- sketch

def count_sketch(x, key, dims):
    h, s = bins_and_signs(key, x.size, dims)
    out = np.zeros(dims)
    np.add.at(out, h, s * x.ravel())
    return out


def convolved(p, q):
    acc = np.zeros(p.size)
    for u in np.flatnonzero(p):
        acc = acc + p[u] * np.roll(q, u)
    return acc


def add_module(sums, a, path, w, seed):
    dims, place = sums.size, a.placed()

    def values(role):
        entry = place.get((path, role, None))
        return None if entry is None else algebra.values_of(entry[1], entry[0])

    def add_vector(x, role, c):
        h, s = bins_and_signs(stream_key("sketch", seed, path, role), x.size, dims)
        np.add.at(sums, h, s * (c * x.ravel()))
    if a.kind == 2:
        return add_vector(values(VECTOR) - 1.0, VECTOR, w)
    c = w * a.modules[path].scaling
    fa, fb = values(A), values(B)
    fa, fb = fa.reshape(fa.shape[0], -1), fb.reshape(fb.shape[0], -1)
    for k in range(fa.shape[0]):
        p = count_sketch(fb[:, k], stream_key("sketch", seed, path, B), dims)
        q = count_sketch(fa[k], stream_key("sketch", seed, path, A), dims)
        sums += c * convolved(p, q)
    bias = values(BIAS)
    if bias is not None:
        add_vector(bias, BIAS, c)


def sketch(adapters, weights, dims, seed):
    """float32 array; the terms' weights add up exactly for each digest."""
    leaves = {}
    for a, w in zip(adapters, weights):
        leaves.setdefault(a.digest(), (a, []))[1].append(w)
    live = [(a, algebra.exact_sum(ws)) for a, ws in leaves.values()]
    live = [(a, w) for a, w in live if w != 0]
    sums = np.zeros(dims)
    reasons = []
    for a, _ in live:
        places = a.placed()
        reasons += algebra.unsupported(a, (A, B, BIAS, VECTOR))
        for path, m in a.modules.items():
            if a.kind == 1 and places[path, B, None][1].shape[1] != m.rank:
                reasons.append((UNSUPPORTED, "groups"))
    algebra.refuse(reasons)
    with np.errstate(all="ignore"):
        for path in sorted({p for a, _ in live for p in a.modules}, key=str.encode):
            having = [(a, w) for a, w in live if path in a.modules]
            for a, w in sorted(having, key=lambda x: algebra.rank_in_module(x[0], path, 0.0, x[1])):
                add_module(sums, a, path, w, seed)
        out = sums.astype(np.float32)
    if not np.isfinite(out).all():
        raise Refusal((RANGE, "sketch"))
    return out


def sketch_sql(ids, weights, dims, seed):
    terms = " + ".join("'%r'::float8 * delta((SELECT a FROM t WHERE id = %d))" % (w, i) for i, w in zip(ids, weights))
    if len(ids) == 1 and weights[0] == 1:
        terms = "(SELECT a FROM t WHERE id = %d)" % ids[0]
    return "SELECT adapter_sketch(%s, %d, '%d'::bigint)" % (terms, dims, seed)


def check_sketch(bench, rng, adapters, ids):
    n = rng.randint(1, len(ids))
    weights = [1.0] if n == 1 else [rng.choice(WEIGHTS) if rng.random() < 0.7 else rng.gauss(0, 2) for _ in range(n)]
    dims = rng.choice((1, 2, 3, 8, 64, 256, 1000, 4096))
    seed = rng.choice((0, -1, 42, -2**63, rng.getrandbits(40)))
    sql = sketch_sql(ids[:n], weights, dims, seed)
    try:
        wanted = sketch(adapters[:n], weights, dims, seed)
    except Refusal as e:
        bench.refused += 1
        got = harness.sqlstate_of(bench.connection, sql)
        return bench.run.ok(got in e.codes, "sketch", "%s: got %s, wanted %s" % (sql, got, sorted(e.codes)))
    bench.computed += 1
    try:
        got = np.array(bench.connection.execute(sql).fetchone()[0], dtype=np.float32)
    except harness.psycopg.Error as e:
        return bench.run.ok(False, "sketch", "%s: %s %s" % (sql, e.sqlstate, e))
    bad = np.flatnonzero(got != wanted)
    return bench.run.ok(not bad.size, "sketch", "%s: %d of %d differ; first %s" % (
        sql, bad.size, dims, bad.size and (got[bad[0]], wanted[bad[0]])))


def check_estimates(run):
    """The oracle's own sketch estimates inner products as the bound says (no server)."""
    rng = np.random.default_rng(run.seed)
    x, y = rng.standard_normal((2, 6, 5))
    dims, n = 32, 400
    estimates = []
    for seed in range(n):
        both = []
        for m in (x, y):
            u, s, v = np.linalg.svd(m, full_matrices=False)
            total = np.zeros(dims)
            for k in range(len(s)):
                total += convolved(count_sketch(u[:, k] * s[k], stream_key("sketch", seed, "m", B), dims),
                                   count_sketch(v[k], stream_key("sketch", seed, "m", A), dims))
            both.append(total)
        estimates.append(both[0] @ both[1])
    norms = (x**2).sum() * (y**2).sum()
    error = abs(np.mean(estimates) - (x * y).sum())
    run.ok(error < 6 * math.sqrt(norms / dims / n), "estimates have no bias", error)
    variance = np.mean((np.array(estimates) - (x * y).sum())**2)
    run.ok(variance < 11 * norms / dims, "variance keeps the bound", variance / (norms / dims))


def check_family(bench, rng):
    family = random_adapters.Family(rng, rng.choice((1, 1, 1, 1, 1, 1, 2)))
    if rng.random() < 0.9:
        family.dense, family.bias = {}, "none"
    adapters = [family.adapter() for _ in range(rng.randint(1, 5))]
    ids = [bench.store(a) for a in adapters]
    if rng.random() < 0.2:
        adapters.append(adapters[0])
        ids.append(ids[0])
    for _ in range(6):
        check_merge(bench, rng, adapters, ids)
    for _ in range(3):
        check_sketch(bench, rng, adapters, ids)


def check_large(bench, rng):
    """More than a block of elements, and thresholds with many equals."""
    family = random_adapters.Family(rng, 1)
    family.dense, family.bias, family.lora_bias = {}, "none", False
    family.modules = {"q": {"r": 16, "a": (16, 5000), "b": (3000, 16), "embedding": False}}
    family.common = {"q": 32}
    for dtypes, style in ((("F32",), "plain"), (("BF16",), "plain"), (("F16", "F32"), "ties"), (("F64",), "edges")):
        family.dtypes, family.style = dtypes, style
        adapters = [family.adapter() for _ in range(3)]
        ids = [bench.store(a) for a in adapters]
        for _ in range(4):
            check_merge(bench, rng, adapters, ids)
        check_sketch(bench, rng, adapters, ids)


def body(run):
    run.equal([int(x) for x in draws(1234567, 3)], [6457827717110365317, 3203168211198807973, 9817491932198370423],
              "SplitMix64's published numbers")
    check_estimates(run)
    with harness.scratch("merge") as database, harness.connect(database) as connection:
        bench = test_operators.Bench(run, connection)
        for _ in range(int(os.environ.get("PA_MERGES", "150"))):
            check_family(bench, run.random)
        check_large(bench, run.random)
        print("%d adapters, %d results computed, %d refused" % (bench.n, bench.computed, bench.refused))


if __name__ == "__main__":
    harness.main("test_merge", body)
