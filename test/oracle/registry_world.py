"""A registry of which everything that could be told occurs nowhere else, and to whom it may be told.

Names, messages, tags, aliases, base models, modules, weights, ranks, digests and roles of each entry;
World.secrets() says what of them is in a text and must not be. What is told of a digest that
is known, and with it of those that are connected with it, is doc/registry.md, "Roles".

SPDX-License-Identifier: PostgreSQL
"""
import base64
import contextlib
import json
import os
import re

import psycopg

import harness
from recipes import forged

CALLERS = ("reader", "guest", "alice", "bob", "admin", "stranger", "owner")
OPEN_CALLERS = ("reader", "alice", "admin", "stranger")     # where nothing is secured
# Entry: its owner, and who it is shared with. What dora has is hidden from all but admin and owner: far
# from what the others have, near (made of what they have), the partner that went into it, a twin of theirs.
ENTRIES = {"hers": ("alice", ()), "lent": ("alice", ("guest", "bob")), "his": ("bob", ()),
           "far": ("dora", ()), "near": ("dora", ()), "partner": ("dora", ()), "twin": ("dora", ())}
NUMBER = re.compile(r"(?<![\w.])\d{4,7}(?!\d)")
TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?")


def role_name(who):
    return "peftarith_roles_%d_%s" % (os.getpid(), who)


@contextlib.contextmanager
def roles():
    """The roles of both registries, which are the cluster's."""
    with harness.connect() as c:
        try:
            for who in ("owner", "reader", "writer", "admin", "guest", "alice", "bob", "dora", "stranger"):
                c.execute("create role %s" % role_name(who))
            c.execute("grant %s to %s" % (role_name("writer"), ", ".join(map(role_name, ("alice", "bob", "dora")))))
            yield
        finally:
            for who in ("owner", "reader", "admin", "guest", "alice", "bob", "dora", "stranger", "writer"):
                c.execute("drop role if exists %s" % role_name(who))


