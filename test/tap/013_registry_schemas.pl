# Two registries in one database, one with row security: neither sees the other,
# no text of one speaks of the other, and dumps bring both back whole.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use lib dirname(abs_path(__FILE__));
use catalog;

my $node = PostgreSQL::Test::Cluster->new('two');
$node->init;
$node->start;
$node->safe_psql('postgres', "create role $_") for qw(upgrade_reader upgrade_writer upgrade_admin);
$node->safe_psql('postgres', 'create database two');
$node->safe_psql('two', 'create extension peftarith');

my $fill = slurp_file(dirname(abs_path(__FILE__)) . '/../upgrade/fill.sql');
my %create = (
	registry => q{select registry_create('upgrade_reader', 'upgrade_writer', 'upgrade_admin')},
	models => q{select registry_create('upgrade_reader', 'upgrade_writer', 'upgrade_admin',
		row_security => true, schema => 'models')});
for my $schema (sort keys %create)
{
	my $sql = $fill;
	$sql =~ s/^select registry_create.*$/$create{$schema};/m or die;
	$sql =~ s/\bregistry\./$schema./g;
	$node->safe_psql('two', $sql);
}

# verified DATABASE LABEL: nothing is wrong with either
sub verified
{
	my ($database, $label) = @_;
	is($node->safe_psql($database, "select * from $_.verify(recompute => true)"), '',
		"$_ $label: nothing is wrong") for qw(registry models);
}
verified('two', 'side by side');

# What the catalog has of one speaks of it alone.
my $texts = q{
	select 'function ' || oid::regprocedure, pg_get_functiondef(oid) || obj_description(oid, 'pg_proc')
		from pg_proc where pronamespace = 'SCHEMA'::regnamespace
	union all select 'description of ' || objoid, description from pg_description
		where classoid = 'pg_class'::regclass
		and objoid in (select oid from pg_class where relnamespace = 'SCHEMA'::regnamespace)
	union all select 'trigger ' || tgname, pg_get_triggerdef(oid) || obj_description(oid, 'pg_trigger')
		from pg_trigger
		where not tgisinternal and tgrelid in (select oid from pg_class
			where relnamespace = 'SCHEMA'::regnamespace)
	union all select 'constraint ' || conname, pg_get_constraintdef(oid) from pg_constraint
		where connamespace = 'SCHEMA'::regnamespace
	union all select 'policy ' || policyname, concat(qual, with_check) from pg_policies
		where schemaname = 'SCHEMA'};
