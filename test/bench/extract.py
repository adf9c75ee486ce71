#!/usr/bin/env python3
"""adapter_extract of one 4096 x 4096 weight in F32, beside numpy's full decomposition and torch.svd_lowrank.

    extract.py    on the server that libpq's environment names, in a database of its own

Two changes: leading values that fall as 1/i, in noise, and noise alone, which has none that stand
out.  One thread each; the peers in a process of their own, whose matrix is there before it begins.
Prints wall and processor seconds, the error beside the least possible one, and the most memory
above what was there before.

SPDX-License-Identifier: PostgreSQL
"""
import json
import multiprocessing
import os
import resource
import sys
import time

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402
import psycopg  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
import harness  # noqa: E402
import safetensors_lite as st  # noqa: E402

N, RANKS = 4096, (16, 64)
CONFIG = json.dumps({"peft_type": "DIFFERENCE", "base_model_name_or_path": "m"})


def change(name):
    generator = np.random.default_rng(1)
    noise = generator.standard_normal((N, N), dtype=np.float32)
    if name == "noise":
        return noise
    terms = 256
    u, v = (generator.standard_normal((N, terms), dtype=np.float32) for _ in range(2))
    return (u / np.arange(1, terms + 1, dtype=np.float32)) @ v.T + noise / 16


def status(what):
    with open("/proc/self/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(what + ":"))


def by_numpy(x, rank):
    return np.linalg.svd(x, full_matrices=False)[1]


def by_torch(x, rank):
    import torch
    torch.set_num_threads(1)
    torch.manual_seed(0)
    u, s, v = torch.svd_lowrank(torch.from_numpy(x), q=rank)
    return (u * s).numpy(), v.numpy()


def peer(pipe, function, name, rank):
    """What it gives, and what that took."""
    x = change(name)
    if function is by_torch:
        import torch
        torch.svd_lowrank(torch.ones(100, 100), q=2)
    before, wall, processor = status("VmRSS"), time.monotonic(), time.process_time()
    result = function(x, rank)
    taken = time.monotonic() - wall, time.process_time() - processor
    pipe.send((result, taken + ((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,)))


def run_peer(function, name, rank):
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=peer, args=(theirs, function, name, rank))
    process.start()
    answer = ours.recv()
    process.join()
    return answer


def run_extract(database, rank):
    """In a session of its own; the result is looked into, and then sent."""
    with harness.connect(database) as connection:
        connection.execute("SELECT adapter_rank(adapter_extract(adapter_from_json(%s::json), 1))", (json.dumps(
            {"config": json.loads(CONFIG), "tensors": {"q.weight": {"dtype": "F32", "shape": [1, 1], "data": [1]}}}),))
        before, wall, processor = harness.peak(connection), time.monotonic(), harness.processor_time(connection)
        connection.execute("CREATE TEMP TABLE x AS SELECT adapter_extract(d, %d) AS x FROM d" % rank)
        taken = (time.monotonic() - wall, harness.processor_time(connection) - processor,
                 (harness.peak(connection) - before) / 1024)
        with connection.cursor(binary=True) as cursor:
            file = cursor.execute("SELECT adapter_to_safetensors(x) FROM x").fetchone()[0]
    tensors = st.read(file)[1]
    a, b = (tensors["base_model.model.q.lora_%s.weight" % n].array() for n in "AB")
    return (b, a.T), taken


def say(name, rank, what, taken, error, least):
    print("| %s | %s | %s | %.1f s | %.1f s | %s | %.0f MB |" % (
        name, rank, what, taken[0], taken[1], "" if error is None else "%.6f" % (error / least), taken[2]), flush=True)


def body(database):
    print("| change | rank | by | wall | processor | error, of the least | memory |\n|---|---|---|---|---|---|---|")
    for name in ("1/i in noise", "noise"):
        x = change(name)
        with harness.connect(database) as connection:
            connection.execute("DROP TABLE IF EXISTS d; CREATE TABLE d(d adapter)")
            connection.execute("INSERT INTO d SELECT adapter_from_safetensors(%b, %s::json)", (
                st.canonical({"q.weight": st.of_array("F32", x)}), CONFIG))
        s, taken = run_peer(by_numpy, name, 0)
        say(name, "all", "numpy.linalg.svd", taken, None, None)
        for rank in RANKS:
            least = np.linalg.norm(s[rank:].astype(float))
            for what, run in (("adapter_extract", lambda: run_extract(database, rank)),
                              ("torch.svd_lowrank", lambda: run_peer(by_torch, name, rank))):
                (left, right), taken = run()
                say(name, rank, what, taken, np.linalg.norm(x - left.astype(float) @ right.astype(float).T), least)


if __name__ == "__main__":
    with harness.scratch("bench_extract") as database:
        body(database)
