-- Making a version again without a digest, from facts and from what its own
-- recipe says.

-- For: admin, inside
create or replace function @registry@.obstacle(recipe jsonb, leaves bytea[], missing bytea[]) returns text
	language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
	select case when recipe #>> '{root,op}' = 'import' then 'it was imported'
		when missing <> '{}' then format('values are needed that are not registered: %s',
			@registry@.digest_list(missing))
		when leaves = '{}' then 'nothing is left' end
$$;
comment on function @registry@.obstacle(jsonb, bytea[], bytea[]) is
	'Why a recipe cannot be evaluated as plan() has it, from leaves, with values missing; null if it may.';

-- For: admin, inside
create or replace function @registry@.claim_obstacle() returns text
	language sql immutable parallel safe return
	'how it was made is a claim: only evaluating tells whether it is true, which @registry@.recompose() does';
comment on function @registry@.claim_obstacle() is 'What revoke() says of versions whose making is a claim.';

-- For: admin, inside
create or replace function @registry@.result_obstacle(entry text, result bytea) returns text
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return (select format('the entry has what would be left: %s',
			string_agg(v.entry || '@' || v.number, ', ' order by v.number))
		from @registry@.version v where v.entry = result_obstacle.entry and v.digest = result
		having count(*) > 0);
end
$$;
comment on function @registry@.result_obstacle(text, bytea) is
	'Why a digest cannot be committed to an entry that has it; null if it has not.';

-- A value that is damaged says so, and is no error: who revokes must not be stopped.
-- For: admin, inside
create or replace function @registry@.outline(recipe jsonb, leaves bytea[], without bytea,
	renormalize boolean) returns jsonb
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return (select @peft@.adapter_recompute_outline(outline.recipe, v.value, without, renormalize)
		from unnest(leaves) l(digest)
			cross join lateral (
				select x.value from @registry@.version x
				where x.digest = l.digest and x.value is not null
				order by x.claims is not null, x.created_at, x.entry, x.number limit 1) v);
exception when data_corrupted then
	return jsonb_build_object('obstacle', sqlerrm);
end
$$;
comment on function @registry@.outline(jsonb, bytea[], bytea, boolean) is
	'What evaluate() would come to, as far as that is told without computing (adapter_recompute_outline).';

-- What would be made is looked for step by step, each digest in the place of its
-- name in the next nodes.  Of what changes nothing no story is told, and it has the
-- name of what it is.
-- For: admin, inside
create or replace function @registry@.outlined(outline jsonb, out names text[], out digests text[])
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	made record;
	node text;
begin
	names := '{}';
	digests := '{}';
	for made in select m.made ->> 0 as name, m.made -> 1 as node
			from jsonb_array_elements(outline -> 'made') with ordinality m(made, n) order by m.n loop
		node := made.node::text;
		for i in 1 .. cardinality(names) loop
			node := replace(node, names[i], digests[i]);
		end loop;
		digests := digests || coalesce(encode(@registry@.told_digest(@registry@.sorted(node::jsonb)), 'hex'),
			digests[array_position(names, made.name)], made.name);
		names := names || made.name;
	end loop;
	if outline ->> 'digest' <> all(names) then
		names := names || (outline ->> 'digest');
		digests := digests || (outline ->> 'digest');
	end if;
end
$$;
comment on function @registry@.outlined(jsonb) is
	'Of all that an outline would make, the result last: the name that it has there, and the digest as far '
	'as facts tell it (else the name).';

-- For: admin, inside
create or replace function @registry@.sorted(node jsonb) returns jsonb
	language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
	select case when node ? 'terms' then jsonb_set(node, '{terms}', (
			select jsonb_agg(t.term order by t.term ->> 'of' collate "C", t.n)
			from jsonb_array_elements(node -> 'terms') with ordinality t(term, n)))
		when jsonb_typeof(node -> 'of') = 'array' then jsonb_set(node, '{of}', (
			select jsonb_agg(o.digest order by o.digest collate "C")
			from jsonb_array_elements_text(node -> 'of') o(digest)))
		else node end
$$;
comment on function @registry@.sorted(jsonb) is 'The node of a recipe with its operands in order of digest.';

