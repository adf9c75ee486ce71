# Every command block of README.md, typed as it stands there: SQL and psql in
# psql, the shell block in a shell, the Python block in Python.  (dev/demo,
# dev/test and the make commands are run by dev/test itself.)
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $readme = slurp_file("$top/README.md");
my %block;
while ($readme =~ /^```(\w*)\n(.*?)^```$/msg)
{
	push @{ $block{ $1 || 'psql' } }, $2;
}
is(join(' ', map { scalar @{ $block{$_} || [] } } qw(sql psql sh python)), '2 1 1 1', 'the blocks that this test knows');

my $node = PostgreSQL::Test::Cluster->new('readme');
# (without a locale in the environment initdb takes SQL_ASCII, of which psycopg gives bytes)
$node->init(extra => ['--encoding=UTF8']);
$node->start;
$node->safe_psql('postgres', 'create extension peftarith');
my $folder = tempdir(CLEANUP => 1);
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PGDATABASE} = 'postgres';

# The table, as the first statement of the SQL block makes it; the adapters, as
# the psql block brings one in.
my ($create, $compose) = $block{sql}[0] =~ /^(.*?;)(.*)$/s;
$node->safe_psql('postgres', $create);
my %adapter = ('d0' => 'distgen/lora/d0', 'd1' => 'distgen/lora/d1', 'toxic' => 'unlearn/lora/toxic',
	'lm_tweet' => 'transfer_lm/lora/lm_tweet', 'lm_fortune' => 'transfer_lm/lora/lm_fortune');
chdir $top or die;
for my $name (sort keys %adapter)
{
	my $typed = $block{psql}[0];
	$typed =~ s{examples/distgen/lora/d0/}{examples/$adapter{$name}/}g;
	$typed =~ s/'d0'/'$name'/;
	write_and_run("$name.sql", $typed, "psql block, for $name");
}
is($node->safe_psql('postgres', q{select string_agg(name, ' ' order by name) from adapters}),
	'd0 d1 lm_fortune lm_tweet toxic', 'the adapters are in');
write_and_run('compose.sql', $compose, 'SQL block');
is($node->safe_psql('postgres', q{select string_agg(name, ' ' order by name) from adapters where name in ('merged', 'detoxed', 'toxic_fortune', 'apart')}),
	'apart detoxed merged toxic_fortune', 'the compositions are there');

# The registry's block, and what it says of itself.
write_and_run('registry.sql', $block{sql}[1], 'registry block');
is($node->safe_psql('postgres', q{select string_agg(entry || '@' || number || ' ' || registry.is_live(digest), ', ' order by entry, number) from registry.version}),
	'both@1 false, both@2 true, d0@1 true, d1@1 false', 'one is revoked and one is made again');
is($node->safe_psql('postgres', q{select string_agg(names[1] || ' ' || p || ' ' || q, ', ' order by names) from registry.lineage('both@1')}),
	'd0@1 0.5 0.5, d1@1 0.5 0.5', 'lineage');
is($node->safe_psql('postgres', q{select registry.get('both') = 0.5*a from adapters where name = 'd0'}), 't', 'without what was revoked');
is($node->safe_psql('postgres', 'select * from registry.verify(recompute => true)'), '', 'verified');

# The shell block writes a folder: what comes back is the value.
chdir $folder or die;
is(system('sh', '-e', '-c', $block{sh}[0]), 0, 'shell block');
is($node->safe_psql('postgres', qq{select adapter_from_safetensors(pg_read_binary_file('$folder/merged/adapter_model.safetensors'),
	pg_read_file('$folder/merged/adapter_config.json')::json) = a from adapters where name = 'merged'}), 't', 'the folder is the value');

# The Python block defines two functions.
SKIP:
{
	my ($python) = grep { system("'$_' -c 'import psycopg' 2>/dev/null") == 0 } grep { defined } $ENV{PA_PYTHON}, '/usr/bin/python3', 'python3';
	skip 'no Python with psycopg', 2 unless defined $python;
	append_to_file("$folder/readme.py", "import pathlib\nimport psycopg\n\n" . $block{python}[0] . <<"PYTHON");

with psycopg.connect(autocommit=True) as connection:
    folder_out(connection, "merged", "$folder/out")
    folder_in(connection, "again", "$folder/out")
PYTHON
	my $said = qx{$python '$folder/readme.py' 2>&1};
	is($?, 0, 'Python block') or diag($said);
	is($node->safe_psql('postgres', q{select x.a = y.a from adapters x, adapters y where x.name = 'merged' and y.name = 'again'}), 't', 'out and in again');
}

sub write_and_run
{
	my ($name, $sql, $label) = @_;
	append_to_file("$folder/$name", $sql);
	is(system('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', "$folder/$name"), 0, $label);
}

$node->stop;
done_testing();
