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
	-- (offset 0: plans are kept from when the tables were empty)
	if claims is null
		and not exists (select from @registry@.revocation r where not r.settled)
		and not exists (select from @registry@.dead d where d.digest = $1)
		and not exists (
			select from (select x.id from @registry@.story x where x.digest = $1 and x.proven offset 0) s
				cross join lateral (select x.parent from @registry@.edge x where x.story = s.id offset 0) e
				cross join lateral (select from @registry@.dead x where x.digest = e.parent offset 0) d) then
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
-- From the aliases, of which there are fewer than versions.  An alias that was
-- moved since this query began is locked as it is now, beside the number that was
-- looked at: it is not taken.
-- For: nobody
create or replace function @registry@.take_aliases(made bytea[], sets bigint[])
	returns table (entry text, number integer, alias text)
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
	gone record;
begin
	-- In one order whatever the plan: the log gets an entry for each.
	for gone in
		select a.entry, a.alias, v.number
		from @registry@.alias a cross join lateral (
			select x.number from @registry@.version x where x.entry = a.entry and x.number = a.number and (
				exists (select from @registry@.dead d where d.digest = x.digest)
				or exists (select from @registry@.claim_set s where s.id = x.claims and s.dead)
				or x.digest in (select unnest(made)) or x.claims in (select unnest(sets))) offset 0) v
		order by a.entry collate "C", a.alias collate "C" for update of a skip locked
	loop
		return query
			delete from @registry@.alias a
			where a.entry = gone.entry and a.alias = gone.alias and a.number = gone.number
			returning a.entry, a.number, a.alias;
	end loop;
end
$$;
comment on function @registry@.take_aliases(bytea[], bigint[]) is
	'Takes the aliases off versions that are marked, or that have one of the digests or claim sets; returns '
	'them.';

-- A pass marks what descends from the revoked digests by what is committed.  It
-- is done when a pass finds nothing that the one before had not, and everybody
-- who may not have seen that is gone:  whoever commits later has looked when all
-- that the pass before had marked could be seen as not live, and was refused; so
-- nothing that descends from a marked digest can be among what is still open.
-- For: admin
create or replace function @registry@.settle() returns bigint
	language plpgsql volatile parallel unsafe security definer
	set search_path = pg_catalog, pg_temp set jit = off set work_mem = '64MB' as $$
declare
	waiting bytea[];
	below record;
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
		below := @registry@.descent(waiting);
		insert into @registry@.dead (digest) select m from unnest(below.made) m order by m
			on conflict do nothing;
		get diagnostics marked = row_count;
		update @registry@.claim_set s set dead = true
			where not s.dead and s.id in (select unnest(below.sets));
		get diagnostics sets = row_count;
		update @registry@.revocation r set settled = marked + sets = 0 and r.bound is not null
				and r.bound <= @peft@.registry_next_transaction(),
				bound = @peft@.registry_next_transaction()
			where r.digest = any(waiting);
	end if;
	below := @registry@.descent(array(
		select r.digest from @registry@.revocation r where not r.settled and r.bound is null));
	perform @registry@.take_aliases(below.made, below.sets);
	return (select count(*) from @registry@.revocation r where not r.settled);
end
$$;
comment on function @registry@.settle() is
	'A step towards marking all that was made of revoked digests and taking aliases off it; returns how many '
	'revocations are not done. To be called, in transactions of their own, until it returns 0: twice, and '
	'again while transactions are open that began before. Error 25001: not READ COMMITTED.';

-- A sum that is left with one of its operands, which has its value: no rule is
-- asked of one operand alone that was not asked of all, and what is made is told by
-- the node without the terms of the others.
-- For: admin, inside
create or replace function @registry@.clear_of(roots bigint[], sets bigint[], without bytea, left_out bytea[],
	fallen bytea[]) returns table (root bigint, claims bigint, claimed boolean, result bytea)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	return query
	with asked as materialized (
		select u.root, u.claims from unnest(roots, sets) u(root, claims) where u.root is not null
		group by u.root, u.claims order by u.root),	-- neighbours are near in the indexes
	story as (
		select a.root, a.claims, s.* from asked a
			cross join lateral (
				select x.digest, x.node, x.proven from @registry@.story x where x.id = a.root offset 0) s
		where s.node ->> 'op' in ('combine', 'concatenate')
			and (a.claims is null or not exists (
				select from @registry@.claim c join @registry@.story o on o.id = c.story
				where c.claim_set = a.claims and o.digest <> s.digest))),
	kept as (
		select s.root, s.claims, bool_or(s.proven) as proven, jsonb_agg(s.node) -> 0 as node,
			count(*) as n, bool_or(e.parent = without) as named,
			array_agg(e.parent) filter (where not e.gone) as operand,
			min(coalesce(e.p, e.w)) filter (where not e.gone) as p,
			min(coalesce(e.q, e.w)) filter (where not e.gone) as q
		from story s cross join lateral (
			select x.parent, x.p, x.q, x.w, x.parent in (select unnest(left_out)) as gone
			from @registry@.edge x where x.story = s.root offset 0) e
		group by s.root, s.claims)
	select k.root, coalesce(k.claims, 0), not k.proven, case when k.p = 1 and k.q = 1 then k.operand[1]
		else @registry@.told_digest(@registry@.node_of(k.node, k.operand[1])) end
	from kept k
	where k.named and cardinality(k.operand) = 1 and (k.q <> 1 or k.p = 1)
		and k.operand[1] not in (select unnest(fallen))
		and exists (select from @registry@.version v
			where v.digest = k.operand[1] and v.value is not null offset 0)
		-- each operand is an edge: none has weights that sum to 0, or is the digest itself
		and k.n = (select count(distinct t ->> 'of') from jsonb_array_elements(k.node -> 'terms') t);
