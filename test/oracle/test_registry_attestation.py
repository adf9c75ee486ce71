"""Attestations and bills of materials, by the schemas that others published.

Random registries: each version's attestation is read by the in-toto project's own
types, which refuse what they do not know; each bill of materials is validated by
the schema of CycloneDX 1.6 that its library carries.  What they say is compared
with what the registry knows: digests, files, ancestors, weights, edges.  Without
these packages (test/oracle/requirements-peft.txt) the forms are checked by hand
alone, and that is said.  PA_BILLS sets the number of registries (6).

SPDX-License-Identifier: PostgreSQL
"""
import hashlib
import importlib.util
import json
import os
import re

import psycopg

import harness
import random_registry

HEX = re.compile("[0-9a-f]{64}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def there(package):
    return importlib.util.find_spec(package) is not None


def statement_fault(statement):
    """What the in-toto types refuse, or None."""
    from google.protobuf import json_format
    from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
    from in_toto_attestation.v1 import statement as statements
    from in_toto_attestation.v1 import statement_pb2
    try:
        read = json_format.Parse(json.dumps(statement), statement_pb2.Statement())
        statements.Statement.copy_from_pb(read).validate()
        json_format.Parse(json.dumps(statement["predicate"]), provenance_pb2.Provenance())
    except Exception as e:      # whatever they raise is a refusal
        return "%s: %s" % (type(e).__name__, e)
    return None


def bill_fault(bill):
    """What the schema of CycloneDX refuses, or None."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill))
    return None if error is None else str(error)[:500]


class Version:
    """One version, and what must be said of it, also under other settings (odd)."""

    def __init__(self, run, c, odd, entry, number):
        self.run, self.c, self.odd, self.ref = run, c, odd, "%s@%d" % (entry, number)
        self.digest, file, self.at = c.execute(
            "select encode(digest, 'hex'), adapter_to_safetensors(value), registry.log_time(created_at)"
            " from registry.version where entry = %s and number = %s", (entry, number)).fetchone()
        self.file = file and hashlib.sha256(file).hexdigest()
        self.lineage = {d: (depth, p, q, w) for d, depth, p, q, w in c.execute(
            "select encode(digest, 'hex'), depth, p, q, w from registry.lineage(%s)", (self.ref,)).fetchall()}

    def attestation(self):
        s = self.odd.execute("select registry.attestation(%s)", (self.ref,)).fetchone()[0]
        label = "attestation of " + self.ref
        self.run.equal(sorted(s), ["_type", "predicate", "predicateType", "subject"], label)
        self.run.equal((s["_type"], s["predicateType"]), ("https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1"), label)
        wanted = [{"name": self.ref, "digest": {"peftarith_content": self.digest}}]
        if self.file:
            wanted.append({"name": self.ref + "/adapter_model.safetensors", "digest": {"sha256": self.file}})
        self.run.equal(s["subject"], wanted, label + ": subject")
        definition, details = s["predicate"]["buildDefinition"], s["predicate"]["runDetails"]
        self.run.ok(re.fullmatch(r"https://\S+", definition["buildType"]) and re.fullmatch(r"https://\S+", details["builder"]["id"]), label + ": URIs")
        self.run.equal(details["metadata"]["finishedOn"], self.at, label + ": time")
        self.run.ok(TIME.fullmatch(self.at), label + ": form of the time", self.at)
        materials = {m["digest"]["peftarith_content"]: m["annotations"] for m in definition["resolvedDependencies"]}
        self.run.equal({d: (a["depth"], a.get("p"), a.get("q"), a.get("w")) for d, a in materials.items()}, self.lineage, label + ": materials")
        if there("in_toto_attestation"):
            self.run.equal(statement_fault(s), None, label + ": in-toto's types")
        return s

    def bill(self):
        b = self.odd.execute("select registry.bill_of_materials(%s)", (self.ref,)).fetchone()[0]
        label = "bill of " + self.ref
        self.run.equal((b["bomFormat"], b["specVersion"], b["version"]), ("CycloneDX", "1.6", 1), label)
        self.run.ok(re.fullmatch("urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", b["serialNumber"]), label + ": serial number")
        model = b["metadata"]["component"]
        self.run.equal(model.get("hashes"), [{"alg": "SHA-256", "content": self.file}] if self.file else None, label + ": file")
        self.run.equal(model["bom-ref"], "peftarith:" + self.digest, label + ": model")
        adapters = {c["bom-ref"][10:]: c for c in b["components"] if c["bom-ref"].startswith("peftarith:")}
        self.run.equal(set(adapters), set(self.lineage), label + ": components")
        for digest, (_, p, q, w) in self.lineage.items():
            told = {x["name"]: x["value"] for x in adapters[digest]["properties"]}
            weights = tuple(float(told["peftarith:weight-" + k]) if "peftarith:weight-" + k in told else None for k in "pqw")
            self.run.equal(weights, (p, q, w), label + ": weights")
        refs = {c["bom-ref"] for c in b["components"]} | {model["bom-ref"]}
        self.run.ok(all(d["ref"] in refs and set(d["dependsOn"]) <= refs for d in b["dependencies"]), label + ": references lead somewhere")
        edges = {(d["ref"][10:], n[10:]) for d in b["dependencies"] for n in d["dependsOn"] if n.startswith("peftarith:")}
        self.run.equal(edges, set(self.c.execute("select encode(of, 'hex'), encode(parent, 'hex') from registry.version v"
                                                 " cross join lateral registry.story_edges(v.digest, array[v.claims])"
                                                 " where v.entry || '@' || v.number = %s",
                                                 (self.ref,)).fetchall()), label + ": edges")
        if there("cyclonedx") and there("jsonschema"):
            self.run.equal(bill_fault(b), None, label + ": the schema")
        return b


def refused(run, statement, bill):
    """The checks refuse what is not as published."""
    if there("in_toto_attestation"):
        for change in ({"_type": 7}, {"more": 1}, {"subject": []}):
            run.ok(statement_fault({**statement, **change}), "in-toto's types refuse %s" % change)
    if there("cyclonedx") and there("jsonschema"):
        for change in ({"specVersion": 1.6}, {"more": 1}, {"serialNumber": "x"}, {"metadata": {"component": {"type": "adapter", "name": "x"}}}):
            run.ok(bill_fault({**bill, **change}), "the schema refuses %s" % change)


def body(run):
    for package, what in (("in_toto_attestation", "in-toto's types"), ("cyclonedx", "the schema of CycloneDX"), ("jsonschema", "the schema of CycloneDX")):
        if not there(package):
            run.skip("%s (%s is not installed)" % (what, package))
    with harness.scratch("attestation") as database, psycopg.connect(dbname=database, autocommit=True) as connection:
        for i in range(int(os.environ.get("PA_BILLS", "6"))):
            registry = random_registry.Registry(connection, run.random)
            registry.happen(25)
            with psycopg.connect(dbname=database, autocommit=True) as odd:
                for setting in ("extra_float_digits = %d" % run.random.choice((-15, 0, 3)), "timezone = 'Asia/Kathmandu'", "datestyle = 'German'"):
                    odd.execute("set " + setting)
                for entry, number in registry.versions():
                    version = Version(run, connection, odd, entry, number)
                    statement, bill = version.attestation(), version.bill()
        refused(run, statement, bill)


harness.main("test_registry_attestation", body)
