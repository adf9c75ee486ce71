-- The log: what is written in it, when, and how it comes out.
--
-- Rows are appended when a transaction commits, under the lock of log_head's
-- row, which is held until it has ended: so positions have no gaps, and their
-- order is that of the commits.  Under REPEATABLE READ and SERIALIZABLE the one
-- that waited for another gets 40001.

-- For: log reader, inside
create or replace function @registry@.log_time(at timestamptz) returns text
	language plpgsql stable strict parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	if not isfinite(at) then
		return case when at > 'epoch' then 'infinity' else '-infinity' end;
	end if;
	return to_char(timezone('UTC', at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') ||
		case when date_part('year', timezone('UTC', at)) < 0 then ' BC' else '' end;
end
$$;
comment on function @registry@.log_time(timestamptz) is
	'A time as the log writes it, in UTC: 2026-01-31T23:59:59.123456Z.';

-- For: log reader, inside
create or replace function @registry@.log_version_fields(
	entry text, number integer, digest bytea, envelope_digest bytea, recipe jsonb,
	virtual boolean, allow_duplicate boolean, message text, actor name, acting_as name,
	created_at timestamptz, told bytea) returns text[]
	language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return array[entry, number::text, encode(digest, 'hex'), encode(envelope_digest, 'hex'),
		encode(sha256(convert_to(recipe::text, 'UTF8')), 'hex'), virtual::text, allow_duplicate::text,
		message, actor::text, acting_as::text, @registry@.log_time(created_at), encode(told, 'hex')];
end
$$;
comment on function @registry@.log_version_fields(text, integer, bytea, bytea, jsonb, boolean, boolean,
	text, name, name, timestamptz, bytea) is
	'Fields of a version''s entry: its columns but for the value; told is the hash of what it tells.';

-- For: nobody
create or replace function @registry@.log_append(kind text, fields text[]) returns void
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	head @registry@.log_head;
	next_hash bytea;
begin
	-- Others see what is committed; a checkpoint of theirs must not be ahead of
	-- what a crash leaves.
	if current_setting('synchronous_commit') = 'off' then
		perform set_config('synchronous_commit', 'local', true);
	end if;
	select h.* into head from @registry@.log_head h for update;
	if not found then
		raise exception 'the log has no head'
			using errcode = 'object_not_in_prerequisite_state',
				detail = 'The row of @registry@.log_head is missing.',
				hint = 'Call @registry@.verify().';
	end if;
	next_hash := @peft@.registry_entry_hash(head.size + 1, head.hash, kind, fields);
	insert into @registry@.log (position, kind, fields, previous, hash)
		values (head.size + 1, log_append.kind, log_append.fields, head.hash, next_hash);
	update @registry@.log_head set size = head.size + 1, hash = next_hash;
end
$$;
comment on function @registry@.log_append(text, text[]) is
	'Appends an entry to the log under the lock of log_head. Error 55000: the log has no head.';
revoke execute on function @registry@.log_append(text, text[]) from public;

-- Rows that are restored must not be logged again.  A restore of everything
-- makes the triggers after the data.  A restore of data alone fires them; it
-- loads the log before the versions, and alias_history while the log is empty.
-- For: nobody
create or replace function @registry@.log_has_version(entry text, number integer) returns boolean
	language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return not exists (select from @registry@.log) or exists (
		select from @registry@.log l
		where l.kind = 'version' and l.fields[1] = entry and l.fields[2] = number::text);
end
$$;
comment on function @registry@.log_has_version(text, integer) is
	'The log has the version already, or has nothing yet: data is being restored.';

-- For: nobody
create or replace function @registry@.log_has_alias(entry text, alias text, move integer) returns boolean
	language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return not exists (select from @registry@.log) or exists (
		select from @registry@.log l
		where l.kind = 'alias' and l.fields[1] = entry and l.fields[2] = alias and l.fields[3] = move::text);
end
$$;
comment on function @registry@.log_has_alias(text, text, integer) is
	'The log has the move already, or has nothing yet: data is being restored.';

-- For: nobody
create or replace function @registry@.log_has_revocation(digest bytea) returns boolean
	language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return not exists (select from @registry@.log) or exists (
		select from @registry@.log l where l.kind = 'revoke' and l.fields[1] = encode(digest, 'hex'));
end
$$;
comment on function @registry@.log_has_revocation(bytea) is
	'The log has the revocation already, or has nothing yet: data is being restored.';

-- For: nobody
create or replace function @registry@.log_version() returns trigger
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	if @registry@.log_has_version(new.entry, new.number) then
		return null;
	end if;
	perform @registry@.log_append('version', @registry@.log_version_fields(
		new.entry, new.number, new.digest, new.envelope_digest, new.recipe, new.virtual,
		new.allow_duplicate, new.message, new.actor, new.acting_as, new.created_at, new.told));
	return null;
end
$$;
comment on function @registry@.log_version() is 'Logs a new version.';
revoke execute on function @registry@.log_version() from public;

-- For: nobody
create or replace function @registry@.log_erase() returns trigger
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	perform @registry@.log_append('erase', array[new.entry, new.number::text, new.erase_reason,
		session_user::text, @registry@.log_time(new.erased_at)]);
	return null;
end
$$;
comment on function @registry@.log_erase() is 'Logs that a value was erased.';
revoke execute on function @registry@.log_erase() from public;

-- For: nobody
create or replace function @registry@.log_materialize() returns trigger
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	-- Its recipe may be spelled otherwise than the one that was committed.
	perform @registry@.log_append('materialize', array[new.entry, new.number::text,
		encode(@peft@.adapter_envelope_digest(new.value), 'hex'), session_user::text,
		@registry@.log_time(clock_timestamp())]);
	return null;
end
$$;
comment on function @registry@.log_materialize() is 'Logs that a virtual version got its value.';
revoke execute on function @registry@.log_materialize() from public;

-- For: nobody
create or replace function @registry@.log_alias() returns trigger
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	if @registry@.log_has_alias(new.entry, new.alias, new.move) then
		return null;
	end if;
	perform @registry@.log_append('alias', array[new.entry, new.alias, new.move::text, new.number::text,
		new.previous::text, new.actor::text, @registry@.log_time(new.moved_at)]);
	return null;
end
$$;
comment on function @registry@.log_alias() is 'Logs a move of an alias.';
revoke execute on function @registry@.log_alias() from public;

-- For: nobody
create or replace function @registry@.log_revoke() returns trigger
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	if @registry@.log_has_revocation(new.digest) then
		return null;
	end if;
	perform @registry@.log_append('revoke', array[encode(new.digest, 'hex'), new.reason,
		new.revoked_by::text, @registry@.log_time(new.revoked_at)]);
	return null;
end
$$;
comment on function @registry@.log_revoke() is 'Logs a revocation.';
revoke execute on function @registry@.log_revoke() from public;

-- Of the own transaction's rows, and its subtransactions', nothing is told.
-- For: reader
create or replace function @registry@.checkpoint() returns text
	language plpgsql volatile parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
declare
	last record;
begin
	select l.position, l.hash into last
		from @registry@.log l
		where pg_current_xact_id_if_assigned() is null or age(l.xmin) > 0
		order by l.position desc
		limit 1;
	if not found then
		raise exception 'there is nothing to make a checkpoint of'
			using errcode = 'object_not_in_prerequisite_state',
				hint = 'Commit, then call @registry@.checkpoint() in a transaction of its own.';
	end if;
	return concat_ws(' ', 'peftarith-log 1', last.position, encode(last.hash, 'hex'),
		@registry@.log_time(clock_timestamp()));
end
$$;
comment on function @registry@.checkpoint() is
	'peftarith-log 1 SIZE HASH TIME: size and last hash of the log as it was committed before this '
	'transaction, to be signed and kept outside. Error 55000: nothing was committed. Runs with the rights '
	'of the registry''s owner.';
revoke execute on function @registry@.checkpoint() from public;

-- For: log reader, inside
create or replace function @registry@.log_line("position" bigint, kind text, fields text[],
	previous bytea, hash bytea) returns text
	language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return '{"position":' || "position"::text || ',"kind":' || to_json(kind)::text ||
		',"fields":' || array_to_json(fields)::text || ',"previous":"' || encode(previous, 'hex') ||
		'","hash":"' || encode(hash, 'hex') || '"}';
end
$$;
comment on function @registry@.log_line(bigint, text, text[], bytea, bytea) is
	'An entry of the log as a line of JSON, in the one spelling that verify_export takes: no spaces, only '
	'what must be escaped is.';

-- For: log reader
create or replace function @registry@.export_log() returns setof text
	language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return query select @registry@.log_line(l.position, l.kind, l.fields, l.previous, l.hash)
		from @registry@.log l order by l.position;
end
$$;
comment on function @registry@.export_log() is
	'The log in order, a line of JSON for each entry, for tools/verify-log.py and @registry@.verify_export.';
revoke execute on function @registry@.export_log() from public;
