"""The texts of the experiments, as fetch.sh put them into the folder PAPER_DATA.

Every list has a fixed order; what is cut off its front for testing is seen by no adapter.
"""
import csv
import os
import pathlib
import random
import re
import warnings

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
DATA = pathlib.Path(os.environ.get("PAPER_DATA", HERE.parent.parent / "build/paper-data"))

TOPICS = {  # file of fortunes -> what its class is called
    "computers": "computers and programming", "science": "science and mathematics",
    "politics": "politics and government", "men-women": "men, women and marriage",
    "art": "art, theatre and writing", "food": "food, cooking and eating",
    "law": "law, lawyers and courts", "work": "work, business and offices",
}


def shuffled(items, seed=12345):
    items = list(items)
    random.Random(seed).shuffle(items)
    return items


def rated(name):
    """[(mean rating by 20 people, -4 to 4; sentence)]"""
    found = []
    with open(DATA / f"hutto_ICWSM_2014/{name}_GroundTruth.txt", encoding="latin1") as lines:
        for line in lines:
            part = line.rstrip("\n").split("\t")
            if len(part) >= 3 and len(part[2].split()) >= 3:
                found.append((float(part[1]), part[2]))
    return found


def sentences(name):
    return [text for _, text in rated(name)]


def polarity(name):
    """[(sentence, 0 negative or 1 positive)]: those with a rating at least 0.5 away from 0"""
    return shuffled([(text, int(rating > 0)) for rating, text in rated(name) if abs(rating) >= 0.5])


def fortunes(name):
    with open(DATA / f"fortunes/{name}", encoding="utf8", errors="replace") as file:
        return [re.sub(r"\s+", " ", text).strip() for text in file.read().split("\n%\n")]


def topics():
    return shuffled([(text[:400], k) for k, name in enumerate(TOPICS)
                     for text in fortunes(name) if len(text.split()) >= 5])


def tweets():
    with open(DATA / "tweets.csv", encoding="latin1") as file:
        rows = list(csv.reader(file))[1:]
    return shuffled([re.sub(r"\s+", " ", row[2]).strip() for row in rows if len(row) == 3])


_corpora = {}


def corpora():
    """genre -> texts, for the language models"""
    if not _corpora:
        names = [name.name for name in sorted((DATA / "fortunes").iterdir())
                 if "." not in name.name and name.name not in ("ascii-art", "translate-me", "pratchett")]
        _corpora.update({
            "tweet": shuffled(tweets() + sentences("tweets")),
            "movie review": shuffled(sentences("movieReviewSnippets")),
            "product review": shuffled(sentences("amazonReviewSnippets")),
            "editorial": shuffled(sentences("nytEditorialSnippets")),
            "fortune": shuffled([text[:300] for name in names for text in fortunes(name) if len(text.split()) >= 4]),
        })
    return _corpora


def held_out(genre, n=400):
    return corpora()[genre][:n]


def training(genre, n=400):
    return corpora()[genre][n:]


def offence(texts):
    """The probability of each text to be offensive, by a linear profanity classifier."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from profanity_check import predict_prob
        return np.asarray(predict_prob([text or "." for text in texts]))


def split_by_judge(texts, offensive):
    return [text for text, p in zip(texts, offence(texts)) if (p > 0.5) == offensive]


def offensive_texts():
    """(genre, text) of the training part that the judge calls offensive"""
    return [(genre, text) for genre in corpora() for text in split_by_judge(training(genre), True)]


def offensive_split(genre=None, n=300):
    """(for an adapter, held out from it)"""
    found = shuffled([pair for pair in offensive_texts() if genre in (None, pair[0])], 5)
    return found[n:], found[:n]


# What the adapters learn from: the first sentences are for testing and for choosing weights.

def pool(items, seed, held, n=2000):
    found = items[held:]
    random.Random(seed).shuffle(found)
    return found[:n]


def movie_pool(seed):
    return pool(polarity("movieReviewSnippets"), seed, 2000)


def topic_pool(seed):
    return pool(topics(), seed, 1500)


def skewed(data):
    """The paper's split: one half has 80 % of class 0, the other the rest; both are of one size."""
    zero = [item for item in data if item[1] == 0]
    other = [item for item in data if item[1] != 0]
    k = len(zero) * 4 // 5
    m = len(data) // 2 - k
    return zero[:k] + other[:m], zero[k:] + other[m:]
