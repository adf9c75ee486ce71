"""Files of diffusion models' LoRA, made and read without the product: what they mean in numpy, in double.

A file is a dictionary of tensors and metadata.  make() writes one in a spelling,
meaning() says the delta of every module, to_peft() the same adapter as PEFT would
have it (factors, and the configuration's text).

SPDX-License-Identifier: PostgreSQL
"""
import json

import numpy as np

import safetensors_lite as st

SPELLINGS = {
    "kohya": (".lora_down.weight", ".lora_up.weight"),
    "diffusers": (".lora_A.weight", ".lora_B.weight"),
    "processor": ("_lora.down.weight", "_lora.up.weight"),
    "layer": (".lora.down.weight", ".lora.up.weight"),
    "linear": (".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"),
    "bare": (".lora_A", ".lora_B"),
}
SUFFIXES = [(a, b) for a, b in SPELLINGS.values()]
PATHS = {
    "kohya": ["lora_unet_down_blocks_0_attn_to_q", "lora_unet_mid_block_conv", "lora_te_text_model_fc1",
              "lora_unet_up_blocks_1_proj_in"],
    "diffusers": ["unet.down_blocks.0.attn.to_q", "unet.mid_block.conv", "text_encoder.text_model.fc1",
                  "unet.up_blocks.1.proj_in"],
    "native": ["diffusion_model.blocks.0.attn.qkv", "diffusion_model.blocks.0.conv", "diffusion_model.blocks.1.mlp",
               "diffusion_model.final.proj"],
}
# the layer's (out, in) and kernel
LAYERS = [(6, 5, ()), (4, 3, (3, 3)), (7, 4, ()), (5, 4, (1, 1))]


def to_bf16(values):
    """Rounded to nearest even, as uint16."""
    bits = np.asarray(values, dtype=np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7fff + (bits // 65536) % 2) // 65536).astype(np.uint16)


def of_values(dtype, values):
    return st.of_array(dtype, to_bf16(values) if dtype == "BF16" else values)


def values_of(tensor):
    array = tensor.array()
    if tensor.dtype == "BF16":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.float64)


def factors(random, layer, rank, dtype):
    out, size, kernel = layer
    a = random.standard_normal((rank, size) + kernel)
    b = random.standard_normal((out, rank) + (1,) * len(kernel))
    return of_values(dtype, a), of_values(dtype, b)


def make(random, spelling, paths, ranks=None, dtype="F16", alphas="some", middle=False):
    """alphas: "some" (rounded, 0, missing, an integer), "all" or "none"."""
    end_a, end_b = SPELLINGS[spelling]
    tensors = {}
    for i, (path, layer) in enumerate(zip(paths, LAYERS)):
        rank = ranks[i] if ranks else int(random.integers(1, 4))
        alpha_of = [random.choice([0.3, 1.5, 4, 10]), rank / 2, None, 0][i] if alphas == "some" else rank * 0.75
        if middle and len(layer[2]) == 2 and layer[2] != (1, 1):
            a, b = factors(random, (layer[0], layer[1], (1, 1)), rank, dtype)
            tensors[path + ".lora_mid.weight"] = of_values(dtype, random.standard_normal((rank, rank) + layer[2]))
        else:
            a, b = factors(random, layer, rank, dtype)
        tensors[path + end_a], tensors[path + end_b] = a, b
        if alphas != "none" and alpha_of is not None:
            tensors[path + ".alpha"] = of_values(random.choice([dtype, "F32"]), np.array(alpha_of))
    return tensors


def ending(name):
    """(path, is it factor A) of a factor's name, or None."""
    for a, b in SUFFIXES:
        if name.endswith(a) and len(name) > len(a):
            return name[:-len(a)], True
        if name.endswith(b) and len(name) > len(b):
            return name[:-len(b)], False
    return None


def modules_of(tensors, scalings=None):
    """{path: (A, B, scaling)}, a middle factor multiplied into A."""
    found = {}
    for name, tensor in tensors.items():
        told = ending(name)
        if told:
            found.setdefault(told[0], {})[told[1]] = values_of(tensor)
    result = {}
    for path, pair in found.items():
        a, b = pair[True], pair[False]
        middle = tensors.get(path + ".lora_mid.weight")
        if middle is not None:
            a = np.einsum("pqhw,qi->pihw", values_of(middle), a.reshape(a.shape[:2]))
            b = b.reshape(b.shape[:2] + (1, 1))
        rank = a.shape[0]
        alpha = tensors.get(path + ".alpha")
        alpha = float(values_of(alpha).reshape(())) if alpha is not None else 0.0
        scaling = scalings[path] if scalings and path in scalings else 1.0
        result[path] = (a, b, alpha / rank if alpha else scaling)
    return result


def meaning(tensors, scalings=None):
    """{path: delta} as arrays of the layer's shape."""
    result = {}
    for path, (a, b, scaling) in modules_of(tensors, scalings).items():
        delta = scaling * (b.reshape(b.shape[0], -1) @ a.reshape(a.shape[0], -1))
        result[path] = delta.reshape((b.shape[0],) + a.shape[1:])
    return result


def to_peft(tensors, scalings=None):
    """The file and configuration with PEFT's names, F64 where a middle factor was multiplied in."""
    peft, ranks, alphas = {}, {}, {}
    for path, (a, b, scaling) in modules_of(tensors, scalings).items():
        if path + ".lora_mid.weight" in tensors:
            # as the product rounds it
            peft["base_model.model.%s.lora_A.weight" % path] = of_values("F32", a)
        ranks[path], alphas[path] = a.shape[0], scaling * a.shape[0]
    for name, tensor in tensors.items():
        told = ending(name)
        if told:
            key = "base_model.model.%s.lora_%s.weight" % (told[0], "A" if told[1] else "B")
            if told[0] + ".lora_mid.weight" in tensors:
                tensor = st.Tensor(tensor.dtype, tensor.shape[:2] + (1, 1), tensor.data)
            peft.setdefault(key, tensor)
    config = {"peft_type": "LORA", "base_model_name_or_path": None, "r": 1, "lora_alpha": 1, "rank_pattern": ranks,
              "alpha_pattern": alphas, "target_modules": sorted(ranks)}
    return st.canonical(peft), json.dumps(config)


def metadata_of(file):
    n = int.from_bytes(file[:8], "little")
    return json.loads(file[8:8 + n]).get("__metadata__", {})


def scalings_of(file):
    """What lora_adapter_metadata says, by diffusers' own rule: the pattern that matches the end of the path."""
    import re
    text = metadata_of(file).get("lora_adapter_metadata")
    if text is None:
        return {}
    flat, parts = json.loads(text), {}
    for key, value in flat.items():
        parts.setdefault(key.partition(".")[0], {})[key.partition(".")[2]] = value
    result = {}
    for name in st.read(file)[1]:
        told = ending(name)
        if not told:
            continue
        part, _, path = told[0].partition(".")
        c = parts[part]

        def find(patterns, usual):
            keys = [k for k in patterns if re.match(r".*\.?(%s)$" % k, path)]
            return patterns[keys[0]] if keys else usual
        rank = find(c.get("rank_pattern") or {}, c["r"])
        alpha = find(c.get("alpha_pattern") or {}, c["lora_alpha"])
        result[told[0]] = alpha / (rank ** 0.5 if c.get("use_rslora") else rank)
    return result
