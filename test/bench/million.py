#!/usr/bin/env python3
"""A registry of many versions, made below the triggers in minutes and yet whole: registry.verify() has nothing to say.

    million.py [VERSIONS [DATABASE]]    makes the database (a million, peftarith_million) and leaves it there

Values are real, made by real expressions over tiny adapters (128 bytes of weights) and by no trigger; what versions
tell is what registry.tell() would have written, and registry.seal() makes the log.  Three in ten versions are imports,
the first of them a hub; four are made of two imports, one of two of those, one of the hub and an import, one is
virtual.  One chain is `depth` deep.  One of twenty of the others that are composed is a claim, as if another session
had committed it.  The same seed gives the same versions.

SPDX-License-Identifier: PostgreSQL
"""
import contextlib
import os
import sys
import time
from typing import Callable, Iterator, NamedTuple, Optional

import psycopg


class Made(NamedTuple):
    """What is in it, for who measures and tests."""
    versions: int
    hub: str            # reference of the version that a tenth is made of
    children: int       # how many those are
    end: str            # reference of the end of the chain
    depth: int
    ancestors: int      # how many the end of the chain has
    aliased: str        # reference by alias


ALIAS = "production"

# Numbers of versions by kind, each from one on and up to another: version n is version 1 + (n - 1) / entries of entry
# (n - 1) % entries.
KINDS = """
create schema million
    create unlogged table made (n bigint primary key, kind text not null, value public.adapter not null);
create function million.pick(n bigint, salt bigint, first bigint, many bigint) returns bigint language sql immutable as
    'select first + abs(hashint8extended(n, salt) % many)';
create function million.import(n bigint, seed bigint) returns public.adapter language sql immutable as $$
    select public.adapter_from_json(format(
        '{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "base_model_name_or_path": "a"}, "tensors": {'
        '"base_model.model.q.lora_A.weight": {"dtype": "F32", "shape": [1, 16], "data": [%s]}, '
        '"base_model.model.q.lora_B.weight": {"dtype": "F32", "shape": [16, 1], "data": [%s]}}}',
        string_agg(x.x, ',') filter (where x.i < 16), string_agg(x.x, ',') filter (where x.i >= 16))::json)
    from (select i, (hashint8extended(n * 32 + i, seed) / 2 ^ 63)::real::text as x from generate_series(0, 31) i) x
$$;
"""

IMPORTS = "insert into million.made select n, 'import', million.import(n, %(seed)s) from generate_series(%(from)s, %(to)s) n"

# No digest twice: each version has weights of its own.
COMPOSED = """
insert into million.made
select n.n, %(kind)s, (0.5::float8 * a.value + (0.25 + mod(n.n, 65536) / 262144.0::float8) * b.value)
from generate_series(%(from)s::bigint, %(to)s) n(n)
    cross join lateral (select million.pick(n.n, %(seed)s + 1, %(first)s, %(many)s) as one,
        million.pick(n.n, %(seed)s + 2, %(second)s, %(others)s) as two) p
    join million.made a on a.n = p.one
    join million.made b on b.n = p.two + (p.two = p.one)::int
"""

CHAIN = """
insert into million.made
with recursive chain(k, value) as (
    select 0, m.value from million.made m where m.n = 2
    union all
    select c.k + 1, 0.75::float8 * c.value + ((c.k + 1) / 1024.0::float8) * x.value
    from chain c, million.made x where x.n = 3 and c.k < %(to)s - %(from)s + 1)
select %(from)s - 1 + k, 'chain', value from chain where k > 0
"""

