"""Recipes evaluated again: random graphs of values, each stored, against recipes.py and SQL.

The value of a recipe over its leaves (or over whatever of it is given) must have the digest and
the envelope digest that were stored; without one of the digests it must be what the same
operations give in SQL, digest for digest, or fail with the same SQLSTATE; lineage and needs must
be those of a walk in Python.  Then what is deep, large, cut or damaged.  PA_GRAPHS sets the number
of graphs of up to 60 values (1000), PA_CLAIMS that of damaged recipes (500).

SPDX-License-Identifier: PostgreSQL
"""
import copy
import json
import os

import numpy as np

import harness
import recipes
import safetensors_lite as st

WEIGHTS = (1.0, -1.0, 0.5, 0.5, 0.25, 0.75, 2.0, 0.0, 1 / 3, 0.1, -0.4)
CONFIG = json.dumps({"peft_type": "LORA", "base_model_name_or_path": "m", "r": 2, "lora_alpha": 3})


def file_of(rng, sizes, dtype="F32"):
    """A LoRA file of rank 2; sizes maps a module to (inputs, outputs)."""
    gen = np.random.default_rng(rng.getrandbits(63))
    tensors = {}
    for path, (n, m) in sizes.items():
        for name, shape in (("A", (2, n)), ("B", (m, 2))):
            tensors["base_model.model.%s.lora_%s.weight" % (path, name)] = st.of_array(
                dtype, gen.standard_normal(shape).astype("<f4"))
    return st.canonical(tensors)


def weight(rng):
    return rng.choice(WEIGHTS) if rng.random() < 0.7 else rng.gauss(0, 1)


class Graph:
    """Values in table n(id, a), each made of earlier ones."""

    def __init__(self, connection, rng, size, delta):
        self.connection, self.rng, self.delta = connection, rng, delta
        self.digests = []           # by id
        self.stored = {}            # digest to id, the first
        self.distinct = rng.random() < 0.7
        connection.execute("TRUNCATE n")
        for _ in range(rng.randint(2, 5)):
            paths = rng.sample(("a.q", "b.k", "c.v"), rng.randint(1, 3))
            self.add("adapter_from_safetensors(%b, %s::json)", (file_of(rng, {p: (3, 4) for p in paths}), CONFIG))
        self.leaves = list(self.stored)
        while len(self.digests) < size:
            self.grow()

    def add(self, sql, parameters=None):
        """One more value; False if the operation is refused or gives nothing (new)."""
        try:
            row = self.connection.execute("INSERT INTO n SELECT %d, (%s) RETURNING encode(adapter_digest(a), 'hex')" % (
                len(self.digests), sql), parameters).fetchone()
        except harness.psycopg.Error:
            return False
        if row[0] is None or self.distinct and row[0] in self.stored:
            self.connection.execute("DELETE FROM n WHERE id = %d" % len(self.digests))
            return False
        self.stored.setdefault(row[0], len(self.digests))
        self.digests.append(row[0])
        return True

    def value(self, i):
        return "(SELECT a FROM n WHERE id = %d)" % i

    def pick(self):
        n = len(self.digests)
        return self.value(n - 1 - min(n - 1, int(self.rng.expovariate(0.3))) if self.rng.random() < 0.8
                          else self.rng.randrange(n))

    def sum(self):
        rng = self.rng
        text = self.pick()
        for _ in range(rng.randint(1, 3)):
            kind = rng.random()
            if kind < 0.2:
                text = "adapter_lerp(%s, %s, %s)" % (text, self.pick(), recipes.number(1.4 if rng.random() < 0.08 else rng.choice((0.5, 0.3, 1.0))))
            elif kind < 0.4:
                text = "(%s - %s)" % (text, self.pick())
            else:
                text = "(%s * %s + %s * %s)" % (text, recipes.number(weight(rng)), recipes.number(weight(rng)), self.pick())
        return text

    def grow(self):
        rng = self.rng
        kind = rng.random()
        if kind < 0.5:
            self.add(self.sum())
        elif kind < 0.6 and self.delta:
            self.add("adapter(%s)" % " + ".join("%s * delta(%s)" % (recipes.number(weight(rng)), self.pick())
                                                for _ in range(rng.randint(1, 3))))
        elif kind < 0.62 and self.delta:
            self.add("adapter_truncate(%s, %s)" % (self.pick(), rng.choice(("1", "2", "0.9::float8"))))
        elif kind < 0.7:
            self.add("adapter_scale(%s, %s)" % (self.pick(), recipes.number(weight(rng))))
        elif kind < 0.78:
            self.add("adapter_cast(%s, '%s')" % (self.pick(), rng.choice(("F32", "BF16", "F64", "F16"))))
        elif kind < 0.84:
            self.add("adapter_select(%s, '[ab].*', %s)" % (self.pick(), rng.choice(("true", "false"))))
        elif kind < 0.86:
            self.add("adapter_drop_dense(%s, %s)" % (self.pick(), rng.choice(("NULL", "'a.*'"))))
        elif kind < 0.87:
            self.add("adapter_select_tensors(%s, '.*a.*', null, %s)" % (self.pick(), rng.choice(("true", "false"))))
        elif kind < 0.88:
            self.add("adapter_set_base_model(%s, '%s')" % (self.pick(), rng.choice("mmo")))
        else:
            self.split(self.pick(), rng.choice((60, 120, 130, 1000)))

    def split(self, whole, size):
        """All parts, and then often their union."""
        first = len(self.digests)
        while self.add("SELECT p FROM adapter_split(%s, %d) WITH ORDINALITY s(p, k) WHERE k = %d" % (
                whole, size, len(self.digests) - first + 1)):
            pass
        if len(self.digests) > first and self.rng.random() < 0.7:
            self.add("SELECT adapter_union(a) FROM n WHERE id >= %d" % first)

    def given(self, digests):
        return {d: self.value(self.stored[d]) for d in digests}


