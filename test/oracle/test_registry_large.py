"""A registry of thousands of versions, made below the triggers by test/bench/million.py: what it says of itself is right.

Nothing is wrong with it; the end of a long chain has the ancestors that it was given; a hub that a tenth of all is made
of has exactly these descendants, and when it is revoked and settled they are what is not live.  PA_LARGE sets how
many versions there are (10000), PA_DEPTH how long the chain is (200).

SPDX-License-Identifier: PostgreSQL
"""
import os
import pathlib
import sys

import harness

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "bench"))
import million  # noqa: E402


def check_whole(run, c, label):
    for recompute in (False, True):
        run.equal(c.execute("SELECT * FROM registry.verify(recompute => %s)", (recompute,)).fetchall(), [],
                  "%s: verify(recompute => %s)" % (label, recompute))


def check_lineage(run, c, made):
    depths = c.execute("SELECT count(*), count(DISTINCT digest), max(depth), bool_and(standing = 'proven') FROM registry.lineage(%s)",
                       (made.end,)).fetchone()
    # The last of the chain's ancestors is as far away as it is deep.
    run.equal(depths, (made.ancestors, made.ancestors, made.depth, True), "lineage of the chain's end")
    rows = c.execute("SELECT unnest(names), depth, standing FROM registry.descendants(%s)", (made.hub,)).fetchall()
    wanted = {ref for ref, in c.execute("SELECT entry || '@' || number FROM registry.version WHERE message LIKE 'hub %'")}
    run.equal((len(rows), {row[0] for row in rows}, {row[1] for row in rows}, {row[2] for row in rows}),
              (made.children, wanted, {1}, {"proven", "claimed"}), "descendants of the hub")
    return wanted


def check_revocation(run, c, made, children):
    before = c.execute("SELECT count(*) FROM registry.version v WHERE NOT registry.version_live(v.digest, v.claims)").fetchone()[0]
    run.equal(before, 0, "everything is live before")
    rows = c.execute("SELECT ref, kind, depth, aliases FROM registry.revoke(%s, 'a test')", (made.hub,)).fetchall()
    run.equal({(ref, kind, depth) for ref, kind, depth, _ in rows},
              {(made.hub, "revoked", 0)} | {(ref, "descendant", 1) for ref in children}, "revoke() lists the hub and its descendants")
    run.equal(len(rows), made.children + 1, "revoke() lists each once")
    aliased = c.execute("SELECT count(*) FROM registry.alias_history WHERE number IS NULL").fetchone()[0]
    run.equal(sum(len(aliases) for _, _, _, aliases in rows), aliased, "revoke() tells which aliases it took off")
    for step in range(10):
        left = c.execute("SELECT registry.settle()").fetchone()[0]
        if left == 0:
            break
    run.equal(left, 0, "settled")
    dead = {ref for ref, in c.execute(
        "SELECT v.entry || '@' || v.number FROM registry.version v WHERE NOT registry.version_live(v.digest, v.claims)")}
    run.equal(dead, children | {made.hub}, "what is not live")


def body(run):
    with harness.scratch("large") as name, harness.connect(name) as c:
        c.execute("SELECT registry_create()")
        made = million.build(c, int(os.environ.get("PA_LARGE", "10000")), int(os.environ.get("PA_DEPTH", "200")), run.seed)
        check_whole(run, c, "as made")
        children = check_lineage(run, c, made)
        run.equal(len(children), made.children, "children of the hub")
        check_revocation(run, c, made, children)
        check_whole(run, c, "settled")


harness.main("test_registry_large", body)
