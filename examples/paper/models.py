"""The two base models, and PEFT folders on them; CPU only, no downloads.

Thread number PAPER_THREADS (default 1: the numbers of doc/paper.md were made with one).
"""
import copy
import json
import math
import os
import pathlib

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load, load_file, save_file

from data import DATA, HERE, TOPICS

transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(int(os.environ.get("PAPER_THREADS", "1")))

LABELS = {
    "polarity": ["This is a negative, unfavourable opinion.", "This is a positive, favourable opinion."],
    "topics": [f"This text is about {what}." for what in TOPICS.values()],
}
CONTEXT = 40


class Encoder:
    """all-MiniLM-L6-v2.  The score of a class is 20 * cosine(text, description of the class under
    the base model): no head is trained, so an adapter holds everything that a task learnt."""

    def __init__(self):
        from transformers import AutoModel, AutoTokenizer
        self.tokenizer = AutoTokenizer.from_pretrained(DATA / "minilm")
        self.net = AutoModel.from_pretrained(DATA / "minilm", dtype=torch.float32).eval()
        with torch.no_grad():
            self.heads = {task: self.embed(self.net, texts) for task, texts in LABELS.items()}

    def batch(self, texts):
        return self.tokenizer(texts, padding=True, truncation=True, max_length=36, return_tensors="pt")

    def hidden(self, net, batch):
        """Under bf16 autocast, which is 1.8 times as fast."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return net(**batch).last_hidden_state.float()

    def embed(self, net, texts):
        batch = self.batch(texts)
        hidden = self.hidden(net, batch)
        mask = batch["attention_mask"].unsqueeze(-1)
        return F.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)

    def logits(self, net, texts, task):
        return 20 * self.embed(net, texts) @ self.heads[task].T

    @torch.no_grad()
    def accuracy(self, net, data, task):
        data = sorted(data, key=lambda item: len(item[0]))
        right = 0
        for i in range(0, len(data), 100):
            part = data[i:i + 100]
            guess = self.logits(net, [text for text, _ in part], task).argmax(-1)
            right += int((guess == torch.tensor([label for _, label in part])).sum())
        return 100.0 * right / len(data)


class GPT:
    """A GPT-2 of 1.06 million parameters, trained for this purpose (train.py --base-gpt)."""

    def __init__(self, path=HERE / "base_gpt"):
        from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast
        self.tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{path}/tokenizer.json", bos_token="<s>",
                                                 eos_token="</s>", pad_token="<pad>")
        self.net = GPT2LMHeadModel.from_pretrained(path, dtype=torch.float32).eval()

    def ids(self, text):
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def batch(self, texts, prompts=None):
        """Token numbers and labels; a prompt counts for no loss."""
        bos, eos, pad = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id, self.tokenizer.pad_token_id
        rows, skips = [], []
        for i, text in enumerate(texts):
            prompt = self.ids(prompts[i]) if prompts else []
            rows.append(([bos] + prompt + self.ids(text) + [eos])[:CONTEXT])
            skips.append(1 + len(prompt))
        x = torch.full((len(rows), max(map(len, rows))), pad)
        y = torch.full(x.shape, -100)
        for i, (row, skip) in enumerate(zip(rows, skips)):
            x[i, :len(row)] = torch.tensor(row)
            y[i, skip:len(row)] = torch.tensor(row[skip:])
        return x, y

    def loss(self, net, x, y):
        logits = net(input_ids=x, attention_mask=(x != self.tokenizer.pad_token_id).long()).logits
        return F.cross_entropy(logits[:, :-1].reshape(-1, logits.size(-1)), y[:, 1:].reshape(-1), ignore_index=-100)

    @torch.no_grad()
    def perplexity(self, net, texts, prompts=None):
        total = count = 0.0
        for i in range(0, len(texts), 100):
            x, y = self.batch(texts[i:i + 100], prompts[i:i + 100] if prompts else None)
            n = int((y[:, 1:] != -100).sum())
            total += float(self.loss(net, x, y)) * n
            count += n
        return math.exp(total / count)

    @torch.no_grad()
    def samples(self, net, n, seed, prompt, batch=250, new=28):
        """n texts after the prompt, by nucleus sampling (0.95)"""
        random = torch.Generator().manual_seed(seed)
        eos = self.tokenizer.eos_token_id
        texts = []
        while len(texts) < n:
            x = torch.tensor([[self.tokenizer.bos_token_id] + self.ids(prompt)] * batch)
            past, done, columns = None, torch.zeros(batch, dtype=torch.bool), []
            for _ in range(new):
                out = net(input_ids=x, past_key_values=past, use_cache=True)
                past = out.past_key_values
                p, order = F.softmax(out.logits[:, -1].float(), -1).sort(-1, descending=True)
                p[(p.cumsum(-1) - p) > 0.95] = 0
                x = order.gather(1, torch.multinomial(p, 1, generator=random))
                x[done] = eos
                done |= x[:, 0] == eos
                columns.append(x)
                if bool(done.all()):
                    break
            for row in torch.cat(columns, 1).tolist():
                row = row[:row.index(eos)] if eos in row else row
                texts.append(self.tokenizer.decode(row, skip_special_tokens=True).strip())
        return texts[:n]


def peft_config(base, method):
    """alpha / r is 2 on purpose: a tool that forgets it, or applies it twice, is found out."""
    from peft import IA3Config, LoraConfig
    if (base, method) == ("minilm", "lora"):
        return LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, target_modules=["query", "value"])
    if (base, method) == ("minilm", "ia3"):
        return IA3Config(target_modules=r".*(attention\.self\.(key|value)|layer\.\d+\.output\.dense)",
                         feedforward_modules=r".*layer\.\d+\.output\.dense")
    if method == "lora":
        return LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, fan_in_fan_out=True,
                          target_modules=["c_attn", "c_fc", "c_proj"])
    return IA3Config(target_modules=["c_attn", "mlp.c_proj"], feedforward_modules=["mlp.c_proj"], fan_in_fan_out=True)


BASE_NAMES = {"minilm": "sentence-transformers/all-MiniLM-L6-v2", "gpt": "peftarith/gpt-1m"}


def new_adapter(net, base, method, seed):
    """All adapters of one seed start from the same initialisation, as the paper asks."""
    from peft import get_peft_model
    torch.manual_seed(seed)
    net.name_or_path = BASE_NAMES[base]     # not the folder that it was loaded from
    return get_peft_model(net, peft_config(base, method))


def save_adapter(net, path):
    net.save_pretrained(path)
    pathlib.Path(path, "README.md").unlink(missing_ok=True)


def save_difference(path, tuned, base, name):
    """Full fine-tuning as a folder: the difference of the weights, and both weights to take it from in SQL."""
    path = pathlib.Path(path)
    write(path, {key: (tuned[key].double() - base[key].double()).float() for key in base if base[key].is_floating_point()},
          {"peft_type": "DIFFERENCE", "base_model_name_or_path": name})
    for file, tensors in (("tuned", tuned), ("base", base)):
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path / f"{file}.safetensors")


def read(path):
    return load_file(f"{path}/adapter_model.safetensors"), json.loads(pathlib.Path(path, "adapter_config.json").read_text())


def write(path, tensors, config):
    path = pathlib.Path(path)
    path.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()},
              path / "adapter_model.safetensors", metadata={"format": "pt"})
    (path / "adapter_config.json").write_text(json.dumps(config, indent=1))


def with_adapter(net, path):
    """The base model with a folder merged into it; None is the base model itself."""
    from peft import PeftModel
    if path is None:
        return net
    if json.loads(pathlib.Path(path, "adapter_config.json").read_text())["peft_type"] == "DIFFERENCE":
        net, difference = copy.deepcopy(net), read(path)[0]
        net.load_state_dict({name: tensor + difference[name] if name in difference else tensor
                             for name, tensor in net.state_dict().items()})
        return net.eval()
    return PeftModel.from_pretrained(copy.deepcopy(net), path).merge_and_unload().eval()
