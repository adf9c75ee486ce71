"""Random graphs of compositions whose story Python knows, and lineage by brute force.

Nothing here reads the registry's lineage: a Story is told edges (of, parent,
weights) and answers who descends from whom, how far, and with which total
weights, in exact fractions, one node after the other.

SPDX-License-Identifier: PostgreSQL
"""
import json
import math
from fractions import Fraction

import numpy as np
import psycopg

import recipes
import safetensors_lite as st

LOW, HIGH = Fraction(10) ** -290, Fraction(10) ** 290
WEIGHTS = (1.0, -1.0, 0.5, 0.5, -0.5, 0.25, 0.75, 2.0, 1 / 3, 0.1, -0.4)


class Story:
    """Claims: claims[of][parent] is a set of (p, q, w)."""

    def __init__(self):
        self.claims, self.made = {}, {}

    def tell(self, of, parent, p, q, w):
        self.claims.setdefault(of, {}).setdefault(parent, set()).add((p, q, w))
        self.made.setdefault(parent, {}).setdefault(of, set()).add((p, q, w))

    def near(self, digest, downward):
        """{neighbour: (p, q, w)}, null where claims differ."""
        found = (self.made if downward else self.claims).get(digest, {})
        return {d: next(iter(claims)) if len(claims) == 1 else (None,) * 3 for d, claims in found.items()}

    def depths(self, start, downward):
        depth, line = {start: 0}, [start]
        for d in line:
            for t in self.near(d, downward):
                if t not in depth:
                    depth[t] = depth[d] + 1
                    line.append(t)
        return depth

    def totals(self, start, downward):
        """{digest: three of (sum, sum of magnitudes) or None} of all that lies that way."""
        found = self.depths(start, downward)
        waiting = dict.fromkeys(found, 0)
        for d in found:
            for t in self.near(d, downward):
                waiting[t] += 1
        total = {d: [(Fraction(0),) * 2] * 3 for d in found}
        total[start] = [(Fraction(1),) * 2] * 3
        line = [] if waiting[start] else [start]
        for d in line:
            for t, weights in self.near(d, downward).items():
                total[t] = [added(*three) for three in zip(total[t], total[d], weights)]
                waiting[t] -= 1
                if not waiting[t]:
                    line.append(t)
        ended = set(line)
        for d in found:
            p, q, w = total[d] if d in ended else [None] * 3
            total[d] = (None, None, w) if p is None or q is None else (p, q, w)
        return total


def added(total, before, weight):
    """total + before * weight; null where the product is null or leaves its range."""
    if total is None or before is None or weight is None:
        return None
    w = Fraction(weight)
    if before[0] * w != 0 and not LOW < abs(before[0] * w) < HIGH:
        return None
    return total[0] + before[0] * w, total[1] + before[1] * abs(w)


def near_enough(got, wanted):
    """Within 1e-12 of the sum of the magnitudes: of the sum itself where no two paths cancel."""
    if got is None or wanted is None:
        return got is wanted
    return math.isfinite(got) and abs(Fraction(got) - wanted[0]) <= wanted[1] / 10**12


PREFIX = "base_model.model."
SHAPES = {"IA3": {"ia3_l": (4, 1)}, "LORA": {"lora_A.weight": (2, 3), "lora_B.weight": (4, 2)},
          "LOHA": {"hada_w1_a": (4, 2), "hada_w1_b": (2, 3), "hada_w2_a": (4, 2), "hada_w2_b": (2, 3)}, "DIFFERENCE": {"weight": (4, 3)}}
MEMBERS = {"IA3": {"feedforward_modules": []}, "LORA": {"r": 2, "lora_alpha": 3}, "LOHA": {"r": 2, "alpha": 3}, "DIFFERENCE": {}}
LORA_OF = {"LOHA": "adapter_to_lora(%s)", "DIFFERENCE": "adapter_extract(%s, %s, true)"}


