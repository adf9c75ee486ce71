# Dump and restore of a registry with an owner who is no superuser, roles, row
# security and a history into another cluster: nothing is numbered or logged
# again, policies, grants and triggers are there (tables of an extension would
# lose both: a trigger fires again on their data, policies of their users are not
# dumped), and it goes on.  Data alone by the recipe of doc/registry.md.
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

my $source = PostgreSQL::Test::Cluster->new('source');
my $target = PostgreSQL::Test::Cluster->new('target');
for my $node ($source, $target)
{
	$node->init;
	$node->start;
}
# Names that need quotes, and an extension that is not in public.
my $extension = q{create schema "Peft ext"; create extension peftarith schema "Peft ext"; grant usage on schema "Peft ext" to public};
$source->safe_psql('postgres', q{
	create role "reg owner" login;
	create role reader;
	create role writer;
	create role admin login;
	create role alice login;
	create role bob login;
	grant writer to alice, bob;
	create database reg owner "reg owner";
});
$source->safe_psql('reg', $extension . q{;
	create function public.leaf(n int) returns "Peft ext".adapter language sql immutable set search_path = "Peft ext" as $$
		select adapter_from_json(format('{"config": {"peft_type": "LORA", "base_model_name_or_path": "b", "r": 1, "lora_alpha": 1},
			"tensors": {"base_model.model.m.lora_A.weight": {"dtype": "F32", "shape": [1, 2000], "data": [%s]},
			            "base_model.model.m.lora_B.weight": {"dtype": "F32", "shape": [2000, 1], "data": %s}}}',
			(select json_agg(sin(n * 1000 + i)) from generate_series(1, 2000) i),
			(select json_agg(array[cos(n * 1000 + i)]) from generate_series(1, 2000) i))::json)
	$$;
});

# as ROLE, SQL
sub as
{
	my ($node, $database, $role, $sql) = @_;
	return $node->safe_psql($database, qq{set search_path = public, "Peft ext"; $sql}, extra_params => ['-U', $role]);
}

as($source, 'reg', 'reg owner', q{select registry_create('reader', 'writer', 'admin', row_security => true)});
as($source, 'reg', 'alice', $_) for (
	q{select registry.commit('hers', leaf(1), 'first ü')},
	q{select registry.commit('hers', leaf(2))},
	q{select registry.commit('mix', 0.4 * registry.get('hers@1') + 0.6 * registry.get('hers@2'))},
	q{select registry.commit('mix', adapter(0.5 * delta(registry.get('hers@1')) + 0.25 * delta(registry.get('mix@1'))))},
	q{select registry.commit_virtual('sweep', 0.25 * registry.get('hers@1') + 0.75 * registry.get('hers@2'))},
	q{select registry.commit_virtual('sweep', 0.75 * registry.get('hers@1') + 0.25 * registry.get('hers@2'))},
	q{select registry.materialize('sweep@2')},
	q{select registry.set_alias('mix', 'production', 1)},
	q{select registry.set_alias('mix', 'production', 2, 1)},
	q{select registry.set_alias('mix', 'candidate', 1)},
	q{select registry.remove_alias('mix', 'candidate')},
	q{select registry.set_alias('hers', 'production', 1)});
as($source, 'reg', 'bob', $_) for (q{select registry.commit('his', leaf(3), 'his own')},
	q{select registry.commit('his', 0.5 * registry.get('his'))}, q{select registry.set_alias('his', 'production', 2)});
as($source, 'reg', 'admin', q{select count(*) from registry.revoke('his@1', 'withdrawn')});
as($source, 'reg', 'admin', q{select registry.erase('his@1', 'withdrawn')});
# What a session has not evaluated itself is a claim; what is revoked is settled.
as($source, 'reg', 'reg owner', q{create table public.kept as select 0.125 * leaf(1) as a});
as($source, 'reg', 'reg owner', $_) for q{select registry.commit('claimed', 0.125 * a) from public.kept}, q{drop table public.kept},
	q{select registry.settle()}, q{select registry.settle()};
