# ALTER EXTENSION UPDATE, from each released version (sql/released): the catalog
# becomes that of a fresh installation, object by object; values, digests and
# registries stay; and until it is called, the library of today runs the SQL of
# then.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use lib dirname(abs_path(__FILE__));
use catalog;

my $fill = dirname(abs_path(__FILE__)) . '/../upgrade/fill.sql';
my $node = PostgreSQL::Test::Cluster->new('extension_upgrade');
$node->init;
$node->start;
$node->safe_psql('postgres', "create role upgrade_$_") for qw(reader writer admin);

# The version at hand is the control file's; an install script is enough to be of another one.
my $version = $node->safe_psql('postgres',
	"select default_version from pg_available_extensions where name = 'peftarith'");
# Of scripts that lie there only those that a step begins with (test/gates/upgrade.sh: each released
# one); what an earlier build has left is none.
my @released = split /\n/, $node->safe_psql('postgres',
	"select v.version from pg_available_extension_versions v
		join pg_extension_update_paths('peftarith') u on u.source = v.version and u.target = '$version' and u.path is not null
		where v.name = 'peftarith' order by 1");
if (!@released)
{
	diag('skipped: no released version is installed (make install-released)');
	plan skip_all => 'skipped: no released version is installed (make install-released)';
}

my %extension = catalog::extension('peftarith');
my %registry = catalog::queries('registry');
my $row_security = "select registry_create('upgrade_reader', 'upgrade_writer', 'upgrade_admin', row_security => true)";

$node->safe_psql('postgres', 'create database fresh');
$node->safe_psql('fresh', 'create extension peftarith');
$node->safe_psql('fresh', $row_security);
my $fresh = catalog::rows($node, 'fresh', %extension);
cmp_ok(scalar(split /\n/, $fresh->{functions}), '>', 100, 'functions are seen');
cmp_ok(length $fresh->{$_}, '>', 10, "rows of $_")
	for grep { !/^(first rights|functions of families)$/ } sort keys %extension;

# same_rows GOT WANTED NAME: the lines that differ are told, and not all of them
sub same_rows
{
	my ($got, $wanted, $name) = @_;
	my %got = map { $_ => 1 } split /\n/, $got;
	my %wanted = map { $_ => 1 } split /\n/, $wanted;
	is_deeply([ map { substr($_, 0, 300) } sort grep { !$wanted{$_} } keys %got ],
		[ map { substr($_, 0, 300) } sort grep { !$got{$_} } keys %wanted ], $name);
}

# Values in every place, and what can be told of them.
my $values = q{
	create table kept (n integer primary key, a adapter, d adapter_delta, many adapter[]);
	insert into kept select v.n, v.value, delta(v.value), array[v.value, 0.5 * v.value]
	from (select row_number() over (order by entry, number)::integer n, value
		from registry.version where value is not null and adapter_rank(value) = 1) v;
	create unique index on kept (adapter_digest(a));
	create index on kept (a);
	create view composed as select x.n, 0.5 * x.a + 0.25 * y.a as a, x.a <=> y.a as far
		from kept x join kept y on y.n = x.n % 3 + 1;
	create materialized view averages as select avg(a) a from kept where n <= 3;
};
my $facts = q{
	select n, adapter_digest(a), adapter_envelope_digest(a), sha256(adapter_send(a)), adapter_recipe(a),
		adapter_norm(d), (select array_agg(adapter_digest(m)) from unnest(many) m), adapter_check(a)
	from kept order by n;
	select n, adapter_digest(a), far from composed order by n;
	select adapter_digest(a), adapter_recipe(a) from averages;
	select adapter_digest(adapter_truncate(delta(x.a) + delta(y.a), rank => 1)), adapter_sketch(x.a, 8, 1)
	from kept x, kept y where (x.n, y.n) = (1, 2);
	select entry, number, adapter_digest(registry.get(entry || '@' || number, true))
	from registry.version where erased_at is null order by 1, 2;
	select * from registry.lineage('mix@3') order by depth, names;
	select kind, fields from registry.log order by position;
};

for my $from (@released)
{
	my $database = 'from_' . $from =~ tr/./_/r;
	$node->safe_psql('postgres', "create database $database");
	$node->safe_psql($database, "create extension peftarith version '$from'");
	$node->safe_psql($database, slurp_file($fill) . $values);
	$node->safe_psql($database, 'select registry.seal()');
	my $before = $node->safe_psql($database, $facts);
	cmp_ok(length $before, '>', 2000, "$from: facts");
	my $checkpoint = $node->safe_psql($database, 'select registry.checkpoint()') =~ s/'/''/gr;
	is($node->safe_psql($database, 'select * from registry.verify(recompute => true)'), '',
		"$from: the library of today runs the SQL of then");

	$node->safe_psql($database, 'alter extension peftarith update');
	my $after = catalog::rows($node, $database, %extension);
	same_rows($after->{$_}, $fresh->{$_}, "$from: $_ as in a fresh installation") for sort keys %extension;
	is($node->safe_psql($database, $facts), $before, "$from: the same values and facts");
	is($node->safe_psql($database, 'select * from registry.verify(recompute => true)'), '',
		"$from: a registry that is not upgraded yet");
	$node->safe_psql($database, 'select registry_upgrade()');
	is_deeply(catalog::rows($node, $database, %registry), catalog::rows($node, 'fresh', %registry),
		"$from: the registry is that of a new one");
	is($node->safe_psql($database, $facts), $before, "$from: and has the same contents");
	is($node->safe_psql($database, "select * from registry.verify('$checkpoint', true)"), '',
		"$from: a checkpoint of then stands");
	is($node->safe_psql($database, q{select registry.commit('mix', 0.125 * registry.get('x'))}), 'mix@4',
		"$from: commits go on");
}

$node->stop;
done_testing();
