"""Two releases of PEFT make the same model of a composed adapter.

PEFT up to 0.14 reads some of what configurations can say otherwise, silently; what
is composed here says it so that both read the same.  The pairs and expressions of
test_peft_compose are composed and exported to folders, and every folder is loaded
by the release of requirements-peft.txt and by 0.14.0 (build/peft-0.14.0, made by
dev/peft), each in a process of its own: all merged parameters must be equal, in
float64.  What 0.14.0 has not (target_parameters, some layers) is told from the
adapters themselves, and counted as skipped.

SPDX-License-Identifier: PostgreSQL
"""
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

import harness
import test_peft_compose as compose

HERE = os.path.dirname(os.path.abspath(__file__))
OLD = os.path.join(HERE, "..", "..", "build", "peft-0.14.0")
# what 0.14.0 says of layers that it cannot wrap, and of target_parameters alone
CANNOT = ("is not supported", "Target modules set() not found")
# the same products in another order of operations
TOLERANCE = 1e-12


def write(folder, file, config):
    os.makedirs(folder)
    with open(os.path.join(folder, "adapter_model.safetensors"), "wb") as f:
        f.write(file)
    with open(os.path.join(folder, "adapter_config.json"), "w", encoding="utf-8") as f:
        f.write(config)


def composed(run, connection, place, pair):
    """(title, base, folders of the two adapters, [(expression, folder)]) of a pair, in F32."""
    left, right, expressions = pair
    title = "%s and %s" % (left, right)
    place = os.path.join(place, title.replace(" ", "_"))
    connection.execute("TRUNCATE t")
    first = None
    for name, setting, seed in (("a", left, 2 * run.seed), ("x", right, 2 * run.seed + 1)):
        base, file, config = compose.build(os.path.join(place, name), setting, "F32", seed)
        if setting in compose.SAME:
            file = compose.with_dense_of(file, config, first)
        first = file
        connection.execute("INSERT INTO t SELECT %s, adapter_from_safetensors(%b, %s::json)", (name, file, config))
    made = []
    for expression in expressions:
        file, config = connection.execute(
            "SELECT adapter_to_safetensors(v), adapter_config(v)::text FROM (SELECT %s AS v"
            " FROM t a, t x WHERE a.name = 'a' AND x.name = 'x' OFFSET 0) s" % compose.EXPRESSIONS[expression][0]).fetchone()
        write(os.path.join(place, expression), file, config)
        made.append((expression, os.path.join(place, expression)))
    return title, base, [os.path.join(place, "a"), os.path.join(place, "x")], made


def load_all(tasks, which, path):
    """Loads every folder by the PEFT that this path has in front; the release's number."""
    tasks = [dict(t, out=os.path.join(t["folder"], which)) for t in tasks]
    environment = dict(os.environ, PYTHONPATH=path) if path else os.environ
    done = subprocess.run([sys.executable, os.path.join(HERE, "load_peft.py")], input=json.dumps(tasks), text=True,
                          env=environment, capture_output=True, check=False)
    return done.stdout.strip(), done.stderr


def loaded(folder, which):
    """(parameters or None, what it said)"""
    try:
        with np.load(os.path.join(folder, which + ".npz")) as f:
            return dict(f), ""
    except FileNotFoundError:
        with open(os.path.join(folder, which + ".err"), encoding="utf-8") as f:
            return None, f.read()


def difference(old, new, lora_bias):
    """What differs, or None. 0.14.0 merges the bias of lora_bias without its scaling (and applies it with)."""
    if set(old) != set(new):
        return "parameters %s" % sorted(set(old) ^ set(new))[:3]
    for name, value in new.items():
        if lora_bias and name.endswith(".bias"):
            continue
        if not np.allclose(old[name], value, rtol=TOLERANCE, atol=TOLERANCE * max(1e-300, np.abs(value).max(initial=0))):
            return "%s by %.3g" % (name, np.abs(old[name] - value).max())
    return None


def check(run, title, base, sides, made):
    said = [loaded(side, "old")[1] for side in sides]
    if any(word in text for text in said for word in CANNOT) or any(member(side, "target_parameters") for side in sides):
        run.skip("%s: not in PEFT 0.14.0" % title)
        return
    for expression, folder in made:
        (old, old_said), (new, new_said) = loaded(folder, "old"), loaded(folder, "new")
        label = "%s: %s" % (title, expression)
        if run.ok(old is not None and new is not None, label + ": loads", (old_said or new_said)[:300]):
            wrong = difference(old, new, member(folder, "lora_bias"))
            run.ok(wrong is None, label + ": the same parameters", wrong)


def member(folder, name):
    with open(os.path.join(folder, "adapter_config.json"), encoding="utf-8") as f:
        return json.load(f).get(name)


def body(run):
    if compose.maker is None:
        run.skip("PEFT is not installed: %s" % compose.reason)
        return
    if not os.path.isdir(OLD):
        run.skip("PEFT 0.14.0 is not installed (dev/peft)")
        return
    dtypes = {s[0]: s[3] for s in compose.maker.SETTINGS}
    pairs = [p for p in compose.PAIRS if all("F32" in dtypes[compose.origin(s)] for s in p[:2])]
    with tempfile.TemporaryDirectory() as root, harness.scratch("releases") as database, \
            harness.connect(database) as connection:
        connection.execute("CREATE TABLE t (name text PRIMARY KEY, v adapter)")
        all_made = [composed(run, connection, root, pair) for pair in pairs]
        tasks = [{"folder": f, "base": base} for _, base, sides, made in all_made for f in sides + [m[1] for m in made]]
        for which, path, wanted in (("old", OLD, "0.14.0"), ("new", None, importlib.metadata.version("peft"))):
            release, said = load_all(tasks, which, path)
            if not run.ok(release == wanted, "release %s runs" % wanted, (release, said[-500:])):
                return
        for title, base, sides, made in all_made:
            check(run, title, base, sides, made)


if __name__ == "__main__":
    harness.main("test_peft_releases", body)
