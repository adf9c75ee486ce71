-- Sealing: committed events get their places in the log, under one lock, and the
-- checkpoint that tells how far that went.
--
-- The order is that in which events were written.  An event that depends on
-- another (the next version of an entry, the next move of an alias, a commit that
-- was refused before and is not now) was written after that one had committed, or
-- in the same transaction: so it has a higher number, and who sees it sees the
-- other.  A commit and the revocation of an ancestor that did not see each other
-- come in either order.

-- For: log reader, inside
create or replace function @registry@.log_leaf(hash bytea) returns bytea
	language sql immutable parallel safe return sha256('\x00'::bytea || hash);
comment on function @registry@.log_leaf(bytea) is
	'The leaf of the tree that an entry is, by its hash: RFC 6962, section 2.1.';

-- For: nobody
create or replace function @registry@.tree_grow(old_size bigint, new_size bigint) returns void
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	whole constant integer := 256;
	first bigint := old_size / whole;
	next bigint := new_size / whole;
begin
	insert into @registry@.tree (level, index, hash)
		select 1, (l.position - 1) / whole,
			@peft@.registry_tree_root(@registry@.log_leaf(l.hash) order by l.position)
		from @registry@.log l
		where l.position > first * whole and l.position <= next * whole
		group by (l.position - 1) / whole;
	for height in 2..7 loop
		first := first / whole;
		next := next / whole;
		exit when first = next;
		insert into @registry@.tree (level, index, hash)
			select height, t.index / whole, @peft@.registry_tree_root(t.hash order by t.index)
			from @registry@.tree t
			where t.level = height - 1 and t.index >= first * whole and t.index < next * whole
			group by t.index / whole;
	end loop;
end
$$;
comment on function @registry@.tree_grow(bigint, bigint) is
	'Keeps the hashes of the subtrees of 256, 65536, ... entries that have become full.';

-- For: owner
create or replace function @registry@.tree_begin() returns void
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	if not exists (select from @registry@.tree) then
		perform @registry@.tree_grow(0, h.size) from @registry@.log_head h;
	end if;
end
$$;
comment on function @registry@.tree_begin() is
	'Keeps the hashes of subtrees of a log that has none yet; called by registry_upgrade().';

-- Own: whether also what the own transaction has written.
-- For: nobody
create or replace function @registry@.log_seal(most bigint, own boolean) returns bigint
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp set jit = off as $$
declare
	head @registry@.log_head;
	sealed bigint;
begin
	select h.* into head from @registry@.log_head h for update;
	if not found then
		raise exception 'the log has no head'
			using errcode = 'object_not_in_prerequisite_state',
				detail = 'The row of @registry@.log_head is missing.',
				hint = 'Call @registry@.verify().';
	end if;
	with taken as (
		delete from @registry@.event e
			where e.id in (select x.id from @registry@.event x
				where own or x.by is distinct from pg_current_xact_id_if_assigned()
				order by x.id limit most)
			returning e.id, e.kind, e.fields
	), placed as (
		select head.size + row_number() over (order by t.id) as position, t.kind, t.fields from taken t
	), chained as (
		select p.*, @peft@.registry_chain(p.position, head.hash, p.kind, p.fields)
			over (order by p.position rows unbounded preceding) as hash
		from placed p
	)
	insert into @registry@.log (position, kind, fields, previous, hash)
		select c.position, c.kind, c.fields, lag(c.hash, 1, head.hash) over (order by c.position), c.hash
		from chained c;
	get diagnostics sealed = row_count;
	if sealed > 0 then
		update @registry@.log_head set size = head.size + sealed, hash = (
			select l.hash from @registry@.log l where l.position = head.size + sealed);
		perform @registry@.tree_grow(head.size, head.size + sealed);
	end if;
	return sealed;
end
$$;
comment on function @registry@.log_seal(bigint, boolean) is
	'Moves committed events, at most so many, into the log under the lock of log_head; returns their number. '
	'Error 55000: the log has no head.';
revoke execute on function @registry@.log_seal(bigint, boolean) from public;

