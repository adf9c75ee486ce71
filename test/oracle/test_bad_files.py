"""The table of hand-made files, every truncation, and random damage.

Whatever comes in, the backend lives, nothing is half stored, and a refusal has
an SQLSTATE of class 22, 54 or 0A.  What is accepted comes back byte for byte.
Where the safetensors library is installed, whatever it refuses must be refused.
PA_MUTATIONS sets the number of damaged files (2000).

SPDX-License-Identifier: PostgreSQL
"""
import base64
import json
import os
import struct
import sys

import harness
import random_adapters
import safetensors_lite as st

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data"))
import bad_files    # noqa: E402

try:
    import safetensors
except ImportError:
    safetensors = None

TEXT_LIMIT = 4 * 2**20      # longer envelopes are not tried as text


class Gate:
    """The three ways into the database."""

    def __init__(self, run, connection):
        self.run, self.connection = run, connection
        self.envelope = harness.adapter_dumper(connection)
        connection.execute("CREATE TABLE store (a adapter)")
        self.pid = connection.info.backend_pid
        self.slowest = (0.0, "")

    def put(self, label, query, parameters):
        """(SQLSTATE or None, (digest, file, envelope) or None); what is stored is counted and removed."""
        begin = harness.processor_time(self.connection)
        state = harness.sqlstate_of(self.connection, "INSERT INTO store " + query, parameters)
        self.slowest = max(self.slowest, (harness.processor_time(self.connection) - begin, label))
        rows = self.connection.execute("SELECT adapter_digest(a), adapter_to_safetensors(a),"
                                       " adapter_config(a)::text FROM store").fetchall()
        self.run.equal(len(rows), 0 if state else 1, label + ": rows stored")
        self.connection.execute("TRUNCATE store")
        return state, rows[0] if rows else None

    def file(self, label, file, config):
        return self.put(label, "SELECT adapter_from_safetensors(%b, %s::json)", (file, config))

    def wire(self, label, data):
        return self.put(label + " (binary parameter)", "SELECT %b", (self.envelope(data),))

    def text(self, label, data):
        return self.put(label + " (text)", "SELECT %s::text::adapter",
                        (base64.b64encode(data).decode(),))

    def copy(self, label, data):
        """Binary COPY of one row."""
        payload = (b"PGCOPY\n\xff\r\n\0" + struct.pack("!IIhI", 0, 0, 1, len(data)) + data
                   + struct.pack("!h", -1))
        state = None
        try:
            with self.connection.cursor() as cursor:
                with cursor.copy("COPY store FROM STDIN WITH (FORMAT binary)") as copy:
                    copy.write(payload)
        except harness.psycopg.Error as e:
            state = e.sqlstate or "dead"
        rows = self.connection.execute("SELECT adapter_digest(a) FROM store").fetchall()
        self.run.equal(len(rows), 0 if state else 1, label + " (COPY): rows stored")
        self.connection.execute("TRUNCATE store")
        return state


def tame(state):
    return state is None or state[:2] in ("22", "54", "0A")


def reference_rejects(data):
    try:
        safetensors.deserialize(data)
        return False
    except safetensors.SafetensorError:
        return True


def wanted(verdict):
    return {None} if verdict is None else set(verdict)


def check_table(run, gate):
    for c in bad_files.cases():
        verdict = wanted(c.verdict)
        state, row = gate.file(c.name, c.file, c.config)
        run.ok(state in verdict, c.name, "got %s, wanted %s" % (state, sorted(verdict, key=str)))
        if state is None and c.config is not None and row is not None:
            run.ok(row[1:] == (c.file, c.config), c.name + ": export is the import")
        elif state is None and row is not None and c.wire == "refuse":
            run.ok(row[1] == c.file, c.name + ": export is the import")
        on_wire = verdict if c.wire == "same" else None
        state, row = gate.wire(c.name, c.file)
        if on_wire is None:
            # nothing without the reserved keys is an envelope
            expected_good = c.name == "envelope and a configuration"
            run.ok((state is None) == expected_good and tame(state), c.name + ": on the wire", state)
        else:
            run.ok(state in on_wire, c.name + ": on the wire", "got %s, wanted %s" % (
                state, sorted(on_wire, key=str)))
            run.equal(gate.copy(c.name, c.file), state, c.name + ": COPY agrees")
        if len(c.file) <= TEXT_LIMIT:
            run.equal(gate.text(c.name, c.file)[0], state, c.name + ": text agrees")
        if safetensors and reference_rejects(c.file):
            run.ok(None not in verdict, c.name + ": the reference refuses it")
    if not safetensors:
        run.skip("comparison of the table with the safetensors library (not installed)")


