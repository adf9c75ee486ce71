"""Truncation, spectra and geometry against numpy's full decomposition of the
formed deltas; inputs that are not finite; sizes that must not be formed;
cancellation; the process.

PA_LOWRANK sets the number of random sums (200), PA_DAMAGED that of damaged
large adapters (1000).

SPDX-License-Identifier: PostgreSQL
"""
import json
import math
import os
import subprocess
import threading
import time

import numpy as np

import harness
import rounding
import safetensors_lite as st

DTYPES = ("F64", "F32", "F16", "BF16")
UNIT = {"F64": 2.0**-53, "F32": 2.0**-24, "F16": 2.0**-11, "BF16": 2.0**-8}
STEP = {"F64": 2.0**-1074, "F32": 2.0**-149, "F16": 2.0**-24, "BF16": 2.0**-133}     # between subnormals
PREFIX = "base_model.model."


class Module:
    def __init__(self, rng):
        self.sort = rng.choice(("linear", "linear", "conv", "embedding"))
        self.rows, self.columns = rng.randint(1, 40), rng.randint(1, 40)
        self.kernel = rng.choice(((1, 1), (3, 2), (3,))) if self.sort == "conv" else ()
        self.width = self.columns * int(np.prod(self.kernel, dtype=int))


class Lora:
    """An adapter of random factors: its file, its configuration and its deltas in double."""

    def __init__(self, rng, modules, base, like=None):
        self.deltas, self.biases, self.dtypes = {}, {}, {}
        numbers = np.random.default_rng(rng.getrandbits(32))
        tensors, ranks, alphas = {}, {}, {}
        for path, m in modules.items():
            if len(modules) > 1 and rng.random() < 0.2:
                continue
            r = rng.choice((1, 2, 3, 5, 8, 13))
            dtype = rng.choice(DTYPES)
            a = numbers.standard_normal((r, m.width))
            b = numbers.standard_normal((m.rows, r)) * 2.0 ** rng.randint(-6, 6)
            if r > 2 and rng.random() < 0.3:
                a[1] = a[0]
            if rng.random() < 0.3:
                a *= np.logspace(0, -4, r)[:, None]
            a, b = (self.rounded(x, dtype) for x in (a, b))
            ranks[path], alphas[path] = r, rng.choice((1, 3, 16, 0.5, -2))
            names = (".lora_embedding_A", ".lora_embedding_B") if m.sort == "embedding" else (
                ".lora_A.weight", ".lora_B.weight")
            self.add(tensors, path + names[0], dtype, a, (r, m.columns) + m.kernel if m.kernel else a.shape)
            self.add(tensors, path + names[1], dtype, b, b.shape + (1,) * len(m.kernel))
            s = alphas[path] / r
            self.deltas[path], self.dtypes[path] = s * (b @ a), dtype
            if base["lora_bias"]:
                bias = self.rounded(numbers.standard_normal(m.rows), dtype)
                self.add(tensors, path + ".lora_B.bias", dtype, bias, bias.shape)
                self.biases[path] = s * bias
        config = dict(base, peft_type="LORA", r=1, lora_alpha=1, target_modules=list(ranks),
                      rank_pattern={"^" + p: r for p, r in ranks.items()},
                      alpha_pattern={"^" + p: a for p, a in alphas.items()})
        self.file, self.config = st.canonical(tensors), json.dumps(config)

    @staticmethod
    def rounded(x, dtype):
        return rounding.widen(rounding.encode(x, dtype), dtype).reshape(x.shape)

    @staticmethod
    def add(tensors, key, dtype, x, shape):
        tensors[PREFIX + key] = st.of_array(dtype, rounding.encode(x, dtype).reshape(shape))


def combined(pairs, what):
    """Sum of w times the deltas (or biases) of each adapter, by path."""
    out = {}
    for w, adapter in pairs:
        for path, x in getattr(adapter, what).items():
            out[path] = out[path] + w * x if path in out else w * x
    return out


def terms(pairs, path):
    return sum(abs(w) * np.linalg.norm(a.deltas[path]) for w, a in pairs if path in a.deltas)


