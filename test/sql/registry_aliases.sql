-- Aliases: moves, their conditions, their history.
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

-- Aliases.
select registry.set_alias('mix', 'production', 1);
select registry.set_alias('mix', 'production', 2, 1);
select fails($$select registry.set_alias('mix', 'production', 1, 1)$$);
select fails($$select registry.set_alias('mix', 'production', 1, null)$$);
select fails($$select registry.set_alias('mix', 'production', 9)$$);
select fails(format('select registry.set_alias(%L, %L, 1)', 'mix', alias)) from unnest(array['3', 'a@b', ' a', '', 'latest']) alias;
-- name@latest is the newest version that is not revoked.
select r.* from registry.resolve('mix@latest') r;
select fails($$update registry.alias set alias = 'other'$$);
insert into registry.alias (entry, alias, number) values ('mix', 'candidate', 1);
update registry.alias set number = 2 where alias = 'candidate';
delete from registry.alias where alias = 'candidate';
select entry, alias, move, number, previous, actor = session_user as actor from registry.alias_history order by alias, move;
select r.* from registry.resolve('mix@production') r;
select fails($$select registry.resolve('mix@candidate')$$);
select registry.alias_at('mix', 'production', moved_at) as then, registry.alias_at('mix', 'production', moved_at - interval '1 microsecond') as before
	from registry.alias_history where alias = 'production' and move = 2;
select registry.alias_at('mix', 'production', '-infinity') is null as never;
select fails($$delete from registry.alias_history$$);
select fails($$truncate registry.alias$$);
select * from registry.verify(recompute => true);
select registry_drop(true);
drop table base;
