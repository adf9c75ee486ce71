"""A registry with a random history, made through its own interface.

SPDX-License-Identifier: PostgreSQL
"""
import json

import numpy as np
import psycopg

import safetensors_lite as st

NAMES = ("detox", "domain \u00fc", "a", "x'y\"z", "\u65e5\u672c", "back\\slash", "UPPER lower", "n_1")
MESSAGES = ("", "first", "more \u00e9\u0301 \U0001f600", "line\nbreak\ttab", "quote \" and ' and \\", "x" * 3000,
            "null", "{1,2}", "\u2028 \u0085 \x7f \x01", "%s %d %%")
ALIASES = ("production", "candidate", "\u03b1lias", "b 2")


def small_adapter(rng):
    """(file, configuration) of a LoRA adapter of one or two modules."""
    gen = np.random.default_rng(rng.getrandbits(63))
    tensors = {}
    for path in ("q", "v")[:rng.randint(1, 2)]:
        tensors["base_model.model.%s.lora_A.weight" % path] = st.of_array("F32", gen.standard_normal((2, 3)))
        tensors["base_model.model.%s.lora_B.weight" % path] = st.of_array("F32", gen.standard_normal((4, 2)))
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q", "v"],
              "base_model_name_or_path": "org/base"}
    return st.canonical(tensors), json.dumps(config)


class Registry:
    """Makes the registry (anew) and lets things happen in it."""

    def __init__(self, connection, rng):
        self.c, self.rng = connection, rng
        # what it commits it has not evaluated itself
        self.other = psycopg.connect(dbname=connection.info.dbname, autocommit=True)
        connection.execute("drop schema if exists registry cascade")
        connection.execute("select registry_create()")

    def happen(self, n):
        """n events or so; a refusal of the registry is none of them."""
        events = (self.leaf,) * 3 + (self.composed,) * 6 + (self.claimed,) * 2 + (self.virtual,) * 3 + (self.alias,) * 5 + (
            self.unalias, self.erase, self.materialize, self.revoke)
        done = 0
        while done < n:
            event = self.rng.choice(events) if self.versions("value is not null") else self.leaf
            try:
                with self.c.transaction():
                    if event() is None:
                        continue
                done += 1
            except psycopg.Error as e:
                # what a random event may run into: duplicates, revoked, needed values, other ranks
                if e.sqlstate not in ("23505", "55000", "42704", "22000"):
                    raise

    def versions(self, where="true"):
        return self.c.execute("select entry, number from registry.version where %s order by 1, 2" % where).fetchall()

    def pick(self, where="true"):
        versions = self.versions(where)
        return self.rng.choice(versions) if versions else None

    def leaf(self):
        return self.c.execute(
            "insert into registry.version (entry, value, message, allow_duplicate)"
            " values (%s, adapter_from_safetensors(%s, %s::json), %s, %s) returning 1",
            (self.rng.choice(NAMES), *small_adapter(self.rng), self.rng.choice(MESSAGES),
             self.rng.random() < 0.2)).fetchone()

    def expression(self):
        """A composition of up to three stored versions, as a query of one value."""
        x, y, z = (self.pick("value is not null") for _ in range(3))
        w = self.rng.choice((0.5, 0.1, -0.3, 2.0, 1 / 3))
        sql = self.rng.choice(("{w}*x.value + {v}*y.value", "x.value + {w}*(y.value - z.value)", "-x.value",
                               "adapter_scale(x.value, {w})", "adapter_cast(x.value, 'bf16')",
                               "adapter_lerp(x.value, y.value, {w})",
                               "adapter({w}*delta(x.value) - delta(y.value))", "adapter_truncate(x.value, 1)"))
        sql = sql.format(w="'%r'::float8" % w, v="'%r'::float8" % (1 - w))
        tables = " cross join ".join("(select value from registry.version where entry = %s and number = %s) " + t for t in "xyz")
        return sql, tables, x + y + z

    def composed(self):
        sql, tables, keys = self.expression()
        return self.c.execute(
            "insert into registry.version (entry, value, message, allow_duplicate) select %%s, %s, %%s, %%s from %s returning 1" % (sql, tables),
            (self.rng.choice(NAMES), self.rng.choice(MESSAGES), self.rng.random() < 0.3) + keys).fetchone()

    def claimed(self):
        sql, tables, keys = self.expression()
        envelope, = self.c.execute("select adapter_send(%s) from %s" % (sql, tables), keys).fetchone()
        return self.other.execute("insert into registry.version (entry, value, message) values (%s, adapter_from_safetensors(%b), %s) returning 1",
                                  (self.rng.choice(NAMES), envelope, self.rng.choice(MESSAGES))).fetchone()

    def virtual(self):
        sql, tables, keys = self.expression()
        return self.c.execute(
            "insert into registry.version (entry, value, message, virtual) select %%s, %s, %%s, true from %s returning 1" % (sql, tables),
            (self.rng.choice(NAMES), self.rng.choice(MESSAGES)) + keys).fetchone()

    def alias(self):
        entry, number = self.pick()
        self.c.execute("select registry.set_alias(%s, %s, %s::integer)", (entry, self.rng.choice(ALIASES), number))
        return True

    def unalias(self):
        aliases = self.c.execute("select entry, alias from registry.alias order by 1, 2").fetchall()
        if not aliases:
            return None
        self.c.execute("delete from registry.alias where (entry, alias) = (%s, %s)", self.rng.choice(aliases))
        return True

    def act(self, sql, where, *arguments):
        version = self.pick(where)
        if version is None:
            return None
        self.c.execute(sql, ("%s@%d" % version,) + arguments)
        return True

    def erase(self):
        return self.act("select registry.erase(%s, %s)", "value is not null", self.rng.choice(MESSAGES))

    def materialize(self):
        return self.act("select registry.materialize(%s)", "virtual and value is null and erased_at is null")

    def revoke(self):
        if self.rng.random() < 0.5:
            return None
        return self.act("select registry.revoke(%s::text, %s)", "true", self.rng.choice(MESSAGES))

    def log(self):
        return self.c.execute("select position, kind, fields, previous, hash from registry.log order by 1").fetchall()

    def export(self):
        return [line for line, in self.c.execute("select registry.export_log()").fetchall()]

    def checkpoint(self):
        return self.c.execute("select registry.checkpoint()").fetchone()[0]

    def faults(self, checkpoint=None, recompute=False):
        return self.c.execute("select * from registry.verify(%s, %s)", (checkpoint, recompute)).fetchall()
