"""The compositions in plain torch: what the SQL is checked against.

Every function takes and gives (tensors, configuration) of PEFT folders of one kind, rank and
scaling.  Everything is computed in double and rounded once to float32.

    compose.py FUNCTION OUT FOLDER ... WEIGHT ...      e.g. compose.py delta OUT D0 D1 0.5 0.5
"""
import copy
import hashlib
import sys

import torch


def is_lora(adapter):
    return adapter[1]["peft_type"] == "LORA"


def each(adapters, formula, config=None):
    """formula(name, the tensors of that name in double) for each tensor, rounded once"""
    tensors = {name: formula(name, [a[0][name].double() for a in adapters]).float() for name in adapters[0][0]}
    return tensors, config or copy.deepcopy(adapters[0][1])


def total(weights, tensors):
    return sum(w * x for w, x in zip(weights, tensors))


def parameter(adapters, weights):
    """The paper's addition, weights that sum to 1: A, B and l alike"""
    return each(adapters, lambda name, x: total(weights, x))


def negation(adapters, weights):
    """LoRA {A, -s B}; (IA)^3 1 - s (l - 1)"""
    (s,), lora = weights, is_lora(adapters[0])

    def formula(name, x):
        if lora:
            return -s * x[0] if "lora_B" in name else x[0]
        return 1 - s * (x[0] - 1)
    return each(adapters, formula)


def analogy(adapters, weights):
    """w c (+) (1 - w) (t (-) s)"""
    (w,), lora = weights, is_lora(adapters[0])

    def formula(name, x):
        if "lora_A" in name:
            return w * x[0] + (1 - w) * (x[1] + x[2])
        if lora:
            return w * x[0] + (1 - w) * (x[1] - x[2])
        return 1 + w * (x[0] - 1) + (1 - w) * (x[1] - x[2])
    return each(adapters, formula)


def continued(adapters, weights):
    """a (+) w (a (-) x), x trained on from a"""
    (w,) = weights

    def formula(name, x):
        return (1 + w) * x[0] + w * x[1] if "lora_A" in name else (1 + w) * x[0] - w * x[1]
    return each(adapters, formula)


def lerp(adapters, weights):
    """(1 - w) a + w x on every tensor alike"""
    (w,) = weights
    return each(adapters, lambda name, x: (1 - w) * x[0] + w * x[1])


def stack_order(adapters, module):
    """The operands of one module's stack: by the SHA-256 of its factor A, then of B (doc/algebra.md, "Order of terms")"""
    def digests(i):
        tensors = adapters[i][0]
        return [hashlib.sha256(tensors[f"{module}.lora_{f}.weight"].numpy().tobytes()).digest() for f in "AB"]
    return sorted(range(len(adapters)), key=digests)


def delta(adapters, weights):
    """sum w_i delta_i: the A_i below each other, the B_i side by side, times weight and scaling"""
    adapters = [a for a, w in zip(adapters, weights) if w]
    weights = [w for w in weights if w]
    if adapters[0][1]["peft_type"] == "DIFFERENCE":
        return each(adapters, lambda name, x: total(weights, x))
    if not is_lora(adapters[0]):
        return each(adapters, lambda name, x: total(weights, x) + (1 - sum(weights)))
    config = copy.deepcopy(adapters[0][1])
    scaling = [a[1]["lora_alpha"] / a[1]["r"] for a in adapters]
    config["r"] = config["lora_alpha"] = sum(a[1]["r"] for a in adapters)

    def formula(name, x):
        order = stack_order(adapters, name.rpartition(".lora_")[0])
        if "lora_A" in name:
            return torch.cat([x[i] for i in order], 0)
        return torch.cat([weights[i] * scaling[i] * x[i] for i in order], 1)
    return each(adapters, formula, config)


if __name__ == "__main__":
    from models import read, write
    function, out, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
    n = sum(1 for x in rest if not x.lstrip("+-").replace(".", "", 1).isdigit())
    write(out, *globals()[function]([read(x) for x in rest[:n]], [float(x) for x in rest[n:]]))
