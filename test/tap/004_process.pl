# The extension leaves the process as it was: floating-point control, threads,
# memory.  Builds a small test module (process.c) with the server's headers.
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
system_or_bail('cc', '-O1', '-fPIC', '-shared', "-I$include", '-o', "$folder/process.so", dirname(__FILE__) . '/process.c');

my $lora = q{adapter_from_json('{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 1},
	"tensors": {"base_model.model.m.lora_A.weight": {"dtype": "F32", "shape": [1, 2], "data": [1e-40, 2]},
	            "base_model.model.m.lora_B.weight": {"dtype": "F32", "shape": [1, 1], "data": [2]}}}')};

for my $preload (0, 1)
{
	my $node = PostgreSQL::Test::Cluster->new("process$preload");
	$node->init;
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'peftarith'") if $preload;
	$node->start;
	$node->safe_psql('postgres', qq{
		create extension peftarith;
		create function float_control() returns int as '$folder/process', 'float_control' language c;
		create function thread_count() returns int as '$folder/process', 'thread_count' language c});
	my $out = $node->safe_psql('postgres', qq{
		select float_control();
		load 'peftarith';
		select float_control();
		select length(adapter_digest(0.5 * $lora + 0.5 * $lora));
		select length(adapter_send(adapter_cast($lora, 'f16')));
		select adapter_norm($lora) > 0, adapter_rank(adapter_truncate(delta($lora) + delta($lora), 1));
		select float_control();
		select thread_count()});
	my @lines = split /\n/, $out;
	is($lines[1], $lines[0], "loading leaves the floating-point control register alone (preload $preload)");
	is($lines[5], $lines[0], 'so does using it, OpenBLAS too');
	is($lines[0], 0x1f80, 'which is the default') if `uname -m` =~ /x86_64/;
	is($lines[4], 't|1', 'OpenBLAS was used');
	is($lines[6], 1, 'one thread');
	my $pid = $node->safe_psql('postgres', q{select split_part(pg_read_file('postmaster.pid'), E'\n', 1)});
	my @tasks = glob("/proc/$pid/task/*");
	is(scalar(@tasks), 1, 'one thread in the postmaster');
	my $maps = slurp_file("/proc/$pid/maps");
	is($maps =~ /peftarith\.so/ ? 1 : 0, $preload, 'which has the extension only if it is preloaded');
	unlike($maps, qr/openblas/, 'and OpenBLAS never');

	# Memory: thousands of calls and errors in one session leave nothing behind.
	my $rss = q{select (regexp_match(pg_read_file('/proc/' || pg_backend_pid() || '/status'), 'VmRSS:\s+(\d+)'))[1]::int};
	my $loop = sub {
		my ($n) = @_;
		return qq{do \$do\$
			declare x adapter := $lora; y adapter := adapter_cast($lora, 'bf16'); s text := x::text; n bigint;
			begin
			for i in 1..$n loop
				perform adapter_digest(0.5 * x + 0.25 * y), adapter_config(x), adapter_recipe(-x), adapter_rank(x), adapter_kind(y), adapter_base_model(x),
					adapter_check(x), s::adapter, adapter_send(y), adapter_to_json(x), adapter_tensor(x, 'base_model.model.m.lora_A.weight'),
					adapter_module_delta(x, 'm'), adapter_scale(x, 2), adapter_select(x, 'm'), adapter_set_base_model(x, 'b'), x = y, adapter_hash(x),
					adapter_lerp(x, y, 0.5), adapter_from_safetensors(adapter_to_safetensors(x), adapter_config(x));
				perform count(*) from adapter_modules(x);
				perform adapter_union(p) from adapter_split(x, 1000) p;
				begin perform adapter_select(x, '('); exception when others then null; end;
				begin perform adapter_select(x, 'none'); exception when others then null; end;
				begin perform adapter_digest(x * 1e300 * 1e10); exception when others then null; end;
				begin perform left(s, length(s) - 8)::adapter; exception when others then null; end;
				begin perform adapter_from_safetensors(adapter_to_safetensors(x), '{"a": [1,2,3]}'); exception when others then null; end;
			end loop;
			end \$do\$;};
	};
	my @memory = split /\n/, $node->safe_psql('postgres',
		join(";\n", $loop->(500), $rss, $loop->(3000), $rss));
	note "resident kB after 500 and 3,500 rounds: @memory";
	cmp_ok($memory[1] - $memory[0], '<', 1024, 'no growth');
	$node->stop;
}
done_testing();
