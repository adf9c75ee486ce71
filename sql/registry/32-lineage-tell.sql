-- What a recipe tells when a version is committed: facts and claims.  In plpgsql,
-- which keeps plans.

-- For: log reader, inside
create or replace function @registry@.stories(digest bytea, recipe jsonb)
	returns table (of bytea, sha256 bytea, node jsonb, root boolean)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	return query
	with told as (
		select distinct e.of, e.story from @peft@.adapter_recipe_edges($2, $1, '{}') e),
	nodes as (
		select decode(n.key, 'hex') as of, n.value from jsonb_each($2 -> 'nodes') n),
	found as (
		select t.of, t.story is null as root, case
			when t.story is null then $2 -> 'root'
			when jsonb_typeof(k.value) = 'array' then k.value -> t.story
			else k.value end as node
		from told t left join nodes k on t.story is not null and k.of = t.of)
	select f.of, sha256(convert_to(f.node::text, 'UTF8')), f.node, bool_or(f.root)
	from found f group by f.of, f.node;
end
$$;
comment on function @registry@.stories(bytea, jsonb) is
	'The stories that a recipe tells of its own digest and of all that it was made of, each once.';

-- For: log reader, inside
create or replace function @registry@.cut_off(digest bytea, recipe jsonb) returns bytea[]
	language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return (select coalesce(array_agg(distinct e.parent order by e.parent), '{}')
		from @peft@.adapter_recipe_edges(cut_off.recipe, cut_off.digest, '{}') e
			left join jsonb_object_keys(cut_off.recipe -> 'nodes') k(key) on decode(k.key, 'hex') = e.parent
		where e.external and k.key is null and e.parent <> cut_off.digest);
end
$$;
comment on function @registry@.cut_off(bytea, jsonb) is
	'Digests that a recipe names and has no node for: its limit cut them off.';

-- For: log reader, inside
create or replace function @registry@.recipe_of(node jsonb) returns jsonb
	language sql stable parallel safe
	return jsonb_build_object('version', 2, 'root', node, 'nodes', '{}'::jsonb);
comment on function @registry@.recipe_of(jsonb) is 'A recipe that tells one story, the node, and no more.';

-- For: nobody
create or replace function @registry@.story_write(digest bytea, sha256 bytea, node jsonb, proven boolean)
	returns bigint
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	made bigint;
begin
	with story as (
		insert into @registry@.story (digest, sha256, node, proven)
			values (story_write.digest, story_write.sha256, story_write.node, story_write.proven)
			returning id
	), edge as (
		insert into @registry@.edge (story, of, parent, p, q, w)
			select s.id, e.of, e.parent, e.p, e.q, e.w
			from story s cross join @peft@.adapter_recipe_edges(
				@registry@.recipe_of(story_write.node), story_write.digest, '{}') e
	)
	select s.id into strict made from story s;
	return made;
end
$$;
comment on function @registry@.story_write(bytea, bytea, jsonb, boolean) is
	'One more story, with its operands; its number.';

-- For: nobody
create or replace function @registry@.claim_set_write(claims bigint[], cut bytea[]) returns bigint
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	hash constant bytea := @registry@.claims_hash(claims, cut);
	made bigint;
begin
	select c.id into made from @registry@.claim_set c
		where c.sha256 = hash and not c.dead
			and claims = array(select x.story from @registry@.claim x where x.claim_set = c.id order by 1)
		order by c.id limit 1;
	if made is null then
		insert into @registry@.claim_set (sha256, cut) values (hash, claim_set_write.cut)
			returning id into made;
		insert into @registry@.claim (claim_set, story) select made, s from unnest(claims) s;
	end if;
	return made;
end
$$;
comment on function @registry@.claim_set_write(bigint[], bytea[]) is
	'The set of these stories (sorted, each once) and of what was cut off, made if there is none.';

-- For: log reader, inside
create or replace function @registry@.claims_hash(claims bigint[], cut bytea[]) returns bytea
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return (select @registry@.claim_lines_hash(array_agg(s.digest), array_agg(s.sha256), claims_hash.cut)
		from unnest(claims) c join @registry@.story s on s.id = c);
end
$$;
comment on function @registry@.claims_hash(bigint[], bytea[]) is
	'The hash of a claim set with these stories (claim_lines_hash).';

-- For: log reader, inside
create or replace function @registry@.claim_lines_hash(digests bytea[], hashes bytea[], cut bytea[])
	returns bytea
	language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return sha256(convert_to(coalesce((
		select string_agg(t.line, '' order by t.line collate "C") from (
			select 'claim ' || encode(s.digest, 'hex') || ' ' || encode(s.sha256, 'hex') || chr(10)
				from unnest(digests, hashes) s(digest, sha256)
			union all
			select 'cut ' || encode(d, 'hex') || chr(10) from unnest(cut) d) t(line)), ''), 'UTF8'));
