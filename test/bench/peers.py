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


if __name__ == "__main__":
    import torch
    torch.set_num_threads(int(os.environ.get("THREADS", "1")))
    weighted_sum(sys.argv[1:3], [0.5, 0.5], sys.argv[3])