-- What has the same name in both was not changed.
-- For: admin, inside
create or replace function @registry@.outline_obstacle(entry text, digest bytea, result jsonb, before jsonb)
	returns text
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	now constant record := @registry@.outlined(result);
	was constant record := @registry@.outlined(before);
	made constant bytea[] := array(
		select case when n.name = before ->> 'digest' then outline_obstacle.digest
			else decode(coalesce(w.digest, n.digest), 'hex') end
		from unnest(now.names, now.digests) with ordinality n(name, digest, place)
			left join unnest(was.names, was.digests) w(name, digest) on w.name = n.name
		order by n.place);
	reason constant text := @registry@.result_obstacle(entry, made[cardinality(made)]);
begin
	if reason is null and not @registry@.are_live(made) then
		return 'what would be left, or a step to it, would be one that was made of what is revoked';
	end if;
	return reason;
end
$$;
comment on function @registry@.outline_obstacle(text, bytea, jsonb, jsonb) is
	'Why the result of an outline, beside that of what the digest is now (null: not known), cannot be '
	'committed to an entry; null if nothing tells why not.';

-- For: admin, inside
create or replace function @registry@.outlook(version @registry@.version, claims bigint, told boolean,
	gone bytea[], affected bytea[]) returns text
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	recipe constant jsonb := coalesce(version.recipe, @peft@.adapter_recipe(version.value));
	way record := @registry@.plan(recipe, gone, affected || version.digest);
	before constant record := @registry@.plan(recipe, '{}',
		@registry@.but(affected || version.digest, gone));
	reason text := @registry@.obstacle(recipe, way.leaves, way.missing);
	result jsonb;
	renormalized jsonb;
	now jsonb;
begin
	if recipe #>> '{root,op}' <> 'import' and not told then
		return 'others have told that it was made from that digest, and its own recipe does not';
	elsif reason is not null then
		return reason;
	elsif claims is not null
		and @registry@.claims_above(recipe, version.digest, claims, before.leaves || gone) then
		return @registry@.claim_obstacle();
	end if;
	result := @registry@.outline(way.recipe_used, way.leaves, gone[1], false);
	if before.missing = '{}' then
		now := @registry@.outline(before.recipe_used, before.leaves, null, false);
	end if;
	if result ? 'digest' then
		return @registry@.outline_obstacle(version.entry, version.digest, result, now);
	elsif result ? 'unknown' then
		return format('only evaluating tells: %s', result ->> 'unknown');
	end if;
	renormalized := @registry@.outline(way.recipe_used, way.leaves, gone[1], true);
	return case when renormalized ? 'unknown' then 'only evaluating tells whether renormalize => true helps: '
		when renormalized ? 'digest' and @registry@.outline_obstacle(
			version.entry, version.digest, renormalized, now) is null then 'it needs renormalize => true: '
		else '' end || (result ->> 'obstacle');
end
$$;
comment on function @registry@.outlook(@registry@.version, bigint, boolean, bytea[], bytea[]) is
	'Why recompose() cannot make a version again without some digests, of which its recipe tells (affected: '
	'what was made of them), as far as that is told without evaluating; null if it can. What only '
	'evaluating tells counts as why.';

-- For: admin, inside
create or replace function @registry@.but(digests bytea[], without bytea[]) returns bytea[]
	language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
	select coalesce(array_agg(d), '{}') from (select unnest(digests) except select unnest(without)) u(d)
$$;
comment on function @registry@.but(bytea[], bytea[]) is 'The digests without some others.';

-- For: admin, inside
create or replace function @registry@.claims_above(recipe jsonb, digest bytea, claims bigint, known bytea[])
	returns boolean
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	return exists (
		select from (
			select distinct e.of
			from @peft@.adapter_recipe_edges(claims_above.recipe, claims_above.digest, known) e) t
			join @registry@.story s on s.digest = t.of and not s.proven
			join @registry@.claim c on c.story = s.id and c.claim_set = claims_above.claims
		where not exists (select from @registry@.story f
			where f.digest = s.digest and f.sha256 = s.sha256 and f.proven));
end
$$;
comment on function @registry@.claims_above(jsonb, bytea, bigint, bytea[]) is
	'Some of how a version was made of the known digests is a claim, and no fact yet.';

-- For: admin, inside
create or replace function @registry@.affected_of(dead bytea[], digest bytea, claims bigint) returns bytea[]
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
	nowhere constant bytea := sha256('');