end
$$;
comment on function @registry@.claim_lines_hash(bytea[], bytea[], bytea[]) is
	'SHA-256 of the lines "claim DIGEST SHA256" and "cut DIGEST", sorted: doc/registry.md, "Log".';

-- For: log reader, inside
create or replace function @registry@.told_hash(root bytea, claimed boolean, facts text, claims bytea)
	returns bytea
	language sql stable parallel safe return sha256(convert_to(
		coalesce(case when claimed then 'claim ' else 'fact ' end || encode(root, 'hex') || chr(10), '')
		|| coalesce(facts, '') || coalesce('claims ' || encode(claims, 'hex') || chr(10), ''), 'UTF8'));
comment on function @registry@.told_hash(bytea, boolean, text, bytea) is
	'SHA-256 of what a version tells: "fact SHA256" or "claim SHA256" of the node of its root (nothing where '
	'there is no story), the lines of facts (told_facts), "claims SHA256" of its claim set, each line ended '
	'by a newline.';

-- For: log reader, inside
create or replace function @registry@.told_facts(facts bigint[]) returns text
	language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return (select string_agg(t.line, '' order by t.line collate "C") from (
		select 'story ' || encode(s.digest, 'hex') || ' ' || encode(s.sha256, 'hex') || chr(10)
		from unnest(facts) f join @registry@.story s on s.id = f) t(line));
end
$$;
comment on function @registry@.told_facts(bigint[]) is
	'The lines "story DIGEST SHA256" of the stories, sorted; null for none.';

-- A fact holds for everybody who has the digest.  So nobody can make one of a
-- digest that others have registered without that story: it is a claim of the
-- version that tells it then, however true.  Looked at as of now, whatever
-- snapshot there is.
-- For: nobody
create or replace function @registry@.told_otherwise(digest bytea, sha256 bytea, role name) returns boolean
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	if current_setting('transaction_isolation') = 'read committed'
		and not exists (select from @registry@.version v where v.digest = told_otherwise.digest) then
		return false;
	end if;
	return @peft@.registry_latest_exists($query$
		select from @registry@.version v join @registry@.entry e on e.name = v.entry
		where v.digest = $1
			and not exists (
				select from @registry@.story s
				where s.digest = $1 and s.sha256 = $2 and (s.id = v.root or s.id = any(v.facts) or exists (
					select from @registry@.claim c where c.claim_set = v.claims and c.story = s.id)))
			and not exists (
				select from pg_roles r, pg_roles o
				where r.rolname = $3 and o.rolname = e.owner and pg_has_role(r.oid, o.oid, 'MEMBER'))
		$query$, digest, sha256, role);
end
$$;
comment on function @registry@.told_otherwise(bytea, bytea, name) is
	'A version with the digest that does not tell the story is registered under an entry whose owner''s '
	'rights the role does not have.';

-- A value that this backend made of values that are registered with their recipes
-- tells nothing of those that they have not told: an envelope digest covers the
-- recipe.  What it was made of without being registered is looked for among what
-- the backend made before.
-- For: nobody
create or replace function @registry@.told_before(digest bytea, envelope_digest bytea,
	out complete boolean, out sets bigint[], out made bytea[], out nodes jsonb[])
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
	before bigint[] := array[null::bigint];
	serials bigint[] := array[]::bigint[];
	way record;
	operand bytea;
	registered record;
	place integer;
begin
	complete := true;
	sets := '{}';
	made := array[digest || envelope_digest];
	nodes := '{}';
	for i in 1 .. 1024 loop
		way := @peft@.adapter_evaluated_from(substr(made[i], 1, 32), substr(made[i], 33), before[i]);
		nodes := nodes || way.root;
		serials := serials || way.serial;
		complete := complete and way.operands is not null;
		foreach operand in array coalesce(way.operands, '{}') loop
			select v.claims into registered from @registry@.version v
				where v.digest = substr(operand, 1, 32) and v.envelope_digest = substr(operand, 33) limit 1;
			if found then
				continue when registered.claims is null;
				if registered.claims <> all(sets) then
					sets := sets || registered.claims;
				end if;
				-- what was claimed may have been seen here
				continue when (@peft@.adapter_evaluated_from(
					substr(operand, 1, 32), substr(operand, 33), way.serial)).operands is null;
			end if;
			place := array_position(made, operand);
			if place is null then
				made := made || operand;
				before := before || way.serial;
			elsif place > i then
				before[place] := least(before[place], way.serial);
			elsif serials[place] is null or serials[place] >= way.serial then
				complete := false;	-- two values that were made of each other
			end if;
		end loop;
		if i = cardinality(made) then
			return;
		end if;
	end loop;
	complete := false;
