"""Servers of several majors: where they lie, and private clusters of theirs.

A cluster lies in a folder that is removed with it, listens on a socket there and
on no port, and runs as the system user "postgres" (PA_SERVER_USER names another)
where root calls, because PostgreSQL refuses root.

SPDX-License-Identifier: PostgreSQL
"""
import contextlib
import dataclasses
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator

import psycopg

PORT = 54330        # only names the sockets
SETTINGS = "-c timezone=UTC -c search_path=public,peft -c jit=off"


@dataclasses.dataclass(frozen=True)
class Install:
    bindir: pathlib.Path
    version: str        # 16.14

    @property
    def major(self) -> int:
        return int(re.match(r"\d+", self.version)[0])


def install_of(pg_config: str) -> Install:
    def ask(what: str) -> str:
        return subprocess.run([pg_config, what], check=True, capture_output=True, text=True).stdout.strip()
    if not (pathlib.Path(ask("--sharedir")) / "extension/peftarith.control").exists():
        raise SystemExit("peftarith is not installed for " + pg_config)
    return Install(pathlib.Path(ask("--bindir")), re.match(r"\S+ (\S+)", ask("--version"))[1])


class Failed(Exception):
    """A program of the server's failed; the text is what it printed."""


def demoted() -> dict[str, object]:
    """Arguments of subprocess that make it run as the server's user."""
    if os.getuid() != 0:
        return {}
    user = pwd.getpwnam(os.environ.get("PA_SERVER_USER", "postgres"))
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def run(command: list[object], cwd: pathlib.Path, text: str = "", **settings: str) -> str:
    """As the server's user, with nothing of libpq's environment; returns stdout."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    environment |= {"LC_ALL": "C.UTF-8", "HOME": str(cwd), "PSQLRC": "/dev/null", "PGOPTIONS": SETTINGS} | settings
    # Files, not pipes: a server that pg_ctl starts keeps them open.
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as given:
        given.write(text)
        given.seek(0)
        done = subprocess.run([str(c) for c in command], cwd=cwd, env=environment, stdin=given, stdout=out,
                              stderr=subprocess.STDOUT, **demoted())
        out.seek(0)
        said = out.read()
    if done.returncode:
        raise Failed("%s: exit status %d\n%s" % (" ".join(map(str, command)), done.returncode, said[-6000:]))
    return said


@contextlib.contextmanager
def workplace() -> Iterator[pathlib.Path]:
    """A folder of the server's user, removed at the end with the servers that still run in it."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="peftarith-majors-", dir="/tmp"))  # (a socket's path is short)
    if os.getuid() == 0:
        user = demoted()
        os.chown(place, user["user"], user["group"])
    try:
        yield place
    finally:
        for pid_file in place.glob("*/postmaster.pid"):     # pg_upgrade's too, if it was stopped
            with contextlib.suppress(OSError, ValueError):
                pid = int(pid_file.read_text().split()[0])
                if os.path.samefile("/proc/%d/cwd" % pid, pid_file.parent):
                    os.kill(pid, signal.SIGQUIT)        # at once
        shutil.rmtree(place, ignore_errors=True)


class Server:
    """A cluster in PLACE/NAME."""

    def __init__(self, install: Install, place: pathlib.Path, name: str):
        self.install, self.place, self.data = install, place, place / name

    def program(self, name: str, *arguments: object, text: str = "", **settings: str) -> str:
        return run([self.install.bindir / name, *arguments], self.place, text, **settings)

    def make(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)        # of a way that stopped
        # (18 has checksums by default, and pg_upgrade wants both to have them or none)
        self.program("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--encoding=UTF8",
                     "--locale=C.UTF-8", "--data-checksums", "--no-sync")
        with (self.data / "postgresql.conf").open("a") as f:
            f.write("listen_addresses = ''\nport = %d\nunix_socket_directories = '%s'\nfsync = off\n"
                    "wal_level = logical\nmax_connections = 30\nshared_buffers = 64MB\nautovacuum = off\n"
                    % (PORT, self.data))

    def start(self) -> None:
        self.program("pg_ctl", "-D", self.data, "-w", "-t", "120", "-l", self.data.with_suffix(".log"), "start")

    def stop(self) -> None:
        self.program("pg_ctl", "-D", self.data, "-w", "-m", "fast", "stop")

    @contextlib.contextmanager
    def running(self) -> Iterator["Server"]:
        self.start()
        try:
            yield self
        finally:
            self.stop()

    def target(self, database: str, user: str = "postgres") -> str:
        return "host=%s port=%d user=%s dbname=%s" % (self.data, PORT, user, database)

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(self.target(database), autocommit=True, options=SETTINGS)

    def value(self, database: str, query: str) -> object:
        with self.connect(database) as c:
            return c.execute(query).fetchone()[0]

    def psql(self, database: str, sql: str, *options: str) -> str:
        return self.program("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *options, "-d", self.target(database), text=sql)

    def remove(self) -> None:
        shutil.rmtree(self.data)
