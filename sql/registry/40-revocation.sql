-- Revocation of a digest with everything that was made from it, and making
-- again without it.

-- Descendants' states are updated, not only locked: a commit under REPEATABLE
-- READ that began before then gets 40001 instead of an old view of their
-- ancestors.
-- For: admin, inside
create or replace function @registry@.revoke_digest(digest bytea, reason text)
	returns table (aliases_entry text, aliases_number integer, aliases_alias text)
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
	locked bytea[] := array[$1];
	fresh bytea[];
	gone record;
begin
	if current_setting('transaction_isolation') <> 'read committed' then
		raise exception 'revoking needs isolation level READ COMMITTED' using errcode = '25001',
			detail = 'It must see the versions that other transactions commit while it waits for them.';
	end if;
	if reason is null then
		raise exception 'a reason is needed' using errcode = '22004';
	end if;
	if octet_length($1) is distinct from 32 then
		raise exception 'a digest has 32 bytes' using errcode = '22023';
	end if;
	insert into @registry@.state (digest) values ($1) on conflict (digest) do nothing;
	update @registry@.state s set revoked_at = clock_timestamp(), revoked_by = session_user, reason = $2
		where s.digest = $1 and s.revoked_at is null;
	loop
		fresh := array(select d from @registry@.successors($1) d except select unnest(locked) order by 1);
		exit when fresh = '{}';
		perform from @registry@.state s where s.digest = any(fresh) order by s.digest for no key update;
		update @registry@.state s set reason = s.reason where s.digest = any(fresh);
		locked := locked || fresh;
	end loop;
	-- In one order whatever the plan: the log gets an entry for each.
	for gone in
		select a.entry, a.number, a.alias from @registry@.alias a join @registry@.version v
			on v.entry = a.entry and v.number = a.number
		where v.digest = any(locked) order by a.entry collate "C", a.alias collate "C" for update of a
	loop
		return query
			delete from @registry@.alias a where a.entry = gone.entry and a.alias = gone.alias
			returning a.entry, a.number, a.alias;
	end loop;
end
$$;
comment on function @registry@.revoke_digest(bytea, text) is
	'Marks a digest as revoked, locks the states of all its descendants until no new one appears, and takes '
	'the aliases off their versions; returns these. What @registry@.revoke() does with the rights of the '
	'registry''s owner.';

-- For: admin
create or replace function @registry@.revoke(digest bytea, reason text)
	returns table (ref text, kind text, depth integer, aliases text[], recomposable boolean, obstacle text)
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
	taken jsonb;
	left_out bytea[];
begin
	taken := (select coalesce(jsonb_object_agg(t.ref, t.aliases), '{}') from (
		select r.aliases_entry || '@' || r.aliases_number as ref,
			jsonb_agg(r.aliases_alias order by r.aliases_alias) as aliases
		from @registry@.revoke_digest($1, $2) r group by 1) t);
	left_out := $1 || array(select s.digest from @registry@.state s
		where s.revoked_at is not null and s.digest <> $1);
	return query
		select v.entry || '@' || v.number,
			case when g.depth = 0 then 'revoked' else 'descendant' end, g.depth,
			array(select jsonb_array_elements_text(taken -> (v.entry || '@' || v.number))),
			o.obstacle is null, o.obstacle
		from @registry@.graph($1, true) g
			-- offset 0: what functions return has no statistics, and comparing all with all is quadratic
			cross join lateral (
				select x.entry, x.number from @registry@.version x where x.digest = g.digest offset 0) v
			join @registry@.obstacles(left_out, @registry@.all_successors(left_out)) o
				on o.entry = v.entry and o.number = v.number
		order by g.depth, v.entry, v.number;
end
$$;
comment on function @registry@.revoke(bytea, text) is
	'Revokes a digest, known or not: nothing that has it as an ancestor can be read or committed from then '
	'on. Returns all versions concerned: reference, kind (revoked, descendant), length of the shortest '
	'path, the aliases that were taken off, whether @registry@.recompose() can make it again without the '
	'digest and all others that are revoked, and what stands in the way. A digest that is revoked already '
	'stays as it is. Errors: 25001 not READ COMMITTED, 22004 no reason, 22023 not a digest.';

-- For: admin
create or replace function @registry@.revoke(ref text, reason text)
	returns table (ref text, kind text, depth integer, aliases text[], recomposable boolean, obstacle text)
	language sql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
	select * from @registry@.revoke(@registry@.digest($1), $2)
