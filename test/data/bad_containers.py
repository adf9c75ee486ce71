"""Files for diffusion models and MLX, good and bad, each with its verdict: groups for bad_files.py.

SPDX-License-Identifier: PostgreSQL
"""
import json
import struct

import safetensors_lite as st

FILE, CONFIG, UNSUPPORTED, LIMIT, JSON = {"22P03"}, {"22023"}, {"0A000"}, {"54000"}, {"22032"}
MLX = json.dumps({"model": "m", "fine_tune_type": "lora", "num_layers": 2,
                  "lora_parameters": {"rank": 2, "scale": 2.0, "dropout": 0.0, "keys": ["q"]}})


def f(dtype, *shape):
    n = st.elements(shape)
    return st.of_array(dtype, [0.5 + i for i in range(n)]) if dtype != "BF16" else st.Tensor(
        "BF16", shape, struct.pack("<%dH" % n, *[0x3f80] * n))


def shaped(dtype, *shape):
    t = f(dtype, *shape)
    return st.Tensor(t.dtype, shape, t.data)


def number(dtype, value, shape=()):
    if dtype == "BF16":
        return st.Tensor("BF16", shape, struct.pack("<f", value)[2:])
    return st.Tensor(dtype, shape, st.of_array(dtype, value).data)


def factors(path="lora_unet_m", a=".lora_down.weight", b=".lora_up.weight", r=2, n=3, m=4, dtype="F16"):
    return {path + a: shaped(dtype, r, n), path + b: shaped(dtype, m, r)}


def kohya(**more):
    return st.canonical(dict(factors(), **{"lora_unet_m." + k: v for k, v in more.items()}))


def with_metadata(tensors, metadata):
    file = st.canonical(tensors)
    n = struct.unpack_from("<Q", file)[0]
    header = json.loads(file[8:8 + n])
    header["__metadata__"] = metadata
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + file[8 + n:]


def alphas(case):
    for dtype in ("F64", "F32", "F16", "BF16", "I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64"):
        case("kohya: alpha %s" % dtype, kohya(alpha=number(dtype, 4)), None, None)
    for label, alpha, verdict in (
            ("of 0", number("F16", 0), None), ("of -0", number("F32", -0.0), None), ("negative", number("F16", -1), None),
            ("subnormal", number("F16", 2.0 ** -24), None), ("largest", number("F64", 1.7e308), None), ("of 1e-308", number("F64", 1e-308), None),
            ("NaN", number("F16", float("nan")), FILE), ("infinity", number("F32", float("inf")), FILE), ("-infinity", number("BF16", float("-inf")), FILE),
            ("bool", st.Tensor("BOOL", (), b"\1"), FILE), ("F8", st.Tensor("F8_E4M3", (), b"8"), FILE), ("C64", st.Tensor("C64", (), b"\0" * 8), FILE),
            ("of one dimension", number("F16", 4, (1,)), None), ("of eight dimensions", number("F16", 4, (1,) * 8), None),
            ("of two elements", f("F16", 2), FILE), ("of no element", st.Tensor("F16", (0,), b""), FILE)):
        case("kohya: alpha " + label, kohya(alpha=alpha), verdict, None)
    case("kohya: without alpha", kohya(), None, None)
    case("kohya: alpha alone", st.canonical({"lora_unet_m.alpha": number("F16", 4)}), CONFIG, None)
    case("kohya: alpha of another module", st.canonical(dict(factors(), **{"lora_unet_n.alpha": number("F16", 4)})), FILE, None)
    case("kohya: alpha twice, by a prefix", st.canonical(dict(factors(), **{
        "lora_unet_m.alpha": number("F16", 4), "base_model.model.lora_unet_m.alpha": number("F16", 4)})), FILE, None)


