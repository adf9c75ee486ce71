"""Looking in, selecting, splitting and the readable form, on random adapters.

SPDX-License-Identifier: PostgreSQL
"""
import hashlib
import json
import math
import os
import re

import numpy as np

import algebra
import described
import harness
import random_adapters
import rounding
import safetensors_lite as st


PATTERNS = (".*", ".*q_proj", r"model\.layers\.\d+\..*", "q", ".*q", "head.*", r"(?!model).*", ".*(proj|attn).*",
            r"[a-z_]+", r"net\.0(\.sub)?", r".*\.(x)", r".*\(x\)", "mod\u00e8le.*", "nothing", "(?i)MODEL\\.LAYERS.*")


def values(t):
    return rounding.widen(t.array(), t.dtype)


def norm(t):
    total = 0.0
    for x in values(t).ravel().tolist():
        total += x * x
    return math.sqrt(total)


def nested(array):
    """A SQL array as numpy (psycopg gives nested lists)."""
    return np.array(array, dtype=np.float64)


def check_modules(run, connection, n, a):
    rows = connection.execute("SELECT m.* FROM t, adapter_modules(a) m WHERE id = %s", (n,)).fetchall()
    run.equal([r[2] for r in rows], sorted(a.tensors, key=str.encode), "modules: tensors in order of name")
    for path, role, name, dtype, shape, scaling, raw, stored, length, digest in rows:
        t, p = a.tensors[name], a.places[name]
        target = a.kind == 1 and p.path in a.modules
        want = (p.path, described.ROLE_NAMES[p.role], t.dtype, list(t.shape),
                a.modules[p.path].scaling if target else None, len(t.data),
                norm(t), hashlib.sha256(t.data).digest())
        run.equal((path, role, dtype, shape, scaling, raw, length, digest), want, "modules: " + name)
        run.ok(0 < stored <= len(t.data) + 8 * (1 + len(t.data) // 32768) + 64, "modules: stored bytes", stored)


def check_tensors(run, connection, n, a):
    for name, t in a.tensors.items():
        got = connection.execute("SELECT adapter_tensor(a, %s) FROM t WHERE id = %s", (name, n)).fetchone()[0]
        got = nested(got)
        ok = got.shape == t.shape and (got.view("u8") == values(t).view("u8")).all()
        run.ok(ok, "tensor " + name, harness.short(got))
    run.equal(harness.sqlstate_of(connection, "SELECT adapter_tensor(a, 'none') FROM t WHERE id = %s", (n,)),
              "42704", "tensor that is not there")


def check_deltas(run, connection, n, a):
    for path in a.modules:
        factors = [a.placed().get((path, role, None)) for role in (described.A, described.B)]
        if a.kind == 1 and factors[0][1].shape[0] != factors[1][1].shape[1]:
            run.equal(harness.sqlstate_of(connection, "SELECT adapter_module_delta(a, %s) FROM t WHERE id = %s", (path, n)),
                      "0A000", "delta of a grouped convolution")
            continue
        want = algebra.delta(a, path)
        try:
            got = nested(connection.execute("SELECT adapter_module_delta(a, %s) FROM t WHERE id = %s",
                                            (path, n)).fetchone()[0])
        except harness.psycopg.Error as e:
            run.ok(False, "delta of " + path, "%s %s" % (e.sqlstate, e))
            continue
        same = got.shape == want.shape and ((got == want) | (np.isnan(got) & np.isnan(want))).all()
        run.ok(same, "delta of " + path, "got %s, wanted %s" % (harness.short(got), harness.short(want)))
    run.equal(harness.sqlstate_of(connection, "SELECT adapter_module_delta(a, 'none') FROM t WHERE id = %s", (n,)),
              "42704", "delta of a module that is not there")


def check_scalars(run, connection, n, a):
    row = connection.execute("SELECT adapter_kind(a), adapter_base_model(a), adapter_rank(a), adapter_digest(a),"
                             " adapter_raw_size(a), adapter_check(a), adapter_recipe(a) FROM t WHERE id = %s", (n,)).fetchone()
    rank = max(m.rank for m in a.modules.values()) if a.kind == 1 and a.modules else None
    recipe = {"version": 1, "root": {"op": "import", "sha256": hashlib.sha256(a.file).hexdigest()}, "nodes": {}}
    run.equal(row, ("lora" if a.kind == 1 else "ia3", a.base_model, rank, a.digest(),
                    sum(len(t.data) for t in a.tensors.values()), True, recipe), "scalars")
    for path, m in a.modules.items():
        got = connection.execute("SELECT adapter_rank(a, %s) FROM t WHERE id = %s", (path, n)).fetchone()[0]
        run.equal(got, m.rank if a.kind == 1 else None, "rank of " + path)
    run.equal(harness.sqlstate_of(connection, "SELECT adapter_rank(a, 'none') FROM t WHERE id = %s", (n,)),
              "42704", "rank of a module that is not there")


def all_paths(a):
    return sorted({p.path for p in a.places.values()}, key=str.encode)


def check_select(run, connection, n, a):
    pattern, invert = run.random.choice(PATTERNS), run.random.random() < 0.4
    keep = [p for p in all_paths(a) if bool(re.fullmatch(pattern, p)) != invert]
    label = "select %r%s" % (pattern, " inverted" if invert else "")
    query = ("SELECT adapter_digest(s), adapter_to_safetensors(s), adapter_config(s)::text, adapter_recipe(s)->'root'"
             " FROM (SELECT adapter_select(a, %s, %s) AS s FROM t WHERE id = %s OFFSET 0) q")
    if not keep:
        run.equal(harness.sqlstate_of(connection, query, (pattern, invert, n)), "22023", label + ": nothing left")
        return
    try:
        digest, file, config, root = connection.execute(query, (pattern, invert, n)).fetchone()
    except harness.psycopg.Error as e:
        run.ok(False, label, "%s %s" % (e.sqlstate, e))
        return
    want = algebra.select(a, keep)
    run.ok(st.read(file)[1] == st.read(st.canonical(want.tensors))[1], label + ": tensors", sorted(st.read(file)[1]))
    run.equal(digest.hex(), want.digest().hex(), label + ": digest; " + config)
    run.equal(described.describe(file, config).digest().hex(), digest.hex(), label + ": file and configuration agree")
    run.equal(root, {"op": "select", "of": a.digest().hex(), "pattern": pattern, "invert": invert}, label + ": recipe")


def groups(a, limit):
    """Modules in path order, as many as fit."""
    size = {p: 0 for p in all_paths(a)}
    for name, t in a.tensors.items():
        size[a.places[name].path] += len(t.data)
    if max(size.values()) > limit:
        return None
    out, filled = [[]], 0
    for p in all_paths(a):
        if filled + size[p] > limit:
            out.append([])
            filled = 0
        out[-1].append(p)
        filled += size[p]
    return out


def part(a, paths):
    """A part keeps the names of the whole, so that the union is the whole."""
    r = algebra.select(a, paths)
    r.tensors = {n: t for n, t in a.tensors.items() if a.places[n].path in paths}
    return r


def check_split(run, connection, n, a):
    total = sum(len(t.data) for t in a.tensors.values())
    limit = run.random.choice((1, total // 3 + 1, total // 2 + 1, total, 10 * total))
    want = groups(a, limit)
    query = ("SELECT adapter_digest(p), adapter_to_safetensors(p), adapter_raw_size(p), adapter_config(p)::text"
             " FROM t, adapter_split(a, %s) p WHERE id = %s")
    if want is None:
        run.equal(harness.sqlstate_of(connection, query, (limit, n)), "54000", "split below a module's size")
        return
    try:
        parts = connection.execute(query, (limit, n)).fetchall()
        # in another order, and with the aggregate
        union = connection.execute(
            "SELECT adapter_digest(adapter_union(p ORDER BY adapter_digest(p))), adapter_digest(adapter_union(p))"
            " FROM t, adapter_split(a, %s) p WHERE id = %s", (limit, n)).fetchone()
        imported = connection.execute("SELECT adapter_digest(p) FROM adapter_import_split(%b, %s::json, %s) p",
                                      (a.file, a.config, limit)).fetchall()
    except harness.psycopg.Error as e:
        run.ok(False, "split and union", "%s %s" % (e.sqlstate, e))
        return
    got = [sorted({described.place(a.kind, name)[0].path for name in st.read(f)[1]}, key=str.encode) for _, f, _, _ in parts]
    run.equal(got, want, "split at %d" % limit)
    run.ok(all(size <= limit for _, _, size, _ in parts), "parts are small enough")
    run.equal([d for (d,) in imported], [d for d, _, _, _ in parts], "import by parts gives the same parts")
    for (digest, file, _, config), paths in zip(parts, want):
        run.equal(digest.hex(), part(a, paths).digest().hex(), "digest of a part %s" % paths)
        run.equal(described.describe(file, config).digest().hex(), digest.hex(), "a part's file and configuration")
    run.equal([u.hex() for u in union], [a.digest().hex()] * 2, "union of the parts; names %s" % list(a.tensors)[:1])


def check_base(run, connection, n, a):
    base, revision = run.random.choice((("new/base", "v1"), (None, None), ("", None), ("\u00fc \"q\"", None)))
    digest, file, config = connection.execute(
        "SELECT adapter_digest(s), adapter_to_safetensors(s), adapter_config(s)::text FROM"
        " (SELECT adapter_set_base_model(a, %s, %s) AS s FROM t WHERE id = %s OFFSET 0) q", (base, revision, n)).fetchone()
    run.ok(file == a.file, "set_base_model: the file is unchanged")
    want = described.describe(a.file, a.config)
    want.base_model, want.base_revision = base, revision
    run.equal(digest.hex(), want.digest().hex(), "set_base_model: digest; " + config)
    run.equal(described.describe(file, config).digest().hex(), digest.hex(), "set_base_model: configuration")
    before, after = json.loads(a.config), json.loads(config)
    before.update(base_model_name_or_path=base, revision=revision)
    run.equal(after, before, "set_base_model: other members stay")


def flat(data):
    if isinstance(data, list):
        return [x for d in data for x in flat(d)]
    return [data]


def dims(data):
    return [len(data)] + dims(data[0]) if isinstance(data, list) and data else [0] if isinstance(data, list) else []


def check_json(run, connection, n, a):
    text, digest, file, config = connection.execute(
        "SELECT adapter_to_json(a)::text, adapter_digest(b), adapter_to_safetensors(b), adapter_config(b)::text"
        " FROM (SELECT a, adapter_from_json(adapter_to_json(a)) AS b FROM t WHERE id = %s) s", (n,)).fetchone()
    run.equal(digest.hex(), a.digest().hex(), "readable form: digest")
    run.ok(st.read(file)[1] == a.tensors, "readable form: tensors")
    form = json.loads(text)
    run.equal(form["config"], json.loads(a.config), "readable form: configuration")
    run.equal(sorted(form["tensors"]), sorted(a.tensors), "readable form: names")
    for name, t in a.tensors.items():
        entry = form["tensors"].get(name, {})
        run.equal((entry["dtype"], entry["shape"], dims(entry["data"])), (t.dtype, list(t.shape), list(t.shape)), "readable form: " + name)
        got = np.array([float(x) for x in flat(entry["data"])])
        run.ok((rounding.encode(got, t.dtype).tobytes()) == t.data, "readable form: numbers of " + name)


def check_from_json(run, connection):
    """Numbers that the dtype cannot hold are rounded once, to nearest even."""
    gen = np.random.default_rng(run.seed)
    for k in range(40):
        dtype = run.random.choice(("F32", "F16", "BF16", "F64"))
        x = gen.standard_normal(6) * 2.0 ** gen.integers(-20, 12)
        x[0] = run.random.choice((1 + 2.0**-11, 1 + 2.0**-8, 1 + 2.0**-24, 3 * 2.0**-25, 65519.0, -0.0, 2.0**-134 * 3, 2.0**-25))
        y = gen.standard_normal(3)
        nest = x.reshape(2, 3).tolist() if run.random.random() < 0.5 else x.tolist()
        form = {"config": {"peft_type": "LORA", "r": 2, "lora_alpha": 1}, "tensors": {
            "m.lora_A.weight": {"dtype": dtype, "shape": [2, 3], "data": nest},
            "m.lora_B.weight": {"dtype": "F64", "shape": [1, 2], "data": [y[:2].tolist()]}}}
        want = rounding.encode(x, dtype)
        state = harness.sqlstate_of(connection, "SELECT adapter_from_json(%s::json)", (json.dumps(form),))
        if not np.isfinite(rounding.widen(want, dtype)).all():
            run.equal(state, "22003", "readable form: overflow of " + dtype)
            continue
        if not run.equal(state, None, "readable form: import of %s %s" % (dtype, x)):
            continue
        file = connection.execute("SELECT adapter_to_safetensors(adapter_from_json(%s::json))", (json.dumps(form),)).fetchone()[0]
        run.ok(st.read(file)[1]["m.lora_A.weight"].data == want.tobytes(), "readable form: rounding to " + dtype, x)


def check_json_specials(run, connection):
    """NaN and infinities, integers, booleans; what is refused."""
    raw = np.array([0x7FC00000, 0x7F800000, 0xFF800000, 0x80000000], dtype="<u4").tobytes()
    t = {"m.lora_A.weight": st.Tensor("F32", (2, 2), raw), "m.lora_B.weight": st.of_array("F32", np.ones((1, 2))),
         "h.i": st.of_array("I64", np.array([-2**63, 2**63 - 1, 0])), "h.u": st.of_array("U64", np.array([2**63 - 1, 0], dtype="u8")),
         "h.b": st.Tensor("BOOL", (2,), b"\0\1"), "h.s": st.of_array("I8", np.array(-3))}
    config = '{"peft_type": "LORA", "r": 2, "lora_alpha": 1}'
    row = connection.execute(
        "SELECT adapter_digest(a) = adapter_digest(adapter_from_json(adapter_to_json(a))), adapter_to_json(a)::text,"
        " adapter_tensor(a, 'm.lora_A.weight') FROM (SELECT adapter_from_safetensors(%b, %s::json) AS a OFFSET 0) s",
        (st.canonical(t), config)).fetchone()
    run.ok(row[0], "readable form: specials come back")
    form = json.loads(row[1])["tensors"]
    run.equal(form["m.lora_A.weight"]["data"], [["NaN", "Infinity"], ["-Infinity", -0.0]], "readable form: NaN and infinities")
    run.equal((form["h.i"]["data"], form["h.u"]["data"], form["h.b"]["data"], form["h.s"]["data"]),
              ([-2**63, 2**63 - 1, 0], [2**63 - 1, 0], [False, True], -3), "readable form: integers and booleans")
    run.equal(str(row[2]), "[[nan, inf], [-inf, -0.0]]", "tensor: NaN and infinities")
    base = {"config": json.loads(config), "tensors": {
        "m.lora_A.weight": {"dtype": "F32", "shape": [2, 1], "data": [1, 2]}, "m.lora_B.weight": {"dtype": "F32", "shape": [1, 2], "data": [[1, 2]]}}}
    a = "m.lora_A.weight"
    for label, change, codes in (
            ("wrong number of elements", {"data": [1]}, {"22P02"}), ("wrong nesting", {"data": [[1, 2]]}, {"22P02"}),
            ("ragged", {"data": [[1], [2, 3]]}, {"22P02"}), ("a string", {"data": ["1", "2"]}, {"22P02"}), ("null", {"data": [None, 1]}, {"22P02"}),
            ("true", {"data": [True, 1]}, {"22P02"}), ("dtype unknown", {"dtype": "F33"}, {"22P02"}), ("dtype complex", {"dtype": "C64"}, {"0A000"}),
            ("dtype 8 bits", {"dtype": "F8_E4M3"}, {"0A000"}), ("shape negative", {"shape": [-2, -1]}, {"22P02"}), ("shape missing", {"shape": None}, {"22P02"}),
            ("shape huge", {"shape": [2**31, 1]}, {"54000", "22P02"}), ("100,001 elements", {"shape": [100001, 1], "data": [0] * 100001}, {"54000"}),
            ("number too large", {"dtype": "F16", "data": [1e6, 0]}, {"22003"}), ("integer out of range", {"dtype": "I8", "data": [128, 0]}, {"22003"}),
            ("integer with a fraction", {"dtype": "I32", "data": [1.5, 0]}, {"22P02", "22003"})):
        form = json.loads(json.dumps(base))
        form["tensors"][a].update(change)
        run.ok(harness.sqlstate_of(connection, "SELECT adapter_from_json(%s::json)", (json.dumps(form),)) in codes,
               "readable form refused: " + label, harness.sqlstate_of(connection, "SELECT adapter_from_json(%s::json)", (json.dumps(form),)))
    for label, text, codes in (
            ("no config", '{"tensors": {}}', {"22023"}), ("no tensors", '{"config": %s}' % config, {"22P02"}), ("array", "[]", {"22P02", "22032"}),
            ("key twice", json.dumps(base)[:-1] + ', "config": {}}', {"22030"}), ("unknown member", json.dumps(dict(base, x=1)), {"22P02"})):
        run.ok(harness.sqlstate_of(connection, "SELECT adapter_from_json(%s::json)", (text,)) in codes,
               "readable form refused: " + label, harness.sqlstate_of(connection, "SELECT adapter_from_json(%s::json)", (text,)))


def check_limits(run, connection):
    """A dense delta is much larger than its factors: refused before it is made."""
    n = 8000
    t = {"m.lora_A.weight": st.of_array("F32", np.ones((1, n))), "m.lora_B.weight": st.of_array("F32", np.ones((n, 1)))}
    connection.execute("INSERT INTO t VALUES (-1, adapter_from_safetensors(%b, '{\"peft_type\": \"LORA\", \"r\": 1, \"lora_alpha\": 1}'))",
                       (st.canonical(t),))
    run.equal(harness.sqlstate_of(connection, "SELECT adapter_module_delta(a, 'm') FROM t WHERE id = -1"), "54000", "delta of 64 million elements")
    run.equal(harness.sqlstate_of(connection, "SELECT adapter_split(a, 0) FROM t WHERE id = -1") in ("22023", "54000"), True, "split at 0 bytes")
    run.equal(harness.sqlstate_of(connection, "SELECT adapter_split(a, -5) FROM t WHERE id = -1") in ("22023", "54000"), True, "split at -5 bytes")
    run.equal(harness.sqlstate_of(connection, "SELECT adapter_select(a, '(') FROM t WHERE id = -1"), "2201B", "select with a bad expression")
    run.equal(harness.sqlstate_of(connection, "SELECT adapter_union(a) FROM (SELECT a FROM t WHERE id = -1 UNION ALL SELECT a FROM t WHERE id = -1) s"),
              "22000", "union of a with itself")
    run.equal(connection.execute("SELECT adapter_union(a) IS NULL FROM t WHERE id = -99").fetchone()[0], True, "union of nothing")
    connection.execute("DELETE FROM t WHERE id = -1")


def check_equality(run, connection):
    """=, <>, hash and order follow the digest."""
    rows = connection.execute("SELECT id, adapter_digest(a) FROM t").fetchall()
    distinct = len({d for _, d in rows})
    run.equal(connection.execute("SELECT count(*) FROM (SELECT DISTINCT a FROM t) s").fetchone()[0], distinct, "DISTINCT")
    run.equal(connection.execute("SELECT count(*) FROM (SELECT 1 FROM t GROUP BY a) s").fetchone()[0], distinct, "GROUP BY")
    order = [d for (d,) in connection.execute("SELECT adapter_digest(a) FROM t ORDER BY a").fetchall()]
    run.equal(order, sorted(d for _, d in rows), "ORDER BY")
    for join in ("hashjoin", "mergejoin", "nestloop"):
        with connection.transaction():
            for other in ("hashjoin", "mergejoin", "nestloop"):
                connection.execute("SET LOCAL enable_%s = %s" % (other, "on" if other == join else "off"))
            got = connection.execute("SELECT count(*) FROM t x JOIN t y ON x.a = y.a").fetchone()[0]
        counts = {}
        for _, d in rows:
            counts[d] = counts.get(d, 0) + 1
        run.equal(got, sum(c * c for c in counts.values()), join)


def body(run):
    with harness.scratch("inspect") as database, harness.connect(database) as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, a adapter)")
        for n in range(int(os.environ.get("PA_INSPECTED", "250"))):
            a = random_adapters.Family(run.random).adapter()
            connection.execute("INSERT INTO t VALUES (%s, adapter_from_safetensors(%b, %s::json))", (n, a.file, a.config))
            check_scalars(run, connection, n, a)
            check_modules(run, connection, n, a)
            check_tensors(run, connection, n, a)
            check_deltas(run, connection, n, a)
            check_select(run, connection, n, a)
            check_split(run, connection, n, a)
            check_base(run, connection, n, a)
            check_json(run, connection, n, a)
        check_from_json(run, connection)
        check_json_specials(run, connection)
        check_limits(run, connection)
        connection.execute("INSERT INTO t SELECT id + 100000, a FROM t WHERE id % 7 = 0")
        check_equality(run, connection)


if __name__ == "__main__":
    harness.main("test_inspect", body)
