"""Sums of deltas load in PEFT, and PEFT's own delta is the weighted sum of PEFT's deltas.

Two adapters a, x of other ranks, alphas, forms and layers are written by
save_pretrained and loaded back on their own; the change that each makes (the
merged weight less the base weight, in float64) is what PEFT says.  Their sums
in delta space, made in SQL and exported to a folder, must load without a
complaint about keys and make the weighted sum of these changes, within one
rounding of the terms.  For plain adapters add_weighted_adapter with
combination_type "cat" must come to the same, and with "svd" to what
adapter_truncate gives.

SPDX-License-Identifier: PostgreSQL
"""
import copy
import json
import os
import tempfile
import warnings

import numpy as np

import described
import harness
from test_peft_compose import TOLERANCE, build, load, maker, merged_parameters, places_of, values

# name: (SQL, weight of a, weight of x)
EXPRESSIONS = {
    "sum": ("delta(a.v) + delta(x.v)", 1.0, 1.0),
    "mixture": ("0.7 * delta(a.v) + 0.3 * delta(x.v)", 0.7, 0.3),
    "minus": ("delta(a.v) - 0.4 * delta(x.v)", 1.0, -0.4),
    "lerp": ("adapter_lerp(delta(a.v), delta(x.v), -0.5)", 1.5, -0.5),
    "scaled": ("-1.7 * delta(a.v)", -1.7, 0.0),
    "neutral": ("delta(a.v) - delta(a.v)", 0.0, 0.0),
}
MIXTURES = ("mixture", "lerp")      # weights that sum to 1, for dense tensors

# (setting, changes of the configuration) of a and of x, dtypes, expressions
R8 = {"r": 8, "lora_alpha": 3}
R1 = {"r": 1, "lora_alpha": 7}
RS = {"r": 5, "lora_alpha": 6, "use_rslora": True}
PAIRS = [
    (("linear", {}), ("linear", R8), ("F32", "BF16", "F16", "F64"), EXPRESSIONS),
    (("linear", R1), ("rslora", {}), ("F32", "BF16"), EXPRESSIONS),
    (("linear", {}), ("linear", RS), ("F32",), EXPRESSIONS),
    (("rslora", {}), ("rslora", RS), ("F32",), EXPRESSIONS),
    (("rank_pattern", {}), ("both_patterns", {}), ("F32",), EXPRESSIONS),
    (("alpha_pattern", {}), ("rank_pattern", R8), ("F32", "BF16"), EXPRESSIONS),
    (("regex_targets", {}), ("alpha_real", {}), ("F32",), EXPRESSIONS),
    (("lora_bias", {}), ("lora_bias", R8), ("F32", "BF16"), EXPRESSIONS),
    (("embedding", {}), ("embedding", R8), ("F32", "F16"), EXPRESSIONS),
    (("conv2d", {}), ("conv2d", R8), ("F32", "BF16"), EXPRESSIONS),
    (("conv1d", {}), ("conv1d", R1), ("F32",), EXPRESSIONS),
    (("mixed_layers", {}), ("mixed_layers", R8), ("F32",), EXPRESSIONS),
    (("gpt2", {}), ("gpt2", R8), ("F32", "BF16"), EXPRESSIONS),
    (("llama_all_linear", {}), ("layers_to_transform", R8), ("F32",), EXPRESSIONS),
    (("target_parameters", {}), ("target_parameters", R8), ("F32", "BF16"), EXPRESSIONS),
    (("parameters_only", {}), ("parameters_only", {"r": 3, "lora_alpha": 5}), ("F32",), EXPRESSIONS),
    (("modules_to_save", {}), ("modules_to_save", R8), ("F32",), MIXTURES),
    (("bias_all", {}), ("bias_all", R8), ("F32",), MIXTURES),
    (("classifier", {}), ("classifier", R8), ("F32",), MIXTURES),
    (("ia3", {}), ("ia3", {}), ("F32", "BF16"), EXPRESSIONS),
    (("ia3_gpt2", {}), ("ia3_gpt2", {}), ("F32",), EXPRESSIONS),
]
PLAIN = [("linear", R8), ("rank_pattern", {}), ("conv2d", R8), ("embedding", R1), ("gpt2", R8), ("llama_all_linear", R1)]
# combination_type: (its arguments, our SQL for weights 0.7 and 0.3)
THEIRS = {
    "cat": ({}, EXPRESSIONS["mixture"][0]),
    "svd": ({"svd_rank": 3}, "delta(adapter_truncate(%s, 3))" % EXPRESSIONS["mixture"][0]),
}


