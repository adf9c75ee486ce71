"""Every plan, every setting: the registry's SQL tests in databases with unusual settings.

The files that pg_regress runs for the registry (setup and registry*, in the order of the Makefile's
REGRESS) run as it runs them, in a fresh database for each setting, and must print what expected/
has. Each file under each setting is a test; under the settings that take longest only those of
LONG_FILES, unless PA_SETTINGS (a pattern of settings; "." for every one) asks for all. What a setting
changes rightly is undone by a rule, stated where it is defined: NEED_READ_COMMITTED, OTHERWISE,
float_digits().

SPDX-License-Identifier: PostgreSQL
"""
import concurrent.futures
import difflib
import os
import pathlib
import re
import subprocess
import threading
import time

import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ROOT / "test" / "sql"
MARK = "--+"        # ends the lines that a rule adds to a test
SHOWN = 40          # lines of a difference

PARALLEL = {"parallel_setup_cost": 0, "parallel_tuple_cost": 0, "min_parallel_table_scan_size": 0,
            "min_parallel_index_scan_size": 0, "max_parallel_workers_per_gather": 1}
JIT = {"jit": "on", "jit_above_cost": 0, "jit_inline_above_cost": -1, "jit_optimize_above_cost": -1,
       "jit_tuple_deforming": "off"}      # the expressions are the registry's, the deforming is not

# label: settings of the database
SETTINGS = {
    "jit": JIT,
    "parallel": PARALLEL,       # and force_parallel_mode, below
    "generic plans": {"plan_cache_mode": "force_generic_plan"},
    "random_page_cost": {"random_page_cost": 1.1},
    "nested loops, sorted": {"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_hashagg": "off"},
    "no index scans": {"enable_indexscan": "off", "enable_indexonlyscan": "off", "enable_bitmapscan": "off"},
    "extra_float_digits": {"extra_float_digits": -15},
    "search_path": {"search_path": "public, hostile, pg_catalog"},
    "LATIN1": {},
    "repeatable read": {"default_transaction_isolation": "repeatable read"},
    "serializable": {"default_transaction_isolation": "serializable"},
}

# Settings that take minutes, and what they are tried on: versions, lineage, revoking, verifying (and what
# makes the helpers of these files).
LONG = ("jit", "parallel")
LONG_FILES = ("setup", "registry_setup", "registry_versions", "registry_lineage", "registry_revocation",
              "registry_verify")

# What says that it needs READ COMMITTED, and how it is called. A statement or transaction block of
# a test that calls one runs at that level, for its effects are what later statements are about;
# that it refuses every other level is a test of its own here.
NEED_READ_COMMITTED = {
    "revoke": "select registry.revoke('x@1', 'withdrawn')",
    "erase": "select registry.erase('x@1', 'withdrawn')",
    "registry_upgrade": "select registry_upgrade()",
    "seal": "select registry.seal()",
    "settle": "select registry.settle()",
}
# The last three call seal() themselves: two are functions of the tests.
NEEDS = re.compile(r"\b(%s)\(" % "|".join([*NEED_READ_COMMITTED, "checkpoint", "since", "altered"]))

# Statements that have another result: setting, a pattern of the statement, what it prints then.
OTHERWISE = [
    ("LATIN1", r"U&'\\2003wide'",
     r"ERROR:  character with byte sequence 0xe2 0x80 0x83 in encoding \"UTF8\" has no equivalent in "
     r"encoding \"LATIN1\"\nLINE 1: .*\n +\^"),
    ("LATIN1", r"\\u2014 example",
     r"ERROR:  character with byte sequence 0xe2 0x80 0x94 in encoding \"UTF8\" has no equivalent in "
     r"encoding \"LATIN1\"\nLINE 1: .*\n +\^"),
]


def registry_tests():
    """Names in the order of the Makefile; none of the folder is left out."""
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    names = [n for n in re.search(r"^REGRESS\s*=(.*)$", makefile, re.M).group(1).split()
             if n == "setup" or n.startswith("registry")]
    missing = {p.stem for p in TESTS.glob("registry*.sql")} - set(names)
    if missing:
        raise AssertionError("not in REGRESS: %s" % ", ".join(sorted(missing)))
    return names


