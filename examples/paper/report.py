"""doc/paper.md and its pictures, from the tables adapters, composed and scores.

    report.py FILE [SETTING ...]        (the server is the one that libpq's environment names)
"""
import pathlib
import statistics
import sys

import psycopg

from data import HERE
from evaluate import METRIC

METHODS = {"lora": "LoRA", "ia3": "(IA)³", "full": "full fine-tuning"}
TITLES = {"distgen": "Distribution generalisation", "multitask": "Multi-tasking", "unlearn": "Unlearning",
          "transfer": "Domain transfer of a classifier", "transfer_mlm": "The same, with masked-language modelling",
          "transfer_lm": "Domain transfer of an attribute", "detox": "Detoxification"}
CLAIMS = {
    "distgen": "The paper: modules trained on two skewed parts of the data, added with weights 1/2, beat both parts "
               "on the original test set on nearly all tasks.",
    "multitask": "The paper: a weighted sum of two tasks' modules has both skills, with a better mean accuracy than "
                 "either module.",
    "unlearn": "The paper: the negated module of a model trained on offensive text writes less of it, and perplexity "
               "on other text hardly changes.",
    "transfer": "The paper: the source's classifier plus the difference of the domains' language modules beats the "
                "source's classifier on the target, for which there are no labels. (lm_movie and lm_amazon are trained "
                "without labels, on all sentences of their domain, the test's among them.)",
    "transfer_mlm": "The paper's claim as above; the language adapters are trained by masked-language modelling over "
                    "MiniLM's own vocabulary.",
    "transfer_lm": "The paper's analogy with another thing carried over: offensiveness from tweets to fortunes, in a "
                   "language model. Lower perplexity on offensive fortunes, which none of the three adapters saw, is better.",
    "detox": "The paper: a (+) w (a (-) x), with x trained on from a with toxic instructions, is less toxic and "
             "remains as helpful. offensive: share of 1,500 texts written after \"Write a rude tweet\" that the classifier of "
             "profanity calls so; follows: share of texts that a classifier of genres puts into the kind that was asked "
             "for; all parameters alike: adapter_lerp, the plain difference.",
}
# what a composed adapter has to be better than
RIVALS = {"distgen": ["d0", "d1"], "multitask": ["base", "full", "topics"], "unlearn": ["base"],
          "transfer": ["full"], "transfer_mlm": ["full"], "transfer_lm": ["toxic", "base"], "detox": ["instruct"]}
NAMES = {("multitask", "full"): "film", ("transfer", "full"): "source", ("transfer_mlm", "full"): "source",
         ("transfer_lm", "toxic"): "source", ("transfer", "cls_amazon"): "with target labels",
         ("distgen", "full"): "full set"}
ALGEBRAS = {"parameter": "parameter space", "delta": "delta space", "lerp": "all parameters alike"}


class Scores:
    def __init__(self, connection):
        self.rows = connection.execute(
            "select setting, method, seed, algebra, weights, split, metric, value from scores order by seed, weights").fetchall()

    def of(self, setting, method, algebra, metric, split="test"):
        """{seed: (weights, value)}"""
        method = "" if algebra == "base" else method
        return {row[2]: (row[4], row[7]) for row in self.rows
                if row[:2] == (setting, method) and row[3] == algebra and row[5:7] == (split, metric)}

    def methods(self, setting):
        return [m for m in METHODS if any(row[:2] == (setting, m) for row in self.rows)]

    def algebras(self, setting, method):
        """adapters alone, then compositions"""
        found = list(dict.fromkeys(row[3] for row in self.rows if row[:2] == (setting, method) and row[5] == "test"))
        return sorted((a for a in found if a not in ALGEBRAS), key=lambda a: (a not in RIVALS[setting], a)), \
            [a for a in ALGEBRAS if a in found]

    def metrics(self, setting):
        """the one that the setting is about first"""
        found = sorted({row[6] for row in self.rows if row[0] == setting and row[5] == "test"})
        main = METRIC["transfer" if setting == "transfer_mlm" else setting][0]
        return [main] + [metric for metric in found if metric != main]


def number(found):
    values = [value for _, value in found.values()]
    if not values:
        return "–"
    mean = f"{statistics.mean(values):.2f}"
    return f"{mean} ± {statistics.stdev(values):.2f}" if len(values) > 1 else mean


def weights(found):
    lists = {tuple(w) for w, _ in found.values() if w}
    return " or ".join("(" + ", ".join(f"{w:g}" for w in ws) + ")" for ws in sorted(lists))


def effect(scores, setting, method, algebra):
    """Whether the composition beats what it has to beat, in every seed."""
    metric, more = METRIC["transfer" if setting == "transfer_mlm" else setting]
    mine = scores.of(setting, method, algebra, metric)
    won = []
    for seed, (_, value) in mine.items():
        for rival in RIVALS[setting]:
            found = scores.of(setting, method, rival, metric)
            other = found[0 if rival == "base" else seed][1]
            won.append(value > other if more else value < other)
    return "yes" if all(won) else "no" if not any(won) else "in part"


def table(scores, setting):
    metrics = scores.metrics(setting)
    lines = ["| | " + " | ".join(metrics) + " | weights | better than " +
             ", ".join(NAMES.get((setting, r), r) for r in RIVALS[setting]) + " |",
             "|---" * (len(metrics) + 3) + "|"]

    def line(title, method, algebra, more=("", "")):
        values = [number(scores.of(setting, method, algebra, metric)) for metric in metrics]
        lines.append(f"| {title} | " + " | ".join(values) + f" | {more[0]} | {more[1]} |")
    line("base model", "", "base")
    for method in scores.methods(setting):
        alone, composed = scores.algebras(setting, method)
        for name in alone:
            line(f"{METHODS[method]}: {NAMES.get((setting, name), name)}", method, name)
        for algebra in composed:
            line(f"{METHODS[method]}: **composed**, {ALGEBRAS[algebra]}", method, algebra,
                 (weights(scores.of(setting, method, algebra, metrics[0])), effect(scores, setting, method, algebra)))
    return "\n".join(lines)