end
$$;
comment on function @registry@.clear_of(bigint[], bigint[], bytea, bytea[], bytea[]) is
	'Of versions'' roots with their claim sets (0: none) the sums that are left with one operand, which has a '
	'value and has not fallen; whether the root is a claim, and the digest of what is left, where that is '
	'told. outlook() says it of the others.';

-- For: admin, inside
create or replace function @registry@.node_of(node jsonb, operand bytea) returns jsonb
	language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
	select jsonb_set(node, '{terms}', (
		select jsonb_agg(t.term order by t.n)
		from jsonb_array_elements(node -> 'terms') with ordinality t(term, n)
		where t.term ->> 'of' = encode(operand, 'hex')))
$$;
comment on function @registry@.node_of(jsonb, bytea) is 'The node of a sum with the terms of one operand alone.';

-- For: admin, inside
create or replace function @registry@.told_digest(node jsonb) returns bytea
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	return (select s.digest from @registry@.story s
		where s.sha256 = sha256(convert_to(told_digest.node::text, 'UTF8')) and s.proven limit 1);
end
$$;
comment on function @registry@.told_digest(jsonb) is
	'What facts say that a node makes; null if none tells it.';

-- For: admin, inside
create or replace function @registry@.revoke_begin(digest bytea, reason text,
	out made bytea[], out sets bigint[], out parents bytea[], out children bytea[], out aliases jsonb)
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
	-- what settle() has not begun with; of the others what is marked counts
	others record;
begin
	perform @registry@.revoke_digest($1, $2);
	select d.* into made, sets, parents, children from @registry@.descent(array[$1], true) d;
	others := @registry@.descent(array(select r.digest from @registry@.revocation r
		where not r.settled and r.bound is null and r.digest <> $1));
	aliases := (select coalesce(jsonb_object_agg(t.ref, t.aliases), '{}') from (
		select a.entry || '@' || a.number as ref, jsonb_agg(a.alias order by a.alias) as aliases
		from @registry@.take_aliases(made || others.made, sets || others.sets) a group by 1) t);
end
$$;
comment on function @registry@.revoke_begin(bytea, text) is
	'Revokes a digest and takes the aliases off what is not live. Its descent with edges, and by reference '
	'the aliases that were taken. Errors of revoke_digest.';

-- For: admin
create or replace function @registry@.revoke(digest bytea, reason text)
	returns table (ref text, kind text, depth integer, aliases text[], recomposable boolean, obstacle text,
		standing text)
	language plpgsql volatile parallel unsafe
	set search_path = pg_catalog, pg_temp set jit = off set work_mem = '64MB' as $$
#variable_conflict use_column
declare
	left_out bytea[];
	fallen bytea[];
	below record;
begin
	if current_setting('transaction_isolation') <> 'read committed' then
		raise exception 'revoking needs isolation level READ COMMITTED' using errcode = '25001',
			detail = 'It lists the versions that other transactions have committed.';
	end if;
	perform @registry@.settle();
	below := @registry@.revoke_begin($1, $2);
	left_out := $1 || array(select r.digest from @registry@.revoked() r(digest) where r.digest <> $1);
	fallen := below.made || array(select @registry@.fallen($1));
	return query
		with concerned as materialized (select c.* from @registry@.made_or_claimed(below.made, below.sets) c),
		clear as materialized (
			select r.*
			from (select array_agg(c.root) as roots, array_agg(c.claims) as sets from concerned c) a
				cross join lateral @registry@.clear_of(a.roots, a.sets, $1, left_out, fallen) r
		), unclear as materialized (
			select c.* from concerned c
				left join clear r on r.root = c.root and r.claims = coalesce(c.claims, 0)
			where r.root is null and c.digest not in (select unnest(left_out))
		), named as materialized (
			-- all at once: each version by itself would go through all that has fallen
			select c.entry, c.number, bool_or(p.parent = $1 and p.told) as told, array_agg(
					p.parent order by p.parent <> $1) filter (where p.parent in (select unnest(left_out))) as gone,
				array_agg(p.parent) filter (where p.parent in (select unnest(fallen))) as fallen
			from unclear c join @registry@.version v on v.entry = c.entry and v.number = c.number
				cross join lateral @registry@.named_by(v, c.claims) p(parent, told)
			group by c.entry, c.number
		), stopped as materialized (
			select c.entry, c.number, @registry@.outlook(v, c.claims, coalesce(n.told, false),
				coalesce(n.gone, '{}'),
				@registry@.affected_of(coalesce(n.fallen, '{}'), c.digest, c.claims)) as obstacle
			from unclear c join @registry@.version v on v.entry = c.entry and v.number = c.number
				left join named n on n.entry = c.entry and n.number = c.number
		)
		select u.ref, case when c.digest = $1 then 'revoked' else 'descendant' end, d.depth,
			case when below.aliases ? u.ref then array(
				select jsonb_array_elements_text(below.aliases -> u.ref)) else '{}' end,
			o.obstacle is null, o.obstacle, case when c.proven then 'proven' else 'claimed' end
		from concerned c
			cross join lateral (select c.entry || '@' || c.number as ref) u
			left join @registry@.descendant_depths($1, below.made, below.sets, below.parents,
				below.children) d on d.digest = c.digest
			left join stopped s on s.entry = c.entry and s.number = c.number
			left join clear r on r.root = c.root and r.claims = coalesce(c.claims, 0)
			cross join lateral (select case
				when c.digest = $1 then 'it is what is to be left out'
				when c.digest in (select unnest(left_out)) then 'it is revoked itself'
				when r.claimed then @registry@.claim_obstacle()
				when r.result is not null then @registry@.result_obstacle(c.entry, r.result)
				else s.obstacle end as obstacle) o
		order by d.depth, c.entry, c.number;
