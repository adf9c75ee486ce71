"""adapter_extract against numpy's full singular value decomposition in double: the Frobenius
error is within the stated tolerance of the least possible, the rank that an energy needs is
the smallest, of spectra that fall fast, slowly and not at all; so are those of sides that are
too long to be decomposed, or the rank is refused.

SPDX-License-Identifier: PostgreSQL
"""
import json
import os

import harness
import numpy as np

EXTRACTED = int(os.environ.get("PA_EXTRACTED", "40"))
CONFIG = json.dumps({"peft_type": "DIFFERENCE", "base_model_name_or_path": "m"})
WORSE, OF_NORM = 1.001, 1e-7    # the stated tolerance
EXACT, MOST = 1024, 512         # a shorter side above this one has so many ranks at most


def spectrum(random, n):
    """Singular values of one kind."""
    i = np.arange(1, n + 1, dtype=float)
    kind = random.choice(["power", "root", "flat", "exponential", "step", "low", "zero"])
    return kind, {"power": i**-2, "root": i**-0.5, "flat": np.ones(n), "exponential": 0.7**i,
                  "step": np.where(i <= 5, 1.0, 1e-3), "low": np.where(i <= 3, 1.0, 0.0), "zero": 0 * i}[kind]


def long_spectra(n):
    """Where the leading values are hard to tell from the others, or lost beside them."""
    i = np.arange(1, n + 1, dtype=float)
    return {"power": i**-1, "root": i**-0.5, "low": np.where(i <= 100, 1 / i, 0), "zero": 0 * i, "ties": np.where(i <= 100, 1, 0.01),
            "huge": np.where(i == 1, 1e5, 1 - i / (2 * n)), "group": np.where(i == 1, 1000, np.where(i <= 64, 1.2, 1)),
            "plateau": np.where(i <= 64, 1.0, np.where(i <= 300, 0.97, 0.1)), "noise": None}


def matrix(generator, rows, columns, values, size):
    n = min(rows, columns)
    u = np.linalg.qr(generator.standard_normal((rows, n)))[0]
    v = np.linalg.qr(generator.standard_normal((columns, n)))[0]
    return (u * values * size) @ v.T


def store(dtype, x):
    """The array as the file has it, and as it then is in double."""
    stored = x.astype({"F64": np.float64, "F32": np.float32, "F16": np.float16}[dtype])
    return stored, stored.astype(np.float64)


