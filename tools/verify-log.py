#!/usr/bin/env python3
"""Verify an exported log of a registry, or a proof about it, without the database
that wrote it.

    PGCLIENTENCODING=UTF8 psql -XAtc 'select registry.export_log()' > log.jsonl
    verify-log.py [--checkpoint FILE] log.jsonl        (- is standard input)
    verify-log.py --checkpoint FILE --inclusion PROOF
    verify-log.py --checkpoint FILE --older FILE --consistency PROOF

Prints a line "POSITION CLASS: SENTENCE" for everything that is wrong, the first
bad entry first, and then one line in words.  Exit status: 0 nothing is wrong,
1 something is, 2 it cannot be told (no such file, not a checkpoint).  Classes:
changed, missing, reordered, truncated, forked.  PROOF is a file: of inclusion
the entry in its first line, then the hashes of the path, one a line; of
consistency the hashes.  Of a checkpoint that is a signed note the signatures are
not looked at.  doc/registry.md of peftarith, section "Log", is what it
implements; it shares no code with the extension.  Only Python's standard library
is needed.

Without a checkpoint that was kept elsewhere, a log that somebody wrote anew from
the first entry on, or cut at the end, looks right.

SPDX-License-Identifier: PostgreSQL
"""
import argparse
import base64
import binascii
import hashlib
import json
import re
import struct
import sys

# Of an erasure: without and with the hash of the recipe.
FIELDS = {"create": {1}, "version": {12}, "alias": {7}, "revoke": {4}, "erase": {5, 6}, "materialize": {5}}
ZEROS = bytes(32)
MAX_POSITION = 10**18 - 1
TRIED = 300         # so many bad entries are tried in each other's places


class Entry:
    """One line; readable is false if it cannot be an entry at all."""

    def __init__(self, line, text):
        self.line, self.position, self.readable, self.sound = line, line, False, False
        members = parse(text)
        if members is not None:
            self.position, self.kind, self.fields, self.previous, self.hash = members
            self.readable = True
            self.sound = self.hash_at(self.position, self.previous) == self.hash

    def hash_at(self, position, previous):
        return entry_hash(position, previous, self.kind, self.fields)


def entry_hash(position, previous, kind, fields):
    parts = [b"peftarith log 1\0", struct.pack(">q", position), previous, packed(kind),
             struct.pack(">I", len(fields))]
    parts += [packed(field) for field in fields]
    return hashlib.sha256(b"".join(parts)).digest()


def packed(text):
    if text is None:
        return b"\xff\xff\xff\xff"
    data = text.encode("utf-8")
    return struct.pack(">I", len(data)) + data


def canonical(position, kind, fields, previous, hash_):
    """The one spelling of an entry; every other line is none."""
    return json.dumps({"position": position, "kind": kind, "fields": fields,
                       "previous": previous, "hash": hash_},
                      ensure_ascii=False, separators=(",", ":"))


def parse(text):
    """(position, kind, fields, previous, hash), or None for a line that is no entry."""
    try:
        entry = json.loads(text)
        members = [entry[k] for k in ("position", "kind", "fields", "previous", "hash")]
        text.encode("utf-8")        # no byte that was none of UTF-8
        same = canonical(*members) == text
    except (ValueError, KeyError, TypeError, RecursionError, AttributeError):
        return None
    position, kind, fields, previous, hash_ = members
    if not same or type(position) is not int or not 1 <= position <= MAX_POSITION:
        return None
    if not isinstance(kind, str) or not isinstance(fields, list):
        return None
    texts = [kind] + [f for f in fields if f is not None]
    if not all(isinstance(t, str) and "\0" not in t for t in texts):
        return None
    for digits in (previous, hash_):
        if not isinstance(digits, str) or not re.fullmatch("[0-9a-f]{64}", digits):
            return None
    return position, kind, fields, bytes.fromhex(previous), bytes.fromhex(hash_)


class Checkpoint:
    """What it states: root, or of one from before there was a tree the last hash."""

    def __init__(self, origin, size, root=None, last=None):
        self.origin, self.size, self.root, self.last = origin, size, root, last


def parse_checkpoint(text):
    text = text.rstrip(" \t\r\n")
    chain = re.fullmatch(r"peftarith-log 1 ([1-9][0-9]{0,17}) ([0-9a-f]{64}) [-0-9T:.]+Z", text)
    if chain:
        return Checkpoint(None, int(chain[1]), last=bytes.fromhex(chain[2]))
    tree = re.fullmatch(r"([^\n]+)\n([1-9][0-9]{0,17})\n([A-Za-z0-9+/]{43}=)(?:\n[^\n]+)*(?:\n(?:\n[^\n]+)+)?", text)
    if not tree or base64.b64encode(base64.b64decode(tree[3])).decode() != tree[3]:
        raise ValueError("not a checkpoint")
    return Checkpoint(tree[1], int(tree[2]), root=base64.b64decode(tree[3]))