def wider(dtypes):
    order = ("F16", "BF16", "F32", "F64")
    if {"F16", "BF16"} <= set(dtypes):
        dtypes = list(dtypes) + ["F32"]
    return max(dtypes, key=order.index)


def factors(file, path):
    _, tensors = st.read(file)
    a = b = bias = None
    for name, t in tensors.items():
        if name.startswith(PREFIX + path + ".lora_"):
            x = rounding.widen(t.array(), t.dtype).reshape(t.shape)
            if name.endswith("bias"):
                bias = x
            elif "A" in name[-9:]:
                a = x.reshape(t.shape[0], -1)
            else:
                b = x.reshape(t.shape[:2])
    return a, b, bias


class Check:
    def __init__(self, run, connection):
        self.run, self.connection, self.n = run, connection, 0
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, a adapter)")

    def store(self, adapter):
        self.n += 1
        self.connection.execute("INSERT INTO t VALUES (%s, adapter_from_safetensors(%s, %s::json))",
                                (self.n, adapter.file, adapter.config))
        return self.n

    def query(self, call, columns="*", ids=()):
        """Columns of a call with expressions over the stored adapters: no subquery, which would round them."""
        tables = "".join("t t%d, " % i for i in ids)
        where = " AND ".join("t%d.id = %d" % (i, i) for i in ids)
        return self.connection.execute("SELECT %s FROM %sLATERAL %s x WHERE %s" % (columns, tables, call, where)).fetchall()

    @staticmethod
    def sql(pairs, ids):
        return " + ".join("'%r'::float8 * delta(t%d.a)" % (w, ids[a]) for w, a in pairs)


def used(pairs, ids):
    return sorted({ids[a] for w, a in pairs})


def kept_rank(s, rank, energy, stack, noise):
    """The ranks that are right: by energy two near a boundary."""
    if rank is not None:
        return {max(1, min(rank, len(s), stack))}
    s = np.where(s <= noise, 0, s)
    total = np.sum(s**2)
    found = set()
    for share in (energy * (1 - 1e-9), min(1, energy * (1 + 1e-9))):
        k = 1
        while k < min(len(s), stack) and np.sum(s[k:]**2) > (1 - share) * total + 1e-300:
            k += 1
        found.add(k)
    return set(range(min(found), max(found) + 1))


def check_sum(check, rng, pairs, ids):
    run, sql, tables = check.run, check.sql(pairs, ids), used(pairs, ids)
    deltas, biases = combined(pairs, "deltas"), combined(pairs, "biases")
    got = {}
    for path, index, value in check.query("adapter_spectrum(%s)" % sql, "x.*", tables):
        got.setdefault(path, []).append(value)
    run.equal(sorted(got), sorted(deltas), "spectrum: modules")
    rank, energy = (rng.choice((1, 2, 3, 7)), None) if rng.random() < 0.5 else (None, rng.choice((0.3, 0.9, 0.999, 1.0)))
    keep = "rank => %d" % rank if rank else "energy => %r" % energy
    file = check.query("adapter_to_safetensors(adapter_truncate(%s, %s))" % (sql, keep), "x", tables)[0][0]
    errors = {r[0]: r[1:] for r in check.query("adapter_truncation_error(%s, %s)" % (sql, keep), "x.*", tables)}
    for path, delta in deltas.items():
        s = np.linalg.svd(delta, compute_uv=False)
        noise, size = 1e-13 * terms(pairs, path), np.linalg.norm(delta)
        stack = sum(factors(a.file, path)[0].shape[0] for w, a in pairs if path in a.deltas)
        n = min(stack, *delta.shape)
        values = np.array(got.get(path, []))
        run.ok(len(values) == n and np.all(np.abs(values - s[:n]) <= 1e-9 * s[0] + noise), "spectrum " + path,
               (values, s[:n]))
        full, kept, error = errors[path]
        wanted = kept_rank(s, rank, energy, stack, 100 * noise)
        run.ok(full == stack and (kept in wanted or energy == 1.0 and kept <= n), "rank of %s, %s" % (path, keep), (kept, wanted))
        best = np.linalg.norm(s[kept:])
        run.ok(abs(error * size - best) <= 1e-5 * best + 10 * noise, "error " + path, (error, best / size))
        a, b, bias = factors(file, path)
        run.ok(a.shape[0] == kept == b.shape[1], "shape " + path)
        dtype = wider([x.dtypes[path] for w, x in pairs if path in x.deltas])
        off = np.linalg.norm(delta - b @ a)
        noise += STEP[dtype] / 100 * (np.linalg.norm(a) * math.sqrt(b.size) + np.linalg.norm(b) * math.sqrt(a.size))
        run.ok(off <= best * (1 + 1e-5) + 3 * UNIT[dtype] * size + 100 * noise, "truncation %s, %s, %s" % (path, keep, dtype), (off, best))
        largest = np.argmax(np.abs(a), axis=1)
        run.ok(np.all(a[np.arange(len(a)), largest] >= 0), "signs " + path)
        if path in biases:
            run.ok(np.all(np.abs(bias - biases[path]) <= 3 * UNIT[dtype] * sum(abs(w * x.biases[path]) for w, x in pairs if path in x.biases)
                          + STEP[dtype]), "bias " + path)


