-- What a recipe tells when a version is committed: facts and claims.  In plpgsql,
-- which keeps plans.

-- For: log reader, inside
create or replace function @registry@.stories(digest bytea, recipe jsonb, known bytea[] default '{}')
	returns table (of bytea, sha256 bytea, node jsonb, root boolean)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	return query
	with told as (
		select distinct e.of, e.story from @peft@.adapter_recipe_edges($2, $1, $3) e),
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
comment on function @registry@.stories(bytea, jsonb, bytea[]) is
	'The stories that a recipe tells of its own digest and of all that it was made of, down to what is '
	'known; each once.';

-- For: log reader, inside
create or replace function @registry@.cut_off(digest bytea, recipe jsonb, known bytea[] default '{}')
	returns bytea[]
	language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return (select coalesce(array_agg(distinct e.parent order by e.parent), '{}')
		from @peft@.adapter_recipe_edges(cut_off.recipe, cut_off.digest, cut_off.known) e
			left join jsonb_object_keys(cut_off.recipe -> 'nodes') k(key) on decode(k.key, 'hex') = e.parent
		where e.external and k.key is null and e.parent <> cut_off.digest
			and e.parent <> all(cut_off.known));
end
$$;
comment on function @registry@.cut_off(bytea, jsonb, bytea[]) is
	'Digests that a recipe names and has no node for, and that are not known: its limit cut them off.';

-- For: nobody
create or replace function @registry@.story_write(digest bytea, sha256 bytea, node jsonb, proven boolean)
	returns bigint
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	made bigint;
begin
	insert into @registry@.story (digest, sha256, node, proven)
		values (story_write.digest, story_write.sha256, story_write.node, story_write.proven)
		returning id into made;
	insert into @registry@.edge (story, of, parent, p, q, w)
		select made, e.of, e.parent, e.p, e.q, e.w
		from @peft@.adapter_recipe_edges(
			jsonb_build_object('version', 1, 'root', story_write.node, 'nodes', '{}'::jsonb),
			story_write.digest, '{}') e;
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
	return sha256(convert_to(coalesce((
		select string_agg(t.line, '' order by t.line collate "C") from (
			select 'claim ' || encode(s.digest, 'hex') || ' ' || encode(s.sha256, 'hex') || chr(10)
				from unnest(claims) c join @registry@.story s on s.id = c
			union all
			select 'cut ' || encode(d, 'hex') || chr(10) from unnest(cut) d) t(line)), ''), 'UTF8'));
end
$$;
comment on function @registry@.claims_hash(bigint[], bytea[]) is
	'SHA-256 of the lines "claim DIGEST SHA256" and "cut DIGEST", sorted: doc/registry.md, "Log".';

-- For: log reader, inside
create or replace function @registry@.told_hash(root bytea, claimed boolean, facts text, claims bytea)
	returns bytea
	language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return sha256(convert_to(
		coalesce(case when claimed then 'claim ' else 'fact ' end || encode(root, 'hex') || chr(10), '')
		|| coalesce(facts, '') || coalesce('claims ' || encode(claims, 'hex') || chr(10), ''), 'UTF8'));
end
$$;
comment on function @registry@.told_hash(bytea, boolean, text, bytea) is
	'SHA-256 of what a version tells: "fact SHA256" or "claim SHA256" of the node of its root (nothing where '
	'there is no story), the lines of facts (told_facts), "claims SHA256" of its claim set, each line ended '
	'by a newline.';

-- For: log reader, inside
create or replace function @registry@.told_facts(facts bigint[]) returns text
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return (select string_agg(t.line, '' order by t.line collate "C") from (
		select 'story ' || encode(s.digest, 'hex') || ' ' || encode(s.sha256, 'hex') || chr(10)
		from unnest(facts) f join @registry@.story s on s.id = f) t(line));
end
$$;
comment on function @registry@.told_facts(bigint[]) is
	'The lines "story DIGEST SHA256" of the stories, sorted; null for none.';

