"""Is a server at work on a data folder?  postmaster.pid says which, and Linux's
/proc whether that is still so: a number may be another process's by now.

SPDX-License-Identifier: PostgreSQL
"""
import os
import time
from dataclasses import dataclass
from pathlib import Path

from .folder import SOCKET
from .programs import ServerError


@dataclass(frozen=True)
class Postmaster:
    socket_folder: str
    ready: bool

    @property
    def usable(self) -> bool:
        """Ready, and its socket is still there."""
        return self.ready and os.path.exists(os.path.join(self.socket_folder, SOCKET))


def is_postgres_of(process: str, cluster: Path) -> bool:
    """A server's processes have its data folder as their working directory."""
    try:
        program = os.readlink(f"/proc/{process}/exe").removesuffix(" (deleted)")
        return os.path.basename(program) == "postgres" and os.path.samefile(f"/proc/{process}/cwd", cluster)
    except OSError:
        return False


def find(cluster: Path) -> Postmaster | None:
    """The server that runs on this data, or none."""
    try:
        # process, data, start, port, folder of the socket, address, shared memory, status
        lines = os.fsdecode((cluster / "postmaster.pid").read_bytes()).split("\n")
    except OSError:
        return None
    if not is_postgres_of(lines[0].strip(), cluster):
        return None
    lines += [""] * 8
    return Postmaster(socket_folder=lines[4], ready=lines[7].strip() == "ready")


def clear_remains(cluster: Path, timeout: float = 60) -> None:
    """After a kill: wait for processes that have outlived their server, and
    remove its postmaster.pid, which would be believed if another process had
    its number by now.
    """
    if not (cluster / "postmaster.pid").exists():
        return
    end = time.monotonic() + timeout
    while left := [name for name in os.listdir("/proc") if name.isdigit() and is_postgres_of(name, cluster)]:
        if time.monotonic() > end:
            raise ServerError(f"the server was killed, and parts of it are still at work: process {', '.join(left)}")
        time.sleep(0.05)
    (cluster / "postmaster.pid").unlink(missing_ok=True)