def factors_of(case):
    end = {"a": ".lora_down.weight", "b": ".lora_up.weight", "m": ".lora_mid.weight"}
    for label, shapes, verdict in (
            ("down alone", {"a": (2, 3)}, FILE), ("up alone", {"b": (4, 2)}, FILE), ("mid alone", {"m": (2, 2, 3, 3)}, CONFIG),
            ("ranks differ", {"a": (2, 3), "b": (4, 3)}, FILE), ("rank 0", {"a": (0, 3), "b": (4, 0)}, FILE),
            ("no dimension", {"a": (), "b": ()}, FILE), ("one dimension", {"a": (2,), "b": (2,)}, FILE),
            ("convolution", {"a": (2, 3, 3, 3), "b": (4, 2, 1, 1)}, None), ("1x1", {"a": (2, 3, 1, 1), "b": (4, 2, 1, 1)}, None),
            ("of one dimension", {"a": (2, 3, 5), "b": (4, 2, 1)}, None), ("kernel in up", {"a": (2, 3, 3, 3), "b": (4, 2, 3, 3)}, FILE),
            ("matrix and convolution", {"a": (2, 3, 1, 1), "b": (4, 2)}, FILE), ("six dimensions", {"a": (2, 3, 1, 1, 1, 1), "b": (4, 2, 1, 1, 1, 1)}, FILE),
            ("mid", {"a": (2, 3, 1, 1), "b": (4, 2, 1, 1), "m": (2, 2, 3, 3)}, None), ("mid between matrices", {"a": (2, 3), "b": (4, 2), "m": (2, 2, 3, 3)}, None),
            ("mid of two ranks", {"a": (3, 3, 1, 1), "b": (4, 2, 1, 1), "m": (2, 3, 3, 3)}, None), ("mid of other ranks", {"a": (2, 3, 1, 1), "b": (4, 2, 1, 1), "m": (3, 2, 3, 3)}, FILE),
            ("mid the other way", {"a": (3, 3, 1, 1), "b": (4, 2, 1, 1), "m": (3, 2, 3, 3)}, FILE), ("mid a matrix", {"a": (2, 3), "b": (4, 2), "m": (2, 2)}, FILE),
            ("mid with a kernel below", {"a": (2, 3, 3, 3), "b": (4, 2, 1, 1), "m": (2, 2, 3, 3)}, FILE), ("mid with a kernel above", {"a": (2, 3, 1, 1), "b": (4, 2, 3, 3), "m": (2, 2, 3, 3)}, FILE),
            ("mid of no kernel", {"a": (2, 3, 1, 1), "b": (4, 2, 1, 1), "m": (2, 2, 0, 3)}, FILE), ("mid of six dimensions", {"a": (2, 3), "b": (4, 2), "m": (2, 2, 1, 1, 1, 1)}, FILE)):
        case("kohya: " + label, st.canonical({"x" + end[k]: shaped("F16", *s) for k, s in shapes.items()}), verdict, None)
    for dtype in ("I8", "BOOL", "U8"):
        n = {"I8": "b", "BOOL": "?", "U8": "B"}[dtype]
        case("kohya: factors of " + dtype, st.canonical({"x.lora_down.weight": st.Tensor(dtype, (1, 2), struct.pack("2" + n, 1, 1)),
                                                         "x.lora_up.weight": st.Tensor(dtype, (2, 1), struct.pack("2" + n, 1, 1))}), None, None)