def units(text):
    """The file in pieces that end with a statement or a transaction block."""
    piece, block = "", False
    for line in text.splitlines(keepends=True):
        piece += line
        if re.match(r"(begin|start transaction)\b", line):
            block = True
        ended = line.rstrip().endswith(";") and piece.count("$$") % 2 == 0
        if ended and (not block or re.match(r"(commit|rollback|end)\b", line)):
            yield piece
            piece, block = "", False
    if piece:
        yield piece


def at_read_committed(text):
    out = ""
    for unit in units(text):
        if NEEDS.search(unit):
            unit = ("set default_transaction_isolation = 'read committed'; %s\n%s"
                    "reset default_transaction_isolation; %s\n" % (MARK, unit, MARK))
        out += unit
    return out


def results(printed, text):
    """[(line of the test, what was printed after it)]: psql -a prints each line that is not empty."""
    blocks, lines, at = [], [line for line in text.splitlines() if line.strip()], 0
    for line in printed.splitlines():
        if at < len(lines) and line == lines[at]:
            blocks.append((line, []))
            at += 1
        elif blocks:
            blocks[-1][1].append(line)
    return blocks


NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?")


def float_digits(wanted, got):
    """Equal but for numbers that are printed with one digit, and the width of the columns."""
    def parts(lines):
        text = re.sub(r"-{3,}", "---", re.sub(r"[ \t]+", " ", "\n".join(line.rstrip() for line in lines)))
        text = re.sub(r"-+(?=\+|\n)|(?<=\+)-+", "-", text)
        return NUMBER.split(text), NUMBER.findall(text)
    (between, numbers), (got_between, got_numbers) = parts(wanted), parts(got)
    return [b.strip() for b in between] == [b.strip() for b in got_between] and all(
        w == g or float(g) == float("%.0e" % float(w)) for w, g in zip(numbers, got_numbers))


def difference(setting, text, wanted, printed):
    """None, or the lines that differ and no rule explains."""
    printed = "".join(line for line in printed.splitlines(keepends=True) if not line.rstrip().endswith(MARK))
    if printed == wanted:
        return None
    w, g = results(wanted, text), results(printed, text)
    if [line for line, _ in w] == [line for line, _ in g]:
        for i, (line, block) in enumerate(w):
            got = g[i][1]
            if setting == "extra_float_digits" and float_digits(block, got) or any(
                    setting == s and re.search(statement, line) and re.fullmatch(result, "\n".join(got))
                    for s, statement, result in OTHERWISE):
                g[i] = w[i]
    flat = [[x for line, block in blocks for x in (line, *block)] for blocks in (w, g)]
    lines = list(difflib.unified_diff(*flat, "expected", setting, n=2, lineterm=""))
    return "\n" + "\n".join(lines[:SHOWN]) if lines else None


def make_database(admin, name, setting):
    encoding = "'LATIN1' LOCALE 'C'" if setting == "LATIN1" else "'UTF8'"
    admin.execute("CREATE DATABASE %s TEMPLATE template0 ENCODING %s" % (name, encoding))
    # as pg_regress has them, and nothing that the server's own configuration may say
    values = {"lc_messages": "C", "lc_monetary": "C", "lc_numeric": "C", "lc_time": "C",
              "bytea_output": "hex", "timezone_abbreviations": "Default", "jit": "off",
              "synchronous_commit": "off", **SETTINGS[setting]}
    if setting == "parallel":
        # regress: on, without the line of context that names a worker
        name_of_it = "debug_parallel_query" if admin.info.server_version >= 160000 else "force_parallel_mode"
        values[name_of_it] = "regress"
    for key, value in values.items():
        quoted = value if key == "search_path" else "'%s'" % value
        admin.execute("ALTER DATABASE %s SET %s = %s" % (name, key, quoted))


ROLES = threading.Lock()    # roles are the cluster's: files that make some run one at a time


