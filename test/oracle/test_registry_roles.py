"""Rows of others: every function of a registry as every role, against what that role may see.

Two registries, with row-level security and without, of entries whose every string, weight and rank
occurs nowhere else. Each function of the catalog is called as each role, with references and
digests that the role sees, that are hidden from it, that nobody has, and nulls:

- who may not call it gets 42501, who may never lacks a right inside it;
- neither a result nor an error, a detail, a hint, a notice tells anything of a hidden row
  (doc/registry.md, "Roles", says what may be told: digests that are connected with known ones, and
  the weights between them);
- a hidden name is answered as one that does not exist.

Then what is not a function: tables, sequences, statistics, plans, NOTIFY, functions of the
tenant's own in WHERE, constraints, commits that name hidden digests, sharing.

SPDX-License-Identifier: PostgreSQL
"""
import hashlib
import itertools
import json
import math
import re

import psycopg

import harness
from registry_world import ENTRIES, Outcome, World, plain, roles
from recipes import forged

# For whom each function is. A function that is not here fails the test.
FOR = {
    "reader": """resolve digest recipe get diff alias_at lineage lineage_path descendants lineage_dot is_live seal log_status checkpoint
        attestation bill_of_materials
        check_virtual digest_list plan evaluate distances fact_ancestors fact_descendants story_edges sets_of ancestor_graph
        descendant_edges descendant_graph names_of revoked_among are_live version_live obstacle log_time builder_version
        file_digest materials bill_component bill_dependencies is_member is_owner owns_entry""",
    "log reader": """export_log checkpoint_at verify_export inclusion_proof consistency_proof verify_since verify
        stories recipe_of cut_off claims_hash claim_lines_hash told_hash told_facts told_of log_version_fields log_alias_fields log_revoke_fields log_line log_leaf log_note
        log_checkpoint parse_export log_entries misplaced_entries is_log_event verify_entries verify_checkpoint
        verify_tree verify_events verify_log tree_nodes tree_root log_check_size log_events version_positions log_difference verify_versions
        verify_erasures log_erasures are_facts verify_told verify_lineage edges_fit story_fault verify_stories verify_states verify_aliases verify_keys
        verify_repeats log_since root_fault verify_chain_since verify_versions_since verify_values_since verify_moves_since
        is_outer_error value_fault envelopes wrong_values verify_values is_other_beside recipe_fault verify_recipes""",
    "writer": "commit commit_virtual materialize remove_alias set_alias share unshare",
    "admin": """erase revoke_digest settle revoke recompose prove revoke_begin revoked fallen named_by descendant_depths made_or_claimed concerned claims_above
        affected_of check_story evaluate_without leads_to recomposable""",
    "owner": """number_on protect tell_upgraded tree_begin allow
        version_actor version_duplicate version_facts version_erasable version_change version_value refuse_change mark_change
        alias_moved alias_history_insert claimed_parents story_write claim_set_write tell told_otherwise told_before tell_story tell_all claim_sets_join
        remove_row check_quota check_name check_entry_name check_alias_name check_live take_aliases descent log_append
        log_has_version log_has_alias log_has_revocation log_version log_erase log_materialize log_alias log_revoke tree_grow
        log_seal rights allow_functions entry_given""",
}
TABLES = {"reader": "entry version alias alias_history log_head share",
          "log reader": "story edge claim_set claim revocation dead step log event tree",
          "owner": "quota made"}
SECURED = ("entry", "version", "alias", "alias_history", "share")
HAS = {"reader": {"reader"}, "guest": {"reader"}, "alice": {"reader", "writer"}, "bob": {"reader", "writer"},
       "admin": {"reader", "log reader", "writer", "admin"}, "stranger": set(),
       "owner": {"reader", "log reader", "writer", "admin", "owner"}}
TELL_A_NAME_IS_TAKEN = {"commit", "commit_virtual"}     # doc/registry.md, "Roles"
COMBINATIONS = 24       # of arguments of a function: all of them are tried


def words(classes):
    return {name: kind for kind, names in classes.items() for name in names.split()}


# Arguments: what each may be, by type and name. The first is what the role sees, if it sees anything.

