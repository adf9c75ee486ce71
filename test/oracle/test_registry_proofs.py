"""Proofs about the registry's log, by its own verifiers and by others'.

A log of 70,000 entries, sealed in pieces: true proofs of inclusion and of
consistency hold for registry_is_included and registry_is_consistent, for
tools/verify-log.py and for others' verifiers, and forged ones for none of them.
Others' are pymerkle, which lays out the tree by itself (of consistency it has
another form), and tlog, by which Go checks its checksum database, as it comes
with Go's own source (of Debian: golang-go, golang-src).  Where these are not
installed that is said.  PA_PROOFS sets the number of proofs (1000).

SPDX-License-Identifier: PostgreSQL
"""
import base64
import importlib.util
import os
import pathlib
import shutil
import subprocess
import tempfile

import harness
import random_registry

HERE = pathlib.Path(__file__).parent
spec = importlib.util.spec_from_file_location("verify_log", HERE.parents[1] / "tools/verify-log.py")
verify_log = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verify_log)

# Proofs: what each verifier says of (leaf, index, size, path, root) and of
# (first, its root, second, its root, path).

def theirs_included(leaf, index, size, path, root):
    """pymerkle, by its own layout of the tree."""
    from pymerkle.core import _inclusion_path_layout
    from pymerkle.proof import InclusionProof, InvalidProof
    try:
        rule, _ = _inclusion_path_layout(index + 1, size)
        InclusionProof("sha256", True, size, index + 1, rule, [leaf] + path).verify(leaf, root, index=index + 1, size=size)
        return True
    except InvalidProof:
        return False


class Proofs:
    """A log of many entries, sealed in pieces, with all its leaves."""

    def __init__(self, run, connection, n):
        self.run, self.c, self.rng = run, connection, run.random
        random_registry.Registry(connection, run.random)
        self.c.execute("insert into registry.event (kind, fields) select 'revoke', array[i::text, 'r', 'a', 't'] from generate_series(2, %s) i", (n,))
        while self.c.execute("select registry.seal(%s)", (self.rng.choice((1, 7, 300, 20000)),)).fetchone()[0]:
            pass
        hashes = self.c.execute("select hash from registry.log order by position").fetchall()
        self.leaves = [verify_log.leaf_hash(h) for h, in hashes]
        self.roots = {}

    def root(self, size):
        if size not in self.roots:
            self.roots[size] = verify_log.tree_root(self.leaves[:size])
        return self.roots[size]

    def size(self):
        """At the edges of what is kept more often than elsewhere."""
        n = len(self.leaves)
        at = self.rng.choice((1, 2, 255, 256, 257, 512, 65535, 65536, 65537, n, self.rng.randint(1, n), self.rng.randint(1, n)))
        return min(at, n)

    def inclusion(self):
        size = self.size()
        index = min(self.size(), size) - 1
        entry, tree_size, path = self.c.execute("select * from registry.inclusion_proof(%s::bigint, %s)", (index + 1, size)).fetchone()
        self.run.equal(tree_size, size, "size of a proof")
        return [self.leaves[index], index, size, verify_log.parse_path(path), self.root(size)], [entry] + path

    def consistency(self):
        first, second = sorted((self.size(), self.size()))
        path = self.c.execute("select registry.consistency_proof(%s, %s)", (first, second)).fetchone()[0]
        return [first, self.root(first), second, self.root(second), verify_log.parse_path(path)], path

    def checkpoint(self, size):
        text = self.c.execute("select registry.checkpoint_at(%s)", (size,)).fetchone()[0]
        checkpoint = verify_log.parse_checkpoint(text)
        self.run.equal((checkpoint.size, checkpoint.root), (size, self.root(size)), "checkpoint at %d" % size)
        return checkpoint

    def judged(self, function, proof):
        """By the program's function and by the one in the database."""
        inside = {verify_log.is_included: "select registry_is_included(%s, %s, %s, %s::bytea[], %s)",
                  verify_log.is_consistent: "select registry_is_consistent(%s, %s, %s, %s, %s::bytea[])"}[function]
        said = [function(*proof), self.c.execute(inside, proof).fetchone()[0]]
        if function is verify_log.is_included and pymerkle_is_there():
            said.append(theirs_included(*proof))
        return said

    def forge(self, proof):
        """One thing changed: a hash, a number, the length of the path."""
        forged = list(proof)
        at = self.rng.randrange(len(proof))
        value = proof[at]
        if isinstance(value, bytes):
            forged[at] = self.flip(value)
        elif isinstance(value, int):
            # a size comes with its root, as in a checkpoint: it is not in the root itself
            forged[at] = min(max(1, value + self.rng.choice((-256, -1, 1, 2, 256))), len(self.leaves))
            if isinstance(proof[0], int):
                forged[at + 1] = self.root(forged[at])
            elif at == 2:
                forged[4] = self.root(forged[at])
        else:
            sort = self.rng.choice(("flip", "drop", "add", "swap")) if value else "add"
            path = list(value)
            i = self.rng.randrange(len(path)) if path else 0
            if sort == "flip":
                path[i] = self.flip(path[i])
            elif sort == "drop":
                del path[i]
            elif sort == "swap":
                path[i], path[i - 1] = path[i - 1], path[i]
            else:
                path.insert(i, self.rng.choice((bytes(32), self.rng.choice(self.leaves), *path)))
            forged[at] = path
        return forged

    def flip(self, value):
        i = self.rng.randrange(32)
        return value[:i] + bytes([value[i] ^ 1 << self.rng.randrange(8)]) + value[i + 1:]


