#!/usr/bin/env python3
"""Verify an exported log of a registry, without the database that wrote it.

    PGCLIENTENCODING=UTF8 psql -XAtc 'select registry.export_log()' > log.jsonl
    verify-log.py [--checkpoint FILE] log.jsonl        (- is standard input)

Prints a line "POSITION CLASS: SENTENCE" for everything that is wrong, the first
bad entry first, and then one line in words.  Exit status: 0 nothing is wrong,
1 something is, 2 it cannot be told (no such file, not a checkpoint).  Classes:
changed, missing, reordered, truncated, forked.  doc/registry.md of peftarith,
section "Log", is what it implements; it shares no code with the extension.
Only Python's standard library is needed.

Without a checkpoint that was kept elsewhere, a log that somebody wrote anew from
the first entry on, or cut at the end, looks right.

SPDX-License-Identifier: PostgreSQL
"""
import argparse
import hashlib
import json
import re
import struct
import sys

FIELDS = {"create": 1, "version": 12, "alias": 7, "revoke": 4, "erase": 5, "materialize": 5}
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


def parse_checkpoint(text):
    match = re.fullmatch(r"peftarith-log 1 ([1-9][0-9]{0,17}) ([0-9a-f]{64}) [-0-9T:.]+Z",
                         text.rstrip(" \t\r\n"))
    if not match:
        raise ValueError("not a checkpoint")
    return int(match[1]), bytes.fromhex(match[2])


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
    return FIELDS.get(e.kind) == len(e.fields)


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
    size, head = checkpoint
    if size > last:
        yield last + 1, "truncated", "The checkpoint tells of %d entries." % size
    there = [e for e in readable if e.position == size]
    if there and all(e.hash != head for e in there):
        yield size, "forked", "The checkpoint has another hash of it."


def verify(lines, checkpoint=None):
    """[(position, class, sentence)] in order; checkpoint is (size, hash) or None."""
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


def main():
    parser = argparse.ArgumentParser(description="Verify an exported log of a registry.")
    parser.add_argument("log", help="what registry.export_log() gave, one entry a line; - is standard input")
    parser.add_argument("--checkpoint", metavar="FILE", help="what registry.checkpoint() gave")
    arguments = parser.parse_args()
    try:
        checkpoint = None
        if arguments.checkpoint is not None:
            with open(arguments.checkpoint, encoding="utf-8") as file:
                checkpoint = parse_checkpoint(file.read())
        if arguments.log == "-":
            data = sys.stdin.buffer.read()
        else:
            with open(arguments.log, "rb") as file:
                data = file.read()
    except (OSError, ValueError) as error:
        print("verify-log.py: %s" % error, file=sys.stderr)
        return 2
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


if __name__ == "__main__":
    sys.exit(main())
