#!/bin/bash
# For whom each function of the registry is stands in the line before it (see
# sql/registry/rights.awk); whoever may call it may call what it calls; and what
# is not offered to anybody is called by something.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

perl -0777 -e '
	# roles, and whose functions they have too, whether or not rows are secured
	my %has = ("reader" => ["reader"], "log reader" => ["reader", "log reader"], "writer" => ["reader", "writer"],
		"admin" => ["reader", "log reader", "writer", "admin"], "owner" => undef, "nobody" => undef);
	my (%right, %offered, %as_caller, %calls, %called);

	# What a text calls; comments, what is said to people, and names of functions in commands call nothing.
	sub calls_of
	{
		my ($text) = @_;
		$text =~ s/^\s*--.*$//gm;
		$text =~ s/\b(?:hint|detail)\s*=\s*\x27(?:[^\x27]|\x27\x27|\x27\n\s*\x27)*\x27//g;
		$text =~ s/^(?:comment|revoke)\b.*?;$//gms;
		return grep { $_ } $text =~ /(?:\@registry\@|\bregistry|%[Is])\.(\w+)\s*\(/g;
	}

	for my $file (@ARGV)
	{
		open my $in, "<", $file or die "$file: $!";
		my $text = <$in>;
		my $lines = () = $text =~ /^-- For:/gm;
		my $used = 0;
		# a body is a string, or bound when it is made
		while ($text =~ s/^(?:-- For: ([^\n]*)\n)?create or replace function \@registry\@\.(\w+)((?:(?!\$\$|\bbegin atomic\b|\breturn\b).)*)(?:\$\$(.*?)\$\$|\bbegin atomic\b(.*?)^end|\breturn\b(.*?));$//ms)
		{
			my ($for, $name, $head, $body) = ($1, $2, $3, $4 // $5 // $6);
			$calls{$name}{$_} = 1 for grep { $_ ne $name } calls_of($body);
			$as_caller{$name} = 1 unless $head =~ /security definer/;
			print "$file: $name: no line \"-- For: ...\" before it\n" and next unless defined $for;
			$used++;
			print "$file: $name: for $for here, for $right{$name} elsewhere\n" if exists $right{$name} && $right{$name} ne $for;
			$right{$name} = $for;
		}
		print "$file: a line \"-- For: ...\" that is not before a function\n" if $used != $lines;
		$called{$_} = 1 for calls_of($text);
	}
	for my $name (sort keys %right)
	{
		$right{$name} =~ /^(.*?)(, inside)?$/;
		($right{$name}, $offered{$name}) = ($1, !$2 && $1 ne "nobody");
		print "$name: $1 is no role\n" unless exists $has{$1};
	}
	for my $name (sort keys %calls)
	{
		for my $callee (sort grep { exists $right{$_} } keys %{$calls{$name}})
		{
			$called{$callee} = 1;
			my $roles = $has{$right{$name} // "nobody"} or next;
			print "$name, which is for $right{$name}, calls $callee, which is for $right{$callee}\n"
				if $as_caller{$name} && !grep { $_ eq $right{$callee} } @$roles;
		}
	}
	print "$_: offered to nobody, and nothing calls it\n" for grep { !$offered{$_} && !$called{$_} } sort keys %right;
' sql/registry/*.sql sql/install/90-registry.sql | fail_lines "rights" || true
finish