def bars(plot, scores, settings, path):
    """Per setting the base model, the adapters alone and the compositions."""
    columns = min(4, len(settings))
    rows = -(-len(settings) // columns)
    figure, axes = plot.subplots(rows, columns, figsize=(3.1 * columns, 3.6 * rows), squeeze=False)
    for axis in axes.flat[len(settings):]:
        axis.axis("off")
    colours = {"parameter": "#d95f02", "delta": "#1b9e77", "lerp": "#7570b3"}
    for axis, setting in zip(axes.flat, settings):
        metric = scores.metrics(setting)[0]
        found = [("base", "#555555", scores.of(setting, "", "base", metric))]
        method = "lora"
        alone, composed = scores.algebras(setting, method)
        found += [(NAMES.get((setting, a), a), "#aaaaaa", scores.of(setting, method, a, metric)) for a in alone]
        found += [(ALGEBRAS[a].replace(" ", "\n"), colours[a], scores.of(setting, method, a, metric)) for a in composed]
        found = [(name, colour, [value for _, value in values.values()]) for name, colour, values in found]
        means = [statistics.mean(values) for _, _, values in found]
        spread = [statistics.stdev(values) if len(values) > 1 else 0 for _, _, values in found]
        axis.bar(range(len(found)), means, color=[colour for _, colour, _ in found],
                 yerr=spread if any(spread) else None, capsize=3)
        low = min(means) - 0.6 * (max(means) - min(means))
        axis.set_ylim(max(0, low) if metric != "offensive" else 0)
        axis.set_xticks(range(len(found)), [name for name, _, _ in found], rotation=60, ha="right", fontsize=7)
        axis.set_title(TITLES[setting], fontsize=8)
        axis.set_ylabel({"accuracy": "accuracy, %", "mean": "mean accuracy, %", "offensive": "offensive, % (less is better)",
                         "perplexity": "perplexity (less is better)"}[metric], fontsize=7)
        axis.tick_params(axis="y", labelsize=7)
    figure.suptitle("LoRA: before (grey) and after composing in SQL (colour); not every axis begins at 0", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def curve(plot, scores, path):
    """The sweep of multi-tasking over its weight, on validation data."""
    figure, axis = plot.subplots(figsize=(5.5, 3.6))
    for method, colour in (("lora", "#d95f02"), ("ia3", "#7570b3")):
        rows = [row for row in scores.rows if row[:2] == ("multitask", method) and row[5] == "validation"]
        for metric, style in (("mean", "-"), ("movie", ":"), ("topics", "--")):
            line = sorted((row[4][0], row[7]) for row in rows if row[3] == "parameter" and row[6] == metric)
            if line and (metric == "mean" or method == "lora"):
                label = {"mean": "mean of both", "movie": "film reviews", "topics": "topics"}[metric]
                axis.plot(*zip(*line), style, color=colour, marker="o" if metric == "mean" else None, markersize=3,
                          label=f"{METHODS[method]}, {label}")
        best = [row[7] for row in rows if row[3] == "delta" and row[6] == "mean"]
        if best:
            axis.axhline(max(best), color=colour, linewidth=0.8, alpha=0.6)
            axis.text(0.1 if method == "lora" else 0.62, max(best) + 0.2, f"{METHODS[method]}, delta space: best mean", fontsize=6, color=colour)
    axis.set_xlabel("l in  l * film + (1 - l) * topics", fontsize=8)
    axis.set_ylabel("accuracy on validation data, %", fontsize=8)
    axis.legend(fontsize=6)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def write(connection, document, settings, seeds):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plot
    scores = Scores(connection)
    settings = [s for s in settings if scores.of(s, "", "base", scores.metrics(s)[0])]
    stem = document.with_suffix("")
    bars(plot, scores, settings, f"{stem}-settings.png")
    text = ["# The paper's settings, measured",
            f"Written by `dev/paper`; what the settings are and what to conclude is told in "
            f"[examples/paper](../examples/paper/README.md). Seeds: {', '.join(map(str, seeds))}. Every composition was made "
            "in SQL, and again in plain torch; the tensors of both agree within one rounding to float32, and each line "
            "below gave the same numbers for both, to five digits. Weights were chosen on validation data, numbers are of test data. "
            "The last column says whether a composition beats everything that it has to beat, by number; with one seed "
            "that is one draw (about 1.2 points for an accuracy).",
            f"![base model, adapters alone, compositions]({document.stem}-settings.png)"]
    if "multitask" in settings:
        curve(plot, scores, f"{stem}-sweep.png")
    for setting in settings:
        text += [f"## {TITLES[setting]}", CLAIMS[setting], table(scores, setting)]
        if setting == "multitask":
            text.append(f"![accuracy over the weight]({document.stem}-sweep.png)")
    notes = HERE / "findings.md"
    if notes.exists():
        text += ["## What did not work, and what was left out", notes.read_text().strip()]
    if len(seeds) == 1:
        text += ["## Three seeds", (HERE / "three-seeds.md").read_text().strip()]
    document.write_text("\n\n".join(text) + "\n")


if __name__ == "__main__":
    with psycopg.connect() as connection:
        found = [row[0] for row in connection.execute("select distinct seed from adapters order by 1")]
        write(connection, pathlib.Path(sys.argv[1]), sys.argv[2:] or list(TITLES), found)
