# Prepared transactions, and transactions that fail when they commit: what was
# prepared before a revocation, an erasure or a settling and committed after it is
# as what was open meanwhile, also if the server crashed in between; what fails at
# its end leaves nothing.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use lib dirname(abs_path(__FILE__));
use leaf;

my $node = PostgreSQL::Test::Cluster->new('prepared');
$node->init;
$node->append_conf('postgresql.conf', "max_prepared_transactions = 10\nlock_timeout = '500ms'");
$node->start;
$node->safe_psql('postgres', 'create extension peftarith;' . $leaf::sql . q{
	select registry_create();
	create table made (name text, a adapter);
});

# said SQL: what it prints, or its SQLSTATE
sub said
{
	my ($sql) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY sqlstate\n$sql");
	return $err =~ /ERROR:  (\w{5})/ ? $1 : $out;
}

# prepare NAME, SQL: in one session, which ends
sub prepare
{
	my ($name, $sql) = @_;
	return said("begin; $sql; prepare transaction '$name';");
}

# crash: prepared transactions outlive it
sub crash
{
	my ($label) = @_;
	my $open = q{select string_agg(gid, ' ' order by gid) from pg_prepared_xacts};
	my $before = said($open);
	$node->stop('immediate');
	$node->start;
	is(said($open), $before, "$label: prepared before a crash, prepared after it");
}

# settled LABEL: it comes to an end, and marks what a walk finds
sub settled
{
	my ($label) = @_;
	my $left;
	for (1 .. 4)
	{
		$left = said('select registry.settle()');
		last if $left eq '0';
	}
	is($left, '0', "$label: it is settled");
	sound($label);
}

sub sound
{
	my ($label) = @_;
	is(said('select registry.seal() >= 0; select * from registry.verify(recompute => true)'), 't', "$label: nothing is wrong");
}

sub dead
{
	my ($ref, $label) = @_;
	is(said("select registry.is_live('$ref'::text), registry.is_live(registry.digest('$ref'))"), 'f|f', "$label: $ref is not live");
	is(said("select registry.get('$ref')"), '55000', "$label: nor read");
	my ($entry, $number) = split /@/, $ref;
	is(said("select registry.set_alias('$entry', 'candidate', $number)"), '55000', "$label: nor given an alias");
	is(said("insert into registry.alias (entry, alias, number) values ('$entry', 'candidate', $number)"), '55000',
		"$label: nor by plain SQL");
	is(said("select registry.commit('after', 0.5 * registry.get('$ref', true))"), '55000', "$label: nor is anything made of it");
}

# Of each leaf something that was evaluated where it is committed, and something that was not.
my $n = 0;
sub fresh
{
	my ($x) = map { "x$_" } ++$n;
	$node->safe_psql('postgres', qq{
		select registry.commit('$x', leaf($n));
		insert into made select '$x', 0.25 * leaf($n)});
	return $x;
}
my %commits = (
	'a fact' => sub { "select registry.commit('of $_[0]', 0.5 * registry.get('$_[0]', true))" },
	'a claim' => sub { "select registry.commit('of $_[0]', a) from made where name = '$_[0]'" },
	'a virtual version' => sub { "select registry.commit_virtual('of $_[0]', 0.5 * registry.get('$_[0]', true))" });

for my $kind (sort keys %commits)
{
	my $x = fresh();
	is(prepare('late', $commits{$kind}->($x)), "of $x\@1", "$kind is prepared");
	is(said("select count(*) from registry.revoke('$x\@1', 'withdrawn')"), '1', "$kind: the revocation waits for nobody");
	is(said("select registry.is_live('$x\@1'::text)"), 'f', "$kind: what it is of is not live");
	is(said('select registry.settle()'), '1', "$kind: settling does not come to an end") for 1 .. 3;
	crash($kind);
	is(said('select registry.settle()'), '1', "$kind: nor after a crash") for 1 .. 3;
	is(said("select count(*) from registry.version where entry = 'of $x'"), '0', "$kind: it is not there");
	is(said("commit prepared 'late'"), '', "$kind: it is committed");
	dead("of $x\@1", "$kind, not settled");
	crash("$kind, committed");
	dead("of $x\@1", "$kind, not settled, after a crash");
	settled($kind);
	dead("of $x\@1", "$kind, settled");
}

