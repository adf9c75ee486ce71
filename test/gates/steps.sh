#!/bin/bash
# The registry's steps, sql/registry/steps/NNNN-what.sql, have no gap between
# their numbers, and make and call no function, trigger or policy: those are made
# anew after them, by a later version otherwise.  A registry is kept
# (test/upgrade) of steps that exist.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

n=0
for step in sql/registry/steps/*; do
	n=$((n + 1))
	number=$(printf '%04d' $n)
	[[ $(basename "$step") =~ ^$number-[a-z]+(-[a-z]+)*\.sql$ ]] || fail "$step is not $number-what.sql"
done
others='(constraint )?(function|procedure|aggregate|trigger|policy|view)'
grep -niE "^[^-]*\b(create|alter|drop) (or replace )?$others\b" sql/registry/steps/*.sql |
	fail_lines "not a step's" || true
# (a list of columns has a space before its parenthesis)
grep -nE '(@registry@|@peft@)\.[a-z_]+\(' sql/registry/steps/*.sql |
	fail_lines "calls a function that can change" || true
for kept in test/upgrade/registry-*; do
	[[ $(basename "$kept") =~ ^registry-([0-9]{4})\.sql\.gz$ ]] &&
		compgen -G "sql/registry/steps/${BASH_REMATCH[1]}-*.sql" >/dev/null ||
		fail "$kept is of no step"
done
finish
