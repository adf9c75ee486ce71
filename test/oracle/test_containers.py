"""Files of diffusion models' LoRA (kohya, LoCon, diffusers, ComfyUI) against what they mean in numpy.

Every file comes out as it went in and through its text; its modules' deltas, sums of
deltas, truncations, averages and merges are those of numpy, or of the same adapter
with PEFT's names; and a composed file, read by the rules of its container alone,
says the same.

SPDX-License-Identifier: PostgreSQL
"""
import json

import numpy as np

import containers
import harness
import safetensors_lite as st

N = 12          # files of each form
FORMS = [("kohya", "kohya"), ("kohya middle", "kohya"), ("diffusers", "diffusers"), ("native", "native"),
         ("processor", "diffusers"), ("layer", "diffusers"), ("linear", "diffusers"), ("bare", "native")]


def file_of(random, form, paths, **more):
    spelling = {"kohya middle": "kohya", "native": "diffusers"}.get(form, form)
    more.setdefault("alphas", "some" if spelling != "diffusers" or random.integers(2) else "none")
    return containers.make(random, spelling, containers.PATHS[paths], middle=form == "kohya middle", **more)


def array_of(values, shape):
    return np.array(values, dtype=np.float64).reshape(shape)


def close(got, wanted, tolerance=1e-12):
    return got.shape == wanted.shape and np.abs(got - wanted).max() <= tolerance * max(1, np.abs(wanted).max())


def check_alone(run, connection, label, tensors, file):
    """In, out, as text, and each module's delta."""
    connection.execute("DELETE FROM t WHERE k = 'a'")
    connection.execute("INSERT INTO t VALUES ('a', adapter_from_safetensors(%s))", (file,))
    out, same, checked = connection.execute(
        "SELECT adapter_to_safetensors(a), adapter_envelope_digest(a::text::adapter) = adapter_envelope_digest(a),"
        " adapter_check(a) FROM t WHERE k = 'a'").fetchone()
    run.ok(out == file, label + ": the bytes that went in")
    run.ok(same and checked, label + ": as text")
    again = connection.execute("SELECT adapter_digest(adapter_from_safetensors(%s)) = adapter_digest(a) AND"
                               " adapter_digest(adapter_from_json(adapter_to_json(a))) = adapter_digest(a)"
                               " FROM t WHERE k = 'a'", (file,)).fetchone()[0]
    run.ok(again, label + ": the digest again, and by the readable form")
    for path, delta in containers.meaning(tensors).items():
        got = connection.execute("SELECT adapter_module_delta(a, %s) FROM t WHERE k = 'a'", (path,)).fetchone()[0]
        middle = path + ".lora_mid.weight" in tensors
        run.ok(close(array_of(got, delta.shape), delta, 1e-6 if middle else 1e-12), label + ": delta of " + path)


def meaning_of(file):
    return containers.meaning(st.read(file)[1], containers.scalings_of(file))


# of a and b, and of their likes with PEFT's names, p and q
OPERATIONS = {
    "sum of deltas": "(0.7 * delta({a}) - 0.3 * delta({b}))::adapter",
    "average": "0.5 * {a} + 0.5 * {b}",
    "scaled": "adapter_scale({a}, -0.3)",
    "cast": "adapter_cast({a}, 'F32')",
    "plain": "adapter_plain({a})",
    "truncated": "adapter_truncate(0.7 * delta({a}) + 0.3 * delta({b}), rank => 1)",
    "ties": "adapter_ties(array[{a}, {b}], array[0.5, 0.5], 0.5, 'peft')",
    "selected": "adapter_select({a}, '.*(0|fc1|mlp).*')",
}


