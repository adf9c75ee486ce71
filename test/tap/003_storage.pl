# Every representation that PostgreSQL gives a value is read alike: inline with
# short and long headers, compressed inline, in TOAST, in TOAST compressed, as
# a deferred expression, in arrays and records.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('storage');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
	create extension peftarith;
	create function lora(n int, k float8, dtype text default 'F32') returns adapter language sql as $$
		select adapter_from_json(format('{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 1},
			"tensors": {"base_model.model.m.lora_A.weight": {"dtype": "%s", "shape": [1, %s], "data": %s},
			            "base_model.model.m.lora_B.weight": {"dtype": "%s", "shape": [1, 1], "data": [2]}}}',
			dtype, n, (select json_agg(sin(k * i)) from generate_series(1, n) i), dtype)::json)
	$$;
	create table source as select n, lora(n, 1) as a, lora(n, 2) as b from unnest(array[1, 100, 400, 1000, 5000, 40000, 90000]) n;
	create function facts(a adapter, b adapter) returns text language sql as $$
		select concat_ws(' ', adapter_digest(a), adapter_envelope_digest(a), adapter_check(a), adapter_kind(a), adapter_rank(a), adapter_raw_size(a),
			adapter_base_model(a), md5(a::text), md5(adapter_send(a)), md5(adapter_to_safetensors(a)), md5(adapter_config(a)::text),
			md5(adapter_recipe(a)::text), (select md5(string_agg(m::text, ',')) from adapter_modules(a) m),
			md5(adapter_tensor(a, 'base_model.model.m.lora_A.weight')::text), md5(adapter_module_delta(a, 'm')::text),
			adapter_digest(a + b), adapter_digest(0.3 * a - b / 7), adapter_digest(adapter_lerp(a, b, 0.1)), adapter_digest(adapter_scale(a, 3)),
			adapter_digest(adapter_cast(a, 'bf16')), adapter_digest(adapter_select(a, 'm')), adapter_digest(adapter_set_base_model(a, 'x')),
			(select adapter_digest(adapter_union(p)) from adapter_split(a, 10000000) p), a = b, a < b, adapter_hash(a))
	$$;
	create table expected as select n, facts(a, b) from source});

for my $storage (qw(plain main external extended))
{
	for my $compression ('pglz', 'lz4')
	{
		my $max = $storage eq 'plain' ? 'where n <= 1000' : '';
		my $table = "t_${storage}_$compression";
		my ($rc, $out, $err) = $node->psql('postgres', "set default_toast_compression = '$compression'");
		next if $rc != 0;
		$node->safe_psql('postgres', qq{
			create table $table (n int, a adapter, b adapter);
			alter table $table alter a set storage $storage, alter b set storage $storage;
			alter table $table alter a set compression $compression, alter b set compression $compression;
			insert into $table select * from source $max});
		is($node->safe_psql('postgres', "select count(*) from $table t join expected e using (n) where facts(a, b) is distinct from e.facts"),
			'0', "storage $storage, $compression");
	}
}
is($node->safe_psql('postgres', q{select count(*) from (select n, (array_agg(a))[1] as a, (array_agg(b))[1] as b from source group by n) s
	join expected e using (n) where facts(a, b) is distinct from e.facts}), '0', 'out of arrays');
is($node->safe_psql('postgres', q{select count(*) from (select n, 1 * a as a, b * 8 / 8 as b from source offset 0) s
	join expected e using (n) where facts(a, b) is distinct from e.facts}), '0', 'deferred expressions');
is($node->safe_psql('postgres', q{with m as materialized (select n, 1 * a as a, -(-b) as b from source order by adapter_digest(a)) select count(*) from m
	join expected e using (n) where facts(a, b) is distinct from e.facts}), '0', 'materialised expressions');

# The digest of an expression does not depend on how it is planned.
my $q = q{select string_agg(adapter_digest(0.5 * x.a + 0.25 * y.a)::text, ',' order by x.n) from source x join source y using (n)};
is($node->safe_psql('postgres', "set enable_hashjoin = off; set enable_mergejoin = off; $q"),
	$node->safe_psql('postgres', "set enable_nestloop = off; $q"), 'join methods');
$node->safe_psql('postgres', 'alter table source set (parallel_workers = 4)');
my $parallel = $node->safe_psql('postgres',
	"select name from pg_settings where name in ('force_parallel_mode', 'debug_parallel_query')");	# renamed in 16
is($node->safe_psql('postgres', "set $parallel = on; set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0; $q"),
	$node->safe_psql('postgres', "set max_parallel_workers_per_gather = 0; $q"), 'parallel workers');

# A reference that outlives its value is an error, not another result.
$node->safe_psql('postgres', q{
	create table gone as select lora(90000, 3) as a;
	create procedure outlive() language plpgsql as $$
	declare x adapter; begin
		select 0.5 * a into x from gone;
		delete from gone;
		commit;
		perform adapter_digest(x);
	end $$});
my ($rc, $out, $err) = $node->psql('postgres', 'call outlive()');
ok($rc == 0 || $err =~ /ERROR/, 'a vanished operand: the right value or an error');
is($node->safe_psql('postgres', 'select 1'), '1', 'the server is alive');

# A value of another type under our functions: magic and sizes are checked.
$node->safe_psql('postgres', q{create function as_adapter(bytea) returns adapter as 'byteasend' language internal immutable strict});
for my $bytes (q{''::bytea}, q{'\x00'::bytea}, q{decode('89504144500d0a1a0100' || repeat('00', 1000), 'hex')}, q{convert_to(repeat('x', 100000), 'UTF8')})
{
	for my $f ('adapter_digest(v)', 'adapter_kind(v)', 'adapter_check(v)', 'adapter_send(v)', 'adapter_digest(0.5 * v)', 'v = v', 'adapter_rank(v)',
		'(select count(*) from adapter_modules(v))', 'adapter_config(v)', 'adapter_cast(v, $$f32$$)', '(select adapter_union(x) from (values (v)) u(x))')
	{
		my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nselect $f from (select as_adapter($bytes) as v offset 0) s");
		like($err, qr/XX001/, "$f of foreign bytes");
	}
}

my ($rc2, $out2, $err2) = $node->psql('postgres', q{\set VERBOSITY verbose
select adapter_digest(as_adapter(decode('89504144500d0a1aff00' || repeat('00', 1000), 'hex')))});
like($err2, qr/0A000/, 'a future format version is refused, not misread');

$node->stop;
done_testing();
