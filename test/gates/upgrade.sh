#!/bin/bash
# What the install script has and the last released one has not stands in the
# step between them, word for word; what has gone is named there; the registry's
# released steps are as they were; the library has every C function that a
# released script calls.  (test/tap/016_extension_upgrade.pl compares catalogs.)
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" peftarith.control)
mapfile -t released < <(ls sql/released | sed -n 's/^peftarith--\([0-9.]*\)\.sql\.gz$/\1/p' | sort -V)
[ ${#released[@]} = "$(files 'sql/released/*' | wc -l)" ] || fail "sql/released has what is not peftarith--N.N.N.sql.gz"
last=${released[-1]}

# From each released version to the next, and from the last to that at hand.
wanted=$(printf '%s\n' "${released[@]}" "$version" | uniq |
	awk 'NR > 1 { printf "sql/upgrade/%s--%s.sql\n", before, $0 } { before = $0 }')
diff <(printf '%s' "$wanted" | sort) <(ls sql/upgrade/*.sql 2>/dev/null | sort) | grep '^[<>]' |
	fail_lines "wanted (<) and existing (>) steps differ" || true

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
gzip -dc "sql/released/peftarith--$last.sql.gz" >"$place/old"
cat sql/install/*.sql >"$place/new"
step=sql/upgrade/$last--$version.sql
[ -e "$step" ] || step=/dev/null

perl -0 -e '
	# Statements without comments, blanks made one, "or replace" left out, but for
	# the registry source, which the build adds to each script.
	sub statements
	{
		my ($file) = @_;
		open my $in, "<", $file or die;
		my $text = <$in> // "";
		$text =~ s/^\\[^\n]*\n//;
		my @found;
		while ($text =~ m{\G((?:--[^\n]*|(\$\w*\$).*?\2|\x27(?:[^\x27]|\x27\x27)*\x27|[^;\x27])*?);}gs) {
			my $one = $1;
			$one =~ s/^\s*--[^\n]*$//mg;
			$one =~ s/\s+/ /g;
			$one =~ s/^ | $//g;
			$one =~ s/^create or replace /create /;
			push @found, $one unless $one =~ /^(create|comment on) function registry_source\(/;
		}
		return @found;
	}
	sub name { $_[0] =~ /^(create \w+ \S+?|comment on \w+ \S+?)[\s(]/ ? $1 : substr($_[0], 0, 60) }
	my ($old, $new, $step) = map { { map { $_ => 1 } statements($_) } } @ARGV;
	print "is not in the step: ", substr($_, 0, 100), "\n" for grep { !$old->{$_} && !$step->{$_} } sort keys %$new;
	my %kept = map { name($_) => 1 } keys %$new;
	my $all = join "\n", keys %$step;
	for my $gone (grep { !$new->{$_} && !$kept{name($_)} && /^create/ } sort keys %$old) {
		my ($object) = name($gone) =~ /(\S+)$/;
		print "has gone, and the step does not drop it: ", substr($gone, 0, 100), "\n"
			unless $all =~ /\b(drop|alter)\b[^\n]*\Q$object\E/;
	}
	# A parser that reads nothing would find nothing.
	print "no statements were read\n" if keys %$old < 100 || keys %$new < 100;
' "$place/old" "$place/new" "$step" | fail_lines "$(basename "$step")" || true

for one in "${released[@]}"; do
	gzip -dc "sql/released/peftarith--$one.sql.gz" >"$place/script"
	comm -23 <(c_functions "$place/script") <(sed -n 's/^PG_FUNCTION_INFO_V1(\(.*\));/\1/p' src/pg/*.c | sort -u) |
		fail_lines "called by $one and not in the library" || true
	for number in $(sed -n "s/^.*('step', '\([0-9]*-[a-z-]*\)', .*/\1/p" "$place/script"); do
		perl -0ne 'print $1 if /\(.step., .'"$number"'., \$registry_text\$(.*?)\$registry_text\$/s' "$place/script" |
			cmp -s - "sql/registry/steps/$number.sql" ||
			fail "sql/registry/steps/$number.sql is not what $one has"
	done
done
finish