# Two, of which the second was made of the first's digest and says so: one pass
# after the first is gone is not enough.
{
	my $x = fresh();
	is(prepare('one', $commits{'a fact'}->($x)), "of $x\@1", 'the first is prepared');
	is(prepare('two', "select registry.commit('of of $x', adapter_scale(0.5 * registry.get('$x', true), 0.5))"), "of of $x\@1",
		'and one that descends from its digest');
	is(said("select registry.revoke_digest(registry.digest('$x\@1'), 'withdrawn')"), 't', 'the mark waits for nobody');
	is(said('select registry.settle()'), '1', 'both are open') for 1 .. 2;
	said("commit prepared 'one'");
	is(said('select registry.settle()'), '1', 'one is open') for 1 .. 3;
	crash('one is open');
	said("commit prepared 'two'");
	dead("of $x\@1", 'the first');
	dead("of of $x\@1", 'the second');
	settled('both');
	dead("of of $x\@1", 'the second, settled');
}

# What is rolled back leaves nothing, and settling ends.
{
	my $x = fresh();
	my $two = $commits{'a fact'}->($x) . "; select registry.commit('$x', leaf(1000))";
	is(prepare('never', $two), "of $x\@1\n$x\@2", 'to be rolled back');
	said("select registry.revoke_digest(registry.digest('$x\@1'), 'withdrawn')");
	is(said('select registry.settle()'), '1', 'it is open') for 1 .. 2;
	crash('to be rolled back');
	said("rollback prepared 'never'");
	settled('rolled back');
	is(said("select count(*) from registry.entry where name = 'of $x'"), '0', 'its entry is not there');
	is(said("select registry.commit('$x', leaf(1000))"), "$x\@2", 'nor its number taken');
}

# A revocation holds from the commit of its mark on, whatever came in meanwhile.
{
	my $x = fresh();
	my $y = fresh();
	is(prepare('mark', "select registry.revoke_digest(registry.digest('$x\@1'), 'withdrawn')"), 't', 'a mark is prepared');
	is(said("select registry.is_live('$x\@1'::text)"), 't', 'it does not hold yet');
	is(said('select registry.settle()'), '0', 'nor is it settled');
	is(said($commits{'a fact'}->($x)), "of $x\@1", 'it holds up no commit');
	is(said("select registry.set_alias('of $x', 'production', 1)"), '', 'nor a move of an alias');
	is(said("select registry.revoke_digest(registry.digest('$y\@1'), 'other')"), 't', 'nor another revocation');
	is(said("select registry.revoke_digest(registry.digest('$x\@1'), 'again')"), '55P03', 'but one of the same digest');
	is(said('select registry.settle()'), '1', 'settling the other waits for its end') for 1 .. 3;
	sound('a mark');
	crash('a mark');
	said("commit prepared 'mark'");
	dead("of $x\@1", 'marked');
	is(said("select registry.digest('of $x\@production') = registry.digest('of $x\@1')"), 't', 'the alias is still there');
	settled('marked');
	is(said("select registry.digest('of $x\@production')"), '42704', 'and is taken off by settling');
}

# A pass that was prepared holds up those that come after it, and not who asks.
{
	my $x = fresh();
	said($commits{'a fact'}->($x));
	said("select registry.revoke_digest(registry.digest('$x\@1'), 'withdrawn')");
	is(prepare('pass', 'select registry.settle()'), '1', 'a pass is prepared');
	is(said('select registry.settle()'), '1', 'another leaves to it what it has') for 1 .. 2;
	dead("of $x\@1", 'a pass is prepared');
	crash('a pass');
	said("rollback prepared 'pass'");
	settled('a pass');
}

# An erasure and a virtual version over the value exclude each other, whichever is first.
{
	my $x = fresh();
	my $virtual = $commits{'a virtual version'}->($x);
	is(prepare('gone', "select registry.erase('$x\@1', 'personal data')"), '', 'an erasure is prepared');
	is(said("select registry.get('$x\@1') = leaf($n)"), 't', 'the value is still there');
	is(said($virtual), '55P03', 'a virtual version over it waits');
	crash('an erasure');
	is(said($virtual), '55P03', 'also after a crash');
	said("commit prepared 'gone'");
	is(said("select registry.get('$x\@1')"), '55000', 'the value is gone');
	is(said("select registry.commit_virtual('of $x', 0.5 * leaf($n))"), '55000', 'and the virtual version is refused');
	sound('an erasure');

	$x = fresh();
	$virtual = $commits{'a virtual version'}->($x);
	is(prepare('over', $virtual), "of $x\@1", 'a virtual version is prepared');
	is(said("select registry.erase('$x\@1', 'personal data')"), '55P03', 'an erasure of what it needs waits');
	crash('a virtual version');
	is(said("select registry.erase('$x\@1', 'personal data')"), '55P03', 'also after a crash');
	said("commit prepared 'over'");
	is(said("select registry.erase('$x\@1', 'personal data')"), '55000', 'and is refused');
	is(said("select registry.get('of $x') = 0.5 * leaf($n)"), 't', 'the virtual version is whole');
	is(prepare('stored', "select registry.materialize('of $x')"), '', 'that it is given its value is prepared');
	is(said("select registry.erase('$x\@1', 'personal data')"), '55000', 'which does not help yet');
	crash('materializing');
	said("commit prepared 'stored'");
	is(said("select registry.erase('$x\@1', 'personal data')"), '', 'and then does');
	sound('a virtual version');
}