def changed(base, merged):
    """{parameter: change} of every parameter, in float64."""
    return {n: merged[n] - p for n, p in base.items() if n in merged}


def change_of(base_name, folder):
    base, model, complaints = load(base_name, folder)
    base = {n: p.detach().numpy() for n, p in base.named_parameters()}
    return base, changed(base, merged_parameters(model)), complaints, model


def write(folder, file, config):
    os.makedirs(folder)
    with open(os.path.join(folder, "adapter_model.safetensors"), "wb") as f:
        f.write(file)
    with open(os.path.join(folder, "adapter_config.json"), "w", encoding="utf-8") as f:
        f.write(config)


def exported(connection, sql):
    return connection.execute(
        "SELECT adapter_to_safetensors(v), adapter_config(v)::text FROM (SELECT adapter(%s) AS v"
        " FROM t a, t x WHERE a.name = 'a' AND x.name = 'x' OFFSET 0) s" % sql).fetchone()


def term_sizes(sides, weights):
    """{path: sum of the sizes of the weighted terms} from the factors' absolute values."""
    sizes = {}
    for side, w in zip(sides, weights):
        for path, m in side.modules.items():
            if side.kind == 2:
                continue
            placed = side.placed()
            fa, fb = (np.abs(values(placed[path, r, None][1])) for r in (described.A, described.B))
            rows = fa.reshape(fa.shape[0], -1).max(axis=1).sum()
            sizes[path] = sizes.get(path, 0.0) + abs(w * m.scaling) * float(fb.max() * rows)
    return sizes


def check_change(run, label, got, base, changes, weights, sizes, dense, tolerance):
    """Every parameter: the weighted sum of the two changes."""
    for name, have in got.items():
        wanted = sum(w * c[name] for w, c in zip(weights, changes) if w)
        wanted = np.zeros_like(have) if isinstance(wanted, int) else wanted
        path = name.rpartition(".")[0]
        size = max(sizes.get(path, 0.0), float(np.abs(wanted).max(initial=0.0)),
                   sum(abs(w) * float(np.abs(c[name]).max(initial=0.0)) for w, c in zip(weights, changes)))
        if name in dense or not sizes:
            # replaced, or multiplied: the rounding is that of the base weight's size
            size += 2 * float(np.abs(base[name]).max(initial=0.0))
        worst = float(np.abs(have - wanted).max(initial=0.0))
        run.ok(worst <= tolerance * size, label + " " + name, "worst %.3g of %.3g" % (worst, size))


def check_expression(run, connection, label, expression, sides, changes, base_name, dtype, folder):
    sql, *weights = EXPRESSIONS[expression]
    try:
        file, config = exported(connection, sql)
    except harness.psycopg.Error as e:
        run.ok(False, label, "%s %s" % (e.sqlstate, e))
        return
    write(folder, file, config)
    try:
        base, got, complaints, model = change_of(base_name, folder)
    except Exception as e:
        run.ok(False, label + ": loads", "%s: %s" % (type(e).__name__, e))
        return
    run.ok(not complaints.found(), label + ": keys", complaints.found()[:2])
    written = described.describe(file, config)
    missing = set(written.tensors) - places_of(model)
    run.ok(not missing, label + ": every tensor has a place", sorted(missing)[:3])
    if written.kind == 1:
        run.ok(all(m.scaling == 1 for m in written.modules.values()) and not json.loads(config)["use_rslora"],
               label + ": scalings are 1", config[:200])
    if expression == "neutral":
        run.ok(not any(c.any() for c in got.values()), label + ": changes nothing")
        warned = [str(w.message) for w in complaints.caught if "deprecated" not in str(w.message)]
        run.ok(not warned, label + ": no warning", warned[:2])
        return
    dense = {p.key.replace(".base_layer", "") for s in sides for p in s.places.values() if p.role == described.DENSE}
    check_change(run, label, got, base, changes, weights, term_sizes(sides, weights), dense, 2 * TOLERANCE[dtype])


