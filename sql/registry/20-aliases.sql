-- Aliases: every move is checked, written down and told.

-- In words what the constraint says, whose name would say nothing.
-- For: nobody
create or replace function @registry@.check_name(what text, name text) returns void
	language plpgsql immutable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	if name is null
		or name collate "C" ~ '^[^@[:cntrl:][:space:]]([^@[:cntrl:]]{0,198}[^@[:cntrl:][:space:]])?$' then
		return;
	end if;
	raise exception '% cannot be called "%"', what, left(name, 200) using errcode = '23514',
		detail = 'A name has 1 to 200 characters, none of them @ or a control character, and no space at '
			'either end.',
		hint = case when name ~ '@'
			then 'What is before @ in a reference is the name of the entry, what is behind it a number or an '
				'alias: @registry@.set_alias() makes one.'
			else 'Choose another name.' end;
end
$$;
comment on function @registry@.check_name(text, text) is
	'Error 23514 that says what is wrong with the name of an entry or an alias; nothing if it is one.';

-- For: nobody
create or replace function @registry@.check_entry_name() returns trigger
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	perform @registry@.check_name('an entry', new.name);
	return new;
end
$$;
comment on function @registry@.check_entry_name() is
	'Trigger: error 23514 in words for what cannot be the name of an entry.';

-- An alias "latest" would stand at a version that is not the latest any more.  One
-- from before that was reserved can be moved, and restored where the log is empty.
-- For: nobody
create or replace function @registry@.check_alias_name() returns trigger
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	perform @registry@.check_name('an alias', new.alias);
	if new.alias ~ '^[0-9]+$' then
		raise exception 'an alias cannot be called "%"', left(new.alias, 200) using errcode = '23514',
			detail = 'A number behind @ is that of a version.';
	end if;
	if new.alias = 'latest'
		and not exists (select from @registry@.alias a where a.entry = new.entry and a.alias = 'latest')
		and exists (select from @registry@.log) then
		raise exception 'an alias cannot be called "latest"' using errcode = '23514',
			detail = 'name@latest is the newest version that is not revoked, as name alone is.';
	end if;
	return new;
end
$$;
comment on function @registry@.check_alias_name() is
	'Trigger: error 23514 in words for what cannot be an alias, and for a new one called latest.';

-- For: nobody
create or replace function @registry@.alias_moved() returns trigger
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
	moved @registry@.alias;
	was integer := case when tg_op <> 'INSERT' then old.number end;
	becomes integer := case when tg_op <> 'DELETE' then new.number end;
begin
	moved := case when tg_op = 'DELETE' then old else new end;
	if tg_op = 'UPDATE'
		and row(new.entry, new.alias, new.id) is distinct from row(old.entry, old.alias, old.id) then
		raise exception 'an alias cannot be renamed' using errcode = '55000',
			hint = 'Remove it and make another.';
	end if;
	if was is not distinct from becomes then
		return null;
	end if;
	-- An empty log: data alone is being restored, and history with it.
	if not exists (select from @registry@.log) then
		return null;
	end if;
	if becomes is not null then
		perform pg_current_xact_id();		-- first, as version_facts does
		perform @registry@.check_live(v.digest, v.claims) from @registry@.version v
			where v.entry = moved.entry and v.number = becomes;
	end if;
	-- The conflict is with a move that an older snapshot does not see: 40001.
	insert into @registry@.alias_history (entry, alias, move, number, previous, actor, moved_at)
		select moved.entry, moved.alias, coalesce(max(h.move), 0) + 1, becomes, was, session_user,
			greatest(clock_timestamp(), max(h.moved_at))
		from @registry@.alias_history h where h.entry = moved.entry and h.alias = moved.alias
		on conflict (entry, alias, move) do nothing;
	perform pg_notify('@registry@_alias', moved.id::text);
	return null;
end
$$;
comment on function @registry@.alias_moved() is
	'Trigger: writes alias_history, sends NOTIFY @registry@_alias with the alias''s id. Errors: 55000 '
	'revoked version, renamed alias; 40001.';

-- Called from alias_moved it is not the outermost trigger.
-- For: nobody
create or replace function @registry@.alias_history_insert() returns trigger
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	if pg_trigger_depth() = 1 and not @registry@.log_has_alias(new.entry, new.alias, new.move) then
		raise exception 'insert of table "alias_history" is not allowed' using errcode = '55000',
			detail = 'Moving an alias writes its history.';
	end if;
	return new;
end
$$;
comment on function @registry@.alias_history_insert() is
	'Trigger: error 55000 unless an alias was moved, or the log has the move or is empty (a restore).';

-- Who has DELETE on a table can lock it as a whole, and hold up everybody.  So a
-- row is removed by an UPDATE of the one column that its writers may change.
-- For: nobody
create or replace function @registry@.remove_row() returns trigger
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	execute format('delete from %s where ctid = $1', tg_relid::regclass) using old.ctid;
	return null;
end
$$;
comment on function @registry@.remove_row() is
	'Trigger: an UPDATE that sets the column of its condition to null removes the row.';

-- For: writer
create or replace function @registry@.remove_alias(name text, alias text) returns void
	language sql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
	update @registry@.alias a set number = null where a.entry = $1 and a.alias = $2
$$;
comment on function @registry@.remove_alias(text, text) is
	'Removes an alias of an entry; nothing if there is none.';

-- For: writer
create or replace function @registry@.set_alias(name text, alias text, version integer) returns void
	language sql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
	insert into @registry@.alias (entry, alias, number) values ($1, $2, $3)
	on conflict (entry, alias) do update set number = excluded.number
$$;
comment on function @registry@.set_alias(text, text, integer) is
	'Makes or moves an alias of an entry to a version. Errors: 23503 no such version, 55000 it is revoked.';

-- For: writer
create or replace function @registry@.set_alias(name text, alias text, version integer, expected integer)
	returns void
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
	moved integer;
begin
	if $4 is null then
		insert into @registry@.alias (entry, alias, number) values ($1, $2, $3)
			on conflict (entry, alias) do nothing;
	else
		update @registry@.alias a set number = $3 where a.entry = $1 and a.alias = $2 and a.number = $4;
	end if;
	get diagnostics moved = row_count;
	if moved = 0 then
		raise exception 'alias "%" of "%" does not stand at the expected version', $2, $1
			using errcode = '55000',
			detail = (select format('It stands at %s.', coalesce(max(a.number)::text, 'no version'))
				from @registry@.alias a where a.entry = $1 and a.alias = $2),
			hint = 'Somebody else moved it; read it again.';
	end if;
end
$$;
comment on function @registry@.set_alias(text, text, integer, integer) is
	'Moves an alias only if it stands at the expected version (null: does not exist). Errors: 55000 it does '
	'not, or the version is revoked; 23503 no such version.';

-- For: reader
create or replace function @registry@.alias_at(name text, alias text, "time" timestamptz) returns integer
	language sql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
	select h.number from @registry@.alias_history h
	where h.entry = $1 and h.alias = $2 and h.moved_at <= $3
	order by h.move desc limit 1
$$;
comment on function @registry@.alias_at(text, text, timestamptz) is
	'Number of the version that an alias stood for at a time; null if it did not exist.';
