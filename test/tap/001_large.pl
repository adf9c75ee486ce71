# An adapter of the size that people have: compression, slices, cancellation.
#
# Needs python3 with numpy for the values (test/data/make_large.py).
use strict;
use warnings;

use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $make = dirname(__FILE__) . '/../data/make_large.py';
my $folder = tempdir(CLEANUP => 1);
chmod 0755, $folder;

# At most 0.86 of the raw size in F32, 0.71 in BF16, 0.86 in F16.
my %ratio = (f32 => 0.86, bf16 => 0.71, f16 => 0.86);
for my $dtype (keys %ratio)
{
	my @layers = $dtype eq 'bf16' ? () : ('--layers', 4);
	system_or_bail('python3', $make, "$folder/$dtype", '--dtype', $dtype, @layers);
}

my $node = PostgreSQL::Test::Cluster->new('large');
$node->init;
$node->append_conf('postgresql.conf', "shared_buffers = 256MB\nmax_wal_size = 2GB");
$node->start;
$node->safe_psql('postgres', q{
	create extension peftarith;
	create table t (name text primary key, a adapter)});

# Seconds of the processor that the server process of a session has used.
my $processor_time = q{select 'processor ' || (f[12]::int + f[13]::int) / 100.0
	from string_to_array(split_part(pg_read_file('/proc/self/stat'), ') ', 2), ' ') f;
};

sub import_folder
{
	my ($name) = @_;
	$node->safe_psql('postgres', qq{
		insert into t select '$name', adapter_from_safetensors(
			pg_read_binary_file('$folder/$name/adapter_model.safetensors'),
			pg_read_file('$folder/$name/adapter_config.json')::json)});
}

for my $dtype (sort keys %ratio)
{
	import_folder($dtype);
	my $stored = $node->safe_psql('postgres',
		"select pg_column_size(a)::float8 / adapter_raw_size(a) from t where name = '$dtype'");
	note "$dtype: stored size $stored of the raw size";
	cmp_ok($stored, '<=', $ratio{$dtype}, "compression of $dtype");
	is($node->safe_psql('postgres', qq{
		select adapter_to_safetensors(a) = pg_read_binary_file('$folder/$dtype/adapter_model.safetensors')
		from t where name = '$dtype'}), 't', "$dtype comes back byte for byte");
	is($node->safe_psql('postgres', "select adapter_check(a) from t where name = '$dtype'"), 't', "$dtype is whole");
}

# TOAST blocks that a query reads, and the processor time of ten runs in one
# session: what is counted does not depend on the machine's load.
sub cost_of
{
	my ($query) = @_;
	my $explain = "explain (analyze, buffers, timing off, summary on, format json) $query;\n";
	my $plan = $node->safe_psql('postgres',
		$explain . $processor_time . $explain x 10 . $processor_time);
	my @blocks = $plan =~ /"Plan": \{.*?"Shared Hit Blocks": (\d+)/gs;
	my @reads = $plan =~ /"Plan": \{.*?"Shared Read Blocks": (\d+)/gs;
	my ($before, $after) = $plan =~ /processor ([0-9.]+)/g;
	return ($blocks[-1] + $reads[-1], $after - $before);
}

my ($all_blocks, $all_time) = cost_of(q{select adapter_check(a) from t where name = 'bf16'});
my ($one_blocks, $one_time) = cost_of(q{select adapter_tensor(a, 'base_model.model.model.layers.7.self_attn.k_proj.lora_B.weight') from t where name = 'bf16'});
note "whole: $all_blocks blocks, $all_time s; one tensor: $one_blocks blocks, $one_time s";
cmp_ok($one_blocks, '<=', $all_blocks / 20, 'one tensor reads at most a twentieth of the chunks');
cmp_ok($one_time, '<=', $all_time / 20, 'and takes at most a twentieth of the time');
my ($digest_blocks) = cost_of(q{select adapter_digest(a) from t where name = 'bf16'});
cmp_ok($digest_blocks, '<=', 20, 'the digest is in the first chunk');

# statement_timeout ends each of them within half a second of the processor.
$node->safe_psql('postgres', qq{
	create table file as select pg_read_binary_file('$folder/bf16/adapter_model.safetensors') as f,
		pg_read_file('$folder/bf16/adapter_config.json')::json as c;
	create table texts as select a::text as s, adapter_send(a) as b from t where name = 'bf16'});
my %operation = (
	'import' => q{select adapter_digest(adapter_from_safetensors(f, c)) from file},
	'import_split' => q{select adapter_digest(p) from file, adapter_import_split(f, c, 10000000) p},
	'export' => q{select length(adapter_to_safetensors(a)) from t where name = 'bf16'},
	'text out' => q{select length(a::text) from t where name = 'bf16'},
	'text in' => q{select adapter_digest(s::adapter) from texts},
	'send' => q{select length(adapter_send(a)) from t where name = 'bf16'},
	'envelope in' => q{select adapter_digest(adapter_from_safetensors(b)) from texts},
	'combine' => q{select adapter_digest(0.5 * x.a + 0.5 * adapter_set_base_model(y.a, 'an-8b-model')) from t x, t y where x.name = 'bf16' and y.name = 'bf16'},
	'weighted' => q{select adapter_digest(0.5 * a) from t where name = 'bf16'},
	'insert' => q{insert into t select 'new', 0.25 * a from t where name = 'bf16'},
	'lerp' => q{select adapter_digest(adapter_lerp(a, 2 * a, 0.3)) from t where name = 'bf16'},
	'scale' => q{select adapter_digest(adapter_scale(a, 0.5)) from t where name = 'bf16'},
	'cast' => q{select adapter_digest(adapter_cast(a, 'F32')) from t where name = 'bf16'},
	'select' => q{select adapter_digest(adapter_select(a, '.*_proj')) from t where name = 'bf16'},
	'split' => q{select adapter_digest(p) from t, adapter_split(a, 10000000) p where name = 'bf16'},
	'union' => q{select adapter_digest(adapter_union(p)) from t, adapter_split(a, 10000000) p where name = 'bf16'},
	'modules' => q{select sum(norm) from t, adapter_modules(a) where name = 'bf16'},
	'check' => q{select adapter_check(a) from t where name = 'bf16'},
	'delta' => q{select count(adapter_module_delta(a, format('model.layers.%s.self_attn.q_proj', l))) from t, generate_series(0, 31) l where name = 'bf16'},
);
for my $name (sort keys %operation)
{
	my ($rc, $stdout, $stderr) = $node->psql('postgres',
		"${processor_time}set statement_timeout = 30; $operation{$name}; reset statement_timeout; $processor_time",
		on_error_stop => 0);
	my ($before, $after) = $stdout =~ /processor ([0-9.]+)/g;
	note sprintf('%s: %.3f s', $name, $after - $before);
	cmp_ok($after - $before, '<=', 0.5, "$name is cancelled within half a second");
	like($stderr, qr/statement timeout/, "$name was under way");
}
is($node->safe_psql('postgres', q{select count(*) from t}), '3', 'nothing was stored by what was cancelled');

$node->stop;
done_testing();