my $checkpoint = as($source, 'reg', 'admin', 'select registry.checkpoint()');
# What is not sealed when it is dumped is sealed where it was restored.
as($source, 'reg', 'alice', $_) for (q{select registry.commit('mix', 2 * registry.get('hers@2'))},
	q{select registry.set_alias('mix', 'next', 3)});

# What must be the same: contents, and everything that guards them.
my %contents = (
	map { $_ => qq{select * from registry."$_" t order by t} } qw(entry story edge claim_set claim revocation dead
		alias alias_history log log_head event)
);
$contents{version} = q{select entry, number, "Peft ext".adapter_envelope_digest(value), md5("Peft ext".adapter_to_safetensors(value)), digest, envelope_digest,
	recipe, virtual, message, actor, acting_as, created_at, allow_duplicate, erased_at, erase_reason, root, facts, claims, told from registry.version order by 1, 2};
$contents{'lineage of mix'} = q{select l.* from registry.lineage('mix@2') l order by l.depth, l.digest};
$contents{'a virtual version'} = q{select "Peft ext".adapter_digest(registry.get('sweep@1')) = registry.digest('sweep@1')};
my %guards = catalog::queries('registry');

my $contents = catalog::rows($source, 'reg', %contents);
my $guards = catalog::rows($source, 'reg', %guards);
cmp_ok(length $contents->{$_}, '>', 0, "$_: something to compare") for sort keys %$contents;
cmp_ok(length $guards->{$_}, '>', 0, "$_: something to compare") for sort keys %$guards;
is(scalar(my @policies = $guards->{policies} =~ /^\w+\|(?:member|admin admin)\|/mg), 10, 'policies of members and of admins');
is(scalar(my @always = $guards->{triggers} =~ /\|A\|/g), 17, 'triggers that fire in replicas too');

# The roles of the other cluster.
my $folder = tempdir(CLEANUP => 1);
$source->command_ok(['pg_dumpall', '--roles-only', '-d', $source->connstr('postgres'), '-f', "$folder/roles"], 'pg_dumpall --roles-only');
# (the role that initdb made is there)
my $roles = join '', grep { !/(CREATE|ALTER) ROLE \S*;?$/ || !/ROLE "?\Q$ENV{USER}\E"?;/ } map { "$_\n" } split /\n/, slurp_file("$folder/roles");
append_to_file("$folder/roles.sql", $roles);
$target->safe_psql('postgres', $roles);

