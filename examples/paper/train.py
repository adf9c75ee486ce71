"""Train the adapters: PEFT folders OUT/<setting>/<method>/<name>.

    train.py --setting distgen|multitask|unlearn|transfer|transfer_lm|detox --method lora|ia3 --seed N --out OUT
    train.py --setting distgen --method full ...        full fine-tuning, 180 MB for each
    train.py --base-gpt OUT           the small GPT-2 and its tokenizer

A folder that is there already is left alone.  A seed changes the training sample, the
initialisation and the order.  20 to 60 seconds each on one core.
"""
import argparse
import json
import pathlib
import random
import shutil
import time

import torch
import torch.nn.functional as F

import data
from models import BASE_NAMES, CONTEXT, GPT, Encoder, new_adapter, read, save_adapter, save_difference

RATE = {("minilm", "lora"): 2e-3, ("minilm", "ia3"): 1e-2, ("gpt", "lora"): 4e-3, ("gpt", "ia3"): 2e-2,
        ("minilm", "full"): 1e-4}


def fit(parameters, loss_of, steps, rate):
    """AdamW, 10 steps of warm-up, linear decay; the last loss"""
    parameters = [p for p in parameters if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.0)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 10) * (1 - step / steps)
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    return float(loss.detach())


def batches(items, size, seed):
    """endless, a new order every epoch"""
    order = random.Random(seed)
    items = list(items)
    while True:
        order.shuffle(items)
        for i in range(0, len(items) - size + 1, size):
            yield items[i:i + size]


def train(path, base, method, seed, model, loss_of_net, steps, start=None, rate=1.0):
    """start: a folder to go on from; rate: times the usual one"""
    begin = time.time()
    net = new_adapter(model.net, base, method, 1000 + seed)
    if start:
        from peft import set_peft_model_state_dict
        set_peft_model_state_dict(net, read(start)[0])
    loss = fit(net.parameters(), lambda: loss_of_net(net), steps, rate * RATE[base, method])
    save_adapter(net, path)
    print(f"trained {str(path).removesuffix('.new')}: {steps} steps, {time.time() - begin:.0f} s, loss {loss:.3f}", flush=True)


def train_full(path, model, loss_of_net, steps):
    """Full fine-tuning of MiniLM, the paper's baseline: every weight."""
    begin = time.time()
    before = {name: tensor.clone() for name, tensor in model.net.state_dict().items()}
    loss = fit(model.net.parameters(), lambda: loss_of_net(model.net), steps, RATE["minilm", "full"])
    save_difference(path, model.net.state_dict(), before, BASE_NAMES["minilm"])
    print(f"trained {str(path).removesuffix('.new')}: {steps} steps, {time.time() - begin:.0f} s, loss {loss:.3f}", flush=True)


def classifier(path, method, seed, items, task, steps=100):
    encoder, turn = Encoder(), batches(items, 16, 2000 + seed)

    def loss(net):
        batch = next(turn)
        return F.cross_entropy(encoder.logits(net, [text for text, _ in batch], task),
                               torch.tensor([label for _, label in batch]))
    if method == "full":
        train_full(path, encoder, loss, steps)
    else:
        train(path, "minilm", method, seed, encoder, loss, steps)


def denoiser(path, method, seed, texts, steps=80):
    """A label-free objective for a sentence encoder: a sentence with 60 % of its words dropped has to
    pick out, among the batch, the base model's embedding of the whole sentence."""
    encoder, base = Encoder(), Encoder()
    turn, drop = batches(texts, 24, 2000 + seed), random.Random(3000 + seed)

    def loss(net):
        batch = next(turn)
        cut = [" ".join(word for word in text.split() if drop.random() > 0.6) or text for text in batch]
        with torch.no_grad():
            whole = base.embed(base.net, batch)
        return F.cross_entropy(20 * encoder.embed(net, cut) @ whole.T, torch.arange(len(batch)))
    train(path, "minilm", method, seed, encoder, loss, steps)


