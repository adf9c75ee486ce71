"""Random small adapters of every kind that arithmetic takes.

A family is a set of adapters that fit together: one base model, the same
shapes (and ranks, unless they are free); they differ in weights, dtypes, scalings, prefixes, the modules that
they have and the order of their files.

SPDX-License-Identifier: PostgreSQL
"""
import json
import re

import numpy as np

import described
import rounding
import safetensors_lite as st

FLOATS = ("F32", "BF16", "F16", "F64")
PATHS = ("model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj",
         "model.layers.10.mlp.up_proj", "transformer.h.0.attn.c_attn", "encoder.block.3.wo",
         "blk.a+b.(x)", "mod\u00e8le.couche", "conv_in", "embed_tokens", "q", "deep.q",
         "model.layers.2.fc[1]", "net.0", "net.0.sub", "z9.$end")
EDGES = {
    "F32": (0.0, -0.0, 2.0**-149, -2.0**-149, 2.0**-126, 1.0, -1.0, 1 + 2.0**-23,
            float(np.finfo(np.float32).max), -float(np.finfo(np.float32).max), 1 / 3),
    "F16": (0.0, -0.0, 2.0**-24, -2.0**-24, 2.0**-14, 1.0, -1.0, 1 + 2.0**-10, 65504.0,
            -65504.0, 1 / 3),
    "BF16": (0.0, -0.0, 2.0**-133, -2.0**-133, 2.0**-126, 1.0, -1.0, 1 + 2.0**-7,
             rounding.FORMATS["BF16"][2], -rounding.FORMATS["BF16"][2], 1 / 3),
    "F64": (0.0, -0.0, 2.0**-1074, -2.0**-1074, 2.0**-1022, 1.0, -1.0, 1 + 2.0**-52, 1e300,
            -1e300, 1 / 3),
}
ALPHAS = (1, 2, 4, 8, 16, 32, 0.5, 3, 7.5, 10, 0.1)


def weights(rng, dtype, shape, style):
    """Raw values: style plain, bits (any finite bit pattern) or edges."""
    n = st.elements(shape)
    gen = np.random.default_rng(rng.getrandbits(63))
    if style == "bits":
        width = st.BITS[dtype] // 8
        raw = gen.bytes(n * width)
        t = st.Tensor(dtype, shape, raw)
        x = rounding.widen(t.array(), dtype)
        return t if np.isfinite(x).all() else finite_bits(t, x)
    if style == "edges":
        x = np.array([rng.choice(EDGES[dtype]) for _ in range(n)], dtype=np.float64)
    elif style == "ties":
        # few significant bits, so that sums and halves fall on ties often
        x = gen.integers(-4097, 4098, n) * 2.0 ** gen.integers(-12, 3, n)
    else:
        x = gen.standard_normal(n) * 2.0 ** rng.randint(-6, 3)
    return st.of_array(dtype, rounding.encode(x.reshape(shape), dtype))


def finite_bits(t, x):
    raw = t.array().copy()
    raw[~np.isfinite(x)] = 0
    return st.Tensor(t.dtype, t.shape, raw.tobytes())


