"""The 8-bit float types, widened by adapter_cast, against torch: every byte of every type.

SPDX-License-Identifier: PostgreSQL
"""
import json

import numpy as np

import harness
import safetensors_lite as st

try:
    import torch
except ImportError:
    torch = None

TYPES = {"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
         "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz"}
CONFIG = json.dumps({"peft_type": "LORA", "r": 1, "lora_alpha": 1})
A, B = "q.lora_A.weight", "q.lora_B.weight"
CAST = "SELECT adapter_tensor(adapter_cast(adapter_from_safetensors(%%b, %%s::json), '%s'), 'base_model.model." + A + "')"


def file_of(dtype, data):
    return st.canonical({A: st.Tensor(dtype, (1, len(data)), data), B: st.of_array("F32", np.ones((1, 1), dtype="<f4"))})


def check_type(run, connection, dtype, torch_type):
    every = bytes(range(256))
    values = torch.frombuffer(bytearray(every), dtype=torch.uint8).view(torch_type).double().numpy()
    finite = bytes(b for b in every if np.isfinite(values[b]))
    got = connection.execute(CAST % "F64", (file_of(dtype, finite), CONFIG)).fetchone()[0]
    run.equal(np.array(got[0]).tobytes(), values[list(finite)].tobytes(), "%s: every finite byte" % dtype)
    for b in sorted(set(every) - set(finite)):
        state = harness.sqlstate_of(connection, CAST % "F64", (file_of(dtype, bytes([b])), CONFIG))
        run.equal(state, "22003", "%s: byte %d is no number" % (dtype, b))
    for target, narrow in (("BF16", torch.bfloat16), ("F16", torch.float16)):
        fits = bytes(b for b in finite if float(torch.tensor(values[b]).to(narrow)) == values[b])
        got = connection.execute(CAST % target, (file_of(dtype, fits), CONFIG)).fetchone()[0]
        run.equal(np.array(got[0]).tobytes(), values[list(fits)].tobytes(), "%s in %s is exact" % (dtype, target))
    # arithmetic refuses it as before, and names the way out
    query = "SELECT adapter_digest(2 * adapter_from_safetensors(%b, %s::json))"
    run.equal(harness.sqlstate_of(connection, query, (file_of(dtype, finite), CONFIG)), "0A000", dtype + " is not computed with")


def body(run):
    if torch is None:
        return run.skip("torch is not there (dev/peft makes build/peft-venv)")
    with harness.scratch("float8") as name, harness.connect(name) as connection:
        for dtype, torch_name in TYPES.items():
            torch_type = getattr(torch, torch_name, None)
            if torch_type is None:
                run.skip("this torch has no " + torch_name)
                continue
            check_type(run, connection, dtype, torch_type)


if __name__ == "__main__":
    harness.main("test_float8", body)