def leaf_file(rng, kind, paths=("q", "v"), head=False):
    """(file, configuration) of an adapter of this kind of such modules, 3 to 4, and with a head that a LoRA or LoHa has saved."""
    gen = np.random.default_rng(rng.getrandbits(63))

    def numbers(*shape):
        return st.of_array("F32", gen.standard_normal(shape).astype("<f4"))

    prefix = "" if kind == "DIFFERENCE" else PREFIX
    tensors = {"%s%s.%s" % (prefix, path, name): numbers(*shape) for path in paths for name, shape in SHAPES[kind].items()}
    config = {"peft_type": kind, "base_model_name_or_path": "m", **MEMBERS[kind]}
    if kind != "DIFFERENCE":
        config["target_modules"] = list(paths)
    elif head:
        tensors["norm.weight"] = numbers(3)
    if head and kind in ("LORA", "LOHA"):
        tensors[PREFIX + "head.weight"] = numbers(2, 2)
        config["modules_to_save"] = ["head"]
    return st.canonical(tensors), json.dumps(config)


def lora_of(rng, kind, value):
    """SQL that makes a LoRA of a value of another kind."""
    return LORA_OF[kind] % ((value, rng.choice(("1", "2", "0.9::float8")))[:LORA_OF[kind].count("%s")])