def whole(pairs, path):
    """The delta with its bias as one more column, flat; zeros if there is none."""
    deltas, biases = combined(pairs, "deltas"), combined(pairs, "biases")
    parts = [x[path].ravel() for x in (deltas, biases) if path in x]
    return np.concatenate(parts) if parts else None


def check_geometry(check, x, y, ids):
    run = check.run
    expressions, tables = (check.sql(x, ids), check.sql(y, ids)), used(x + y, ids)
    rows = {r[0]: r[1:] for r in check.query("adapter_module_geometry(%s, %s)" % expressions, "x.*", tables)}
    paths = sorted({p for w, a in x + y for p in a.deltas})
    run.equal(sorted(rows), paths, "geometry: modules")
    total = np.zeros(4)
    for path in paths:
        d, e = whole(x, path), whole(y, path)
        d, e = (np.zeros_like(e) if d is None else d), (np.zeros_like(d) if e is None else e)
        wanted = np.array([d @ d, e @ e, d @ e, (d - e) @ (d - e)])
        total += wanted
        compare(run, path, rows[path], wanted)
    calls = "adapter_norm({0}), adapter_norm({1}), adapter_inner({0}, {1}), ({0}) <-> ({1}), ({0}) <=> ({1})".format(*expressions)
    got = check.query("(SELECT)", calls, tables)[0]
    compare(run, "all", got, total)


def compare(run, label, got, wanted):
    norms, inner, distance = np.sqrt(wanted[:2]), wanted[2], math.sqrt(wanted[3])
    run.ok(np.all(np.abs(np.array(got[:2]) - norms) <= 1e-6 * norms), "norms of " + label, (got, norms))
    run.ok(abs(got[2] - inner) <= 1e-8 * norms.prod(), "inner product of " + label, (got[2], inner))
    run.ok(abs(got[3] - distance) <= 1e-6 * distance + 1e-14 * norms.sum(), "distance of " + label, (got[3], distance))
    if norms.prod() > 0:
        run.ok(abs(got[4] - (1 - inner / norms.prod())) <= 2e-8, "cosine distance of " + label)
    else:
        run.ok(math.isnan(got[4]), "cosine distance of nothing, " + label)


