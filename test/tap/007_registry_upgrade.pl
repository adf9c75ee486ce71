# Upgrades of a registry: from what earlier versions made (test/upgrade), and
# through a later version that is invented here, a registry becomes what that
# version creates, object by object, and keeps its contents, what others have
# made beside it, and everybody's rights.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use IO::Uncompress::Gunzip qw(gunzip $GunzipError);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use lib dirname(abs_path(__FILE__));
use catalog;

my $frozen = dirname(abs_path(__FILE__)) . '/../upgrade';
my $node = PostgreSQL::Test::Cluster->new('upgrade');
$node->init;
$node->start;
$node->safe_psql('postgres', "create role upgrade_$_") for qw(reader writer admin guest);

# fails DATABASE SQL: the error's text
sub fails
{
	my ($database, $sql) = @_;
	my (undef, undef, $err) = $node->psql($database, "\\set VERBOSITY verbose\n$sql");
	return $err;
}

sub make_database
{
	my ($database) = @_;
	$node->safe_psql('postgres', "create database $database");
	$node->safe_psql($database, 'create extension peftarith');
}

my %contents = (
	(map { $_ => qq{select * from registry."$_" t order by t} }
		qw(entry alias alias_history log)),
	# (what older registries have of it)
	log_head => 'select one, size, hash from registry.log_head',
	version => q{select entry, number, adapter_envelope_digest(value), digest, envelope_digest, recipe,
		virtual, message, actor, acting_as, created_at, allow_duplicate, erased_at, erase_reason
		from registry.version order by 1, 2});
my %catalog = catalog::queries('registry');
# What somebody else put beside the registry and on it.
my $beside = q{
	create function registry.mine(n integer) returns integer language sql as 'select n';
	create view over_lineage as select r.entry as names, r.number as depth
		from unnest('{mix@1,mix}'::text[]) ref cross join lateral registry.resolve(ref) r;
	create function told() returns trigger language plpgsql as 'begin return null; end';
	create trigger told after insert on registry.version for each row execute function told();
	create policy guests on registry.entry to upgrade_guest using (true);
	grant select on registry.version to upgrade_guest;
	grant execute on function registry.get(text, boolean) to upgrade_guest with grant option;
};
my $verify = 'select * from registry.verify(recompute => true)';