def ask(connection, given, without=None, renormalize=False, columns="encode(adapter_digest(v), 'hex')"):
    """The columns of the recomputed value v of table r's recipe, or the SQLSTATE."""
    rows = ", ".join("(%s)" % sql for sql in given.values()) or "(NULL::adapter)"
    try:
        return connection.execute(
            "SELECT %s FROM (SELECT adapter_recompute(r.recipe, l.a, %%s, %%s) AS v FROM r, (VALUES %s) l(a)) s" % (
                columns, rows), (without and bytes.fromhex(without), renormalize)).fetchone()
    except harness.psycopg.Error as e:
        return e.sqlstate


def needs_of(connection, known):
    return {d for d, in connection.execute(
        "SELECT encode(d, 'hex') FROM r, adapter_recompute_needs(r.recipe, %s) d", ([bytes.fromhex(d) for d in known],))}


def edges_of(connection, digest, known):
    rows = connection.execute(
        "SELECT encode(e.of, 'hex'), encode(parent, 'hex'), p, q, w, external FROM r, adapter_recipe_edges(r.recipe, %s, %s) e",
        (bytes.fromhex(digest), [bytes.fromhex(d) for d in known])).fetchall()
    return sorted(map(repr, rows))


def read_recipe(connection, i):
    connection.execute("TRUNCATE r")
    row = connection.execute("INSERT INTO r SELECT adapter_recipe(a) FROM n WHERE id = %s RETURNING recipe", (i,)).fetchone()
    return row[0]


def check_left_out(run, connection, graph, recipe, given, without, renormalize, label, seen):
    """The recomputed value against the same operations in SQL."""
    got = ask(connection, given, without, renormalize)
    evaluator = recipes.Evaluator(connection, harness.psycopg.Error, recipe, given, without, renormalize)
    try:
        value = evaluator.evaluate()
        wanted = "22023" if value is recipes.GONE else connection.execute(
            "SELECT encode(adapter_digest(%s), 'hex')" % value).fetchone()
    except recipes.Inexpressible:
        seen["inexpressible"] += 1
        return
    except recipes.Failed as e:
        wanted = e.sqlstate
    seen["refused" if isinstance(wanted, str) else "computed"] += 1
    run.equal(got, wanted, "%s without %s, renormalize %s" % (label, without, renormalize))


def check_graph(run, connection, label, size, delta, seen):
    rng = run.random
    graph = Graph(connection, rng, size, delta)
    for i in {len(graph.digests) - 1, rng.randrange(len(graph.digests))}:
        recipe = read_recipe(connection, i)
        if recipe["root"]["op"] == "import":
            run.equal(ask(connection, graph.given(graph.leaves)), "42704", label + ": root is an import")
            continue
        digest = graph.digests[i]
        wanted = connection.execute("SELECT encode(adapter_digest(a), 'hex'), adapter_envelope_digest(a) FROM n WHERE id = %d" % i).fetchone()
        columns = "encode(adapter_digest(v), 'hex'), adapter_envelope_digest(v)"
        leaves = recipes.needs(recipe, ())
        everything = recipes.reachable(recipe)
        run.ok(leaves <= set(graph.stored), label + ": leaves")
        got = ask(connection, graph.given(leaves), columns=columns)
        # A digest that has two values has two stories, and the recipe tells one.
        told_once = all(graph.digests.count(d) == 1 for d in everything)
        seen["told once"] += told_once
        run.equal(got if told_once else got[:1], wanted if told_once else wanted[:1], label + ": over the leaves")
        run.equal(needs_of(connection, ()), leaves, label + ": needs")
        known = rng.sample(sorted(everything), rng.randint(0, len(everything)))
        near = recipes.needs(recipe, known)
        run.equal(needs_of(connection, known), near, label + ": needs with known")
        run.equal(ask(connection, graph.given(near), columns="encode(adapter_digest(v), 'hex')")[0], wanted[0], label + ": given in part")
        for told in ((), known):
            run.equal(edges_of(connection, digest, told),
                      sorted(map(repr, recipes.edges(recipe, digest, told))), label + ": edges")
        for renormalize in (False, True):
            without = rng.choice(sorted(leaves if rng.random() < 0.6 else everything))
            check_left_out(run, connection, graph, recipe, graph.given(leaves | (set(known) - {without}) if rng.random() < 0.2 and
                           without in recipes.reachable(recipe, known) else leaves), without, renormalize, label, seen)
        missing = rng.choice(sorted(leaves))
        run.equal(ask(connection, graph.given(leaves - {missing})), "42704", label + ": one is missing")