begin
	if claims is null then
		return dead;
	end if;
	-- one walk from all of them, which hang on a digest of nothing
	return dead || array(
		with edge as materialized (
			select e.of, e.parent
			from @registry@.story_edges(affected_of.digest, array[affected_of.claims]) e),
		edges as (
			select array_agg(e.tail) as tails, array_agg(e.head) as heads,
				array_agg(null::double precision) as none
			from (select e.parent as tail, e.of as head from edge e
				union
				select nowhere, e.parent from edge e join unnest(dead) d(digest) on d.digest = e.parent) e)
		select n.digest from edges e cross join lateral @peft@.adapter_lineage(nowhere, e.tails, e.heads,
			e.none, e.none, e.none) n where n.depth > 1);
end
$$;
comment on function @registry@.affected_of(bytea[], bytea, bigint) is
	'The dead digests, and what of a version''s ancestors, and the version, its claims say was made of them.';

-- Where something is left out no digest tells whether a story is true.  So what
-- is claimed is first evaluated with everything: each step must lead to its digest.
-- For: admin, inside
create or replace function @registry@.check_story(ref text, recipe jsonb, digest bytea, claims bigint,
	gone bytea[], affected bytea[]) returns void
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	way record := @registry@.plan(check_story.recipe, '{}', @registry@.but(affected, gone));
begin
	if not @registry@.claims_above(check_story.recipe, check_story.digest, claims, way.leaves || gone) then
		return;
	end if;
	if way.missing = '{}' and check_story.digest = (
			select @peft@.adapter_digest(@registry@.evaluate(way.recipe_used, way.leaves))) then
		return;
	end if;
	raise exception 'version "%" cannot be recomposed', ref
		using errcode = '55000',
		detail = 'Reason: how it was made is a claim, and it cannot be proven.',
		hint = format('Values that are needed for the proof: %s.',
			coalesce(@registry@.digest_list(way.missing), 'all are there and lead to another digest'));
exception when data_exception or undefined_object or feature_not_supported then
	raise exception 'version "%" cannot be recomposed', ref
		using errcode = '55000',
			detail = format('Reason: how it was made is a claim, and not true: %s.', sqlerrm);
end
$$;
comment on function @registry@.check_story(text, jsonb, bytea, bigint, bytea[], bytea[]) is
	'Evaluates a version that claims something of itself whole, from the digests that are to be left out and '
	'what is not made of them. Error 55000: it does not come out.';

-- Evaluated whole a recipe can be true of its digest and yet lead in a circle
-- below what is registered, which is walked into where that may not be used; or be
-- refused without what is left out.
-- For: admin, inside
create or replace function @registry@.evaluate_without(ref text, recipe jsonb, leaves bytea[], without bytea,
	renormalize boolean) returns @peft@.adapter
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return @registry@.evaluate(recipe, leaves, without, renormalize);
exception when data_exception or undefined_object or feature_not_supported or program_limit_exceeded then
	raise exception 'version "%" cannot be recomposed', ref
		using errcode = '55000', detail = format('Reason: %s.', sqlerrm),
			hint = case when not renormalize
					and @registry@.outline(recipe, leaves, without, true) ? 'digest'
				then 'With renormalize => true the weights that are left keep their total.' else '' end;
end
$$;
comment on function @registry@.evaluate_without(text, jsonb, bytea[], bytea, boolean) is
	'What evaluate gives; error 55000 if the recipe cannot be evaluated like that.';

-- For: admin
create or replace function @registry@.recompose(ref text, without bytea, renormalize boolean default false,
	message text default null) returns text
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	source record;
	gone bytea[];
	affected bytea[];
	reason text;
	way record;
	result @peft@.adapter;
begin
	select v.entry, v.number, v.digest, v.claims, coalesce(v.recipe, @peft@.adapter_recipe(v.value)) as recipe
		into strict source
		from @registry@.resolve(ref) r
			join @registry@.version v on v.entry = r.entry and v.number = r.number;
	-- with a revoked ancestor left in, the result could not be committed
	gone := without || array(select g.digest
		from @registry@.ancestor_graph(source.digest, array[source.claims]) g
		where g.revoked and g.digest not in (without, source.digest) order by 1);
	if source.digest = without then
		reason := 'it is what is to be left out';
	elsif not exists (select from @registry@.concerned(array[without]) c
			where c.entry = source.entry and c.number = source.number) then
		reason := 'it was not made from that digest';
	elsif source.recipe #>> '{root,op}' <> 'import' and not exists (
			select from @peft@.adapter_recipe_edges(source.recipe, source.digest, '{}') e
			where e.parent = without) then
		reason := 'others have told that it was made from that digest, and its own recipe does not';
	else
		affected := @registry@.affected_of(array(select @registry@.fact_descendants(gone)),
			source.digest, source.claims);
		way := @registry@.plan(source.recipe, gone, affected);
		reason := @registry@.obstacle(source.recipe, way.leaves, way.missing);
	end if;
	if reason is not null then
		raise exception 'version "%@%" cannot be recomposed', source.entry, source.number
			using errcode = '55000', detail = format('Reason: %s.', reason);
	end if;
	perform @registry@.check_story(source.entry || '@' || source.number, source.recipe, source.digest,
		source.claims, gone, affected);
	result := @registry@.evaluate_without(source.entry || '@' || source.number, way.recipe_used, way.leaves,
		without, coalesce(renormalize, false));
	return @registry@.commit(source.entry, result, coalesce(message,
		format('%s@%s without %s', source.entry, source.number, @registry@.digest_list(gone))));
