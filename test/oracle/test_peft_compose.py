"""Composed values load in PEFT, and PEFT computes the delta that the algebra says.

Two adapters a, x of each setting are written by save_pretrained, composed in
SQL and exported to a folder; PEFT loads the folder on the same base without a
complaint about keys, and its own delta (the merged weight less the base weight,
in float64) is compared with the formula, which is worked out here from the
tensors of the two files.

SPDX-License-Identifier: PostgreSQL
"""
import copy
import json
import math
import os
import sys
import tempfile
import warnings

import numpy as np

import described
import harness
import rounding
import safetensors_lite as st

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data"))

try:
    import make_peft_adapters as maker
    import torch
    from peft import PeftModel
except ImportError as e:
    maker, reason = None, e

# one rounding of each factor to the dtype of the result, relative to the terms
TOLERANCE = {"F64": 1e-12, "F32": 1e-6, "F16": 2.0**-9, "BF16": 2.0**-6}

# name: (SQL, [(p, q) of a, (p, q) of x], factor on the whole delta)
EXPRESSIONS = {
    "merge": ("0.5 * a.v + 0.5 * x.v", ((0.5, 0.5), (0.5, 0.5)), 1.0),
    "minus": ("a.v - x.v", ((1.0, 1.0), (1.0, -1.0)), 1.0),
    "detox": ("a.v + 0.4 * (a.v - x.v)", ((1.4, 1.4), (0.4, -0.4)), 1.0),
    "lerp": ("adapter_lerp(a.v, x.v, -0.4)", ((1.4, 1.4), (-0.4, -0.4)), 1.0),
    "scale": ("adapter_scale(a.v, -1.7)", ((1.0, 1.0), None), -1.7),
    "negate": ("- a.v", ((1.0, -1.0), None), 1.0),
    "double": ("2 * a.v", ((2.0, 2.0), None), 1.0),
    "neutral": ("0 * a.v", (None, None), 0.0),
    "cast": ("adapter_cast(a.v, 'F64')", ((1.0, 1.0), None), 1.0),
}
MIXABLE = ("merge", "lerp", "scale", "cast")        # weights that sum to 1, for dense tensors

# setting of a, setting of x, expressions
PAIRS = [("linear", "linear", EXPRESSIONS), ("alpha_half", "alpha_half", EXPRESSIONS), ("alpha_double", "alpha_double", EXPRESSIONS),
         ("alpha_real", "alpha_real", EXPRESSIONS), ("rslora", "rslora", EXPRESSIONS), ("rank_pattern", "rank_pattern", EXPRESSIONS),
         ("alpha_pattern", "alpha_pattern", EXPRESSIONS), ("both_patterns", "both_patterns", EXPRESSIONS), ("lora_bias", "lora_bias", EXPRESSIONS),
         ("conv2d", "conv2d", EXPRESSIONS), ("conv1d", "conv1d", EXPRESSIONS), ("embedding", "embedding", EXPRESSIONS),
         ("mixed_layers", "mixed_layers", EXPRESSIONS), ("gpt2", "gpt2", EXPRESSIONS), ("llama_all_linear", "llama_all_linear", EXPRESSIONS),
         ("layers_to_transform", "layers_to_transform", EXPRESSIONS), ("regex_targets", "regex_targets", EXPRESSIONS),
         ("target_parameters", "target_parameters", ("merge", "lerp", "scale", "minus")),
         ("parameters_only", "parameters_only", ("merge", "scale", "neutral")),
         ("attention", "attention", EXPRESSIONS),
         ("modules_to_save", "modules_to_save", MIXABLE), ("saved_block", "saved_block", MIXABLE), ("bias_lora_only", "bias_lora_only", MIXABLE), ("bias_all", "bias_all", MIXABLE),
         ("classifier", "classifier", MIXABLE), ("ia3_saved", "ia3_saved", MIXABLE),
         ("ia3", "ia3", EXPRESSIONS), ("ia3_conv", "ia3_conv", EXPRESSIONS), ("ia3_regex", "ia3_regex", EXPRESSIONS),
         ("ia3_gpt2", "ia3_gpt2", EXPRESSIONS), ("ia3_no_feedforward", "ia3_no_feedforward", EXPRESSIONS),
         # scalings that differ are folded; modules that one side lacks
         ("linear", "alpha_double", EXPRESSIONS), ("linear", "alpha_pattern", EXPRESSIONS), ("alpha_half", "regex_targets", EXPRESSIONS),
         ("regex_targets", "linear", EXPRESSIONS), ("lora_bias", "lora_bias_half", EXPRESSIONS), ("conv2d", "conv2d_half", EXPRESSIONS),
         ("rslora", "rank3", EXPRESSIONS), ("embedding", "embedding_double", EXPRESSIONS),
         # dense tensors that are the same in both, or in one alone; PEFT saves the frozen embedding by itself
         ("modules_to_save", "saved_same", EXPRESSIONS), ("modules_to_save", "linear", EXPRESSIONS),
         ("linear", "bias_lora_only", ("merge", "minus", "lerp")), ("bias_lora_only", "bias_same", EXPRESSIONS),
         ("locked_embedding", "locked_embedding", EXPRESSIONS),
         # a lora_bias that one lacks; a flag that PEFT corrects; heads that old files do not declare
         ("lora_bias", "linear", EXPRESSIONS), ("linear", "lora_bias", ("merge", "minus")),
         ("gpt2", "gpt2_false", EXPRESSIONS), ("classifier_old", "classifier_untasked", MIXABLE[:2])]
