-- Revocation of a digest with everything that was made of it, in two steps.  The
-- mark is a row of its own and waits for no writer; from its commit on who asks
-- whether something is live walks to the ancestors.  settle() then marks what
-- was made of it, so that one row answers again.

-- For: reader, inside
create or replace function @registry@.revoked_among(digests bytea[]) returns bytea[]
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	return array(select r.digest from @registry@.fact_ancestors(digests) a(digest)
		join @registry@.revocation r on r.digest = a.digest order by 1);
end
$$;
comment on function @registry@.revoked_among(bytea[]) is
	'Which of the digests, and of all that facts say they were made of, are revoked.';

-- For: reader, inside
create or replace function @registry@.are_live(digests bytea[]) returns boolean
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	if exists (select from @registry@.revocation r where not r.settled) then
		return @registry@.revoked_among(digests) = '{}';
	end if;
	return not exists (select from unnest(digests) d
		cross join lateral (select from @registry@.dead x where x.digest = d offset 0) x);
end
$$;
comment on function @registry@.are_live(bytea[]) is
	'None of the digests is revoked, and facts lead from none to one that is.';

-- By a number, which anybody can count through, digests that nobody has told.
-- For: nobody
create or replace function @registry@.claimed_parents(claims bigint) returns bytea[]
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	if claims is null then
		return array[]::bytea[];
	end if;
	return array(select distinct e.parent from @registry@.claim c join @registry@.edge e on e.story = c.story
		where c.claim_set = claims);
end
$$;
comment on function @registry@.claimed_parents(bigint) is 'The operands of all stories of a claim set.';

-- A version's claims are all reached from its digest, so it descends from what
-- any of their operands descends from by facts.
-- For: reader, inside
create or replace function @registry@.version_live(digest bytea, claims bigint) returns boolean
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	if not @registry@.are_live(array[digest]) then
		return false;
	elsif claims is null then
		return true;
	elsif exists (select from @registry@.revocation r where not r.settled) then
		return @registry@.are_live(@registry@.claimed_parents(claims));
	end if;
	return not exists (select from @registry@.claim_set c where c.id = claims and c.dead);
end
$$;
comment on function @registry@.version_live(bytea, bigint) is
	'A version with this digest and claim set has no revoked ancestor and is not revoked.';

-- For: reader
create or replace function @registry@.is_live(digest bytea) returns boolean
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	return @registry@.are_live(array[is_live.digest]) and (
		not exists (select from @registry@.version v where v.digest = is_live.digest)
		or exists (select from @registry@.version v
			where v.digest = is_live.digest and @registry@.version_live(v.digest, v.claims)));
end
$$;
comment on function @registry@.is_live(bytea) is
	'True if the digest is not revoked, no fact says that it was made of one that is, and, if it is '
	'registered, a version with it claims no such thing of itself.';

-- For: reader
create or replace function @registry@.is_live(ref text) returns boolean
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return (select @registry@.version_live(v.digest, v.claims)
		from @registry@.resolve(ref) r
			join @registry@.version v on v.entry = r.entry and v.number = r.number);
end
$$;
comment on function @registry@.is_live(text) is
	'True if neither the version nor an ancestor of it is revoked. Error 42704: no such version.';

-- For: nobody
create or replace function @registry@.check_live(digest bytea, claims bigint) returns void
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
	concerned bytea[];
begin
	-- Nearly always: nothing is claimed, everything is settled, no operand is dead.
	if claims is null
		and not exists (select from @registry@.revocation r where not r.settled)
		and not exists (select from @registry@.dead d where d.digest = $1)
		and not exists (select from @registry@.story s join @registry@.edge e on e.story = s.id
			join @registry@.dead d on d.digest = e.parent where s.digest = $1 and s.proven) then
		return;
	end if;
	concerned := digest || @registry@.claimed_parents(claims)
		|| array(select e.parent from @registry@.story s join @registry@.edge e on e.story = s.id
			where s.digest = $1 and s.proven);
	if not @registry@.are_live(concerned) then
		raise exception 'the adapter or an ancestor of it is revoked' using errcode = '55000',
			detail = format('Revoked: %s.', @registry@.digest_list(@registry@.revoked_among(concerned))),
			hint = '@registry@.recompose() makes a version without it.';
	end if;
end
$$;
comment on function @registry@.check_live(bytea, bigint) is
	'Error 55000 if a version with this digest and claim set, whose stories are written, has a revoked '
	'ancestor or is revoked.';

