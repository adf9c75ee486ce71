"""What revoke says of a version is what recompose does with it, with and without its option.

PA_LINEAGES (12) random registries: adapters with dense tensors that are the same, others, of other shapes or not
there, with modules that they share or not; everything that is made of several (sums in both spaces, merges, unions)
and what is asked of the result (a module by a pattern, a rank, an energy); some of it registered, some not, some
virtual, some erased, some a claim.  One leaf is revoked, sometimes a second one, and each version that revoke lists
is recomposed without it, in a transaction that is rolled back; some stay, and are listed once more.

Never is a version recomposable that recompose refuses, and never does it take an option that does not help; where
the obstacle is none, the versions that would be left are counted.

SPDX-License-Identifier: PostgreSQL
"""
import collections
import json
import os

import numpy as np
import psycopg

import harness
import recipes
import safetensors_lite as st

CLAIM = "how it was made is a claim"
EVALUATING = "only evaluating tells: "
WHETHER = "only evaluating tells whether renormalize => true helps: "
OPTION = "it needs renormalize => true: "
ITSELF = "it is revoked itself"
ENTRY = "the entry has what would be left"
MADE = "what would be left, or a step to it, would be one"
REVOKED = "the adapter or an ancestor of it is revoked"
DENSE = "dense tensor"
# Of each lineage, and how wide heads are: of the last ones outlines have no elements.
KINDS = (("LORA", 3), ("IA3", 3), ("LORA", 3), ("DIFFERENCE", 3), ("LORA", 3), ("LORA", 65600))
WEIGHTS = (0.5, 0.5, 0.25, 0.75, 1.0, -1.0, 0.3, 0.7, 2.0, 1 / 3)