def check_random(run, connection):
    check, rng = Check(run, connection), run.random
    for _ in range(int(os.environ.get("PA_LOWRANK", "200"))):
        modules = {"m%d.%s" % (i, rng.choice(("q", "proj"))): Module(rng) for i in range(rng.randint(1, 4))}
        base = {"lora_bias": rng.random() < 0.3, "fan_in_fan_out": rng.random() < 0.3}
        if base["lora_bias"]:
            for m in modules.values():
                if m.sort == "embedding":
                    m.sort = "linear"
        adapters = []
        while len(adapters) < 3:
            a = Lora(rng, modules, base)
            if a.deltas:
                adapters.append(a)
        ids = {a: check.store(a) for a in adapters}
        x = [(rng.choice((1.0, 0.7, -2.5)), adapters[0]), (rng.choice((0.3, -1.0, 1e-3)), adapters[1])]
        y = [(rng.choice((1.0, 0.5)), adapters[2])] + ([(0.25, adapters[0])] if rng.random() < 0.5 else [])
        check_sum(check, rng, x, ids)
        check_sum(check, rng, [(1.0, adapters[2])], ids)
        check_geometry(check, x, y, ids)
        check_geometry(check, [(1.0, adapters[0])], [(1 + 1e-9, adapters[0])], ids)


def two_factors(a, b, dtype="F32", **config):
    named = {PREFIX + "m.lora_A.weight": st.of_array(dtype, rounding.encode(a, dtype).reshape(a.shape)),
             PREFIX + "m.lora_B.weight": st.of_array(dtype, rounding.encode(b, dtype).reshape(b.shape))}
    return st.canonical(named), json.dumps(dict(config, peft_type="LORA", r=a.shape[0], lora_alpha=a.shape[0]))


FUNCTIONS = ("adapter_to_safetensors(adapter_truncate(delta(a), 1))", "adapter_norm(a)", "a <=> a",
             "(SELECT max(singular_value) FROM adapter_spectrum(a))",
             "(SELECT max(relative_error) FROM adapter_truncation_error(a, energy => 0.5))")


def refuses(run, connection, file, config, function, name):
    start = harness.processor_time(connection)
    try:
        connection.execute("SELECT %s FROM (SELECT adapter_from_safetensors(%%s, %%s::json) AS a OFFSET 0) s" % function, (file, config))
        return run.ok(False, "not finite: no error", function)
    except harness.psycopg.Error as e:
        return run.ok(e.sqlstate == "22003" and name in str(e) and harness.processor_time(connection) - start < 1,
                      "not finite in " + name, (function, e.sqlstate, str(e)))


def check_not_finite(run, connection):
    rng = np.random.default_rng(run.seed)
    for bad in (math.nan, math.inf, -math.inf):
        for dtype in DTYPES:
            a, b = rng.standard_normal((2, 3)), rng.standard_normal((4, 2))
            for x, name in ((a, "lora_A"), (b, "lora_B")):
                for i in range(x.size):
                    kept, x.flat[i] = x.flat[i], bad
                    refuses(run, connection, *two_factors(a, b, dtype), FUNCTIONS[i % len(FUNCTIONS)], name)
                    x.flat[i] = kept
    a, b = rng.standard_normal((16, 20000)), rng.standard_normal((12000, 16))
    file, config = two_factors(a, b)
    start = len(file) - 4 * (a.size + b.size)
    for n in range(int(os.environ.get("PA_DAMAGED", "1000"))):
        i = int(rng.integers(a.size + b.size))
        damaged = bytearray(file)
        damaged[start + 4 * i:start + 4 * i + 4] = np.array((math.nan, math.inf)[n % 2], "<f4").tobytes()
        refuses(run, connection, bytes(damaged), config, FUNCTIONS[n % len(FUNCTIONS)], "lora_A" if i < a.size else "lora_B")


def check_sizes(run, connection):
    """8 MB times 8 MB of rank 1: a delta of more than 10^12 elements."""
    n = 2 * 1024 * 1024
    rng = np.random.default_rng(run.seed)
    a, b = (rng.standard_normal(s).astype("f4").astype("f8") for s in ((1, n), (n, 1)))
    connection.execute("CREATE TABLE w AS SELECT adapter_from_safetensors(%s, %s::json) AS a", two_factors(a, b))
    size = np.linalg.norm(a) * np.linalg.norm(b)
    norm, value = connection.execute("SELECT adapter_norm(a), (SELECT max(singular_value) FROM adapter_spectrum(a)) FROM w").fetchone()
    run.ok(abs(norm / size - 1) < 1e-6, "norm of 10^12 elements", norm)
    run.ok(abs(value / size - 1) < 1e-6, "spectrum of 10^12 elements", value)
    distance = connection.execute("SELECT delta(a) <=> delta(adapter_truncate(a, 5)) FROM w").fetchone()[0]
    run.ok(abs(distance) < 1e-6, "truncation of 10^12 elements", distance)