def names(case):
    for a, b in ((".lora_A.weight", ".lora_B.weight"), ("_lora.down.weight", "_lora.up.weight"), (".lora.down.weight", ".lora.up.weight"),
                 (".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"), (".lora_A", ".lora_B"), (".lora_A.default.weight", ".lora_B.default.weight")):
        case("diffusers: names in %s" % a, st.canonical(factors("unet.m", a, b)), None, None)
        case("diffusers: %s alone" % a, st.canonical({"unet.m" + a: shaped("F16", 2, 3)}), FILE, None)
    case("diffusers: below nothing", st.canonical(factors("m", ".lora_A.weight", ".lora_B.weight")), CONFIG, None)
    case("loralib: of a language model", st.canonical(factors("transformer.h.0.attn.c_attn", ".lora_A", ".lora_B")), CONFIG, None)
    case("loralib: with a configuration", st.canonical(factors("transformer.h.0.attn.c_attn", ".lora_A", ".lora_B")), None, json.dumps({"peft_type": "LORA", "r": 2, "lora_alpha": 8}))
    case("diffusers: below PEFT's prefix", st.canonical(factors("base_model.model.unet.m", ".lora_A.weight", ".lora_B.weight")), CONFIG, None)
    case("diffusers: one below nothing", st.canonical(dict(factors("unet.m", ".lora_A.weight", ".lora_B.weight"), **factors("m", ".lora_A.weight", ".lora_B.weight"))), CONFIG, None)
    case("diffusers: below nothing, with alpha", st.canonical(dict(factors("m", ".lora_A.weight", ".lora_B.weight"), **{"m.alpha": number("F16", 1)})), None, None)
    case("diffusers: two spellings of one module", st.canonical(dict(factors("unet.m"), **factors("unet.m", ".lora_A.weight", ".lora_B.weight"))), FILE, None)
    case("diffusers: A and B of two spellings", st.canonical({"unet.m.lora_A.weight": shaped("F16", 2, 3), "unet.m.lora_up.weight": shaped("F16", 4, 2)}), None, None)
    case("kohya: path empty", st.canonical({".lora_down.weight": shaped("F16", 2, 3), ".lora_up.weight": shaped("F16", 4, 2)}), CONFIG, None)
    case("kohya: a dense tensor", kohya(diff_b=f("F16", 4)), None, None)
    case("kohya: dora_scale", kohya(dora_scale=shaped("F16", 4, 1)), None, None)
    case("kohya: an embedding", st.canonical(dict(factors(), **{"bundle_emb.x.string_to_param.*": f("F16", 4)})), None, None)
    for name in ("hada_w1_a", "lokr_w1", "oft_blocks", "oft_diag", "boft_blocks.0", "glora_a.weight"):
        verdict = UNSUPPORTED if not name.endswith(".0") else CONFIG
        case("kohya: " + name, st.canonical({"lora_unet_m." + name: shaped("F16", 2, 3)}), verdict, None)
    case("kohya: LoRA and LoHa", kohya(hada_w1_a=shaped("F16", 2, 3)), UNSUPPORTED, None)
    for label, config, verdict in (
            ("agrees", {"r": 2, "lora_alpha": 4}, None), ("of another alpha", {"r": 2, "lora_alpha": 8}, CONFIG), ("of another rank", {"r": 4, "lora_alpha": 8}, CONFIG),
            ("selects nothing", {"r": 2, "lora_alpha": 4, "target_modules": ["to_q"]}, CONFIG), ("rsLoRA", {"r": 2, "lora_alpha": 4, "use_rslora": True}, CONFIG)):
        case("kohya: a configuration that " + label, kohya(alpha=number("F16", 4)), verdict, json.dumps(dict({"peft_type": "LORA"}, **config)))


