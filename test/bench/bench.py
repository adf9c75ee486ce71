#!/usr/bin/env python3
"""Measure the extension beside its peers: bench.py DATA REPETITIONS OUT.md CODEC (dev/bench calls it).

Everything that is compared runs in turn, repetition by repetition, so that load on the machine
falls on both.  A figure is the median of the repetitions, with minimum and maximum.
"""
import os
import platform
import statistics
import struct
import subprocess
import sys
import threading
import time

import psycopg

data, repetitions, out_name, codec = sys.argv[1], max(5, int(sys.argv[2])), sys.argv[3], sys.argv[4]
here = os.path.dirname(os.path.abspath(__file__))
scratch = os.path.join(data, "scratch.safetensors")
connection = psycopg.connect(autocommit=True, prepare_threshold=None)
backend = connection.execute("select pg_backend_pid()").fetchone()[0]
rows, notes = [], []


def sql(text, *args, **kwargs):
    return connection.execute(text, *args, **kwargs)


def timed(work):
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def in_turn(**works):
    """{name: [ms, ...]}; a work is a function, or (prepare, function) of which only the second counts."""
    times = {name: [] for name in works}
    for repetition in range(repetitions + 1):
        for name, work in works.items():
            prepare, measured = work if isinstance(work, tuple) else (None, work)
            if prepare:
                prepare()
            ms = timed(measured)
            if repetition > 0:  # the first is a rehearsal
                times[name].append(ms)
    return times


def figure(values, unit="ms"):
    median = statistics.median(values)
    digits = 2 if median < 10 else 0
    return f"{median:.{digits}f} [{min(values):.{digits}f}, {max(values):.{digits}f}] {unit}"


def row(what, ours, peer, aim, ours_text=None, peer_text=None):
    ratio = statistics.median(ours) / statistics.median(peer)
    rows.append((what, ours_text or figure(ours), peer_text or figure(peer), f"{ratio:.2f}", aim))
    print(*rows[-1], sep=" | ", flush=True)


def fact(what, value, peer, aim):
    rows.append((what, value, peer, "", aim))
    print(*rows[-1], sep=" | ", flush=True)


def resident():
    """Memory of the backend that is its own (without shared buffers), in MB."""
    with open(f"/proc/{backend}/status") as f:
        return next(int(line.split()[1]) / 1000 for line in f if line.startswith("RssAnon"))


def peak_of(work):
    """Peak of the backend's own memory during the work, above what it had before, in MB."""
    before, peak, stop = resident(), [0.0], threading.Event()

    def watch():
        while not stop.is_set():
            peak[0] = max(peak[0], resident())
            time.sleep(0.002)
    thread = threading.Thread(target=watch)
    thread.start()
    work()
    stop.set()
    thread.join()
    return peak[0] - before


def read(name):
    with open(f"{data}/{name}/adapter_model.safetensors", "rb") as f:
        return f.read()


def config(name):
    with open(f"{data}/{name}/adapter_config.json") as f:
        return f.read()


def set_up():
    sql("create extension peftarith")
    sql("create table t (name text primary key, a adapter)")
    sql("create table r (a adapter)")
    for i in range(8):
        sql("insert into t values (%s, adapter_from_safetensors(%b, %s))", (f"bf16_{i}", read(f"bf16_{i}"), config(f"bf16_{i}")))
    for name in ("f32_0", "f16_0"):
        sql("insert into t values (%s, adapter_from_safetensors(%b, %s))", (name, read(name), config(name)))
    stored = sql("select pg_column_size(0.5 * x.a + 0.5 * y.a) from t x, t y where x.name = 'bf16_0' and y.name = 'bf16_1'").fetchone()[0]
    for table, size in (("stored", stored), ("raw", len(read("bf16_0")))):
        sql(f"create table {table} (v bytea)")
        sql(f"alter table {table} alter v set storage external")
        sql(f"insert into {table} select substr(%b::bytea, 1, {size})", (read("bf16_0"),))
    sql("create table v (v bytea)")
    sql("alter table v alter v set storage external")
    sql("create table b (a adapter)")
    sql("vacuum analyze")


def empty(table):
    def work():
        sql(f"truncate {table}")
        sql("checkpoint")
    return work