-- For: admin
create or replace function @registry@.revoke_digest(digest bytea, reason text) returns boolean
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
	marked integer;
begin
	if reason is null then
		raise exception 'a reason is needed' using errcode = '22004';
	end if;
	if octet_length($1) is distinct from 32 then
		raise exception 'a digest has 32 bytes' using errcode = '22023';
	end if;
	insert into @registry@.revocation (digest, revoked_at, revoked_by, reason)
		values ($1, clock_timestamp(), session_user, $2)
		on conflict do nothing;
	get diagnostics marked = row_count;
	return marked = 1;
end
$$;
comment on function @registry@.revoke_digest(bytea, text) is
	'Revokes a digest and does nothing else: waits for no writer, reads no descendant. True if it was not '
	'revoked before. Errors: 22004 no reason, 22023 not a digest.';

-- What somebody else has locked is left for settle(); it is not live meanwhile.
-- From the aliases, of which there are fewer than versions.
-- For: admin, inside
create or replace function @registry@.take_aliases()
	returns table (entry text, number integer, alias text)
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
	-- what settle() has not begun with; of the others what is marked counts
	fresh constant bytea[] := array(select @registry@.fact_descendants(array(
		select r.digest from @registry@.revocation r where not r.settled and r.bound is null)));
	sets constant bigint[] := array(select @registry@.sets_made_of(fresh));
	gone record;
begin
	-- In one order whatever the plan: the log gets an entry for each.
	for gone in
		select a.entry, a.alias
		from @registry@.alias a cross join lateral (
			select from @registry@.version v where v.entry = a.entry and v.number = a.number and (
				exists (select from @registry@.dead d where d.digest = v.digest)
				or exists (select from @registry@.claim_set s where s.id = v.claims and s.dead)
				or v.digest in (select unnest(fresh)) or v.claims in (select unnest(sets))) offset 0) v
		order by a.entry collate "C", a.alias collate "C" for update of a skip locked
	loop
		return query
			delete from @registry@.alias a where a.entry = gone.entry and a.alias = gone.alias
			returning a.entry, a.number, a.alias;
	end loop;
end
$$;
comment on function @registry@.take_aliases() is
	'Takes the aliases off versions that are not live; returns them.';

-- A pass marks what descends from the revoked digests by what is committed.  It
-- is done when a pass finds nothing that the one before had not, and everybody
-- who may not have seen that is gone:  whoever commits later has looked when all
-- that the pass before had marked could be seen as not live, and was refused; so
-- nothing that descends from a marked digest can be among what is still open.
-- For: admin
create or replace function @registry@.settle() returns bigint
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
	waiting bytea[];
	made bytea[];
	marked integer;
	sets integer;
begin
	if current_setting('transaction_isolation') <> 'read committed' then
		raise exception 'settling needs isolation level READ COMMITTED' using errcode = '25001',
			detail = 'It must see the versions that other transactions have committed.';
	end if;
	-- Of earlier transactions; a bound of another cluster, where this one was dumped, says nothing.
	waiting := array(select r.digest from @registry@.revocation r
		where not r.settled and (pg_current_xact_id_if_assigned() is null or age(r.xmin) > 0)
			and (r.bound is null or r.bound > @peft@.registry_next_transaction()
				or @peft@.registry_all_after(r.bound))
		order by r.digest for update skip locked);
	if waiting <> '{}' then
		made := array(select @registry@.fact_descendants(waiting));
		insert into @registry@.dead (digest)
			select m from unnest(made) m where not exists (select from @registry@.dead d where d.digest = m)
			on conflict do nothing;
		get diagnostics marked = row_count;
		update @registry@.claim_set s set dead = true
			where not s.dead and s.id in (select @registry@.sets_made_of(made));
		get diagnostics sets = row_count;
		update @registry@.revocation r set settled = marked + sets = 0 and r.bound is not null
				and r.bound <= @peft@.registry_next_transaction(),
				bound = @peft@.registry_next_transaction()
			where r.digest = any(waiting);
	end if;
	perform @registry@.take_aliases();
	return (select count(*) from @registry@.revocation r where not r.settled);
end
$$;
comment on function @registry@.settle() is
	'A step towards marking all that was made of revoked digests and taking aliases off it; returns how many '
	'revocations are not done. To be called, in transactions of their own, until it returns 0: twice, and '
	'again while transactions are open that began before. Error 25001: not READ COMMITTED.';

