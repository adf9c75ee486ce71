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
-- A transaction that fails leaves none.
begin;
select registry.commit('late', 3 * registry.get('x'));
rollback;
-- Several of one transaction are logged when it ends, in its order.
begin;
select registry.commit('one', 5 * registry.get('x'));
select registry.set_alias('one', 'production', 1);
select count(*) from registry.log;
commit;
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
select l.fields = registry.log_version_fields(v.entry, v.number, v.digest, v.envelope_digest, v.recipe, v.virtual, v.allow_duplicate,
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
select split_part(registry.checkpoint(), ' ', 3)::integer - size as own_entries from registry.log_head;
rollback;
-- Nobody writes into it.
select fails($$update registry.log set kind = 'other'$$);
select fails($$delete from registry.log_head$$);
select * from registry.verify(recompute => true);
select registry_drop(true);
drop table base;
