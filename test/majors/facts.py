"""What a database says of itself (facts.sql), and how that differs.

SPDX-License-Identifier: PostgreSQL
"""
import dataclasses
import difflib
import math
import pathlib
import re

import psycopg

from servers import Server

HERE = pathlib.Path(__file__).parent
REGISTRIES = {"registry": False, "models": True}    # schema: with row-level security
# What registry_upgrade() could change.
CATALOG = re.compile(r"^(columns|relations|constraints|indexes and|functions|triggers|policies|rights|the extension|rows of \w+)")

Rows = list[tuple]


@dataclasses.dataclass(frozen=True)
class Fact:
    name: str
    query: str
    schema: str
    role: str | None
    near: bool


def load() -> list[Fact]:
    """A query for each registry where it speaks of one."""
    facts = []
    for part in re.split(r"^--: ", (HERE / "facts.sql").read_text(), flags=re.M)[1:]:
        head, query = part.split("\n", 1)
        name, _, role = head.partition(" as ") if re.search(r" as \w+$", head) else (head, "", "")
        for schema in REGISTRIES if "@registry@" in part else [""]:
            facts.append(Fact(name.replace("@registry@", schema), query.replace("@registry@", schema).strip(),
                              schema, role or None, name.startswith("near")))
    return facts


def ask(server: Server, database: str, checkpoints: dict[str, str], only: re.Pattern | None = None) -> dict[str, Rows]:
    """Name of a fact: its rows.  An error is a row too, which no other database has."""
    told: dict[str, Rows] = {}
    with server.connect(database) as c:
        for fact in load():
            if only and not only.match(fact.name):
                continue
            query = fact.query.replace("@checkpoint@", "'%s'" % checkpoints.get(fact.schema))
            c.execute("set session authorization " + (fact.role or "default"))
            try:
                told[fact.name] = c.execute(query).fetchall()
            except psycopg.Error as e:
                told[fact.name] = [("error in " + server.install.version, str(e))]
    return told


def same(before: object, after: object, near: bool) -> bool:
    if isinstance(before, (list, tuple)) and isinstance(after, (list, tuple)):
        return len(before) == len(after) and all(same(x, y, near) for x, y in zip(before, after))
    if near and isinstance(before, float) and isinstance(after, float):
        return math.isclose(before, after, rel_tol=1e-9, abs_tol=1e-9)
    return before == after


def difference(before: Rows, after: Rows) -> str:
    lines = difflib.unified_diff(list(map(repr, before)), list(map(repr, after)), "before", "after", lineterm="", n=0)
    return "\n".join(line[:1000] for line in list(lines)[:30])
