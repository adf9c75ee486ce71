# Dump and restore keep values: digest, envelope digest (so recipe,
# configuration and header) and file; custom and plain format, data alone.
use strict;
use warnings;

use File::Temp qw(tempdir);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('dump');
$node->init;
$node->start;
$node->safe_psql('postgres', 'create database source');
$node->safe_psql('source', q{
	create schema ext;
	create extension peftarith schema ext;
	set search_path = public, ext;
	create function lora(seed int, n int, dtype text) returns adapter language sql as $$
		select adapter_from_json(format('{"config": {"peft_type": "LORA", "base_model_name_or_path": "b", "r": 2, "lora_alpha": 4},
			"tensors": {"base_model.model.m.lora_A.weight": {"dtype": "%s", "shape": [2, %s], "data": %s},
			            "base_model.model.m.lora_B.weight": {"dtype": "%s", "shape": [%s, 2], "data": %s}}}',
			dtype, n, (select json_agg(sin(seed * 1000 + i)) from generate_series(1, 2 * n) i),
			dtype, n, (select json_agg(cos(seed * 1000 + i)) from generate_series(1, 2 * n) i))::json)
	$$;
	create table t (id serial primary key, a adapter);
	insert into t (a) select lora(s, n, d) from generate_series(1, 3) s, unnest(array[1, 50, 5000]) n, unnest(array['F32', 'BF16', 'F16', 'F64']) d;
	insert into t (a) select 0.3 * x.a + 0.7 * y.a from t x, t y where x.id = 1 and y.id = 13;
	insert into t (a) select adapter_scale(-a, 0.1) from t where id = 37;
	create index on t using hash (a);
	create unique index on t (adapter_digest(a));
	create function facts() returns text language sql as $$
		select string_agg(concat_ws(' ', id, adapter_digest(a), adapter_envelope_digest(a), md5(adapter_to_safetensors(a)), md5(adapter_config(a)::text), adapter_check(a)), E'\n' order by id) from t
	$$ set search_path = public, ext;
});
my $facts = $node->safe_psql('source', 'select facts()');
is(scalar(split /\n/, $facts), 38, 'rows to compare');

my $folder = tempdir(CLEANUP => 1);
my $n = 0;
for my $format (['-Fc'], ['-Fp'], ['-Fd'], ['-Fp', '--inserts'])
{
	my $target = 'target' . ++$n;
	my $file = "$folder/$target";
	$node->safe_psql('postgres', "create database $target");
	$node->command_ok(['pg_dump', @$format, '-f', $file, $node->connstr('source')], "pg_dump @$format");
	if ($format->[0] eq '-Fp')
	{
		$node->command_ok(['psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $file, $node->connstr($target)], 'restore');
	}
	else
	{
		$node->command_ok(['pg_restore', '--exit-on-error', '-d', $node->connstr($target), $file], 'restore');
	}
	is($node->safe_psql($target, 'select facts()'), $facts, "everything is there after @$format");
}

# Binary COPY and logical replication's wire form are send and recv.
$node->safe_psql('source', "copy t to '$folder/copy.bin' with (format binary); create table u (like t)");
$node->safe_psql('source', "copy u from '$folder/copy.bin' with (format binary)");
is($node->safe_psql('source', q{set search_path = public, ext; select count(*) from t join u using (id) where t.a = u.a and adapter_envelope_digest(t.a) = adapter_envelope_digest(u.a)}),
	'38', 'binary COPY');

$node->stop;
done_testing();
