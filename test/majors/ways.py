"""The ways from a server to a newer one: pg_upgrade, dumps, logical replication.

SPDX-License-Identifier: PostgreSQL
"""
import contextlib
import time
from collections.abc import Iterator

from facts import HERE
from servers import Failed, Install, Server, run

DATABASE = "adapters"
WAIT = 180      # seconds for replication, on a busy machine


@contextlib.contextmanager
def upgraded(source: Server, newer: Install) -> Iterator[Server]:
    """The newer server on a copy of the source's data, which must be stopped."""
    old = Server(source.install, source.place, "old")
    new = Server(newer, source.place, "upgraded")
    run(["cp", "-a", source.data, old.data], source.place)
    try:
        new.make()
        new.program("pg_upgrade", "-b", source.install.bindir, "-B", newer.bindir, "-d", old.data, "-D", new.data,
                    "-s", source.place, "-U", "postgres", "--no-sync")
        with new.running():
            yield new
    finally:
        old.remove()
        new.remove()


def roles_to(source: Server, target: Server) -> None:
    """Roles are the cluster's; the one that initdb made is there."""
    roles = target.program("pg_dumpall", "--roles-only", "-d", source.target("postgres"))
    target.psql("postgres", "".join(line + "\n" for line in roles.splitlines()
                                    if not line.startswith("CREATE ROLE postgres")))


def restored(source: Server, target: Server, form: str) -> str:
    """Dumps with the newer programs into a new database, whose name is returned."""
    database, file = "restored_" + form, source.place / ("dump_" + form)
    target.psql("postgres", "create database %s template template0" % database)
    target.program("pg_dump", "-F" + form, "-f", file, source.target(DATABASE))
    if form == "p":
        target.program("psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", target.target(database), "-f", file)
    else:
        target.program("pg_restore", "--exit-on-error", "-d", target.target(database), file)
    return database


# What changes while it is replicated: values in the row and outside it, a row
# whose value outside stays, rows that are found by comparing adapters.
CHANGES = """
    insert into item select g, leaf(g), list, dom, composite, d, 'inserted' from item, generate_series(11, 12) g where n = 1;
    update item set a = leaf(50), list = list || leaf(51, 'BF16', 3000), composite.d = delta(leaf(52)) where n = 2;
    update item set note = 'the value stays' where n in (1, 3);
    update item set n = 13, dom = leaf(53, 'F16') where n = 4;
    update item set a = null, list = null, dom = null, composite = null, d = null where n = 5;
    delete from item where n = 6;
    update whole set d = 2 * d where n = 2;
    update whole set a = 0.5 * a where n = 3;
    delete from whole where n = 4;
"""
ROWS = """
    select 'item', n, note, encode(sha256(adapter_send(a)), 'hex'), md5(list::text), encode(sha256(adapter_send(dom)), 'hex'),
        md5(composite::text), encode(sha256(adapter_delta_send(d)), 'hex'), adapter_check(a),
        (select bool_and(adapter_check(x)) from unnest(list) x) from item
    union all select 'whole', n, note, encode(sha256(adapter_send(a)), 'hex'), md5(list::text), encode(sha256(adapter_send(dom)), 'hex'),
        md5(composite::text), encode(sha256(adapter_delta_send(d)), 'hex'), adapter_check(a),
        (select bool_and(adapter_check(x)) from unnest(list) x) from whole
    order by 1, 2"""


def publish(source: Server) -> None:
    source.psql("postgres", "create database published template template0")
    source.psql("published", (HERE / "replication.sql").read_text())
    source.psql("published", "insert into item select * from filled; insert into whole select * from filled;"
                "create publication adapters for table item, whole")


def subscribe(source: Server, target: Server, database: str, binary: bool) -> None:
    target.psql("postgres", "create database %s template template0" % database)
    target.psql(database, (HERE / "replication.sql").read_text())
    target.psql(database, "create subscription %s connection '%s' publication adapters with (binary = %s)"
                % (database, source.target("published"), str(binary).lower()))


def wait_for(server: Server, database: str, query: str, what: str, log: Server) -> None:
    end = time.monotonic() + WAIT
    while not server.value(database, query):
        if time.monotonic() > end:
            raise Failed("%s: not after %d s\n%s" % (what, WAIT, log.data.with_suffix(".log").read_text()[-3000:]))
        time.sleep(0.1)


def wait_for_copies(target: Server, database: str) -> None:
    wait_for(target, database, "select count(*) = 2 and bool_and(srsubstate = 'r') from pg_subscription_rel",
             "the first copy", target)


def wait_for_changes(source: Server, target: Server, database: str) -> None:
    position = source.value("published", "select pg_current_wal_lsn()")
    wait_for(source, "published", "select bool_and(replay_lsn >= '%s') from pg_stat_replication where application_name = '%s'"
             % (position, database), "the changes", target)
