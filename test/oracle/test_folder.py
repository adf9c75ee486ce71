"""examples/python/folder.py, run as a command: whatever the file of weights is
called it is found; what cannot be read is told in a line.

SPDX-License-Identifier: PostgreSQL
"""
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import harness
import numpy
import safetensors_lite

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "python", "folder.py")
CONFIG = json.dumps({"peft_type": "XLORA", "adapters": {"0": "elsewhere"}}).encode()
WEIGHTS = safetensors_lite.canonical({
    "inner.0.weight": safetensors_lite.of_array("F32", numpy.array([1, 2], dtype="<f4"))})


def pickled():
    """As torch.save writes it: a zip archive."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as z:
        z.writestr("archive/data.pkl", b"\x80\x02}.")
    return data.getvalue()


def call(database, *arguments):
    done = subprocess.run([sys.executable, PROGRAM, *arguments], capture_output=True, text=True,
                          env=dict(os.environ, PGDATABASE=database))
    return done.returncode, done.stderr


def folder_of(root, name, files):
    folder = pathlib.Path(root, name)
    folder.mkdir()
    for file, data in files.items():
        (folder / file).write_bytes(data)
    return str(folder)


TAKEN = [
    ("usual", ["adapter_model.safetensors"]),
    ("other", ["xlora_classifier.safetensors"]),
    ("usual_first", ["a.safetensors", "adapter_model.safetensors"]),
]
REFUSED = [
    ("two", {"a.safetensors": WEIGHTS, "b.safetensors": WEIGHTS},
     ["several files of weights: a.safetensors, b.safetensors"]),
    ("none", {}, ["no file of weights"]),
    ("pickle", {"adapter_model.bin": pickled()}, ["zip archive", "save_pretrained"]),
    ("old_pickle", {"adapter_model.bin": b"\x80\x02}q\x00."}, ["Python pickle", "save_pretrained"]),
]


def body(run):
    with tempfile.TemporaryDirectory() as root, harness.scratch("folder") as database, \
            harness.connect(database) as connection:
        connection.execute("CREATE TABLE adapters (name text PRIMARY KEY, a adapter)")
        for name, files in TAKEN:
            folder = folder_of(root, name, dict({f: WEIGHTS if f != "a.safetensors" else b"" for f in files},
                                                **{"adapter_config.json": CONFIG}))
            run.equal(call(database, "in", name, folder), (0, ""), name + ": in")
            run.equal(call(database, "out", name, folder + "_out"), (0, ""), name + ": out")
            wrote = {p.name: p.read_bytes() for p in pathlib.Path(folder + "_out").iterdir()}
            run.equal(wrote, {"adapter_model.safetensors": WEIGHTS, "adapter_config.json": CONFIG}, name + ": wrote")
        for name, files, said in REFUSED:
            status, text = call(database, "in", name, folder_of(root, name, dict(files, **{"adapter_config.json": CONFIG})))
            run.ok(status == 1 and text.startswith("folder.py: ") and all(s in text for s in said), name, text)
        status, text = call(database, "out", "missing", os.path.join(root, "missing"))
        run.ok(status == 1 and "there is no adapter 'missing'" in text, "missing", text)
        run.equal(connection.execute("SELECT count(*) FROM adapters").fetchone()[0], len(TAKEN), "rows")


if __name__ == "__main__":
    harness.main("test_folder", body)
