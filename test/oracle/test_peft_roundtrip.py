"""Folders that PEFT writes come back byte for byte, by every way out and in.

Runs where torch and peft are installed (requirements-peft.txt); elsewhere it
says so and is skipped.

SPDX-License-Identifier: PostgreSQL
"""
import os
import shutil
import subprocess
import sys
import tempfile

import described
import harness

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data"))

try:
    import make_peft_adapters as maker
except ImportError as e:
    maker, reason = None, e

FACTS = ("SELECT name, adapter_digest(a), adapter_recipe(a)::text, adapter_to_safetensors(a),"
         " adapter_config(a)::text FROM %s ORDER BY name")


def read(folder):
    with open(os.path.join(folder, "adapter_model.safetensors"), "rb") as f:
        file = f.read()
    with open(os.path.join(folder, "adapter_config.json"), encoding="utf-8") as f:
        return file, f.read()


def facts(connection, table="t"):
    return {r[0]: r[1:] for r in connection.execute(FACTS % table)}


def check_import(run, connection, folders):
    for label, folder in folders:
        file, config = read(folder)
        try:
            row = connection.execute(
                "INSERT INTO t SELECT %s, adapter_from_safetensors(%b, %s::json)"
                " RETURNING adapter_to_safetensors(a), adapter_config(a)::text, adapter_digest(a)",
                (label, file, config)).fetchone()
        except harness.psycopg.Error as e:
            run.ok(False, label + ": import", "%s %s" % (e.sqlstate, e))
            continue
        run.ok(row[0] == file, label + ": exported bytes")
        run.ok(row[1] == config, label + ": configuration text")
        run.equal(row[2].hex(), described.describe(file, config).digest().hex(), label + ": digest")
        one = connection.execute("SELECT adapter_digest(1 * a) = adapter_digest(a), adapter_to_safetensors(1 * a) ="
                                 " adapter_to_safetensors(a), adapter_recipe(1 * a) = adapter_recipe(a)"
                                 " FROM t WHERE name = %s", (label,)).fetchone()
        run.equal(one, (True, True, True), label + ": 1 * a is a")


def compositions(run, connection, folders):
    """Composed values go the same ways; those that arithmetic refuses stay out."""
    n = 0
    for label, _ in folders:
        for tag, sql in (("scaled", "adapter_scale(a, -0.3)"), ("cast", "adapter_cast(a, 'F64')"),
                         ("half", "adapter_lerp(a, adapter_scale(a, 2), 0.25)")):
            state = harness.sqlstate_of(connection, "INSERT INTO t SELECT %s, " + sql.replace("%", "%%")
                                        + " FROM t WHERE name = %s", (label + " " + tag, label))
            n += state is None
            run.ok(state in (None, "0A000", "22000"), "%s: %s" % (label, tag), state)
    run.ok(n >= 60, "composed values", n)


def check_ways(run, connection, database):
    want = facts(connection)
    connection.execute("CREATE TABLE by_text AS SELECT name, a::text::adapter AS a FROM t")
    run.ok(facts(connection, "by_text") == want, "text out and in")
    connection.execute("CREATE TABLE by_literal (name text, a adapter)")
    for name, text in connection.execute("SELECT name, a::text FROM t").fetchall():
        connection.execute("INSERT INTO by_literal VALUES ('%s', '%s')" % (name.replace("'", "''"), text))
    run.ok(facts(connection, "by_literal") == want, "text literal")
    connection.execute("CREATE TABLE by_copy (LIKE t)")
    with connection.cursor() as cursor:
        with cursor.copy("COPY t TO STDOUT WITH (FORMAT binary)") as out:
            data = b"".join(out)
        with cursor.copy("COPY by_copy FROM STDIN WITH (FORMAT binary)") as into:
            into.write(data)
    run.ok(facts(connection, "by_copy") == want, "binary COPY out and in")
    envelope = harness.adapter_dumper(connection)
    connection.execute("CREATE TABLE by_parameter (LIKE t)")
    with connection.cursor(binary=True) as cursor:
        for name, sent in cursor.execute("SELECT name, a FROM t").fetchall():
            cursor.execute("INSERT INTO by_parameter VALUES (%s, %b)", (name, envelope(sent)))
            run.ok(cursor.execute("SELECT adapter_from_safetensors(%b) = a FROM t WHERE name = %s",
                                  (bytes(sent), name)).fetchone()[0], name + ": envelope imports")
    run.ok(facts(connection, "by_parameter") == want, "binary parameter")
    check_dump(run, connection, database, want)


def tool(name):
    found = shutil.which(name)
    if found:
        return found
    bindir = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True)
    return os.path.join(bindir.stdout.strip(), name)


def check_dump(run, connection, database, want):
    envelopes = dict(connection.execute("SELECT name, encode(sha256(a::text::bytea), 'hex') FROM t").fetchall())
    for form in ("c", "p"):
        with tempfile.TemporaryDirectory() as folder, \
                harness.scratch("restored_" + form, extension=False) as restored:
            path = os.path.join(folder, "dump")
            subprocess.run([tool("pg_dump"), "-F" + form, "-t", "t", "-f", path, "--extension=peftarith", database], check=True)
            command = [tool("pg_restore"), "-d", restored, path] if form == "c" else [
                tool("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", restored, "-f", path]
            done = subprocess.run(command, capture_output=True, text=True)
            run.equal(done.returncode, 0, "restore of format %s: %s" % (form, done.stderr[:300]))
            with harness.connect(restored) as other:
                run.ok(facts(other) == want, "dump and restore, format " + form)
                again = dict(other.execute("SELECT name, encode(sha256(a::text::bytea), 'hex') FROM t").fetchall())
                run.ok(again == envelopes, "envelopes after restore, format " + form)


def body(run):
    if maker is None:
        run.skip("PEFT is not installed: %s" % reason)
        return
    with tempfile.TemporaryDirectory() as root, harness.scratch("peft") as database, \
            harness.connect(database) as connection:
        folders = maker.write_all(root, run.seed)
        run.ok(len(folders) >= 24, "%d folders by save_pretrained" % len(folders))
        connection.execute("CREATE TABLE t (name text PRIMARY KEY, a adapter)")
        check_import(run, connection, folders)
        compositions(run, connection, folders)
        check_ways(run, connection, database)


if __name__ == "__main__":
    harness.main("test_peft_roundtrip", body)
