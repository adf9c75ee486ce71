#!/bin/bash
# What was compiled for one server or compiler is not up to date for another
# one.  Needs a build.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

config=${PG_CONFIG:-pg_config}
[ -e peftarith.so ] || skip "nothing was built (make)"
make -q all PG_CONFIG="$config" >/dev/null 2>&1 || skip "the build is not up to date (make)"
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

# another server: the same one, which says that it is of another version
cat >"$place/pg_config" <<SH
#!/bin/sh
[ "\$*" = --version ] && { echo 'PostgreSQL 99.0'; exit; }
exec $(command -v "$config") "\$@"
SH
chmod +x "$place/pg_config"
# make writes the stamp as it reads the Makefile, so it gets another place
for other in "PG_CONFIG=$place/pg_config" "CC=$(command -v cc || command -v gcc)"; do
	cp -p build/server "$place/stamp"
	make -q peft_ext.o PG_CONFIG="$config" "$other" SERVER_STAMP="$place/stamp" >/dev/null 2>&1 &&
		fail "with $other the objects are up to date"
	cp -p build/server "$place/stamp"
	make -q peft_ext.o PG_CONFIG="$config" SERVER_STAMP="$place/stamp" >/dev/null 2>&1 ||
		fail "with the same server and compiler the objects are not up to date"
done
finish
