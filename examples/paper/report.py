"""doc/paper.md and its pictures, from the table of scores.

    report.py DOCUMENT.md       from DOCUMENT-scores.csv, which experiment.py wrote
"""
import csv
import pathlib
import statistics
import sys

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
    """Rows (setting, method, seed, algebra, weights, split, metric, value) of the table scores."""

    def __init__(self, path):
        with open(path, newline="") as file:
            self.rows = [(row["setting"], row["method"], int(row["seed"]), row["algebra"],
                          [float(w) for w in row["weights"].strip("{}").split(",") if w],
                          row["split"], row["metric"], float(row["value"])) for row in csv.DictReader(file)]
        self.rows.sort(key=lambda row: (row[2], row[4]))
        self.seeds = sorted({row[2] for row in self.rows if row[1]})      # a base model's rows have no seed

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
        main = METRIC[setting][0]
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
    """In how many seeds the composition beats all that it has to beat."""
    metric, more = METRIC[setting]
    mine = scores.of(setting, method, algebra, metric)
    won = []
    for seed, (_, value) in mine.items():
        rivals = [scores.of(setting, method, rival, metric)[0 if rival == "base" else seed][1] for rival in RIVALS[setting]]
        won.append(all(value > rival if more else value < rival for rival in rivals))
    return f"{sum(won)} of {len(won)}" if len(won) > 1 else "yes" if won == [True] else "no"


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
    figure.suptitle("LoRA: before (grey) and after composing in SQL (colour); not every axis begins at 0"
                    + ("; whiskers: standard deviation over the seeds" if len(scores.seeds) > 1 else ""), fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def curve(plot, scores, path):
    """The sweep of multi-tasking over its weight, on validation data, means over the seeds."""
    figure, axis = plot.subplots(figsize=(5.5, 3.6))
    for method, colour in (("lora", "#d95f02"), ("ia3", "#7570b3")):
        def means(algebra, metric):
            """[(weights, mean over the seeds)]"""
            found = {}
            for row in scores.rows:
                if row[:2] == ("multitask", method) and row[3] == algebra and row[5:7] == ("validation", metric):
                    found.setdefault(tuple(row[4]), []).append(row[7])
            return sorted((weights, statistics.mean(values)) for weights, values in found.items())
        for metric, style in (("mean", "-"), ("movie", ":"), ("topics", "--")):
            line = [(weights[0], mean) for weights, mean in means("parameter", metric)]
            if line and (metric == "mean" or method == "lora"):
                label = {"mean": "mean of both", "movie": "film reviews", "topics": "topics"}[metric]
                axis.plot(*zip(*line), style, color=colour, marker="o" if metric == "mean" else None, markersize=3,
                          label=f"{METHODS[method]}, {label}")
        best = [mean for _, mean in means("delta", "mean")]
        if best:
            axis.axhline(max(best), color=colour, linewidth=0.8, alpha=0.6)
            axis.text(0.92, max(best) + (-0.15 if method == "lora" else 0.15), f"{METHODS[method]}, delta space: best mean",
                      fontsize=6, color=colour, ha="right", va="top" if method == "lora" else "bottom")
    axis.set_xlabel("l in  l * film + (1 - l) * topics", fontsize=8)
    axis.set_ylabel("accuracy on validation data, %" + (f", mean of {len(scores.seeds)} seeds" if len(scores.seeds) > 1 else ""), fontsize=8)
    axis.legend(fontsize=6)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def introduction(seeds):
    several = ("Seeds: " + ", ".join(map(str, seeds)) + "; the numbers are means ± standard deviations over them. A seed changes "
               "the training sample, the initialisation and the order; the texts to test on and the base models are the same, so "
               "the noise of those (about 1.2 points for an accuracy) is not in the deviation. The last column says in how many "
               "seeds a composition beats everything that it has to beat, by number.")
    one = (f"Seed: {seeds[0]}. The last column says whether a composition beats everything that it has to beat, by number; with "
           "one seed that is one draw (about 1.2 points for an accuracy).")
    return ("Written by `dev/paper`; what the settings are and what to conclude is told in "
            "[examples/paper](../examples/paper/README.md). Every composition was made in SQL, and again in plain torch; the "
            "tensors of both agree within one rounding to float32, and each line below gave the same numbers for both, to five "
            "digits. Weights were chosen on validation data, numbers are of test data (but for the perplexity of ordinary text in unlearning and "
            "detoxification, which only limits the choice: it is of the same texts in both). " + (several if len(seeds) > 1 else one))


def write(document):
    """DOCUMENT.md, DOCUMENT-settings.png and DOCUMENT-sweep.png from DOCUMENT-scores.csv"""
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plot
    document = pathlib.Path(document)
    stem = document.with_suffix("")
    scores = Scores(f"{stem}-scores.csv")
    settings = [s for s in TITLES if any(row[0] == s for row in scores.rows)]
    bars(plot, scores, settings, f"{stem}-settings.png")
    text = ["# The paper's settings, measured", introduction(scores.seeds),
            f"All that was measured, the sweeps on validation data too: [{stem.name}-scores.csv]({stem.name}-scores.csv).",
            f"![base model, adapters alone, compositions]({stem.name}-settings.png)"]
    if "multitask" in settings:
        curve(plot, scores, f"{stem}-sweep.png")
    for setting in settings:
        text += [f"## {TITLES[setting]}", CLAIMS[setting], table(scores, setting)]
        if setting == "multitask":
            text.append(f"![accuracy over the weight]({stem.name}-sweep.png)")
    text += ["## What did not work, and what was left out", (HERE / "findings.md").read_text().strip()]
    document.write_text("\n\n".join(text) + "\n")


if __name__ == "__main__":
    write(sys.argv[1])