def pymerkle_is_there():
    return importlib.util.find_spec("pymerkle") is not None


class Tlog:
    """Go's verifier: proofs are kept, and judged together at the end."""

    def __init__(self):
        self.lines = []

    def keep(self, function, proof, holds):
        if function is verify_log.is_included:
            leaf, index, size, path, root = proof
            numbers, hashes = (index, size), (leaf, root)
        else:
            first, first_root, size, root, path = proof
            numbers, hashes = (first, size), (first_root, root)
        text = [",".join(base64.b64encode(h).decode() for h in part) for part in ([hashes[0]], [hashes[1]], path)]
        what = "inclusion" if function is verify_log.is_included else "consistency"
        self.lines.append(" ".join([what, *map(str, numbers), *text, str(holds).lower()]))

    def judge(self, run):
        """Compiled of Go's source; None if there is no Go."""
        if shutil.which("go") is None:
            run.skip("proofs against tlog (Go is not installed)")
            return
        root = pathlib.Path(subprocess.run(["go", "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip())
        tlog = root / "src/cmd/vendor/golang.org/x/mod/sumdb/tlog"
        if not tlog.is_dir():
            run.skip("proofs against tlog (Go's source is not installed)")
            return
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(tlog, pathlib.Path(folder, "tlog"))
            shutil.copy(HERE / "tlog.go", pathlib.Path(folder, "main.go"))
            pathlib.Path(folder, "go.mod").write_text("module check\n", encoding="utf-8")
            environment = {**os.environ, "GO111MODULE": "on", "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOCACHE": folder + "/cache", "GOPATH": folder + "/path"}
            subprocess.run(["go", "build", "-o", "check", "."], cwd=folder, env=environment, check=True)
            done = subprocess.run([folder + "/check"], input="".join(line + "\n" for line in self.lines), capture_output=True, text=True, check=True)
        wrong = done.stdout.splitlines()
        run.equal(wrong, [], "tlog says the same of %d proofs" % len(self.lines))
        print("%d proofs judged by tlog" % len(self.lines))


def body(run):
    n, tlog = int(os.environ.get("PA_PROOFS", "600")), Tlog()
    if not pymerkle_is_there():
        run.skip("proofs against pymerkle (not installed)")
    with harness.scratch("registry_proofs") as database, harness.connect(database) as connection:
        made = Proofs(run, connection, 70000)
        for i in range(n):
            function, (proof, lines) = run.random.choice(((verify_log.is_included, made.inclusion()), (verify_log.is_consistent, made.consistency())))
            run.ok(all(made.judged(function, proof)), "a true proof: " + function.__name__, harness.short(proof))
            tlog.keep(function, proof, True)
            forged = made.forge(proof)
            if forged != proof:
                run.ok(not any(made.judged(function, forged)), "a forged proof: " + function.__name__,
                       "%s from %s" % (harness.short(forged), harness.short(proof)))
                tlog.keep(function, forged, False)
            if i % 20 == 0:
                holds = (verify_log.proves_inclusion(lines, made.checkpoint(proof[2])) if function is verify_log.is_included else
                         verify_log.proves_consistency(lines, made.checkpoint(proof[0]), made.checkpoint(proof[2])))
                run.ok(holds, "the lines of a proof: " + function.__name__)
    tlog.judge(run)
    print("%d proofs, and forgeries of them" % n)


harness.main("test_registry_proofs", body)
