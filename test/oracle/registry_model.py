"""Who descends from whom, by brute force: the model of doc/trust.md, and nothing of its tables.

A story is a digest and the node of a recipe.  The model is told which stories the database has
evaluated (facts), what each version's recipe tells, and what is revoked; it answers by walking
every time from the beginning.

SPDX-License-Identifier: PostgreSQL
"""
import json

import random_lineage as lineage
import recipes


def story(digest, node):
    return digest, json.dumps(node, sort_keys=True)


class Version:
    def __init__(self, digest, recipe, told, claims, cut, owner):
        self.digest, self.recipe, self.told, self.claims, self.cut, self.owner = digest, recipe, told, claims, cut, owner


class Model:
    def __init__(self):
        self.facts = set()          # stories
        self.versions = {}          # reference to Version, in order
        self.revoked = set()

    def commit(self, ref, digest, recipe, seen, owner="root"):
        """seen: stories that the committing session has evaluated.

        One is a fact unless others have registered its digest without it; root is nobody's other.
        """
        told = {story(*s) for s in recipes.told(recipe, digest)}
        self.facts |= {s for s in told & seen if all(s in v.told or owner in ("root", v.owner) for v in self.with_digest(s[0]))}
        named = {p for s in told for p in self.parents(s)}
        cut = {d for d in named if not recipes.stories(recipe, d) and d != digest and not any(f[0] == d for f in self.facts)}
        self.versions[ref] = Version(digest, recipe, told, told - self.facts, cut, owner)

    @staticmethod
    def edges(one):
        return recipes.edges_of(json.loads(one[1]), one[0])

    def parents(self, one):
        return set(self.edges(one))

    def walk(self, start, claims):
        """(stories met, digests met) from a digest over facts and these claims."""
        met, seen, line = set(), {start}, [start]
        by = {}
        for s in self.facts | claims:
            by.setdefault(s[0], []).append(s)
        for d in line:
            for s in by.get(d, ()):
                met.add(s)
                for parent in self.parents(s):
                    if parent not in seen:
                        seen.add(parent)
                        line.append(parent)
        return met, seen

    def ancestors(self, start, claims=frozenset()):
        return self.walk(start, set(claims))[1]

    def with_digest(self, digest):
        return [v for v in self.versions.values() if v.digest == digest]

    def version_live(self, ref):
        v = self.versions[ref]
        return not self.ancestors(v.digest, v.claims) & self.revoked

    def digest_live(self, digest):
        if self.ancestors(digest) & self.revoked:
            return False
        refs = [r for r, v in self.versions.items() if v.digest == digest]
        return not refs or any(self.version_live(r) for r in refs)

    def fact_descendants(self, digest):
        made = {}
        for s in self.facts:
            for parent in self.parents(s):
                made.setdefault(parent, set()).add(s[0])
        seen, line = {digest}, [digest]
        for d in line:
            for of in made.get(d, set()) - seen:
                seen.add(of)
                line.append(of)
        return seen

    def concerned(self, digest):
        """{reference: proven} of versions that have the digest or were made of it."""
        proven = self.fact_descendants(digest)
        return {ref: v.digest in proven for ref, v in self.versions.items()
                if v.digest in proven or digest in self.ancestors(v.digest, v.claims)}

    def affected(self, ref, digest):
        """What was made of a digest, as far as facts and the version's own claims say."""
        v = self.versions[ref]
        return self.fact_descendants(digest) | {
            d for d in self.ancestors(v.digest, v.claims) if digest in self.ancestors(d, v.claims)}

    def drawn(self, stories):
        graph = lineage.Story()
        for s in stories:
            for parent, weights in self.edges(s).items():
                graph.tell(s[0], parent, *weights)
        return graph

    def lineage(self, ref=None, digest=None):
        """(graph, digest, digests that facts lead to, digests that were cut off)"""
        versions = [self.versions[ref]] if ref else self.with_digest(digest)
        digest = versions[0].digest if ref else digest
        claims = set().union(*(v.claims for v in versions)) if versions else set()
        met, _ = self.walk(digest, claims)
        cut = set().union(*(v.cut for v in versions)) if versions else set()
        return self.drawn(met), digest, self.ancestors(digest), cut - {s[0] for s in met}

    def descendants(self, digest):
        """(graph, digests that facts lead from, digests of which nothing is said but by others)"""
        proven = self.fact_descendants(digest)
        stories = {s for s in self.facts if self.parents(s) & proven}
        concerned = self.concerned(digest)
        for ref, is_proven in concerned.items():
            if not is_proven:
                v = self.versions[ref]
                stories |= self.walk(v.digest, v.claims)[0]
        hidden = {v.digest for v in self.versions.values()} - {self.versions[r].digest for r in concerned} - proven
        return self.drawn(stories), proven, hidden