-- Of a digest that one story is told of, that story is the root of every recipe
-- of it that is no import.
-- For: admin, inside
create or replace function @registry@.sole_operands(digests bytea[], sets bigint[])
	returns table (digest bytea, claims bigint, parents bytea[])
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	return query
	with asked as materialized (
		select distinct u.digest, u.claims from unnest(digests, sets) u(digest, claims)
	), sole as (
		select s.digest, min(s.id) as story
		from (select distinct a.digest from asked a) a join @registry@.story s on s.digest = a.digest
		group by s.digest
		-- (not where the digest itself is an operand, which is no edge)
		having count(distinct s.sha256) = 1
			and bool_and(position(encode(s.digest, 'hex') in s.node::text) = 0)
	)
	select a.digest, a.claims, array(select e.parent from @registry@.edge e where e.story = o.story)
	from asked a join sole o on o.digest = a.digest
	where not exists (select from @registry@.claim c left join @registry@.story s on s.id = c.story
		where c.claim_set = a.claims and s.digest is distinct from a.digest);
end
$$;
comment on function @registry@.sole_operands(bytea[], bigint[]) is
	'Operands of digests that one story is told of, with a claim set that tells of no other digest.';

-- For: admin, inside
create or replace function @registry@.recomposable(digests bytea[], sets bigint[], left_out bytea[],
	affected bytea[]) returns table (digest bytea, claims bigint)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	return query
	with operand as materialized (
		select o.digest, o.claims, p.parent, p.parent in (select unnest(left_out)) as gone,
			p.parent in (select unnest(affected)) as affected,
			exists (select from @registry@.version v
				where v.digest = p.parent and v.value is not null offset 0) as there
		from @registry@.sole_operands(digests, sets) o cross join unnest(o.parents) p(parent))
	select o.digest, coalesce(o.claims, 0) from operand o
	group by o.digest, o.claims
	having bool_and(o.gone or o.there and not o.affected) and bool_or(not o.gone);
end
$$;
comment on function @registry@.recomposable(bytea[], bigint[], bytea[], bytea[]) is
	'Of digests with their claim sets (0: none) those that nothing stands in the way of, seen of all at '
	'once: each operand is left out, or has a value and is not affected. obstacle() says it of the others.';

-- For: admin
create or replace function @registry@.revoke(digest bytea, reason text)
	returns table (ref text, kind text, depth integer, aliases text[], recomposable boolean, obstacle text,
		standing text)
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
	taken jsonb;
	left_out bytea[];
	fallen bytea[];
begin
	if current_setting('transaction_isolation') <> 'read committed' then
		raise exception 'revoking needs isolation level READ COMMITTED' using errcode = '25001',
			detail = 'It lists the versions that other transactions have committed.';
	end if;
	perform @registry@.settle();
	perform @registry@.revoke_digest($1, $2);
	taken := (select coalesce(jsonb_object_agg(t.ref, t.aliases), '{}') from (
		select a.entry || '@' || a.number as ref, jsonb_agg(a.alias order by a.alias) as aliases
		from @registry@.take_aliases() a group by 1) t);
	left_out := $1 || array(select r.digest from @registry@.revoked() r(digest) where r.digest <> $1);
	fallen := array(select @registry@.fallen());
	return query
		with concerned as materialized (
			select c.* from @registry@.concerned(array[$1]) c
		), clear as materialized (
			select r.* from @registry@.recomposable(
				array(select c.digest from concerned c order by c.entry, c.number),
				array(select c.claims from concerned c order by c.entry, c.number), left_out, fallen) r
		), named as materialized (
			-- all at once: each version by itself would go through all that has fallen
			select v.entry, v.number,
				array_agg(p.parent) filter (where p.parent in (select unnest(left_out))) as gone,
				array_agg(p.parent) filter (where p.parent in (select unnest(fallen))) as fallen
			from concerned c left join clear r on r.digest = c.digest and r.claims = coalesce(c.claims, 0)
				join @registry@.version v on v.entry = c.entry and v.number = c.number
				cross join lateral @registry@.named_by(v, c.claims) p(parent)
			where r.digest is null and v.root is not null
			group by v.entry, v.number
		)
		select v.entry || '@' || v.number,
			case when c.digest = $1 then 'revoked' else 'descendant' end,
			d.depth,
			array(select jsonb_array_elements_text(taken -> (v.entry || '@' || v.number))),
			o.obstacle is null, o.obstacle, case when c.proven then 'proven' else 'claimed' end
		from concerned c
			join @registry@.version v on v.entry = c.entry and v.number = c.number
			left join @registry@.descendant_depths($1) d on d.digest = c.digest
			left join clear r on r.digest = c.digest and r.claims = coalesce(c.claims, 0)
			left join named n on n.entry = c.entry and n.number = c.number
			cross join lateral (select case
				when v.root is null then 'it was imported'
				when c.digest = any(left_out) then 'it is what is to be left out'
				when r.digest is null then @registry@.obstacle(
					coalesce(v.recipe, @peft@.adapter_recipe(v.value)), coalesce(n.gone, '{}'),
					@registry@.affected_of(coalesce(n.fallen, '{}'), v.digest, v.claims)) end as obstacle
				offset 0) o
		order by d.depth, v.entry, v.number;