class Family:
    """What the adapters of a family share."""

    def __init__(self, rng, kind=None, free_ranks=False):
        self.rng = rng
        self.free_ranks = free_ranks            # as delta space takes them
        self.kind = kind or rng.choice((1, 1, 1, 2))
        self.base = rng.choice((None, "org/base", "/models/\u00fcber base"))
        self.revision = rng.choice((None, None, "main"))
        self.task = rng.choice((None, "CAUSAL_LM", "SEQ_CLS"))
        self.fan = rng.random() < 0.2
        self.lora_bias = self.kind == 1 and rng.random() < 0.3
        self.folding = rng.random() < 0.5       # scalings may differ
        self.dtypes = rng.choice((("F32",), ("BF16",), ("F16",), ("F64",), FLOATS,
                                  ("F16", "BF16"), ("F32", "BF16")))
        self.style = rng.choice(("plain", "plain", "ties", "edges", "bits", "mixed"))
        self.modules = {p: self.module(p) for p in rng.sample(PATHS, rng.randint(1, 4))}
        self.common = {p: rng.choice(ALPHAS) for p in self.modules}
        self.dense = {}
        if rng.random() < 0.25:
            self.dense["head.classifier.weight"] = (3, 5)
            if rng.random() < 0.5:
                self.dense["head.classifier.bias"] = (3,)
        self.bias = "none"
        if self.kind == 1 and rng.random() < 0.15:
            self.bias = "lora_only"
            path = rng.choice(list(self.modules))
            self.dense[path + ".base_layer.bias"] = (6,)

    def module(self, path):
        rng = self.rng
        n, m = rng.randint(1, 9), rng.randint(1, 9)
        if rng.random() < 0.02:
            n, m = 257, 131
        shape = rng.choice(("linear", "linear", "conv", "embedding"))
        if self.kind == 2:
            feedforward = rng.random() < 0.4
            if shape == "conv":
                return {"shape": (1, n, 1, 1), "feedforward": feedforward}
            return {"shape": (1, n) if feedforward else (n, 1), "feedforward": feedforward}
        r = rng.choice((1, 2, 3, 4, 8))
        if rng.random() < 0.01:
            r = 130
        if self.lora_bias and shape == "embedding":
            shape = "linear"
        if shape == "conv":
            k = rng.choice(((1, 1), (3, 3), (3,), (2, 1, 3)))
            groups = rng.choice([g for g in (1, 1, 2, 4) if r % g == 0])
            a, b = (r, n) + k, (groups * m, r // groups) + (1,) * len(k)
        else:
            a, b = (r, n), (m, r)
        return {"r": r, "a": a, "b": b, "embedding": shape == "embedding"}

    def ranked(self, path):
        """The module as one adapter has it: of a rank of its own where ranks are free."""
        m = self.modules[path]
        if not self.free_ranks or self.rng.random() < 0.3:
            return m
        groups = m["r"] // m["b"][1]
        each = self.rng.choice((1, 2, 3, 5, 8))
        if self.rng.random() < 0.01:
            each = 130
        return dict(m, r=groups * each, a=(groups * each,) + m["a"][1:],
                    b=m["b"][:1] + (each,) + m["b"][2:])

    def style_of(self):
        if self.style == "mixed":
            return self.rng.choice(("plain", "ties", "edges", "bits"))
        return self.style

    def tensor(self, shape, dtypes):
        dtype = self.rng.choice(dtypes)
        return weights(self.rng, dtype, shape, self.style_of())

    def adapter(self, all_modules=False, **changes):
        """A described adapter; changes replace members of the configuration."""
        rng = self.rng
        paths = list(self.modules)
        if not all_modules and rng.random() < 0.4:
            paths = rng.sample(paths, rng.randint(1, len(paths)))
        if self.bias == "lora_only":
            must = [d[:-len(".base_layer.bias")] for d in self.dense if "base_layer" in d]
            paths = list(dict.fromkeys(paths + must))
        dtypes = self.dtypes if rng.random() < 0.7 else (rng.choice(self.dtypes),)
        config = {"peft_type": "LORA" if self.kind == 1 else "IA3",
                  "base_model_name_or_path": self.base, "revision": self.revision,
                  "task_type": self.task, "fan_in_fan_out": self.fan,
                  "inference_mode": True, "target_modules": paths}
        named = self.lora(config, paths, dtypes) if self.kind == 1 else self.ia3(config, paths, dtypes)
        for key, shape in self.dense.items():
            named[key] = self.tensor(shape, dtypes)
        if "head.classifier.weight" in self.dense:
            config["modules_to_save"] = ["classifier"]
        config.update(changes)
        return described.describe(self.file(named), json.dumps(config, indent=rng.choice((2, None)),
                                                              sort_keys=rng.random() < 0.5))

    def lora(self, config, paths, dtypes):
        rng, named = self.rng, {}
        config.update(bias=self.bias, lora_bias=self.lora_bias, use_rslora=False, use_dora=False)
        modules = {p: self.ranked(p) for p in paths}
        ranks = {p: m["r"] for p, m in modules.items()}
        alphas = {p: self.common[p] if not self.folding or rng.random() < 0.4
                  else rng.choice(ALPHAS) for p in paths}
        if self.folding and rng.random() < 0.3:
            config["use_rslora"] = True
        elif not self.folding and rng.random() < 0.3 and set(ranks.values()) <= {1, 4}:
            # the same scaling spelled with rsLoRA: alpha / sqrt(4) for alpha / 4
            config["use_rslora"] = True
            alphas = {p: a / (2.0 if ranks[p] == 4 else 1.0) for p, a in alphas.items()}
        config["r"] = rng.choice(list(ranks.values()))
        config["lora_alpha"] = rng.choice(list(alphas.values()))
        config["rank_pattern"] = {"^" + re.escape(p): r for p, r in ranks.items() if r != config["r"]}
        config["alpha_pattern"] = {"^" + re.escape(p): a for p, a in alphas.items()
                                   if a != config["lora_alpha"]}
        for p, m in modules.items():
            names = (".lora_embedding_A", ".lora_embedding_B") if m["embedding"] else (
                ".lora_A.weight", ".lora_B.weight")
            named[p + names[0]] = self.tensor(m["a"], dtypes)
            named[p + names[1]] = self.tensor(m["b"], dtypes)
            if self.lora_bias:
                named[p + ".lora_B.bias"] = self.tensor(m["b"][:1], dtypes)
        return named

    def ia3(self, config, paths, dtypes):
        config["feedforward_modules"] = [p for p in paths if self.modules[p]["feedforward"]]
        # a suffix must not select a module that is none
        if any(p.endswith(k) and not self.modules[p]["feedforward"]
               for p in paths for k in config["feedforward_modules"]):
            config["feedforward_modules"] = "|".join(
                re.escape(p) for p in config["feedforward_modules"])
        return {p + ".ia3_l": self.tensor(self.modules[p]["shape"], dtypes) for p in paths}

    def file(self, named):
        rng = self.rng
        prefix = rng.choice(("base_model.model.",) * 6 + ("base_model.", ""))
        if prefix == "base_model." and any(k.startswith("model.") for k in named):
            prefix = ""     # would read as the longer prefix
        named = {prefix + k: t for k, t in named.items()}
        if rng.random() < 0.5:
            return st.canonical(named)
        entries = list(named.items())
        rng.shuffle(entries)
        return st.build(entries, rng.choice((None, {}, {"format": "pt"}, {"a": "\u00e9", "format": "np"})),
                        pad=rng.choice((0, 8, 64)), spaces=rng.random() < 0.3)
