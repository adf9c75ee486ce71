-- Making a version again without a digest, from facts and from what its own
-- recipe says.

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
	way record := @registry@.plan(check_story.recipe, '{}', array(
		select d from unnest(affected) d except select d from unnest(gone) d));
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
-- below what is registered, which is walked into where that may not be used.
-- For: admin, inside
create or replace function @registry@.evaluate_without(ref text, recipe jsonb, leaves bytea[], without bytea,
	renormalize boolean) returns @peft@.adapter
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return @registry@.evaluate(recipe, leaves, without, renormalize);
exception when invalid_parameter_value or undefined_object then
	raise exception 'version "%" cannot be recomposed', ref
		using errcode = '55000', detail = format('Reason: its recipe leads to no value: %s.', sqlerrm);
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
		reason := @registry@.obstacle(source.recipe, gone, affected);
	end if;
	if reason is not null then
		raise exception 'version "%@%" cannot be recomposed', source.entry, source.number
			using errcode = '55000', detail = format('Reason: %s.', reason);
	end if;
	perform @registry@.check_story(source.entry || '@' || source.number, source.recipe, source.digest,
		source.claims, gone, affected);
	way := @registry@.plan(source.recipe, gone, affected);
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
	'recipe is a claim that cannot be proven), those of commit.';

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
