#!/bin/bash
# The version stands in the control file; META.json, CHANGELOG.md and
# debian/changelog agree, and the Makefile and the code do not repeat it.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" peftarith.control)
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "default_version '$version' is not N.N.N"
for found in $(sed -n 's/^ *"version": *"\(.*\)",*$/\1/p' META.json | grep -v '^1\.0\.0$'); do
	[ "$found" = "$version" ] || fail "META.json says $found, peftarith.control $version"
done
grep -c "\"version\": \"$version\"" META.json | grep -qx '[2-9]' || fail "META.json does not say $version twice"
grep -m1 '^## ' CHANGELOG.md | grep -qF "$version" || fail "the first section of CHANGELOG.md is not $version"
head -n 1 debian/changelog | grep -qF "peftarith ($version) " || fail "the first entry of debian/changelog is not $version"
grep -nF "'$version'" Makefile dev/targets.mk src -r | fail_lines "version repeated" || true
finish
