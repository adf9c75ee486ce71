"""The oracles against values worked out by hand; needs no server.

SPDX-License-Identifier: PostgreSQL
"""
import ctypes
import json
import math
import struct

import numpy as np

import algebra
import described
import harness
import random_adapters
import rounding
import safetensors_lite as st


def check_rounding(run):
    gen = np.random.default_rng(run.seed)
    x = gen.integers(0, 2**64, 20000, dtype=np.uint64).view(np.float64)
    near = []
    for dtype in ("F16", "BF16", "F32"):
        for c in (2.0**-24, 2.0**-133, 2.0**-149, 1.0, 65504.0, rounding.FORMATS[dtype][2]):
            for f in (0.5, 1.5, 2.5, 1 + 2.0**-8, 1 + 3 * 2.0**-8, 1 + 2.0**-9, 1 + 2.0**-12):
                near += [c * f, np.nextafter(c * f, 0), np.nextafter(c * f, np.inf)]
    x = np.concatenate([x[np.isfinite(x)], near, gen.standard_normal(4000),
                        gen.standard_normal(4000) * 2.0**-25,
                        gen.standard_normal(4000) * 2.0**-134])
    for dtype in ("F16", "BF16", "F32"):
        y = rounding.round_value(x, dtype)
        wrong = [(a, b) for a, b in zip(x.tolist(), y.tolist())
                 if abs(b) != rounding.round_fraction(a, dtype)
                 or math.copysign(1, a) != math.copysign(1, b)]
        run.ok(not wrong, "round_value to %s against rational arithmetic" % dtype, wrong[:3])
    with np.errstate(all="ignore"):
        run.ok((x.astype(np.float16).view("u2") == rounding.encode(x, "F16").view("u2")).all(),
               "numpy rounds double to half once")
        run.ok((x.astype(np.float32).view("u4") == rounding.encode(x, "F32").view("u4")).all(),
               "numpy rounds double to float once")
    every = np.arange(65536, dtype="<u2")
    for dtype in ("F16", "BF16"):
        raw = every.view("<f2") if dtype == "F16" else every
        v = rounding.widen(raw, dtype)
        finite = np.isfinite(v)
        back = rounding.encode(v, dtype).view("<u2")
        run.ok((back == every)[finite].all(), "every finite %s comes back" % dtype)


def lora(values, alpha, r=1, **config):
    named = {"base_model.model.m.lora_A.weight": st.of_array("F32", np.array(values[0], dtype="f4")),
             "base_model.model.m.lora_B.weight": st.of_array("F32", np.array(values[1], dtype="f4"))}
    text = json.dumps(dict(peft_type="LORA", r=r, lora_alpha=alpha, **config))
    return described.describe(st.canonical(named), text)


def tensor(a, suffix):
    (name,) = [n for n in a.tensors if n.endswith(suffix)]
    return a.tensors[name].array().tolist()


def check_algebra(run):
    a = lora(([[1, 2]], [[3], [-4]]), 1)
    b = lora(([[10, 20]], [[30], [40]]), 1)
    x, y = algebra.leaf(a), algebra.leaf(b)
    r = (0.5 * x + 0.5 * y).evaluate()
    run.equal(tensor(r, "A.weight"), [[5.5, 11]], "merge: A")
    run.equal(tensor(r, "B.weight"), [[16.5], [18]], "merge: B")
    r = (-x).evaluate()
    run.equal((tensor(r, "A.weight"), tensor(r, "B.weight")), ([[1, 2]], [[-3], [4]]), "negation")
    r = (x - x).evaluate()
    run.equal((tensor(r, "A.weight"), tensor(r, "B.weight")), ([[2, 4]], [[0], [0]]), "a - a")
    r = (x - 0.5 * x).evaluate()
    run.equal((tensor(r, "A.weight"), tensor(r, "B.weight")), ([[1.5, 3]], [[1.5], [-2]]), "a - a/2")
    r = algebra.lerp(x, y, -1.0).evaluate()
    run.equal((tensor(r, "A.weight"), tensor(r, "B.weight")), ([[-8, -16]], [[-24], [-48]]), "lerp")
    run.ok((0.0 * x + y).evaluate() is b, "one leaf with p = q = 1 is that leaf")
    run.ok((-(-x)).evaluate() is a, "-(-a) is a")
    n = (0.0 * x).evaluate()
    run.equal((tensor(n, "A.weight"), tensor(n, "B.weight"), n.modules["m"].scaling),
              ([[0, 0]], [[0], [0]], 1.0), "neutral value")
    c = lora(([[10, 20]], [[30], [40]]), 4)
    r = (x + algebra.leaf(c)).evaluate()
    run.equal((tensor(r, "A.weight"), r.modules["m"].scaling), ([[21, 42]], 1.0), "folded scalings")
    s = algebra.scale(c, -0.5)
    run.equal((tensor(s, "B.weight"), s.modules["m"].scaling), ([[-30], [-40]], 2.0), "scale")
    for w, code in ((math.inf, "22003"), (math.nan, "22003")):
        run.equal(refused(lambda: w * x), {code}, "weight %s" % w)
    run.equal(refused(lambda: x / 0.0), {"22012"}, "division by zero")
    other = lora(([[1, 2]], [[3], [-4]]), 1, base_model_name_or_path="b")
    run.equal(refused((x + algebra.leaf(other)).evaluate), {"22000"}, "other base")
    v = st.canonical({"m.ia3_l": st.of_array("F32", np.array([[2], [4]], dtype="f4"))})
    i = described.describe(v, json.dumps({"peft_type": "IA3"}))
    r = (0.5 * algebra.leaf(i)).evaluate()
    run.equal(tensor(r, "ia3_l"), [[1.5], [2.5]], "IA3: half of l - 1")
    run.equal(tensor(algebra.scale(i, 3.0), "ia3_l"), [[4], [10]], "IA3: scale")
    run.equal(algebra.delta(a, "m").tolist(), [[3, 6], [-4, -8]], "delta")


