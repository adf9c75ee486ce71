-- Versions: what the trigger fills in, and what never changes.

-- For: nobody
create or replace function @registry@.version_actor() returns trigger
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	-- One after the other: a commit has no numbers, and who has not the owner's
	-- rights may not call what the last one calls.
	if num_nonnulls(new.number, new.digest, new.envelope_digest) = 3 then
		if pg_has_role(current_user,
				(select c.relowner from pg_class c where c.oid = tg_relid), 'USAGE') then
			if @registry@.log_has_version(new.entry, new.number) then
				return new;
			end if;
		end if;
	end if;
	if num_nonnulls(new.number, new.digest, new.envelope_digest, new.recipe, new.root, new.claims, new.told,
			new.erased_at, new.erase_reason) > 0 or new.facts <> '{}' or new.upgraded
		or new.actor is distinct from session_user or new.acting_as is distinct from current_user then
		raise exception
			'columns of a version other than entry, value, message, virtual and allow_duplicate cannot be set'
			using errcode = '428C9', detail = 'They are read from the value and the session.';
	end if;
	if new.value is null then
		raise exception 'a version needs a value' using errcode = '23502',
			detail = 'A virtual version is given its value too; the digest is taken from it and the value '
				'is not kept.';
	end if;
	-- With the rights of the one who commits: what it is evaluated from must be theirs to see.
	if new.virtual then
		perform @registry@.check_virtual(new.value);
	end if;
	return new;
end
$$;
comment on function @registry@.version_actor() is
	'Trigger: with the rights of the one who commits, who stands in the columns'' defaults. It changes '
	'nothing, so that a large value is not copied once more. A row with number, digests and recipe set is '
	'taken as it is from the table''s owner if the log has it or is empty (a restore). Errors: 428C9 such '
	'columns set by others, 23502 no value, those of check_virtual.';

-- For: reader, inside
create or replace function @registry@.check_virtual(value @peft@.adapter) returns void
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	way record := @registry@.plan(@peft@.adapter_recipe(value));
begin
	if way.missing <> '{}' or way.leaves = '{}' then
		raise exception 'the value cannot be evaluated again from registered versions'
			using errcode = '55000',
			detail = coalesce('These digests are needed and have no registered value: '
				|| @registry@.digest_list(way.missing) || '.', 'It was imported.'),
			hint = 'Commit them first, or commit this value itself.';
	end if;
	-- A recipe is a claim; what it claims is about to be all that there is.
	if @peft@.adapter_digest(@registry@.evaluate(way.recipe_used, way.leaves))
		is distinct from @peft@.adapter_digest(value) then
		raise exception 'the recipe does not lead to the value' using errcode = '22000',
			hint = 'Commit the value itself.';
	end if;
end
$$;
comment on function @registry@.check_virtual(@peft@.adapter) is
	'Errors: 55000 the value cannot be evaluated again from registered values that the current role may '
	'see, 22000 its recipe leads to another.';

-- A session keeps plans from when the registry was empty, which would go through
-- all of it when it is not any more: hence without sequential scans, here and in
-- version_facts.
-- For: nobody
create or replace function @registry@.version_duplicate() returns trigger
	language plpgsql volatile parallel unsafe
	set search_path = pg_catalog, pg_temp
	set enable_seqscan = off
	set jit = off
as $$
declare
	given bytea;
begin
	if new.created_at < now() or coalesce(new.allow_duplicate, false) then
		return new;
	end if;
	-- The policies judge the row by the command's snapshot. The entry can have got another owner since, and
	-- then the role does not see its versions: neither would be found here.
	if new.number is not null and row_security_active(tg_relid) then
		if not exists (select from @registry@.entry e where e.name = new.entry) then
			raise exception 'new row violates row-level security policy for table "version"'
				using errcode = '42501';
		end if;
	end if;
	given := coalesce(new.digest, @peft@.adapter_digest(new.value));
	-- offset 0: without statistics the planner would go through the whole entry
	if exists (select from (select v.entry from @registry@.version v where v.digest = given offset 0) v
			where v.entry = new.entry) then
		raise exception 'the entry has a version with this digest already' using errcode = '23505',
			hint = 'Set allow_duplicate to commit it again.';
	end if;
	return new;
end
$$;
comment on function @registry@.version_duplicate() is
	'Trigger, before the facts and again under the lock of the entry''s row, so that no INSERT ... ON '
	'CONFLICT DO NOTHING comes to the unique index and leaves lineage without a version: error 23505 if the '
	'entry has the digest already, as far as the committing role may see. A row that is restored is older '
	'than its transaction. Error 42501, as of the policies: another role''s entry.';

-- For: nobody
create or replace function @registry@.version_facts() returns trigger
	language plpgsql volatile parallel unsafe security definer
	set search_path = pg_catalog, pg_temp
	set enable_seqscan = off
	set jit = off
