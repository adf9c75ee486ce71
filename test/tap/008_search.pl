# Nearest adapters through an index of their sketches (doc/search.md).  Needs
# pgvector; where it is not installed the test is skipped and says so.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('search');
$node->init;
$node->start;
if ($node->safe_psql('postgres', q{select count(*) from pg_available_extensions where name = 'vector'}) eq '0')
{
	$node->stop;
	plan skip_all => 'pgvector is not installed';
}

# Twenty families of ten: a family's adapters share most of their factors.
$node->safe_psql('postgres', q{
	create extension peftarith;
	create extension vector;
	create function noise(seed int, i int) returns float8 language sql immutable as
		$$ select (hashint8extended(i, seed) % 1000003) / 1000003.0 $$;
	create function made(family int, n int) returns adapter language sql immutable as $$
		select adapter_from_json(format('{"config": {"peft_type": "LORA", "base_model_name_or_path": "b", "r": 2, "lora_alpha": 4}, "tensors": {
			"base_model.model.m.lora_A.weight": {"dtype": "F32", "shape": [2, 40], "data": %s},
			"base_model.model.m.lora_B.weight": {"dtype": "F32", "shape": [30, 2], "data": %s}}}',
			(select json_agg(noise(family, i) + 0.2 * noise(family * 100 + n, i)) from generate_series(1, 80) i),
			(select json_agg(noise(family, 1000 + i) + 0.2 * noise(family * 100 + n, 1000 + i)) from generate_series(1, 60) i))::json)
	$$;
	create table adapters (
		id int primary key,
		a adapter,
		sketch vector(256) generated always as (adapter_sketch(a, 256, 42)::vector(256)) stored);
	insert into adapters (id, a) select family * 100 + n, made(family, n) from generate_series(1, 20) family, generate_series(1, 10) n;
	create index on adapters using hnsw (sketch vector_cosine_ops);
	analyze adapters;
	-- the oracle: the cosine of the deltas as they are
	create function exact_cosine(x adapter, y adapter) returns float8 language sql as $$
		select sum(u * v) / sqrt(sum(u * u) * sum(v * v)) from unnest(adapter_module_delta(x, 'm'), adapter_module_delta(y, 'm')) p(u, v)
	$$;
});

my $nearest = q{select id from adapters order by sketch <=> adapter_sketch((select a from adapters where id = 701), 256, 42)::vector limit 10};
like($node->safe_psql('postgres', "set enable_seqscan = off; explain $nearest"), qr/Index Scan using adapters_sketch_idx/, 'the index answers');
is($node->safe_psql('postgres', "set enable_seqscan = off; select string_agg(id::text, ' ' order by id) from ($nearest) s"),
	join(' ', 701 .. 710), 'the candidates are the family');

# The error of the estimate: far from 5 / sqrt(256) is not chance.
is($node->safe_psql('postgres', q{
	select count(*), max(abs((1 - (x.sketch <=> y.sketch)) - exact_cosine(x.a, y.a))) < 5 / sqrt(256.0)
	from adapters x, adapters y where x.id = 701 and y.id % 100 < 4}), '60|t', 'error of the estimated cosines');

# The query of doc/search.md, as it stands there.
my $doc = slurp_file("$FindBin::Bin/../../doc/search.md");
my ($settings, $query) = $doc =~ /```sql\n(set [^\n]*;)\n\n(with query .*?);\n```/s or die 'doc/search.md has no query';
$query =~ s/where id = 1\)/where id = 701)/ or die 'the query has another id';
my $plan = $node->safe_psql('postgres', "$settings set enable_seqscan = off; explain $query");
like($plan, qr/Index Scan using adapters_sketch_idx/, 'the documented query uses the index');
is($node->safe_psql('postgres', "$settings set enable_seqscan = off;" . qq{
	with found as ($query),
	measured as (
		select id, distance, exact_cosine(a, (select a from adapters where id = 701)) as cosine from found join adapters using (id))
	select count(*), bool_and(id between 701 and 710), min(id) filter (where distance < 1e-6), bool_and(abs(1 - distance - cosine) < 1e-6) from measured}),
	'10|t|701|t', 'and gives the nearest with their exact distances');

$node->stop;
done_testing();
