"""What must work in a database after it has moved.

SPDX-License-Identifier: PostgreSQL
"""
import base64
from collections.abc import Callable

import psycopg

import facts
from facts import REGISTRIES
from servers import Server

Check = Callable[[bool, str, object], None]


def goes_on(server: Server, database: str, checkpoints: dict[str, str], check: Check) -> None:
    for schema, secured in REGISTRIES.items():
        with server.connect(database) as c:
            upgrades(server, database, c, schema, check)
            commits_go_on(c, schema, checkpoints[schema], check)
            refusals(c, schema, secured, check)
    with server.connect(database) as c:
        tables_go_on(c, check)
        rights(c, server.install.major, check)


def one(c: psycopg.Connection, query: str, role: str = "default") -> object:
    c.execute("set session authorization " + role)
    row = c.execute(query).fetchone()
    return row[0] if row else None


def refused(c: psycopg.Connection, query: str, role: str = "default") -> str | None:
    """SQLSTATE"""
    c.execute("set session authorization " + role)
    try:
        c.execute(query)
    except psycopg.Error as e:
        return e.sqlstate
    return None


def upgrades(server: Server, database: str, c: psycopg.Connection, schema: str, check: Check) -> None:
    """registry_upgrade() of the version that made the registry changes nothing."""
    before = facts.ask(server, database, {}, facts.CATALOG)
    one(c, "select registry_upgrade('%s')" % schema, "keeper")
    after = facts.ask(server, database, {}, facts.CATALOG)
    for name, rows in before.items():
        check(after[name] == rows, "registry_upgrade(%s): %s" % (schema, name), facts.difference(rows, after[name]))


def commits_go_on(c: psycopg.Connection, schema: str, old: str, check: Check) -> None:
    def equal(got: object, wanted: object, what: str) -> None:
        check(got == wanted, "%s: %s" % (schema, what), "got %r, wanted %r" % (got, wanted))
    r = schema
    unsealed = one(c, "select count(*) from %s.event" % r)
    moves = one(c, "select max(move) from %s.alias_history where entry = 'mix' and alias = 'production'" % r)
    number = one(c, "select max(number) from %s.version where entry = 'mix'" % r)
    story = one(c, "select max(id) from %s.story" % r)
    equal(one(c, "select %s.commit('mix', 0.125 * %s.get('x') + %s.get('y'))" % (r, r, r), "alice"),
          "mix@%d" % (number + 1), "the next number")
    equal(one(c, "select %s.commit('new', leaf(70))" % r, "alice"), "new@1", "a new entry")
    one(c, "select %s.set_alias('mix', 'production', %d)" % (r, number + 1), "alice")
    equal(one(c, "select max(move) from %s.alias_history where entry = 'mix' and alias = 'production'" % r), moves + 1,
          "the next move")
    equal(one(c, "select min(id) > %s from %s.story s join %s.version v on s.id = v.root where v.entry = 'mix'"
              " and v.number = %d" % (story, r, r, number + 1)), True, "stories go on")
    one(c, "select %s.materialize('sweep@1')" % r, "alice")
    left = [one(c, "select %s.settle()" % r, "admin") for _ in range(6)]
    equal(left[-1], 0, "what was revoked before is settled")
    equal(one(c, "select %s.is_live('large@1')" % r), False, "what was revoked is not live")
    equal(one(c, "select %s.seal()" % r, "admin"), unsealed + 4, "what was not sealed is sealed")
    new = one(c, "select %s.checkpoint()" % r, "admin")
    (size, root), (later, later_root) = map(tree, (old, new))
    equal(later > size, True, "the log has grown")
    equal(one(c, "select registry_is_consistent(%d, '%s', %d, '%s', (select array_agg(decode(p, 'base64') order by n)"
              " from unnest(%s.consistency_proof(%d, %d)) with ordinality u(p, n)))"
              % (size, root, later, later_root, r, size, later), "admin"), True, "the old log is the beginning of the new")
    for name, checkpoint in (("old", old), ("new", new)):
        c.execute("set session authorization admin")
        rows = c.execute("select * from %s.verify(%%s, recompute => true)" % r, (checkpoint,)).fetchall()
        equal(rows, [], "verify with the %s checkpoint, later" % name)


def tree(checkpoint: str) -> tuple[int, str]:
    """Size and root, as bytea's text, of a checkpoint."""
    _, size, root = checkpoint.split("\n")[:3]
    return int(size), "\\x" + base64.b64decode(root).hex()


def refusals(c: psycopg.Connection, schema: str, secured: bool, check: Check) -> None:
    for what, role, query, wanted in (
            ("a revoked ancestor", "alice", "select {r}.commit('bad', 0.5 * {r}.get('large@1', true))", "55000"),
            ("a revoked version is not given", "reader", "select {r}.get('z@1')", "42704" if secured else "55000"),
            ("history stays", "keeper", "delete from {r}.log", "55000"),
            ("versions stay", "keeper", "update {r}.version set message = 'x' where entry = 'x'", "55000"),
            ("a duplicate", "alice", "select {r}.commit('y', {r}.get('y'))", "23505"),
            ("a reader does not commit", "reader", "select {r}.commit('r', leaf(71))", "42501"),
            ("a writer does not revoke", "alice", "select {r}.revoke_digest({r}.digest('x'), 'no')", "42501"),
            ("somebody else's entry", "bob", "select {r}.commit('x', leaf(72))", "42501" if secured else None),
            ("a stranger", "stranger", "select count(*) from {r}.version", "42501")):
        got = refused(c, query.format(r=schema), role)
        check(got == wanted, "%s: %s" % (schema, what), "SQLSTATE %s, wanted %s" % (got, wanted))


def tables_go_on(c: psycopg.Connection, check: Check) -> None:
    for what, query, wanted in (
            ("the same digest again", "insert into stored (n) values (6)", "23505"),
            ("the index by digest", "insert into stored (n, extended, large_extended) select 6, extended, leaf(80) from stored where n = 1", "23505"),
            ("another one", "insert into stored (n, extended, large_extended) values (6, leaf(81), leaf(82, 'F32', 4000))", None),
            ("the key of adapters", "insert into ordered values (leaf(7))", "23505"),
            ("the domain", "insert into inside (n, of_domain) values (6, other('ia3', 1))", "23514"),
            ("defaults", "insert into inside (n) values (6)", None),
            ("a reference by digest", "insert into refers values ('\\x00')", "23503"),
            ("the materialized view", "refresh materialized view concurrently made", None),
            ("a row among parts", "insert into parts select leaf(n), n from generate_series(90, 99) n", None)):
        got = refused(c, query)
        check(got == wanted, "after: " + what, "SQLSTATE %s, wanted %s" % (got, wanted))
    check(one(c, "select digest = adapter_digest(leaf(82, 'F32', 4000)) from stored where n = 6") is True,
          "after: a generated digest", "")


def rights(c: psycopg.Connection, major: int, check: Check) -> None:
    """MAINTAIN, which 17 added to ALL, has come to those alone who were granted ALL."""
    if major < 17:
        return
    rows = c.execute("""
        select c.oid::regclass::text, a.grantee::regrole::text from pg_class c, aclexplode(c.relacl) a
        where a.privilege_type = 'MAINTAIN' and a.grantee <> c.relowner and c.oid >= 16384""").fetchall()
    check(set(rows) <= {("stored", "admin")}, "nobody else may maintain tables", rows)