EDITS = {"gpt2_false": ("gpt2", {"fan_in_fan_out": False}), "classifier_old": ("classifier", {"modules_to_save": None}),
         "classifier_untasked": ("classifier", {"modules_to_save": None, "task_type": None})}
SAME = {"saved_same": "modules_to_save", "bias_same": "bias_lora_only"}     # with the other side's dense tensors
CHANGES = {"lora_bias_half": ("lora_bias", {"lora_alpha": 2}), "conv2d_half": ("conv2d", {"lora_alpha": 2}),
           "rank3": ("alpha_real", {"lora_alpha": 3}), "embedding_double": ("embedding", {"lora_alpha": 8})}


def values(t):
    return rounding.widen(t.array(), t.dtype)


def common(a, x, path, used):
    """The scaling of the sum and each side's factor under the root."""
    scalings = [s.modules[path].scaling for s, w in ((a, used[0]), (x, used[1])) if w and path in s.modules]
    if len(set(scalings)) == 1:
        return scalings[0], lambda s: 1.0
    return 1.0, lambda s: s


def combined(a, x, path, weights, role):
    """sum of the sides' tensors of a role, in float64, and the sum of magnitudes."""
    total = size = None
    _, inside = common(a, x, path, weights)
    for side, w in ((a, weights[0]), (x, weights[1])):
        if not w or path not in side.modules:
            continue
        entry = side.placed().get((path, role, None))
        if entry is None:
            continue
        s = inside(side.modules[path].scaling)
        c = {described.A: w[0] * math.sqrt(s), described.B: w[1] * math.sqrt(s), described.BIAS: w[1] * s}[role]
        v = c * values(entry[1])
        total = v if total is None else total + v
        size = abs(v) if size is None else size + abs(v)
    return total, size


def expected_lora(a, x, path, weights, factor):
    """(delta, bias or None, size of the terms) that the algebra says for a module."""
    s, _ = common(a, x, path, weights)
    fa, sa = combined(a, x, path, weights, described.A)
    fb, sb = combined(a, x, path, weights, described.B)
    bias, bias_size = combined(a, x, path, weights, described.BIAS)
    any_side = a if path in a.modules else x
    flags = any_side.modules[path].flags

    def product(l, r):
        flat = l.reshape(l.shape[0], -1) @ r.reshape(r.shape[0], -1)
        if flags & described.EMBEDDING or (any_side.fan_in_fan_out and r.ndim == 2):
            return flat.T
        return flat.reshape((l.shape[0],) + r.shape[1:])
    delta = factor * s * product(fb, fa)
    size = abs(factor * s) * product(sb, sa)
    if bias is not None:
        # the bias of B passes through the scaling too
        bias, bias_size = factor * s * bias, abs(factor * s) * bias_size
    return delta, bias, size, bias_size