def arguments(world, who):
    """{(type, name) or type: values}; a value is a parameter, or SQL if it is in a list of one."""
    seen = world.visible(who) or ["hers"]
    mine = seen[-1] if who == "bob" else seen[0]
    name, hidden = world.names, [e for e in ("far", "near") if not world.sees(who, e)]
    digest = {e: d[0] for e, d in world.digests.items()}
    places = [p % (name[e], a) for e in (mine, *hidden) for p, a in (("%s@%s", 1), ("%s%s", ""), ("%s@%s", world.aliases[e]))]
    lost = [world.digests["far"][i] for i in (0, 1, 4)] + [digest["near"], digest["twin"], b"?" * 32]
    entries = [name[e] for e in (mine, "lent", *hidden)]
    false = {"version": 1, "root": {"op": "scale", "of": digest["far"].hex(), "by": float.hex(0.5)}, "nodes": {}}
    recipes = [{**false, "root": {**false["root"], "of": d.hex()}} for d in (digest[mine], *lost[:3], digest["near"])]
    value = world.values[mine][0] if world.sees(who, mine) else world.spare
    values = [value] + [forged(value, r) for r in recipes]
    words = {"kind": "version", "event": "version", "state": "55000", "names": "a b", "allowed": "reader"}
    texts = {("text", k): [v] for k, v in words.items()}
    return {
        **dict.fromkeys([("text", n) for n in ("ref", "left_ref", "right_ref", "without")], places + ["nobody@1", None]),
        **dict.fromkeys([("text", n) for n in ("entry", "name")], entries + ["nobody", None]),
        **texts, ("text", "alias"): [world.aliases[mine]] + [world.aliases[e] for e in hidden] + [None],
        **dict.fromkeys([("text", n) for n in ("checkpoint", "since")], [["registry.checkpoint()"], None]),
        **dict.fromkeys([("text", n) for n in ("reader", "writer", "admin", "role")], [world.role("reader"), None]),
        "text": ["why", None], "text[]": [["a"], None],
        "name": [world.role(who), world.role("dora"), world.role("nobody"), None],
        "bytea": [digest[mine], *lost, b"", None],
        "bytea[]": [[digest[mine]], lost, [], [None], None],
        **dict.fromkeys([("bigint", n) for n in ("claims", "story")], [None, *world.sets[-3:], 10**6]),
        "bigint": [None, 1, 0, 7], "bigint[]": [world.sets, [], None],
        "integer": [1, 2, 99, None], "boolean": [False, True, None],
        "jsonb[]": [["array['{}'::jsonb]"], [], None],
        "jsonb": [json.dumps(r) for r in recipes] + ["{}", None],
        "adapter": [*values, None], "timestamp with time zone": [["now()"], None],
        "registry.version": [["null::registry.version"], ["(select v from registry.version v order by entry, number limit 1)"]],
        "registry.story": [["null::registry.story"], ["(select s from registry.story s order by id limit 1)"]],
    }


class Call:
    def __init__(self, function, values):
        name, types, returns = function
        self.parameters, placed = [], []
        for (_, kind), value in zip(types, values):
            if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) and kind != "text[]":
                placed.append(value[0])
            elif kind == "adapter" and value is not None:
                placed.append("adapter_from_safetensors(%s::bytea)")
                self.parameters.append(value)
            else:
                placed.append("%s::" + kind)
                self.parameters.append(value)
        self.sql = "select %s registry.%s(%s)" % ("" if returns == "trigger" else "* from", name, ", ".join(placed))
        inside = [p for p in self.parameters if isinstance(p, bytes)]
        self.given = plain(self.parameters) + " ".join(p.decode("latin-1") + hashlib.sha256(p).hexdigest() for p in inside)
        self.label = "%s(%s)" % (name, ", ".join(harness.short(plain(p), 40) for p in self.parameters))

    def instead(self, old, new):
        """The same call with another name in it."""
        other = object.__new__(Call)
        other.sql, other.parameters = self.sql, [p.replace(old, new) if isinstance(p, str) else p for p in self.parameters]
        return other


def calls(function, given, most):
    """Every combination, or, of many, one argument after the other through its values and the others at their first."""
    _, types, _ = function
    choices = [given.get((kind, name), given.get(kind)) for name, kind in types]
    if math.prod(map(len, choices)) <= most:
        yield from (Call(function, values) for values in itertools.product(*choices))
        return
    first = [c[0] for c in choices]
    yield Call(function, first)
    for i, choice in enumerate(choices):
        for value in choice[1:]:
            yield Call(function, first[:i] + [value] + first[i + 1:])
    for k in (2, 3, 4):
        yield Call(function, [c[min(k, len(c) - 1)] for c in choices])


