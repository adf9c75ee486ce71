"""The peers: what people do today with torch, safetensors, PEFT and ZipNN.

Each function does one whole piece of work and is timed by bench.py.  Run as a program it is the
whole Python process: python peers.py A B OUT.
"""
import os
import sys


def save(tensors, out, fsync=True):
    from safetensors.torch import save_file
    save_file(tensors, out, metadata={"format": "pt"})
    if fsync:
        with open(out, "rb+") as f:
            os.fsync(f.fileno())


def weighted_sum(files, weights, out):
    """Load adapters, add them with weights in place in their own dtype, save with fsync."""
    from safetensors.torch import load_file
    total = load_file(files[0])
    for tensor in total.values():
        tensor.mul_(weights[0])
    for file, weight in zip(files[1:], weights[1:]):
        for name, tensor in load_file(file).items():
            total[name].add_(tensor, alpha=weight)
    save(total, out)


def peft_model(folders, layers=2):
    """A model of `layers` layers in the real widths with the adapters' first layers loaded."""
    import torch
    from peft import LoraConfig, get_peft_model
    shapes = {"q_proj": (4096, 4096), "k_proj": (1024, 4096), "v_proj": (1024, 4096), "o_proj": (4096, 4096),
              "gate_proj": (14336, 4096), "up_proj": (14336, 4096), "down_proj": (4096, 14336)}

    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name, (rows, columns) in shapes.items():
                setattr(self, name, torch.nn.Linear(columns, rows, bias=False, dtype=torch.bfloat16, device="cpu"))

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.ModuleList([Layer() for _ in range(layers)])
            self.config = {"model_type": "custom"}

        def forward(self, x):
            return x

    config = LoraConfig(r=16, lora_alpha=16, target_modules=list(shapes))
    model = get_peft_model(Model(), config, adapter_name="a0")
    for i in range(1, len(folders)):
        model.add_adapter(f"a{i}", config)
    for parameter in model.parameters():
        if parameter.ndim == 2 and parameter.shape[0] != 16 and parameter.shape[1] == 16:
            torch.nn.init.normal_(parameter, std=0.01)
    return model


def one_module(folders, rows=4096, columns=4096):
    """A model of one linear module with the adapters' q_proj of layer 0 loaded, for combination_type svd."""
    import torch
    from peft import LoraConfig, get_peft_model
    from safetensors.torch import load_file

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.q_proj = torch.nn.Linear(columns, rows, bias=False)
            self.config = {"model_type": "custom"}

        def forward(self, x):
            return self.q_proj(x)

    config = LoraConfig(r=16, lora_alpha=16, target_modules=["q_proj"])
    model = get_peft_model(Model(), config, adapter_name="a0")
    for i in range(1, len(folders)):
        model.add_adapter(f"a{i}", config)
    layer = model.base_model.model.q_proj
    for i, folder in enumerate(folders):
        tensors = load_file(f"{folder}/adapter_model.safetensors")
        for name, factor in (("lora_A", layer.lora_A), ("lora_B", layer.lora_B)):
            key = f"base_model.model.model.layers.0.self_attn.q_proj.{name}.weight"
            factor[f"a{i}"].weight.data.copy_(tensors[key].float())
    return model


def stacks(files, weights):
    """For each module the factors of the weighted sum of deltas, in double: (B, A)."""
    import torch
    from safetensors.torch import load_file
    loaded = [load_file(file) for file in files]
    out = []
    for key in sorted(loaded[0]):
        if ".lora_B." in key:
            b = [tensors[key].double() * weight for tensors, weight in zip(loaded, weights)]
            a = [tensors[key.replace(".lora_B.", ".lora_A.")].double() for tensors in loaded]
            out.append((torch.cat(b, 1).numpy(), torch.cat(a, 0).numpy()))
    return out


def recompress(pairs, rank):
    """The best approximation of each B A of that rank: QR of both factors, Q never formed, SVD of the core."""
    import numpy
    from scipy.linalg import lapack
    results = []
    for b, a in pairs:
        n = b.shape[1]
        qb, tau_b, _, _ = lapack.dgeqrf(numpy.asfortranarray(b))
        qa, tau_a, _, _ = lapack.dgeqrf(a.T)
        u, s, vt = numpy.linalg.svd(numpy.triu(qb[:n]) @ numpy.triu(qa[:n]).T)
        c = numpy.zeros((b.shape[0], rank), order="F")
        c[:n] = u[:, :rank] * s[:rank]
        d = numpy.zeros((a.shape[1], rank), order="F")
        d[:n] = vt[:rank].T
        new_b, _, _ = lapack.dormqr("L", "N", qb, tau_b, c, 64 * rank, overwrite_c=1)
        new_a, _, _ = lapack.dormqr("L", "N", qa, tau_a, d, 64 * rank, overwrite_c=1)
        results.append((new_b, new_a.T))
    return results


def low_rank_cosine(files):
    """Cosine of two adapters' deltas by inner products of factors, per module summed up, loading included."""
    import torch
    from safetensors.torch import load_file
    x, y = (load_file(file) for file in files)
    totals = [0.0, 0.0, 0.0]
    for key in x:
        if ".lora_B." in key:
            b = [tensors[key].float() for tensors in (x, y)]
            a = [tensors[key.replace(".lora_B.", ".lora_A.")].float() for tensors in (x, y)]
            for k, (i, j) in enumerate(((0, 0), (0, 1), (1, 1))):
                totals[k] += ((b[i].T @ b[j]) * (a[i] @ a[j].T)).sum().item()
    return 1 - totals[1] / (totals[0] * totals[2]) ** 0.5


def full_cosine(files, layer=0):
    """The same for one layer with the full deltas formed."""
    import torch
    from safetensors.torch import load_file
    x, y = (load_file(file) for file in files)
    totals = [0.0, 0.0, 0.0]
    for key in x:
        if ".lora_B." in key and f".layers.{layer}." in key:
            d, e = (tensors[key].float() @ tensors[key.replace(".lora_B.", ".lora_A.")].float() for tensors in (x, y))
            for k, (left, right) in enumerate(((d, d), (d, e), (e, e))):
                totals[k] += torch.dot(left.flatten(), right.flatten()).item()
    return totals


if __name__ == "__main__":
    import torch
    torch.set_num_threads(int(os.environ.get("THREADS", "1")))
    weighted_sum(sys.argv[1:3], [0.5, 0.5], sys.argv[3])