def file_of(tensors):
    """safetensors by hand: {name: (dtype, array)}."""
    header, data = {}, b""
    for name, (dtype, x) in tensors.items():
        raw = x.tobytes()
        header[name] = {"dtype": dtype, "shape": list(x.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def read(file):
    n = int.from_bytes(file[:8], "little")
    header = json.loads(file[8:8 + n])
    types = {"F64": np.float64, "F32": np.float32, "F16": np.float16}
    return {k: np.frombuffer(file[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]],
                             types[v["dtype"]]).reshape(v["shape"]).astype(float)
            for k, v in header.items() if k != "__metadata__"}


def product(tensors, path, shape, embedding=False):
    a, b = (tensors["base_model.model.%s.%s" % (path, n)] for n in (
        ("lora_embedding_A", "lora_embedding_B") if embedding else ("lora_A.weight", "lora_B.weight")))
    delta = b.reshape(b.shape[0], -1) @ a.reshape(a.shape[0], -1)
    return (delta.T if embedding else delta).reshape(shape), a.shape[0]


class Wanted:
    """A matrix and its spectrum."""

    def __init__(self, x):
        self.flat = x.reshape(x.shape[0], -1)
        self.s = np.linalg.svd(self.flat, compute_uv=False)
        self.rest = np.append(np.cumsum((self.s**2)[::-1])[::-1], 0)     # squares beyond each rank

    def ranks(self, energy):
        """That it needs: one, or some where several leave out as good as what they may."""
        may = (1 - energy) * self.rest[0]
        near = [r for r in range(1, len(self.s) + 1) if abs(self.rest[r] - may) <= 2e-3 * self.rest[r] + 1e-12 * self.rest[0]]
        return {max(1, int(np.argmax(self.rest <= may)))}.union(near, [n + 1 for n in near])


def check(run, label, wanted, got, rank, energy):
    if energy is not None:
        ranks = wanted.ranks(energy)
        run.ok(got[1] in ranks, label + ": rank of the energy", "%d, wanted %s" % (got[1], ranks))
    else:
        run.equal(got[1], min(rank, *wanted.flat.shape), label + ": rank")
    least, norm = np.sqrt(wanted.rest[min(got[1], len(wanted.s))]), np.sqrt(wanted.rest[0])
    error = np.linalg.norm(wanted.flat - got[0].reshape(wanted.flat.shape))
    run.ok(error <= WORSE * least + OF_NORM * norm, label, "error %.6g, least %.6g, norm %.6g" % (error, least, norm))


def extract(connection, tensors, rank, energy, again=True):
    """File, check, restored, recomputed (if that is asked for)."""
    with connection.cursor(binary=True) as cursor:
        return cursor.execute(
            "WITH d AS MATERIALIZED (SELECT adapter_from_safetensors(%b, %s::json) AS d),"
            " x AS MATERIALIZED (SELECT adapter_extract(d, " + ("%s::int" if energy is None else "%s::float8") + ") AS x FROM d)"
            " SELECT adapter_to_safetensors(x), adapter_check(x), x::text::adapter = x,"
            " NOT %s OR (SELECT adapter_recompute(adapter_recipe(x), y.d, null, false) FROM d y) = x FROM d, x",
            (file_of(tensors), CONFIG, rank if energy is None else energy, again)).fetchone()


def one(run, connection, i):
    random = run.random
    generator = np.random.default_rng(run.seed * 1000 + i)
    dtype = random.choice(["F32", "F32", "F64"])
    rows, columns = random.randint(1, 90), random.randint(1, 90)
    kind, values = spectrum(random, min(rows, columns))
    stored, x = store(dtype, matrix(generator, rows, columns, values, 2.0**random.randint(-20, 20)))
    convolution, exact = store("F32", generator.standard_normal((random.randint(1, 9), random.randint(1, 9), 3, 2)))
    tokens, table = store("F32", generator.standard_normal((random.randint(2, 30), random.randint(2, 9))))
    tensors = {"a.q.weight": (dtype, stored), "b.conv.weight": ("F32", convolution),
               "m.embed_tokens.weight": ("F32", tokens), "norm.weight": ("F32", np.zeros(3, np.float32))}
    rank = random.randint(1, 40)
    energy = None if random.random() < 0.5 else random.choice([0.5, 0.9, 0.99])
    label = "%d %d x %d %s %s %s" % (i, rows, columns, dtype, kind, rank if energy is None else energy)
    row = extract(connection, tensors, rank, energy)
    run.equal(row[1:], (True, True, True), label + ": check, restored, recomputed")
    got = read(row[0])
    check(run, label + " q", Wanted(x), product(got, "a.q", x.shape), rank, energy)
    check(run, label + " conv", Wanted(exact), product(got, "b.conv", exact.shape), rank, energy)
    check(run, label + " embedding", Wanted(table), product(got, "m.embed_tokens", table.shape, True), rank, energy)


def check_orthogonal(run, label, wanted, tensors, rank):
    """Both factors' vectors, of values that stand out from rounding."""
    s, k = wanted.s, [i for i in range(rank) if wanted.s[i] > 1e-3 * wanted.s[0]]
    for name, x in (("A", tensors["base_model.model.a.q.lora_A.weight"].T), ("B", tensors["base_model.model.a.q.lora_B.weight"])):
        x = x[:, k] / np.maximum(np.linalg.norm(x[:, k], axis=0), 1e-300)
        worst = np.abs(x.T @ x - np.eye(len(k))).max() if k else 0
        run.ok(worst < 1e-7, "%s: orthogonal %s" % (label, name), worst)


def long_sides(run, connection):
    """By each rank and one energy: within the tolerance, or refused where no rank up to the most has it."""
    random = run.random
    generator = np.random.default_rng(run.seed)
    for kind in sorted(long_spectra(1)):
        rows, columns = (random.randint(EXACT + 1, 1300) for _ in range(2))
        values = long_spectra(min(rows, columns))[kind]
        x = generator.standard_normal((rows, columns)) if values is None else matrix(generator, rows, columns, values, 1)
        stored, x = store("F32", x)
        wanted = Wanted(x)
        for rank, energy in [(1, None), (16, None), (64, None), (None, random.choice([0.5, 0.9, 0.99]))]:
            label = "%s %d x %d, %s" % (kind, rows, columns, energy or rank)
            try:
                row = extract(connection, {"a.q.weight": ("F32", stored)}, rank, energy, rank == 16)
            except harness.psycopg.Error as e:
                run.equal((e.sqlstate, e.diag.message_primary, e.diag.message_hint),
                          ("54000", 'energy %g of tensor "a.q.weight" needs a rank above 512' % (energy or 0),
                           "Ask for less, or for a rank: adapter_extract(a, 512)."), label + ": refusal")
                run.ok(max(wanted.ranks(energy)) > MOST, label + ": refused", wanted.ranks(energy))
                continue
            run.equal(row[1:], (True, True, True), label + ": check, restored, recomputed")
            got = read(row[0])
            delta = product(got, "a.q", x.shape)
            check(run, label, wanted, delta, rank, energy)
            check_orthogonal(run, label, wanted, got, delta[1])


def refusals(run, connection):
    one = ("F32", np.ones((2, 2), np.float32))
    bias = ("F32", np.ones(2, np.float32))
    cases = [({"q.weight": one, "q.bias": bias}, "1", "0A000"), ({"q.weight": one, "q.bias": bias}, "1, true", None),
             ({"q.weight": one}, "0", "22023"), ({"q.weight": one}, "1.5::float8", "22023"), ({"q.bias": bias}, "1, true", "22023"),
             ({"q.weight": ("F32", np.array([[np.nan]], np.float32))}, "1", "22003"),
             ({"q.weight": one}, "1, false, '('", "2201B"),
             ({"q.weight": ("F32", np.ones((1025, 1025), np.float32))}, "513", "54000")]
    if EXTRACTED >= 40:
        cases.append(({"q.weight": ("F32", np.eye(1100, dtype=np.float32))}, "0.9::float8", "54000"))
    for tensors, call, state in cases:
        run.equal(harness.sqlstate_of(connection, "SELECT adapter_extract(adapter_from_safetensors(%b, %s::json), " + call + ")",
                                      (file_of(tensors), CONFIG)), state, "extract(%s, %s)" % (sorted(tensors), call))


def body(run):
    with harness.scratch("extract") as database, harness.connect(database) as connection:
        refusals(run, connection)
        for i in range(EXTRACTED):
            one(run, connection, i)
        if EXTRACTED >= 40:
            long_sides(run, connection)


if __name__ == "__main__":
    harness.main("test_extract", body)