as $$
declare
	tells record;
	way record;
begin
	if new.number is not null then
		return new;
	end if;
	-- Before anything is looked at: settle() waits for who has an older number
	-- than what it marked, and so for everybody who has looked before that.
	perform pg_current_xact_id();
	for attempt in 1 .. 2 loop
		update @registry@.entry e set next_number = e.next_number + 1
			where e.name = new.entry
			returning e.next_number - 1 into new.number;
		exit when found;
		insert into @registry@.entry (name, base_model, owner)
			values (new.entry, @peft@.adapter_base_model(new.value), new.acting_as)
			on conflict (name) do nothing;
	end loop;
	-- (not before its transaction, whatever the clock does: only a row that is restored is)
	new.created_at := greatest(clock_timestamp(), now());
	new.digest := @peft@.adapter_digest(new.value);
	new.envelope_digest := @peft@.adapter_envelope_digest(new.value);
	tells := @registry@.tell(new.value, new.digest, new.envelope_digest);
	new.root := tells.root;
	new.facts := tells.facts;
	new.claims := tells.claims;
	new.told := tells.told;
	perform @registry@.check_live(new.digest, new.claims);
	if exists (select from @registry@.quota) then
		perform @registry@.check_quota(session_user, new.value, new.claims);
	end if;
	if new.virtual then
		new.recipe := @peft@.adapter_recipe(new.value);
		-- Held until the end: an erasure that comes later waits, and then sees this version.
		way := @registry@.plan(new.recipe);
		perform from @registry@.version v
			where v.digest = any(way.leaves) and v.value is not null
			order by v.entry, v.number for share;
		way := @registry@.plan(new.recipe);
		if way.missing <> '{}' then
			raise exception 'a value that the version is made of was erased meanwhile'
				using errcode = '40001',
				detail = format('Missing: %s.', @registry@.digest_list(way.missing)),
				hint = 'Commit the value itself.';
		end if;
		new.value := null;
	end if;
	return new;
end
$$;
comment on function @registry@.version_facts() is
	'Trigger: entry (made if it does not exist), number, digest, envelope digest, what it tells, of a '
	'virtual version the recipe. '
	'Drops a virtual version''s value, which version_actor has evaluated. Errors: 55000 revoked digest or '
	'ancestor, 54000 beyond the role''s quota, 40001.';

-- For: reader, inside
create or replace function @registry@.digest_list(digests bytea[]) returns text
	language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
	select string_agg(encode(d, 'hex'), ', ' order by d)
	from (select u from unnest(digests) u order by u limit 10) l(d)
$$;
comment on function @registry@.digest_list(bytea[]) is 'The first ten digests, in hexadecimal.';

-- A virtual version that is being committed over this one holds the row, so it
-- is seen here, or it waits and finds the value gone.
-- For: nobody
create or replace function @registry@.version_erasable(number integer, entry text, digest bytea) returns void
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	if current_setting('transaction_isolation') <> 'read committed' then
		raise exception 'erasing needs isolation level READ COMMITTED' using errcode = '25001';
	end if;
	-- Of two versions with the value one stays: their rows are locked by each, in one order.
	perform from @registry@.version v where v.digest = $3 order by v.entry, v.number for no key update;
	if exists (select from @registry@.version v
			where v.digest = $3 and v.value is not null and (v.entry <> $2 or v.number <> $1)) then
		return;
	end if;
	if exists (select from @registry@.concerned(array[$3]) c
			join @registry@.version v on v.entry = c.entry and v.number = c.number
			cross join lateral @registry@.plan(v.recipe) p
			where v.virtual and v.value is null and v.erased_at is null and $3 = any(p.leaves)) then
		raise exception 'the value is needed by a virtual version' using errcode = '55000',
			hint = 'Materialize or erase the virtual versions that descend from it first; '
				'@registry@.descendants() lists them.';
	end if;
end
$$;
comment on function @registry@.version_erasable(integer, text, bytea) is
	'Locks the versions with the digest and raises 55000 if a virtual version is evaluated from this '
	'version''s value; 25001 in another isolation level than READ COMMITTED.';