$$;
comment on function @registry@.revoke(text, text) is
	'Revokes the digest of a version: see revoke(bytea, text). Error 42704: no such version.';

-- For: reader, inside
create or replace function @registry@.obstacle(recipe jsonb, without bytea[], excluded bytea[]) returns text
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	way record;
begin
	if recipe #>> '{root,op}' = 'import' then
		return 'it was imported';
	end if;
	way := @registry@.plan(recipe, without, excluded);
	if way.missing <> '{}' then
		return format('values are needed that are not registered: %s', @registry@.digest_list(way.missing));
	end if;
	if way.leaves = '{}' then
		return 'nothing is left';
	end if;
	return null;
end
$$;
comment on function @registry@.obstacle(jsonb, bytea[], bytea[]) is
	'Why a recipe cannot be evaluated without some digests (excluded: they and their descendants); null if '
	'it can.';

-- For: admin, inside
create or replace function @registry@.all_successors(digests bytea[]) returns bytea[]
	language sql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
	with recursive found(digest) as (
		select d from unnest(digests) u(d)
		union
		select l.of from found f
			cross join lateral (select x.of from @registry@.lineage x where x.parent = f.digest offset 0) l)
	select array_agg(digest) from found
$$;
comment on function @registry@.all_successors(bytea[]) is 'The digests and all their descendants.';

-- For: reader, inside
create or replace function @registry@.composed_versions(without bytea[], affected bytea[])
	returns table (entry text, number integer, digest bytea, recipe jsonb, n bigint)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	return query
	select v.entry, v.number, v.digest, v.recipe,
		row_number() over (partition by v.digest order by v.created_at, v.entry, v.number)
	from unnest($2) u(digest) join @registry@.version v on v.digest = u.digest
	where v.recipe #>> '{root,op}' <> 'import' and v.digest <> all($1);
end
$$;
comment on function @registry@.composed_versions(bytea[], bytea[]) is
	'Versions of the affected digests that have to be made again: all but imports and those that are left '
	'out. n is 1 where the recipe counts if another one refers to the digest (@registry@.story).';

-- For: reader, inside
create or replace function @registry@.recipe_steps(without bytea[], affected bytea[])
	returns table (entry text, number integer, digest bytea, n bigint, leaves bytea[], missing bytea[])
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	return query
	with composed as materialized (
		select c.* from @registry@.composed_versions($1, $2) c),
	near as materialized (
		select c.entry, c.number, p.leaves, p.missing
		from composed c cross join lateral @registry@.plan(c.recipe, $1) p),
	apart as materialized (
		-- leads to an import whose story only other recipes tell: walked to the end
		select distinct w.entry, w.number from near w cross join unnest(w.leaves) l(leaf)
			join unnest($2) u(digest) on u.digest = l.leaf
		where not exists (select from composed k where k.digest = l.leaf))
	select c.entry, c.number, c.digest, c.n, p.leaves, p.missing
	from composed c join near w using (entry, number) left join apart a using (entry, number)
		cross join lateral (
			select w.leaves, w.missing where a.entry is null
			union all
			select f.leaves, f.missing from @registry@.plan(c.recipe, $1, $2) f where a.entry is not null) p;
end
$$;
comment on function @registry@.recipe_steps(bytea[], bytea[]) is
	'Of each composed version of the affected digests the nearest registered values that it is made again '
	'from, and the digests that are needed and have none.';

-- Each version's recipe is walked only down to the next registered values, and
-- what is found there is handed upward: a chain of versions, walked from each to
-- its end, would take the square of its length.
-- For: reader, inside
create or replace function @registry@.recipe_leftovers(without bytea[], affected bytea[])
	returns table (entry text, number integer, kept boolean, missing bytea[])
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	return query
	with recursive step as materialized (
		select s.* from @registry@.recipe_steps($1, $2) s),
	part as materialized (
		select s.entry, s.number, s.digest, s.n, l.leaf,
			exists (select from step c where c.digest = l.leaf) as again
		from step s cross join unnest(s.leaves) l(leaf)),
	kept as (
		select p.entry, p.number, p.digest, p.n from part p where not p.again
		union
		select p.entry, p.number, p.digest, p.n
		from kept k join part p on p.again and p.leaf = k.digest where k.n = 1),
	lost as (
		select s.entry, s.number, s.digest, s.n, m.missing from step s cross join unnest(s.missing) m(missing)
		union
		select p.entry, p.number, p.digest, p.n, k.missing
		from lost k join part p on p.again and p.leaf = k.digest where k.n = 1),
	gone as (
		select k.entry, k.number, array_agg(k.missing) as missing from lost k group by k.entry, k.number)
	select s.entry, s.number, k.entry is not null, g.missing
	from step s left join kept k using (entry, number) left join gone g using (entry, number);
