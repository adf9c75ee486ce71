"""What lies in the folder of a server, and who holds it.

    cluster/        PostgreSQL's own: the data (cluster.new-... while it is made)
    run/            the socket, unless the path is too long for one or has a comma
    socket          then the path of the folder that has it
    server.log
    lock            held by who makes, starts or stops the server

SPDX-License-Identifier: PostgreSQL
"""
import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

# It names the socket; there is no TCP port.
PORT = 5432
SOCKET = f".s.PGSQL.{PORT}"
# The kernel's limit for a socket's path, without the zero at its end.
LONGEST_PATH = 107


def fits(folder: str) -> bool:
    """Can a socket lie there?  (To a client, a comma would end the name of one host of several.)"""
    return "," not in folder and len(os.fsencode(folder)) + 1 + len(SOCKET) <= LONGEST_PATH


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.cluster = path / "cluster"
        self.log = path / "server.log"
        self._note = path / "socket"

    def make(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextlib.contextmanager
    def new_cluster(self) -> Iterator[Path]:
        """An empty folder that becomes the cluster if all goes well, and else nothing."""
        for left in self.path.glob("cluster.new-*"):
            shutil.rmtree(left, ignore_errors=True)
        # (a name of its own: what was killed may have left a program that still writes)
        new = Path(tempfile.mkdtemp(prefix="cluster.new-", dir=self.path))
        try:
            yield new
            new.rename(self.cluster)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """One process at a time; the lock goes with the process that holds it."""
        # (Python's descriptors are not inherited, so the server does not keep it)
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def make_socket_folder(self) -> str:
        """A folder for the socket that nobody else can enter, for a server that does not run yet."""
        folder = self.path / "run"
        if fits(str(folder)):
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)
        else:
            noted = self._noted()
            # (not under XDG_RUNTIME_DIR, which goes when the user logs out, while the server stays)
            folder = Path(noted or tempfile.mkdtemp(prefix="peftarith-", dir="/tmp"))
            self._note.write_bytes(os.fsencode(folder))
        # What a killed server has left would be taken for a living one's while
        # its number is in use, be it by a process that is dead and not yet buried.
        for left in folder.glob(SOCKET + "*"):
            left.unlink()
        return str(folder)

    def remove_socket_folder(self) -> None:
        """The one that lies elsewhere, when the server has stopped."""
        noted = self._noted()
        if noted is not None:
            shutil.rmtree(noted, ignore_errors=True)
        self._note.unlink(missing_ok=True)

    def _noted(self) -> str | None:
        """The folder in the note, if it is still this user's own."""
        try:
            folder = os.fsdecode(self._note.read_bytes())
            about = os.lstat(folder)
        except (OSError, ValueError):
            return None
        mine = stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid() and stat.S_IMODE(about.st_mode) == 0o700
        return folder if mine else None