def check_deep(run, connection, depth):
    connection.execute("TRUNCATE n")
    connection.execute("INSERT INTO n SELECT 0, adapter_from_safetensors(%b, %s::json)", (file_of(run.random, {"a.q": (3, 4)}), CONFIG))
    connection.execute("""DO $$ BEGIN FOR i IN 1 .. %d LOOP
        INSERT INTO n SELECT i, adapter_scale(a, (-1) ^ i * (1 + i / 4096.0)) FROM n WHERE id = i - 1; END LOOP; END $$""" % depth)
    recipe = read_recipe(connection, depth)
    run.equal(len(recipe["nodes"]), depth, "depth of the chain")
    wanted = connection.execute("SELECT adapter_envelope_digest(a) FROM n WHERE id = %d" % depth).fetchone()
    given = {"leaf": "(SELECT a FROM n WHERE id = 0)"}
    run.equal(ask(connection, given, columns="adapter_envelope_digest(v)"), wanted, "chain of %d" % depth)
    leaf, = needs_of(connection, ())
    run.equal(ask(connection, given, leaf), "22023", "nothing is left of the chain")


def check_cut(run, connection):
    """A recipe that reached its limit has lost its farthest nodes."""
    connection.execute("TRUNCATE n")
    connection.execute("INSERT INTO n SELECT 0, adapter_from_safetensors(%b, %s::json)", (file_of(run.random, {"a.q": (3, 4)}), CONFIG))
    connection.execute("""DO $$ BEGIN FOR i IN 1 .. 70 LOOP
        INSERT INTO n SELECT i, adapter_set_base_model(a, repeat('x', 20000) || i) FROM n WHERE id = i - 1; END LOOP; END $$""")
    recipe = read_recipe(connection, 70)
    run.ok(len(json.dumps(recipe)) > 2**20 - 21000, "recipe is near its limit")
    far, = needs_of(connection, ())
    run.equal(ask(connection, {"leaf": "(SELECT a FROM n WHERE id = 0)"}), "42704", "the leaf was cut")
    run.ok(far not in recipe["nodes"], "what is needed has no node")
    wanted = connection.execute("SELECT adapter_envelope_digest(a) FROM n WHERE id = 70").fetchone()
    digest = connection.execute("SELECT encode(adapter_digest(a), 'hex') FROM n WHERE id = 70").fetchone()[0]
    given = {far: "(SELECT a FROM n WHERE encode(adapter_digest(a), 'hex') = '%s')" % far}
    run.equal(ask(connection, given, columns="adapter_envelope_digest(v)"), wanted, "from where it was cut")
    run.equal(edges_of(connection, digest, ()), sorted(map(repr, recipes.edges(recipe, digest, ()))), "edges to where it was cut")


def check_memory(run, connection, database, n):
    """n values of 1 MB, each made of the one before: what is held is a few of them."""
    connection.execute("TRUNCATE n")
    for i in range(2):
        connection.execute("INSERT INTO n SELECT %s, adapter_from_safetensors(%b, %s::json)",
                           (i, file_of(run.random, {"a.q": (65536, 65536)}), CONFIG))
    connection.execute("""DO $$ BEGIN FOR i IN 2 .. %d LOOP
        INSERT INTO n SELECT i, 0.5 * x.a + 0.5 * y.a FROM n x, n y WHERE x.id = i - 1 AND y.id = i %% 2; END LOOP; END $$""" % (n + 1))
    read_recipe(connection, n + 1)
    connection.execute("CREATE TABLE kept AS SELECT a FROM n WHERE id < 2")
    connection.execute("CREATE TABLE kept_recipe AS SELECT recipe FROM r")
    with harness.connect(database) as fresh:
        fresh.execute("SELECT adapter_digest(0.5 * a) FROM kept")
        before = harness.memory(fresh) - harness.memory(fresh, "RssShmem")
        digest = fresh.execute("SELECT adapter_digest(adapter_recompute(recipe, a, NULL, false)) FROM kept, kept_recipe").fetchone()
        peak = harness.peak(fresh) - before
    run.equal(digest, connection.execute("SELECT adapter_digest(a) FROM n WHERE id = %d" % (n + 1)).fetchone(), "values of 1 MB")
    print("recomputing %d values of 1 MB: %d kB more than before" % (n, peak))
    run.ok(peak < 24 * 1024, "memory of %d values of 1 MB" % n, "%d kB" % peak)
    connection.execute("DROP TABLE kept, kept_recipe")