def functions(world):
    """[(name, [(argument, type)], type of the result)] of the catalog."""
    found = world.root.execute("""
        select p.proname, array(select format_type(t, null) from unnest(p.proargtypes) with ordinality a(t, n) order by n),
            coalesce(p.proargnames, '{}'), format_type(p.prorettype, null)
        from pg_proc p where p.pronamespace = 'registry'::regnamespace order by p.oid""").fetchall()
    return [(name, list(zip(names, kinds)), returns) for name, kinds, names, returns in found]


def may(world, who, kind):
    return kind in HAS[who] or kind == "log reader" and not world.secured and "reader" in HAS[who]


def check_call(world, who, function, call, allowed):
    run, c = world.run, world.connection(who)
    label = "%s%s: %s" % (who, ", secured" if world.secured else "", call.label)
    got = Outcome(c, call.sql, call.parameters)
    told = world.secrets(who, got.text, call.given)
    run.ok(not told, label + " tells", (told, harness.short(got.text)))
    if not allowed:
        return run.ok(got.denied(), label + " is allowed", (got.state, got.message))
    run.ok(not got.denied() and (got.state or "")[:2] not in ("XX", "P0", "42P"), label + " fails", (got.state, got.message))
    for entry in ENTRIES:
        if world.sees(who, entry) or function[0] in TELL_A_NAME_IS_TAKEN or not any(
                isinstance(p, str) and world.names[entry] in p for p in call.parameters):
            continue
        ghost = "ghost" + world.names[entry][5:]
        other = Outcome(c, call.instead(world.names[entry], ghost).sql, call.instead(world.names[entry], ghost).parameters)
        run.equal((got.state, got.text), (other.state, other.text.replace(ghost, world.names[entry])),
                  label + " answers otherwise than of a name that nobody has")


def check_functions(world):
    kinds = words(FOR)
    every = functions(world)
    world.run.equal(sorted({name for name, _, _ in every}), sorted(kinds), "the functions that this test knows")
    for who in world.callers:
        given = arguments(world, who)
        most = COMBINATIONS if world.secured and who not in ("admin", "owner") else 0       # who sees everything learns nothing
        for function in every:
            name, types, _ = function
            kind = kinds.get(name)
            unknown = [a for a in types if (a[1], a[0]) not in given and a[1] not in given]
            if kind is None or unknown:
                world.run.ok(False, "%s has arguments that this test does not know" % name, unknown)
                continue
            allowed = may(world, who, kind)
            for call in calls(function, given, most) if allowed else itertools.islice(calls(function, given, 0), 1):
                check_call(world, who, function, call, allowed)


# What is not a function.

def check_tables(world, who):
    """Every table and view whole: the rows of what the role sees, and of the others 42501."""
    run, kinds = world.run, words(TABLES)
    there = [t for t, in world.root.execute("""select relname from pg_class where relnamespace = 'registry'::regnamespace
        and relkind in ('r', 'p', 'v', 'm', 'f') order by relname""").fetchall()]
    run.equal(there, sorted(kinds), "the tables that this test knows")
    seen = {world.names[e] for e in world.visible(who)}
    for table in there:
        label = "%s, table %s" % (who, table)
        got = Outcome(world.connection(who), "select t::text from registry.%s t" % table)
        run.ok(not world.secrets(who, got.text, ""), label + " tells", world.secrets(who, got.text, ""))
        if not may(world, who, kinds[table]):
            run.ok(got.denied(), label + " can be read", got.message)
            continue
        rows = world.root.execute("select to_jsonb(t), t::text from registry.%s t" % table).fetchall()
        if table in SECURED and world.secured and who not in ("owner", "admin"):
            rows = [(j, t) for j, t in rows if j.get("entry", j.get("name")) in seen and (
                table != "share" or world.role(who) in (j["owner"], j["role"]))]
        run.equal(sorted(got.rows), sorted((t,) for _, t in rows), label + ": rows")


