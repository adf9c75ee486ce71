#!/bin/bash
# Each header compiles alone (those of src/pg after postgres.h, as the server's
# own do), and has a guard.  *_impl.h and templates are their includers' alone.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

mkdir -p build
cc=${CC:-gcc}
server=$("${PG_CONFIG:-pg_config}" --includedir-server)
for header in $(files 'src/*.h'); do
	grep -qE '^#ifndef PA_' "$header" || case $header in
		*_impl.h | src/kernel/instances.h) ;;
		*) fail "$header has no guard" ;;
	esac
	# A template is compiled through its instances.
	grep -q 'included only by\|Included by\|template' "$header" && ! grep -qE '^#ifndef PA_' "$header" && continue
	options=
	case $header in src/pg/*) options="-I$server -include postgres.h -Wno-unused-parameter -Wno-sign-compare" ;; esac
	printf '#include "%s"\n' "${header#src/}" |
		$cc -std=gnu11 -Wall -Wextra -Werror -Wno-unused-function -Isrc $options -x c -fsyntax-only - 2>build/header.log ||
		{ fail "$header does not compile alone:"; head -n 5 build/header.log; }
done
finish
