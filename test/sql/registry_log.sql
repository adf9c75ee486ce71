-- The log: which entry each event has, in the order of the commits.
create table base (name text primary key, a adapter);
insert into base values
	('x', lora('q', '[[1, 2]]', '[[1], [0]]')),
	('y', lora('q', '[[3, 5]]', '[[0], [1]]')),
	('z', lora('q', '[[8, 1]]', '[[2], [2]]'));
select registry_create();
insert into registry.version (entry, value, message) select name, a, 'imported' from base order by name;
insert into registry.version (entry, value, message)
	select 'mix', 0.4 * x.value + 0.6 * y.value, 'the paper''s merge'
	from registry.version x, registry.version y where x.entry = 'x' and y.entry = 'y';
select registry.commit('mix', registry.get('mix') + 0.5 * registry.get('z'), 'and z');
select registry.set_alias('mix', 'production', 2);
delete from registry.alias;
select registry.commit_virtual('sweep', 0.25 * registry.get('x') + 0.75 * registry.get('y'));
select registry.materialize('sweep');
select count(*) from registry.revoke('z', 'withdrawn');
select registry.erase('z@1', 'withdrawn');
-- What has been committed is sealed, in the order in which it happened; what happened is to be seen before.
select sealed, unsealed from registry.log_status();
select kind, fields[1:2] as first, cardinality(fields) as fields from registry.event order by id limit 2;
select * from registry.verify(recompute => true);
select registry.seal(4), registry.seal(), registry.seal();
select sealed, unsealed from registry.log_status();
-- A transaction that fails leaves none.
begin;
select registry.commit('late', 3 * registry.get('x'));
rollback;
-- Several of one transaction are logged when it ends, in its order.
begin;
select registry.commit('one', 5 * registry.get('x'));
select registry.set_alias('one', 'production', 1);
select registry.seal();
select count(*) from registry.log;
commit;
select registry.seal();
select position, kind, fields[1:2] as first, cardinality(fields) as fields from registry.log
	where kind not in ('revoke') order by position;
select position, fields[1] = encode(registry.digest('z@1'), 'hex') as digest, fields[2:3] = array['withdrawn', session_user::text] as fields
	from registry.log where kind = 'revoke';
-- Chained: each row has the hash of the one before, the head the last one's.
select bool_and(l.previous = coalesce(b.hash, decode(repeat('00', 32), 'hex'))) as chained,
	bool_and(l.hash = registry_entry_hash(l.position, l.previous, l.kind, l.fields)) as hashed
from registry.log l left join registry.log b on b.position = l.position - 1;
select h.size, h.hash = l.hash as hash from registry.log_head h join registry.log l on l.position = h.size;
-- What an entry tells is in the row.
select l.fields = registry.log_version_fields(v.entry, v.number, v.digest, v.envelope_digest, v.recipe, v.virtual, v.upgraded, v.allow_duplicate,
	v.message, v.actor, v.acting_as, v.created_at, decode(l.fields[12], 'hex')) as same
from registry.log l join registry.version v on v.entry = l.fields[1] and v.number::text = l.fields[2] where l.kind = 'version' and v.entry = 'mix';
-- Times are in UTC, whatever the session's zone and style.
set timezone = 'Asia/Kolkata';
set datestyle = 'SQL, DMY';
select registry.log_time('2026-02-01 05:29:59.123456+05:30'), registry.log_time('0044-03-15 12:00:00+00 BC'),
	registry.log_time('infinity'), registry.log_time('-infinity');
reset timezone;
reset datestyle;
-- An export, and a checkpoint of what was committed before.
select count(*), bool_and(e ~ '^{"position":[0-9]+,"kind":"[a-z]+","fields":\[.*\],"previous":"[0-9a-f]{64}","hash":"[0-9a-f]{64}"}$') as lines
from registry.export_log() e;
select * from registry.verify_export(array(select registry.export_log()), registry.checkpoint());
select class, what from registry.verify_export((array(select registry.export_log()))[1:3], registry.checkpoint());
begin;
select registry.commit('later', 7 * registry.get('x'));
set constraints all immediate;
select (select count(*) from registry.event) as unsealed, split_part(registry.checkpoint(), E'\n', 2)::integer - size as own_entries
from registry.log_head;
rollback;
-- A checkpoint is three lines; what is above the signatures of a signed note counts.
select regexp_replace(registry.checkpoint(), '^peftarith/[0-9a-f-]{36}', 'NAME') !~ '[^A-Za-z0-9+/=\n]' as plain,
	registry.checkpoint() = registry.checkpoint_at(14) as same, registry.checkpoint() ~ '^[^\n]+\n14\n[A-Za-z0-9+/]{43}=\n$' as lines;