def expected_ia3(a, x, path, weights, factor):
    """The vector l of the result."""
    total, shape = 0.0, None
    for side, w in ((a, weights[0]), (x, weights[1])):
        if w and path in side.modules:
            l = values(side.placed()[path, described.VECTOR, None][1])
            total = total + w[1] * (l - 1)
            shape = l.shape
    if shape is None:
        return None
    return 1 + factor * total


def modules_of(a, x, weights):
    paths = set(a.modules) if weights[0] else set()
    return sorted(paths | (set(x.modules) if weights[1] else set()))


class Complaints:
    """Warnings about keys that were missing, unexpected or ignored."""
    WORDS = ("missing", "unexpected", "mismatch", "ignored", "not found", "no effect", "not initialized")

    def __init__(self):
        self.caught = []

    def found(self):
        texts = [str(w.message) for w in self.caught]
        return [t for t in texts if any(word in t.lower() for word in self.WORDS)]


def load(base_name, folder):
    """(model with the adapter, complaints): on a base in float64, weights as they are."""
    complaints = Complaints()
    base = maker.base(base_name).double()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = PeftModel.from_pretrained(copy.deepcopy(base), folder, autocast_adapter_dtype=False)
        complaints.caught = list(caught)
    return base, model, complaints


def merged_parameters(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        merged = copy.deepcopy(model).double().merge_and_unload()
    return {n: p.detach().numpy() for n, p in merged.named_parameters()}


def close(got, wanted, size, tolerance):
    scale = np.maximum(size, np.abs(wanted)).max() if np.size(wanted) else 0.0
    worst = float(np.abs(got - wanted).max()) if np.size(wanted) else 0.0
    return worst <= tolerance * max(scale, 1e-30), "worst %.3g of %.3g" % (worst, scale)


def parameter_of(base, path):
    """The weight of a module; of torch's MultiheadAttention that of query, key and value."""
    path = path.replace(".base_layer", "")
    return path + (".weight" if path + ".weight" in base else ".in_proj_weight")


def check_module(run, label, a, x, path, weights, factor, base, merged, tolerance):
    """The merged weight less the base weight against the formula."""
    parameter = parameter_of(base, path)
    if parameter not in base:
        run.ok(False, label, "no parameter " + parameter)
        return
    got = merged[parameter] - base[parameter]
    if a.kind == 2:
        l = expected_ia3(a, x, path, weights, factor)
        if l is None:
            l = np.ones((1, 1))
        feed = (a if path in a.modules else x).modules[path].flags & described.FEEDFORWARD
        w = base[parameter]
        if a.fan_in_fan_out:
            wanted = w.T * l
            wanted = wanted.T - w
        elif w.ndim > 2:
            wanted = (w * l if feed else w * l.reshape((-1,) + (1,) * (w.ndim - 1))) - w
        else:
            wanted = w * l - w
        ok, detail = close(got, wanted, np.abs(w) * np.abs(l).max(), tolerance)
        run.ok(ok, label + " " + path, detail)
        return
    if not any(weights):
        # neutral: rank 1, zeros
        run.ok(not got.any(), label + " " + path + ": neutral", float(abs(got).max()))
        return
    delta, bias, size, bias_size = expected_lora(a, x, path, weights, factor)
    if got.shape != delta.shape:
        delta, size = delta.reshape(got.shape), size.reshape(got.shape)
    ok, detail = close(got, delta, size, 2 * tolerance if tolerance > 1e-5 else tolerance)
    run.ok(ok, label + " " + path, detail)
    if bias is not None:
        got = merged[path + ".bias"] - base[path + ".bias"]
        ok, detail = close(got, bias, bias_size, tolerance)
        run.ok(ok, label + " " + path + " bias", detail)


def check_dense(run, label, a, x, weights, merged, tolerance):
    """A mixture, or what is the same in all that have it."""
    used = [(side, w[1]) for side, w in ((a, weights[0]), (x, weights[1])) if w] or [(a, 0.0)]
    for path, role, key in sorted({p for side, _ in used for p in side.placed() if p[1] == described.DENSE}):
        have = [(values(side.placed()[path, role, key][1]), w) for side, w in used if (path, role, key) in side.placed()]
        wanted = have[0][0]
        if len(have) == len(used) and abs(sum(w for _, w in have) - 1) <= 1e-9:
            wanted = sum(w * v for v, w in have)
        name = key.replace(".base_layer", "")
        if name.endswith(".weight") and any((path, described.A, None) in side.placed() for side, _ in used):
            continue    # the merged weight has the delta too: check_module
        if name not in merged:
            run.ok(False, label + " " + key, "not in the model")
            continue
        ok, detail = close(merged[name], wanted, np.abs(wanted), tolerance)
        run.ok(ok, label + " dense " + key, detail)


def check_expression(run, connection, label, expression, a, x, base_name, dtype, folder):
    sql, weights, factor = EXPRESSIONS[expression]
    try:
        file, config = connection.execute(
            "SELECT adapter_to_safetensors(v), adapter_config(v)::text FROM (SELECT %s AS v"
            " FROM t a, t x WHERE a.name = 'a' AND x.name = 'x' OFFSET 0) s" % sql).fetchone()
    except harness.psycopg.Error as e:
        run.ok(False, label, "%s %s" % (e.sqlstate, e))
        return
    os.makedirs(folder)
    with open(os.path.join(folder, "adapter_model.safetensors"), "wb") as f:
        f.write(file)
    with open(os.path.join(folder, "adapter_config.json"), "w", encoding="utf-8") as f:
        f.write(config)
    try:
        base, model, complaints = load(base_name, folder)
    except Exception as e:
        run.ok(False, label + ": loads", "%s: %s" % (type(e).__name__, e))
        return
    run.ok(not complaints.found(), label + ": keys", complaints.found()[:2])
    written = described.describe(file, config)
    missing = set(written.tensors) - places_of(model)
    run.ok(not missing, label + ": every tensor has a place", sorted(missing)[:3])
    members = json.loads(config)
    run.ok(members["inference_mode"] is True and members.get("layers_to_transform") is None
           or expression == "cast", label + ": configuration", config[:200])
    tolerance = TOLERANCE[dtype]
    base = {n: p.detach().numpy() for n, p in base.named_parameters()}
    if a.target_parameters:
        return check_parameters(run, label, a, x, weights, factor, base, model, tolerance)
    merged = merged_parameters(model)
    for path in (p for p in a.modules if ".base_layer." in p):
        # PEFT 0.21 merges what is inside a wrapped layer twice, so its delta is asked for
        name = parameter_of(base, path)
        with torch.no_grad():
            merged[name] = base[name] + model.get_submodule("base_model.model." + path).get_delta_weight("default").numpy()
    for path in modules_of(a, x, weights) or sorted(a.modules):
        check_module(run, label, a, x, path, weights, factor, base, merged, tolerance)
    check_dense(run, label, a, x, weights, merged, tolerance)
    changed = {n for n in base if n in merged and not np.array_equal(base[n], merged[n])}
    allowed = {parameter_of(base, p) for p in written.modules} | {p + ".bias" for p in written.modules} | {
        p.key.replace(".base_layer", "") for p in written.places.values() if p.role == described.DENSE}
    run.ok(changed <= allowed, label + ": nothing else changes", sorted(changed - allowed)[:3])


def places_of(model):
    """The names that a file may have for the loaded model."""
    return {k.replace(".modules_to_save.default", "").replace(".default", "") for k in model.state_dict()}


def check_parameters(run, label, a, x, weights, factor, base, model, tolerance):
    """Experts: delta[e] = s * sum over rank of B[:, r, e] A[e, r, :], added to the parameter."""
    merged = merged_parameters(model)
    for path in modules_of(a, x, weights):
        if path + ".weight" not in base or base[path + ".weight"].ndim != 3:
            check_module(run, label, a, x, path, weights, factor, base, merged, tolerance)
            continue
        s, _ = common(a, x, path, weights)
        fa, _ = combined(a, x, path, weights, described.A)
        fb, _ = combined(a, x, path, weights, described.B)
        w = base[path + ".weight"]
        e = w.shape[0]
        r = fa.shape[0] // e
        fa, fb = fa.reshape(e, r, -1), fb.reshape(-1, r, e)
        wanted = factor * s * np.einsum("ore,eri->eoi", fb, fa)
        got = merged[path + ".weight"] - w
        if got.shape != wanted.shape:
            wanted = wanted.transpose(0, 2, 1)
        ok, detail = close(got, wanted, np.abs(wanted), 4 * tolerance)
        run.ok(ok, label + " experts", detail)


def build(folder, setting, dtype, seed):
    name, changes = CHANGES.get(setting, (origin(setting), {}))

    def change(config):
        for k, v in changes.items():
            setattr(config, k, v)
    base_name, _ = maker.write(folder, name, dtype, seed, change)
    with open(os.path.join(folder, "adapter_model.safetensors"), "rb") as f:
        file = f.read()
    with open(os.path.join(folder, "adapter_config.json"), encoding="utf-8") as f:
        config = f.read()
    if setting in EDITS:
        config = json.dumps(dict(json.loads(config), **EDITS[setting][1]))
    return base_name, file, config


def origin(setting):
    """The maker's setting that one is made from."""
    return SAME.get(setting) or CHANGES.get(setting, EDITS.get(setting, (setting,)))[0]


def with_dense_of(file, config, other):
    """The file with the dense tensors of another one."""
    _, tensors = st.read(file)
    _, theirs = st.read(other)
    for name, place in described.describe(file, config).places.items():
        if place.role == described.DENSE:
            tensors[name] = theirs[name]
    return st.canonical(tensors)


def check_pair(run, connection, root, left, right, dtype, expressions):
    title = "%s and %s %s" % (left, right, dtype)
    place = os.path.join(root, title.replace(" ", "_"))
    connection.execute("TRUNCATE t")
    sides = []
    for name, setting, seed in (("a", left, 2 * run.seed), ("x", right, 2 * run.seed + 1)):
        base_name, file, config = build(os.path.join(place, name), setting, dtype, seed)
        if setting in SAME:
            file = with_dense_of(file, config, first)
        first = file
        connection.execute("INSERT INTO t SELECT %s, adapter_from_safetensors(%b, %s::json)", (name, file, config))
        sides.append(described.describe(file, config))
    for expression in expressions:
        check_expression(run, connection, "%s: %s" % (title, expression), expression, sides[0], sides[1],
                         base_name, dtype, os.path.join(place, expression))


def body(run):
    if maker is None:
        run.skip("PEFT is not installed: %s" % reason)
        return
    dtypes = {s[0]: s[3] for s in maker.SETTINGS}
    with tempfile.TemporaryDirectory() as root, harness.scratch("compose") as database, \
            harness.connect(database) as connection:
        connection.execute("CREATE TABLE t (name text PRIMARY KEY, v adapter)")
        for left, right, expressions in PAIRS:
            for dtype in dtypes[origin(left)]:
                if dtype not in dtypes.get(origin(right), ()):
                    continue
                try:
                    check_pair(run, connection, root, left, right, dtype, expressions)
                except harness.psycopg.Error as e:
                    run.ok(False, "%s and %s %s" % (left, right, dtype), "%s %s" % (e.sqlstate, e))


if __name__ == "__main__":
    harness.main("test_peft_compose", body)
