"""A private PostgreSQL server with the extension peftarith, in a folder of the user.

    with Server("adapters") as server:
        connection = psycopg.connect(server.conninfo())

SPDX-License-Identifier: PostgreSQL
"""
from .programs import ServerError, bin_dir
from .server import Server

__all__ = ["Server", "ServerError", "bin_dir"]
