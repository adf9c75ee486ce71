#!/bin/bash
# The rooms of doc/architecture.md: what may include what, and what must not
# cross a wall.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

# Rooms besides itself whose headers a room may include.
allowed()
{
	sed -n "s/^$1: *//p" src/rooms
}

# What the documentation says of a room: the third cell of its row.
documented()
{
	sed -n "s/^| \`src\/$1\` |[^|]*| *\([^|]*[^ |]\) *|$/\1/p" doc/architecture.md
}

for room in $rooms; do
	[ -d "src/$room" ] || fail "src/rooms names $room, and there is no such folder"
	for other in $(allowed "$room"); do
		grep -qx "$other" <<<"$rooms" || fail "src/rooms: $room may include $other, which is no room"
	done
	said=$(documented "$room" | sed 's/, and PostgreSQL$//; s/^nothing$//; s/,//g')
	[ "$said" != "all above" ] || said=$(sed "/^$room\$/,\$d" <<<"$rooms" | paste -sd' ')
	[ "$said" = "$(allowed "$room")" ] ||
		fail "doc/architecture.md says that $room may include \"$said\", src/rooms says \"$(allowed "$room")\""
	[ -n "$(documented "$room")" ] || fail "room $room is not in the table of doc/architecture.md"
done

for folder in src/*/; do
	room=$(basename "$folder")
	if ! grep -qx "$room" <<<"$rooms"; then
		fail "room $room is not in src/rooms"
		continue
	fi
	may_include=$(allowed "$room")
	for file in "$folder"*.c "$folder"*.h; do
		[ -e "$file" ] || continue
		while IFS= read -r header; do
			case " $may_include $room " in
				*" ${header%%/*} "*) ;;
				*) [ "$room" = pg ] && [[ ! -e src/$header ]] ||
					fail "$file includes $header, which room $room may not see" ;;
			esac
			[ "$room" = pg ] || [ -e "src/$header" ] || fail "$file includes $header, which is not under src"
		done < <(sed -n 's/^#[[:space:]]*include[[:space:]]*"\(.*\)".*/\1/p' "$file")
	done
done

# library, the only files that may include its header
door()
{
	local header=$1 where=$2
	grep -lE "^#[[:space:]]*include[[:space:]]*[<\"]$header" -r src peft_ext.c | grep -vE "$where" |
		fail_lines "$header belongs to $where" || true
}
door 'zstd(_errors)?\.h' '^src/codec/'
door 'xxhash\.h' '^src/codec/'
door 'jansson\.h' '^src/core/json\.[ch]$'
door 'pcre2\.h' '^src/core/pattern\.[ch]$'
door '(postgres|fmgr|varatt|miscadmin|funcapi)\.h' '^src/pg/|^peft_ext\.c$'
door '(utils|catalog|access|nodes|executor|libpq|mb|port)/' '^src/pg/|^peft_ext\.c$'
door '(libpq-fe|cblas|lapacke|pthread)\.h' '^$'
door '(unistd|fcntl|sys/.*|signal|malloc)\.h' '^src/pg/bridge\.c$'
door 'dlfcn\.h' '^src/lowrank/blas\.c$'

# What the host lends, and nothing else: no files, no environment, no output.
# But OpenBLAS is told by the environment, while it is loaded, to start no thread.
while_loading='^src/lowrank/blas\.c:[0-9]*:.*\b(getenv|setenv|unsetenv)[[:space:]]*\('
for room in $server_free; do
	for file in src/"$room"/*.c src/"$room"/*.h; do
		[ -e "$file" ] || continue
		code_of "$file" | grep -nE '\b(getenv|setenv|fopen|fdopen|open|creat|popen|system|printf|fprintf|puts|putchar|stdout|stderr|stdin|abort|exit|setlocale|rand|srand|time|malloc|calloc|realloc|alloca)[[:space:]]*(\(|;)' |
			sed "s|^|$file:|" | grep -vE '[.>]open\(' | grep -vE "$while_loading" |
			fail_lines "the core asks the host" || true
		code_of "$file" | grep -nE '\b(Datum|palloc|ereport|elog|VARDATA|PG_[A-Z_]+)\b' |
			sed "s|^|$file:|" | fail_lines "word of the server" || true
	done
done

# Names of tensors are PEFT's: only interchange knows them.
for room in $rooms; do
	[ "$room" != interchange ] || continue
	grep -nE '"[^"]*(lora_A|lora_B|lora_embedding|ia3_l|lora_magnitude|lora_down|lora_up|lora_mid|lora_linear)' src/"$room"/*.[ch] 2>/dev/null |
		fail_lines "tensor name outside src/interchange" || true
done

# Conditions on the server's version live in one header.
grep -lE 'PG_VERSION_NUM|CATALOG_VERSION_NO' -r src peft_ext.c | grep -v '^src/pg/compat.h$' |
	fail_lines "PG_VERSION_NUM outside compat.h" || true

finish
