"""adapter_to_lora: the converted adapter, loaded by PEFT as LoRA, changes each weight as
PEFT's own AdaLoRA, LoHa, LoKr or VeRA does; random configurations.

Runs where torch and peft are installed (requirements-peft.txt); elsewhere it says so and
is skipped.

SPDX-License-Identifier: PostgreSQL
"""
import copy
import json
import os
import tempfile
import warnings

import harness

try:
    import peft
    import torch
    from safetensors.torch import load_file
except ImportError as e:
    peft, reason = None, e

CONFIGURATIONS = int(os.environ.get("PA_CONVERTED", "60"))
DTYPES = ["float32", "float32", "float16", "bfloat16", "float64"]



def tolerance(peft_type, dtype):
    """Of the norm of a module's change: two factors rounded to F32, or to F64; PEFT has LoHa's scaling in float32."""
    if dtype != "float64":
        return 2e-7
    return 6e-8 if peft_type == "LOHA" else 1e-14


def base(rng):
    """Layers of several shapes; square ones too, which a transposition would not show by its shape."""
    torch.manual_seed(rng.randrange(2**31))

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.q = torch.nn.Linear(24, 24)
            self.v = torch.nn.Linear(24, 36)
            self.mlp = torch.nn.ModuleDict({"up": torch.nn.Linear(24, 64), "down": torch.nn.Linear(64, 24)})
            self.conv = torch.nn.Conv2d(8, 12, 3)
            self.point = torch.nn.Conv2d(6, 16, 1)
            self.line = torch.nn.Conv1d(6, 8, 3)
            self.head = torch.nn.Linear(24, 5)

        def forward(self, x):
            return self.head(x)

    return Model()


def patterns(rng, targets, values):
    return {rng.choice([t, "^" + t, t.split(".")[-1]]): rng.choice(values) for t in targets if rng.random() < 0.3}


def loha(rng, targets):
    r = rng.choice([1, 2, 3, 5])
    return peft.LoHaConfig(
        r=r, alpha=rng.choice([1, 3, 8, 0.7]), target_modules=targets, use_effective_conv2d=rng.random() < 0.5,
        rank_pattern=patterns(rng, targets, [1, 2, 4]), alpha_pattern=patterns(rng, targets, [2, 5, -1.5]),
        modules_to_save=["head"] if rng.random() < 0.5 else None, init_weights=False)


def lokr(rng, targets):
    return peft.LoKrConfig(
        r=rng.choice([1, 2, 3, 8, 16]), alpha=rng.choice([1, 3, 8, 0.7]), target_modules=targets,
        use_effective_conv2d=rng.random() < 0.5, decompose_both=rng.random() < 0.5,
        decompose_factor=rng.choice([-1, -1, 2, 4, 8]), rank_pattern=patterns(rng, targets, [1, 2, 4]),
        alpha_pattern=patterns(rng, targets, [2, 5, -1.5]), init_weights=False,
        modules_to_save=["head"] if rng.random() < 0.5 else None)


def adalora(rng, targets):
    return peft.AdaLoraConfig(
        init_r=rng.choice([1, 4, 7]), target_r=1, total_step=100, lora_alpha=rng.choice([1, 3, 8, 0, -2]),
        target_modules=targets, bias=rng.choice(["none", "none", "all", "lora_only"]),
        modules_to_save=["head"] if rng.random() < 0.5 else None)


def vera(rng, targets):
    return peft.VeraConfig(
        r=rng.choice([1, 4, 9]), target_modules=targets, d_initial=rng.choice([0.1, 1.0]),
        projection_prng_key=rng.randrange(1000), modules_to_save=["head"] if rng.random() < 0.5 else None,
        bias=rng.choice(["none", "none", "all", "vera_only"]))


LINEAR = ["q", "v", "mlp.up", "mlp.down"]
MAKERS = {"LOHA": (loha, LINEAR + ["conv", "point", "line"]), "LOKR": (lokr, LINEAR + ["conv", "point", "line"]),
          "ADALORA": (adalora, LINEAR + ["conv", "point"]), "VERA": (vera, LINEAR)}


def fill(model, generator, dtype):
    """Random numbers in all that is trained, so that nothing is zero."""
    for name, p in model.named_parameters():
        if p.requires_grad or "lora_" in name or "vera_lambda" in name:
            if "ranknum" not in name:
                p.data = torch.randn(p.shape, generator=generator, dtype=torch.float64).to(dtype)


def cut_ranks(rng, model, config):
    """What AdaLoRA's allocator leaves: a list of booleans for each module, sometimes none that is true."""
    if rng.random() < 0.3:
        return
    config.rank_pattern = {
        n + ".lora_E.default": [rng.random() < 0.6 for _ in range(config.init_r)]
        for n, layer in model.base_model.model.named_modules() if hasattr(layer, "lora_E")}
    for n in list(config.rank_pattern):
        if not any(config.rank_pattern[n]) and rng.random() < 0.7:
            config.rank_pattern[n][0] = True


def deltas(model):
    """Of each layer, in double."""
    model = model.double()
    return {n: layer.get_delta_weight("default").detach() for n, layer in model.base_model.model.named_modules()
            if hasattr(layer, "get_delta_weight")}