end
$$;
comment on function @registry@.recompose(text, bytea, boolean, text) is
	'Evaluates the recipe of a version without a digest and its other revoked ancestors, and commits the '
	'result as a new version of the same entry, whose name@number it returns. Their terms are left out of '
	'every sum, an operation on one alone is left out itself; with renormalize the other weights of a sum '
	'that lost a term are multiplied so that their total stays. Errors: 42704 no such version, 55000 it '
	'cannot be recomposed (nothing is left, values are not registered, imported, not a descendant, its '
	'recipe is a claim that cannot be proven, an operation refuses what is left), those of commit (23505: '
	'the entry has the result already).';

-- For: admin
create or replace function @registry@.recompose(ref text, without text, renormalize boolean default false,
	message text default null) returns text
	language sql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
	select @registry@.recompose($1, @registry@.digest($2), $3, coalesce($4, format('%s without %s', $1, $2)))
$$;
comment on function @registry@.recompose(text, text, boolean, text) is
	'Makes a version again without another: see recompose(text, bytea, boolean, text).';

-- For: admin
create or replace function @registry@.prove(most integer default 1000, after text default null)
	returns table (ref text, proven boolean)
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
	started timestamptz := timestamptz '-infinity';
	place text := '';
	claim record;
begin
	perform pg_current_xact_id();		-- first, as version_facts does
	if after is not null then
		select v.created_at, v.entry || '@' || v.number into strict started, place
			from @registry@.resolve(after) r
				join @registry@.version v on v.entry = r.entry and v.number = r.number;
	end if;
	for claim in
		select v.entry, v.number, v.digest, v.actor, s.node, s.sha256, s.id,
			array(select e.parent from @registry@.edge e where e.story = s.id) as parents
		from @registry@.version v
			join @registry@.claim c on c.claim_set = v.claims and c.story = v.root
			join @registry@.story s on s.id = v.root and not s.proven
		where not exists (select from @registry@.edge e where e.story = s.id
				and not exists (select from @registry@.version o
					where o.digest = e.parent and o.value is not null))
			and (v.created_at, v.entry || '@' || v.number) > (started, place)
		order by v.created_at, v.entry || '@' || v.number
		limit most
	loop
		ref := claim.entry || '@' || claim.number;
		proven := not @registry@.told_otherwise(claim.digest, claim.sha256, claim.actor)
			and @registry@.are_live(claim.digest || claim.parents)
			and @registry@.leads_to(@registry@.recipe_of(claim.node), claim.parents, claim.digest);
		if proven then
			update @registry@.story s set proven = true where s.id = claim.id;
		end if;
		return next;
	end loop;
end
$$;
comment on function @registry@.prove(integer, text) is
	'Evaluates versions whose making is a claim and whose operands are registered with their values: what '
	'leads to their digest is a fact from then on, for everybody, unless others have registered the digest '
	'without that story. Returns what was tried, oldest first; to go on: after => the last reference. Error '
	'42704: no such version.';

-- For: admin, inside
create or replace function @registry@.leads_to(recipe jsonb, leaves bytea[], digest bytea) returns boolean
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return coalesce(@peft@.adapter_digest(@registry@.evaluate(leads_to.recipe, leads_to.leaves))
		= leads_to.digest, false);
exception when data_exception or feature_not_supported or program_limit_exceeded
		or invalid_parameter_value or undefined_object then
	return false;
end
$$;
comment on function @registry@.leads_to(jsonb, bytea[], bytea) is
	'The recipe, evaluated over the registered values of the leaves, gives the digest.';