def check_references(world, who):
    """What has a reference is as the owner gets it, or there is no such version; names are those that the role sees."""
    run, c = world.run, world.connection(who)
    seen = {world.names[e] for e in world.visible(who)}
    of_names = ("lineage", "descendants")
    queries = ["select * from registry.resolve(%s)", "select registry.digest(%s)", "select registry.is_live(%s::text)",
               "select registry.get(%s, true)", "select registry.diff(%s, %s)",
               "select registry.attestation(%s) - 'predicate'",
               *("select digest, names, p, w from registry.%s(%%s::text)" % f for f in of_names)]
    for entry, name in world.names.items():
        for ref in (name, name + "@" + world.aliases[entry], name + "@1", "%s@%d" % (name, len(world.digests[entry]))):
            for sql in queries:
                parameters = (ref,) * sql.count("%s")
                got, wanted = Outcome(c, sql, parameters), world.owners(sql, parameters)
                label = "%s: %s" % (who, sql.replace("%s", ref))
                if who == "stranger":
                    run.ok(got.denied(), label, got.message)
                elif name not in seen:
                    run.equal((got.state, got.message), ("42704", 'there is no version "%s"' % ref), label)
                else:
                    rows = [(d, [n for n in names if n.rpartition("@")[0] in seen], *rest) for d, names, *rest in wanted.rows] \
                        if any(f in sql for f in of_names) else wanted.rows
                    run.equal((got.state, got.rows), (wanted.state, rows), label)


def check_outside(world, who):
    """What the server itself shows of the tables: statistics, activity, sequences; and that plans quote no row."""
    run, c = world.run, world.connection(who)
    for view in ("pg_stats where schemaname = 'registry'", "pg_stats_ext", "pg_stats_ext_exprs", "pg_sequences", "pg_policies",
                 "pg_stat_activity", "pg_stat_user_tables", "pg_locks", "pg_prepared_xacts", "pg_cursors", "pg_indexes"):
        name, _, condition = view.partition(" ")
        got = Outcome(c, "select to_jsonb(v)::text from %s v %s" % (name, condition))
        told = {t for t in world.secrets(who, got.text, "")         # (everybody sees roles, and how many rows there are)
                if not t.startswith("peftarith_roles") and (condition or not t.isdigit())}
        run.ok(not told, "%s: %s tells" % (who, view), told)
    secured, = c.execute("select count(*) from pg_stats where schemaname = 'registry' and tablename = any(%s)",
                         (list(SECURED),)).fetchone()
    run.equal(secured > 0, who != "stranger" and (not world.secured or who == "owner"), "%s: statistics of what is secured" % who)
    sequences = [n for n, in world.root.execute("""select oid::regclass::text from pg_class
        where relkind = 'S' and relnamespace = 'registry'::regnamespace""").fetchall()]
    run.ok(len(sequences) >= 3, "sequences", sequences)
    for name in sequences:
        for sql in ("select nextval('%s')", "select setval('%s', 9)", "select last_value from %s", "select currval('%s')"):
            got = Outcome(c, sql % name)
            run.ok(who == "owner" or got.denied(), "%s: %s" % (who, sql % name), (got.state, got.message))
    for sql in ("explain (verbose, settings) select * from registry.version where entry > %s and digest = %s",
                "explain (analyze, verbose, timing off) select * from registry.entry "
                "where name >= %s or description = encode(%s, 'hex')",
                "explain (analyze, verbose, timing off) select * from registry.alias a join registry.version "
                "using (entry, number) where a.alias < %s and digest <> %s"):
        parameters = ("entry", b"0")
        got = Outcome(c, sql, parameters)
        run.ok(not world.secrets(who, got.text, ""), "%s: %s tells" % (who, sql), world.secrets(who, got.text, ""))


# A condition of the tenant's own, cheaper than every other, that says what it is called with.
SPY = """
create schema spy_{0} authorization {0};
set session authorization {0};
create function spy_{0}.spy(text) returns boolean language plpgsql cost 0.0000001 as $$
begin raise notice '%', $1; return true; end $$;
create function spy_{0}.spy(text, text) returns boolean language sql cost 0.0000001 as $$ select spy_{0}.spy($1) $$;
create operator spy_{0}.=== (leftarg = text, rightarg = text, procedure = spy_{0}.spy);
reset session authorization
"""


def conflicts_tell(world, who):
    """Does this server show a row that row-level security hides to the condition of ON CONFLICT DO UPDATE?
    Minor releases before November 2026 do, with any table; the extension cannot mend it."""
    spy = "spy_" + world.role(who)
    world.root.execute("""
        create table {0}.probe (name text primary key, told text);
        alter table {0}.probe enable row level security;
        create policy own on {0}.probe to public using (told = 'mine');
        insert into {0}.probe values ('x', 'hidden');
        grant select, insert, update on {0}.probe to {1}""".format(spy, world.role(who)))
    got = Outcome(world.connection(who), "insert into {0}.probe as t values ('x', 'mine') on conflict (name) "
                  "do update set told = 'y' where {0}.spy(t.told)".format(spy))
    return "hidden" in got.text