-- A value that this backend made of values that are registered with their recipes
-- tells nothing of those that they have not told.  An envelope digest covers the
-- recipe.  What it was made of without being registered is looked for among
-- what the backend made too; the number of steps is bounded, since two values can
-- be made of each other.
-- For: nobody
create or replace function @registry@.told_before(digest bytea, envelope_digest bytea,
	out complete boolean, out direct boolean, out known bytea[], out sets bigint[])
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
	operands bytea[] := @peft@.adapter_evaluated_from(digest, envelope_digest);
	found record;
begin
	known := '{}';
	sets := '{}';
	for step in 1 .. 100 loop
		select array_agg(substr(o.operand, 1, 32)) filter (where v.there) as known,
			array_agg(distinct v.claims) filter (where v.claims is not null) as sets,
			array_agg(o.operand) filter (where v.there is null) as others
		into found
		from (select distinct u from unnest(operands) u) o(operand)
			left join lateral (
				select true as there, x.claims from @registry@.version x
				where x.digest = substr(o.operand, 1, 32) and x.envelope_digest = substr(o.operand, 33)
				limit 1) v on true;
		known := known || coalesce(found.known, '{}');
		sets := sets || coalesce(found.sets, '{}');
		if found.others is null then
			complete := operands is not null;
			direct := step = 1;
			return;
		end if;
		-- null as soon as one of them came from elsewhere
		operands := (select case when bool_and(e.operands is not null) then array_agg(o.operand) end
			from unnest(found.others) u(value)
				cross join lateral (select @peft@.adapter_evaluated_from(
					substr(u.value, 1, 32), substr(u.value, 33)) as operands) e
				left join lateral unnest(e.operands) o(operand) on true);
		exit when operands is null;
	end loop;
	complete := false;
end
$$;
comment on function @registry@.told_before(bytea, bytea) is
	'complete: this backend made the value, step by step, of registered values (known), whose versions have '
	'the claim sets; direct: in one step.';

-- A story that was told before is not changed: what somebody else has open must
-- not be waited for.  A fact that was a claim before gets a row of its own.
-- For: nobody
create or replace function @registry@.tell_stories(digest bytea, node jsonb, recipe jsonb, known bytea[],
	here boolean, out root bigint, out facts bigint[], out unproven bigint[])
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	select min(w.id) filter (where w.root),
		coalesce(array_agg(w.id order by w.id) filter (where w.fact and w.fresh and not w.root), '{}'),
		coalesce(array_agg(distinct w.id order by w.id) filter (where not w.fact), '{}')
	into root, facts, unproven
	from (
		select s.root, coalesce(k.proven, s.seen) as fact, k.id is null as fresh,
			coalesce(k.id, @registry@.story_write(s.of, s.sha256, s.node, s.seen)) as id
		from (
			select t.*, here and not exists (select from @registry@.story f
					where f.digest = t.of and f.sha256 = t.sha256 and f.proven)
				and @peft@.adapter_evaluated(t.of, t.node) as seen
			from (
				select tell_stories.digest as of, sha256(convert_to(node::text, 'UTF8')) as sha256,
					tell_stories.node, true as root
				where node is not null
				union all
				select x.of, x.sha256, x.node, x.root
				from @registry@.stories(tell_stories.digest, tell_stories.recipe, known) x
				where tell_stories.node is null) t
			offset 0) s
			left join lateral (
				select x.id, x.proven from @registry@.story x
				where x.digest = s.of and x.sha256 = s.sha256 and (x.proven or not s.seen)
				order by x.proven desc, x.id limit 1) k on true
		offset 0) w;
end
$$;
comment on function @registry@.tell_stories(bytea, jsonb, jsonb, bytea[], boolean) is
	'Writes the story that a digest is made by the node, or without a node the stories of the recipe down to '
	'what is known: what the backend has evaluated (here: it is asked) as facts. The story of the root '
	'(null: none, it was imported), the other facts that nobody told before, and what is a claim.';

