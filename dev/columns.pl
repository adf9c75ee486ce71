#!/usr/bin/perl
# After clang-format: put declared names and trailing comments into the columns
# where pgindent puts them, which clang-format has no option for.
#
#   dev/columns.pl FILE ...		rewrites the files
#
# A declared name stands three tabs behind its indentation, with the stars of a
# pointer before it; a comment behind code stands in column 32, or at the next
# tab stop.  Where a name moves, so do the lines that clang-format aligned with a
# parenthesis behind it.  Nothing between "clang-format off" and "on" is touched.
#
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;

my $name_column = 12;
my $comment_column = 32;

my $qualifier = qr{static|const|volatile|register|unsigned|signed|long|short|struct|enum|union};
my $not_a_type = qr{return|goto|else|case|typedef|extern|static|const|volatile|struct|enum|union};
my $declaration = qr{
	^(\t*)
	((?:(?:$qualifier)[ ])* (?!(?:$not_a_type)\b) [A-Za-z_]\w* (?:[ ]const)?) [ ]	# the type
	(\*{0,3})
	( (?:const[ ])? [A-Za-z_]\w* (?: [ ]?[\[=,;:].* | [ ]/\*.* )	# the name and what follows
	| \(\*\w+\).* )$	# or a pointer to a function
}x;

sub width
{
	my $w = 0;
	$w = $_ eq "\t" ? $w + 4 - $w % 4 : $w + 1 for split //, shift;
	return $w;
}

# White space from one column to another: tabs, but for a single space and, before
# stars, for a tab that would stand for a single space.
sub gap
{
	my ($from, $to, $stars) = @_;
	my $tabs = int($to / 4) - int($from / 4);
	return ' ' x ($to - $from) if $tabs == 0 || $to - $from == 1 || $stars && $from % 4 == 3;
	return "\t" x $tabs . ' ' x ($to % 4);
}

sub place_name
{
	my ($indent, $type, $stars, $rest) = @_;
	my $from = length $type;
	my $to = $name_column - length $stars;
	$to = $from + 1 if $to <= $from;
	return ($indent . $type . gap($from, $to, $stars ne '') . $stars . $rest, $to - $from - 1);
}

sub place_comment
{
	my $line = shift;
	$line =~ m{^(\s*[^\s/].*?)[ \t]+(/\*.*)$} or return $line;
	my ($code, $comment) = ($1, $2);
	return $line if without_literals($code) =~ /["']/;
	my $w = width($code);
	return $code . gap($w, $w < $comment_column ? $comment_column : $w + 4 - $w % 4) . $comment;
}

sub without_literals
{
	my $text = shift;
	$text =~ s/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'//g;
	return $text;
}

# How many brackets a line opens, less those that it closes.
sub opened
{
	my $text = without_literals(shift);
	return ($text =~ tr/([//) - ($text =~ tr/)]//);
}

sub shifted
{
	my ($line, $by) = @_;
	$line =~ s/^(\s*)//;
	my $w = width($1) + $by;
	return "\t" x int($w / 4) . ' ' x ($w % 4) . $line;
}

sub format_lines
{
	my ($off, $comment, $macro, $depth, $shift) = (0, 0, 0, 0, 0);
	for (@_)
	{
		if (/clang-format (on|off)/) { $off = $1 eq 'off'; next }
		next if $off;
		if ($comment || m{^\s*/\*})
		{
			s/^(\s*\*)(?=\w)/$1 / if $comment;	# clang-format's wrapping may lose this space
			$comment = !m{\*/};
		}
		elsif ($macro || /^#/)
		{
			$macro = /\\$/;
			$_ = place_comment($_);
		}
		else
		{
			if ($depth > 0) { $_ = shifted($_, $shift) if $shift }
			elsif ($_ =~ $declaration) { ($_, $shift) = place_name($1, $2, $3, $4) }
			else { $shift = 0 }
			$depth += opened($_ =~ s{/\*.*}{}r);
			$_ = place_comment($_);
			$comment = m{/\*(?!.*\*/)};
		}
	}
	return @_;
}

for my $file (@ARGV)
{
	open my $in, '<', $file or die "$file: $!\n";
	chomp(my @lines = <$in>);
	close $in;
	@lines = format_lines(@lines);
	open my $out, '>', $file or die "$file: $!\n";
	print $out "$_\n" for @lines;
	close $out or die "$file: $!\n";
}
