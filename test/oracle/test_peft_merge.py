"""The merge methods against PEFT's add_weighted_adapter, factor by factor.

Three adapters of each setting are written by save_pretrained, merged by PEFT on
its base model and by the database; the factors agree within the rounding of
PEFT's float32.  PEFT draws its masks from torch's global generator: it is given
those of doc/algebra.md ("Random draws") instead.  The folder that comes out of
the database loads in PEFT without a complaint about keys.

SPDX-License-Identifier: PostgreSQL
"""
import copy
import os
import tempfile
import warnings

import numpy as np

import described
import harness
import rounding
import safetensors_lite as st
import test_merge
import test_peft_compose

try:
    import make_peft_adapters as maker
    import torch
    from peft import PeftModel, get_peft_model_state_dict
    from peft.utils import merge_utils
except ImportError as e:
    maker, reason = None, e

# of the sum of the terms' magnitudes: PEFT's products and sums are in float32
TOLERANCE = 2e-6

# method here, combination_type, density, majority
CALLS = [("magnitude_prune", "linear", 1.0, "total"), ("magnitude_prune", "magnitude_prune", 0.4, "total"),
         ("magnitude_prune", "magnitude_prune", 0.01, "total"),
         ("ties", "ties", 0.7, "total"), ("ties", "ties", 0.7, "frequency"), ("ties", "ties", 1.0, "total"),
         ("dare_linear", "dare_linear", 0.6, "total"), ("dare_ties", "dare_ties", 0.6, "total"),
         ("dare_ties", "dare_ties", 0.3, "frequency")]
WEIGHTS = [(1.0, 1.0, 1.0), (0.5, -0.7, 2.0), (0.3, 0.3, 0.0)]

# setting and what is changed of the configuration of each of the three adapters
SETTINGS = [("linear", ({}, {}, {})), ("linear", ({}, {"lora_alpha": 8}, {"lora_alpha": 1})),
            ("linear", ({}, {"target_modules": {"fc_a"}}, {"target_modules": {"fc_b"}})),
            ("alpha_pattern", ({}, {}, {"lora_alpha": 2})), ("rank_pattern", ({}, {}, {})),
            ("rslora", ({}, {}, {})), ("lora_bias", ({}, {}, {})), ("conv2d", ({}, {"lora_alpha": 3}, {})),
            ("conv1d", ({}, {}, {})), ("embedding", ({}, {"lora_alpha": 8}, {})),
            ("mixed_layers", ({}, {}, {})), ("gpt2", ({}, {"lora_alpha": 2}, {})), ("llama_all_linear", ({}, {}, {}))]


class Masks:
    """torch.bernoulli as PEFT calls it, from the documented generator.

    PEFT does not say whose tensor it prunes, so its pruning is watched: the
    tensor's address tells.
    """

    def __init__(self, model, adapters, seed):
        self.of, self.seed, self.current = {}, seed, None
        for name, a in adapters.items():
            for key, p in get_parameters(model, name).items():
                place = a.places["base_model.model." + key]
                self.of[p.data_ptr()] = (a, place)

    def __enter__(self):
        self.kept = merge_utils.random_pruning, torch.bernoulli
        merge_utils.random_pruning, torch.bernoulli = self.prune, self.draw
        return self

    def __exit__(self, *_):
        merge_utils.random_pruning, torch.bernoulli = self.kept

    def prune(self, tensor, density, rescale):
        self.current = self.of[tensor.data_ptr()] + (density,)
        return self.kept[0](tensor, density, rescale=rescale)

    def draw(self, full):
        a, place, density = self.current
        mask = test_merge.kept_mask(tuple(full.shape), density, self.seed, a, place.path, place.role)
        return torch.from_numpy(mask).to(full.dtype)


def get_parameters(model, name):
    """{key: parameter} of one adapter, named as in a file without the prefix."""
    out = {}
    for key, p in model.named_parameters():
        parts = key.split(".")
        if name in parts and any(x.startswith("lora_") for x in parts):
            out[key.replace("base_model.model.", "", 1).replace("." + name, "", 1)] = p
    return out


def terms(adapters, weights, key):
    """Sum of the magnitudes of u x over the adapters, for the tolerance."""
    total = 0.0
    for (a, w) in zip(adapters, weights):
        t = a.tensors.get(key)
        if t is not None:
            place = a.places[key]
            c = test_merge.coefficient(w, a.modules[place.path].scaling, place.role)
            total = total + abs(c) * np.abs(rounding.widen(t.array(), t.dtype))
    return total