-- For: nobody
create or replace function @registry@.tell(value @peft@.adapter, digest bytea, envelope_digest bytea,
	out root bigint, out facts bigint[], out claims bigint, out told bytea)
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
	way record := @registry@.told_before(digest, envelope_digest);
	node jsonb;
	recipe jsonb;
begin
	if not way.complete then
		-- the same recipe again: from a file, or out of a table
		select s.id, v.claims into root, claims
			from @registry@.version v left join lateral (
				select y.id from @registry@.story x
					join @registry@.story y on y.digest = x.digest and y.sha256 = x.sha256
				where x.id = v.root order by y.proven desc, y.id limit 1) s on true
			where v.digest = tell.digest and v.envelope_digest = tell.envelope_digest limit 1;
		if found then
			facts := '{}';
			told := @registry@.told_of(root, facts, claims);
			return;
		end if;
	elsif way.direct then
		node := @peft@.adapter_recipe_root(value);
		if position(encode(digest, 'hex') in node::text) > 0 then
			node := null;
		end if;
	end if;
	if node is null then
		recipe := @peft@.adapter_recipe(value);
		way.complete := way.complete and @registry@.cut_off(digest, recipe, way.known) = '{}';
	end if;
	select t.* into root, facts, claims, told
		from @registry@.tell_all(digest, node, recipe, case when way.complete then way.known else '{}' end,
			case when way.complete then way.sets else '{}' end, true) t;
end
$$;
comment on function @registry@.tell(@peft@.adapter, bytea, bytea) is
	'Writes what a value''s recipe tells, as far as it was not told before: see tell_all.';

-- For: nobody
create or replace function @registry@.tell_all(digest bytea, node jsonb, recipe jsonb, known bytea[],
	sets bigint[], here boolean,
	out root bigint, out facts bigint[], out claims bigint, out told bytea)
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
	fresh record := @registry@.tell_stories(digest, node, recipe, known, here);
	cut bytea[] := array[]::bytea[];
begin
	root := fresh.root;
	facts := fresh.facts;
	if node is null then
		cut := array(select c from unnest(@registry@.cut_off(digest, recipe, known)) c
			where not exists (select from @registry@.story s where s.digest = c and s.proven));
	end if;
	if fresh.unproven = '{}' and cut = '{}' and cardinality(sets) <= 1 then
		claims := sets[1];
	else
		claims := @registry@.claim_set_write(
			array(select unnest(fresh.unproven) union
				select c.story from @registry@.claim c where c.claim_set = any(sets) order by 1),
			array(select unnest(cut) union
				select unnest(c.cut) from @registry@.claim_set c where c.id = any(sets) order by 1));
	end if;
	told := @registry@.told_of(root, facts, claims);
end
$$;
comment on function @registry@.tell_all(bytea, jsonb, jsonb, bytea[], bigint[], boolean) is
	'Writes stories (tell_stories) and adds what is claimed to the claim sets of the known digests'' '
	'versions. The story of the root, the facts that are told first, the claim set (null: nothing is '
	'claimed, nothing was cut off), and the hash of all that.';

-- For: log reader, inside
create or replace function @registry@.told_of(root bigint, facts bigint[], claims bigint) returns bytea
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return @registry@.told_hash(
		(select s.sha256 from @registry@.story s where s.id = told_of.root),
		exists (select from @registry@.claim c where c.claim_set = told_of.claims and c.story = told_of.root),
		case when facts <> '{}' then @registry@.told_facts(facts) end,
		(select c.sha256 from @registry@.claim_set c where c.id = told_of.claims));
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
				from @registry@.tell_all(old.digest, null, old.recipe, '{}', '{}', false) t)
			where v.entry = old.entry and v.number = old.number;
	end loop;
	alter table @registry@.version enable trigger version_change;
end
$$;
comment on function @registry@.tell_upgraded() is
	'Fills in the claims of versions that were committed before there were stories; called by '
	'registry_upgrade().';