-- One lock for all sealing, which commits do not take.  A transaction with one
-- snapshot does not seal: it would fail with 40001, or make commits of its
-- isolation level fail.
-- For: reader
create or replace function @registry@.seal(most bigint default null) returns bigint
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	if most < 1 then
		raise exception 'at least one event must be sealed' using errcode = 'invalid_parameter_value',
			detail = format('The number given is %s.', most), hint = 'Null, the default, seals all.';
	end if;
	if current_setting('transaction_isolation') <> 'read committed' then
		raise exception 'sealing needs isolation level READ COMMITTED' using errcode = '25001',
			detail = 'It must see what has been sealed while it waited for its turn.',
			hint = 'Call it in a transaction of its own.';
	end if;
	-- Who takes a checkpoint next must not be ahead of what a crash leaves.
	if current_setting('synchronous_commit') = 'off' then
		perform set_config('synchronous_commit', 'local', true);
	end if;
	return @registry@.log_seal(most, false);
end
$$;
comment on function @registry@.seal(bigint) is
	'Gives the events of other transactions that have committed, at most so many (null: all), their places '
	'in the log, and returns how many those are: see doc/registry.md, "Log". Holds a lock until the '
	'transaction ends that other sealing waits for, and commits do not. Runs with the rights of the '
	'registry''s owner. Errors: 25001 not READ COMMITTED, 22023 fewer than one, 55000 the log has no head.';
revoke execute on function @registry@.seal(bigint) from public;

-- For: reader
create or replace function @registry@.log_status(out origin text, out sealed bigint, out unsealed bigint)
	language sql stable parallel safe security definer set search_path = pg_catalog, pg_temp as $$
	select h.origin, h.size, (select count(*) from @registry@.event) from @registry@.log_head h
$$;
comment on function @registry@.log_status() is
	'Name of the log, the number of its entries, and of the committed events that are not sealed yet.';
revoke execute on function @registry@.log_status() from public;

-- For: log reader, inside
create or replace function @registry@.log_note(origin text, size bigint, root bytea) returns text
	language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
	select $1 || chr(10) || $2 || chr(10) || encode($3, 'base64') || chr(10)
$$;
comment on function @registry@.log_note(text, bigint, bytea) is
	'The body of a checkpoint: C2SP tlog-checkpoint, three lines.';

-- For: log reader
create or replace function @registry@.checkpoint_at(size bigint) returns text
	language plpgsql stable parallel safe security definer
	set search_path = pg_catalog, pg_temp
	set jit = off
as $$
begin
	perform @registry@.log_check_size(size);
	return (select @registry@.log_note(h.origin, checkpoint_at.size, @registry@.tree_root(checkpoint_at.size))
		from @registry@.log_head h);
end
$$;
comment on function @registry@.checkpoint_at(bigint) is
	'The checkpoint that the log had at a size. Error 22023: it never had that size.';
revoke execute on function @registry@.checkpoint_at(bigint) from public;

-- For: reader
create or replace function @registry@.checkpoint() returns text
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
	size bigint;
begin
	if current_setting('transaction_isolation') = 'read committed'
		and current_setting('transaction_read_only') = 'off' then
		perform @registry@.seal();
	end if;
	select h.size into size from @registry@.log_head h;
	if coalesce(size, 0) < 1 then
		raise exception 'there is nothing to make a checkpoint of'
			using errcode = 'object_not_in_prerequisite_state',
				hint = 'Call @registry@.verify().';
	end if;
	return @registry@.checkpoint_at(size);
end
$$;
comment on function @registry@.checkpoint() is
	'Seals what has been committed, and tells of the log so far: name, size and root as C2SP '
	'tlog-checkpoint has them, to be signed and kept outside once the transaction has committed. Where it '
	'may not write (a standby, READ ONLY), or at another isolation level than READ COMMITTED, it tells of '
	'what was sealed before. Error 55000: nothing was. Runs with the rights of the registry''s owner.';
revoke execute on function @registry@.checkpoint() from public;