class World:
    """A registry, and for everything in it to whom it may be told."""

    def __init__(self, run, database, secured):
        self.run, self.rng, self.secured = run, run.random, secured
        self.database, self.connections, self.weights = database, {}, ()
        self.got = {}
        self.callers = CALLERS if secured else OPEN_CALLERS
        self.told = {}          # what must not be told: entries whose readers know it
        self.nodes = {}         # what is told with a digest: the digests
        self.digests, self.values, self.aliases, self.names = {}, {}, {}, {}
        self.root = harness.connect(database)
        self.maker = harness.connect(database)

    def role(self, who):
        return role_name(who)

    def connection(self, who):
        if who not in self.connections:
            c = harness.connect(self.database)
            c.prepare_threshold = None
            c.execute("set session authorization %s" % self.role(who))
            c.notices = []
            c.add_notice_handler(lambda d, c=c: c.notices.append("%s %s %s" % (d.message_primary, d.message_detail, d.context)))
            self.connections[who] = c
        return self.connections[who]

    def close(self):
        for c in (self.root, self.maker, *self.connections.values()):
            c.close()

    def token(self, kind, *entries):
        token = "%s%016x" % (kind, self.rng.getrandbits(64))
        self.told[token] = set(entries)
        return token

    def number(self, low, high, *entries):
        while True:
            n = self.rng.randrange(low, high)
            if str(n) not in self.told:
                self.told[str(n)] = set(entries)
                return n

    def sees(self, who, entry):
        owner, shared = ENTRIES[entry]
        if who == "stranger":
            return False
        return not self.secured or who in ("admin", "owner", owner) or who in shared

    def visible(self, who):
        return [e for e in ENTRIES if self.sees(who, e)]

    # What is in it.

    def leaf(self, *entries, like=None):
        """An adapter whose base model, module, rank and weights no other has, but for those of another to be summed with."""
        base, module, rank = like or (self.token("base", *entries), self.token("module", *entries),
                                      self.number(1100, 1900, *entries))
        a, b = self.number(2**20, 2**22, *entries), self.number(2**20, 2**22, *entries)
        stem = "base_model.model.%s.lora_" % module
        tensors = {stem + "A.weight": {"dtype": "F32", "shape": [rank, 1], "data": [[a]] * rank},
                   stem + "B.weight": {"dtype": "F32", "shape": [1, rank], "data": [[b] * rank]}}
        config = {"peft_type": "LORA", "base_model_name_or_path": base, "r": rank, "lora_alpha": rank}
        value, = self.root.execute("select adapter_send(adapter_from_json(%s))",
                                   (json.dumps({"config": config, "tensors": tensors}),)).fetchone()
        return value, (base, module, rank)

    def weight(self):
        return 1 / self.rng.uniform(3, 90)

    def composed(self, where, *terms):
        """Of (weight, value): evaluated here it is a fact, by the maker a claim. The weights go with the digests."""
        sql = " + ".join(["%s::float8 * adapter_from_safetensors(%s::bytea)"] * len(terms))
        value, = where.execute("select adapter_send(%s)" % sql, [x for t in terms for x in t]).fetchone()
        self.weights = [f(w) for w, _ in terms for f in (repr, float.hex)]
        return value

    def digest_of(self, value):
        return self.root.execute("select adapter_digest(adapter_from_safetensors(%s::bytea))", (value,)).fetchone()[0]

    def commit(self, entry, value, virtual=False):
        message = self.token("message", entry)
        self.as_role(ENTRIES[entry][0], "insert into registry.version (entry, value, message, virtual) "
                     "values (%s, adapter_from_safetensors(%s::bytea), %s, %s)", (self.names[entry], value, message, virtual))
        digest = self.digest_of(value)
        self.values.setdefault(entry, []).append(value)
        self.told.setdefault(value[-8:].decode("latin-1"), set()).add(entry)        # two of its weights
        self.digests.setdefault(entry, []).append(digest)
        for w in self.weights:
            self.nodes[w] = {digest.hex()}
        self.weights = ()

    def as_role(self, who, sql, parameters=()):
        """In the session of the superuser, which has evaluated what it composed."""
        self.root.execute("set session authorization %s" % self.role(who))
        try:
            return self.root.execute(sql, parameters)
        finally:
            self.root.execute("reset session authorization")

    def make(self):
        self.as_role("owner", "select registry_create(%s, %s, %s, row_security => %s)",
                     (self.role("reader"), self.role("writer"), self.role("admin"), self.secured))
        self.as_role("owner", "select registry.allow(reader => %s)", (self.role("guest"),))
        self.names = {e: self.token("entry", e) for e in ENTRIES}
        self.fill()
        for entry, (owner, shared) in ENTRIES.items():
            self.aliases[entry] = self.token("alias", entry)
            self.as_role(owner, "select registry.set_alias(%s, %s, 1)", (self.names[entry], self.aliases[entry]))
            self.as_role(owner, "update registry.entry set description = %s, tags = %s where name = %s",
                         (self.token("description", entry), [self.token("tag", entry)], self.names[entry]))
            for who in shared if self.secured else ():
                self.as_role(owner, "select registry.share(%s, %s)", (self.names[entry], self.role(who)))
        far = self.names["far"]
        self.as_role("admin", "select registry.erase(%s, %s)", (far + "@4", self.token("reason", "far")))
        self.as_role("admin", "select registry.revoke_digest(%s::bytea, %s)",
                     (self.digests["far"][4], self.token("reason", "far")))
        self.as_role("admin", "select registry.settle()")
        self.as_role("admin", "select registry.seal()")
        self.root.execute("analyze")
        self.know()

    def fill(self):
        self.spare, _ = self.leaf()
        hers, _ = self.leaf("hers", "twin")
        lent, form = self.leaf("lent", "his", "near", "partner")
        his, far, erased, lost = (self.leaf(e)[0] for e in ("his", "far", "far", "far"))
        partner, _ = self.leaf("partner", "near", like=form)
        self.commit("hers", hers)
        self.commit("hers", self.composed(self.maker, (self.weight(), hers)))
        self.commit("twin", hers)
        self.commit("lent", lent)
        self.commit("lent", self.composed(self.root, (self.weight(), lent)))
        self.commit("lent", self.composed(self.root, (self.weight(), lent)), virtual=True)
        self.commit("his", his)
        self.commit("his", self.composed(self.root, (self.weight(), lent)))
        self.commit("far", far)
        self.commit("far", self.composed(self.maker, (self.weight(), far)))
        self.commit("far", self.composed(self.root, (self.weight(), far)), virtual=True)
        self.commit("far", erased)
        self.commit("far", lost)
        self.commit("partner", partner)
        self.commit("near", self.composed(self.root, (self.weight(), lent), (self.weight(), partner)))
        self.commit("near", self.composed(self.maker, (self.weight(), lent), (self.weight(), partner)))
        claim = {"op": "scale", "of": self.digests["far"][4].hex(), "by": float.hex(self.weight())}
        value = self.composed(self.maker, (self.weight(), lent))
        self.commit("his", forged(value, {"version": 1, "root": claim, "nodes": {}}))      # will be revoked

    def know(self):
        """What else there is to be told, from the tables."""
        key = {name: e for e, name in self.names.items()}
        for entry, digest, envelope, told, recipe in self.root.execute(
                "select entry, digest, envelope_digest, told, coalesce(recipe, adapter_recipe(value))::text from registry.version").fetchall():
            self.nodes[digest.hex()] = {digest.hex()}
            for hash in (envelope, told):
                self.told.setdefault(hash.hex(), set()).add(key[entry])
            for hash in re.findall(r'"sha256": "([0-9a-f]{64})"', recipe):
                self.told.setdefault(hash, set()).add(key[entry])
        self.edges = {}
        for a, b in self.root.execute("select encode(of, 'hex'), encode(parent, 'hex') from registry.edge").fetchall():
            self.edges.setdefault(a, set()).add(b)
            self.edges.setdefault(b, set()).add(a)
        for hash, in self.root.execute("select encode(sha256, 'hex') from registry.claim_set").fetchall():
            self.told[hash] = set()
        for who in ("alice", "bob", "dora"):
            self.told[self.role(who)] = {e for e, (owner, shared) in ENTRIES.items() if who == owner or who in shared}
        every = sorted((t for t in (*self.told, *self.nodes) if not t.isdigit()), key=len, reverse=True)
        self.pattern = re.compile("|".join(map(re.escape, every)))
        self.sets = [i for i, in self.root.execute("select id from registry.claim_set order by 1").fetchall()]

    def owners(self, sql, parameters):
        """What the owner gets, who sees everything."""
        key = sql, parameters
        if key not in self.got:
            self.got[key] = Outcome(self.connection("owner"), sql, parameters)
        return self.got[key]

    # What may be told.

    def connected(self, digests):
        seen, line = set(digests), list(digests)
        for d in line:
            line += self.edges.get(d, set()) - seen
            seen |= self.edges.get(d, set())
        return seen

    def found(self, text):
        """Everything in it that must not be told to all."""
        return set(self.pattern.findall(text)) | set(NUMBER.findall(text)) & self.told.keys()

    def secrets(self, who, text, given):
        """What the text tells that the role may not learn by a call with what is given."""
        if who in ("owner", "admin") or who != "stranger" and not self.secured:
            return set()
        said = self.found(TIME.sub("", text)) - {self.role(who)}
        if not said:
            return said
        said -= self.found(given)
        seen = set(self.visible(who))
        known = {d.hex() for e in seen for d in self.digests[e]} | set(re.findall(r"[0-9a-f]{64}", given))
        known = self.connected(known)
        return {t for t in said if not (self.told.get(t, set()) & seen or self.nodes.get(t, set()) & known)}


def plain(value):
    """As text in which everything can be found, the inside of adapters too."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, (list, tuple)):
        return " ".join(map(plain, value))
    if isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, str) and len(value) > 400 and re.fullmatch(r"[A-Za-z0-9+/]+=*", value):
        return base64.b64decode(value).decode("latin-1")
    return repr(value) if isinstance(value, float) else str(value)


class Outcome:
    """What a statement did for a role, undone again."""

    def __init__(self, c, sql, parameters=()):
        self.state, self.rows, self.message = None, [], ""
        c.notices.clear()
        try:
            with c.transaction(force_rollback=True):
                cursor = c.execute(sql, parameters)
                self.rows = cursor.fetchall() if cursor.description else []
                c.execute("set constraints all immediate")
        except psycopg.Error as e:
            d = e.diag
            self.state, self.message = e.sqlstate or "dead", d.message_primary or str(e)
            self.rows = [(d.message_primary, d.message_detail, d.message_hint, d.context, d.constraint_name, d.column_name)]
        self.text = plain(self.rows) + " " + plain(c.notices)

    def denied(self):
        return self.state == "42501" and self.message.startswith("permission denied")
