"""The wheel peftarith-server, in the environment in which it is installed.

    ENVIRONMENT/bin/python wheel.py ENVIRONMENT EXAMPLES

As an ordinary user.  The environment is moved away and back.  Last line:
N passed, N failed.

SPDX-License-Identifier: PostgreSQL
"""
import base64
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from peftarith_server import Server, ServerError, bin_dir

# What PostgreSQL 15 with the same extension, from Debian's package, answers.
DIGEST_OF_HALVES = r"\x8d396b8ab0f4eca3df3f026706fa606109d528a2ef8d31cf90715b0938fa6cc9"

passed = failed = 0


def check(name, holds, detail=""):
    global passed, failed
    if holds:
        passed += 1
    else:
        failed += 1
        print(f"not ok: {name} {detail}")


def sql(server, text):
    """What psql prints for the statements, columns by |."""
    done = subprocess.run([bin_dir() / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", server.conninfo()],
                          input=text, capture_output=True, encoding="utf-8", check=False)
    return (done.stdout + done.stderr).strip()


def refused(function):
    """The text of the ServerError that it raises, or nothing."""
    try:
        function()
    except ServerError as error:
        return str(error)
    return ""


def python(environment, code, *arguments, **more):
    """A process of Python in an environment, in a folder that has nothing to import."""
    return subprocess.Popen([environment / "bin" / "python", "-c", code, *map(str, arguments)], cwd="/",
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", **more)


def postmaster(data):
    return int((data / "cluster" / "postmaster.pid").read_text().split("\n")[0])


def folder_in(name, folder):
    file = base64.b64encode((folder / "adapter_model.safetensors").read_bytes()).decode()
    config = (folder / "adapter_config.json").read_text()
    return (f"insert into adapters values ('{name}', adapter_from_safetensors(decode('{file}', 'base64'), "
            f"$json${config}$json$::json));")


def test_life(place, examples):
    data = place / "life"
    server = Server(data)
    check("nothing runs before there is anything", not server.running() and not server.stop())
    check("start says that there is nothing", "init()" in refused(server.start))
    check("no folder is made by asking", not data.exists())
    check("init makes it", server.init() and not server.init())
    check("conninfo of a stopped server is refused", "not running" in refused(server.conninfo))
    check("start starts it", server.start() and server.running() and not server.start())
    check("the extension is there", sql(server, "select count(*) from pg_extension where extname = 'peftarith'") == "1")
    check("it can be created elsewhere",
          sql(server, "create database other; \\c other\ncreate extension peftarith;"
                      "select count(*) from pg_type where typname = 'adapter'") == "1")
    check("encoding and collation", sql(server, "select pg_encoding_to_char(encoding), datlocprovider, datlocale "
                                        "from pg_database where datname = 'peftarith'") == "UTF8|b|C.UTF-8")
    check("no port", sql(server, "show listen_addresses") == "")
    check("only the user reaches it", all((data / name).stat().st_mode & 0o777 == 0o700 for name in ("cluster", "run")))

    sql(server, "create table adapters (name text primary key, a adapter);"
        + "".join(folder_in(name, examples / "distgen" / "lora" / name) for name in ("d0", "d1")))
    digest = sql(server, "select adapter_digest(0.5*x.a + 0.5*y.a) from adapters x, adapters y "
                         "where (x.name, y.name) = ('d0', 'd1')")
    check("the digest is that of every server", digest == DIGEST_OF_HALVES, digest)
    check("truncation, with OpenBLAS", sql(
        server, "insert into adapters select 'small', adapter_truncate(delta(x.a) + delta(y.a), rank => 4) "
                "from adapters x, adapters y where (x.name, y.name) = ('d0', 'd1') returning adapter_rank(a)") == "4")
    check("geometry", sql(server, "select x.a <=> x.a < 1e-6, x.a <-> y.a > 0 from adapters x, adapters y "
                                  "where (x.name, y.name) = ('d0', 'd1')") == "t|t")
    loaded = sql(server, "select adapter_truncate(delta(a), 1) is not null, pg_read_file('/proc/self/maps') "
                         "from adapters where name = 'd0'")
    libraries = {line.split()[-1] for line in loaded.split("\n") if ".so" in line}
    parts = ("peftarith", "zstd", "jansson", "pcre2", "blas", "gfortran", "quadmath")
    ours = [name for name in libraries for part in parts if part in os.path.basename(name)]
    check("its libraries are those of the wheel",
          len(ours) == 7 and all("/peftarith_server" in name for name in ours), libraries)
    check("a registry", sql(server, """
        select registry_create();
        insert into registry.version (entry, value, message)
            select name, a, 'imported' from adapters where name in ('d0', 'd1');
        insert into registry.version (entry, value, message)
            select 'both', 0.5*x.value + 0.5*y.value, 'halves' from registry.version x, registry.version y
            where (x.entry, y.entry) = ('d0', 'd1') returning adapter_digest(value);
        insert into registry.version (entry, value, message)
            select 'small', adapter_truncate(delta(x.value) + delta(y.value), 4), 'smaller'
            from registry.version x, registry.version y where (x.entry, y.entry) = ('d0', 'd1');
        """).endswith(DIGEST_OF_HALVES))
    check("and nothing wrong in it", sql(server, "select * from registry.verify(recompute => true)") == "")
    check("pgvector is there", sql(server, "create extension vector; select '[1,2]'::vector <-> '[1,2]'") == "0")

    check("stop stops it", server.stop() and not server.running() and not server.stop())
    check("start starts it again", server.start())
    there = sql(server, "select (select count(*) from adapters), adapter_digest(value) from registry.version "
                        "where entry = 'both'")
    check("with its data", there == "3|" + DIGEST_OF_HALVES, there)
    server.stop()


def test_two_starters(place, environment):
    data = place / "two"
    code = """if True:
        import sys
        from peftarith_server import Server
        server = Server(sys.argv[1])
        print(server.init(), server.start(), server.conninfo())"""
    starters = [python(environment, code, data) for _ in range(4)]
    answers = [starter.communicate()[0].strip() for starter in starters]
    made = [answer.split(" ", 2)[0] for answer in answers]
    started = [answer.split(" ", 2)[1] for answer in answers]
    check("one of four makes it", sorted(made) == ["False"] * 3 + ["True"], answers)
    check("one of four starts it", sorted(started) == ["False"] * 3 + ["True"], answers)
    check("all have the same", len({answer.split(" ", 2)[2] for answer in answers}) == 1, answers)
    check("it outlives them", Server(data).running())
    with Server(data) as server:
        check("who has not started it", sql(server, "select 1") == "1")
    check("does not stop it", Server(data).running())
    Server(data).stop()


def test_killed(place):
    data = place / "killed"
    with Server(data) as server:
        sql(server, "create table t as select 1 as n")
        os.kill(postmaster(data), signal.SIGKILL)
        while server.running():
            time.sleep(0.01)
        check("after kill -9 it starts again", server.start() and sql(server, "select n from t") == "1")
        # A number that another process has by now: this one's.
        number = data / "cluster" / "postmaster.pid"
        lines = number.read_text().split("\n")
        server.stop()
        number.write_text("\n".join([str(os.getpid()), *lines[1:]]))
        check("another process's number is not believed", not server.running() and not server.stop())
        check("and does not keep it from starting", server.start() and sql(server, "select n from t") == "1")
    check("the end of a with stops it", not server.running())


def test_killed_init(place, environment):
    data = place / "half"
    maker = python(environment, "import sys; from peftarith_server import Server; Server(sys.argv[1]).init()", data,
                   start_new_session=True)
    while not list(data.glob("cluster.new-*/PG_VERSION")) and maker.poll() is None:
        time.sleep(0.01)
    os.killpg(maker.pid, signal.SIGKILL)
    maker.communicate()
    check("an init that was killed has made nothing", not (data / "cluster").exists())
    with Server(data) as server:
        check("and the next one is whole", sql(server, "select adapter_digest(null) is null") == "t")
        check("without remains", not list(data.glob("cluster.new-*")))


def test_paths(place, environment):
    data = place / ("long-" * 20) / "with 'quotes' and \"others\" and $HOME and\\so on" / "données"
    with Server(data) as server:
        host = sql(server, "show unix_socket_directories")
        check("a path too long for a socket", sql(server, "select 1") == "1" and not (data / "run").exists(), host)
        elsewhere = pathlib.Path((data / "socket").read_text())
        check("has it in a folder of the user's alone", elsewhere.stat().st_mode & 0o777 == 0o700)
        shutil.rmtree(elsewhere)
        check("a server without its socket is not running", not server.running())
        check("and is started again", server.start() and sql(server, "select 1") == "1")
        elsewhere = pathlib.Path((data / "socket").read_text())
    check("which goes with the server", not elsewhere.exists() and not (data / "socket").exists())

    with Server(place / "one,two") as server:
        check("a path with a comma", sql(server, "select 1") == "1")
    odd = place / "o'dd \"$HOME\" back\\slash"
    with Server(odd) as server:
        check("a path with quotes", sql(server, "select 1") == "1" and (odd / "run" / ".s.PGSQL.5432").exists())
        sql(server, "create table t as select 1 as n")
    moved = place / "moved data"
    odd.rename(moved)
    code = """if True:
        import os, sys
        from peftarith_server import Server, bin_dir
        with Server(sys.argv[1]) as server:
            os.execv(bin_dir() / "psql", ["psql", "-XAt", "-d", server.conninfo(), "-c", sys.argv[2]])"""
    away = environment.with_name(environment.name + " moved")
    environment.rename(away)
    try:
        answer = python(away, code, moved, "select n, adapter_kind(null) is null from t").communicate()[0].strip()
    finally:
        away.rename(environment)
    check("data and environment moved", answer == "1|t", answer)
    # (a process that has left without stopping: found again from where the programs are now)
    check("what was left running is stopped", Server(moved).stop())


def test_refusals(place):
    data = place / "refused"
    server = Server(data)
    os.environ["PGCLIENTENCODING"] = "nonsense"
    try:
        check("what the environment says to others is not heard", refused(server.init) + refused(server.start) == "")
    finally:
        del os.environ["PGCLIENTENCODING"]
    server.stop()
    (data / "cluster" / "PG_VERSION").write_text("17\n")
    said = refused(Server(data).start)
    check("why it does not start is said", "version 17" in said, said)


def main():
    environment, examples = map(pathlib.Path, sys.argv[1:])
    place = pathlib.Path(tempfile.mkdtemp(prefix="peftarith-wheel-test-"))
    tests = [(test_life, examples), (test_two_starters, environment), (test_killed,), (test_killed_init, environment),
             (test_paths, environment), (test_refusals,)]
    try:
        for test, *more in tests:
            try:
                test(place, *more)
            except Exception:
                check(f"{test.__name__} ended early", False, traceback.format_exc())
    finally:
        for log in place.rglob("server.log"):
            with contextlib.suppress(ServerError):
                Server(log.parent).stop()
        shutil.rmtree(place, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