def refused(f):
    try:
        f()
    except algebra.Refusal as e:
        return e.codes
    return None


def check_described(run):
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "use_rslora": True,
              "rank_pattern": {"q": 2, r"^x\.q": 9}, "alpha_pattern": {"layers\\.1\\..*": 3}}
    for path, s in (("q", 8 / math.sqrt(2)), ("x.q", 8 / math.sqrt(2)), ("xq", 8 / 2.0),
                    ("a.layers.1.k", 3 / 2.0)):
        run.equal(described.scaling_of(config, path), s, "scaling of " + path)
    for name, want in (("base_model.model.a.b.lora_A.weight", ("a.b", described.A)),
                       ("base_model.a.lora_embedding_B", ("a", described.B)),
                       ("a.lora_B.bias", ("a", described.BIAS)),
                       ("base_model.model.h.base_layer.bias", ("h", described.DENSE)),
                       ("base_model.model.t.token_adapter.x", ("t", described.DENSE))):
        p, _ = described.place(1, name)
        run.equal((p.path, p.role), want, "place of " + name)
    a = lora(([[1, 2]], [[3], [-4]]), 1)
    b = lora(([[1, 2]], [[3], [-4]]), 2, r=1, task_type="X")
    run.ok(a.digest() != b.digest(), "digest covers the scaling")
    run.equal(described.optional("ab"), b"\1\2\0\0\0ab", "optstr")


def check_files(run):
    t = {"b": st.of_array("F32", np.ones(2)), "a": st.of_array("F64", np.ones(1)),
         "\u00e9\"": st.of_array("BF16", np.ones((1, 3)))}
    f = st.canonical(t)
    meta, back = st.read(f)
    run.equal((meta, back), ({"format": "pt"}, t), "file comes back")
    run.equal(list(back), ["a", "b", "\u00e9\""], "wide types first")
    run.equal(struct.unpack_from("<Q", f)[0] % 8, 0, "padded")
    try:
        import safetensors
        import safetensors.numpy
    except ImportError:
        run.skip("comparison with the safetensors library (not installed)")
        return
    u = {k: v for k, v in t.items() if v.dtype != "BF16"}
    theirs = safetensors.numpy.save({k: v.array() for k, v in u.items()}, {"format": "pt"})
    run.equal(st.canonical(u), theirs, "canonical file is the library's")
    every = {n + d: st.Tensor(d, (4,), bytes(st.BITS[d] // 2)) for d in st.ORDER for n in "ba"
             if st.BITS[d] >= 8}
    if not hasattr(safetensors, "TensorSpec"):
        run.skip("canonical order of every dtype (older library)")
        return
    keep = {k: ctypes.create_string_buffer(v.data, len(v.data)) for k, v in every.items()}
    spec = {k: safetensors.TensorSpec(
        dtype=LIBRARY_NAMES.get(v.dtype) or v.dtype.replace("I", "int"), shape=list(v.shape),
        data_ptr=ctypes.addressof(keep[k]), data_len=len(v.data)) for k, v in every.items()}
    run.equal(st.canonical(every), bytes(safetensors.serialize(spec, {"format": "pt"})),
              "canonical order of every dtype is the library's")


LIBRARY_NAMES = {"BOOL": "bool", "F8_E5M2": "float8_e5m2", "F8_E4M3": "float8_e4m3fn",
                 "F8_E8M0": "float8_e8m0fnu", "F8_E4M3FNUZ": "float8_e4m3fnuz",
                 "F8_E5M2FNUZ": "float8_e5m2fnuz", "F16": "float16", "BF16": "bfloat16",
                 "F32": "float32", "F64": "float64", "C64": "complex64", "U8": "uint8",
                 "U16": "uint16", "U32": "uint32", "U64": "uint64"}


def check_random(run):
    for n in range(200):
        family = random_adapters.Family(run.random)
        a = family.adapter()
        _, back = st.read(a.file)
        if back != a.tensors or len(a.digest()) != 32:
            run.ok(False, "random adapter %d" % n)
            return
        r = refused((algebra.leaf(a) * 2.0 + algebra.leaf(family.adapter())).evaluate)
        if r is not None and not r <= {"22000", "22003", "0A000"}:
            run.ok(False, "random sum %d" % n, r)
            return
    run.ok(True, "200 random adapters")


def body(run):
    check_rounding(run)
    check_algebra(run)
    check_described(run)
    check_files(run)
    check_random(run)


if __name__ == "__main__":
    harness.main("test_oracle", body)