def check_cancellation(run, connection):
    """Rank 1024: an operation of seconds stops within half a second of the processor, wherever it is."""
    rng = np.random.default_rng(run.seed)
    file, config = two_factors(rng.standard_normal((1024, 3000)), rng.standard_normal((3000, 1024)))
    connection.execute("CREATE TABLE c AS SELECT adapter_from_safetensors(%s, %s::json) AS a", (file, config))
    for function in ("adapter_raw_size(adapter_truncate(a, 1000))", "adapter_norm(a)",
                     "(SELECT max(singular_value) FROM adapter_spectrum(a))"):
        start = time.monotonic()
        connection.execute("SELECT %s FROM c" % function)
        needed = time.monotonic() - start
        for k in range(1, 13):
            state, used = stopped(connection, function, needed * k / 14)
            run.ok(state in ("57014", None) and used < 0.5, "%s stopped at %d/14" % (function, k), (state, used))


def stopped(connection, function, after):
    """SQLSTATE, and the processor time that was used after the request to stop."""
    at = []

    def stop():
        at.append(harness.processor_time(connection))
        connection.cancel()

    timer = threading.Timer(after, stop)
    timer.start()
    state = harness.sqlstate_of(connection, "SELECT %s FROM c" % function)
    used = harness.processor_time(connection)
    timer.join()
    # a request that came too late ends whatever comes next
    harness.sqlstate_of(connection, "SELECT pg_sleep(0.01)")
    return state, used - at[0] if state else 0


def limit_memory(pid, size):
    """Sets the limit of a process as its user, which root may become."""
    owner = os.stat("/proc/%d" % pid)
    become = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    return subprocess.run(["prlimit", "--pid", str(pid), "--as=%s:unlimited" % size],
                          stderr=subprocess.DEVNULL, **become).returncode == 0


def check_little_memory(run, name):
    """Without room for the library it is not said to be missing."""
    with harness.connect(name) as connection:
        pid = connection.info.backend_pid
        # the server's own library for JIT is another one without room
        connection.execute("SET jit = off")
        connection.execute("SELECT adapter_raw_size(a) FROM c")
        with open("/proc/%d/statm" % pid) as f:
            size = int(f.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        if not limit_memory(pid, size + (24 << 20)):
            return run.skip("little memory: the server is another user's")
        state = harness.sqlstate_of(connection, "SELECT adapter_norm(a) FROM c")
        run.equal(state, "53200", "library without room")
        limit_memory(pid, "unlimited")
        run.equal(harness.sqlstate_of(connection, "SELECT adapter_norm(a) FROM c"), None, "library with room")


def check_process(run, connection):
    status, = connection.execute("SELECT pg_read_file('/proc/' || pg_backend_pid() || '/status')").fetchone()
    run.ok("\nThreads:\t1\n" in status, "one thread after everything", status)
    maps, = connection.execute("SELECT pg_read_file('/proc/' || pg_backend_pid() || '/maps')").fetchone()
    run.ok("openblas" in maps, "the library is loaded here")
    with harness.connect(connection.info.dbname) as other:
        other.execute("SELECT adapter_digest(2 * a) FROM c")
        maps, = other.execute("SELECT pg_read_file('/proc/' || pg_backend_pid() || '/maps')").fetchone()
        run.ok("peftarith" in maps and "openblas" not in maps, "and not where nothing needs it")


def body(run):
    with harness.scratch("lowrank") as name, harness.connect(name) as connection:
        check_random(run, connection)
        check_not_finite(run, connection)
        check_sizes(run, connection)
        check_cancellation(run, connection)
        check_little_memory(run, name)
        check_process(run, connection)


if __name__ == "__main__":
    harness.main("test_lowrank", body)
