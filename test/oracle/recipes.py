"""Recipes in Python: an evaluator that makes each node by SQL, the walk of lineage, and forging one.

Nothing here knows the extension's own evaluator: a recipe's JSON is followed
node by node, every value is stored before it is used, and weights that are
renormalized are worked out with exact fractions.

SPDX-License-Identifier: PostgreSQL
"""
import json
import struct
from fractions import Fraction


class Inexpressible(Exception):
    """A node that SQL's operators cannot spell (a term whose u is not abs(v))."""


class Failed(Exception):
    def __init__(self, sqlstate):
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


GONE = object()


def number(w):
    return "'%r'::float8" % w


def references(node):
    """Digests that a node refers to, each once."""
    if "terms" in node:
        found = [t["of"] for t in node["terms"]]
    else:
        found = node.get("of", [])
        found = [found] if isinstance(found, str) else found
    return list(dict.fromkeys(found))


def stories(recipe, digest):
    """The nodes that a recipe has for a digest."""
    found = recipe["nodes"].get(digest, [])
    return found if isinstance(found, list) else [found]


def first(recipe, digest):
    """The one that an evaluation takes."""
    return (stories(recipe, digest) or [{"op": "import"}])[0]


def is_end(recipe, digest):
    return first(recipe, digest)["op"] == "import"


def is_untold(recipe, digest):
    return all(node["op"] == "import" for node in stories(recipe, digest))


def needs(recipe, known):
    """What an evaluation needs as given values."""
    found, seen, line = set(), set(), references(recipe["root"])
    while line:
        digest = line.pop()
        if digest in seen:
            continue
        seen.add(digest)
        if digest in known or is_end(recipe, digest):
            found.add(digest)
        else:
            line += references(first(recipe, digest))
    return found


def reachable(recipe, known=()):
    """Every digest that the root was made from, down to the known ones."""
    seen, line = set(), references(recipe["root"])
    while line:
        digest = line.pop()
        if digest not in seen:
            seen.add(digest)
            if digest not in known and not is_end(recipe, digest):
                line += references(first(recipe, digest))
    return seen


def exact(values):
    return float(sum((Fraction(v) for v in values), Fraction(0)))


def edges_of(node, digest):
    """{parent: (p, q, w)} of a node that is a story of the digest."""
    found = {}
    for parent in references(node):
        if parent == digest:
            continue
        terms = [t for t in node.get("terms", ()) if t["of"] == parent]
        sums = [None, None, None]
        if node["op"] == "combine":
            sums[:2] = [exact(float.fromhex(t[k]) for t in terms) for k in "uv"]
        elif node["op"] == "concatenate":
            sums[2] = exact(float.fromhex(t["w"]) for t in terms)
        found[parent] = tuple(sums)
    return found


def told(recipe, digest, known=()):
    """What a recipe tells of its digest and of all that it reaches: [(digest, node)]."""
    found, seen, line = [], {digest}, [(digest, recipe["root"])] + [(digest, n) for n in stories(recipe, digest)]
    while line:
        of, node = line.pop()
        if node["op"] == "import":
            continue
        if (of, node) not in found:
            found.append((of, node))
        for parent in references(node):
            if parent not in seen:
                seen.add(parent)
                if parent not in known:
                    line += [(parent, n) for n in stories(recipe, parent)]
    return found


def edges(recipe, digest, known):
    """Rows (of, parent, p, q, w, external) of lineage, for each story; of is the digest for the root."""
    return [(of, parent, *sums, is_untold(recipe, parent))
            for of, node in told(recipe, digest, known) for parent, sums in edges_of(node, of).items()]


def weights_left(node, left, renormalize):
    """(digest, u, v) of the terms that are left; Failed('22012') if their total cannot stay."""
    name = "v" if node["op"] == "combine" else "w"
    every = [(t["of"], float.fromhex(t.get("u", "0x0.0p+0")), float.fromhex(t[name])) for t in node["terms"]]
    rest = [t for t in every if t[0] in left]
    if not rest or len(rest) == len(every) or not renormalize:
        return rest
    total = exact(t[2] for t in rest)
    if total == 0:
        raise Failed("22012")
    f = exact(t[2] for t in every) / total
    return [(of, u * abs(f), v * f) for of, u, v in rest]


def merge(node, terms, left):
    """A merge in SQL."""
    arguments = ["ARRAY[%s]" % ", ".join(left[of] for of, _, _ in terms),
                 "ARRAY[%s]" % ", ".join(number(w) for _, _, w in terms), number(float.fromhex(node["density"]))]
    if node["seed"] is not None:
        arguments.append(str(node["seed"]))
    arguments.append("'%s'" % node["flavour"])
    if node["majority_sign"] is not None:
        arguments.append("'%s'" % node["majority_sign"])
    return "adapter_%s(%s)" % (node["method"], ", ".join(arguments))


