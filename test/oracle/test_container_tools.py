"""Files that LyCORIS, diffusers and MLX have written, and results that they load.

Each file comes out byte for byte.  A composition of two is loaded by the program that
wrote them, on a fresh base, without an unexpected key, and changes the base weights
as the weighted sum of the two does.  Needs lycoris-lora, diffusers and mlx beside
PEFT; what is not installed is skipped.

SPDX-License-Identifier: PostgreSQL
"""
import json
import logging
import os
import tempfile
import traceback

import numpy as np

import containers
import harness

FILES = 30


def insert(connection, k, file, config=None):
    connection.execute("DELETE FROM t WHERE k = %s", (k,))
    connection.execute("INSERT INTO t VALUES (%s, adapter_from_safetensors(%s, %s))", (k, file, config))
    return connection.execute("SELECT adapter_to_safetensors(a) = %s FROM t WHERE k = %s", (file, k)).fetchone()[0]


def compose(connection, call):
    return connection.execute("SELECT adapter_to_safetensors(c), adapter_config(c) FROM (SELECT (%s)::adapter AS c OFFSET 0) s" % call.format(
        a="(SELECT a FROM t WHERE k = 'a')", b="(SELECT a FROM t WHERE k = 'b')")).fetchone()


COMPOSITIONS = {"delta": "0.7 * delta({a}) - 0.3 * delta({b})", "scaled": "adapter_scale({a}, 0.7)",
                "truncated": "adapter_truncate(0.7 * delta({a}) - 0.3 * delta({b}), rank => 2)"}


def close(got, wanted, label, run, tolerance=1e-4):
    worst = max(np.abs(got[n] - wanted[n]).max() / max(1e-3, np.abs(wanted[n]).max()) for n in wanted)
    run.ok(sorted(got) == sorted(wanted) and worst <= tolerance, label, worst)


# --- LyCORIS

def lycoris_file(torch, root, seed, tucker):
    import lycoris
    from safetensors.torch import save_file
    torch.manual_seed(seed)
    model = toy(torch)
    lycoris.LycorisNetwork.apply_preset({"target_module": ["Linear", "Conv2d"]})
    net = lycoris.create_lycoris(model, 1.0, linear_dim=1 + seed % 4, linear_alpha=[1, 0.3, 4][seed % 3], algo="lora",
                                 conv_dim=1 + seed % 3, conv_alpha=[0.5, 2][seed % 2], use_tucker=tucker)
    net.apply_to()
    for p in net.parameters():
        torch.nn.init.normal_(p)
    dtype = [torch.float16, torch.bfloat16, torch.float32][seed % 3]
    path = os.path.join(root, "lycoris.safetensors")
    save_file({n: t.to(dtype).contiguous() for n, t in net.state_dict().items()}, path,
              {"ss_network_module": "lycoris.kohya", "ss_base_model_version": "toy", "ss_network_args": "{\"algo\": \"lora\"}"})
    with open(path, "rb") as f:
        return f.read()


def toy(torch):
    return torch.nn.Sequential(torch.nn.Conv2d(3, 6, 3), torch.nn.Conv2d(6, 5, 1), torch.nn.Linear(5, 7))


def lycoris_change(torch, root, file):
    """What the file changes, by LyCORIS: {module: weight}, and what it complains about."""
    import lycoris
    path = os.path.join(root, "load.safetensors")
    with open(path, "wb") as f:
        f.write(file)
    torch.manual_seed(0)
    model = toy(torch)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    net, weights = lycoris.create_lycoris_from_weights(1.0, path, model)
    net.apply_to()
    told = net.load_state_dict({k: v.float() for k, v in weights.items()}, strict=False)
    net.merge_to(1.0)
    return ({n: (p.detach() - before[n]).numpy().astype(np.float64) for n, p in model.named_parameters() if n.endswith("weight")},
            list(told.unexpected_keys))


