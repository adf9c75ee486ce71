"""Run the settings: load the adapters, run the SQL, check it against plain torch, measure.

    experiment.py [--fast | --check | --settings LIST] [--seeds 0,1,2] [--trained FOLDER] [--out OUT] [--document FILE]

The server is the one that libpq's environment names; the extension is in its database, the
tables of tables.sql are not yet.  Seed 0 is the adapters of this repository, other seeds are
FOLDER/s<seed> as train.py wrote them (with --trained for seed 0 too); full fine-tuning is taken
from there as well, where it is there (it is too large for the repository).  --fast does two
settings, the second with LoRA only; --check composes everything and measures distribution
generalisation with LoRA only, on CHECK_TEXTS texts.
One seed is measured after the other, and OUT/paper.md is written after each; FILE is written at the end.
The last line is "N passed, N failed".
"""
import argparse
import multiprocessing
import os
import pathlib
import shutil
import sys
import time
import warnings

import psycopg

import compose
import models
from data import HERE

FILES = {"01-distribution-generalization": ["distgen"], "02-multi-tasking": ["multitask"], "03-unlearning": ["unlearn"],
         "04-domain-transfer": ["transfer", "transfer_mlm", "transfer_lm"], "05-detoxification": ["detox"]}
CHOICE = {"transfer_mlm": "transfer", "transfer_lm": "transfer"}
# setting -> the adapters that are composed, in the order of the weights below
OPERANDS = {
    "distgen": [("distgen", "d0"), ("distgen", "d1")],
    "multitask": [("distgen", "full"), ("multitask", "topics")],
    "unlearn": [("unlearn", "toxic")],
    "transfer": [("distgen", "full"), ("transfer", "lm_amazon"), ("transfer", "lm_movie")],
    "transfer_mlm": [("distgen", "full"), ("transfer", "mlm_amazon"), ("transfer", "mlm_movie")],
    "transfer_lm": [("unlearn", "toxic"), ("transfer_lm", "lm_fortune"), ("transfer_lm", "lm_tweet")],
    "detox": [("detox", "instruct"), ("detox", "toxic")],
}
# measured alone as well, to compare with
ALONE = {"distgen": [("distgen", "full")], "transfer": [("transfer", "cls_amazon")]}
RULE = {"distgen": compose.parameter, "multitask": compose.parameter, "unlearn": compose.negation,
        "transfer": compose.analogy, "transfer_mlm": compose.analogy, "transfer_lm": compose.analogy,
        "detox": compose.continued}
DELTA_WEIGHTS = {"unlearn": lambda s: [-s], "detox": lambda w: [1 + w, -w],
                 "transfer": lambda x, y: [x, y, -y], "transfer_mlm": lambda x, y: [x, y, -y],
                 "transfer_lm": lambda x, y: [x, y, -y]}
CHECK_TEXTS = 100
passed = failed = 0
begin = time.time()


def progress(text):
    print(f"[{time.time() - begin:5.0f} s] {text}", flush=True)


def check(truth, what):
    global passed, failed
    passed, failed = passed + bool(truth), failed + (not truth)
    if not truth:
        print(f"FAILED: {what}", flush=True)


def folders(seed, trained):
    """{(setting, method, name): folder} of a seed"""
    fresh = pathlib.Path(trained or "build/paper/trained") / f"s{seed}"
    wanted = {pair for pairs in list(OPERANDS.values()) + list(ALONE.values()) for pair in pairs}
    found = {}
    for setting, name in sorted(wanted):
        for method in ("lora", "ia3", "full"):
            kept = seed == 0 and trained is None and method != "full"
            folder = (HERE.parent if kept else fresh) / setting / method / name
            if (folder / "adapter_config.json").exists():
                found[setting, method, name] = folder
    return found


def load(connection, seed, trained, full):
    """The folders into the table, and out again: nothing is lost on the way."""
    for (setting, method, name), folder in folders(seed, trained).items():
        file = (folder / "adapter_model.safetensors").read_bytes()
        config = (folder / "adapter_config.json").read_text("utf-8")
        if method == "full" and not full:
            continue
        if method == "full":
            connection.execute("insert into adapters values (%s, %s, %s, %s, adapter_difference(%b, %b, %s::json))",
                               (setting, method, seed, name, (folder / "tuned.safetensors").read_bytes(),
                                (folder / "base.safetensors").read_bytes(), config))
            made = bytes(connection.execute(
                "select adapter_to_safetensors(a) from adapters where (setting, method, seed, name) = (%s, %s, %s, %s)",
                (setting, method, seed, name), binary=True).fetchone()[0])
            theirs, ours = models.load(file), models.load(made)
            check(theirs.keys() == ours.keys() and all(bool((theirs[key] == ours[key]).all()) for key in theirs),
                  f"{folder}: the difference made in SQL is torch's")
            continue
        connection.execute("insert into adapters values (%s, %s, %s, %s, adapter_from_safetensors(%b, %s::json))",
                           (setting, method, seed, name, file, config))
        back = connection.execute(
            "select adapter_to_safetensors(a), adapter_config(a)::text from adapters "
            "where (setting, method, seed, name) = (%s, %s, %s, %s)", (setting, method, seed, name), binary=True).fetchone()
        check((bytes(back[0]), back[1]) == (file, config), f"{folder} comes back byte for byte")