def metadata(case):
    tensors = factors("unet.m", ".lora_A.weight", ".lora_B.weight")
    good = {"unet.r": 2, "unet.lora_alpha": 1, "unet.target_modules": ["m"]}
    for label, value, verdict in (
            ("good", good, None), ("of another rank", dict(good, **{"unet.r": 4}), CONFIG), ("without r", {"unet.lora_alpha": 1}, CONFIG),
            ("without alpha", {"unet.r": 2}, CONFIG), ("r a string", dict(good, **{"unet.r": "2"}), CONFIG), ("r of 0", dict(good, **{"unet.r": 0}), CONFIG),
            ("of another part", {"transformer.r": 2, "transformer.lora_alpha": 1}, None), ("of no part", {"r": 2}, None), ("empty", {}, None),
            ("of LoHa", dict(good, **{"unet.peft_type": "LOHA"}), UNSUPPORTED), ("type a number", dict(good, **{"unet.peft_type": 1}), CONFIG),
            ("patterns", dict(good, **{"unet.r": 9, "unet.rank_pattern": {"m": 2}, "unet.alpha_pattern": {"m": 3}}), None),
            ("a bad pattern", dict(good, **{"unet.rank_pattern": {"(": 2}}), {"2201B"}), ("patterns a list", dict(good, **{"unet.rank_pattern": [1]}), CONFIG),
            ("rsLoRA", dict(good, **{"unet.use_rslora": True}), None), ("DoRA", dict(good, **{"unet.use_dora": True}), None),
            ("an empty part", dict(good, **{".r": 2, ".lora_alpha": 2}), None)):
        case("diffusers: metadata " + label, with_metadata(tensors, {"lora_adapter_metadata": json.dumps(value)}), verdict, None)
    for label, text, verdict in (("no JSON", "{", JSON), ("a list", "[]", JSON), ("empty text", "", JSON), ("deep", '{"a":' * 80 + "1" + "}" * 80, LIMIT | JSON),
                                 ("a key twice", '{"unet.r":2,"unet.r":2}', {"22030"})):
        case("diffusers: metadata " + label, with_metadata(tensors, {"lora_adapter_metadata": text}), verdict, None)
    case("kohya: hash", with_metadata(factors(), {"ss_new_sd_model_hash": "ab" * 32}), None, None)
    case("kohya: hash None", with_metadata(factors(), {"ss_new_sd_model_hash": "None", "ss_base_model_version": "sdxl"}), None, None)
    case("kohya: hash with a control character", with_metadata(factors(), {"ss_new_sd_model_hash": "a\nb"}), CONFIG | FILE, None)


def mlx(case):
    def pair(path="m", a=(3, 2), b=(2, 4)):
        return {path + ".lora_a": shaped("F16", *a), path + ".lora_b": shaped("F16", *b)}

    def config(**changes):
        return json.dumps(dict({"model": "m", "lora_parameters": {"rank": 2, "scale": 2.0}}, **changes))
    good = st.canonical(pair())
    case("MLX: good", good, None, MLX)
    case("MLX: without a configuration", good, CONFIG, None)
    case("MLX: with PEFT's", good, CONFIG | FILE, json.dumps({"peft_type": "LORA", "r": 2, "lora_alpha": 4}))
    for label, tensors in (("a alone", {"m.lora_a": shaped("F16", 3, 2)}), ("b alone", {"m.lora_b": shaped("F16", 2, 4)}), ("ranks differ", pair(b=(3, 4))),
                           ("rank 0", pair(a=(3, 0), b=(0, 4))), ("experts", pair(a=(2, 3, 2), b=(2, 2, 4))), ("one dimension", pair(a=(3,), b=(4,)))):
        case("MLX: " + label, st.canonical(tensors), FILE, MLX)
    for label, text, verdict in (
            ("alpha and scale", config(lora_parameters={"rank": 2, "scale": 2.0, "alpha": 16}), CONFIG), ("alpha of the rank", config(lora_parameters={"rank": 2, "scale": 2.0, "alpha": 2}), None),
            ("alpha alone", config(lora_parameters={"rank": 2, "alpha": 1}), None), ("mlx-vlm's", json.dumps({"rank": 2, "alpha": 0.1, "dropout": 0.0}), None),
            ("no scaling", config(lora_parameters={"rank": 2}), CONFIG), ("scale a string", config(lora_parameters={"rank": 2, "scale": "2"}), CONFIG),
            ("rank 0 and alpha", config(lora_parameters={"rank": 0, "alpha": 2}), CONFIG), ("full", config(fine_tune_type="full"), UNSUPPORTED),
            ("DoRA", config(fine_tune_type="dora"), None), ("type a number", config(fine_tune_type=1), CONFIG), ("model a number", config(model=1), CONFIG),
            ("model null", config(model=None), None), ("scale 0", config(lora_parameters={"rank": 2, "scale": 0}), None)):
        case("MLX: configuration, " + label, good, verdict, text)
    case("MLX: a dense tensor", st.canonical(dict(pair(), **{"m.linear.bias": f("F16", 4)})), None, MLX)


GROUPS = (alphas, factors_of, names, metadata, mlx)