def check_composed(run, connection, label, form, files, tensors):
    connection.execute("TRUNCATE t")
    for k, file in zip("ab", files):
        connection.execute("INSERT INTO t VALUES (%s, adapter_from_safetensors(%s))", (k, file))
    for k, like in zip("pq", (containers.to_peft(t) for t in tensors)):
        connection.execute("INSERT INTO t VALUES (%s, adapter_from_safetensors(%s, %s))", (k,) + like)
    for name, call in OPERATIONS.items():
        out, config, same = connection.execute(
            "SELECT adapter_to_safetensors(c), adapter_config(c), adapter_envelope_digest(c::text::adapter) ="
            " adapter_envelope_digest(c) FROM (SELECT %s AS c OFFSET 0) s"
            % call.format(a="(SELECT a FROM t WHERE k = 'a')", b="(SELECT a FROM t WHERE k = 'b')")).fetchone()
        like = connection.execute(
            "SELECT adapter_to_safetensors(c), adapter_config(c) FROM (SELECT %s AS c OFFSET 0) s"
            % call.format(a="(SELECT a FROM t WHERE k = 'p')", b="(SELECT a FROM t WHERE k = 'q')")).fetchone()
        got, wanted = meaning_of(out), peft_meaning(*like)
        run.ok(same, "%s, %s: as text" % (label, name))
        run.ok(sorted(got) == sorted(wanted) and all(close(got[p], wanted[p], 1e-6) for p in wanted),
               "%s, %s: what it means" % (label, name), (sorted(got), sorted(wanted)))
        again = connection.execute("SELECT adapter_to_safetensors(adapter_from_safetensors(%s)) = %s", (out, out)).fetchone()[0]
        run.ok(again, "%s, %s: imported again" % (label, name))
        wanted_end = containers.SPELLINGS[{"kohya middle": "kohya", "native": "diffusers"}.get(form, form)]
        names = [n for n in st.read(out)[1] if containers.ending(n)]
        run.ok(names and all(n.endswith(wanted_end) and not n.startswith("base_model.") for n in names),
               "%s, %s: spelled as its operands" % (label, name), names[:2])


def peft_meaning(file, config):
    """By the full paths that composed configurations have as keys."""
    ranks, alphas = config.get("rank_pattern") or {}, config.get("alpha_pattern") or {}
    tensors, scalings = {}, {}
    for name, tensor in st.read(file)[1].items():
        name = name.removeprefix("base_model.model.")
        tensors[name] = tensor
        path = containers.ending(name)[0]
        rank = ranks.get(path, config["r"])
        scalings[path] = alphas.get(path, config["lora_alpha"]) / (rank ** 0.5 if config.get("use_rslora") else rank)
    return containers.meaning(tensors, scalings)


def check_sum(run, connection, label, tensors):
    """The sum of deltas against numpy itself."""
    out = connection.execute("SELECT adapter_to_safetensors((0.7 * delta((SELECT a FROM t WHERE k = 'a'))"
                             " - 0.3 * delta((SELECT a FROM t WHERE k = 'b')))::adapter)").fetchone()[0]
    got, (x, y) = meaning_of(out), map(containers.meaning, tensors)
    for path in x:
        wanted = 0.7 * x[path] - 0.3 * y[path]
        # one rounding of B to the file's dtype
        run.ok(close(got[path], wanted, 2e-2), label + ": the sum in numpy, " + path, np.abs(got[path] - wanted).max())


def check_parts(run, connection, label):
    """Cut and put together again, an adapter is the same."""
    same, base = connection.execute(
        "SELECT (SELECT adapter_digest(adapter_union(p)) FROM adapter_split(a, 1200) p) = adapter_digest(a),"
        " adapter_to_safetensors(adapter_set_base_model(a, 'b')) = adapter_to_safetensors(a) FROM t WHERE k = 'a'").fetchone()
    run.ok(same, label + ": split and union")
    run.ok(base, label + ": another base model, the same file")