# NOTIFY cannot be prepared, so what moves an alias cannot, and leaves nothing.
{
	my $x = fresh();
	my $both = "select registry.commit('$x', leaf(2000)); select registry.set_alias('$x', 'production', 1)";
	is(prepare('moved', $both), "0A000", 'a move of an alias cannot be prepared');
	is(said("select registry.digest('$x\@2')"), '42704', 'nor what is in its transaction');
	is(said("select registry.alias_at('$x', 'production', now())"), '', 'no history is left');
	said("select registry.set_alias('$x', 'production', 1)");
	is(prepare('taken', "delete from registry.alias where entry = '$x'"), '0A000', 'nor that it is removed');
	is(prepare('taken', "select count(*) from registry.revoke('$x\@1', 'withdrawn')"), '0A000', 'nor a revocation that takes it off');
	is(said("select registry.is_live('$x\@production'::text)"), 't', 'which did not happen');
	is(prepare('mark', "select registry.revoke_digest(registry.digest('$x\@1'), 'withdrawn')"), 't', 'its mark can be');
	said("commit prepared 'mark'");
	is(prepare('pass', 'select registry.settle()'), '0A000', 'a pass that takes aliases off cannot');
	settled('aliases');
	is(said("select registry.digest('$x\@production')"), '42704', 'the alias is taken off');
	is(said('select count(*) from pg_prepared_xacts'), '0', 'nothing is left prepared');
}

# A prepared transaction's events are sealed after it; one that has sealed holds up sealing.
{
	my $x = fresh();
	said('select registry.seal()');
	is(prepare('event', $commits{'a fact'}->($x)), "of $x\@1", 'a commit is prepared');
	is(said('select registry.seal()'), '0', 'it has no place in the log yet');
	crash('an event');
	said("commit prepared 'event'");
	is(prepare('sealed', 'select registry.seal()'), '1', 'then it has, and that is prepared');
	is(said('select registry.seal()'), '55P03', 'which holds up sealing');
	is(said("select registry.commit('$x', leaf(3000))"), "$x\@2", 'and no commit');
	crash('sealed');
	said("rollback prepared 'sealed'");
	is(said('select registry.seal()'), '2', 'what was rolled back is sealed anew');
	sound('sealing');
}

# A transaction that fails when it commits.
{
	my $x = fresh();
	$node->safe_psql('postgres', q{
		create table parent (id int primary key);
		create table child (id int references parent deferrable initially deferred)});
	my $counts = q{select (select count(*) from registry.version), (select count(*) from registry.story),
		(select count(*) from registry.claim_set), (select count(*) from registry.event), (select count(*) from registry.alias_history)};
	my $before = said($counts);
	for my $kind (sort keys %commits)
	{
		my $commit = $commits{$kind}->($x);
		is(said("begin; insert into child values (1); $commit; select registry.set_alias('$x', 'production', 1); commit"), '23503',
			"$kind: its transaction fails when it commits");
		is(prepare('failed', "insert into child values (1); $commit"), '23503', "$kind: or is prepared");
	}
	for my $act ('select registry.erase', 'select count(*) from registry.revoke')
	{
		is(said("begin; insert into child values (1); $act('$x\@1', 'gone'); commit"), '23503', "$act fails when it commits");
	}
	is(said($counts), $before, 'nothing is left of any');
	is(said("select registry.is_live('$x\@1'::text), registry.get('$x\@1') = leaf($n)"), 't|t', 'neither revoked nor erased');
	sound('failed');
	is(said($commits{'a fact'}->($x)), "of $x\@1", 'the next one takes the number');
	settled('failed');
}

$node->stop;
done_testing();