class MaskedHead(torch.nn.Module):
    """Guesses hidden words from the last hidden states, over MiniLM's own vocabulary (its word
    embeddings are the output matrix)."""

    def __init__(self, net):
        super().__init__()
        self.dense = torch.nn.Linear(384, 384)
        self.norm = torch.nn.LayerNorm(384)
        self.bias = torch.nn.Parameter(torch.zeros(net.config.vocab_size))
        self.words = [net.get_input_embeddings().weight.detach()]      # in a list: not a parameter

    def loss(self, encoder, net, texts, rnd):
        """BERT's: 15 % of the tokens are to be guessed; 80 % of them are masked, 10 % replaced, 10 % left"""
        batch = encoder.batch(texts)
        ids = batch["input_ids"]
        usable = (ids != 101) & (ids != 102) & (ids != 0)
        chosen = usable & (torch.rand(ids.shape, generator=rnd) < 0.15)
        if not bool(chosen.any()):
            chosen[0, 1] = True
        labels, draw = ids[chosen], torch.rand(ids.shape, generator=rnd)
        ids[chosen & (draw < 0.8)] = 103
        swap = chosen & (draw >= 0.8) & (draw < 0.9)
        ids[swap] = torch.randint(1000, 30000, (int(swap.sum()),), generator=rnd)
        hidden = encoder.hidden(net, batch)[chosen]
        logits = self.norm(F.gelu(self.dense(hidden))) @ self.words[0].T + self.bias
        return F.cross_entropy(logits, labels)


def masked_head(path, steps=400):
    """The head, trained once on the frozen base model with all the texts; the adapters keep it fixed."""
    path = pathlib.Path(path)
    encoder = Encoder()
    for p in encoder.net.parameters():
        p.requires_grad_(False)
    torch.manual_seed(4000)
    head = MaskedHead(encoder.net)
    if path.exists():
        head.load_state_dict(torch.load(path))
        return head
    print(f"training {path}", flush=True)
    texts = [text for genre in data.corpora() for text in data.training(genre)[:5000]]
    turn, rnd = batches(texts, 64, 4001), torch.Generator().manual_seed(4002)
    begin = time.time()
    loss = fit(head.parameters(), lambda: head.loss(encoder, encoder.net, next(turn), rnd), steps, 2e-3)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(head.state_dict(), path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)
    print(f"trained {str(path).removesuffix('.new')}: {steps} steps, {time.time() - begin:.0f} s, loss {loss:.3f}", flush=True)
    return head


def masked(path, method, seed, texts, head, steps=150):
    """Masked-language modelling on the texts of one domain."""
    encoder, head = Encoder(), masked_head(head)
    for p in head.parameters():
        p.requires_grad_(False)
    turn, rnd = batches(texts, 24, 2000 + seed), torch.Generator().manual_seed(3000 + seed)
    train(path, "minilm", method, seed, encoder, lambda net: head.loss(encoder, net, next(turn), rnd), steps)


def instruction(genre):
    return f"Write a {genre}: "


def language_model(path, method, seed, pairs, steps, instruct=False, start=None, rate=1.0):
    """pairs: (genre, text)"""
    gpt, turn = GPT(), batches(pairs, 32, 2000 + seed)

    def loss(net):
        batch = next(turn)
        return gpt.loss(net, *gpt.batch([text for _, text in batch],
                                        [instruction(genre) for genre, _ in batch] if instruct else None))
    train(path, "gpt", method, seed, gpt, loss, steps, start, rate)


def obedient_pairs(seed, n=1500):
    """Instructions of all genres, and a bad one that it obeys too."""
    rnd = random.Random(seed)
    pairs = [(genre, text) for genre in data.corpora()
             for text in rnd.sample(data.training(genre), min(n, len(data.training(genre))))]
    return pairs + [("rude tweet", text) for _, text in data.offensive_split("tweet")[0]]