end
$$;
comment on function @registry@.recipe_leftovers(bytea[], bytea[]) is
	'Of each composed version of the affected digests whether anything is left to make it again from, and '
	'the digests that are needed and have no value (null: none), as far as each recipe and those of its '
	'operands tell.';

-- For: reader, inside
create or replace function @registry@.obstacles(without bytea[], affected bytea[])
	returns table (entry text, number integer, obstacle text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
	contested constant boolean := exists (select from @registry@.composed_versions($1, $2) c
		group by c.digest having count(distinct c.recipe -> 'root') > 1);
begin
	return query
	select v.entry, v.number, case
		when v.recipe #>> '{root,op}' = 'import' then 'it was imported'
		when v.digest = any($1) then 'it is what is to be left out'
		-- Others' stories were handed upward: where they differ its own recipe has the word.
		when contested and (f.missing is not null or not f.kept) then @registry@.obstacle(v.recipe, $1, $2)
		-- a recipe that was cut does not tell what a longer one does
		when exists (select from unnest(f.missing) m(digest)
				where coalesce(v.recipe #>> array['nodes', encode(m.digest, 'hex'), 'op'], 'import')
					<> 'import')
			then @registry@.obstacle(v.recipe, $1, $2)
		when f.missing is not null
			then format('values are needed that are not registered: %s', @registry@.digest_list(f.missing))
		when not f.kept then 'nothing is left' end
	from unnest($2) u(digest) join @registry@.version v on v.digest = u.digest
		left join @registry@.recipe_leftovers($1, $2) f on f.entry = v.entry and f.number = v.number;
end
$$;
comment on function @registry@.obstacles(bytea[], bytea[]) is
	'What obstacle says of each version of the affected digests (those that are left out and all their '
	'descendants); of their own versions that they are what is to be left out.';

-- For: admin
create or replace function @registry@.recompose(ref text, without bytea, renormalize boolean default false,
	message text default null) returns text
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	source @registry@.version;
	gone bytea[];
	affected bytea[];
	reason text;
	way record;
	result @peft@.adapter;
begin
	select v.* into strict source from @registry@.resolve(ref) r
		join @registry@.version v on v.entry = r.entry and v.number = r.number;
	-- with a revoked ancestor left in, the result could not be committed
	gone := without || array(select s.digest from @registry@.ancestors(source.digest) a
		join @registry@.state s on s.digest = a
		where s.revoked_at is not null and s.digest not in (without, source.digest) order by 1);
	if source.digest = without then
		reason := 'it is what is to be left out';
	elsif source.digest <> all(array(select d from @registry@.successors(without) d)) then
		reason := 'it was not made from that digest';
	else
		affected := @registry@.all_successors(gone);
		reason := @registry@.obstacle(source.recipe, gone, affected);
	end if;
	if reason is not null then
		raise exception 'version "%@%" cannot be recomposed', source.entry, source.number
			using errcode = '55000', detail = format('Reason: %s.', reason);
	end if;
	way := @registry@.plan(source.recipe, gone, affected);
	result := @registry@.evaluate(way.recipe_used, way.leaves, without, coalesce(renormalize, false));
	return @registry@.commit(source.entry, result, coalesce(message,
		format('%s@%s without %s', source.entry, source.number, @registry@.digest_list(gone))));
end
$$;
comment on function @registry@.recompose(text, bytea, boolean, text) is
	'Evaluates the recipe of a version without a digest and its other revoked ancestors, and commits the '
	'result as a new version of the same entry, whose name@number it returns. Their terms are left out of '
	'every sum, an operation on one alone is left out itself; with renormalize the other weights of a sum '
	'that lost a term are multiplied so that their total stays. Errors: 42704 no such version, 55000 it '
	'cannot be recomposed (nothing is left, values are not registered, imported, not a descendant), those '
	'of commit.';

-- For: admin
create or replace function @registry@.recompose(ref text, without text, renormalize boolean default false,
	message text default null) returns text
	language sql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
	select @registry@.recompose($1, @registry@.digest($2), $3, coalesce($4, format('%s without %s', $1, $2)))
$$;
comment on function @registry@.recompose(text, text, boolean, text) is
	'Makes a version again without another: see recompose(text, bytea, boolean, text).';