def folder_of(out, kind, key):
    setting, method, seed, algebra, weights = key
    return out / kind / setting / method / f"s{seed}" / "_".join([algebra] + [f"{w:g}" for w in weights])


def export(connection, out, key):
    model, config = connection.execute(
        "select adapter_to_safetensors(a), adapter_config(a)::text from composed "
        "where (setting, method, seed, algebra, weights) = (%s, %s, %s, %s, %s::float8[])", key, binary=True).fetchone()
    folder = folder_of(out, "sql", key)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_model.safetensors").write_bytes(model)
    (folder / "adapter_config.json").write_text(config, "utf-8")
    return folder


def reference(connection, out, key, trained):
    """The same composition in plain torch."""
    setting, method, seed, algebra, weights = key
    parts = [(s, n, models.read(folders(seed, trained)[s, method, n])) for s, n in OPERANDS[setting]]
    if algebra == "delta":
        weights = DELTA_WEIGHTS.get(setting, lambda *w: list(w))(*weights)
        made = compose.delta([part[2] for part in parts], weights)
    else:
        rule = compose.lerp if algebra == "lerp" else RULE[setting]
        weights = [-w for w in weights] if algebra == "lerp" else weights
        made = rule([part[2] for part in parts], weights[:1] if rule is compose.analogy else weights)
    folder = folder_of(out, "torch", key)
    models.write(folder, *made)
    return folder


def scaled(folder):
    """The tensors in double, the scaling in B."""
    tensors, config = models.read(folder)
    scaling = config["lora_alpha"] / config["r"] if config["peft_type"] == "LORA" else 1
    return {name: tensor.double() * (scaling if "lora_B" in name else 1) for name, tensor in tensors.items()}


def one_rounding(x, y):
    """The largest difference of two folders, in units of one rounding to float32 of the larger one."""
    a, b = scaled(x), scaled(y)
    if a.keys() != b.keys() or any(a[name].shape != b[name].shape for name in a):
        return float("inf")
    worst = 0.0
    for name in a:
        size = compose.torch.maximum(a[name].abs(), b[name].abs()).clamp(min=2.0 ** -126)
        unit = 2.0 ** (compose.torch.frexp(size)[1].double() - 24)
        worst = max(worst, float(((a[name] - b[name]).abs() / unit).max()))
    return worst


def measure(task):
    """One measurement, in a process of its own; every warning of PEFT's counts."""
    import evaluate
    setting, folder, validation = task
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        scores = evaluate.evaluate(setting, folder, validation)
    return scores, [str(w.message) for w in found if "peft" in pathlib.Path(w.filename).parts]


class Measurements:
    """Keeps each score in the table, and measures nothing twice."""

    def __init__(self, connection, workers):
        self.connection, self.workers = connection, workers

    def run(self, tasks, what):
        """tasks: {key + (split,): folder}"""
        tasks = list(tasks.items())
        order = [(key[0], None if folder is None else str(folder), key[-1] == "validation") for key, folder in tasks]
        results = self.workers.imap(measure, order)
        found = {}
        for i, ((key, _), (scores, warned)) in enumerate(zip(tasks, results)):
            name = [key[1], f"seed {key[2]}", key[3], *(f"{w:g}" for w in key[4]), key[5]]
            progress(f"{what} {i + 1}/{len(tasks)}: {' '.join(filter(None, name))}: "
                     + ", ".join(f"{metric} {value:.2f}" for metric, value in scores.items()))
            check(not warned, f"{key} loads in PEFT without a warning: {warned}")
            found[key] = scores
        return found

    def keep(self, tasks, what):
        known = {(*row[:4], tuple(row[4]), row[5]) for row in self.connection.execute(
            "select distinct setting, method, seed, algebra, weights, split from scores")}
        for key, scores in self.run({key: folder for key, folder in tasks.items() if key not in known}, what).items():
            *key, split = key
            for metric, value in scores.items():
                self.connection.execute("insert into scores values (%s, %s, %s, %s, %s::float8[], %s, %s, %s)",
                                        (*key[:4], list(key[4]), split, metric, value))


def compose_all(connection, out, trained):
    """Run the SQL files; every row against plain torch."""
    for name in FILES:
        connection.execute((HERE / f"{name}.sql").read_text())
        progress(f"{name}.sql: composed")
    keys = [tuple(row) for row in connection.execute(
        "select setting, method, seed, algebra, weights from composed order by 1, 2, 3, 4, 5")]
    worst = 0.0
    for key in keys:
        apart = one_rounding(export(connection, out, key), reference(connection, out, key, trained))
        check(apart <= 1, f"{key}: {apart} roundings from plain torch")
        worst = max(worst, apart)
    progress(f"{len(keys)} compositions, against plain torch: at most {worst:g} roundings to float32 apart")
    return keys