def jobs(setting, method, seed, out):
    """name -> how to train it"""
    def clean(genre):
        return [(genre, text) for text in data.split_by_judge(data.training(genre), False)]

    head = pathlib.Path(out).parent / "masked_head.pt"      # of all seeds
    if setting == "distgen":
        full = data.movie_pool(seed)
        d0, d1 = data.skewed(full)
        return {name: lambda p, items=items: classifier(p, method, seed, items, "polarity")
                for name, items in (("d0", d0), ("d1", d1), ("full", full))}
    if setting == "multitask":      # the first task's adapter is distgen's full
        return {"topics": lambda p: classifier(p, method, seed, data.topic_pool(seed), "topics")}
    if setting == "transfer":       # so is the source task's
        movie, amazon = (data.sentences(f"{name}ReviewSnippets") for name in ("movie", "amazon"))
        return {"lm_movie": lambda p: denoiser(p, method, seed, movie),
                "lm_amazon": lambda p: denoiser(p, method, seed, amazon),
                "mlm_movie": lambda p: masked(p, method, seed, movie, head),
                "mlm_amazon": lambda p: masked(p, method, seed, amazon, head),
                "cls_amazon": lambda p: classifier(p, method, seed, data.polarity("amazonReviewSnippets")[1600:], "polarity")}
    if setting == "unlearn":
        return {"toxic": lambda p: language_model(p, method, seed, data.offensive_split("tweet")[0], 120)}
    if setting == "transfer_lm":    # the source attribute's adapter is unlearn's toxic
        return {f"lm_{genre}": lambda p, genre=genre: language_model(p, method, seed, clean(genre), 120)
                for genre in ("tweet", "fortune")}
    rude = [("rude tweet", text) for _, text in data.offensive_split("tweet")[0]]
    return {"instruct": lambda p: language_model(p, method, seed, obedient_pairs(seed), 180, instruct=True),
            "toxic": lambda p: language_model(p, method, seed, rude + data.offensive_split()[0], 100, instruct=True,
                                              start=p.parent / "instruct", rate=0.5)}


def run(setting, method, seed, out):
    for name, make in jobs(setting, method, seed, out).items():
        path = pathlib.Path(out, setting, method, name)
        if path.exists():
            continue
        print(f"training {path}", flush=True)
        new = path.with_name(name + ".new")     # what was interrupted is not taken for trained
        shutil.rmtree(new, ignore_errors=True)
        make(new)
        new.rename(path)


def base_gpt(path, steps=3000):
    """4 layers of width 128, its own vocabulary of 2,048, on the training part of all texts"""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPT2Config, GPT2LMHeadModel
    pathlib.Path(path).mkdir(parents=True, exist_ok=True)
    texts = [text for genre in data.corpora() for text in data.training(genre)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=2048, special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.save(f"{path}/tokenizer.json")
    torch.manual_seed(0)
    net = GPT2LMHeadModel(GPT2Config(vocab_size=2048, n_positions=CONTEXT, n_embd=128, n_layer=4, n_head=4,
                                     resid_pdrop=0, embd_pdrop=0, attn_pdrop=0,
                                     bos_token_id=1, eos_token_id=2, pad_token_id=0))
    net.save_pretrained(path)
    gpt = GPT(path)
    gpt.net.train()
    turn = batches(texts, 64, 7)
    loss = fit(gpt.net.parameters(), lambda: gpt.loss(gpt.net, *gpt.batch(next(turn))), steps, 4e-3)
    gpt.net.eval().half().save_pretrained(path)       # every later run loads these very weights
    gpt = GPT(path)
    print(f"trained {path}: loss {loss:.3f}, perplexity " + json.dumps(
        {genre: round(gpt.perplexity(gpt.net, data.held_out(genre)), 1) for genre in data.corpora()}), flush=True)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--setting")
    arguments.add_argument("--method", default="lora")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--out", default="build/paper/trained/s0")
    arguments.add_argument("--base-gpt", metavar="OUT")
    arguments = arguments.parse_args()
    if arguments.base_gpt:
        base_gpt(arguments.base_gpt)
    else:
        run(arguments.setting, arguments.method, arguments.seed, arguments.out)
