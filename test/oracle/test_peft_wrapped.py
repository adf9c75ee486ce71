"""Files whose names trainers have wrapped, against PEFT and what it wrote before.

An adapter that PEFT has saved is written anew with the names that torch.compile,
FSDP, DDP, a doubled PEFT and an unstripped state dict give it.  Its modules, its
distance from the original and its compositions are the original's, its file comes
out as it went in, and a composition with it loads in PEFT without a complaint and
changes the base weights as the original alone does.

SPDX-License-Identifier: PostgreSQL
"""
import os
import tempfile

import numpy as np

import harness
import safetensors_lite as st
import test_peft_compose

try:
    import make_peft_adapters as maker
except ImportError as e:
    maker, reason = None, e

P = "base_model.model."

WRAPPINGS = {
    "compiled inside": lambda n: n.replace(P, P + "_orig_mod."),
    "compiled": lambda n: "_orig_mod." + n,
    "DDP of compiled": lambda n: "module._orig_mod." + n,
    "FSDP": lambda n: n.replace(".fc_", "._fsdp_wrapped_module.fc_").replace("q_proj", "q_proj._fsdp_wrapped_module"),
    "checkpointed": lambda n: n.replace("layers.1.", "layers.1._checkpoint_wrapped_module."),
    "PEFT in PEFT": lambda n: P + n,
    "state dict": lambda n: n.replace(".lora_A.weight", ".lora_A.default.weight").replace(".lora_B.weight", ".lora_B.default.weight"),
}


def check(run, connection, root, setting):
    base_name, folder = setting[1], os.path.join(root, setting[0])
    maker.write(folder, setting[0])
    with open(os.path.join(folder, "adapter_model.safetensors"), "rb") as f:
        file = f.read()
    with open(os.path.join(folder, "adapter_config.json")) as f:
        config = f.read()
    tensors = st.read(file)[1]
    base, model, _ = test_peft_compose.load(base_name, folder)
    wanted = test_peft_compose.merged_parameters(model)
    for wrapping, wrap in WRAPPINGS.items():
        label = "%s, %s" % (setting[0], wrapping)
        wrapped = st.canonical({wrap(n): t for n, t in tensors.items()})
        connection.execute("DROP TABLE IF EXISTS t")
        connection.execute(
            "CREATE TABLE t AS SELECT adapter_from_safetensors(%s, %s) AS a, adapter_from_safetensors(%s, %s) AS b",
            (file, config, wrapped, config))
        same_file, modules, distance, out, composed = connection.execute(
            "SELECT adapter_to_safetensors(b) = %s, (SELECT array_agg(DISTINCT module) FROM adapter_modules(a)) ="
            " (SELECT array_agg(DISTINCT module) FROM adapter_modules(b)), a <-> b, adapter_to_safetensors(c), adapter_config(c)::text"
            " FROM t, LATERAL (SELECT 0.5 * a + 0.5 * b AS c OFFSET 0) s", (wrapped,)).fetchone()
        run.ok(same_file and wrapped != file, label + ": the file that went in")
        run.ok(modules and distance <= 1e-12, label + ": the modules and the change", distance)
        place = os.path.join(root, "composed")
        os.makedirs(place, exist_ok=True)
        with open(os.path.join(place, "adapter_model.safetensors"), "wb") as f:
            f.write(out)
        with open(os.path.join(place, "adapter_config.json"), "w") as f:
            f.write(composed)
        _, model, complaints = test_peft_compose.load(base_name, place)
        run.equal(complaints.found(), [], label + ": PEFT complains")
        got = test_peft_compose.merged_parameters(model)
        run.ok(all(np.allclose(got[n], wanted[n], rtol=0, atol=1e-7) for n in wanted), label + ": merged by PEFT")
        run.ok(any(not np.array_equal(got[n], p.detach().numpy()) for n, p in base.named_parameters()), label + ": it changes the base")


def body(run):
    if maker is None:
        return run.skip("PEFT is not installed (%s)" % reason)
    settings = {s[0]: s for s in maker.SETTINGS}
    with harness.scratch("wrapped") as name, harness.connect(name) as connection, tempfile.TemporaryDirectory() as root:
        for setting in ("linear", "alpha_pattern", "rank_pattern", "llama_all_linear"):
            check(run, connection, root, settings[setting])


if __name__ == "__main__":
    harness.main("wrapped names", body)