def check_text(run, gate):
    good = base64.b64encode(bad_files.envelope()).decode()
    spaced = " \n\t".join(good[i:i + 61] for i in range(0, len(good), 61))
    for label, text, verdict in (
            ("as it is", good, None), ("with white space", "\n " + spaced + "\n", None), ("empty", "", {"22P02", "22P03", "22023"}),
            ("white space alone", "  ", {"22P02", "22P03", "22023"}), ("not base64", "!!!!", {"22P02"}), ("one letter more", good + "A", {"22P02"}),
            ("one letter less", good[:-1], {"22P02"}), ("padding in the middle", "QUI=" + good, {"22P02", "22P03"}), ("padding alone", "====", {"22P02"}),
            ("letters beyond ASCII", "\u00e9" + good, {"22P02"}), ("of the URL alphabet", good.replace("A", "_", 1), {"22P02"}),
            ("hexadecimal", "\\x" + "00" * 20, {"22P02"}), ("two envelopes", good + good, {"22P02", "22P03"})):
        state, _ = gate.put("text: " + label, "SELECT %s::text::adapter", (text,))
        run.ok(state in wanted(verdict), "text: " + label, "got %s" % state)


def check_truncations(run, gate):
    """Every shorter file is refused, as a file and as an envelope."""
    file, config = bad_files.good(), bad_files.cfg()
    envelope = bad_files.envelope(header=bad_files.inner(metadata={"format": "pt"}))
    for data, put in ((file, lambda d: gate.file("truncated", d, config)[0]),
                      (envelope, lambda d: gate.wire("truncated", d)[0])):
        passed = run.passed
        bad = [n for n in range(len(data)) if put(data[:n]) is None or not tame(put(data[:n]))]
        run.passed = passed
        run.ok(not bad, "truncated at every byte of %d" % len(data), bad[:5])


NUMBERS = (0, 1, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64,
           -1, 7, 8, 1024, 65536)


def mutate_header(rng, data):
    """Change one thing in the header as text and put a right length in front."""
    n = struct.unpack_from("<Q", data)[0]
    header, body = data[8:8 + n], data[8 + n:]
    i = rng.randrange(len(header))
    choice = rng.randrange(7)
    if choice == 0:
        digits = [k for k in range(len(header)) if header[k:k + 1].isdigit()]
        if digits:
            i = rng.choice(digits)
            header = header[:i] + str(rng.choice(NUMBERS)).encode() + header[i + 1:]
    elif choice == 1:
        header = header[:i] + bytes([rng.randrange(256)]) + header[i + 1:]
    elif choice == 2:
        header = header[:i] + header[i + rng.randint(1, 9):]
    elif choice == 3:
        j = rng.randrange(len(header))
        header = header[:i] + header[j:j + rng.randint(1, 40)] + header[i:]
    elif choice == 4:
        header = header[:i] + rng.choice((b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\u0000", b"\\ud800", b"null",
                                          b"1e999", b"\0", b"\xff", b"-", b".5", b"{}", b" ")) + header[i:]
    elif choice == 5:
        old = rng.choice((b"F32", b"lora_A", b"lora_B", b".weight", b"shape", b"dtype", b"data_offsets", b"base_model",
                          b"peftarith.config", b"peftarith.recipe", b"peftarith.header", b"LORA", b"lora_alpha", b"combine", b"0x1"))
        new = rng.choice((b"", b"F16", b"I64", b"lora_B", b"lora_A", b"x", b"ia3_l", b"__metadata__", b"F64", b"nan", b"IA3"))
        header = header.replace(old, new, rng.choice((1, 1, -1)))
    else:
        header = header.rstrip() + b" " * rng.randint(0, 20)
    return struct.pack("<Q", len(header)) + header + body


