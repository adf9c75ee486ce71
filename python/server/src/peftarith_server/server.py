"""Making, starting and stopping a server.

SPDX-License-Identifier: PostgreSQL
"""
import os
import pwd
import shlex
import time
from pathlib import Path
from types import TracebackType

from . import postmaster
from .folder import PORT, Folder
from .programs import ServerError, extension_settings, run

DATABASE = "peftarith"
# Whose server it is, in the data: the first role, which has the name of the user.
USER_NOTE = "peftarith.user"
# Seconds; a start after a crash reads the log of writes first.
PATIENCE = 600

# Written once, into postgresql.conf, where the user may change them.
CONFIGURATION = {
    "shared_buffers": "64MB",
    "max_connections": "40",
    "log_min_messages": "warning",
    # A statement can carry an adapter as text: megabytes.
    "log_min_error_statement": "panic",
}


class Server:
    """A PostgreSQL server in a folder.  Several processes may use one at a time.

    init() makes what is not there, start() needs it; both do nothing where there
    is nothing to do.  As a context manager: both, and at the end the server is
    stopped if it was started here.
    """

    def __init__(self, data_dir: str | os.PathLike[str]) -> None:
        self._folder = Folder(Path(os.path.abspath(data_dir)))
        self._started_here = False

    def __enter__(self) -> "Server":
        self.init()
        self._started_here = self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        if self._started_here:
            self.stop()

    def init(self) -> bool:
        """Make the data, with database peftarith and the extension in it, and say whether it was made."""
        user = _user()
        self._folder.make()
        with self._folder.lock():
            if self._folder.cluster.exists():
                return False
            with self._folder.new_cluster() as new:
                run("initdb", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8", "--username", user, "--auth-local=trust", "--auth-host=reject",
                    *_options("--set", CONFIGURATION), data=new)
                (new / USER_NOTE).write_text(user)
                # (a process that ends with this one, unlike a server)
                _alone(new, "template1", f"create database {DATABASE}")
                _alone(new, DATABASE, "create extension peftarith")
            return True

    def start(self) -> bool:
        """Start the server unless it runs, and say whether it was started."""
        _user()
        if not self._folder.cluster.exists():
            raise ServerError(f"there is no server in {self._folder.path}: init() makes one")
        with self._folder.lock():
            found = postmaster.find(self._folder.cluster)
            if found is not None and found.ready and not found.usable:
                # Its socket is gone: a folder was moved, or somebody has tidied up.
                self._halt()
                found = None
            if found is not None:
                # (not yet ready: whoever started it is gone)
                self._wait_until_ready()
                return False
            postmaster.clear_remains(self._folder.cluster)
            self._launch()
            return True

    def stop(self) -> bool:
        """Stop the server, open sessions too, and say whether one ran."""
        if not self._folder.cluster.exists():
            return False
        with self._folder.lock():
            if postmaster.find(self._folder.cluster) is None:
                return False
            self._halt()
            return True

    def running(self) -> bool:
        """Does it take connections?"""
        found = postmaster.find(self._folder.cluster)
        return found is not None and found.usable

    def conninfo(self, database: str = DATABASE) -> str:
        """What psycopg.connect() and psql take, for the running server."""
        found = postmaster.find(self._folder.cluster)
        if found is None or not found.usable:
            raise ServerError(f"the server in {self._folder.path} is not running: start() starts it")
        user = (self._folder.cluster / USER_NOTE).read_text()
        parts = {"host": found.socket_folder, "port": str(PORT), "dbname": database, "user": user}
        return " ".join(f"{key}={_quoted(value)}" for key, value in parts.items())

    def _halt(self) -> None:
        run("pg_ctl", "stop", "--silent", "--mode=fast", f"--timeout={PATIENCE}", data=self._folder.cluster)
        self._folder.remove_socket_folder()

    def _launch(self) -> None:
        sockets = self._folder.make_socket_folder()
        settings = {
            "listen_addresses": "",
            "port": str(PORT),
            # (a list of names, so quoted)
            "unix_socket_directories": '"' + sockets.replace('"', '""') + '"',
            "unix_socket_permissions": "0700",
            # On the command line, not in a file: the environment may lie elsewhere tomorrow.
            **extension_settings(),
        }
        log = self._folder.log
        before = log.stat().st_size if log.exists() else 0
        try:
            run("pg_ctl", "start", "--silent", "--wait", f"--timeout={PATIENCE}", f"--log={log.name}",
                "--options", shlex.join(_options("-c", settings)), data=self._folder.cluster)
        except ServerError as error:
            said = b""
            if log.exists():
                with log.open("rb") as lines:
                    lines.seek(before)
                    said = lines.read()[-4000:]
            raise ServerError(f"the server in {self._folder.path} did not start.\n"
                              f"{said.decode(errors='replace').strip() or error}") from error

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + PATIENCE
        while not self.running():
            if postmaster.find(self._folder.cluster) is None:
                raise ServerError(f"the server in {self._folder.path} ended while it started: see {self._folder.log}")
            if time.monotonic() > end:
                raise ServerError(f"the server in {self._folder.path} has not become ready: see {self._folder.log}")
            time.sleep(0.05)


def _user() -> str:
    """The name of the user, who must be one that PostgreSQL accepts."""
    number = os.geteuid()
    if number == 0:
        raise ServerError("PostgreSQL refuses to run as root. Use an ordinary user, who can read this Python "
                          "environment and owns the data folder: in a container USER, in a shell for instance "
                          "setpriv --reuid=1000 --regid=1000 --clear-groups python ...")
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        raise ServerError(f"the user with the number {number} has no name, which PostgreSQL needs: "
                          "add a line to /etc/passwd") from None


def _options(flag: str, settings: dict[str, str]) -> list[str]:
    return [word for name, value in settings.items() for word in (flag, f"{name}={value}")]


def _alone(cluster: Path, database: str, statement: str) -> None:
    """Run a statement in a process that is the whole server, and whose error ends it."""
    settings = {"exit_on_error": "on", **extension_settings()}
    run("postgres", "--single", "-F", *_options("-c", settings), database, data=cluster, text=statement + "\n")


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