class World:
    """A registry, and the values that it is made of in table made(id, a)."""

    def __init__(self, run, c, other, number):
        self.run, self.rng, self.c, self.other = run, run.random, c, other
        self.gen = np.random.default_rng(self.rng.getrandbits(63))
        self.kind, self.width = KINDS[number % len(KINDS)]
        self.heads = [self.head(2), self.head(2), self.head(4)]
        self.frozen = self.gen.standard_normal(3)
        self.n = 0
        self.leaves, self.registered, self.entries = [], [], []
        c.execute("DROP TABLE IF EXISTS made")
        c.execute("CREATE TABLE made (id int PRIMARY KEY, a adapter)")

    def head(self, labels):
        return self.gen.standard_normal((labels, self.width)).astype("<f4")

    def file(self):
        rng, tensors = self.rng, {}
        paths = rng.choice((("q",), ("v",), ("q", "v"), ("q", "v"), ("q", "v")))
        prefix = "" if self.kind == "DIFFERENCE" else "base_model.model."
        shapes = {"LORA": (("lora_A.weight", (2, 3)), ("lora_B.weight", (4, 2))), "IA3": (("ia3_l", (4, 1)),),
                  "DIFFERENCE": (("weight", (4, 3)),)}[self.kind]
        for path in paths:
            for name, shape in shapes:
                tensors["%s%s.%s" % (prefix, path, name)] = st.of_array("F32", self.gen.standard_normal(shape).astype("<f4"))
        config = {"peft_type": self.kind, "base_model_name_or_path": "m"}
        if self.kind != "DIFFERENCE":
            config["target_modules"] = list(paths)
            self.add_dense(tensors, config)
        elif rng.random() < 0.5:
            # sums of such cancel, and extraction asks whether they do
            tensors["q.bias"] = st.of_array("F32", np.ones(3, "<f4"))
        config.update({"IA3": {"feedforward_modules": []}, "LORA": {"r": 2, "lora_alpha": rng.choice((2, 2, 4, 5))}}.get(self.kind, {}))
        return st.canonical(tensors), json.dumps(config)

    def add_dense(self, tensors, config):
        rng = self.rng
        if rng.random() < 0.8:
            head = self.heads[rng.choice((0, 0, 0, 1, 1, 2))] if rng.random() < 0.8 else self.head(2)
            tensors["base_model.model.score.weight"] = st.of_array("F32", head)
            config["modules_to_save"] = ["score"]
        if rng.random() < 0.7:
            kind = rng.choice(("F32", "F32", "F32", "F64"))
            tensors["base_model.model.q.bias"] = st.of_array(kind, self.frozen.astype({"F32": "<f4", "F64": "<f8"}[kind]))
            config["bias"] = "all"

    def value(self, i):
        return "(SELECT a FROM made WHERE id = %d)" % i

    def add(self, sql, parameters=None, session=None):
        """Its number; None if there is no such value."""
        try:
            digest, = (session or self.c).execute("INSERT INTO made SELECT %d, (%s) RETURNING adapter_digest(a)" % (self.n, sql), parameters).fetchone()
        except psycopg.Error:
            return None
        if digest is None:
            self.c.execute("DELETE FROM made WHERE id = %s", (self.n,))
            return None
        self.n += 1
        return self.n - 1

    def pick(self):
        return self.n - 1 - min(self.n - 1, int(self.rng.expovariate(0.2)))

    def sum(self, of=str):
        """A weighted sum whose weights often sum to 1."""
        rng = self.rng
        operands = [self.pick() for _ in range(rng.choice((2, 2, 3, 3, 4)))]
        weights = [rng.choice(WEIGHTS) for _ in operands]
        if rng.random() < 0.5 and sum(weights) > 0:
            weights = [w / sum(weights) for w in weights]
        elif rng.random() < 0.5 and sum(weights[:-1]) != 1:
            weights[-1] = 1 - sum(weights[:-1])
        return " + ".join("%s * %s" % (recipes.number(w), of(self.value(i))) for w, i in zip(weights, operands))

    def expression(self):
        rng, kind = self.rng, self.rng.random()
        x, y, z = (self.value(self.pick()) for _ in range(3))
        if kind < 0.45:
            return self.sum()
        if kind < 0.6:
            return "adapter(%s)" % self.sum(lambda a: "delta(%s)" % a)
        if kind < 0.66:
            return "%s + %s * (%s - %s)" % (x, recipes.number(rng.choice(WEIGHTS)), y, z)
        if kind < 0.72:
            return "SELECT adapter_union(p) FROM unnest(ARRAY[adapter_select(%s, 'q'), adapter_select(%s, 'v')]) p" % (x, y)
        if kind < 0.78:
            return "adapter_select(%s, '%s', %s)" % (x, rng.choice("qv"), rng.choice(("true", "false")))
        if kind < 0.82:
            return "adapter_drop_dense(%s, '%s')" % (x, rng.choice(("score.weight", ".*")))
        if kind < 0.86:
            return "adapter_scale(%s, %s)" % (x, recipes.number(rng.choice(WEIGHTS)))
        if kind < 0.88:
            return "adapter_cast(%s, '%s')" % (x, rng.choice(("BF16", "F32", "F64")))
        if kind < 0.9:
            return "adapter_rename(%s, '%s', 'k')" % (x, rng.choice("qv"))
        if self.kind == "DIFFERENCE":
            return "adapter_extract(%s, 1)" % rng.choice((x, "%s - %s" % (x, y)))
        if kind < 0.94:
            return "adapter_truncate(%s, %s)" % (self.sum(lambda a: "delta(%s)" % a), rng.choice(("1", "2", "0.9")))
        return rng.choice(("adapter_ties(ARRAY[%s, %s, %s], ARRAY[0.5, 0.5, 0.25], 0.5, 'peft', 'frequency')",
                           "adapter_dare_linear(ARRAY[%s, %s, %s], ARRAY[0.5, 0.5, 0.25], 0.5, 5, 'peft')")) % (x, y, z)

    def commit(self, i, how="value"):
        """Its reference; an entry has several versions."""
        entry = self.rng.choice(self.entries) if self.entries and self.rng.random() < 0.5 else "entry %d" % len(self.entries)
        session = self.other if how == "claim" else self.c
        try:
            ref, = session.execute("INSERT INTO registry.version (entry, value, virtual) SELECT %s, a, %s FROM made WHERE id = %s"
                                   " RETURNING entry || '@' || number", (entry, how == "virtual", i)).fetchone()
        except psycopg.Error as e:
            if e.sqlstate not in ("23505", "55000"):
                raise
            return None
        if entry not in self.entries:
            self.entries.append(entry)
        self.registered.append(ref)
        return ref

    def fill(self, size):
        rng = self.rng
        for _ in range(rng.randint(3, 6)):
            self.leaves.append(self.commit(self.add("adapter_from_safetensors(%b, %s::json)", self.file())))
        tries = 0
        while self.n < size and tries < 10 * size:
            tries += 1
            i = self.add(self.expression())
            if i is not None and rng.random() < 0.7:
                self.commit(i, rng.choice(("value",) * 7 + ("virtual", "claim")))
        # (without a leaf's value nothing tells what of a version is not made of it)
        for ref in rng.sample([r for r in self.registered if r not in self.leaves], 2):
            harness.sqlstate_of(self.c, "SELECT registry.erase(%s, 'test')", (ref,))


class Counts:
    def __init__(self):
        self.rows = collections.Counter()
        # refused that would be made, of wide heads; with a digest that no fact tells the making of
        self.strict, self.unseen = [], []

    def add(self, word):
        self.rows[word] += 1