def body(run):
    random = np.random.default_rng(run.seed)
    with harness.scratch("containers") as name, harness.connect(name) as connection:
        connection.execute("CREATE TABLE t (k text, a adapter)")
        for form, paths in FORMS:
            for i in range(N):
                dtype = ["F16", "BF16", "F32"][i % 3]
                label = "%s %d" % (form, i)
                tensors = file_of(random, form, paths, dtype=dtype)
                check_alone(run, connection, label, tensors, st.canonical(tensors))
            for i in range(3):
                label = "%s pair %d" % (form, i)
                pair = [file_of(random, form, paths, dtype="F32", ranks=[2, 3, 2, 1],
                                alphas="all" if form != "diffusers" else "none") for _ in range(2)]
                check_composed(run, connection, label, form, [st.canonical(t) for t in pair], pair)
                check_sum(run, connection, label, pair)
                check_parts(run, connection, label)
        check_metadata(run, connection, random)
        check_mlx(run, connection, random)


def mlx_meaning(file, config):
    scale, tensors = config["lora_parameters"]["scale"], st.read(file)[1]
    return {n.removesuffix(".lora_a"): scale * (containers.values_of(t) @ containers.values_of(tensors[n[:-1] + "b"])).T
            for n, t in tensors.items() if n.endswith(".lora_a")}


def make_mlx(random, dtype, ranks):
    tensors, like = {}, {}
    for path, rank, (size, out) in zip(("model.layers.0.self_attn.q_proj", "model.layers.1.mlp.up_proj", "lm_head"), ranks, ((5, 4), (3, 7), (6, 2))):
        a, b = random.standard_normal((size, rank)), random.standard_normal((rank, out))
        tensors[path + ".lora_a"], tensors[path + ".lora_b"] = containers.of_values(dtype, a), containers.of_values(dtype, b)
        like["base_model.model.%s.lora_A.weight" % path] = containers.of_values(dtype, a.T)
        like["base_model.model.%s.lora_B.weight" % path] = containers.of_values(dtype, b.T)
    scale = float(random.choice([20.0, 0.3, 1.0]))
    config = json.dumps({"model": "m", "train": True, "fine_tune_type": "lora", "num_layers": 2, "optimizer_config": {"adam": {}},
                         "lora_parameters": {"rank": max(ranks), "scale": scale, "dropout": 0.0}})
    peft = json.dumps({"peft_type": "LORA", "base_model_name_or_path": "m", "r": 1, "lora_alpha": 1,
                       "rank_pattern": dict(zip(("q_proj", "up_proj", "lm_head"), ranks)),
                       "alpha_pattern": dict(zip(("q_proj", "up_proj", "lm_head"), [scale * r for r in ranks]))})
    return (st.canonical(tensors), config), (st.canonical(like), peft)


def check_mlx(run, connection, random):
    for i in range(N):
        label = "MLX %d" % i
        pair = [make_mlx(random, ["F16", "BF16", "F32"][i % 3], (2, 2, 2)) for _ in range(2)]
        connection.execute("TRUNCATE t")
        for (k, p), (own, like) in zip(("ap", "bq"), pair):
            connection.execute("INSERT INTO t VALUES (%s, adapter_from_safetensors(%s, %s))", (k,) + own)
            connection.execute("INSERT INTO t VALUES (%s, adapter_from_safetensors(%s, %s))", (p,) + like)
        same, text, json_form, config = connection.execute(
            "SELECT adapter_to_safetensors(a) = %s, adapter_envelope_digest(a::text::adapter) = adapter_envelope_digest(a),"
            " adapter_from_json(adapter_to_json(a)) = a, adapter_config(a)::text FROM t WHERE k = 'a'", (pair[0][0][0],)).fetchone()
        run.ok(same and text and json_form and config == pair[0][0][1], label + ": file, text, JSON, configuration")
        check_parts(run, connection, label)
        for path, delta in mlx_meaning(pair[0][0][0], json.loads(pair[0][0][1])).items():
            got = connection.execute("SELECT adapter_module_delta(a, %s) FROM t WHERE k = 'a'", (path,)).fetchone()[0]
            run.ok(close(array_of(got, delta.shape), delta), label + ": delta of " + path)
        for name, call in OPERATIONS.items():
            if name == "average" or name == "ties":
                call = call.replace("{b}", "adapter_scale({a}, 0.5)")
            composed = "SELECT adapter_to_safetensors(c), adapter_config(c), adapter_envelope_digest(c::text::adapter) = adapter_envelope_digest(c) FROM (SELECT %s AS c OFFSET 0) s"
            out, config, same = connection.execute(composed % call.format(
                a="(SELECT a FROM t WHERE k = 'a')", b="(SELECT a FROM t WHERE k = 'b')").replace(".*(0|fc1|mlp).*", ".*(0|mlp).*")).fetchone()
            like, said, _ = connection.execute(composed % call.format(
                a="(SELECT a FROM t WHERE k = 'p')", b="(SELECT a FROM t WHERE k = 'q')").replace(".*(0|fc1|mlp).*", ".*(0|mlp).*")).fetchone()
            if not run.ok(same and "lora_parameters" in config, "%s, %s: as MLX has it" % (label, name), config):
                continue
            got, wanted = mlx_meaning(out, config), peft_meaning(like, said)
            run.ok(sorted(got) == sorted(wanted) and all(close(got[p], wanted[p], 1e-6) for p in got), "%s, %s: what it means" % (label, name))