def check_pair(run, connection, root, left, right, dtype, expressions):
    title = "%s and %s %s %s" % (left[0], right[0], " ".join("%s=%s" % i for i in {**left[1], **right[1]}.items()), dtype)
    place = os.path.join(root, title.replace(" ", "_"))
    connection.execute("TRUNCATE t")
    sides, changes = [], []
    for name, (setting, change), seed in (("a", left, 2 * run.seed), ("x", right, 2 * run.seed + 1)):
        folder = os.path.join(place, name)
        base_name, file, config = build_changed(folder, setting, change, dtype, seed)
        connection.execute("INSERT INTO t SELECT %s, adapter_from_safetensors(%b, %s::json)", (name, file, config))
        sides.append(described.describe(file, config))
        changes.append(change_of(base_name, folder)[1])
    for expression in expressions:
        check_expression(run, connection, "%s: %s" % (title, expression), expression, sides, changes,
                         base_name, dtype, os.path.join(place, expression))


def build_changed(folder, setting, changes, dtype, seed):
    """build() of test_peft_compose with other members of the configuration."""
    if not changes:
        return build(folder, setting, dtype, seed)

    def change(config):
        for k, v in changes.items():
            setattr(config, k, v)
    base_name, _ = maker.write(folder, setting, dtype, seed, change)
    with open(os.path.join(folder, "adapter_model.safetensors"), "rb") as f:
        file = f.read()
    with open(os.path.join(folder, "adapter_config.json"), encoding="utf-8") as f:
        return base_name, file, f.read()


def check_theirs(run, connection, root, combination, setting, changes):
    """PEFT combines the same adapters itself; it knows positive weights and the plain form."""
    from peft import PeftModel
    arguments, sql = THEIRS[combination]
    label = "%s %s" % (combination, setting)
    place = os.path.join(root, label.replace(" ", "_"))
    connection.execute("TRUNCATE t")
    for name, change, seed in (("a", {}, 2 * run.seed), ("x", changes, 2 * run.seed + 1)):
        base_name, file, config = build_changed(os.path.join(place, name), setting, change, "F32", seed)
        connection.execute("INSERT INTO t SELECT %s, adapter_from_safetensors(%b, %s::json)", (name, file, config))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        base = maker.base(base_name).double()
        model = PeftModel.from_pretrained(copy.deepcopy(base), os.path.join(place, "a"), adapter_name="a",
                                          autocast_adapter_dtype=False)
        model.load_adapter(os.path.join(place, "x"), adapter_name="x", autocast_adapter_dtype=False)
        model.double()
        model.add_weighted_adapter(["a", "x"], [0.7, 0.3], "both", combination_type=combination, **arguments)
        model.set_adapter("both")
    base = {n: p.detach().numpy() for n, p in base.named_parameters()}
    theirs = changed(base, merged_parameters(model))
    write(os.path.join(place, "ours"), *exported(connection, sql))
    ours = change_of(base_name, os.path.join(place, "ours"))[1]
    moved = {n for n, c in theirs.items() if c.any()}
    run.ok(moved and set(ours) == set(theirs), label + ": the same parameters")
    for name in theirs:
        size = float(np.abs(theirs[name]).max(initial=0.0))
        worst = float(np.abs(ours[name] - theirs[name]).max(initial=0.0))
        run.ok(worst <= 2e-6 * size, "%s %s" % (label, name), "worst %.3g of %.3g" % (worst, size))


def body(run):
    if maker is None:
        run.skip("PEFT is not installed")
        return
    with tempfile.TemporaryDirectory() as root, harness.scratch("peft_delta") as database, \
            harness.connect(database) as connection:
        connection.execute("CREATE TABLE t (name text PRIMARY KEY, v adapter)")
        for left, right, dtypes, expressions in PAIRS:
            for dtype in dtypes:
                check_pair(run, connection, root, left, right, dtype, expressions)
        for combination in THEIRS:
            for setting, changes in PLAIN:
                check_theirs(run, connection, root, combination, setting, changes)


if __name__ == "__main__":
    harness.main("test_peft_delta", body)
