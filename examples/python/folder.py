#!/usr/bin/env python3
"""A PEFT folder into a table and out again, with psycopg 3.

    folder.py in  NAME FOLDER      folder.py out NAME FOLDER

The table is adapters (name text primary key, a adapter); the server is found
by libpq's environment (PGHOST, PGDATABASE, ...).
"""
import pathlib
import sys

import psycopg


def weights_of(folder):
    """The folder's file of weights: adapter_model.safetensors, or the only .safetensors
    if it has another name; else adapter_model.bin, of which the server says what to do."""
    for pattern in ("adapter_model.safetensors", "*.safetensors", "adapter_model.bin"):
        found = sorted(folder.glob(pattern))
        if len(found) == 1:
            return found[0]
        if found:
            sys.exit(f"folder.py: {folder} has several files of weights: {', '.join(f.name for f in found)}")
    sys.exit(f"folder.py: {folder} has no file of weights (adapter_model.safetensors)")


def folder_in(connection, name, folder):
    """INSERT the folder's two files as one value."""
    folder = pathlib.Path(folder)
    connection.execute(
        "INSERT INTO adapters VALUES (%s, adapter_from_safetensors(%b, %s::json))",
        (name, weights_of(folder).read_bytes(), (folder / "adapter_config.json").read_bytes().decode()))


def folder_out(connection, name, folder):
    """Write the value as a folder that PEFT's from_pretrained loads."""
    row = connection.execute(
        "SELECT adapter_to_safetensors(a), adapter_config(a)::text FROM adapters WHERE name = %s",
        (name,), binary=True).fetchone()
    if row is None:
        sys.exit(f"folder.py: there is no adapter {name!r}")
    model, config = row
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_model.safetensors").write_bytes(model)
    (folder / "adapter_config.json").write_bytes(config.encode())


def main(direction, name, folder):
    with psycopg.connect() as connection:
        {"in": folder_in, "out": folder_out}[direction](connection, name, folder)


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("in", "out"):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except psycopg.Error as e:
        sys.exit(f"folder.py: {e}")
