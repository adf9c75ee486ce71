-- Roles: a reader, two writers, an admin, and policies.
create table base (name text primary key, a adapter);
insert into base values
	('x', lora('q', '[[1, 2]]', '[[1], [0]]')),
	('y', lora('q', '[[3, 5]]', '[[0], [1]]')),
	('z', lora('q', '[[8, 1]]', '[[2], [2]]'));
create role regress_reader;
create role regress_alice;
create role regress_bob;
create role regress_writer;
create role regress_admin;
grant regress_writer to regress_alice, regress_bob;
select fails($$select registry_create('regress_reader', 'nobody_of_this_name')$$);
select to_regnamespace('registry') is null as nothing_left;
select registry_create('regress_reader', 'regress_writer', 'regress_admin', row_security => true);
select c.relname, p.polname from pg_policy p join pg_class c on c.oid = p.polrelid where obj_description(p.oid, 'pg_policy') is null;
grant select on base to regress_writer;
set role regress_alice;
select registry.commit('alice', a, 'hers') from base where name = 'x';
select registry.commit('alice', 2 * registry.get('alice'));
select registry.set_alias('alice', 'production', 1);
select actor = session_user as actor, acting_as from registry.version;
select owner from registry.entry;
select names, p from registry.lineage('alice@2');
-- A writer sets what a writer may.
select fails($$insert into registry.version (entry, value, number) select 'alice', a, 7 from base$$);
select fails($$update registry.version set message = 'other'$$);
select fails($$update registry.entry set next_number = 1$$);
select fails($$delete from registry.edge$$);
select fails($$insert into registry.revocation (digest) values (sha256('x'))$$);
select fails($$select registry.erase('alice@1', 'gone')$$);
select fails($$select registry.revoke('alice@1', 'gone')$$);
select fails($$select registry.check_live(sha256('x'), null)$$);
set role regress_bob;
-- Bob sees nothing of Alice's, may not commit to her entry,
select count(*) from registry.version;
select count(*) from registry.entry;
select fails($$select registry.get('alice@production')$$);
select fails($$select registry.commit('alice', a) from base where name = 'x'$$);
select fails($$select registry.set_alias('alice', 'production', 2)$$);
select fails($$select registry.set_alias('alice', 'mine', 2)$$);
select fails($$insert into registry.entry (name, owner) values ('gift', 'regress_alice')$$);
-- and sees that his adapter was made from something registered, not its name.
select registry.commit('bob', 0.5 * a) from base where name = 'x';
select names, kind, p from registry.lineage('bob');
-- What he may not see is not evaluated for him, and says nothing of itself.
select regexp_replace(fails($$select registry.commit_virtual('bob', 0.25 * a) from base where name = 'x'$$), '[0-9a-f]{64}', 'DIGEST');
-- She lets him read her entry; he cannot do that himself, nor write to it, nor take it from her.
select fails($$select registry.share('alice', 'regress_bob')$$);
set role regress_alice;
select fails($$select registry.share('alice', 'nobody_of_this_name')$$);
select registry.share('alice', 'regress_bob');
set role regress_bob;
select count(*) from registry.version where entry = 'alice';
select registry.get('alice@production') = a as same from base where name = 'x';
select names, kind, p from registry.lineage('bob');
select fails($$select registry.commit('alice', a) from base where name = 'z'$$);
select fails($$select registry.set_alias('alice', 'production', 2)$$);
select fails($$update registry.entry set description = 'his'$$), (select description from registry.entry where name = 'alice');
select registry.unshare('alice', 'regress_bob');
select count(*) from registry.version where entry = 'alice';
set role regress_alice;
select count(*) from registry.version where entry = 'bob';
select registry.unshare('alice', 'regress_bob');
set role regress_bob;
select count(*) from registry.version where entry = 'alice';
-- A superuser's rights are no part of the registry.
set role regress_bob;
select fails($$select registry_upgrade()$$);
reset role;
alter schema registry owner to regress_admin;
select fails($$select registry_upgrade()$$);
select fails($$select registry_drop(true)$$);
do $$ begin execute format('alter schema registry owner to %I', current_user); end $$;
-- Rights are given again after an upgrade.
select registry_upgrade();
select registry.allow('regress_reader', 'regress_writer', 'regress_admin');
select count(*) from pg_policy where polname = 'admin regress_admin';
set role regress_reader;
select count(*) from registry.version;
select fails($$select registry.commit('reader', a) from base$$);
select fails($$select count(*) from registry.log$$);
set role regress_admin;
select names, kind from registry.lineage('bob');
select ref, kind, aliases, recomposable, obstacle from registry.revoke('alice@1', 'hers no more') order by depth, ref;
select registry.erase('alice@1', 'hers no more');
set role regress_bob;
-- An error tells nobody's names.
select fails($$select registry.get('bob@1')$$);
select regexp_replace(fails($$select registry.commit('bob', 0.25 * a) from base where name = 'x'$$), '[0-9a-f]{64}', 'DIGEST');
reset role;
select registry_drop(true);
drop owned by regress_reader, regress_writer, regress_admin;
drop role regress_reader, regress_alice, regress_bob, regress_writer, regress_admin;
drop table base;

-- Who is granted what is what the line before each function says.
create role regress_rights_reader;
create role regress_rights_writer;
create role regress_rights_admin;
create function wrong_grants(secured boolean) returns table (function regprocedure, role text, granted boolean) language plpgsql stable as $$
begin
	return query select p.oid::regprocedure, g.role, has_function_privilege('regress_rights_' || g.role, p.oid, 'execute')
	from (values ('reader', '{reader}'::text[]), ('writer', '{reader,writer}'), ('admin', '{reader,log reader,writer,admin}')) g(role, has)
		cross join pg_proc p left join registry.rights() r on r.name = p.proname
	where p.pronamespace = 'registry'::regnamespace
		and has_function_privilege('regress_rights_' || g.role, p.oid, 'execute')
			is distinct from (r.role = any(g.has) or r.role = 'log reader' and not secured);
end
$$;
select registry_create('regress_rights_reader', 'regress_rights_writer', 'regress_rights_admin');
select * from wrong_grants(false);
select role, count(distinct name) > 0 as some, bool_or(inside) as inside from registry.rights() group by role order by role collate "C";
select count(*) as not_told_of from pg_proc p
where p.pronamespace = 'registry'::regnamespace and not exists (select from registry.rights() r where r.name = p.proname);

-- Who may not call what a trigger asks can commit, whatever plans are kept.
create table one as select lora('q', '[[1]]', '[[2]]') as a;
grant select on one to regress_rights_writer;
set role regress_rights_writer;
set plan_cache_mode = force_generic_plan;
select registry.commit('one', a) from one;
reset plan_cache_mode;
reset role;
select registry_drop(true);

-- With policies the log is for admins alone.
select registry_create('regress_rights_reader', 'regress_rights_writer', 'regress_rights_admin', true);
select * from wrong_grants(true);
select has_function_privilege('regress_rights_reader', 'registry.verify(text, boolean)', 'execute') as reader,
	has_function_privilege('regress_rights_admin', 'registry.verify(text, boolean)', 'execute') as admin;
select registry_drop();

drop table one;
drop function wrong_grants;
drop role regress_rights_reader, regress_rights_writer, regress_rights_admin;