end
$$;
comment on function @registry@.revoke(bytea, text) is
	'Revokes a digest, known or not: nothing that has it as an ancestor can be read or committed from then '
	'on. Returns all versions concerned: reference, kind (revoked, descendant), length of the shortest '
	'path, the aliases that were taken off, whether @registry@.recompose() makes it again without the '
	'digest and all others that are revoked, and what stands in the way (where renormalize => true helps, '
	'that; where only evaluating tells, that), standing (proven: facts say that it '
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
create or replace function @registry@.fallen(but bytea) returns setof bytea
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	return query
		select d.digest from @registry@.dead d
		union all
		select @registry@.fact_descendants(array(select r.digest from @registry@.revocation r
			where not r.settled and r.digest <> but));
end
$$;
comment on function @registry@.fallen(bytea) is
	'All digests that are revoked or that facts say were made of such, but for those of which only this '
	'revocation says it, if it is not settled.';

-- For: admin, inside
create or replace function @registry@.named_by(version @registry@.version, claims bigint)
	returns table (parent bytea, told boolean)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	return query
	select n.parent, bool_or(n.told)
	from (select e.parent, true as told from @peft@.adapter_recipe_edges(
			coalesce(version.recipe, @peft@.adapter_recipe(version.value)), version.digest, '{}') e
		union all
		select e.parent, false from @registry@.story_edges(version.digest, array[named_by.claims]) e
		where named_by.claims is not null) n
	group by n.parent;
end
$$;
comment on function @registry@.named_by(@registry@.version, bigint) is
	'All operands in a version''s recipe (told) and in what it claims, each once.';

-- Only what is walked to from the digest counts, so that a story of something
-- that many were made of leads to none of them.
-- For: admin, inside
create or replace function @registry@.descendant_depths(start bytea, made bytea[], sets bigint[],
	parents bytea[], children bytea[]) returns table (digest bytea, depth integer)
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	return query
	with recursive claimed as materialized (
		select distinct c.story from unnest(sets) s
			cross join lateral (select x.story from @registry@.claim x where x.claim_set = s offset 0) c),
	claim as materialized (
		select e.of, e.parent from claimed c
			cross join lateral (
				select x.of, x.parent from @registry@.edge x where x.story = c.story offset 0) e),
	-- what only claims lead to, and facts lead on from
	late(digest) as (
		select c.of from claim c
			where c.parent in (select unnest(made)) and c.of not in (select unnest(made))
		union
		select l.of from late f
			cross join lateral (select e.of from @registry@.edge e join @registry@.story s on s.id = e.story
				where e.parent = f.digest and (s.proven or s.id in (select c.story from claimed c))
				offset 0) l),
	edge as (
		select p.parent, p.of from unnest(parents, children) p(parent, of)
		union all
		select c.parent, c.of from claim c
		union all
		select f.digest, l.of from late f
			cross join lateral (select e.of from @registry@.edge e join @registry@.story s on s.id = e.story
				where e.parent = f.digest and s.proven offset 0) l)
	select n.digest, n.depth
	from (select coalesce(array_agg(e.parent), '{}') as tails, coalesce(array_agg(e.of), '{}') as heads,
			coalesce(array_agg(null::double precision), '{}') as none from edge e) edges
		cross join lateral @peft@.adapter_lineage(start, edges.tails, edges.heads, edges.none, edges.none,
			edges.none) n;
end
$$;
comment on function @registry@.descendant_depths(bytea, bytea[], bigint[], bytea[], bytea[]) is
	'How far from a digest what was made of it is, of its descent with edges.';