my $n = 0;
for my $way (['-Fc'], ['-Fp'], ['-Fd', '-j2'])
{
	my $database = 'whole' . ++$n;
	my $file = "$folder/$database";
	$target->safe_psql('postgres', qq{create database $database owner "reg owner"});
	$source->command_ok(['pg_dump', @$way, '-f', $file, $source->connstr('reg')], "pg_dump @$way");
	my @restore = $way->[0] eq '-Fp' ? ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $target->connstr($database), '-f', $file)
		: ('pg_restore', '--exit-on-error', @$way[1 .. $#$way], '-d', $target->connstr($database), $file);
	$target->command_ok(\@restore, "restore of @$way");
	is_deeply(catalog::rows($target, $database, %contents), $contents, "contents after @$way");
	is_deeply(catalog::rows($target, $database, %guards), $guards, "policies, grants, triggers after @$way");
	goes_on($database, "after @$way");
}

# Data alone into a registry that was just made, with the recipe as it stands there.
my $doc = slurp_file(abs_path(dirname(__FILE__) . '/../..') . '/doc/registry.md');
my ($backup) = $doc =~ /^## Backup\n(.*?)^## /ms;
my ($sql) = $backup =~ /^```sql\n(.*?)^```/ms;
my ($sh) = $backup =~ /^```sh\n(.*?)^```/ms;
ok($sql && $sh, 'the recipe');
$target->safe_psql('postgres', 'create database data owner "reg owner"');
$target->safe_psql('data', $extension);
$target->safe_psql('data', $source->safe_psql('reg', q{select pg_get_functiondef('public.leaf'::regproc)}));
as($target, 'data', 'reg owner', q{select registry_create('reader', 'writer', 'admin', row_security => true)});
as($target, 'data', 'reg owner', $sql);
{
	local $ENV{OLD} = $source->connstr('reg');
	local $ENV{NEW} = $target->connstr('data') . q{ user='reg owner'};
	chdir $folder or die;
	is(system('sh', '-e', '-c', $sh), 0, 'data alone, as the owner');
}
is_deeply(catalog::rows($target, 'data', %contents), $contents, 'contents after data alone');
is_deeply(catalog::rows($target, 'data', %guards), $guards, 'policies, grants, triggers after data alone');
goes_on('data', 'after data alone');

# Into the empty tables of a restored schema, without triggers.
$target->safe_psql('postgres', 'create database parts owner "reg owner"');
$source->command_ok(['pg_restore', '--exit-on-error', '--section=pre-data', '--section=post-data', '-d', $target->connstr('parts'), "$folder/whole1"], 'a schema');
$source->command_ok(['pg_restore', '--exit-on-error', '--data-only', '--disable-triggers', '--schema=registry', '-d', $target->connstr('parts'), "$folder/whole1"], 'its data');
as($target, 'parts', 'reg owner', 'select registry.protect()');
is_deeply(catalog::rows($target, 'parts', %contents), $contents, 'contents after schema and data');
is_deeply(catalog::rows($target, 'parts', %guards), $guards, 'policies, grants, triggers after schema and data');
goes_on('parts', 'after schema and data');

# goes_on DATABASE LABEL: nobody sees more than before, the log is that of the
# checkpoint, numbers and log go on, what was refused is refused.
sub goes_on
{
	my ($database, $label) = @_;
	my $refused = sub {
		my ($role, $statement, $error, $what) = @_;
		my (undef, undef, $err) = $target->psql($database, qq{set search_path = public, "Peft ext"; $statement}, extra_params => ['-U', $role]);
		like($err, $error, "$what $label");
	};
	is(as($target, $database, 'admin', "select * from registry.verify('$checkpoint', recompute => true)"), '', "verify $label");
	is(as($target, $database, 'alice', q{select string_agg(entry || '@' || number, ' ' order by entry, number) from registry.version}),
		'hers@1 hers@2 mix@1 mix@2 mix@3 sweep@1 sweep@2', "what alice sees $label");
	is(as($target, $database, 'bob', q{select string_agg(entry || '@' || number, ' ' order by entry, number) from registry.version}), 'his@1 his@2', "what bob sees $label");
	is(as($target, $database, 'alice', q{select registry.commit('mix', 0.125 * registry.get('hers@1'))}), 'mix@4', "the next number $label");
	is(as($target, $database, 'alice', q{select registry.commit('new', 0.125 * registry.get('hers@2')); select registry.set_alias('mix', 'production', 4, 2);
		select move from registry.alias_history where alias = 'production' and number = 4}), "new\@1\n\n3", "the next move $label");
	$refused->('bob', q{select registry.get('hers@1')}, qr/there is no version/, 'a stranger');
	$refused->('bob', q{select registry.commit('his', 0.25 * registry.get('his@2', true))}, qr/is revoked/, 'a revoked ancestor');
	$refused->('admin', q{select registry.erase('hers@1', 'x')}, qr/needed by a virtual version/, 'a leaf');
	$refused->('reg owner', 'delete from registry.log', qr/is not allowed/, 'history stays');
	is($target->safe_psql($database, 'select registry.seal()'), '5', "what was not sealed is sealed now $label");
	is($target->safe_psql($database, 'select max(position) - min(position) + 1 = count(*), max(position) = (select size from registry.log_head) from registry.log'), 't|t', "the log has no gap $label");
	is(as($target, $database, 'admin', "select * from registry.verify('$checkpoint', recompute => true)"), '', "verify after more of it $label");
}

$source->stop;
$target->stop;
done_testing();