-- For: nobody
create or replace function @registry@.version_change() returns trigger
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	if row(new.entry, new.number, new.digest, new.envelope_digest, new.virtual, new.message, new.actor,
			new.acting_as, new.created_at, new.allow_duplicate, new.root, new.facts, new.claims, new.told,
			new.upgraded)
		is not distinct from row(old.entry, old.number, old.digest, old.envelope_digest, old.virtual,
			old.message, old.actor, old.acting_as, old.created_at, old.allow_duplicate, old.root, old.facts,
			old.claims, old.told, old.upgraded) then
		if old.erased_at is null and new.erased_at is not null and new.value is null then
			perform @registry@.version_erasable(old.number, old.entry, old.digest);
			new.recipe := coalesce(old.recipe, @peft@.adapter_recipe(old.value));
			-- (a replica keeps the time of its publisher)
			if current_setting('session_replication_role') <> 'replica' then
				new.erased_at := clock_timestamp();
			end if;
			return new;
		end if;
		if new.recipe is not distinct from old.recipe
			and old.virtual and old.value is null and old.erased_at is null and new.value is not null
			and new.erased_at is null and new.erase_reason is null then
			perform pg_current_xact_id();
			if not @registry@.version_live(old.digest, old.claims) then
				raise exception 'the version or an ancestor of it is revoked' using errcode = '55000';
			end if;
			return new;
		end if;
	end if;
	raise exception 'a version never changes' using errcode = '55000',
		detail = 'A value can be erased, and a virtual version can be given its value.',
		hint = 'Commit another version.';
end
$$;
comment on function @registry@.version_change() is
	'Trigger: refuses every UPDATE but erasing and materializing (55000). Errors of materializing: 55000 '
	'revoked digest or ancestor; of erasing those of version_erasable.';

-- With the rights of the one who materializes.  The digest does not cover all
-- that PEFT reads of a configuration, so the whole envelope is compared.
-- For: nobody
create or replace function @registry@.version_value() returns trigger
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	if @peft@.adapter_digest(new.value) <> old.digest then
		raise exception 'the value has another digest than the version' using errcode = '22000';
	end if;
	if @peft@.adapter_envelope_digest(new.value)
		is distinct from @peft@.adapter_envelope_digest(@registry@.get(old.entry || '@' || old.number)) then
		raise exception 'the value has another recipe or configuration than the version'
			using errcode = '22000', hint = '@registry@.materialize() evaluates it.';
	end if;
	return new;
end
$$;
comment on function @registry@.version_value() is
	'Trigger: a virtual version is given the value that evaluating it gives, with recipe, configuration and '
	'header (22000), or none. Errors: those of @registry@.get().';

-- For: nobody
create or replace function @registry@.refuse_change() returns trigger
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	raise exception '% of table "%" is not allowed', lower(tg_op), tg_table_name
		using errcode = '55000', detail = 'Its rows are history and never change.';
end
$$;
comment on function @registry@.refuse_change() is 'Trigger: error 55000.';

-- For: nobody
create or replace function @registry@.mark_change() returns trigger
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	marks constant text[] := array['proven', 'dead', 'settled'];
begin
	if to_jsonb(new) - marks - 'bound' <> to_jsonb(old) - marks - 'bound' or exists (
			select from unnest(marks) m
			where (to_jsonb(old) ->> m)::boolean and not (to_jsonb(new) ->> m)::boolean) then
		raise exception 'a row of table "%" never changes', tg_table_name using errcode = '55000',
			detail = 'Its mark is set once.';
	end if;
	return new;
end
$$;
comment on function @registry@.mark_change() is
	'Trigger: of stories, claim sets and revocations nothing changes but the mark (proven, dead, settled), '
	'which is set once, and the bound of a revocation (else 55000).';

-- Logical replication brings rows and not the sequences that numbered them.
-- For: owner
create or replace function @registry@.number_on() returns void
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	perform setval(n.sequence, n.last)
	from (
		select pg_get_serial_sequence('@registry@.story', 'id')::regclass as sequence, max(s.id) as last
			from @registry@.story s
		union all
		select pg_get_serial_sequence('@registry@.claim_set', 'id')::regclass, max(c.id)
			from @registry@.claim_set c
		union all
		select pg_get_serial_sequence('@registry@.event', 'id')::regclass, max(e.id)
			from @registry@.event e) n
	where n.last > coalesce(pg_sequence_last_value(n.sequence), 0);
end
$$;
comment on function @registry@.number_on() is
	'Numbers of stories, claim sets and events go on above those that are there; called by protect().';

-- For: owner
create or replace function @registry@.protect() returns void
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	guard record;
begin
	perform @registry@.number_on();
	perform @registry@.tell_upgraded();
	for guard in
		select c.relname, t.tgname from pg_trigger t
			join pg_class c on c.oid = t.tgrelid and c.relnamespace = '@registry@'::regnamespace
			join pg_proc p on p.oid = t.tgfoid and p.pronamespace = c.relnamespace
		where p.proname = any('{refuse_change,version_change,mark_change}') and t.tgenabled <> 'A'
	loop
		execute format('alter table @registry@.%I enable always trigger %I', guard.relname, guard.tgname);
	end loop;
end
$$;
comment on function @registry@.protect() is
	'Lets numbers go on above those that are there, fills in what versions of an earlier registry tell, '
	'and lets the triggers that refuse changes fire in replicas'' sessions too; called by registry_create() '
	'and registry_upgrade(). A subscriber calls it before it takes over; pg_restore --disable-triggers '
	'leaves the triggers as ordinary ones.';