end
$$;
comment on function @registry@.told_before(bytea, bytea) is
	'complete: this backend made the value, step by step, of registered values, whose versions have the '
	'claim sets; made: the value, and what it was made of that is not registered (digest and envelope '
	'digest), by which operations (null: it did not make it).';

-- A story that was told before is not changed: what somebody else has open must
-- not be waited for.  A fact that was a claim before gets a row of its own.
-- For: nobody
create or replace function @registry@.tell_story(digest bytea, node jsonb, seen boolean,
	out id bigint, out fact boolean, out fresh boolean, out hash bytea)
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	fresh := false;
	hash := sha256(convert_to(node::text, 'UTF8'));
	select coalesce(min(s.id) filter (where s.proven), min(s.id)), bool_or(s.proven) into id, fact
		from @registry@.story s where s.digest = tell_story.digest and s.sha256 = hash;
	if fact or not seen and not fact then
		return;
	end if;
	-- what an operation that changed nothing says of its own digest is no story
	if position(encode(digest, 'hex') in node::text) > 0 and not exists (select
			from @peft@.adapter_recipe_edges(@registry@.recipe_of(node), digest, '{}')) then
		return;
	end if;
	fact := seen and not @registry@.told_otherwise(digest, hash, session_user);
	if fact or id is null then
		id := @registry@.story_write(digest, hash, node, fact);
		fresh := true;
	end if;
end
$$;
comment on function @registry@.tell_story(bytea, jsonb, boolean) is
	'Writes that a digest is made by the node, unless it was told; seen: this backend has evaluated it, so '
	'it is a fact if no others have registered the digest otherwise. Its number (null: it is no story), '
	'whether it is a fact, whether it was not told before, and the SHA-256 of the node.';

-- For: nobody
create or replace function @registry@.tell(value @peft@.adapter, digest bytea, envelope_digest bytea,
	out root bigint, out facts bigint[], out claims bigint, out told bytea)
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
	way record := @registry@.told_before(digest, envelope_digest);
	recipe jsonb;
	tells record;
begin
	if not way.complete then
		-- a version with the same recipe, all of which is fact, tells the same
		select v.root into root from @registry@.version v
			where v.digest = tell.digest and v.envelope_digest = tell.envelope_digest and v.claims is null
			limit 1;
		if found then
			facts := '{}';
			told := @registry@.told_of(root, facts, null);
			return;
		end if;
		recipe := @peft@.adapter_recipe(value);
		-- an import that tells of nothing has nothing to write
		if recipe -> 'nodes' = '{}' and recipe #>> '{root,op}' = 'import' then
			facts := '{}';
			told := @registry@.told_hash(null, false, null, null);
			return;
		end if;
	end if;
	tells := @registry@.tell_all(digest, recipe, way.made, way.nodes, way.sets);
	root := tells.root;
	facts := tells.facts;
	claims := tells.claims;
	told := tells.told;
end
$$;
comment on function @registry@.tell(@peft@.adapter, bytea, bytea) is
	'Writes what a value''s recipe tells, as far as it was not told before: see tell_all.';

-- For: nobody
create or replace function @registry@.claim_sets_join(claims bigint[], cut bytea[], sets bigint[])
	returns bigint
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return @registry@.claim_set_write(
		array(select unnest(claims) union
			select c.story from @registry@.claim c where c.claim_set = any(sets) order by 1),
		array(select unnest(claim_sets_join.cut) union
			select unnest(c.cut) from @registry@.claim_set c where c.id = any(sets) order by 1));
end
$$;
comment on function @registry@.claim_sets_join(bigint[], bytea[], bigint[]) is
	'The set of these stories, of what was cut off, and of all that the claim sets have.';

-- What was made here is told whatever became of it in the recipe, whose limit can
-- have cut it off.
-- For: nobody
create or replace function @registry@.tell_all(digest bytea, recipe jsonb, made bytea[], nodes jsonb[],
	sets bigint[], out root bigint, out facts bigint[], out claims bigint, out told bytea)
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
	teller record;
	story record;
	root_hash bytea;
	unproven bigint[] := array[]::bigint[];
	cut bytea[] := array[]::bytea[];