def check_metadata(run, connection, random):
    """diffusers' lora_adapter_metadata: what it says is the scaling; kohya's hash is the base model."""
    tensors = containers.make(random, "diffusers", containers.PATHS["diffusers"], ranks=[2, 3, 2, 1], alphas="none", dtype="F32")
    flat = {"unet.r": 2, "unet.lora_alpha": 1, "unet.rank_pattern": {"conv": 3, "proj_in": 1}, "unet.alpha_pattern": {"conv": 6},
            "unet.target_modules": ["to_q", "conv", "proj_in"], "text_encoder.r": 2, "text_encoder.lora_alpha": 4,
            "text_encoder.use_rslora": True, "text_encoder.target_modules": ["fc1"]}
    file = with_metadata(tensors, {"format": "pt", "lora_adapter_metadata": json.dumps(flat)})
    scalings = containers.scalings_of(file)
    run.equal(sorted(set(scalings.values())), [0.5, 1.0, 2.0, 4 / 2 ** 0.5], "scalings of the metadata")
    connection.execute("TRUNCATE t")
    connection.execute("INSERT INTO t VALUES ('a', adapter_from_safetensors(%s))", (file,))
    rows = dict(connection.execute("SELECT module, scaling FROM t, adapter_modules(a)").fetchall())
    run.equal(rows, scalings, "scalings from the metadata")
    out = connection.execute("SELECT adapter_to_safetensors(adapter_scale(a, 0.5)) FROM t").fetchone()[0]
    wanted = {p: 0.5 * d for p, d in containers.meaning(tensors, scalings).items()}
    got = meaning_of(out)
    run.ok(sorted(got) == sorted(wanted) and all(close(got[p], wanted[p]) for p in got), "scaled, told by the metadata")
    tensors = containers.make(random, "kohya", containers.PATHS["kohya"])
    digest = "0123456789abcdef" * 4
    file = with_metadata(tensors, {"ss_new_sd_model_hash": digest, "ss_base_model_version": "sd_v1", "ss_tag_frequency": "{\"x\": 1}"})
    base, out, result = connection.execute("SELECT adapter_base_model(a), adapter_to_safetensors(a), adapter_to_safetensors(-a)"
                                           " FROM (SELECT adapter_from_safetensors(%s) a OFFSET 0) s", (file,)).fetchone()
    run.equal((base, out == file, containers.metadata_of(result).get("ss_new_sd_model_hash")), (digest, True, digest), "the base model by its hash")


def with_metadata(tensors, metadata):
    file = st.canonical(tensors)
    n = int.from_bytes(file[:8], "little")
    header = json.loads(file[8:8 + n])
    header["__metadata__"] = metadata
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + file[8 + n:]


if __name__ == "__main__":
    harness.main("containers", body)