def check_spies(world, who):
    """Conditions that do something besides: they meet the rows that the role sees, and no other."""
    run, c = world.run, world.connection(who)
    world.root.execute(SPY.format(world.role(who)))
    spy, far, me = "spy_" + world.role(who), world.names["far"], world.role(who)
    statements = [form % (table, spy) for table in SECURED for form in (
        "select 1 from registry.%s t where %s.spy(t::text)",
        "select 1 from registry.%s t where t::text operator(%s.===) 'x'",
        "select 1 from registry.%s t where %s.spy(t::text) is null",
        "select 1 from registry.%s t group by t having bool_or(%s.spy(t::text))",
        "select 1 from (select * from registry.%s offset 0) t where %s.spy(t::text)",
        "select 1 from registry.%s t tablesample system (100) where %s.spy(t::text)")]
    writes = ["update registry.entry t set description = 'x' where {0}.spy(t::text)",
              "update registry.version t set value = value where {0}.spy(t::text)",
              "update registry.alias t set number = 1 where {0}.spy(t::text)",
              "update registry.alias t set number = null where {0}.spy(t::text)",
              "update registry.share t set role = null where {0}.spy(t::text)",
              "insert into registry.entry as t (name, owner) values ('{1}', '{2}') on conflict (name) do update "
              "set description = 'x' where {0}.spy(t::text)",
              "insert into registry.entry as t (name, owner) values ('{1}', '{2}') on conflict (name) do update "
              "set description = {0}.spy(t.description)",
              "insert into registry.alias as t (entry, alias, number) values ('{1}', '{3}', 1) on conflict (entry, alias) "
              "do update set number = 1 where {0}.spy(t::text)"]
    if world.root.info.server_version >= 150000:
        writes.append("merge into registry.entry t using (values ('{1}')) v(n) on t.name = v.n "
                      "when matched and {0}.spy(t::text) then do nothing")
    if conflicts_tell(world, who):
        run.skip("%s: conditions of ON CONFLICT DO UPDATE: this server calls them with hidden rows" % who)
        writes = [w for w in writes if "on conflict" not in w or " where " not in w]
    writes = [w.format(spy, far, me, world.aliases["far"]) for w in writes]
    met = ""
    for sql in statements + writes:
        got = Outcome(c, sql)
        told = world.secrets(who, got.text, sql)
        run.ok(not told, "%s: %s tells" % (who, sql), (told, got.text))
        met += got.text
    world.root.execute("drop schema %s cascade" % spy)
    run.equal({e for e, name in world.names.items() if name in met} - {"far"}, set(world.visible(who)) - {"far"},
              "%s: the spy meets what the role sees" % who)


def check_taken(world, who):
    """Names and aliases that are taken, and recipes that name what is hidden: refused, and no more is said."""
    run, c, far, dora = world.run, world.connection(who), world.names["far"], world.role("dora")
    value = world.values["lent"][0]
    into, adapter = "insert into registry.", "adapter_from_safetensors(%s::bytea)"
    taken = [(into + "entry (name, owner) values (%s, current_user)", (far,), "23505"),
             (into + "entry (name, owner) values (%s, current_user) on conflict do nothing returning name", (far,), None),
             (into + "entry (name, owner) values (%s, %s)", (far, dora), "42501"),
             (into + "version (entry, value) values (%s, " + adapter + ")", (far, value), "42501"),
             (into + "version (entry, value) values (%s, " + adapter + ") on conflict do nothing", (far, value), "42501"),
             (into + "version (entry, value, message) values (%s, " + adapter + ", repeat('x', 1048577))", (far, value), "42501"),
             (into + "alias (entry, alias, number) values (%s, %s, 1)", (far, world.aliases["far"]), "42501"),
             (into + "alias (entry, alias, number) values (%s, 'new', 99)", (far,), "42501"),
             (into + "share (entry, role, owner) values (%s, current_user, current_user)", (far,), "42501"),
             (into + "share (entry, role, owner) values (%s, current_user, %s)", (far, dora), "42501")]
    for sql, parameters, state in taken:
        got = Outcome(c, sql, parameters)
        run.equal((got.state, got.rows if state is None else []), (state, []), "%s: %s" % (who, sql))
        told = world.secrets(who, got.text, plain(parameters))
        run.ok(not told, "%s: %s tells" % (who, sql), told)
    check_evaluation(world, who)