# Merkle trees: RFC 6962, section 2.1; proofs as of RFC 9162, section 2.1.

def leaf_hash(data):
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def tree_root(leaves):
    """Root over hashes of leaves, in order."""
    full = []           # (leaves below, hash) of the full subtrees so far
    for leaf in leaves:
        full.append((1, leaf))
        while len(full) > 1 and full[-1][0] == full[-2][0]:
            (n, right), (_, left) = full.pop(), full.pop()
            full.append((2 * n, node_hash(left, right)))
    if not full:
        return hashlib.sha256(b"").digest()
    root = full.pop()[1]
    while full:
        root = node_hash(full.pop()[1], root)
    return root


def is_included(leaf, index, size, path, root):
    """Whether the path leads from a leaf, counted from 0, to the root."""
    if not 0 <= index < size:
        return False
    node, last, hash_ = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if node % 2 or node == last:
            hash_ = node_hash(sibling, hash_)
            while node % 2 == 0 and node:
                node, last = node // 2, last // 2
        else:
            hash_ = node_hash(hash_, sibling)
        node, last = node // 2, last // 2
    return last == 0 and hash_ == root


def is_consistent(first, first_root, second, second_root, path):
    """Whether the path shows that the first tree is the beginning of the second."""
    if not 1 <= first <= second:
        return False
    if first == second:
        return not path and first_root == second_root
    path = list(path)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    if not path:
        return False
    node, last = first - 1, second - 1
    while node % 2:
        node, last = node // 2, last // 2
    old = both = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node % 2 or node == last:
            old, both = node_hash(sibling, old), node_hash(sibling, both)
            while node % 2 == 0 and node:
                node, last = node // 2, last // 2
        else:
            both = node_hash(both, sibling)
        node, last = node // 2, last // 2
    return last == 0 and old == first_root and both == second_root


def parse_path(lines):
    """Hashes of a proof, or None if a line is no hash in base64."""
    try:
        path = [base64.b64decode(line, validate=True) for line in lines]
    except (ValueError, binascii.Error):
        return None
    same = all(len(h) == 32 and base64.b64encode(h).decode() == line for h, line in zip(path, lines))
    return path if same else None


def proves_inclusion(lines, checkpoint):
    """Whether the lines of a proof, the entry first, fit a checkpoint."""
    entry = Entry(1, lines[0]) if lines else None
    path = parse_path([line for line in lines[1:] if line])
    if entry is None or not entry.sound or path is None or checkpoint.root is None:
        return False
    return is_included(leaf_hash(entry.hash), entry.position - 1, checkpoint.size, path, checkpoint.root)


def proves_consistency(lines, older, checkpoint):
    path = parse_path([line for line in lines if line])
    if path is None or older.origin != checkpoint.origin or None in (older.root, checkpoint.root):
        return False
    return is_consistent(older.size, older.root, checkpoint.size, checkpoint.root, path)


def moved(bad, readable):
    """The bad entries whose hash is right in another place."""
    first_with = {}
    for e in readable:
        first_with[e.hash] = min(e.position, first_with.get(e.hash, e.position))
    found = set()
    for e in bad:
        places = [(e.position - 1, e.previous), (e.position + 1, e.previous)]
        if e.previous in first_with:
            places.append((first_with[e.previous] + 1, e.previous))
        if len(bad) <= TRIED:
            for other in bad:
                places += [(other.position, e.previous), (other.position, other.previous)]
        if any(k >= 1 and e.hash_at(k, p) == e.hash for k, p in places):
            found.add(e)
    return found


def is_event(e):
    if (e.position == 1) != (e.kind == "create"):
        return False
    if e.kind == "create":
        return e.fields == ["1"]
    return len(e.fields) in FIELDS.get(e.kind, ())


def check_entries(readable):
    """Each entry by itself, then its place in the chain."""
    bad = [e for e in readable if not e.sound]
    elsewhere = moved(bad, readable)
    for e in bad:
        if e in elsewhere:
            yield e.position, "reordered", "Its hash is right for another place."
        else:
            yield e.position, "changed", "Its hash is not that of its contents."
    hashes = {}
    for e in readable:
        if e.sound:
            hashes.setdefault(e.position, set()).add(e.hash)
    above = 0
    for e in readable:
        before = {ZEROS} if e.position == 1 else hashes.get(e.position - 1)
        if e.sound and before is not None and e.previous not in before:
            yield e.position, "changed", "It does not follow the entry before it."
        if e.sound and not is_event(e):
            yield e.position, "changed", "It is no event that this format has."
        if e.position <= above:
            yield e.position, "reordered", "It comes after an entry with this position or a higher one."
        above = max(above, e.position)