end
$$;
comment on function @registry@.revoke(bytea, text) is
	'Revokes a digest, known or not: nothing that has it as an ancestor can be read or committed from then '
	'on. Returns all versions concerned: reference, kind (revoked, descendant), length of the shortest '
	'path, the aliases that were taken off, whether @registry@.recompose() can make it again without the '
	'digest and all others that are revoked, and what stands in the way, standing (proven: facts say that it '
	'was made of it; claimed: it says so itself). A digest that is revoked already stays as it is. '
	'@registry@.revoke_digest() is the mark alone. Errors: 25001 not READ COMMITTED, 22004 no reason, 22023 '
	'not a digest.';

-- For: admin
create or replace function @registry@.revoke(ref text, reason text)
	returns table (ref text, kind text, depth integer, aliases text[], recomposable boolean, obstacle text,
		standing text)
	language sql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
	select * from @registry@.revoke(@registry@.digest($1), $2)
$$;
comment on function @registry@.revoke(text, text) is
	'Revokes the digest of a version: see revoke(bytea, text). Error 42704: no such version.';

-- For: admin, inside
create or replace function @registry@.revoked() returns setof bytea
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	return query select r.digest from @registry@.revocation r;
end
$$;
comment on function @registry@.revoked() is 'All revoked digests.';

-- For: admin, inside
create or replace function @registry@.fallen() returns setof bytea
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	return query
		select d.digest from @registry@.dead d
		union all
		select f.digest from @registry@.fact_descendants(array(
				select r.digest from @registry@.revocation r where not r.settled)) f(digest)
			where not exists (select from @registry@.dead d where d.digest = f.digest);
end
$$;
comment on function @registry@.fallen() is
	'All digests that are revoked or of which facts say that they were made of one that is.';

-- For: admin, inside
create or replace function @registry@.named_by(version @registry@.version, claims bigint)
	returns setof bytea
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		select e.parent from @peft@.adapter_recipe_edges(
			coalesce(version.recipe, @peft@.adapter_recipe(version.value)), version.digest, '{}') e
		union
		select e.parent from @registry@.story_edges(version.digest, array[named_by.claims]) e
		where named_by.claims is not null;
end
$$;
comment on function @registry@.named_by(@registry@.version, bigint) is
	'All operands in a version''s recipe and in what it claims, each once.';

-- Only what is walked to from the digest counts, so that a story of something
-- that many were made of leads to none of them.
-- For: admin, inside
create or replace function @registry@.descendant_depths(start bytea)
	returns table (digest bytea, depth integer)
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
	sets constant bigint[] := array(select @registry@.sets_made_of(
		array(select @registry@.fact_descendants(array[start]))));
begin
	return query
	with recursive found(digest) as (
		select start
		union
		select l.of from found f
			cross join lateral (select e.of from @registry@.edge e join @registry@.story s on s.id = e.story
				where e.parent = f.digest and (s.proven or exists (select from @registry@.claim c
					where c.story = s.id and c.claim_set in (select unnest(sets)))) offset 0) l),
	edge as (
		select distinct l.of, f.digest as parent from found f
			cross join lateral (select e.of from @registry@.edge e join @registry@.story s on s.id = e.story
				where e.parent = f.digest and (s.proven or exists (select from @registry@.claim c
					where c.story = s.id and c.claim_set in (select unnest(sets)))) offset 0) l)
	select n.digest, n.depth
	from (select coalesce(array_agg(e.parent), '{}') as tails, coalesce(array_agg(e.of), '{}') as heads,
			coalesce(array_agg(null::double precision), '{}') as none from edge e) edges
		cross join lateral @peft@.adapter_lineage(start, edges.tails, edges.heads, edges.none, edges.none,
			edges.none) n;
end
$$;
comment on function @registry@.descendant_depths(bytea) is
	'How far from a digest what was made of it is.';
