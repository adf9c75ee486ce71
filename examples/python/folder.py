#!/usr/bin/env python3
"""A PEFT folder into a table and out again, with psycopg 3.

    folder.py in  NAME FOLDER      folder.py out NAME FOLDER

The table is adapters (name text primary key, a adapter); the server is found
by libpq's environment (PGHOST, PGDATABASE, ...).
"""
import pathlib
import sys

import psycopg


def folder_in(connection, name, folder):
    """INSERT the folder's two files as one value."""
    folder = pathlib.Path(folder)
    connection.execute(
        "INSERT INTO adapters VALUES (%s, adapter_from_safetensors(%b, %s::json))",
        (name, (folder / "adapter_model.safetensors").read_bytes(),
         (folder / "adapter_config.json").read_text("utf-8")))


def folder_out(connection, name, folder):
    """Write the value as a folder that PEFT's from_pretrained loads."""
    model, config = connection.execute(
        "SELECT adapter_to_safetensors(a), adapter_config(a)::text FROM adapters WHERE name = %s",
        (name,), binary=True).fetchone()
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_model.safetensors").write_bytes(model)
    (folder / "adapter_config.json").write_text(config, "utf-8")


if __name__ == "__main__":
    with psycopg.connect() as connection:
        {"in": folder_in, "out": folder_out}[sys.argv[1]](connection, *sys.argv[2:])