def check_gaps(entries):
    above = 0
    for position in sorted({e.position for e in entries}):
        if position == above + 2:
            yield above + 1, "missing", "It is not there."
        elif position > above + 1:
            yield above + 1, "missing", "Entries %d to %d are not there." % (above + 1, position - 1)
        above = position


def check_end(entries, readable, checkpoint):
    last = max((e.position for e in readable), default=0)
    if checkpoint is None:
        if not entries:
            yield 1, "truncated", "The log is empty."
        return
    size = checkpoint.size
    if size > last:
        yield last + 1, "truncated", "The checkpoint tells of %d entries." % size
    if checkpoint.last is not None:
        there = [e for e in readable if e.position == size]
        if there and all(e.hash != checkpoint.last for e in there):
            yield size, "forked", "The checkpoint has another hash of it."
        return
    before = sorted((e.position, e.line, e.hash) for e in readable if e.position <= size)
    # (where an entry is missing or there twice, that is told)
    if len(before) == size and tree_root(leaf_hash(hash_) for _, _, hash_ in before) != checkpoint.root:
        yield size, "forked", "The checkpoint has another root of the log up to it."


def verify(lines, checkpoint=None):
    """[(position, class, sentence)] in order; checkpoint is a Checkpoint or None."""
    entries = [Entry(i, text) for i, text in enumerate(lines, 1)]
    readable = [e for e in entries if e.readable]
    faults = [(e.position, "changed", "This is not an entry of a log.")
              for e in entries if not e.readable]
    faults += check_entries(readable)
    faults += check_gaps(entries)
    faults += check_end(entries, readable, checkpoint)
    return sorted(faults)


def lines_of(data):
    """Lines end with a newline and nothing else; one that is not UTF-8 is no entry."""
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return [line.decode("utf-8", "surrogateescape") for line in lines]


def read(name):
    if name == "-":
        return sys.stdin.buffer.read()
    with open(name, "rb") as file:
        return file.read()


def report_log(data, checkpoint):
    lines = lines_of(data)
    faults = verify(lines, checkpoint)
    for position, class_, sentence in faults:
        print("%d %s: %s" % (position, class_, sentence))
    if faults:
        print("%d entries, %d faults" % (len(lines), len(faults)))
        return 1
    print("%d entries, nothing is wrong%s" % (
        len(lines), "" if checkpoint else "; no checkpoint was given, so its end is not known"))
    return 0


def report_proof(holds, what):
    print(what if holds else "The proof does not hold.")
    return 0 if holds else 1


def main():
    parser = argparse.ArgumentParser(description="Verify an exported log of a registry, or a proof about it.")
    parser.add_argument("log", nargs="?",
                        help="what registry.export_log() gave, one entry a line; - is standard input")
    parser.add_argument("--checkpoint", metavar="FILE", help="what registry.checkpoint() gave")
    parser.add_argument("--older", metavar="FILE", help="a checkpoint from before that one")
    parser.add_argument("--inclusion", metavar="FILE", help="what registry.inclusion_proof() gave")
    parser.add_argument("--consistency", metavar="FILE", help="what registry.consistency_proof() gave")
    arguments = parser.parse_args()
    if [arguments.log, arguments.inclusion, arguments.consistency].count(None) != 2:
        parser.error("one of a log, --inclusion and --consistency is needed")
    if (arguments.log is None and arguments.checkpoint is None) or (arguments.older is None) != (arguments.consistency is None):
        parser.error("a proof needs its checkpoint, one of consistency an older one too")
    try:
        checkpoint, older = (name and parse_checkpoint(read(name).decode()) for name in (arguments.checkpoint, arguments.older))
        data = read(arguments.log or arguments.inclusion or arguments.consistency)
    except (OSError, ValueError) as error:
        print("verify-log.py: %s" % error, file=sys.stderr)
        return 2
    if arguments.inclusion is not None:
        return report_proof(proves_inclusion(lines_of(data), checkpoint), "The entry is in the log of the checkpoint.")
    if arguments.consistency is not None:
        return report_proof(proves_consistency(lines_of(data), older, checkpoint), "The older log is the beginning of the other.")
    return report_log(data, checkpoint)


if __name__ == "__main__":
    sys.exit(main())
