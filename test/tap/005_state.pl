# The serialized state of an aggregate that a worker hands to its leader: every
# byte of it damaged in turn is refused or makes another valid state (weights and
# the number of rows have no checksum), and never leads to a crash.  Builds a
# test module (state.c).
use strict;
use warnings;

use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = tempdir(CLEANUP => 1);
chmod 0755, $folder;
chomp(my $include = `pg_config --includedir-server`);
system_or_bail('cc', '-O1', '-fPIC', '-shared', "-I$include", '-o', "$folder/state.so", dirname(__FILE__) . '/state.c');

my $node = PostgreSQL::Test::Cluster->new('state');
$node->init;
# (a leaf in the state itself and one in TOAST, which have no module in common)
$node->append_conf('postgresql.conf', 'peftarith.unpaired_modules = off');
$node->start;
$node->safe_psql('postgres', qq{
	create extension peftarith;
	create function damaged_serialize(internal) returns bytea as '$folder/state' language c strict immutable parallel safe;
	create aggregate damaged(adapter) (sfunc = adapter_sum_transition, stype = internal, finalfunc = adapter_sum_final,
		combinefunc = adapter_aggregate_combine, serialfunc = damaged_serialize, deserialfunc = adapter_aggregate_deserialize, parallel = safe);
	create function lora(n int, k float8) returns adapter language sql as \$\$
		select adapter_from_json(format('{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 1},
			"tensors": {"base_model.model.m%s.lora_A.weight": {"dtype": "F32", "shape": [1, %s], "data": %s},
			            "base_model.model.m%s.lora_B.weight": {"dtype": "F32", "shape": [1, 1], "data": [2]}}}',
			n, n, (select json_agg(sin(k * i)) from generate_series(1, n) i), n)::json)
	\$\$;
	create table t (a adapter);
	insert into t values (lora(1, 1)), (lora(3000, 2));
	alter table t set (parallel_workers = 2);
	analyze t;
	alter function adapter_aggregate_combine(internal, internal) cost 1;
	alter function adapter_aggregate_deserialize(bytea, internal) cost 1;
	alter function adapter_sum_transition(internal, adapter) cost 1000000;
	create function digest_of(damage text) returns text language plpgsql as \$\$
	begin
		perform set_config('peftarith_test.damage', damage, true);
		return (select encode(adapter_digest(damaged(a)), 'hex') from t);
	exception when others then
		return sqlstate;
	end \$\$});
my $settings = q{set min_parallel_table_scan_size = 0; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
	set max_parallel_workers_per_gather = 2; set parallel_leader_participation = off; };
like($node->safe_psql('postgres', $settings . 'explain select damaged(a) from t'), qr/Partial Aggregate/, 'the state is serialized');
my $right = $node->safe_psql('postgres', q{select encode(adapter_digest(sum(a)), 'hex') from t});
is($node->safe_psql('postgres', $settings . q{select digest_of('')}), $right, 'whole, it gives the sum');

# The state: header, an inline leaf, a reference into TOAST, two terms.
my $size = 2048;
my $wrong = $node->safe_psql('postgres', $settings . qq{
	select coalesce(string_agg(n || ':' || bits || ' ' || d, ', '), '') from generate_series(0, $size) n, unnest(array[1, 128]) bits,
		lateral (select digest_of(format('flip %s %s', n, bits)) as d offset 0) s
	where d !~ '^(22P03|22003|XX001|55000|0A000|XX000|22023)\$' and d <> '$right'});
# Weights are not covered by a checksum: another finite weight is another valid
# sum, and so is another number of rows for sum.  Those two places are the terms.
my @elsewhere = grep { !/ [0-9a-f]{64}$/ } split /, /, $wrong;
is("@elsewhere", '', 'every error is one of ours or of the reading of TOAST');
my $cuts = $node->safe_psql('postgres', $settings . qq{
	select string_agg(distinct d, ' ') from generate_series(0, 400) n, lateral (select digest_of(format('cut %s', n)) as d offset 0) s});
is($cuts, '22P03', 'a state that is cut anywhere is refused');
# Computed operands are held, up to 512 MiB a group.
$node->safe_psql('postgres', 'create table wide as select lora(65000, 3) as a');
for my $aggregate ('sum', 'avg', 'adapter_union')
{
	my ($rc, $out, $err) = $node->psql('postgres', qq{\\set VERBOSITY verbose
		select adapter_digest($aggregate(adapter_scale(a, i))) from wide, generate_series(1, 2600) i});
	like($err, qr/54000/, "$aggregate of more computed adapters than it may hold");
}

is($node->safe_psql('postgres', 'select 1'), '1', 'the server is alive');

$node->stop;
done_testing();