class Graph:
    """Values in table n(id, a), each made of earlier ones; edges[i] is {operand: (p, q, w)}; none is in taken."""

    def __init__(self, connection, rng, size, distinct, taken=()):
        self.taken = taken
        self.connection, self.rng, self.distinct = connection, rng, distinct
        self.kind = rng.choice(("IA3", "LORA"))
        self.digests, self.edges, self.first = [], [], {}
        connection.execute("TRUNCATE n")
        for _ in range(rng.randint(2, 2 + size // 8)):
            self.leaf(self.kind)
        tries = 0
        while len(self.digests) < size and tries < 20 * size:
            tries += 1
            self.grow()

    def value(self, i):
        return "(SELECT a FROM n WHERE id = %d)" % i

    def add(self, sql, edges, parameters=None):
        """One more value; False if it is refused, is nothing, or (in a distinct graph) was there."""
        i = len(self.digests)
        try:
            digest = self.connection.execute("INSERT INTO n SELECT %d, (%s) RETURNING encode(adapter_digest(a), 'hex')" % (i, sql),
                                             parameters).fetchone()[0]
        except psycopg.Error:
            return False
        if digest is None or digest in self.taken or digest in self.first and self.distinct:
            self.connection.execute("DELETE FROM n WHERE id = %d" % i)
            return False
        self.first.setdefault(digest, i)
        self.digests.append(digest)
        self.edges.append(edges)
        return True

    def leaf(self, kind):
        return self.add("adapter_from_safetensors(%b, %s::json)", {}, leaf_file(self.rng, kind, head=self.rng.random() < 0.2))

    def convert(self):
        """A value of another kind, and the LoRA of it."""
        kind = self.rng.choice(sorted(LORA_OF))
        if self.leaf(kind):
            i = len(self.digests) - 1
            self.add(lora_of(self.rng, kind, self.value(i)), {i: (None,) * 3})

    def pick(self):
        n = len(self.digests)
        return n - 1 - min(n - 1, int(self.rng.expovariate(0.25))) if self.rng.random() < 0.7 else self.rng.randrange(n)

    def sum(self):
        """Terms (operand, u, v) and the SQL that has them."""
        rng = self.rng
        x, y, z = self.pick(), self.pick(), self.pick()
        w, v, s = (rng.choice(WEIGHTS) if rng.random() < 0.7 else rng.gauss(0, 1) for _ in range(3))
        sql = [self.value(i) for i in (x, y, z)]
        n = recipes.number
        return rng.choice((
            ([(x, abs(w), w), (y, abs(v), v)], "%s * %s + %s * %s" % (n(w), sql[0], n(v), sql[1])),
            ([(x, 1.0, 1.0), (y, abs(w), w), (z, abs(w), -w)], "%s + %s * (%s - %s)" % (sql[0], n(w), sql[1], sql[2])),
            ([(x, abs(s) * abs(w), s * w), (y, abs(s) * abs(v), s * v), (z, 1.0, 1.0)],
             "%s * (%s * %s + %s * %s) + %s" % (n(s), n(w), sql[0], n(v), sql[1], sql[2])),
            ([(x, 1 - w, 1 - w), (y, w, w)], "adapter_lerp(%s, %s, %s)" % (sql[0], sql[1], n(w))),
            ([(x, 1.0, -1.0)], "-%s" % sql[0])))

    def grow(self):
        rng, kind = self.rng, self.rng.random()
        x, y = self.pick(), self.pick()
        other = {x: (None,) * 3}
        if kind < 0.6:
            terms, sql = self.sum()
            edges = {i: (recipes.exact(t[1] for t in terms if t[0] == i), recipes.exact(t[2] for t in terms if t[0] == i), None)
                     for i, _, _ in terms}
            self.add(sql, {i: e for i, e in edges.items() if e[:2] != (0, 0)})
        elif kind < 0.75:
            w, v = rng.choice(WEIGHTS), rng.choice(WEIGHTS)
            edges = {x: (None, None, w + v)} if x == y else {x: (None, None, w), y: (None, None, v)}
            if (x != y or w + v) and (self.kind == "IA3" or self.rank(x) + self.rank(y) <= 24):
                self.add("adapter(%s * delta(%s) + %s * delta(%s))" % (recipes.number(w), self.value(x), recipes.number(v), self.value(y)), edges)
        elif kind < 0.8 and self.kind == "LORA":
            self.add("adapter_truncate(%s, %d)" % (self.value(x), rng.randint(1, 2)), other)
        elif kind < 0.83 and self.kind == "LORA" and x != y:
            method, last = rng.choice((("magnitude_prune", "'peft'"), ("ties", "'peft', 'frequency'"), ("dare_linear", "5, 'peft'")))
            self.add("adapter_%s(ARRAY[%s, %s], ARRAY[0.5, 0.7], 0.5, %s)" % (method, self.value(x), self.value(y), last),
                     {x: (None,) * 3, y: (None,) * 3})
        elif kind < 0.86 and self.kind == "LORA":
            self.convert()
        elif kind < 0.96:
            self.add(self.unary() % self.value(x), other)
        else:
            self.split(x)

    def unary(self):
        rng = self.rng
        return rng.choice((
            "adapter_scale(%%s, %s)" % recipes.number(rng.choice(WEIGHTS)),
            "adapter_scale(%%s, %s)" % recipes.number(rng.gauss(0, 1)),
            "adapter_cast(%%s, '%s')" % rng.choice(("F32", "BF16", "F64")),
            "adapter_select(%%s, 'q', %s)" % rng.choice(("true", "false")),
            "adapter_rename(%%s, %s)" % rng.choice(("'q', 'k'", "'k', 'q'", "'(.)', '\\1.\\1'", "'(.)\\..', '\\1'")),
            "adapter_drop_dense(%%s, %s)" % rng.choice(("NULL", "'head.*'")),
            "adapter_plain(%%s, %s)" % rng.choice(("NULL", "4", "8"))))

    def split(self, x):
        first = len(self.digests)
        while self.add("SELECT p FROM adapter_split(%s, %d) WITH ORDINALITY s(p, k) WHERE k = %d" % (
                self.value(x), 40, len(self.digests) - first + 1), {x: (None,) * 3}):
            pass
        parts = range(first, len(self.digests))
        if len(parts) > 1:
            self.add("SELECT adapter_union(a) FROM n WHERE id >= %d" % first, {i: (None,) * 3 for i in parts})

    def rank(self, i):
        return self.connection.execute("SELECT adapter_rank(a) FROM n WHERE id = %d" % i).fetchone()[0] or 99

    def recipe(self, i):
        return self.connection.execute("SELECT adapter_recipe(a) FROM n WHERE id = %d" % i).fetchone()[0]

    def story(self):
        """Only of a distinct graph: what has one digest has one story."""
        story = Story()
        for i, edges in enumerate(self.edges):
            for j, weights in edges.items():
                story.tell(self.digests[i], self.digests[j], *weights)
        return story

