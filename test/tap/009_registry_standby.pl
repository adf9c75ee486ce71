# A registry on a streaming standby: what only reads gives there what it gives on
# the primary, and nothing of it needs to write.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->start;
$primary->safe_psql('postgres', q{
	create extension peftarith;
	create function leaf(n int) returns adapter language sql immutable as $$
		select adapter_from_json(format('{"config": {"peft_type": "LORA", "base_model_name_or_path": "b", "r": 2, "lora_alpha": 4},
			"tensors": {"base_model.model.m.lora_A.weight": {"dtype": "F32", "shape": [2, 5000], "data": %s},
			            "base_model.model.m.lora_B.weight": {"dtype": "F32", "shape": [5000, 2], "data": %s}}}',
			(select json_agg(sin(n * 1000 + i)) from generate_series(1, 10000) i),
			(select json_agg(cos(n * 1000 + i)) from generate_series(1, 10000) i))::json)
	$$;
	select registry_create();
	select registry.commit('x', leaf(1));
});

# pg_basebackup, and its -R
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

$primary->safe_psql('postgres', q{
	select registry.commit('y', leaf(2));
	select registry.commit('z', leaf(3));
	select registry.commit('m', 0.4 * registry.get('x') + 0.6 * registry.get('z'));
	select registry.commit('m', adapter_scale(registry.get('m'), 0.5));
	select registry.commit('t', adapter(0.5 * delta(registry.get('x')) + 0.5 * delta(registry.get('y'))));
	select registry.commit_virtual('v', 0.25 * registry.get('x') + 0.75 * registry.get('y'));
	select registry.set_alias('m', 'production', 2);
	select registry.set_alias('v', 'production', 1);
	select registry.revoke('z@1', 'withdrawn');
	select registry.recompose('m@1', 'z@1');
	select registry.erase('z@1', 'withdrawn');
});
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', 'select pg_is_in_recovery()'), 't', 'the standby is one');

my %same = (
	'get' => q{select string_agg(concat_ws(' ', v.entry, v.number, d, adapter_digest(g) = v.digest, md5(adapter_to_safetensors(g))), E'\n' order by v.entry, v.number)
		from registry.version v cross join lateral (select registry.get(v.entry || '@' || v.number, true) as g) a
		cross join lateral (select adapter_envelope_digest(g)) e(d) where v.erased_at is null},
	'references' => q{select registry.digest('m'), registry.digest('v@production'), registry.digest('t@1')},
	'lineage' => q{select * from registry.lineage('m@2') l order by l.depth, l.digest},
	'lineage through delta space' => q{select * from registry.lineage('t') l order by l.depth, l.digest},
	'descendants' => q{select * from registry.descendants('x') d order by d.depth, d.digest},
	'lineage_dot' => q{select registry.lineage_dot('m@2')},
	'diff' => q{select * from registry.diff('m@1', 'm@2')},
	'alias_at' => q{select entry, alias, registry.alias_at(entry, alias, moved_at) from registry.alias_history order by 1, 2, move},
	'export_log' => q{select registry.export_log()},
	'is_live' => q{select entry, number, registry.is_live(digest) from registry.version order by 1, 2},
);
for my $what (sort keys %same)
{
	my $rows = $primary->safe_psql('postgres', $same{$what});
	cmp_ok(length $rows, '>', 0, "$what: rows");
	is($standby->safe_psql('postgres', $same{$what}), $rows, "$what: the same on the standby");
}

my $checkpoint = $primary->safe_psql('postgres', 'select registry.checkpoint()');
$primary->wait_for_catchup($standby);
for my $node ($primary, $standby)
{
	is($node->safe_psql('postgres', "select * from registry.verify('$checkpoint', recompute => true)"), '', 'verify, on ' . $node->name);
}
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', 'select registry.checkpoint()'), $checkpoint, 'checkpoint on the standby');
# What the standby has and nobody has sealed counts there too, and is not told by its checkpoint.
$primary->safe_psql('postgres', q{select registry.commit('unsealed', 0.0625 * registry.get('x'))});
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', 'select unsealed from registry.log_status()'), '1', 'an event on the standby');
is($standby->safe_psql('postgres', 'select registry.checkpoint()'), $checkpoint, 'and no checkpoint of it');
my ($rc, $out, $err) = $standby->psql('postgres', q{select registry.get('m@2')});
like($err, qr/or an ancestor of it is revoked/, 'what is revoked is revoked there');
($rc, $out, $err) = $standby->psql('postgres', q{select registry.commit('n', 0.5 * registry.get('x'))});
like($err, qr/read-only transaction/, 'a commit is refused');

# It takes over.
$standby->promote;
is($standby->safe_psql('postgres', q{select registry.commit('m', 0.125 * registry.get('x'))}), 'm@4', 'numbering goes on after promotion');
is($standby->safe_psql('postgres', "select * from registry.verify('$checkpoint', recompute => true)"), '', 'and the log is the one of the checkpoint');
$primary->safe_psql('postgres', q{select registry.commit('m', 0.375 * registry.get('x'))});
my $later = $primary->safe_psql('postgres', 'select registry.checkpoint()');
$standby->safe_psql('postgres', 'select registry.seal()');
like($standby->safe_psql('postgres', "select class from registry.verify('$later')"), qr/^forked$/m, 'two that went on from one are told apart');

$standby->stop;
$primary->stop;
done_testing();