def compose():
    import torch
    sys.path.insert(0, here)
    import peers
    files = [f"{data}/bf16_{i}/adapter_model.safetensors" for i in range(2)]
    two = "insert into r select 0.5 * x.a + 0.5 * y.a from t x, t y where x.name = 'bf16_0' and y.name = 'bf16_1'"

    def python(threads):
        def work():
            torch.set_num_threads(threads)
            peers.weighted_sum(files, [0.5, 0.5], scratch)
        return work

    def process(threads):
        return lambda: subprocess.run([sys.executable, f"{here}/peers.py", *files, scratch], check=True,
                                      env={**os.environ, "THREADS": str(threads)})
    times = in_turn(ours=(empty("r"), lambda: sql(two)), floor=(empty("v"), lambda: sql("insert into v select v from stored")),
                    warm1=python(1), warm2=python(2), whole1=process(1), whole2=process(2))
    row("`INSERT ... SELECT 0.5*a + 0.5*b`, against `INSERT ... SELECT` of a bytea of the stored size", times["ours"], times["floor"], "2.0")
    row("the same, against the whole Python process (start, load, add, save, fsync), 1 thread", times["ours"], times["whole1"], "0.5")
    row("the same, 2 threads", times["ours"], times["whole2"], "")
    row("the same, against the warm Python process, 1 thread", times["ours"], times["warm1"], "stated")
    row("the same, 2 threads", times["ours"], times["warm2"], "")


def many_inputs():
    def combine(n):
        return f"insert into r select adapter_combine(a, 1.0 / {n}) from t where name like 'bf16%' and right(name, 1)::int < {n}"
    times = in_turn(eight=(empty("r"), lambda: sql(combine(8))), two=(empty("r"), lambda: sql(combine(2))))
    row("8 inputs against 2 inputs", times["eight"], times["two"], "2.4")
    peaks = [peak_of(lambda: sql(combine(n))) for n in (2, 8)]
    fact("memory of the backend, 2 and 8 inputs", f"{peaks[0]:.0f} and {peaks[1]:.0f} MB above idle", "", "within 32 MB")


def mean_of_rows():
    sql("create table m (n int, a adapter)")
    for n in range(16):  # 16 different values: a scaled copy is another adapter
        sql("insert into m select %s, adapter_scale(a, %s) from t where name = %s", (n, 1 + n / 64, f"bf16_{n % 8}"))
    sql("checkpoint")
    def query(n):
        return f"select adapter_digest(avg(a)) from m where n < {n}"
    times = in_turn(four=lambda: sql(query(4)), sixteen=lambda: sql(query(16)))
    peaks = [peak_of(lambda: sql(query(n))) for n in (4, 16)]
    four, sixteen = (statistics.median(times[k]) for k in ("four", "sixteen"))
    fact("`avg` of 4 and 16 rows of 84 MB", f"{figure(times['four'])} and {figure(times['sixteen'])}: {four / 4:.0f} and {sixteen / 16:.0f} ms a row", "", "linear within 20 %")
    fact("memory of the backend meanwhile", f"{peaks[0]:.0f} and {peaks[1]:.0f} MB above idle", "", "at most 300 MB")


def sizes():
    zipnn = None
    try:
        from zipnn import ZipNN
        zipnn = {d: ZipNN(input_format="byte", bytearray_dtype={"bf16": "bfloat16", "f32": "float32", "f16": "float16"}[d], threads=1)
                 for d in ("bf16", "f32", "f16")}
    except Exception as error:  # said in the table
        notes.append(f"ZipNN could not be used: {error}")
    for dtype, aim in (("bf16", "0.665"), ("f32", "0.833"), ("f16", "0.85")):
        ours = sql("select pg_column_size(a)::float8 / adapter_raw_size(a) from t where name = %s", (f"{dtype}_0",)).fetchone()[0]
        file = read(f"{dtype}_0")
        header = 8 + struct.unpack("<Q", file[:8])[0]
        values = file[header:]
        peer, speed = "", None
        if zipnn:
            try:
                compressed = bytes(zipnn[dtype].compress(bytearray(values)))
                peer = f"{len(compressed) / len(values):.4f} (ZipNN)"
                if dtype == "bf16":
                    speed = compressed
            except Exception as error:
                notes.append(f"ZipNN on {dtype}: {error}")
        fact(f"stored size of {dtype}, of the raw size", f"{ours:.4f}", peer, aim)
        if dtype == "bf16":
            codec_speed(values, header, zipnn and zipnn["bf16"], speed)