for (['registry', 'models'], ['models', 'registry'])
{
	my ($schema, $other) = @$_;
	my $of_it = $texts =~ s/SCHEMA/$schema/gr;
	cmp_ok($node->safe_psql('two',
		"select count(*) from ($of_it) t(what, text) where text ~ '\\m$schema(\\.|_alias)'"), '>', 60,
		"texts of $schema");
	is($node->safe_psql('two',
		"select what from ($of_it) t(what, text) where text ~ '\\m$other(\\.(?!md)[a-z]|_alias\\M)'
			order by 1"), '', "none of them speaks of $other");
}

# What happens in one does not happen in the other.
my $told = $node->safe_psql('two',
	q{listen registry_alias; listen models_alias; select models.set_alias('x', 'production', 1)});
like($told, qr/notification "models_alias"/, 'a move is told under the name of its registry');
unlike($told, qr/registry_alias/, 'and under no other');
$node->safe_psql('two', q{select count(*) from models.revoke('y@1', 'withdrawn')});
is($node->safe_psql('two', q{select registry.digest('y') = d.digest, registry.is_live(d.digest),
	models.is_live(d.digest)
	from models.version d where d.entry = 'y'}),
		't|t|f', 'a digest that is revoked in one is not in the other');
is($node->safe_psql('two',
	q{set role upgrade_writer; select count(*) > 0 from registry.version; select count(*)
		from models.version}), "t\n0", 'row security of one alone');
my (undef, undef, $error) = $node->psql('two', q{select models.get('y@1')});
like($error, qr/is revoked\nHINT:  models\.lineage\(\) shows which/, 'an error speaks of its own registry');
for my $wrong ('registry_upgrade(\'nothing\')', 'registry_drop(true, \'nothing\')')
{
	(undef, undef, $error) = $node->psql('two', "select $wrong");
	like($error, qr/there is no registry in schema "nothing"/, $wrong);
}

# Dumps of both.
my $folder = tempdir(CLEANUP => 1);
my %catalog = map { my %of = catalog::queries($_); my $schema = $_;
	map { ("$schema: $_" => $of{$_}) } keys %of } qw(registry models);
my %contents = map { my $schema = $_; map { ("$schema.$_" => qq{select * from $schema."$_" t
	order by t}) } qw(entry story edge alias alias_history log log_head event step made) }
	qw(registry models);
my $catalog = catalog::rows($node, 'two', %catalog);
my $contents = catalog::rows($node, 'two', %contents);
cmp_ok(length $contents->{$_}, '>', 0, "$_: something to compare") for sort keys %contents;

# restored DATABASE LABEL: both are there, verified, upgraded and go on
sub restored
{
	my ($database, $label) = @_;
	is_deeply(catalog::rows($node, $database, %catalog), $catalog, "the catalog $label");
	is_deeply(catalog::rows($node, $database, %contents), $contents, "the contents $label");
	verified($database, $label);
	for my $schema (qw(registry models))
	{
		$node->safe_psql($database, "select registry_upgrade('$schema')");
		is($node->safe_psql($database, "select $schema.commit('new', 0.125 * $schema.get('x'))"), 'new@1',
			"$schema $label: goes on after an upgrade");
	}
	is_deeply(catalog::rows($node, $database, %catalog), $catalog, "the catalog $label, after an upgrade");
	verified($database, "$label, later");
}
for my $way ('-Fc', '-Fp')
{
	my ($database, $file) = ('whole' . lc substr($way, 2), "$folder/whole$way");
	$node->safe_psql('postgres', "create database $database");
	$node->command_ok(['pg_dump', $way, '-f', $file, $node->connstr('two')], "pg_dump $way");
	$node->command_ok($way eq '-Fp' ? ['psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d',
		$node->connstr($database), '-f', $file]
		: ['pg_restore', '--exit-on-error', '-d', $node->connstr($database), $file], "restore of $way");
	restored($database, "after $way");
}
$node->safe_psql('postgres', 'create database parts');
$node->command_ok(['pg_dump', '--schema-only', '-f', "$folder/schema", $node->connstr('two')],
	'pg_dump --schema-only');
$node->command_ok(['psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('parts'), '-f',
	"$folder/schema"], 'restore of the schema');
is_deeply(catalog::rows($node, 'parts', %catalog)->{$_}, $catalog->{$_}, "$_ after the schema alone")
	for grep { !/: (steps|made)$/ } sort keys %catalog;
$node->command_ok(['pg_restore', '--exit-on-error', '--data-only', '--disable-triggers', '-d',
	$node->connstr('parts'), "$folder/whole-Fc"], 'restore of the data');
$node->safe_psql('parts', "select $_.protect()") for qw(registry models);
restored('parts', 'after schema and data');

# A schema gets another name.
$node->safe_psql('wholec', q{alter schema models rename to team; select registry_upgrade('team')});
my %team = catalog::queries('team');
my %renamed = %{catalog::rows($node, 'wholec', %team)};
is($renamed{$_} =~ s/\bteam\b/models/gr =~ s/\bteam_alias\b/models_alias/gr, $catalog->{"models: $_"},
	"$_ after another name")
	for grep { !/^columns$/ } sort keys %renamed;
is($node->safe_psql('wholec', q{select team.commit('named', 0.25 * team.get('x'))}), 'named@1',
	'it goes on under another name');
is($node->safe_psql('wholec', 'select * from team.verify(recompute => true)'), '', 'and nothing is wrong');

# One goes.
$node->safe_psql('wholep', q{select registry_drop(true, 'models')});
is($node->safe_psql('wholep',
	q{select to_regnamespace('models') is null; select * from registry.verify(recompute => true)}), "t",
	'the other stays');

$node->stop;
done_testing();
