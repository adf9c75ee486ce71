# The section "By hand" of examples/paper/README.md, typed as it stands there,
# and what the tutorial says comes out of it.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/../..');
my ($section) = slurp_file("$top/examples/paper/README.md") =~ /^## By hand\n(.*?)^## /ms or die 'there is no such section';
my %block;
while ($section =~ /^```(\w+)\n(.*?)^```$/msg)
{
	push @{ $block{$1} }, $2;
}
is(join(' ', map { scalar @{ $block{$_} || [] } } qw(bash sql)), '2 1', 'the blocks that this test knows');

my $node = PostgreSQL::Test::Cluster->new('paper');
$node->init;
$node->start;
$node->safe_psql('postgres', 'create extension peftarith');
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PGDATABASE} = 'postgres';

chdir $top or die;
is(system('bash', '-e', '-c', "export PSQLRC=/dev/null; $block{bash}[0]"), 0, 'loading and composing');
is($node->safe_psql('postgres', 'select count(*), count(distinct setting) from adapters'), '23|6', 'all adapters of the repository');
is($node->safe_psql('postgres', 'select count(*), count(distinct setting) from composed'), '132|7', 'all compositions');
my $found = $node->safe_psql('postgres', $block{sql}[0]);
is(scalar(() = $found =~ /^0\.\d\|/mg), 9, 'the sweep has nine weights');

# A choice is there for each method and algebra, and each has a score on test texts.
for my $view (qw(distgen multitask unlearn transfer detox))
{
	my $all = $node->safe_psql('postgres', qq{select count(*) > 0 and bool_and(exists (select from scores s
		where (s.setting, s.method, s.seed, s.algebra, s.weights, s.split) = (c.setting, c.method, c.seed, c.algebra, c.weights, 'test')))
		from ${view}_choice c});
	is($all, 't', "$view: the chosen weights are those that were reported");
}
is($node->safe_psql('postgres', q{select algebra, round(value::numeric, 2) from scores where (setting, method, seed, split, metric) = ('distgen', 'lora', 0, 'test', 'accuracy')
	and algebra in ('parameter', 'delta') order by 1}), "delta|76.92\nparameter|73.58", 'the numbers of the first section');

my $folder = tempdir(CLEANUP => 1);
chdir $folder or die;
is(system('bash', '-e', '-c', "export PSQLRC=/dev/null; $block{bash}[1]"), 0, 'a folder');
is($node->safe_psql('postgres', qq{select adapter_from_safetensors(pg_read_binary_file('$folder/merged/adapter_model.safetensors'),
	pg_read_file('$folder/merged/adapter_config.json')::json) = a from composed where (setting, method, algebra) = ('distgen', 'lora', 'delta')}),
	't', 'the folder is the value');

chdir $top or die;
$node->stop;
done_testing();