select * from registry.verify(registry.checkpoint() || E'\n\u2014 example.org AAAA\n');
select * from registry.verify(registry.checkpoint_at(7));
select class, what, detail from registry.verify(regexp_replace(registry.checkpoint_at(7), '^[^\n]*', 'example.org/log'));
select class, what, detail from registry.verify(regexp_replace(registry.checkpoint_at(7), '\n7\n', E'\n8\n'));
select class, what, detail from registry.verify(regexp_replace(registry.checkpoint_at(7), '\n7\n', E'\n20\n'));
-- Not checkpoints, sizes, entries: 22023.
select fails(format('select registry.verify(%L)', c)) from (values (''), ('x'), (E'a\n1\nAAAA'),
	(replace(registry.checkpoint(), E'=\n', E'\n')), (regexp_replace(registry.checkpoint(), '.=\n$', E'B=\n')),
	(E'\n' || registry.checkpoint()), (replace(registry.checkpoint(), E'14\n', E'014\n'))) c(c);
select fails(format('select registry.%s', f)) from unnest('{checkpoint_at(0),checkpoint_at(15),checkpoint_at(null),seal(0),
	"inclusion_proof(0)","inclusion_proof(9, 8)","inclusion_proof(1, 15)","consistency_proof(5, 4)","consistency_proof(0, 4)"}'::text[]) f;
-- One snapshot: nothing is sealed in it, and nothing is needed for a commit there.
begin isolation level serializable;
select registry.commit('under', 9 * registry.get('x'));
select fails('select registry.seal()');
select split_part(registry.checkpoint(), E'\n', 2) as size;
commit;
begin read only;
select split_part(registry.checkpoint(), E'\n', 2) as size;
commit;
select split_part(registry.checkpoint(), E'\n', 2) as size;
-- Proofs: each entry in each size, each size in each later one.
select count(*), bool_and(registry_is_included(registry.log_leaf(l.hash), l.position - 1, n,
	array(select decode(h, 'base64') from unnest(i.path) with ordinality u(h, o) order by o), registry.tree_root(n))) as all_hold
from registry.log l cross join generate_series(1, 15) n cross join lateral registry.inclusion_proof(l.position, n) i
where l.position <= n;
select count(*), bool_and(registry_is_consistent(m, registry.tree_root(m), n, registry.tree_root(n),
	array(select decode(h, 'base64') from unnest(registry.consistency_proof(m, n)) with ordinality u(h, o) order by o))) as all_hold
from generate_series(1, 15) m cross join generate_series(1, 15) n where m <= n;
select entry ~ '"position":2,"kind":"version","fields":\["x","1"' as entry, tree_size, cardinality(path) as path from registry.inclusion_proof('x');
select registry.commit('unsealed', 11 * registry.get('x'));
select fails($$select registry.inclusion_proof('unsealed')$$);
-- An event that is lost before it was sealed is found by what it told of, one that is invented by what is not there.
begin;
delete from registry.event;
select class, what, detail from registry.verify();
rollback;
begin;
insert into registry.event (kind, fields) select kind, fields from registry.event;
insert into registry.event (kind, fields) values ('unheard', '{}'), ('revoke', array[repeat('0', 64), 'r', 'mallory', 't']);
select class, regexp_replace(what, 'event [0-9]+', 'event N') as what, regexp_replace(detail, 'event [0-9]+', 'event N') as detail
from registry.verify();
rollback;
-- Nobody writes into it.
select fails($$update registry.log set kind = 'other'$$);
select fails($$delete from registry.log_head$$);
select fails($$update registry.event set kind = 'other'$$);
select fails($$delete from registry.tree$$);
select * from registry.verify(recompute => true);
select registry_drop(true);
drop table base;
