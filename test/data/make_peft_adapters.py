"""Writes adapter folders with PEFT's own save_pretrained, on tiny models.

Usage: make_peft_adapters.py FOLDER [SEED].  Needs torch, peft and transformers
(test/oracle/requirements-peft.txt); nothing is downloaded.  Every trainable
tensor gets random numbers, so that no factor is zero.

The test programs import this file: SETTINGS lists (name, base, configuration,
dtypes); base(name) and write() make the same base model again.

SPDX-License-Identifier: PostgreSQL
"""
import os
import sys
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")

import torch                                            # noqa: E402
from peft import IA3Config, LoraConfig, get_peft_model  # noqa: E402
from torch import nn                                    # noqa: E402

DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16, "F64": torch.float64}


class Mixed(nn.Module):
    """One of each layer that PEFT adapts."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.conv = nn.Conv2d(2, 4, 3)
        self.conv_one = nn.Conv2d(4, 6, 1)
        self.conv_line = nn.Conv1d(2, 5, 3)
        self.layers = nn.ModuleList(nn.ModuleDict({"fc_a": nn.Linear(6, 8), "fc_b": nn.Linear(8, 6)})
                                    for _ in range(3))
        self.norm = nn.LayerNorm(6)
        self.head = nn.Linear(6, 3)
        self.tail = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))

    def forward(self, x):
        h = self.embed(x)
        for layer in self.layers:
            h = h + layer["fc_b"](torch.relu(layer["fc_a"](h)))
        return self.tail(self.head(self.norm(h)))


class Experts(nn.Module):
    """A parameter with one matrix for each expert."""

    def __init__(self):
        super().__init__()
        self.experts = nn.Module()
        self.experts.weight = nn.Parameter(torch.randn(3, 4, 5))
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(torch.einsum("bi,eij->bj", x, self.experts.weight)[:, :4])


class Attention(nn.Module):
    """A layer that PEFT wraps with another one inside it."""

    def __init__(self):
        super().__init__()
        self.mha = nn.MultiheadAttention(8, 2)
        self.fc = nn.Linear(8, 8)

    def forward(self, x):
        return self.fc(self.mha(x, x, x)[0])


def gpt2():
    from transformers import GPT2Config, GPT2LMHeadModel
    return GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=2, n_head=2, vocab_size=20, n_positions=16,
                                      bos_token_id=None, eos_token_id=None))


def llama():
    from transformers import LlamaConfig, LlamaForCausalLM
    return LlamaForCausalLM(LlamaConfig(hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2,
                                        num_key_value_heads=1, vocab_size=20, max_position_embeddings=16,
                                        bos_token_id=None, eos_token_id=None))


def roberta():
    from transformers import RobertaConfig, RobertaForSequenceClassification
    return RobertaForSequenceClassification(RobertaConfig(
        hidden_size=8, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2, vocab_size=20,
        max_position_embeddings=16, num_labels=3))


BASES = {"mixed": Mixed, "experts": Experts, "attention": Attention, "gpt2": gpt2, "llama": llama, "roberta": roberta}


def base(name, dtype="F32"):
    """The same base model on every call."""
    torch.manual_seed(20)
    return BASES[name]().to(DTYPES[dtype]).eval()


def lora(**kw):
    return LoraConfig(**dict(dict(r=4, lora_alpha=4, target_modules=["fc_a", "fc_b"]), **kw))


def ia3(**kw):
    return IA3Config(**dict(dict(target_modules=["fc_a", "fc_b"], feedforward_modules=["fc_b"]), **kw))


ALL = ("F32", "BF16", "F16")
SETTINGS = [
    ("linear", "mixed", lambda: lora(), ALL + ("F64",)),
    ("alpha_half", "mixed", lambda: lora(lora_alpha=2), ("F32",)),
    ("alpha_double", "mixed", lambda: lora(lora_alpha=8), ALL),
    ("alpha_real", "mixed", lambda: lora(r=3, lora_alpha=7.3), ("F32",)),
    ("rslora", "mixed", lambda: lora(r=3, lora_alpha=5, use_rslora=True), ALL),
    ("rank_pattern", "mixed", lambda: lora(rank_pattern={"layers.1.fc_a": 2, r".*\.2\.fc_b": 7}), ALL),
    ("alpha_pattern", "mixed", lambda: lora(alpha_pattern={"fc_b": 12, "^layers.0.fc_a": 1}), ALL),
    ("both_patterns", "mixed", lambda: lora(rank_pattern={"fc_a": 2}, alpha_pattern={"layers.2.fc_a": 5, "fc_b": 3}, use_rslora=True), ("F32",)),
    ("lora_bias", "mixed", lambda: lora(lora_bias=True, lora_alpha=8), ALL),
    ("conv2d", "mixed", lambda: lora(target_modules=["conv", "conv_one"], lora_alpha=8), ALL),
    ("conv1d", "mixed", lambda: lora(target_modules=["conv_line"]), ("F32",)),
    ("embedding", "mixed", lambda: lora(target_modules=["embed"], lora_alpha=2), ALL),
    ("mixed_layers", "mixed", lambda: lora(target_modules=["embed", "conv", "conv_one", "fc_a", "head"]), ("F32", "BF16")),
    ("dora", "mixed", lambda: lora(use_dora=True), ALL),
    ("dora_conv", "mixed", lambda: lora(use_dora=True, target_modules=["conv", "embed"]), ("F32",)),
    ("modules_to_save", "mixed", lambda: lora(modules_to_save=["head", "norm"]), ALL),
    ("saved_block", "mixed", lambda: lora(modules_to_save=["tail"]), ("F32",)),
    ("bias_all", "mixed", lambda: lora(bias="all"), ALL),
    ("bias_lora_only", "mixed", lambda: lora(bias="lora_only"), ALL),
    ("trainable_tokens", "mixed", lambda: lora(trainable_token_indices={"embed": [0, 3, 9]}), ALL),
    ("target_parameters", "experts", lambda: lora(target_modules=["fc"], target_parameters=["experts.weight"], lora_alpha=8), ("F32", "BF16")),
    ("parameters_only", "experts", lambda: lora(target_modules=[], target_parameters=["experts.weight"], lora_alpha=2), ("F32",)),
    ("attention", "attention", lambda: lora(target_modules=["mha", "fc"], lora_alpha=8, alpha_pattern={"mha": 2}, rank_pattern={"mha": 2}), ("F32",)),
    ("regex_targets", "mixed", lambda: lora(target_modules=r".*layers\.[02]\.fc_a"), ("F32",)),
    ("pissa", "mixed", lambda: lora(init_lora_weights="pissa"), ("F32",)),
    ("gaussian", "mixed", lambda: lora(init_lora_weights="gaussian"), ("F32",)),
    ("gpt2", "gpt2", lambda: lora(target_modules=["c_attn", "c_proj"], fan_in_fan_out=True, lora_alpha=8, task_type="CAUSAL_LM"), ALL),
    ("llama_all_linear", "llama", lambda: lora(target_modules="all-linear", task_type="CAUSAL_LM"), ("F32", "BF16")),
    ("locked_embedding", "llama", lambda: lora(target_modules=["q_proj", "embed_tokens"], task_type="CAUSAL_LM"), ("F32",)),
    ("layers_to_transform", "llama", lambda: lora(target_modules=["q_proj", "v_proj"], layers_to_transform=[1], task_type="CAUSAL_LM"), ("F32",)),
    ("layer_replication", "llama", lambda: lora(target_modules=["q_proj"], layer_replication=[[0, 2], [1, 2]], task_type="CAUSAL_LM"), ("F32",)),
    ("alora", "llama", lambda: lora(target_modules=["q_proj"], alora_invocation_tokens=[1, 2], task_type="CAUSAL_LM"), ("F32",)),
    ("classifier", "roberta", lambda: lora(target_modules=["query", "value"], task_type="SEQ_CLS"), ("F32", "BF16")),
    ("classifier_all_bias", "roberta", lambda: lora(target_modules=["query"], bias="all", modules_to_save=["classifier"], task_type="SEQ_CLS"), ("F32",)),
    ("ia3", "mixed", lambda: ia3(), ALL),
    ("ia3_conv", "mixed", lambda: ia3(target_modules=["conv", "conv_one", "fc_a"], feedforward_modules=["conv_one"]), ("F32", "F16")),
    ("ia3_no_feedforward", "mixed", lambda: ia3(feedforward_modules=[]), ("F32",)),
    ("ia3_regex", "llama", lambda: ia3(target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=r".*\.down_proj", task_type="CAUSAL_LM"), ("F32",)),
    ("ia3_gpt2", "gpt2", lambda: ia3(target_modules=["c_attn", "c_fc"], feedforward_modules=["c_fc"], fan_in_fan_out=True, task_type="CAUSAL_LM"), ("F32",)),
    ("ia3_saved", "mixed", lambda: ia3(modules_to_save=["head"]), ("F32", "BF16")),
]


def write(folder, name, dtype="F32", seed=1, change=None):
    """One folder; change(config) may alter the configuration.  (base name, folder)"""
    _, base_name, config, _ = next(s for s in SETTINGS if s[0] == name)
    config = config()
    if change:
        change(config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = get_peft_model(base(base_name, dtype), config, autocast_adapter_dtype=False)
        gen = torch.Generator().manual_seed(seed)
        for n, p in model.named_parameters():
            if p.requires_grad:
                x = torch.randn(p.shape, generator=gen, dtype=torch.float64)
                p.data.copy_(1 + 0.3 * x if "ia3_" in n else 0.3 * x)
        model.save_pretrained(folder)
    return base_name, folder


def write_all(root, seed=1):
    """[(label, folder)]"""
    out = []
    for name, _, _, dtypes in SETTINGS:
        for dtype in dtypes:
            label = name + "_" + dtype.lower()
            write(os.path.join(root, label), name, dtype, seed)
            out.append((label, os.path.join(root, label)))
    return out


if __name__ == "__main__":
    made = write_all(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    print("%d adapter folders" % len(made))