def check_lycoris(run, connection, root):
    import torch
    files = [lycoris_file(torch, root, seed, seed % 2 == 0) for seed in range(FILES)]
    run.ok(all(insert(connection, "a", file) for file in files), "LyCORIS: %d files, byte for byte" % len(files))
    middle = sum(b"lora_mid" in f for f in files)
    run.ok(middle > 0, "LyCORIS: some have middle factors", middle)
    for i in (2, 5, 8):
        pair = files[i], files[i + 6]
        for k, file in zip("ab", pair):
            insert(connection, k, file)
        x, y = (lycoris_change(torch, root, file)[0] for file in pair)
        for name in ("delta", "scaled"):
            out, _ = compose(connection, COMPOSITIONS[name])
            got, unexpected = lycoris_change(torch, root, out)
            run.equal(unexpected, [], "LyCORIS %d, %s: unexpected keys" % (i, name))
            close(got, {n: 0.7 * x[n] - (0.3 * y[n] if name == "delta" else 0) for n in x}, "LyCORIS %d, %s: merged" % (i, name), run)


# --- diffusers

def unet(torch):
    from diffusers import UNet2DConditionModel
    torch.manual_seed(0)
    return UNet2DConditionModel(sample_size=8, in_channels=4, out_channels=4, layers_per_block=1, block_out_channels=(8, 16),
                                down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
                                cross_attention_dim=8, attention_head_dim=2, norm_num_groups=4)


def diffusers_file(torch, root, seed, metadata):
    from diffusers import StableDiffusionPipeline
    from peft import LoraConfig, get_peft_model_state_dict
    torch.manual_seed(seed)
    model = unet(torch)
    torch.manual_seed(seed)
    model.add_adapter(LoraConfig(r=3, lora_alpha=6 if metadata else 3, target_modules=["to_q", "to_v", "conv1", "proj_in"],
                                 rank_pattern={"to_v": 2}, alpha_pattern={"to_v": 1 if metadata else 2}, init_lora_weights=False))
    layers = {n: t.to([torch.float16, torch.bfloat16, torch.float32][seed % 3]) for n, t in get_peft_model_state_dict(model).items()}
    StableDiffusionPipeline.save_lora_weights(root, unet_lora_layers=layers,
                                              unet_lora_adapter_metadata=model.peft_config["default"].to_dict() if metadata else None)
    with open(os.path.join(root, "pytorch_lora_weights.safetensors"), "rb") as f:
        return f.read()


class Complaints(logging.Handler):
    def __init__(self):
        super().__init__(logging.WARNING)
        self.found = []

    def emit(self, record):
        self.found.append(record.getMessage())


def diffusers_change(torch, root, file):
    from diffusers import StableDiffusionPipeline
    place = os.path.join(root, "load")
    os.makedirs(place, exist_ok=True)
    with open(os.path.join(place, "pytorch_lora_weights.safetensors"), "wb") as f:
        f.write(file)
    model = unet(torch)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    listener = Complaints()
    logging.getLogger("diffusers").addHandler(listener)
    try:
        state, alphas, metadata = StableDiffusionPipeline.lora_state_dict(place, unet_config=model.config, return_lora_metadata=True)
        model.load_lora_adapter(state, prefix="unet", network_alphas=alphas, metadata=metadata, low_cpu_mem_usage=False)
    finally:
        logging.getLogger("diffusers").removeHandler(listener)
    model.fuse_lora()
    after = {n.replace(".base_layer", ""): p.detach() for n, p in model.named_parameters() if "lora_" not in n}
    return ({n: (after[n] - before[n]).numpy().astype(np.float64) for n in before if n.endswith("weight") and not torch.equal(after[n], before[n])},
            [c for c in listener.found if "unexpected" in c.lower() or "missing" in c.lower()])


def check_diffusers(run, connection, root):
    import torch
    files = [diffusers_file(torch, root, seed, seed % 2 == 0) for seed in range(FILES)]
    run.ok(all(insert(connection, "a", file) for file in files), "diffusers: %d files, byte for byte" % len(files))
    run.ok(any(b"lora_adapter_metadata" in f for f in files) and any(b"lora_adapter_metadata" not in f for f in files), "diffusers: with and without metadata")
    for i in (2, 5):
        check_diffusers_pair(run, connection, torch, root, "diffusers %d" % i, files[i], files[i + 6])
    random = np.random.default_rng(run.seed)
    names = ["down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q", "mid_block_attentions_0_proj_in"]
    layers = [(8, 8, ()), (16, 16, (1, 1))]
    pair = []
    for _ in range(2):
        tensors = {}
        for name, layer in zip(names, layers):
            a, b = containers.factors(random, layer, 2, "F32")
            tensors.update({"lora_unet_%s.lora_down.weight" % name: a, "lora_unet_%s.lora_up.weight" % name: b,
                            "lora_unet_%s.alpha" % name: containers.of_values("F32", np.array(1.0))})
        pair.append(containers.st.canonical(tensors))
    check_diffusers_pair(run, connection, torch, root, "kohya in diffusers", *pair)


