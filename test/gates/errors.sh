#!/bin/bash
# Errors as PostgreSQL writes them: every ereport has an errcode; elog only with
# the words "cannot happen" in a comment on the same line or the one above; primary messages begin in
# lower case and have no full stop.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

for file in src/pg/*.c src/pg/*.h peft_ext.c; do
	perl -0ne '
		my $f = $ARGV;
		while (/\bereport\s*\((.*?)\);\n/gs) {
			my ($text, $line) = ($1, 1 + (substr($_, 0, $-[0]) =~ tr/\n//));
			print "$f:$line: ereport without errcode\n" unless $text =~ /errcode\(|errcode_for/;
		}
		my @lines = split /\n/;
		for my $i (0 .. $#lines) {
			next unless $lines[$i] =~ /\belog\s*\(\s*(ERROR|FATAL|PANIC)/;
			print "$f:", $i + 1, ": elog that does not say \"cannot happen\"\n"
				unless join("\n", @lines[($i > 0 ? $i - 1 : 0) .. $i]) =~ /cannot happen/;
		}
	' "$file"
done | fail_lines "error" || true

# pa_fail(env, code, "message"...) and errmsg("message"): style of the message
perl -0ne '
	my $f = $ARGV;
	while (/\b(?:pa_fail\s*\([^"()]*(?:\([^()]*\))?[^"()]*|errmsg\s*\(\s*)"((?:\\.|[^"\\])*)"/gs) {
		my ($text, $line) = ($1, 1 + (substr($_, 0, $-[0]) =~ tr/\n//));
		print "$f:$line: \"$text\" ends with a full stop\n" if $text =~ /[^.]\.$/;
		print "$f:$line: \"$text\" begins in upper case\n" if $text =~ /^[A-Z][a-z]/ && $text !~ /^(LoRA|DoRA|IA3)/;
		print "$f:$line: \"$text\" names a function of the code\n" if $text =~ /\bpa_[a-z]+/;
	}
	while (/\b(?:errdetail|errhint|pa_detail|pa_hint)\s*\((?:env,|[^",]*->env,)?\s*((?:"(?:\\.|[^"\\])*"\s*|PRI[a-z0-9A-Z]+\s*)+)/gs) {
		my ($text, $line) = ($1, 1 + (substr($_, 0, $-[0]) =~ tr/\n//));
		$text =~ s/"\s*PRI\w+\s*"/d/g;
		$text =~ s/"\s*"//g;
		next if $text =~ /^"%s"\s*$/;
		print "$f:$line: $text is not a sentence\n" unless $text =~ /^"(\\"|[A-Z%(0-9]|(?:r|[a-z]+_[a-z_]+)[ (]).*[.]\)?"\s*$/s;
	}
' $(files 'src/*.c') | fail_lines "message" || true
finish