# What versions tell: a story for each that was made of something, and each version the claims among its stories.
TOLD = (
    """create unlogged table million.told as
    select m.n, t.of, t.sha256, case when t.root then t.node end as node, t.root
    from million.made m
        cross join lateral registry.stories(public.adapter_digest(m.value), public.adapter_recipe(m.value)) t
    where m.kind <> 'import'""",
    "analyze million.told",
    """insert into registry.story (digest, sha256, node, proven)
    select t.of, t.sha256, t.node, mod(t.n, 20) <> 0 or m.kind in ('chain', 'virtual')
    from million.told t join million.made m on m.n = t.n where t.root order by t.n""",
    """insert into registry.edge (story, of, parent, p, q, w)
    select s.id, e.of, e.parent, e.p, e.q, e.w
    from registry.story s cross join lateral public.adapter_recipe_edges(
        registry.recipe_of(s.node), s.digest, '{}') e order by s.id""",
    "analyze registry.story",
    """create unlogged table million.claimed as
    select t.n, array_agg(s.id order by s.id) as stories
    from million.told t join registry.story s on s.digest = t.of and s.sha256 = t.sha256
    where not s.proven group by t.n""",
    """create unlogged table million.set as
    select row_number() over (order by c.stories) as id, c.stories, registry.claims_hash(c.stories, '{}') as sha256
    from (select distinct stories from million.claimed) c""",
    "insert into registry.claim_set (id, sha256) overriding system value select id, sha256 from million.set order by id",
    "insert into registry.claim (claim_set, story) select s.id, u from million.set s, unnest(s.stories) u order by 1, 2",
)

# The one place that knows the columns of a version.
VERSIONS = """
insert into registry.version (entry, number, value, digest, envelope_digest, recipe, virtual, message, created_at,
    root, claims, told)
select 'entry ' || mod(m.n - 1, %(entries)s), 1 + (m.n - 1) / %(entries)s,
    case when m.kind <> 'virtual' then m.value end, public.adapter_digest(m.value),
    public.adapter_envelope_digest(m.value), case when m.kind = 'virtual' then public.adapter_recipe(m.value) end,
    m.kind = 'virtual', m.kind || ' ' || m.n, timestamptz '2026-01-01 00:00:00 UTC' + m.n * interval '1 ms',
    r.id, s.id, registry.told_hash(r.sha256, not r.proven, null, s.sha256)
from million.made m
    left join (million.told t join registry.story r on r.digest = t.of and r.sha256 = t.sha256) on t.n = m.n and t.root
    left join million.claimed c on c.n = m.n
    left join million.set s on s.stories = c.stories
order by m.n
"""

ENTRIES = """
insert into registry.entry (name, base_model, next_number, created_at)
select 'entry ' || n - 1, public.adapter_base_model(m.value), 1 + %(versions)s / %(entries)s,
    timestamptz '2026-01-01 00:00:00 UTC'
from generate_series(1, %(entries)s) n join million.made m using (n)
"""

# One entry of ten has an alias, which was moved once.
ALIASES = (
    """insert into registry.alias_history (entry, alias, move, number, previous, actor, moved_at)
    select 'entry ' || n, %(alias)s, move, move, nullif(move - 1, 0), session_user,
        timestamptz '2026-02-01 00:00:00 UTC' + move * interval '1 day'
    from generate_series(0, %(entries)s - 1, 10) n, generate_series(1, 2) move order by move, n""",
    """insert into registry.alias (entry, alias, number)
    select 'entry ' || n, %(alias)s, 2 from generate_series(0, %(entries)s - 1, 10) n""",
)

EVENTS = (
    """insert into registry.event (kind, fields)
    select 'version', registry.log_version_fields(v.entry, v.number, v.digest, v.envelope_digest, v.recipe, v.virtual,
        v.upgraded, v.allow_duplicate, v.message, v.actor, v.acting_as, v.created_at, v.told)
    from registry.version v order by v.created_at""",
    """insert into registry.event (kind, fields)
    select 'alias', registry.log_alias_fields(h.entry, h.alias, h.move, h.number, h.previous, h.actor, h.moved_at)
    from registry.alias_history h order by h.moved_at, h.entry""",
)


