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