def measure_setting(connection, measurements, keys, setting, out, seed, trained):
    """One setting of one seed, and the base model if that is still to do."""
    mine = [key for key in keys if (key[0], key[2]) == (setting, seed)]
    base = {(setting, "", 0, "base", (), split): None for split in ("validation", "test")}
    alone = {}
    for (s, method, name), folder in folders(seed, trained).items():
        if (s, name) in OPERANDS[setting] + ALONE.get(setting, []) and any(key[1] == method for key in mine):
            for split in ("validation", "test"):
                alone[setting, method, seed, name, (), split] = folder
    # A setting without a choice needs no validation.
    if setting == "distgen":
        base, alone = ({key: f for key, f in part.items() if key[-1] == "test"} for part in (base, alone))
    elif setting != "detox":
        alone = {key: f for key, f in alone.items() if key[-1] == "test"}
    measurements.keep(base | alone, f"{setting}, base and alone")
    if setting != "distgen":
        measurements.keep({(*key[:4], tuple(key[4]), "validation"): folder_of(out, "sql", key) for key in mine},
                          f"{setting}, sweep")
    chosen = [tuple(row) for row in connection.execute(
        f"select setting, method, seed, algebra, weights from {CHOICE.get(setting, setting)}_choice where setting = %s "
        "order by 2, 3, 4", (setting,)) if tuple(row) in mine]
    tests = {(*key[:4], tuple(key[4]), "test"): folder_of(out, "sql", key) for key in chosen}
    measurements.keep(tests, f"{setting}, composed in SQL")
    again = measurements.run({key: folder_of(out, "torch", key[:5]) for key in tests}, f"{setting}, composed by plain torch")
    for key, scores in again.items():
        ours = dict(connection.execute(
            "select metric, value from scores where (setting, method, seed, algebra, weights, split) = "
            "(%s, %s, %s, %s, %s::float8[], %s)", (*key[:4], list(key[4]), key[5])).fetchall())
        # Where a tensor is one rounding apart, a perplexity differs in its seventh digit.
        check(ours.keys() == scores.keys() and all(abs(ours[m] - scores[m]) <= 1e-5 * abs(scores[m]) for m in scores),
              f"{key}: SQL {ours}, plain torch {scores}")


def document(connection, path):
    """The table of scores as a file, and the report of it."""
    import report
    with connection.cursor().copy("copy (select * from scores order by setting, method, seed, algebra, weights, split, metric) "
                                  "to stdout with (format csv, header)") as copy, \
            open(f"{pathlib.Path(path).with_suffix('')}-scores.csv", "wb") as file:
        for part in copy:
            file.write(part)
    report.write(path)


def check_known(connection):
    """Seed 0 of this repository, on a machine where plain torch says the same."""
    found = dict(connection.execute(
        "select algebra, value from scores where (setting, method, seed, split) = ('distgen', 'lora', 0, 'test')"))
    for algebra, known in (("parameter", 73.58), ("delta", 76.92)):
        if round(found[algebra], 2) != known:
            progress(f"note: {algebra} gives {found[algebra]:.2f} here; {known} where the adapters were trained")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--fast", action="store_true")
    arguments.add_argument("--check", action="store_true")
    arguments.add_argument("--settings", help="measure only these, a list with commas")
    arguments.add_argument("--seeds", default="0")
    arguments.add_argument("--trained")
    arguments.add_argument("--out", default="build/paper")
    arguments.add_argument("--document")
    arguments = arguments.parse_args()
    out = pathlib.Path(arguments.out)
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    for kind in ("sql", "torch"):
        shutil.rmtree(out / kind, ignore_errors=True)
    # Evaluations are single-threaded and independent of each other.
    os.environ.pop("PAPER_TEXTS", None)
    if arguments.check:
        os.environ["PAPER_TEXTS"] = str(CHECK_TEXTS)
    jobs = 1 if arguments.check else int(os.environ.get("PAPER_JOBS", min(2, os.cpu_count())))
    with psycopg.connect(autocommit=True) as connection, \
            multiprocessing.get_context("spawn").Pool(jobs) as workers:
        connection.execute((HERE / "tables.sql").read_text())
        for seed in seeds:
            load(connection, seed, arguments.trained, not arguments.fast and not arguments.check)
        progress(f"{connection.execute('select count(*) from adapters').fetchone()[0]} adapters loaded")
        keys = compose_all(connection, out, arguments.trained)
        measurements = Measurements(connection, workers)
        if arguments.check:
            keys = [key for key in keys if key[:2] == ("distgen", "lora")]
        if arguments.fast:
            keys = [key for key in keys if key[:2] != ("multitask", "ia3")]
        settings = ["distgen"] if arguments.check else ["distgen", "multitask"] if arguments.fast else list(OPERANDS)
        if arguments.settings:
            settings = arguments.settings.split(",")
        for seed in seeds:
            for setting in settings:
                measure_setting(connection, measurements, keys, setting, out, seed, arguments.trained)
            if arguments.document:
                document(connection, out / "paper.md")
        if 0 in seeds and arguments.trained is None and "distgen" in settings and not arguments.check:
            check_known(connection)
        if arguments.document:
            document(connection, arguments.document)
            progress(f"written: {arguments.document} and its pictures")
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