def codec_speed(values, header, zipnn, compressed):
    lines = subprocess.run([codec, f"{data}/bf16_0/adapter_model.safetensors", "bf16", str(header), str(repetitions)],
                           check=True, capture_output=True, text=True).stdout.split("\n")[:-1]
    encode, decode = ([float(line.split()[k]) for line in lines] for k in (0, 1))
    peer_encode, peer_decode = [], []
    if zipnn and compressed:
        for _ in range(repetitions):
            copy = bytearray(values)
            peer_encode.append(len(values) / 1e3 / timed(lambda: zipnn.compress(copy)))
            peer_decode.append(len(values) / 1e3 / timed(lambda: zipnn.decompress(compressed)))
    for what, ours, peer, aim in (("encode", encode, peer_encode, "1000"), ("decode", decode, peer_decode, "2500")):
        fact(f"{what} bf16 blocks without SHA-256, one core", figure(ours, "MB/s"), figure(peer, "MB/s") + " (ZipNN, 1 thread)" if peer else "", f"at least {aim}")


def in_and_out():
    name = "base_model.model.model.layers.7.self_attn.k_proj.lora_B.weight"
    one = in_turn(one=lambda: sql("select array_length(adapter_tensor(a, %s), 1) from t where name = 'bf16_0'", (name,)).fetchone())["one"]
    fact("reading one tensor of 84 MB, with the client's round trip", figure(one), "", "1 ms")

    def fetch(text):
        return lambda: sql(text, binary=True).fetchone()
    times = in_turn(ours=fetch("select a from t where name = 'bf16_0'"), floor=fetch("select v from raw"))
    row("`SELECT a` to a client, binary, against a bytea of the raw size", times["ours"], times["floor"], "1.2")

    def copied(text):
        pieces = []
        with connection.cursor().copy(text) as copy:
            pieces.extend(bytes(piece) for piece in copy)
        return b"".join(pieces)
    ours = copied("copy (select a from t where name = 'bf16_0') to stdout with (format binary)")
    floor = copied("copy raw to stdout with (format binary)")

    def copy_in(table, content):
        def work():
            with connection.cursor().copy(f"copy {table} from stdin with (format binary)") as copy:
                for at in range(0, len(content), 1 << 20):
                    copy.write(content[at:at + (1 << 20)])
        return empty(table), work
    times = in_turn(ours=copy_in("b", ours), floor=copy_in("v", floor))
    row("binary COPY in, against a bytea of the raw size", times["ours"], times["floor"], "1.1")
    file, text = read("bf16_0"), config("bf16_0")
    times = in_turn(ours=(empty("b"), lambda: sql("insert into b values (adapter_from_safetensors(%b, %s))", (file, text))),
                    floor=(empty("v"), lambda: sql("insert into v values (%b)", (file,))))
    row("a file as one bound parameter, imported, against the same stored as a bytea", times["ours"], times["floor"], "")


def peft():
    try:
        import torch
        import peers
        torch.set_num_threads(1)
        model = peers.peft_model([0, 1])
    except Exception as error:
        notes.append(f"PEFT could not be used: {error}")
        return
    times, n = [], 0
    for n in range(repetitions):
        times.append(16 * timed(lambda: model.add_weighted_adapter(["a0", "a1"], [0.5, 0.5], f"merged{n}", combination_type="linear")))
    ours = in_turn(ours=lambda: sql("select adapter_digest(0.5 * x.a + 0.5 * y.a) from t x, t y where x.name = 'bf16_0' and y.name = 'bf16_1'"))["ours"]
    row("evaluating `0.5*a + 0.5*b`, against PEFT's add_weighted_adapter (linear, model in memory, 2 layers timed, times 16)", ours, times, "")


def seconds(values):
    return figure([v / 1000 for v in values], "s")


