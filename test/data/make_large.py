#!/usr/bin/env python3
"""Write a PEFT LoRA folder with the shapes of an 8B model and realistic values.

usage: make_large.py OUT [--layers 32] [--rank 16] [--dtype bf16|f32|f16] [--seed 0]

32 layers of 7 modules at rank 16 are 448 tensors and 42 million parameters: 84 MB in bf16.
Factor A is what PEFT initialises (uniform within 1/sqrt(in)) plus a small drift; factor B has
heavy tails (Student's t with 4 degrees of freedom) and a scale of its own in each module.
Needs numpy only.
"""
import argparse
import json
import os
import struct

import numpy as np

SHAPES = {  # module: (out, in)
    "self_attn.q_proj": (4096, 4096), "self_attn.k_proj": (1024, 4096),
    "self_attn.v_proj": (1024, 4096), "self_attn.o_proj": (4096, 4096),
    "mlp.gate_proj": (14336, 4096), "mlp.up_proj": (14336, 4096), "mlp.down_proj": (4096, 14336),
}


def to_bytes(x, dtype):
    """float32 array as little-endian bytes of a dtype, rounded to nearest even."""
    if dtype == "f32":
        return x.astype("<f4").tobytes()
    if dtype == "f16":
        return x.astype("<f2").tobytes()
    bits = x.astype("<f4").view("<u4")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()


def tensors(layers, rank, seed):
    rng = np.random.default_rng(seed)
    for layer in range(layers):
        for module, (rows, columns) in SHAPES.items():
            prefix = f"base_model.model.model.layers.{layer}.{module}."
            bound = 1 / np.sqrt(columns)
            a = rng.uniform(-bound, bound, (rank, columns)) + 1e-3 * rng.standard_normal((rank, columns))
            yield prefix + "lora_A.weight", a.astype(np.float32)
            scale = 10 ** rng.uniform(-3, -2)
            yield prefix + "lora_B.weight", (rng.standard_t(4, (rows, rank)) * scale).astype(np.float32)


def write(out, layers=32, rank=16, dtype="bf16", seed=0):
    os.makedirs(out, exist_ok=True)
    header, parts, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for name, x in sorted(tensors(layers, rank, seed)):
        data = to_bytes(x, dtype)
        header[name] = {"dtype": dtype.upper(), "shape": list(x.shape), "data_offsets": [offset, offset + len(data)]}
        parts.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(out, "adapter_model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for data in parts:
            f.write(data)
    config = {"base_model_name_or_path": "an-8b-model", "bias": "none", "fan_in_fan_out": False,
              "inference_mode": True, "init_lora_weights": True, "lora_alpha": 16, "peft_type": "LORA",
              "r": rank, "target_modules": sorted(m.split(".")[1] for m in SHAPES), "task_type": "CAUSAL_LM"}
    with open(os.path.join(out, "adapter_config.json"), "w") as f:
        json.dump(config, f, indent=2, sort_keys=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--dtype", choices=("bf16", "f32", "f16"), default="bf16")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    write(args.out, args.layers, args.rank, args.dtype, args.seed)
