-- The events: what each one says, who writes it, and how the log comes out.
--
-- A commit only adds rows to event, under no lock that others wait for: so
-- commits are flushed together, and none fails because another one was logged.
-- Sealing (51-log-seal) gives them their places in the log.

-- What is called for every row has a body that is bound when it is made, without
-- a SET clause: the planner puts it into the query.  A step that changes a column
-- that such a body reads drops the function first.

-- For: reader, inside
create or replace function @registry@.log_time(at timestamptz) returns text
	language sql stable parallel safe
	return case when isfinite(at) then to_char(timezone('UTC', at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
			|| case when date_part('year', timezone('UTC', at)) < 0 then ' BC' else '' end
		when at > 'epoch' then 'infinity' when at < 'epoch' then '-infinity' end;
comment on function @registry@.log_time(timestamptz) is
	'A time as the log writes it, in UTC: 2026-01-31T23:59:59.123456Z.';

-- For: log reader, inside
create or replace function @registry@.log_version_fields(
	entry text, number integer, digest bytea, envelope_digest bytea, recipe jsonb,
	virtual boolean, upgraded boolean, allow_duplicate boolean, message text, actor name, acting_as name,
	created_at timestamptz, told bytea) returns text[]
	language sql stable parallel safe
	return array[entry, number::text, encode(digest, 'hex'), encode(envelope_digest, 'hex'),
		coalesce(case when virtual or upgraded
			then encode(sha256(convert_to(recipe::text, 'UTF8')), 'hex') end, ''), virtual::text,
		allow_duplicate::text, message, actor::text, acting_as::text, @registry@.log_time(created_at),
		encode(told, 'hex')];
comment on function @registry@.log_version_fields(text, integer, bytea, bytea, jsonb, boolean, boolean,
	boolean, text, name, name, timestamptz, bytea) is
	'Fields of a version''s entry: its columns but for the value; told is the hash of what it tells, of the '
	'recipe there is one if the version is virtual or from before there were stories.';

-- For: log reader, inside
create or replace function @registry@.log_alias_fields(
	entry text, alias text, move integer, number integer, previous integer, actor name,
	moved_at timestamptz) returns text[]
	language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return array[entry, alias, move::text, number::text, previous::text, actor::text,
		@registry@.log_time(moved_at)];
end
$$;
comment on function @registry@.log_alias_fields(text, text, integer, integer, integer, name, timestamptz) is
	'Fields of the entry of a move of an alias: its columns.';

-- For: log reader, inside
create or replace function @registry@.log_revoke_fields(digest bytea, reason text, revoked_by name,
	revoked_at timestamptz) returns text[]
	language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return array[encode(digest, 'hex'), reason, revoked_by::text, @registry@.log_time(revoked_at)];
end
$$;
comment on function @registry@.log_revoke_fields(bytea, text, name, timestamptz) is
	'Fields of a revocation''s entry: its columns.';

-- For: nobody
create or replace function @registry@.log_append(kind text, fields text[]) returns void
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	if current_setting('synchronous_commit') = 'off' then
		perform set_config('synchronous_commit', 'local', true);
	end if;
	insert into @registry@.event (kind, fields) values (log_append.kind, log_append.fields);
end
$$;
comment on function @registry@.log_append(text, text[]) is
	'Writes an event, which is sealed after its transaction has committed.';
revoke execute on function @registry@.log_append(text, text[]) from public;

-- Rows that are restored must not be logged again.  A restore of everything
-- makes the triggers after the data.  A restore of data alone fires them; it
-- loads log and event before the versions, and alias_history while the log is
-- empty.  Only what is older than its transaction can be restored: a commit does
-- not read the log.
-- For: nobody
create or replace function @registry@.log_has_version(entry text, number integer) returns boolean
	language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return not exists (select from @registry@.log) or exists (
		select from @registry@.log l
		where l.kind = 'version' and l.fields[1] = entry and l.fields[2] = number::text) or exists (
		select from @registry@.event e
		where e.kind = 'version' and e.fields[1] = entry and e.fields[2] = number::text);
end
$$;
comment on function @registry@.log_has_version(text, integer) is
	'The version was logged already, or the log has nothing yet: data is being restored.';

-- For: nobody
create or replace function @registry@.log_has_alias(entry text, alias text, move integer) returns boolean
	language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return not exists (select from @registry@.log) or exists (
		select from @registry@.log l
		where l.kind = 'alias' and l.fields[1] = entry and l.fields[2] = alias and l.fields[3] = move::text)
		or exists (
		select from @registry@.event e
		where e.kind = 'alias' and e.fields[1] = entry and e.fields[2] = alias and e.fields[3] = move::text);
end
$$;
comment on function @registry@.log_has_alias(text, text, integer) is
	'The move was logged already, or the log has nothing yet: data is being restored.';

-- For: nobody
create or replace function @registry@.log_has_revocation(digest bytea) returns boolean
	language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return not exists (select from @registry@.log) or exists (
		select from @registry@.log l where l.kind = 'revoke' and l.fields[1] = encode(digest, 'hex'))
		or exists (
		select from @registry@.event e where e.kind = 'revoke' and e.fields[1] = encode(digest, 'hex'));
end
$$;
comment on function @registry@.log_has_revocation(bytea) is
	'The revocation was logged already, or the log has nothing yet: data is being restored.';

-- For: nobody
create or replace function @registry@.log_version() returns trigger
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	if new.created_at < now() then
		if @registry@.log_has_version(new.entry, new.number) then
			return null;
		end if;
	end if;
	-- (log_append, without a call more for each commit)
	if current_setting('synchronous_commit') = 'off' then
		perform set_config('synchronous_commit', 'local', true);
	end if;
	insert into @registry@.event (kind, fields) values ('version', @registry@.log_version_fields(
		new.entry, new.number, new.digest, new.envelope_digest, new.recipe, new.virtual, new.upgraded,
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
		session_user::text, @registry@.log_time(new.erased_at),
		encode(sha256(convert_to(new.recipe::text, 'UTF8')), 'hex')]);
	return null;
end
$$;
comment on function @registry@.log_erase() is 'Logs that a value was erased, with the hash of its recipe.';
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
	if new.moved_at < now() then
		if @registry@.log_has_alias(new.entry, new.alias, new.move) then
			return null;
		end if;
	end if;
	perform @registry@.log_append('alias', @registry@.log_alias_fields(
		new.entry, new.alias, new.move, new.number, new.previous, new.actor, new.moved_at));
	return null;
end
$$;
comment on function @registry@.log_alias() is 'Logs a move of an alias.';
revoke execute on function @registry@.log_alias() from public;

-- For: nobody
create or replace function @registry@.log_revoke() returns trigger
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	if new.revoked_at < now() then
		if @registry@.log_has_revocation(new.digest) then
			return null;
		end if;
	end if;
	perform @registry@.log_append('revoke', @registry@.log_revoke_fields(
		new.digest, new.reason, new.revoked_by, new.revoked_at));
	return null;
end
$$;
comment on function @registry@.log_revoke() is 'Logs a revocation.';
revoke execute on function @registry@.log_revoke() from public;

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
	language plpgsql stable parallel safe
	set search_path = pg_catalog, pg_temp
	set jit = off
as $$
begin
	return query select @registry@.log_line(l.position, l.kind, l.fields, l.previous, l.hash)
		from @registry@.log l order by l.position;
end
$$;
comment on function @registry@.export_log() is
	'The log in order, a line of JSON for each entry, for tools/verify-log.py and @registry@.verify_export.';
revoke execute on function @registry@.export_log() from public;
