"""What one release of PEFT makes of adapters: the merged parameters of each, in a file.

Called with a list of {"folder", "base", "out"} as JSON on its input, by the tests
that compare releases, in a process of its own: sys.path of PEFT is the caller's
business (PYTHONPATH).  Writes an .npz of parameters, or for what does not load an
.err of the exception, and prints the release.

SPDX-License-Identifier: PostgreSQL
"""
import copy
import json
import os
import sys
import warnings

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data"))


def parameters(folder, base):
    """{name: array in float64} of the base with the adapter merged into it."""
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = PeftModel.from_pretrained(copy.deepcopy(base), folder, autocast_adapter_dtype=False)
        merged = model.double().merge_and_unload()
    return {n: p.detach().numpy() for n, p in merged.named_parameters()}


def main():
    import make_peft_adapters as maker
    import peft

    for task in json.load(sys.stdin):
        try:
            np.savez(task["out"] + ".npz", **parameters(task["folder"], maker.base(task["base"]).double()))
        except Exception as e:
            with open(task["out"] + ".err", "w", encoding="utf-8") as f:
                f.write("%s: %s" % (type(e).__name__, e))
    print(peft.__version__)


if __name__ == "__main__":
    main()