begin
	facts := '{}';
	for i in 1 .. coalesce(cardinality(nodes), 0) loop
		continue when nodes[i] is null;
		story := @registry@.tell_story(substr(made[i], 1, 32), nodes[i], true);
		if i = 1 then
			root := story.id;
			root_hash := story.hash;
		elsif story.fact and story.fresh then
			facts := facts || story.id;
		end if;
		if not story.fact then
			unproven := unproven || story.id;
		end if;
	end loop;
	if recipe is not null then
		for teller in
			select t.of, t.node, t.root from @registry@.stories(tell_all.digest, tell_all.recipe) t
		loop
			story := @registry@.tell_story(teller.of, teller.node, false);
			if teller.root then
				root := story.id;
				root_hash := story.hash;
			end if;
			if not story.fact then
				unproven := unproven || story.id;
			end if;
		end loop;
		cut := array(select c from unnest(@registry@.cut_off(digest, recipe)) c
			where not exists (select from @registry@.story s where s.digest = c and s.proven));
	end if;
	claims := case when unproven = '{}' and cut = '{}' and cardinality(sets) <= 1
		then sets[1] else @registry@.claim_sets_join(unproven, cut, sets) end;
	-- (told_of would look for what is known here)
	told := case when claims is null and facts = '{}'
		then @registry@.told_hash(case when root is not null then root_hash end, false, null, null)
		else @registry@.told_of(root, facts, claims) end;
end
$$;
comment on function @registry@.tell_all(bytea, jsonb, bytea[], jsonb[], bigint[]) is
	'Writes that this backend made values by operations, which can be facts, and the stories of a recipe '
	'(null: none has to be read), and adds the claim sets. The story of the root (null: none, it was '
	'imported), the facts below it that are told first, the claim set (null: nothing is claimed, nothing was '
	'cut off), and the hash of all that.';

-- For: log reader, inside
create or replace function @registry@.told_of(root bigint, facts bigint[], claims bigint) returns bytea
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	of_root bytea;
	of_claims bytea;
	claimed boolean := false;
begin
	-- one by one: the plan of all in one would be made anew for each version
	select s.sha256 into of_root from @registry@.story s where s.id = told_of.root;
	if claims is not null then
		select c.sha256 into of_claims from @registry@.claim_set c where c.id = told_of.claims;
		claimed := exists (select from @registry@.claim c
			where c.claim_set = told_of.claims and c.story = told_of.root);
	end if;
	return @registry@.told_hash(of_root, claimed,
		case when facts <> '{}' then @registry@.told_facts(facts) end, of_claims);
end
$$;
comment on function @registry@.told_of(bigint, bigint[], bigint) is
	'The hash of what a version tells (told_hash) with this root, facts and claim set.';

-- For: nobody
create or replace function @registry@.check_quota(role name, value @peft@.adapter, claims bigint)
	returns void
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
	most record;
	told bigint;
	bytes integer;
	versions bigint;
begin
	select min(q.claims) as claims, min(q.recipe_bytes) as recipe_bytes, min(q.versions) as versions into most
		from @registry@.quota q join pg_roles r on r.rolname = q.role
		where pg_has_role(check_quota.role, r.oid, 'MEMBER');
	if num_nonnulls(most.claims, most.recipe_bytes, most.versions) = 0 then
		return;
	end if;
	bytes := octet_length(@peft@.adapter_recipe(value)::text);
	told := (select count(*) from @registry@.claim c where c.claim_set = check_quota.claims);
	versions := (select count(*) + 1 from @registry@.version v
		where v.created_at >= now() and v.actor = check_quota.role);
	if told > most.claims or bytes > most.recipe_bytes or versions > most.versions then
		raise exception 'role "%" may not commit so much', role using errcode = '54000',
			detail = format('Claims of the version: %s of %s; bytes of its recipe: %s of %s; versions since '
				'the transaction began: %s of %s.', told, coalesce(most.claims::text, 'any'), bytes,
				coalesce(most.recipe_bytes::text, 'any'), versions, coalesce(most.versions::text, 'any')),
			hint = 'The owner of the registry sets limits in @registry@.quota.';
	end if;
end
$$;
comment on function @registry@.check_quota(name, @peft@.adapter, bigint) is
	'Error 54000 if a version is beyond what its role may commit (@registry@.quota).';

-- Versions of before there were stories: their recipes are all claims.
-- For: owner
create or replace function @registry@.tell_upgraded() returns void
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	old record;
begin
	if not exists (select from @registry@.version v where v.upgraded and v.claims is null
			and v.recipe #>> '{root,op}' is distinct from 'import') then
		return;
	end if;
	alter table @registry@.version disable trigger version_change;
	for old in select v.entry, v.number, v.digest, v.recipe from @registry@.version v
			where v.upgraded and v.claims is null and v.recipe #>> '{root,op}' is distinct from 'import'
			order by v.created_at, v.entry, v.number loop
		update @registry@.version v set (root, facts, claims) = (select t.root, t.facts, t.claims
				from @registry@.tell_all(old.digest, old.recipe, '{}', '{}', '{}') t)
			where v.entry = old.entry and v.number = old.number;
	end loop;
	alter table @registry@.version enable trigger version_change;
end
$$;
comment on function @registry@.tell_upgraded() is
	'Fills in the claims of versions that were committed before there were stories; called by '
	'registry_upgrade().';
