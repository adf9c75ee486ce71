# In a database that is not UTF-8 an error keeps its SQLSTATE, also where its
# text names what the database's encoding does not have.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('encoding');
$node->init;
$node->start;
$node->safe_psql('postgres', q{create database latin1 encoding 'LATIN1' locale 'C' template template0});
$node->safe_psql('latin1', 'create extension peftarith');

# A module called q, a German u and a Japanese sun; its factor A is NaN.
my $adapter = q{adapter_from_json('{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 1}, "tensors": {
	"q\u00fc\u65e5.lora_A.weight": {"dtype": "F32", "shape": [1, 1], "data": ["NaN"]},
	"q\u00fc\u65e5.lora_B.weight": {"dtype": "F32", "shape": [1, 1], "data": [1]}}}')};
my ($status, $out, $error) = $node->psql('latin1', "\\set VERBOSITY verbose\nset client_encoding = 'UTF8';\nselect adapter_norm($adapter);");
like($error, qr/ERROR:  22003: tensor "q\xc3\xbc\?\.lora_A\.weight" holds NaN or infinity/, 'SQLSTATE and text');
is($node->safe_psql('latin1', "do \$\$ begin perform adapter_norm($adapter); exception when numeric_value_out_of_range then raise notice 'caught'; end \$\$; select 1"),
	'1', 'it is caught by its condition');

# What cannot be told as text in this encoding is an error of the encoding.
($status, $out, $error) = $node->psql('latin1', "\\set VERBOSITY verbose\nselect module from adapter_modules($adapter);");
like($error, qr/ERROR:  22P05/, 'a name that the encoding does not have');

$node->stop;
done_testing();
