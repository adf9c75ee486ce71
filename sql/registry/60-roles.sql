-- Who may do what.  Nothing is granted to public.  For whom a function is says
-- the line before it, from which the part rights is made (rights.awk).

-- For: reader, inside
create or replace function @registry@.is_member(role name) returns boolean
	language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
	select exists (select from pg_roles r where r.rolname = $1 and pg_has_role(current_user, r.oid, 'USAGE'))
$$;
comment on function @registry@.is_member(name) is
	'The current role has the rights of the role; false if there is no such role any more.';

-- With the rights of its caller: who guesses names learns nothing of others' entries.
-- For: reader, inside
create or replace function @registry@.is_owner(owner name, entry text) returns boolean
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return exists (select from @registry@.entry e where e.name = is_owner.entry and e.owner = is_owner.owner);
end
$$;
comment on function @registry@.is_owner(name, text) is
	'There is such an entry that the current role may see, and it has this owner.';

-- For: reader, inside
create or replace function @registry@.owns_entry(entry text) returns boolean
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return exists (select from @registry@.entry e where e.name = $1 and @registry@.is_member(e.owner));
end
$$;
comment on function @registry@.owns_entry(text) is
	'The entry exists and the current role has the rights of its owner; volatile, so that a policy sees an '
	'entry that the same command has made.';

-- For: owner
create or replace function @registry@.allow(reader text default null, writer text default null,
	admin text default null) returns void
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	secured constant boolean := (
		select c.relrowsecurity from pg_class c where c.oid = '@registry@.version'::regclass);
	-- a name of 63 bytes, which two roles do not share
	policy constant text := 'admin ' || case when octet_length(admin) <= 57 then admin else md5(admin) end;
	role text;
	t text;
begin
	foreach role in array array_remove(array[reader, writer, admin], null) loop
		if not exists (select from pg_roles r where r.rolname = role) then
			raise exception 'role "%" does not exist', role using errcode = '42704';
		end if;
		execute format('grant usage on schema @registry@ to %I', role);
		execute format('grant select on @registry@.entry, @registry@.version, @registry@.alias, '
			'@registry@.alias_history, @registry@.log_head, @registry@.share to %I', role);
		perform @registry@.allow_functions('reader', role);
		if role = admin or not secured then
			execute format('grant select on @registry@.story, @registry@.edge, @registry@.claim_set, '
				'@registry@.claim, @registry@.revocation, @registry@.dead, @registry@.step, @registry@.log, '
				'@registry@.event, @registry@.tree to %I', role);
			perform @registry@.allow_functions('log reader', role);
		end if;
	end loop;
	foreach role in array array_remove(array[writer, admin], null) loop
		execute format('grant insert (name, base_model, description, owner, tags), '
			'update (base_model, description, owner, tags) on @registry@.entry to %I', role);
		execute format('grant insert (entry, value, message, virtual, allow_duplicate), '
			'update (value) on @registry@.version to %I', role);
		execute format('grant insert (entry, alias, number), update (number) '
			'on @registry@.alias to %I', role);
		execute format('grant insert (entry, role, owner), update (role) on @registry@.share to %I', role);
		perform @registry@.allow_functions('writer', role);
	end loop;
	if admin is not null then
		execute format('grant update (erased_at, erase_reason) on @registry@.version to %I', admin);
		perform @registry@.allow_functions('admin', admin);
		-- rights can be given again, which creates no second policies
		foreach t in array case when secured
				then array['entry', 'version', 'alias', 'alias_history', 'share'] else '{}' end loop
			continue when exists (select from pg_policy p join pg_roles r on p.polroles = array[r.oid]
				where p.polrelid = format('@registry@.%I', t)::regclass and r.rolname = admin);
			execute format('create policy %I on @registry@.%I to %I using (true) with check (true)',
				policy, t, admin);
			execute format('comment on policy %I on @registry@.%I is %L',
				policy, t, 'Admins see and change everything.');
		end loop;
	end if;
end
$$;
comment on function @registry@.allow(text, text, text) is
	'Gives existing roles the rights to read, to commit and move aliases, to revoke, erase and recompose '
	'(null: none). For more roles, and where registry_upgrade() gave no rights. Error 42704: no such '
	'role.';

-- For: nobody
create or replace function @registry@.allow_functions(allowed text, role text) returns void
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	f regprocedure;
begin
	for f in select p.oid::regprocedure from pg_proc p join @registry@.rights() r on r.name = p.proname
			where p.pronamespace = '@registry@'::regnamespace and r.role = allowed loop
		execute format('grant execute on function %s to %I', f, role);
	end loop;
end
$$;
comment on function @registry@.allow_functions(text, text) is
	'Grants a role the functions that are for readers, log readers, writers or admins (@registry@.rights).';

-- For: writer
create or replace function @registry@.share(entry text, role name) returns void
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	if not (select c.relrowsecurity from pg_class c where c.oid = '@registry@.version'::regclass) then
		raise exception 'the registry has no row-level security' using errcode = '55000',
			hint = 'Who may read may read every entry.';
	elsif not exists (select from pg_roles r where r.rolname = share.role) then
		raise exception 'role "%" does not exist', role using errcode = '42704';
	end if;
	insert into @registry@.share (entry, role, owner)
		select e.name, share.role, e.owner from @registry@.entry e
		where e.name = share.entry and @registry@.is_member(e.owner)
		on conflict do nothing;
	if not exists (select from @registry@.share s
			where s.entry = share.entry and s.role = share.role) then
		raise exception 'there is no entry "%" that you own', entry using errcode = '42704';
	end if;
end
$$;
comment on function @registry@.share(text, name) is
	'Lets members of a role read an entry, its versions, aliases and history under row-level security; they '
	'cannot commit to it. Errors: 42704 no such role, or no such entry of the caller''s; 55000 no row-level '
	'security.';

-- For: writer
create or replace function @registry@.unshare(entry text, role name) returns void
	language sql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
	update @registry@.share s set role = null where s.entry = unshare.entry and s.role = unshare.role
$$;
comment on function @registry@.unshare(text, name) is 'Takes back what share gave; nothing if it did not.';

-- For: nobody
create or replace function @registry@.entry_given() returns trigger
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	update @registry@.share s set owner = new.owner where s.entry = new.name;
	return null;
end
$$;
comment on function @registry@.entry_given() is
	'Trigger: what was shared of an entry goes to its new owner, who takes it back.';
