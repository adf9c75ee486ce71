# A registry under logical replication: the subscriber's rows are the publisher's,
# and verify finds nothing wrong with them, whatever happens to a version.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use lib dirname(abs_path(__FILE__));
use leaf;

my $publisher = PostgreSQL::Test::Cluster->new('publisher');
$publisher->init(allows_streaming => 'logical');
$publisher->start;
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init;
$subscriber->start;
$_->safe_psql('postgres', q{create extension peftarith; select registry_create()})
	for $publisher, $subscriber;
$publisher->safe_psql('postgres', $leaf::sql . q{
	select registry.commit('x', leaf(1));
	select registry.commit('y', leaf(2));
});

# All tables but those that say what a registry is made of: the subscriber has its
# own.  Its log makes room for the publisher's, as for a restore of data alone.
my $tables = $publisher->safe_psql('postgres', q{select string_agg(oid::regclass::text, ', ' order by relname)
	from pg_class where relnamespace = 'registry'::regnamespace and relkind = 'r'
		and relname not in ('step', 'made')});
$subscriber->safe_psql('postgres', q{
	begin;
	alter table registry.log disable trigger log_refuse;
	alter table registry.log_head disable trigger log_head_refuse;
	delete from registry.log;
	delete from registry.log_head;
	select registry.protect();
	commit});
$publisher->safe_psql('postgres', "create publication registry for table $tables");
$subscriber->safe_psql('postgres', q{create subscription registry connection '}
		. $publisher->connstr . q{ dbname=postgres' publication registry});
$subscriber->wait_for_subscription_sync($publisher, 'registry');

# replicated LABEL: the rows are the same, and nothing is wrong on either
sub replicated
{
	my ($label) = @_;
	$publisher->wait_for_catchup('registry');
	for my $table (split /, /, $tables)
	{
		my $rows = "select to_jsonb(t) - 'value', md5(to_jsonb(t) ->> 'value') from $table t order by 1, 2";
		is($subscriber->safe_psql('postgres', $rows), $publisher->safe_psql('postgres', $rows),
			"$label: rows of $table");
	}
	my $checkpoint = $publisher->safe_psql('postgres', 'select registry.checkpoint()');
	is($_->safe_psql('postgres', "select * from registry.verify('$checkpoint', recompute => true)"), '',
		"$label: nothing is wrong on the " . $_->name)
		for $publisher, $subscriber;
}
replicated('what was there');

# Each in its own transaction, and some in one.
my @steps = (
	['commits', q{
		select registry.commit('z', leaf(3));
		select registry.commit('m', 0.5 * registry.get('x') + 0.5 * registry.get('z'));
		begin;
		select registry.commit('m', adapter_scale(registry.get('m'), 0.5));
		select registry.commit_virtual('v', 0.25 * registry.get('x') + 0.75 * registry.get('y'));
		commit}],
	['a virtual version is given its value', q{select registry.materialize('v')}],
	['aliases', q{
		select registry.set_alias('m', 'production', 1);
		select registry.set_alias('m', 'production', 2);
		select registry.set_alias('v', 'candidate', 1);
		delete from registry.alias where alias = 'candidate'}],
	['a revocation', q{select count(*) from registry.revoke('z@1', 'withdrawn')}],
	['a composition anew', q{select registry.recompose('m@1', 'z@1')}],
	['an erasure', q{select registry.erase('z@1', 'withdrawn')}],
	['what comes after', q{select registry.commit('m', 0.125 * registry.get('x'))}],
);
for (@steps)
{
	my ($label, $sql) = @$_;
	$publisher->safe_psql('postgres', $sql);
	replicated($label);
}
is($subscriber->safe_psql('postgres', q{select registry.is_live(registry.digest('m@1'))}), 'f',
	'what is revoked is revoked there');

# It takes over; sequences are not replicated.
$subscriber->safe_psql('postgres', 'drop subscription registry');
$subscriber->safe_psql('postgres', 'select registry.protect()');
is($subscriber->safe_psql('postgres', q{select registry.commit('m', 0.375 * registry.get('x'))}), 'm@5',
	'numbering goes on');
is($subscriber->safe_psql('postgres', 'select * from registry.verify(recompute => true)'), '',
	'and nothing is wrong');

$subscriber->stop;
$publisher->stop;
done_testing();