def damage(rng, recipe):
    """The recipe with something changed that a liar or a fault could change."""
    recipe = copy.deepcopy(recipe)
    nodes = list(recipe["nodes"])
    for _ in range(rng.randint(1, 3)):
        place = rng.choice([recipe["root"]] + list(recipe["nodes"].values()) + [recipe])
        place = rng.choice(place) if isinstance(place, list) else place
        kind = rng.random()
        if kind < 0.15 and len(place) > 0:
            del place[rng.choice(list(place))]
        elif kind < 0.3:
            place[rng.choice(("op", "of", "terms", "by", "part", "x", "version", "nodes", "dtype", "max_bytes"))] = rng.choice(
                (None, 1, -1, 1.5, 2**62, "combine", "union", "merge", "", "0x1.0p+0", [], {}, [[]], rng.choice(nodes or [""])))
        elif kind < 0.6 and len(nodes) > 1:
            a, b = rng.sample(nodes, 2)
            recipe["nodes"] = json.loads(json.dumps(recipe.get("nodes")).replace(a, "?").replace(b, a).replace("?", b)) \
                if kind < 0.5 else {**(recipe.get("nodes") or {}), a: (recipe.get("nodes") or {}).get(b)}
        elif isinstance(place.get("terms"), list) and place["terms"] and isinstance(place["terms"][0], dict):
            place["terms"][0] = {**place["terms"][0], rng.choice("uvw"): rng.choice(("0x1.fffffffffffffp+1023", "nan", "1", "-0x1.0p-3", 7))}
        if not isinstance(recipe.get("nodes"), dict) or not isinstance(recipe.get("root"), dict) or \
                not all(isinstance(n, dict) for n in recipe["nodes"].values()):
            break
    return recipe


REFUSALS = {"22023", "22032", "22030", "22000", "22003", "22012", "2201B", "42704", "54000", "0A000"}


def check_claims(run, connection, count):
    rng = run.random
    codes, done = {}, 0
    while done < count:
        graph = Graph(connection, rng, 12, False)
        recipe = read_recipe(connection, len(graph.digests) - 1)
        given = graph.given(graph.leaves)
        for _ in range(20):
            connection.execute("UPDATE r SET recipe = %s::jsonb", (json.dumps(damage(rng, recipe)),))
            for got in (ask(connection, given), harness.sqlstate_of(connection, "SELECT adapter_recompute_needs(recipe, '{}') FROM r"),
                        harness.sqlstate_of(connection, "SELECT adapter_recipe_edges(recipe, NULL, '{}') FROM r")):
                got = None if not isinstance(got, str) else got
                codes[got] = codes.get(got, 0) + 1
                run.ok(got is None or got in REFUSALS, "damaged recipe", got)
            done += 1
    print("damaged recipes: %s" % sorted(codes.items(), key=str))
    run.ok({"22023", "22000", "42704"} <= set(codes), "damage of several kinds is found", codes)


def body(run):
    graphs = int(os.environ.get("PA_GRAPHS", "400"))
    seen = dict.fromkeys(("computed", "refused", "inexpressible", "told once"), 0)
    with harness.scratch("recompute") as database, harness.connect(database) as connection:
        connection.execute("CREATE TEMP TABLE n (id int PRIMARY KEY, a adapter)")
        connection.execute("CREATE TEMP TABLE made (k int PRIMARY KEY, a adapter)")
        connection.execute("CREATE TEMP TABLE r (recipe jsonb)")
        delta = connection.execute("SELECT to_regtype('adapter_delta') IS NOT NULL").fetchone()[0]
        for number in range(graphs):
            size = 300 if number % 250 == 249 else 6 + int(55 * run.random.random() ** 3)
            check_graph(run, connection, "graph %d" % number, size, delta, seen)
        print("left out, and told once: %s" % seen)
        run.ok(min(seen["computed"], seen["told once"]) >= graphs / 2, "enough is compared", seen)
        check_deep(run, connection, 1000)
        check_cut(run, connection)
        check_memory(run, connection, database, 100)
        check_claims(run, connection, int(os.environ.get("PA_CLAIMS", "500")))


if __name__ == "__main__":
    harness.main("test_recompute", body)
