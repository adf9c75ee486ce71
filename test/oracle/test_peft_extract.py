"""adapter_extract: the LoRA of a full fine-tune, loaded by PEFT onto the base model, changes each
weight as the leading terms of torch's singular value decomposition of tuned - base do, and the
model computes what one with those changes computes: a model of linear layers (one so large that
its sides are not decomposed), convolutions and an embedding, and a GPT-2, whose linear layers
are stored the other way around.

Runs where torch, transformers and peft are installed (requirements-peft.txt); elsewhere it says so
and is skipped.

SPDX-License-Identifier: PostgreSQL
"""
import copy
import json
import os
import tempfile
import warnings

import harness

try:
    import peft
    import torch
    import transformers
    from safetensors.torch import save
except ImportError as e:
    peft, reason = None, e

CONFIG = json.dumps({"peft_type": "DIFFERENCE", "base_model_name_or_path": "m"})
WORSE, ROUNDED = 1.001, 1e-6    # the stated tolerance, and F32 factors


def plain_model():
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed_tokens = torch.nn.Embedding(50, 24)
            self.q = torch.nn.Linear(24, 24)
            self.wide = torch.nn.Linear(24, 1060)
            self.long = torch.nn.Linear(1060, 1040)
            self.conv = torch.nn.Conv2d(8, 12, 3)
            self.line = torch.nn.Conv1d(12, 6, 3)

        def forward(self, tokens):
            x = self.long(torch.tanh(self.wide(self.q(self.embed_tokens(tokens)))))     # (2, 5, 1040)
            x = self.conv(x.reshape(2, 8, 25, 26))
            return self.line(x.mean(3))

    return Model()


def gpt2():
    return transformers.GPT2Model(transformers.GPT2Config(
        n_layer=2, n_head=2, n_embd=32, vocab_size=60, n_positions=16, bos_token_id=0, eos_token_id=0,
        resid_pdrop=0, embd_pdrop=0, attn_pdrop=0))


def fine_tuned(run, base, rank):
    """Each weight of two dimensions or more moves by so many large terms and much noise."""
    generator = torch.Generator().manual_seed(run.seed)
    tuned = copy.deepcopy(base)
    for name, p in tuned.named_parameters():
        if p.dim() >= 2:
            n, m = p.shape[0], p[0].numel()
            some = torch.randn(n, rank, generator=generator) @ torch.randn(rank, m, generator=generator)
            noise = torch.randn(n, m, generator=generator)
            p.data += (some / some.norm() + 0.2 * noise / noise.norm()).reshape(p.shape)
    return tuned


def truncated(x, rank):
    """The leading terms, and the length of the others."""
    u, s, v = torch.linalg.svd(x.reshape(x.shape[0], -1), full_matrices=False)
    return ((u[:, :rank] * s[:rank]) @ v[:rank]).reshape(x.shape), s[rank:].norm().item()


def load(base, row, root):
    folder = tempfile.mkdtemp(dir=root)
    with open(os.path.join(folder, "adapter_model.safetensors"), "wb") as f:
        f.write(row[0])
    with open(os.path.join(folder, "adapter_config.json"), "w", encoding="utf-8") as f:
        f.write(row[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("error", UserWarning)     # keys that are missing or not expected
        return peft.PeftModel.from_pretrained(copy.deepcopy(base).double(), folder)


def check(run, label, base, tuned, model, rank, tokens):
    """Weight by weight, then the whole."""
    wanted = copy.deepcopy(base).double()
    weights = dict(wanted.named_parameters())
    before, after = dict(base.named_parameters()), dict(tuned.named_parameters())
    seen = []
    for name, layer in model.base_model.model.named_modules():
        if not hasattr(layer, "get_delta_weight"):
            continue
        seen.append(name + ".weight")
        x = (after[seen[-1]].double() - before[seen[-1]].double()).float().double().detach()
        delta = layer.get_delta_weight("default").detach().reshape(x.shape)
        best, least = truncated(x, rank)
        error = (x - delta).norm().item()
        run.ok(error <= WORSE * least + ROUNDED * x.norm().item(), "%s %s: error" % (label, name), "%.6g, least %.6g" % (error, least))
        away = (delta - best).norm().item()
        run.ok(away <= (2 * (WORSE**2 - 1))**0.5 * least + ROUNDED * x.norm().item(), "%s %s: change" % (label, name), away)
        weights[seen[-1]].data += best
    run.equal(sorted(seen), sorted(n for n, p in before.items() if n in after and not torch.equal(p, after[n])), label + ": modules")
    with torch.no_grad():
        outputs = [m.eval()(tokens) for m in (model, wanted, copy.deepcopy(base).double())]
    outputs = [o if torch.is_tensor(o) else o.last_hidden_state for o in outputs]
    far = (outputs[1] - outputs[2]).norm().item()
    away = (outputs[0] - outputs[1]).norm().item()
    run.ok(away <= 0.02 * far, label + ": output", "%.3g, changed by %.3g" % (away, far))


def extract(connection, base, tuned, query, *arguments):
    with connection.cursor(binary=True) as cursor:
        return cursor.execute(
            "WITH d AS MATERIALIZED (SELECT adapter_difference(%b, %b, %s::json) AS d),"
            " x AS MATERIALIZED (SELECT " + query + " AS x FROM d)"
            " SELECT adapter_to_safetensors(x), adapter_config(x)::text FROM x",
            (save(tuned.state_dict()), save(base.state_dict()), CONFIG) + arguments).fetchone()


def body(run):
    if peft is None:
        run.skip("PEFT is not installed: %s" % reason)
        return
    torch.manual_seed(run.seed)
    rank = run.random.randint(2, 6)
    with tempfile.TemporaryDirectory() as root, harness.scratch("peft_extract") as database, \
            harness.connect(database) as connection:
        base = plain_model()
        tuned = fine_tuned(run, base, rank)
        row = extract(connection, base, tuned, "adapter_extract(d, %s::int)", rank)
        check(run, "layers, rank %d" % rank, base, tuned, load(base, row, root), rank, torch.randint(50, (2, 5)))
        base = gpt2()
        tuned = fine_tuned(run, base, rank)
        row = extract(connection, base, tuned, "adapter_extract(d, %s::int, fan_in_fan_out => true)", rank)
        check(run, "GPT-2, rank %d" % rank, base, tuned, load(base, row, root), rank, torch.randint(60, (3, 9)))


if __name__ == "__main__":
    harness.main("test_peft_extract", body)
