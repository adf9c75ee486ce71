# Shared by the gates: sourced, never run.  A gate calls fail for each breach
# and ends with finish: exit status 0 kept, 1 broken, 77 skipped.
#
# SPDX-License-Identifier: PostgreSQL
set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# A file, because fail is also called at the end of pipes.
breaches=$(mktemp)

fail()
{
	printf '%s\n' "$*"
	printf '.' >>"$breaches"
}

# fail_lines REASON: every line on standard input is a breach
fail_lines()
{
	local line
	while IFS= read -r line; do
		fail "$1: $line"
	done
}

skip()
{
	rm -f "$breaches"
	printf '%s\n' "$*"
	exit 77
}

finish()
{
	local n
	n=$(wc -c <"$breaches")
	rm -f "$breaches"
	[ "$n" = 0 ] || { printf '%s: %d\n' "$(basename "$0")" "$n"; exit 1; }
	exit 0
}

# files PATTERN...: files of the project, by name; what git tracks or would, and
# without git (an unpacked archive) everything but products.
files()
{
	local file pattern
	{
		git ls-files --cached --others --exclude-standard 2>/dev/null ||
			find . -path ./build -prune -o -path ./results -prune -o -path ./.git -prune -o \
				-type f ! -name '*.o' ! -name '*.so' ! -name 'peftarith--*.sql' -printf '%P\n' | sort
	} | while IFS= read -r file; do
		[ -f "$file" ] || continue
		for pattern in "$@"; do
			# shellcheck disable=SC2053
			if [[ $file == $pattern ]]; then
				printf '%s\n' "$file"
				break
			fi
		done
	done
}

# Source without comments and with strings emptied: what is left is code.
code_of()
{
	perl -0pe 's{/\*.*?\*/|//[^\n]*|("(?:\\.|[^"\\])*")}{my $s = $&; defined $1 ? "\"\"" : $s =~ tr/\n//cdr}gse' "$1"
}

# c_functions FRAGMENT...: the C functions behind SQL functions: named in "as", or like the function
c_functions()
{
	awk '/^create function / { name = $3; sub(/\(.*/, "", name) }
		/as .MODULE_PATHNAME./ { if (split($0, quoted, "\047") > 4) name = quoted[4]; print name }' "$@" | sort -u
}

# long_functions MOST FILE...: C functions with more lines than that, from brace to
# brace; a body begins and ends with a brace in the first column
long_functions()
{
	awk -v most="$1" '
		FNR == 1 { start = 0 }
		/^[A-Za-z_].*\(/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
		/^\{/ { start = FNR }
		/^\}[ \t]*$/ && start {
			if (FNR - start + 1 > most) printf "%s: %s has %d lines\n", FILENAME, name, FNR - start + 1
			start = 0
		}' "${@:2}"
}

# long_sql MOST FILE...: SQL functions with more lines than that, from "create" to
# the end of the quotes, which ends a line
long_sql()
{
	awk -v most="$1" '
		FNR == 1 { start = 0 }
		/^create (or replace )?function / {
			name = $0
			sub(/^create (or replace )?function /, "", name)
			sub(/\(.*/, "", name)
			start = FNR
		}
		/\$\$;$/ && start {
			if (FNR - start + 1 > most) printf "%s: %s has %d lines\n", FILENAME, name, FNR - start + 1
			start = 0
		}' "${@:2}"
}

# circles OBJECT...: a line for each set of files that need each other.  A file
# needs those that define its undefined symbols; what a header has inline is nobody's.
circles()
{
	nm -A -g "$@" | perl -ne '
		my ($file, $type, $symbol) = m{^(.*)\.o:[ 0-9a-f]*([A-Za-z]) (\S+)$} or next;
		if ($type eq "U") { $wanted{$file}{$symbol} = 1 } else { $home{$symbol} = $file }
		END {
			for my $file (sort keys %wanted) {
				my @todo = ($file);
				while (defined(my $at = shift @todo)) {
					for my $next (grep { defined } map { $home{$_} } keys %{ $wanted{$at} || {} }) {
						push @todo, $next unless $reached{$file}{$next}++;
					}
				}
			}
			for my $file (sort keys %reached) {
				my @circle = grep { $reached{$file}{$_} && $reached{$_}{$file} } sort keys %reached;
				print "@circle\n" if @circle > 1 && !$printed{"@circle"}++;
			}
		}'
}

# Places in code that name a kind of adapter and are neither the kind's own file
# (src/adapter/kind_lora.c, src/interchange/peft_lora_in.c) nor a table of kinds
# nor the list of their ids.
kind_places()
{
	local file kinds
	kinds=$(ls src/adapter/kind_*.c | sed 's/.*kind_//; s/\.c$//' | grep -vx table | paste -sd'|')
	for file in src/*/*.[ch]; do
		[[ ! $file =~ _($kinds)[_.]|_table\.[ch]$|^src/adapter/(adapter|kind)\.h$ ]] || continue
		code_of "$file" | grep -nE "\\bPA_KIND_(${kinds^^})\\b" | sed "s|^|$file:|" || true
	done
}

rooms=$(sed -n 's/^\([a-z]*\):.*/\1/p' src/rooms)
server_free=$(grep -vx pg <<<"$rooms")