def check_evaluation(world, who):
    """What a hidden value would be needed for is not registered (55000); from what the role sees another value comes (22000)."""
    run, c = world.run, world.connection(who)
    value = world.values["lent" if world.sees(who, "lent") else "hers"][0]
    for entry in ENTRIES:
        digest = world.digests[entry][0].hex()
        probe = forged(value, {"version": 1, "root": {"op": "scale", "of": digest, "by": float.hex(0.5)}, "nodes": {}})
        seen = any(digest in {d.hex() for d in world.digests[e]} for e in world.visible(who))
        for sql in ("select registry.commit_virtual('new', adapter_from_safetensors(%s::bytea))",
                    "insert into registry.version (entry, value, virtual) "
                    "values ('new', adapter_from_safetensors(%s::bytea), true)",
                    "select registry.check_virtual(adapter_from_safetensors(%s::bytea))"):
            got = Outcome(c, sql, (probe,))
            run.equal(got.state, "22000" if seen else "55000", "%s: %s of %s" % (who, sql, entry))
        run.equal(Outcome(c, "select registry.commit('new', adapter_from_safetensors(%s::bytea))", (probe,)).state, None,
                  "%s: a claim of %s" % (who, entry))
    check_revoked(world, who, value)
    for ref in world.names.values():        # nobody but admins makes again
        run.ok(Outcome(c, "select registry.recompose(%s, %s)", (ref + "@1", ref + "@1")).denied(), "%s: recompose" % who)


def check_revoked(world, who, value):
    """What is revoked is refused by its digest, and by nothing else of it."""
    lost = world.digests["far"][4].hex()
    probe = forged(value, {"version": 1, "root": {"op": "scale", "of": lost, "by": float.hex(0.5)}, "nodes": {}})
    his = world.names["his"]
    for sql, parameters in (("select registry.commit('new', adapter_from_safetensors(%s::bytea))", (probe,)),
                            ("select registry.set_alias(%s, 'new', 3)", (his,)), ("select registry.get(%s)", (his + "@3",))):
        if parameters[0] != probe and not world.sees(who, "his"):
            continue
        got = Outcome(world.connection(who), sql, parameters)
        world.run.equal(got.state, "55000", "%s: %s of what is revoked" % (who, sql))
        told = world.secrets(who, got.text, lost)
        world.run.ok(not told, "%s: %s tells" % (who, sql), told)