def forged(envelope, recipe):
    """The same adapter with another story."""
    length, = struct.unpack_from("<Q", envelope)
    header = json.loads(envelope[8:8 + length])
    header["__metadata__"].pop("peftarith.envelope_digest", None)
    header["__metadata__"]["peftarith.recipe"] = json.dumps(recipe, separators=(",", ":"))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + envelope[8 + length:]


class Evaluator:
    """Values go to a table made(k, a); given is a map from digest to SQL that reads the value."""

    def __init__(self, connection, error, recipe, given, without=None, renormalize=False):
        self.connection, self.error, self.recipe, self.given = connection, error, recipe, given
        self.without, self.renormalize = without, renormalize
        self.values = {}
        self.codes = set()
        self.k = 0
        connection.execute("TRUNCATE made")

    def store(self, sql):
        self.k += 1
        try:
            row = self.connection.execute("INSERT INTO made SELECT %d, (%s) RETURNING a IS NULL" % (self.k, sql)).fetchone()
        except self.error as e:
            raise Failed(e.sqlstate)
        if row[0]:
            raise Failed("22023")       # a part that the split has not
        return "(SELECT a FROM made WHERE k = %d)" % self.k

    def spell(self, node, left):
        """SQL of a node over the values that are left, a map from digest to SQL."""
        op = node["op"]
        if op == "merge":
            return merge(node, weights_left(node, left, self.renormalize), left)
        if op in ("combine", "concatenate", "truncate"):
            terms = weights_left(node, left, self.renormalize)
            if op == "combine" and any(u != abs(v) for _, u, v in terms):
                raise Inexpressible
            one = "%s * %s" if op == "combine" else "%s * delta(%s)"
            text = " + ".join(one % (number(v), left[of]) for of, u, v in terms)
            if op == "combine":
                return text
            if op == "concatenate":
                return "adapter(%s)" % text
            return "adapter_truncate(%s, %s)" % (text, node["rank"] or number(float.fromhex(node["energy"])))
        if op == "union":
            parts = " UNION ALL ".join("SELECT %s AS a" % left[d] for d in node["of"] if d in left)
            return "SELECT adapter_union(a) FROM (%s) s" % parts
        x = left[node["of"]]
        if op == "scale":
            return "adapter_scale(%s, %s)" % (x, number(float.fromhex(node["by"])))
        if op == "plain":
            return "adapter_plain(%s, %s)" % (x, node["rank"] or "null")
        if op == "to_lora":
            return "adapter_to_lora(%s, %s)" % (x, "NULL" if node["shapes"] is None else "'%s'" % node["shapes"])
        if op == "extract":
            return "adapter_extract(%s, %s, %s, %s, %s)" % (
                x, node["rank"] or number(float.fromhex(node["energy"])), node["drop_others"],
                "NULL" if node["embeddings"] is None else "'%s'" % node["embeddings"], node["fan_in_fan_out"])
        if op == "cast":
            return "adapter_cast(%s, '%s')" % (x, node["dtype"])
        if op == "select":
            return "adapter_select(%s, '%s', %s)" % (x, node["pattern"], node["invert"])
        if op == "rename":
            return "adapter_rename(%s, '%s', '%s')" % (x, node["pattern"], node["replacement"])
        if op == "select_tensors":
            return "adapter_select_tensors(%s, %s, %s, %s)" % (
                x, *("NULL" if node[k] is None else "'%s'" % node[k] for k in ("tensors", "role")), node["invert"])
        if op == "set_base_model":
            return "adapter_set_base_model(%s, %s, %s)" % (
                x, *("NULL" if node[k] is None else "'%s'" % node[k] for k in ("base_model", "revision")))
        assert op == "split", op
        return "SELECT p FROM adapter_split(%s, %d) WITH ORDINALITY s(p, n) WHERE n = %d" % (
            x, node["max_bytes"], node["part"] + 1)

    def make(self, node):
        left = {d: self.values[d] for d in references(node) if self.values[d] is not GONE}
        return self.store(self.spell(node, left)) if left else GONE

    def enter(self, digest):
        """GONE or given, or None: to be made."""
        if digest == self.without:
            return GONE
        return self.given.get(digest)

    def evaluate(self):
        """SQL of the root's value, or GONE; Failed carries the SQLSTATE of the node that failed."""
        stack = [(None, iter(references(self.recipe["root"])))]
        while stack:
            digest, rest = stack[-1]
            for of in rest:
                if of in self.values:
                    continue
                self.values[of] = self.enter(of)
                if self.values[of] is None:
                    stack.append((of, iter(references(first(self.recipe, of)))))
                    break
            else:
                stack.pop()
                value = self.make(self.recipe["root"] if digest is None else first(self.recipe, digest))
                if digest is None:
                    return value
                self.values[digest] = value