def check_diffusers_pair(run, connection, torch, root, label, first, second):
    for k, file in (("a", first), ("b", second)):
        insert(connection, k, file)
    (x, complaints), (y, _) = (diffusers_change(torch, root, file) for file in (first, second))
    run.ok(x and not complaints, label + ": the originals load", complaints)
    for name in ("delta", "scaled"):
        out, _ = compose(connection, COMPOSITIONS[name])
        got, complaints = diffusers_change(torch, root, out)
        run.equal(complaints, [], "%s, %s: complaints" % (label, name))
        close(got, {n: 0.7 * x[n] - (0.3 * y[n] if name == "delta" else 0) for n in x}, "%s, %s: merged" % (label, name), run, 2e-4)


# --- MLX

def mlx_file(mx, root, seed):
    random = np.random.default_rng(seed)
    tensors = {}
    for path, size, out in (("model.layers.0.self_attn.q_proj", 5, 4), ("model.layers.1.mlp.down_proj", 3, 7)):
        rank = 1 + seed % 4
        for end, shape in (("a", (size, rank)), ("b", (rank, out))):
            value = mx.array(random.standard_normal(shape).astype(np.float32))
            tensors["%s.lora_%s" % (path, end)] = value.astype([mx.float32, mx.float16, mx.bfloat16][seed % 3])
    path = os.path.join(root, "adapters.safetensors")
    mx.save_safetensors(path, tensors)
    config = json.dumps({"fine_tune_type": "lora", "model": "m", "num_layers": 2, "lora_parameters": {"rank": 1 + seed % 4, "scale": 10.0 + seed % 2, "dropout": 0.0}})
    with open(path, "rb") as f:
        return f.read(), config


def mlx_change(mx, root, file, config):
    """The linear layers' change as mlx-lm fuses it: (scale * b') @ a'."""
    path = os.path.join(root, "load.safetensors")
    with open(path, "wb") as f:
        f.write(file)
    tensors = mx.load(path)
    scale = config["lora_parameters"]["scale"]
    return {n[:-7]: np.array(((scale * tensors[n[:-1] + "b"].astype(mx.float32).T) @ t.astype(mx.float32).T)).astype(np.float64)
            for n, t in tensors.items() if n.endswith(".lora_a")}


def check_mlx(run, connection, root):
    import mlx.core as mx
    files = [mlx_file(mx, root, seed) for seed in range(FILES)]
    run.ok(all(insert(connection, "a", *file) for file in files), "MLX: %d files, byte for byte" % len(files))
    for i in (0, 3):
        pair = files[i], files[i + 6]
        for k, file in zip("ab", pair):
            insert(connection, k, *file)
        x, y = (mlx_change(mx, root, file, json.loads(config)) for file, config in pair)
        for name in ("delta", "scaled"):
            out, config = compose(connection, COMPOSITIONS[name])
            close(mlx_change(mx, root, out, config), {n: 0.7 * x[n] - (0.3 * y[n] if name == "delta" else 0) for n in x}, "MLX %d, %s: fused" % (i, name), run)


def body(run):
    with harness.scratch("tools") as name, harness.connect(name) as connection, tempfile.TemporaryDirectory() as root:
        connection.execute("CREATE TABLE t (k text, a adapter)")
        for check in (check_mlx, check_lycoris, check_diffusers):
            try:
                check(run, connection, root)
            except ImportError as e:
                run.skip("%s: %s" % (check.__name__, e))
            except Exception:
                traceback.print_exc()
                run.ok(False, check.__name__ + ": an exception")


if __name__ == "__main__":
    harness.main("container_tools", body)