def load(plain, folder):
    """On a base in double, so that PEFT keeps what is F64."""
    return peft.PeftModel.from_pretrained(copy.deepcopy(plain).double(), folder)


def said_shapes(rng, weights, targets, peft_type):
    """What the file leaves open, and sometimes more."""
    said = {}
    for t in targets:
        shape = list(weights[t].shape)
        if len(shape) > 2 or peft_type == "VERA" or rng.random() < 0.2:
            said[t.replace(".", r"\.")] = [rng.choice([None, shape[0]]),
                                           shape[1] if peft_type == "VERA" else rng.choice([None, shape[1]])] + shape[2:]
    return json.dumps(said) if said else None


def compare(run, label, want, got, bound):
    run.equal(sorted(got), sorted(want), label + ": modules")
    for n in want:
        scale = want[n].norm().item()
        worst = (want[n] - got[n].reshape(want[n].shape)).norm().item()
        run.ok(worst <= bound * scale, "%s: %s" % (label, n), "%.3g of %.3g" % (worst, scale))


def convert(connection, folder, shapes):
    with open(os.path.join(folder, "adapter_model.safetensors"), "rb") as f:
        file = f.read()
    with open(os.path.join(folder, "adapter_config.json"), encoding="utf-8") as f:
        config = f.read()
    with connection.cursor(binary=True) as cursor:
        return cursor.execute(
            "WITH a AS MATERIALIZED (SELECT adapter_from_safetensors(%b, %s::json) AS a),"
            " b AS MATERIALIZED (SELECT adapter_to_lora(a, %s::json) AS b FROM a)"
            " SELECT adapter_to_safetensors(b), adapter_config(b)::text, adapter_check(b), adapter_kind(b),"
            " (SELECT adapter_digest(adapter_recompute(adapter_recipe(b), x.a, null, false)) FROM a x) = adapter_digest(b),"
            " adapter_digest(b::text::adapter) = adapter_digest(b), adapter_to_lora(b) = b,"
            " adapter_recipe(b) -> 'root' ->> 'op' FROM a, b", (file, config, shapes)).fetchone()


def write(folder, row):
    os.mkdir(folder)
    with open(os.path.join(folder, "adapter_model.safetensors"), "wb") as f:
        f.write(row[0])
    with open(os.path.join(folder, "adapter_config.json"), "w", encoding="utf-8") as f:
        f.write(row[1])


def check_dense(run, label, before, after):
    """Heads and biases are there byte for byte."""
    parts = ("lora_", "hada_", "lokr_", "vera_")
    want = {k: v for k, v in before.items() if not any(p in k for p in parts)}
    got = {k: v for k, v in after.items() if "lora_" not in k}
    run.equal(sorted(got), sorted(want), label + ": dense tensors")
    run.ok(all(torch.equal(got[k], want[k]) for k in want if k in got), label + ": contents of dense tensors")


def one(run, connection, root, i):
    peft_type = sorted(MAKERS)[i % len(MAKERS)]
    make, every = MAKERS[peft_type]
    rng = run.random
    targets = [t for t in every if rng.random() < 0.5] or [every[0]]
    dtype = rng.choice(DTYPES)
    label = "%d %s %s" % (i, peft_type, dtype)
    plain = base(rng)
    weights = {n: m.weight for n, m in plain.named_modules() if hasattr(m, "weight")}
    config = make(rng, targets)
    model = peft.get_peft_model(copy.deepcopy(plain), config)
    fill(model, torch.Generator().manual_seed(run.seed * 1000 + i), getattr(torch, dtype))
    if peft_type == "ADALORA":
        cut_ranks(rng, model, config)
    folder = os.path.join(root, str(i))
    try:
        model.save_pretrained(folder)
        reference = deltas(load(plain, folder))
    except Exception as e:
        return run.skip("%s: PEFT cannot make it: %s" % (label, str(e).splitlines()[0]))
    if any(len(t.shape) == 3 for k, t in load_file(folder + "/adapter_model.safetensors").items() if "lokr_w2" in k):
        try:
            convert(connection, folder, None)
            return run.ok(False, label + ": a whole second matrix of three dimensions is refused")
        except harness.psycopg.Error as e:
            return run.equal(e.sqlstate, "0A000", label + ": a whole second matrix of three dimensions is refused")
    try:
        row = convert(connection, folder, said_shapes(rng, weights, targets, peft_type))
    except harness.psycopg.Error as e:
        return run.ok(False, label, "%s %s %s" % (e.sqlstate, e, e.diag.message_detail))
    run.equal(row[2:], (True, "lora", True, True, True, "to_lora"), label + ": check, kind, recomputed, restored, LoRA")
    write(folder + "_lora", row)
    check_dense(run, label, load_file(folder + "/adapter_model.safetensors"),
                load_file(folder + "_lora/adapter_model.safetensors"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")      # keys that are missing or not expected
        compare(run, label, reference, deltas(load(plain, folder + "_lora")), tolerance(peft_type, dtype))


def body(run):
    if peft is None:
        run.skip("PEFT is not installed: %s" % reason)
        return
    with tempfile.TemporaryDirectory() as root, harness.scratch("to_lora") as database, \
            harness.connect(database) as connection:
        for i in range(CONFIGURATIONS):
            one(run, connection, root, i)


if __name__ == "__main__":
    harness.main("test_peft_to_lora", body)