def mutate(rng, data):
    choice = rng.randrange(10)
    if choice < 7:
        for _ in range(rng.choice((1, 1, 1, 2, 5))):
            data = mutate_header(rng, data)
            if struct.unpack_from("<Q", data)[0] == 0:
                break
        return data
    if choice == 7:
        return struct.pack("<Q", rng.choice([abs(v) % 2**64 for v in NUMBERS])) + data[8:]
    if choice == 8:
        i = rng.randrange(len(data))
        return data[:i] + bytes([data[i] ^ (1 << rng.randrange(8))]) + data[i + 1:]
    i, j = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return rng.choice((data[:i], data[:i] + data[j:], data + data[i:j], data[:j] + data[i:]))


def check_mutations(run, gate):
    rng = run.random
    n = int(os.environ.get("PA_MUTATIONS", "2000"))
    accepted = refused = 0
    for k in range(n):
        if k % 20 == 0:
            adapter = random_adapters.Family(rng).adapter()
            gate.connection.execute("CREATE TEMP TABLE IF NOT EXISTS seed (a adapter)")
            gate.connection.execute("TRUNCATE seed")
            gate.connection.execute("INSERT INTO seed SELECT adapter_from_safetensors(%b, %s::json)",
                                    (adapter.file, adapter.config))
            sql = rng.choice(("a", "0.5::float8 * a", "adapter_cast(a, 'F64')", "a"))
            made = harness.sqlstate_of(gate.connection, "UPDATE seed SET a = " + sql)
            with gate.connection.cursor(binary=True) as cursor:
                envelope = bytes(cursor.execute("SELECT a FROM seed").fetchone()[0])
            run.ok(made is None or made in ("22000", "22003"), "seed value", made)
        as_file = rng.random() < 0.5
        label = "mutation %d of seed %d" % (k, run.seed)
        passed = run.passed
        if as_file:
            data = mutate(rng, adapter.file)
            config = adapter.config if rng.random() < 0.9 else mutate_text(rng, adapter.config)
            state, row = gate.file(label, data, config)
            # an invalid JSON text fails in the json type itself
            run.ok(tame(state), label, state)
            if row:
                run.ok(row[1] == data, label + ": export is the import")
        else:
            data = mutate(rng, envelope)
            state, row = gate.wire(label, data)
            run.ok(tame(state), label, state)
            if row:
                check_round_trip(run, gate, label, data, row)
        if safetensors and reference_rejects(data):
            run.ok(state is not None, label + ": the reference refuses it")
        run.passed = passed + 1
        accepted, refused = accepted + (state is None), refused + (state is not None)
    print("%d mutations: %d accepted, %d refused" % (n, accepted, refused))
    run.ok(accepted > n // 50 and refused > n // 4, "mutations are of both sorts")


def check_round_trip(run, gate, label, data, row):
    """An accepted envelope: sent and received again it is the same value."""
    with gate.connection.cursor(binary=True) as cursor:
        sent = bytes(cursor.execute("SELECT %b", (gate.envelope(data),)).fetchone()[0])
        again = cursor.execute("SELECT adapter_digest(a), adapter_to_safetensors(a), adapter_config(a)::text"
                               " FROM (SELECT %b AS a) s", (gate.envelope(sent),)).fetchone()
    run.ok((bytes(again[0]), bytes(again[1]), again[2]) == tuple(row), label + ": sent and received again")


def mutate_text(rng, text):
    i = rng.randrange(len(text))
    return text[:i] + rng.choice(("", "0", "1e999", '"', "[", "null", "9" * 30)) + text[i + 1:]


def body(run):
    with harness.scratch("badfiles") as database, harness.connect(database) as connection:
        gate = Gate(run, connection)
        check_table(run, gate)
        check_text(run, gate)
        check_truncations(run, gate)
        check_mutations(run, gate)
        run.equal(connection.execute("SELECT pg_backend_pid()").fetchone()[0], gate.pid,
                  "the backend lives")
        print("%d hand-made files; slowest %.2f s: %s" % (
            (len(bad_files.cases()),) + gate.slowest))
        run.ok(gate.slowest[0] < 5, "no input takes longer than 5 s of the processor", gate.slowest)


if __name__ == "__main__":
    harness.main("test_bad_files", body)
