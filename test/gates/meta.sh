#!/bin/bash
# META.json is what PGXN's meta specification 1.0.0 asks for: what must be there
# is, nothing unknown is, every value has its type, and the files that it names exist.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip "there is no python3"
python3 - <<'PYTHON' | fail_lines META.json
import json, os, re

LICENCES = set("""agpl_3 apache_1_1 apache_2_0 artistic_1 artistic_2 bsd freebsd gfdl_1_2 gfdl_1_3 gpl_1 gpl_2 gpl_3
    lgpl_2_1 lgpl_3_0 mit mozilla_1_0 mozilla_1_1 openssl perl_5 postgresql qpl_1_0 ssleay sun zlib
    open_source restricted unrestricted unknown""".split())
SEMVER = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"


def text(value):
    return isinstance(value, str) and value != ""


def matches(pattern):
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def within(*words):
    return lambda value: value in words


def list_of(member, least=0):
    """A list, or its only member."""
    return lambda value: member(value) or isinstance(value, list) and len(value) >= least and all(map(member, value))


def map_of(key, member):
    return lambda value: isinstance(value, dict) and all(key(k) and member(v) for k, v in value.items())


def structure(required, optional):
    def check(value):
        known = required | optional
        return (isinstance(value, dict) and required.keys() <= value.keys()
                and all(known[k](v) if k in known else custom(k) for k, v in value.items()))
    return check


custom = matches(r"[xX]_.+")
version = matches(SEMVER)
term = matches(r"[^\s/\\\x00-\x1f\x7f]{2,}")
tag = matches(r"[^\s/\\\x00-\x1f\x7f]{1,255}")
uri = matches(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
lower_case = matches(r"[^A-Z\s]+")
path = lambda value: text(value) and not value.startswith("/") and ".." not in value.split("/") and os.path.exists(value)
versions = lambda value: value == 0 or matches(r"0|((<|<=|>|>=|==|!=)? ?%s)(, ?(<|<=|>|>=|==|!=)? ?%s)*" % (SEMVER, SEMVER))(value)

REQUIRED = {
    "name": term,
    "abstract": text,
    "version": version,
    "maintainer": list_of(text, 1),
    "license": lambda value: (list_of(lambda word: isinstance(word, str) and word in LICENCES, 1)(value)
                              or value != {} and map_of(text, uri)(value)),
    "provides": lambda value: value != {} and map_of(term, structure(
        {"file": path, "version": version}, {"abstract": text, "docfile": path}))(value),
    "meta-spec": structure({"version": within("1.0.0")}, {"url": uri}),
}
OPTIONAL = {
    "description": text,
    "generated_by": text,
    "release_status": within("stable", "testing", "unstable"),
    "tags": list_of(tag),
    "no_index": structure({}, {"file": list_of(path), "directory": list_of(path)}),
    "prereqs": map_of(within("configure", "build", "test", "runtime", "develop"),
                      map_of(within("requires", "recommends", "suggests", "conflicts"), map_of(term, versions))),
    "resources": structure({}, {
        "license": list_of(uri),
        "homepage": uri,
        "bugtracker": structure({}, {"web": uri, "mailto": matches(r"[^@\s]+@[^@\s]+")}),
        "repository": structure({}, {"url": uri, "web": uri, "type": lower_case}),
    }),
}


def twice(pairs):
    """json keeps the last of two members of one name without a word."""
    names = [name for name, _ in pairs]
    for name in sorted({name for name in names if names.count(name) > 1}):
        print(f"{name} is there twice")
    return dict(pairs)


def main():
    try:
        with open("META.json", encoding="utf-8") as file:
            meta = json.load(file, object_pairs_hook=twice)
    except ValueError as problem:
        print(f"is not JSON: {problem}")
        return
    if not isinstance(meta, dict):
        print("is not an object")
        return
    for name in REQUIRED:
        if name not in meta:
            print(f"{name} is missing")
    for name, value in meta.items():
        check = REQUIRED.get(name) or OPTIONAL.get(name)
        if check is None:
            if not custom(name):
                print(f"{name} is not known (an own one begins with x_)")
        elif not check(value):
            print(f"{name} is not as the specification says: {json.dumps(value)}")


main()
PYTHON
finish
