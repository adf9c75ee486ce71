-- Verifying: history that the owner invents, and what constraints would not let in.
create table named (name text primary key, a adapter);
insert into named values ('x', lora('q', '[[1, 2]]', '[[1], [0]]')), ('y', lora('q', '[[3, 5]]', '[[0], [1]]')),
	('z', lora('q', '[[8, 1]]', '[[2], [2]]')), ('evil', lora('q', '[[6, 6]]', '[[6], [6]]'));
insert into named select 'm', 0.5 * value('x') + 0.5 * value('z');
insert into named select 'c', 0.25 * value('m');

-- The owner invents no history: moves of aliases, versions of others and of another time.
select registry_create();
select registry.commit(name, a) from named where name in ('x', 'z') order by name;
select registry.commit('x', 2 * value('x'));
select registry.set_alias('x', 'production', 1);
select registry.set_alias('x', 'production', 2);
create temporary table kept as select registry.checkpoint() as checkpoint;
-- 55000
select fails($$insert into registry.alias_history values ('x', 'production', 3, 1, 2, 'alice', '2001-01-01')$$);
-- 428C9
select fails($$insert into registry.version (entry, number, value, digest, envelope_digest, recipe, actor, created_at)
	select 'x', 3, a, adapter_digest(a), adapter_envelope_digest(a), adapter_recipe(a), 'alice', '2001-01-01' from named where name = 'm'$$);
select * from problems((select checkpoint from kept));
-- With the trigger out of the way it is seen: back in time, from where the alias did not stand, after moves that never were.
alter table registry.alias_history disable trigger alias_history_insert;
insert into registry.alias_history values ('x', 'production', 3, 1, 2, 'alice', '2001-01-01'),
	('x', 'production', 4, 2, 2, 'alice', clock_timestamp()), ('x', 'production', 9, 2, 2, 'alice', clock_timestamp());
select * from problems((select checkpoint from kept));
alter table registry.alias_history enable trigger alias_history_insert;

-- What constraints would not let in.
alter table registry.alias drop constraint alias_pkey, alter number drop not null;
insert into registry.alias (entry, alias, number) select entry, alias, number from registry.alias where alias = 'production';
insert into registry.alias (entry, alias) values ('x', 'nothing');
alter table registry.log_head drop constraint log_head_one;
update registry.log_head set one = false;
select * from problems((select checkpoint from kept)) where what !~ '^move';
select registry_drop(true);
drop table named, kept;

-- From a checkpoint on: what is told of after it, in pieces too.
create table named (name text primary key, a adapter);
insert into named values ('x', lora('q', '[[1, 2]]', '[[1], [0]]')), ('y', lora('q', '[[3, 5]]', '[[0], [1]]'));
select registry_create();
select registry.commit('x', a) from named where name = 'x';
create temporary table kept as select registry.checkpoint() as checkpoint;
select registry.commit('y', a, 'second') from named where name = 'y';
select registry.commit('m', 0.5 * value('x') + 0.5 * value('y'));
select registry.commit_virtual('v', 0.25 * value('x') + 0.75 * value('y'));
select registry.commit_virtual('w', 0.125 * value('x') + 0.5 * value('y'));
select registry.materialize('w');
select registry.set_alias('m', 'production', 1);
select registry.set_alias('m', 'other', 1);
select count(*) from registry.revoke('y', 'withdrawn');
select registry.materialize('v@1');
select registry.erase('m@1', 'no more');
create function since(most bigint default null) returns table (n bigint, class text, what text, detail text) language sql as $$
	select "position", class, regexp_replace(what, '[0-9a-f]{64}', 'DIGEST'), detail
	from registry.verify_since((select checkpoint from kept), most, true)
$$;
select * from since();
select registry.seal();
select * from since();
select * from since(2);
select count(*) from generate_series(2, 10, 3) n, registry.verify_since(registry.checkpoint_at(n), 3, true);
-- Each is found, and with its entry.
create function altered(change text) returns table (n bigint, class text, what text, detail text) language plpgsql as $$
begin
	begin
		execute change;
		return query select * from since();
		raise sqlstate 'PA000';
	exception when sqlstate 'PA000' then
		null;
	end;
end
$$;
alter table registry.version disable trigger all;
alter table registry.log disable trigger all;
alter table registry.revocation disable trigger all;
alter table registry.edge disable trigger all;
alter table registry.alias_history disable trigger all;
alter table registry.alias disable trigger all;
alter table registry.tree disable trigger all;
select left(c.change, 60) as change, a.* from unnest(array[
	$$update registry.version set message = 'x' where entry = 'y'$$,
	$$update registry.version set value = (select a from named where name = 'y') where entry = 'v'$$,
	$$update registry.version set value = null, erased_at = null, erase_reason = null, virtual = true where entry = 'm'$$,
	$$update registry.version set value = null where entry = 'w'$$,
	$$update registry.version set erase_reason = 'x' where entry = 'm'$$,
	$$update registry.version set told = sha256(told) where entry = 'm'$$,
	$$delete from registry.edge where of = registry.digest('m@1')$$,
	$$update registry.revocation set reason = 'x'$$,
	$$update registry.alias_history set actor = 'x' where move = 1$$,
	$$insert into registry.alias (entry, alias, number) values ('m', 'production', 1)$$,
	$$update registry.log set fields[8] = 'x' where position = 3$$,
	$$update registry.log set hash = sha256(hash) where position = 2$$,
	$$delete from registry.log where position = 4$$,
	$$delete from registry.log where position > 12$$,
	$$update registry.log_head set origin = 'other'$$]) with ordinality c(change, i)
	left join lateral altered(c.change) a on true order by i, n;
select fails('select registry.verify_since(null)'), fails('select registry.verify_since(registry.checkpoint_at(2), 0)'),
	fails($$select registry.verify_since('x')$$);
select registry_drop(true);
drop function altered, since;
drop table named, kept;