def truncation():
    """One module and the whole adapter, total rank 32 to 16, against PEFT's svd and against QR in scipy."""
    import peers
    folders = [f"{data}/bf16_{i}" for i in range(2)]
    files = [f"{folder}/adapter_model.safetensors" for folder in folders]
    weighted = "0.7 * delta(x.a) + 0.3 * delta(y.a)"
    sql("create table q as select name, adapter_select(a, 'model.layers.0.self_attn.q_proj') as a from t where name in ('bf16_0', 'bf16_1')")
    one = f"select adapter_digest(adapter_truncate({weighted}, 16)) from q x, q y where x.name = 'bf16_0' and y.name = 'bf16_1'"
    whole = f"insert into r select adapter_truncate({weighted}, 16) from t x, t y where x.name = 'bf16_0' and y.name = 'bf16_1'"
    try:
        import torch
        torch.set_num_threads(2)
        model, n = peers.one_module(folders), iter(range(1000))
        times = in_turn(ours=lambda: sql(one), peft=lambda: model.add_weighted_adapter(
            ["a0", "a1"], [0.7, 0.3], f"svd{next(n)}", combination_type="svd", svd_rank=16))
        ours, peft = (statistics.median(times[k]) for k in ("ours", "peft"))
        fact("one 4096 x 4096 module, rank 32 to 16, against PEFT's svd (its defaults, 2 threads)", figure(times["ours"]),
             f"{seconds(times['peft'])}: {peft / ours:.0f} times ours", "PEFT at least 1000 times ours")
    except Exception as error:  # said in the table
        notes.append(f"PEFT's svd could not be used: {error}")
    try:
        from threadpoolctl import threadpool_limits
        pairs = peers.stacks(files, [0.7, 0.3])

        def scipy():
            with threadpool_limits(1):
                peers.recompress(pairs, 16)
        sql("truncate r")
        times = in_turn(ours=(empty("r"), lambda: sql(whole)), scipy=scipy,
                        floor=(empty("v"), lambda: sql("insert into v select v from stored")))
        allowed = [2 * s + f for s, f in zip(times["scipy"], times["floor"])]
        row("`INSERT ... SELECT adapter_truncate(0.7*delta(a) + 0.3*delta(b), 16)`, 224 modules, rank 32 to 16, against twice scipy's "
            "geqrf + ormqr in double (1 thread, stacks in memory) and reading and writing a bytea of the size",
            times["ours"], allowed, "1.0", seconds(times["ours"]), f"{seconds(allowed)}; scipy alone {seconds(times['scipy'])}")
    except Exception as error:
        notes.append(f"scipy could not be used: {error}")
    fact("the same in PEFT: 32 times the sum of its seven modules of one layer", "", "about 70 to 96 minutes, estimated from modules measured one by one", "")
    before = peak_of(lambda: sql("insert into r select 0.7 * x.a + 0.3 * y.a from t x, t y where x.name = 'bf16_0' and y.name = 'bf16_1'"))
    peak = peak_of(lambda: sql(whole))
    result = sql("select pg_column_size(a) / 1e6 from r limit 1").fetchone()[0]
    fact("memory of the backend meanwhile (a sum in parameter space for comparison)",
         f"{peak:.0f} MB above idle, of these {2 * result:.0f} the result and its copy ({before:.0f})", "", "64 MB beside the result")


def geometry():
    import torch
    import peers
    torch.set_num_threads(1)
    files = [f"{data}/bf16_{i}/adapter_model.safetensors" for i in range(2)]
    query = "select x.a <=> y.a from t x, t y where x.name = 'bf16_0' and y.name = 'bf16_1'"
    ours, peer = sql(query).fetchone()[0], peers.low_rank_cosine(files)
    times = in_turn(ours=lambda: sql(query).fetchone(), torch=lambda: peers.low_rank_cosine(files))
    row("`a <=> b` (cosine distance of the deltas) of two stored adapters, against the same identity in torch (files warm, single precision, "
        "1 thread)", times["ours"], times["torch"], "400 ms")
    full = [32 * timed(lambda: peers.full_cosine(files)) for _ in range(3)]
    fact("the same with the deltas formed, in torch, 32 times one layer", "", seconds(full), "")
    notes.append(f"Cosine distance of the two: {ours:.9f}, by torch {peer:.9f}.")


def registered():
    sys.path.insert(0, here)
    import registry
    registry.measure(repetitions, fact)


def machine():
    with open("/proc/cpuinfo") as f:
        cpu = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), platform.machine())
    with open("/proc/meminfo") as f:
        memory = int(f.readline().split()[1]) / 1e6
    server = sql("show server_version").fetchone()[0]
    return f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GB; PostgreSQL {server}; load {os.getloadavg()[0]:.1f} at the start"


start = machine()
set_up()
for part in (compose, many_inputs, mean_of_rows, sizes, in_and_out, peft, truncation, geometry, registered):
    part()
with open(out_name, "w") as f:
    f.write("# Measurements\n\nWritten by `dev/bench`: medians [minimum, maximum] of "
            f"{repetitions} repetitions after a rehearsal, ours and the peer in turn in one run. The adapters have the shapes of an "
            "8B model: 224 modules, rank 16, 42 million parameters, 84 MB in bf16. Tables are logged, fsync is on.\n\n"
            f"{start}, {time.strftime('%Y-%m-%d')}.\n\n| what | ours | peer | ratio | aim (at most, unless said) |\n|---|---|---|---|---|\n")
    for line in rows:
        f.write("| " + " | ".join(line) + " |\n")
    for note in notes:
        f.write(f"\n{note}\n")