def check_call(run, connection, label, model, names, adapters, weights, call, seed):
    method, peft_type, density, majority = call
    sql = test_merge.call(method, range(len(adapters)), weights, density, seed, majority)
    file, config = connection.execute(
        "SELECT adapter_to_safetensors(e), adapter_config(e)::text FROM (SELECT %s AS e OFFSET 0) s" % sql).fetchone()
    _, ours = st.read(file)
    with warnings.catch_warnings(), Masks(model, dict(zip(names, adapters)), seed):
        warnings.simplefilter("ignore")
        model.add_weighted_adapter(names, list(weights), "merged", peft_type, density=density, majority_sign_method=majority)
        theirs = get_peft_model_state_dict(model, adapter_name="merged", save_embedding_layers=False)
        model.delete_adapter("merged")
    factors = {n for n in ours if not n.endswith(".lora_B.bias")}
    run.equal(factors, {n for n in theirs if not n.endswith(".lora_B.bias")}, label + ": names")
    worst = 0.0
    for name in factors & set(theirs):
        got = rounding.widen(ours[name].array(), ours[name].dtype)
        wanted = theirs[name].detach().double().numpy()
        if got.shape != wanted.shape:
            run.ok(False, label + " " + name, "shape %s, wanted %s" % (got.shape, wanted.shape))
            continue
        size = terms(adapters, weights, name) / min(1.0, density if "dare" in method else 1.0)
        error = np.abs(got - wanted) / np.maximum(size, 1e-30)
        worst = max(worst, float(error.max()))
    run.ok(worst <= TOLERANCE, label, "worst %.3g of the terms" % worst)
    return file, config


def check_loads(run, label, base_name, file, config, place):
    os.makedirs(place)
    with open(os.path.join(place, "adapter_model.safetensors"), "wb") as f:
        f.write(file)
    with open(os.path.join(place, "adapter_config.json"), "w", encoding="utf-8") as f:
        f.write(config)
    try:
        _, model, complaints = test_peft_compose.load(base_name, place)
    except Exception as e:
        run.ok(False, label + ": loads", "%s: %s" % (type(e).__name__, e))
        return
    run.ok(not complaints.found(), label + ": keys", complaints.found()[:2])
    scalings = {s for m in model.modules() if hasattr(m, "lora_A") for s in m.scaling.values()}
    run.equal(scalings, {1.0}, label + ": scaling")


def check_setting(run, connection, root, number, setting, changes):
    place = os.path.join(root, str(number))
    connection.execute("TRUNCATE t")
    adapters, names = [], ["one", "two", "three"]
    for i, name in enumerate(names):
        def change(config):
            for k, v in changes[i].items():
                setattr(config, k, v)
        base_name, folder = maker.write(os.path.join(place, name), setting, "F32", 100 * run.seed + 10 * number + i, change)
        with open(os.path.join(folder, "adapter_model.safetensors"), "rb") as f:
            file = f.read()
        with open(os.path.join(folder, "adapter_config.json"), encoding="utf-8") as f:
            config = f.read()
        connection.execute("INSERT INTO t SELECT %s, adapter_from_safetensors(%b, %s::json)", (i, file, config))
        adapters.append(described.describe(file, config))
    model = PeftModel.from_pretrained(copy.deepcopy(maker.base(base_name)), os.path.join(place, names[0]), adapter_name=names[0])
    for name in names[1:]:
        model.load_adapter(os.path.join(place, name), adapter_name=name)
    for call in CALLS:
        for weights in WEIGHTS:
            label = "%d %s %s %s %s %s" % (number, setting, call[1], call[2], call[3], weights)
            file, config = check_call(run, connection, label, model, names, adapters, weights, call,
                                      run.random.getrandbits(40))
        check_loads(run, label, base_name, file, config, os.path.join(place, "-".join(map(str, call))))


def body(run):
    if maker is None:
        run.skip("PEFT is not installed: %s" % reason)
        return
    with tempfile.TemporaryDirectory() as root, harness.scratch("peft_merge") as database, \
            harness.connect(database) as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, a adapter)")
        for number, (setting, changes) in enumerate(SETTINGS):
            try:
                check_setting(run, connection, root, number, setting, changes)
            except harness.psycopg.Error as e:
                run.ok(False, "%d %s" % (number, setting), "%s %s" % (e.sqlstate, e))


if __name__ == "__main__":
    harness.main("test_peft_merge", body)