def run_file(psql, database, text):
    environment = {**os.environ, "PGTZ": "PST8PDT", "PGDATESTYLE": "Postgres, MDY", "LC_ALL": "C",
                   "PGOPTIONS": "-c intervalstyle=postgres_verbose", "PSQLRC": "/dev/null",
                   "PGCLIENTENCODING": "UTF8"}
    done = subprocess.run([psql, "-X", "-a", "-q", "-d", database], input=text.encode(), env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout.decode("utf-8", "replace")


def check_levels(setting, database):
    """What needs READ COMMITTED says so."""
    with harness.connect(database) as c:
        c.execute("select registry_create()")
        c.execute("select registry.commit('x', lora('q', '[[1, 2]]', '[[1], [0]]'))")
        found = [(("%s: %s is refused" % (setting, name)), harness.sqlstate_of(c, call), "25001")
                 for name, call in NEED_READ_COMMITTED.items()]
        c.execute("select registry_drop(true)")
    return found


def check_hostile(setting, database):
    """The schema does raise in a registry's function without a search_path, and nothing kept hangs on it."""
    with harness.connect(database) as c:
        c.execute("create schema registry")
        body = "begin return $1 || 'x'; end"
        c.execute("create function registry.unguarded(text) returns text language plpgsql as $$%s$$" % body)
        found = [(setting + ": it is hostile",
                  harness.sqlstate_of(c, "select registry.unguarded('a'::text)"), "XX999")]
        c.execute("drop schema registry cascade")
        c.execute("select registry_create(row_security => true)")
        kept = c.execute("""
            select o.type, o.identity from pg_catalog.pg_depend d,
                pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) o
            where d.refobjid in (
                select oid from pg_catalog.pg_proc where pronamespace = 'hostile'::regnamespace
                union select oid from pg_catalog.pg_operator where oprnamespace = 'hostile'::regnamespace
                union select oid from pg_catalog.pg_class where relnamespace = 'hostile'::regnamespace)
            and o.identity !~ '\\mhostile\\.'""").fetchall()
        c.execute("select registry_drop(true)")
    return found + [(setting + ": no constraint, default or policy uses it", kept, [])]


def check_setting(psql, setting, names):
    """[(label, got, wanted)] and how long it took."""
    begin = time.monotonic()
    database = "peftarith_settings_%d_%d" % (os.getpid(), list(SETTINGS).index(setting))
    isolated = "default_transaction_isolation" in SETTINGS[setting]
    found = []
    with harness.connect() as admin:
        admin.execute("DROP DATABASE IF EXISTS %s WITH (FORCE)" % database)
        try:
            make_database(admin, database, setting)
            if setting == "search_path":
                with harness.connect(database) as c:
                    c.execute("set search_path = public")
                    c.execute((ROOT / "test" / "oracle" / "hostile_path.sql").read_text())
            for name in names:
                if setting in LONG and name not in LONG_FILES and not os.environ.get("PA_SETTINGS"):
                    continue
                text = (TESTS / (name + ".sql")).read_text()
                wanted = (ROOT / "expected" / (name + ".out")).read_text()
                with ROLES if re.search(r"^create role", text, re.M) else threading.Lock():
                    printed = run_file(psql, database, at_read_committed(text) if isolated else text)
                found.append(("%s: %s" % (setting, name), difference(setting, text, wanted, printed), None))
            if isolated:
                found += check_levels(setting, database)
            if setting == "search_path":
                found += check_hostile(setting, database)
        finally:
            admin.execute("DROP DATABASE IF EXISTS %s WITH (FORCE)" % database)
    return found, time.monotonic() - begin


def body(run):
    names = registry_tests()
    chosen = [s for s in SETTINGS if re.search(os.environ.get("PA_SETTINGS", ""), s)]
    with harness.connect() as c:
        psql = c.execute("SELECT setting FROM pg_config WHERE name = 'BINDIR'").fetchone()[0] + "/psql"
        c.execute("SET jit = on")
        if "jit" in chosen and not c.execute("SELECT pg_jit_available()").fetchone()[0]:
            run.skip("jit: the server has none")
            chosen.remove("jit")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        every = pool.map(lambda setting: check_setting(psql, setting, names), chosen)
        for setting, (found, seconds) in zip(chosen, every):
            print("%s: %.1f s" % (setting, seconds), flush=True)
            for label, got, wanted in found:
                run.ok(got == wanted, label, got)


if __name__ == "__main__":
    harness.main("test_registry_settings", body)