def check_notify(world):
    """A move of an alias tells everybody who listens an opaque uuid."""
    c, heard = world.connection("bob"), []
    c.add_notify_handler(lambda n: heard.append((n.channel, n.payload)))
    for table in words(TABLES):
        c.execute("listen registry_%s" % table)
    alias = world.token("alias", "far")
    for number in (1, 2):
        world.as_role("dora", "select registry.set_alias(%s, %s, %s)", (world.names["far"], alias, number))
    world.as_role("dora", "update registry.alias set number = null where alias = %s", (alias,))
    c.execute("unlisten *")
    world.run.equal([ch for ch, _ in heard], ["registry_alias"] * 3, "notifications")
    world.run.ok(all(re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", p) for _, p in heard), "their payloads", heard)


class Sharing:
    """Statements of several roles in a transaction that is undone."""

    def __init__(self, world):
        self.world, self.c, self.name = world, world.root, world.names["hers"]

    def of(self, who, sql, *parameters):
        """Rows, or the SQLSTATE."""
        try:
            with self.c.transaction():
                self.c.execute("set local session authorization %s" % self.world.role(who))
                cursor = self.c.execute(sql, parameters)
                rows = cursor.fetchall() if cursor.description else cursor.rowcount
                self.c.execute("reset session authorization")
                return rows
        except psycopg.Error as e:
            return e.sqlstate

    def seen(self, who):
        """(entries, versions, aliases, moves) of what was not always shared."""
        others = [n for e, n in self.world.names.items() if e != "hers" and self.world.sees(who, e)]
        return tuple(self.of(who, "select count(*)::int from registry.%s where not %s = any(%%s)" % (t, k), others)[0][0]
                     for t, k in (("entry", "name"), ("version", "entry"), ("alias", "entry"), ("alias_history", "entry")))

    def refused(self, who, label):
        run, name, value = self.world.run, self.name, self.world.values["his"][0]
        tries = [("select registry.commit(%s, adapter_from_safetensors(%s::bytea))", (name, value), ("42501",)),
                 ("select registry.set_alias(%s, 'mine', 1)", (name,), ("42501",)),
                 ("select registry.set_alias(%s, %s, 2)", (name, self.world.aliases["hers"]), ("42501",)),
                 ("update registry.alias set number = 2 where entry = %s", (name,), (0, "42501")),
                 ("delete from registry.alias where entry = %s", (name,), ("42501",)),
                 ("lock table registry.alias in share row exclusive mode", (), ("42501",)),
                 ("lock table registry.share in share row exclusive mode", (), ("42501",)),
                 ("update registry.alias set number = null where entry = %s", (name,), (0, "42501")),
                 ("update registry.entry set owner = current_user where name = %s", (name,), (0, "42501")),
                 ("update registry.version set value = value where entry = %s", (name,), (0, "42501")),
                 ("insert into registry.share (entry, role, owner) values (%s, 'other', current_user)", (name,), ("42501",)),
                 ("select registry.share(%s, %s)", (name, self.world.role("reader")), ("42704", "42501")),
                 ("update registry.share set role = null where entry = %s", (name,), (0, "42501"))]
        for sql, parameters, wanted in tries:
            got = self.of(who, sql, *parameters)
            run.ok(got in wanted, "%s: %s: %s" % (label, who, sql), got)

    def play(self):
        run, share, unshare = self.world.run, "select registry.share(%s, %s)", "select registry.unshare(%s, %s)"
        whole = (1, 2, 1, 1)
        for who in ("guest", "bob", "reader"):
            role = self.world.role(who)
            run.equal(self.seen(who), (0, 0, 0, 0), who + " before it is shared")
            self.refused(who, "not shared")
            self.of("alice", share, self.name, role)
            run.equal(self.seen(who), whole, who + " after it was shared")
            self.refused(who, "shared")
            self.of(who, unshare, self.name, role)
            run.equal(self.seen(who), whole, who + " cannot take it back")
            self.of("alice", unshare, self.name, role)
            run.equal(self.seen(who), (0, 0, 0, 0), who + " after it was taken back")
        # With a role, for its members.
        self.of("alice", share, self.name, self.world.role("writer"))
        run.equal([self.seen(who) for who in ("bob", "guest")], [whole, (0, 0, 0, 0)], "shared with a role of bob's")
        self.refused("bob", "shared with a role")
        self.of("alice", unshare, self.name, self.world.role("writer"))
        run.equal(self.seen("bob"), (0, 0, 0, 0), "taken back from the role")
        # Who gets an entry gets what was shared of it: the role's other member takes it back.
        self.of("alice", share, self.name, self.world.role("guest"))
        given = self.of("alice", "update registry.entry set owner = %s where name = %s", self.world.role("writer"), self.name)
        run.equal(given, 1, "given away")
        run.equal(self.seen("guest"), whole, "still shared")
        run.equal(self.of("bob", "select role from registry.share where entry = %s", self.name), [(self.world.role("guest"),)],
                  "the new owner sees with whom")
        self.of("bob", unshare, self.name, self.world.role("guest"))
        run.equal(self.seen("guest"), (0, 0, 0, 0), "the new owner takes it back")


def check_sharing(world):
    with world.root.transaction(force_rollback=True):
        Sharing(world).play()


def check_world(world):
    check_functions(world)
    for who in world.callers:
        check_tables(world, who)
        check_references(world, who)
        check_outside(world, who)
    if world.secured:
        for who in ("reader", "guest", "alice", "bob"):
            check_spies(world, who)
        for who in ("alice", "bob"):
            check_taken(world, who)
        check_notify(world)
        check_sharing(world)


def body(run):
    with roles():
        for secured in (True, False):
            with harness.scratch("roles", True) as database:
                world = World(run, database, secured)
                try:
                    world.root.execute("grant create on database %s to %s" % (database, world.role("owner")))
                    world.make()
                    check_world(world)
                finally:
                    world.close()


if __name__ == "__main__":
    harness.main("registry_roles", body)