def made(versions: int, depth: int = 1000) -> Made:
    """What build() makes, for a database where it has."""
    tenth = versions // 10

    def ref(n: int) -> str:
        return "entry %d@%d" % ((n - 1) % tenth, 1 + (n - 1) // tenth)
    # The chain's own, its beginning, and the import that each link takes up.
    return Made(versions, ref(1), tenth, ref(3 * tenth + depth), depth, depth + 1, "entry 0@" + ALIAS)


def build(c: psycopg.Connection, versions: int, depth: int = 1000, seed: int = 1,
          say: Callable[[str], object] = print) -> Made:
    """Fills the empty registry in schema `registry`, with the extension in schema public.  A superuser's autocommit
    connection; versions by tens, at least eight times the depth."""
    assert versions % 10 == 0 and versions >= 8 * depth

    @contextlib.contextmanager
    def phase(what: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        say("%-34s %8.1f s" % (what, time.perf_counter() - begin))

    tenth = versions // 10
    imports, pairs = 3 * tenth, 4 * tenth - depth
    first = {"import": 1, "chain": imports + 1, "pair": imports + depth + 1,
             "double": 7 * tenth + 1, "hub": 8 * tenth + 1, "virtual": 9 * tenth + 1}
    last = dict(zip(first, [n - 1 for n in list(first.values())[1:]] + [versions]))
    operands = {"pair": (2, imports - 1, 2, imports - 2), "virtual": (2, imports - 1, 2, imports - 2),
                "double": (first["pair"], pairs, first["pair"], pairs - 1), "hub": (1, 1, 2, imports - 2)}

    begin = time.perf_counter()
    c.cursor_factory = psycopg.ClientCursor         # parameters are literals
    # (session_replication_role turns ordinary triggers and foreign keys off)
    c.execute("set session_replication_role = replica; set jit = off; set work_mem = '256MB'")
    c.execute(KINDS)
    for kind in first:
        with phase("%d of kind %s" % (last[kind] - first[kind] + 1, kind)):
            text = {"import": IMPORTS, "chain": CHAIN}.get(kind, COMPOSED)
            c.execute(text, {
                "kind": kind, "seed": seed, "from": first[kind], "to": last[kind],
                **dict(zip(("first", "many", "second", "others"), operands.get(kind, ())))})
            c.execute("analyze million.made")
    with phase("stories, edges, claims"):
        for text in TOLD:
            c.execute(text)
        c.execute("select registry.number_on(); analyze million.claimed; analyze million.set")
    values = {"entries": tenth, "versions": versions, "alias": ALIAS}
    with phase("entries, versions"):
        for text in (ENTRIES, VERSIONS):
            c.execute(text, values)
    with phase("aliases, events"):
        for text in ALIASES:
            c.execute(text, values)
        for text in EVENTS:
            c.execute(text)
    c.execute("reset session_replication_role; reset jit; reset work_mem; drop schema million cascade")
    with phase("vacuum analyze"):
        c.execute("vacuum analyze")
    with phase("sealing"):
        while c.execute("select registry.seal(100000)").fetchone()[0]:
            pass
    with phase("vacuum analyze"):
        c.execute("vacuum analyze")
    say("%d versions in %.0f s" % (versions, time.perf_counter() - begin))
    return made(versions, depth)


def make_database(name: str, versions: int, depth: int = 1000) -> Optional[Made]:
    """A new database with the extension and a registry of so many versions, or an empty one."""
    with psycopg.connect(dbname=os.environ.get("PGDATABASE", "postgres"), autocommit=True) as c:
        c.execute("drop database if exists %s with (force)" % name)
        c.execute("create database " + name)
    with psycopg.connect(dbname=name, autocommit=True) as c:
        c.execute("create extension peftarith")
        c.execute("select registry_create()")
        return build(c, versions, depth) if versions else None


if __name__ == "__main__":
    print(make_database(*(sys.argv[2:] or ["peftarith_million"]), int(sys.argv[1]) if len(sys.argv) > 1 else 1000000))