def tried(session, ref, digest, renormalize, keep=False):
    """(SQLSTATE or None, message with detail) of recomposing, which is rolled back."""
    try:
        with session.transaction(force_rollback=not keep):
            session.execute("SELECT registry.recompose(%s, %s::bytea, %s)", (ref, digest, renormalize))
        return None, ""
    except psycopg.Error as e:
        return e.sqlstate, "%s; %s" % (e.diag.message_primary, e.diag.message_detail)


def is_known(outcome):
    """What would be left has a digest that the entry has, or that is made of what is revoked."""
    return outcome[0] == "23505" or outcome[1].startswith(REVOKED)


def word_of(obstacle):
    for start in (CLAIM, EVALUATING, WHETHER, OPTION, ITSELF, ENTRY, MADE, "values are needed", "nothing is left", "it was imported"):
        if obstacle.startswith(start):
            return start
    return DENSE if DENSE in obstacle else obstacle


def compare(run, label, row, plain, option, counts, wide):
    ref, recomposable, obstacle = row
    label = "%s, %s" % (label, ref)
    run.equal(recomposable, obstacle is None, label + ": an obstacle or none")
    if recomposable:
        counts.add("recomposable")
        # what would be left has a digest that is made in another way, and no fact tells of this one
        if is_known(plain):
            counts.unseen.append((label, plain))
        else:
            run.ok(plain[0] is None, label + ": recomposable", plain)
        return
    word = word_of(obstacle)
    counts.add(word)
    if word in (CLAIM, EVALUATING, ITSELF):
        return
    if word == OPTION:
        run.ok(option[0] is None or is_known(option), label + ": with the option", (obstacle, option))
        if option[0] is not None:
            counts.unseen.append((label, option))
    elif option[0] is None and word not in (ENTRY, MADE, WHETHER):
        counts.strict.append((label, obstacle, "with the option"))
        run.ok(wide and DENSE in obstacle, label + ": refused in vain, with the option", obstacle)
    if word == ENTRY:
        run.equal(plain[0], "23505", label + ": " + obstacle)
    elif word == MADE:
        run.ok(is_known(plain), label + ": " + obstacle, plain)
    elif plain[0] is None:
        counts.strict.append((label, obstacle, "as it is"))
        run.ok(wide and DENSE in obstacle, label + ": refused in vain", obstacle)
    elif plain[0] == "55000" and word not in (OPTION, WHETHER, DENSE):
        # (operands are in order of digest, and what is named first of two can be the other one)
        run.ok(obstacle.partition(":")[0] in plain[1], label + ": the same reason", (obstacle, plain))


def revoke(run, label, world, trial, ref, counts):
    digest, = world.c.execute("SELECT registry.digest(%s)", (ref,)).fetchone()
    for again in ("", ", again"):
        rows = world.c.execute("SELECT ref, recomposable, obstacle FROM registry.revoke(%s, 'test')", (digest,)).fetchall()
        for row in rows:
            plain, option = (tried(trial, row[0], digest, renormalize) for renormalize in (False, True))
            compare(run, label + again, row, plain, option, counts, world.width > 3)
        if again:
            break
        kept = [row[0] for row in rows if row[1] and run.random.random() < 0.5]
        made = [r for r in kept if tried(world.c, r, digest, False, keep=True)[0] is None]
        counts.rows["recomposed and listed once more"] += len(made)


def body(run):
    counts = Counts()
    with harness.scratch("recompose") as database, harness.connect(database) as c, harness.connect(database) as other, \
            harness.connect(database) as trial:
        for i in range(int(os.environ.get("PA_LINEAGES", "12"))):
            c.execute("DROP SCHEMA IF EXISTS registry CASCADE")
            c.execute("SELECT registry_create()")
            world = World(run, c, other, i)
            world.fill(40)
            leaves = run.random.sample([r for r in world.leaves if r is not None], 2)
            for n, ref in enumerate(leaves[:1 + (run.random.random() < 0.5)]):
                revoke(run, "lineage %d (%s), revocation %d" % (i, world.kind, n + 1), world, trial, ref, counts)
            run.equal(c.execute("SELECT * FROM registry.verify(recompute => true)").fetchall(), [], "lineage %d: verify" % i)
    for word, n in counts.rows.most_common():
        print("%5d %s" % (n, word))
    print("%5d refused that recompose makes; %d whose digest is made in another way too" % (len(counts.strict), len(counts.unseen)))
    for one in counts.unseen[:3]:
        print("      ", one)
    listed = sum(counts.rows.values())
    run.ok(len(counts.unseen) <= listed // 25, "made in another way too", (len(counts.unseen), listed))
    if listed > 500:
        for words in (("recomposable",), (OPTION, WHETHER, DENSE), (ENTRY,), (CLAIM,), ("nothing is left",)):
            run.ok(sum(counts.rows[word] for word in words) > 0, "some are: " + words[0])


if __name__ == "__main__":
    harness.main("registry_recompose", body)
