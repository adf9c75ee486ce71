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