# What is out there.
for my $file (sort glob "$frozen/registry-*.sql.gz")
{
	my ($step) = basename($file) =~ /(\d{4})/;
	my ($dump, $old, $new) = ('', "old$step", "new$step");
	gunzip($file => \$dump) or die $GunzipError;
	$node->safe_psql('postgres', "create database $old");
	$node->safe_psql($old, $dump);
	make_database($new);
	$node->safe_psql($new, q{
		select registry_create('upgrade_reader', 'upgrade_writer', 'upgrade_admin', row_security => true);
		select registry.commit('mix',
			adapter_from_json('{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 1}, "tensors": {
			"base_model.model.q.lora_A.weight": {"dtype": "F32", "shape": [1, 1], "data": [[1]]},
			"base_model.model.q.lora_B.weight": {"dtype": "F32", "shape": [1, 1], "data": [[1]]}}}'))});
	$node->safe_psql($_, $beside) for $old, $new;
	my $before = catalog::rows($node, $old, %contents);
	my $lineage = $node->safe_psql($old, 'select * from over_lineage order by depth, names');
	# Tables that steps have replaced since, and what stands in their place.
	my ($edges, $revoked) = map { $node->safe_psql($old, $_) } $step < 4
		? ('select distinct of, parent, p, q, w from registry.lineage order by 1, 2, 3, 4, 5',
			'select digest, revoked_at, revoked_by, reason from registry.state where revoked_at is not null order by 1')
		: ('select distinct of, parent, p, q, w from registry.edge order by 1, 2, 3, 4, 5',
			'select digest, revoked_at, revoked_by, reason from registry.revocation order by 1');
	cmp_ok(length $before->{$_}, '>', 0, "$step: rows of $_") for sort keys %contents;
	my $unsealed = $step < 3 ? 0 : $node->safe_psql($old, 'select count(*) from registry.event');
	# An owner who turned a trigger off.
	$node->safe_psql($old, 'alter table registry.log disable trigger log_refuse');
	$node->safe_psql($old, 'select registry_upgrade()');
	is_deeply(catalog::rows($node, $old, %catalog), catalog::rows($node, $new, %catalog),
		"$step: the catalog is that of a new registry");
	is_deeply(catalog::rows($node, $old, %contents), $before, "$step: the contents are as before");
	is($node->safe_psql($old, 'select distinct of, parent, p, q, w from registry.edge order by 1, 2, 3, 4, 5'), $edges,
		"$step: every edge is there, and no other");
	is($node->safe_psql($old, 'select digest, revoked_at, revoked_by, reason from registry.revocation order by 1'), $revoked,
		"$step: every revocation");
	is($node->safe_psql($old, $verify), '', "$step: nothing is wrong");
	# A checkpoint of then, and one of the same size in today's form.
	my $then = $node->safe_psql($old, q{
		select concat_ws(' ', 'peftarith-log 1', size, encode(hash, 'hex'), '2026-01-01T00:00:00.000000Z')
		from registry.log_head});
	my $now_form = $node->safe_psql($old, 'select registry.checkpoint_at(size) from registry.log_head');
	for my $checkpoint ($then, $now_form)
	{
		is($node->safe_psql($old, "select * from registry.verify('$checkpoint', true)"), '',
			"$step: a checkpoint of before stands");
	}
	is($node->safe_psql($old, 'select * from over_lineage order by depth, names'), $lineage,
		"$step: a view on a function goes on");
	is($node->safe_psql($old,
		q{select number, name, run_at is null, extension_version is null from registry.step
			where number <= 3 order by 1}),
		"1|tables|t|t\n2|steps|f|f\n3|seal|f|f", "$step: which steps were run before") if $step eq '0001';
	is($node->safe_psql($old, q{select registry.commit('mix', 0.125 * registry.get('x'))}), 'mix@4',
		"$step: numbers go on");
	is($node->safe_psql($old,
		q{set role upgrade_admin; select registry.set_alias('mix', 'production', 4);
			select count(*) from registry.revoke('mix@4', 'no')}),
		"\n1", "$step: aliases and revocation go on");
	is($node->safe_psql($old, $verify), '', "$step: nothing is wrong afterwards");
	is($node->safe_psql($old, 'select registry.seal()'), $unsealed + 4, "$step: the log goes on from where it was");
	for my $checkpoint ($then, $now_form)
	{
		is($node->safe_psql($old, "select * from registry.verify('$checkpoint', true)
			union all select * from registry.verify_since('$checkpoint')"), '',
			"$step: a checkpoint of before stands, and what came after it");
	}
	my $now = catalog::rows($node, $old, %catalog);
	$node->safe_psql($old, 'select registry_upgrade()');
	is_deeply(catalog::rows($node, $old, %catalog), $now, "$step: once more changes nothing");
}

# A later version: one more column, which old rows get too; a function with
# another result, one with another name of an argument, one more, one less; a
# trigger less.  registry_source() is what makes a version.
my $later = q{
	alter function registry_source() rename to registry_source_before;
	create function registry_source(out kind text, out name text, out source text) returns setof record
		language sql as $f$
		select 'step', '0999-licence', $s$
			alter table @registry@.version add column licence text;
			comment on column @registry@.version.licence is 'Under which it may be used.';
			update @registry@.version set licence = 'unknown';$s$
		union all
		select 'part', '99-licence', $s$
create or replace function @registry@.alias_at(ref text, or_what boolean default false) returns boolean
	language sql stable parallel unsafe set search_path = pg_catalog, pg_temp
	as 'select @registry@.is_live(@registry@.digest($1))';
-- For: reader
comment on function @registry@.alias_at(text, boolean) is 'Of a reference.';$s$
		union all
		select kind, name, case name
			when '20-aliases' then replace(source, '"time" timestamptz', 'at timestamptz')
			when '30-lineage' then regexp_replace(source,
				'create or replace function @registry@.lineage_dot.*?comment on .*?;\n', '')
			when '50-log' then replace(replace(source,
				'export_log() returns setof text', 'export_log() returns table (place bigint, line text)'),
				'return query select @registry@', 'return query select l.position, @registry@')
			when '70-triggers' then regexp_replace(source,
				'create trigger alias_refuse .*?comment on trigger alias_refuse[^\n]*\n', '')
			else source end
		from public.registry_source_before()
	$f$;
};
for my $secured ('false', 'true')
{
	my ($old, $new) = ("now_$secured", "later_$secured");
	my $create = "select registry_create('upgrade_reader', 'upgrade_writer', 'upgrade_admin',
		row_security => $secured)";
	my $fill = slurp_file("$frozen/fill.sql");
	$fill =~ s/^select registry_create.*$/$create;/m or die;
	make_database($_) for $old, $new;
	$node->safe_psql($new, $later);
	# (a function of somebody's may have the name of one of the registry's)
	my $namesake = q{create function registry.names_of(n integer) returns text language sql as 'select n::text'};
	$node->safe_psql($_, $fill . $beside . $namesake) for $old, $new;
	# A reader from whom something was taken stays without it, and gets nothing new.
	$node->safe_psql('postgres', "create role less_$secured");
	$node->safe_psql($old,
		"select registry.allow(reader => 'less_$secured');
		revoke execute on function registry.checkpoint() from less_$secured;
		grant execute on function registry.export_log(), registry.lineage_dot(text)
			to upgrade_guest with grant option");
	$node->safe_psql($old, $later);

	$node->safe_psql($old, q{create view over_dot as select registry.lineage_dot('mix@1')});
	my $before = catalog::rows($node, $old, %catalog);
	my $error = fails($old, 'select registry_upgrade()');
	like($error, qr/2BP01: other objects depend on registry\.lineage_dot\(text\)/,
		"security $secured: a function that goes and is used");
	like($error, qr/view public\.over_dot depends on function registry\.lineage_dot\(text\)/,
		"security $secured: by what");
	is_deeply(catalog::rows($node, $old, %catalog), $before, "security $secured: nothing was done");
	$node->safe_psql($old,
		q{drop view over_dot; create view over_log as select * from registry.export_log()});
	like(fails($old, 'select registry_upgrade()'),
		qr/2BP01: other objects depend on registry\.export_log\(\).*view public\.over_log/s,
		"security $secured: a function that changes and is used");
	$node->safe_psql($old, 'drop view over_log');

	$node->safe_psql($old, 'select registry_upgrade()');
	is($node->safe_psql($old,
		q{select has_function_privilege('upgrade_guest', 'registry.export_log()',
				'execute with grant option'),
			has_function_privilege('upgrade_guest', 'registry.alias_at(text, boolean)', 'execute')}), 't|f',
		"security $secured: single rights outlive a function that was made otherwise, and bring no others");
	is($node->safe_psql($old,
		"select has_function_privilege('less_$secured', 'registry.checkpoint()', 'execute'),
			has_function_privilege('less_$secured', 'registry.get(text, boolean)', 'execute'),
			has_function_privilege('less_$secured', 'registry.alias_at(text, boolean)', 'execute')"), 'f|t|f',
		"security $secured: what was taken stays taken");
	my $log = $secured eq 'true' ? 'f' : 't';
	is($node->safe_psql($old,
		q{select r, has_function_privilege('upgrade_' || r, 'registry.alias_at(text, boolean)', 'execute'),
			has_function_privilege('upgrade_' || r, 'registry.export_log()', 'execute')
			from unnest('{reader,writer,admin}'::text[]) r}),
		"reader|t|$log\nwriter|t|$log\nadmin|t|t",
		"security $secured: what is new is for who has the right");
	is($node->safe_psql($old,
		q{select registry.mine(7), registry.names_of(7), (select count(*) from over_lineage)}), '7|7|2',
		"security $secured: what is somebody else's stays");
	$node->safe_psql($old,
		"revoke all on function registry.export_log() from upgrade_guest;
		drop owned by less_$secured;
		drop role less_$secured");
	$node->safe_psql($_, 'drop function registry.names_of(integer)') for $old, $new;
	is_deeply(catalog::rows($node, $old, %catalog), catalog::rows($node, $new, %catalog),
		"security $secured: the catalog is that of a new registry");
	is($node->safe_psql($old,
		q{select count(*) filter (where licence = 'unknown') = count(*), count(*) > 5 from registry.version}),
		't|t', "security $secured: old rows have the column");
	is($node->safe_psql($old,
		q{set role upgrade_writer; select registry.commit('new', registry.get('x'));
			select registry.is_live('new')}),
		"new\@1\nt", "security $secured: commits go on")
		if $secured eq 'false';
	is($node->safe_psql($old, $verify), '', "security $secured: nothing is wrong");

	# The version of before.
	$node->safe_psql($old,
		'drop function registry_source(); alter function registry_source_before() rename to registry_source');
	$before = catalog::rows($node, $old, %catalog);
	$error = fails($old, 'select registry_upgrade()');
	like($error,
		qr/0A000: the registry in schema "registry" was made by a later version.*0999-licence.*HINT/s,
		"security $secured: an earlier version refuses");
	is_deeply(catalog::rows($node, $old, %catalog), $before, "security $secured: and leaves it alone");
}

# A commit is not logged before its transaction ends.
like(fails('later_true',
	q{begin; select registry.commit('late', registry.get('y')); select registry_upgrade(); commit}),
	qr/55006: /, 'not in a transaction that has committed');

# Who may make functions in the schema has none of the owner's calls led to them,
# and gets no right by them.
make_database('trap');
$node->safe_psql('trap', q{
	select registry_create('upgrade_reader', schema => 'team');
	grant create on schema team to upgrade_reader;
	set role upgrade_reader;
	create function team.allow(admin name) returns void language plpgsql
		as $f$ begin raise exception 'called by %', current_user; end $f$;
	reset role;
	select registry_upgrade('team')});
is($node->safe_psql('trap',
	q{select has_function_privilege('upgrade_reader', 'team.get(text, boolean)', 'execute'),
		has_function_privilege('upgrade_reader', 'team.erase(text, text)', 'execute')}), 't|f',
	'functions of the same name are not called');

# What a step changes must have been seen.
like(fails('trap', q{begin isolation level repeatable read; select registry_upgrade('team')}),
	qr/25001: upgrading a registry needs isolation level READ COMMITTED/, 'not with an old snapshot');

# A schema that was restored without the rows that say what it is.
$node->safe_psql('trap', 'delete from team.step');
like(fails('trap', q{select registry_upgrade('team')}),
	qr/55000: the registry in schema "team" does not know which steps made it.*HINT:.*team\.made/s,
	'not without its steps');

$node->stop;
done_testing();
