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
	known as (
		select decode(n.key, 'hex') as of, n.value from jsonb_each($2 -> 'nodes') n),
	found as (
		select t.of, t.story is null as root, case
			when t.story is null then $2 -> 'root'
			when jsonb_typeof(k.value) = 'array' then k.value -> t.story
			else k.value end as node
		from told t left join known k on t.story is not null and k.of = t.of)
	select f.of, sha256(convert_to(f.node::text, 'UTF8')), f.node, f.root from found f;
end
$$;
comment on function @registry@.stories(bytea, jsonb) is
	'The stories that a recipe tells of its own digest and of all that it was made of.';

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
		select string_agg(t.line, '' order by t.line) from (
			select 'claim ' || encode(s.digest, 'hex') || ' ' || encode(s.sha256, 'hex') || chr(10)
				from unnest(claims) c join @registry@.story s on s.id = c
			union all
			select 'cut ' || encode(d, 'hex') || chr(10) from unnest(cut) d) t(line)), ''), 'UTF8'));
end
$$;
comment on function @registry@.claims_hash(bigint[], bytea[]) is
	'SHA-256 of the lines "claim DIGEST SHA256" and "cut DIGEST", sorted: doc/registry.md, "Log".';

-- For: log reader, inside
create or replace function @registry@.told_hash(proven boolean, claims bytea) returns bytea
	language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return sha256(convert_to(case when proven then 'fact ' else 'claim ' end
		|| coalesce(encode(claims, 'hex'), '-') || chr(10), 'UTF8'));
end
$$;
comment on function @registry@.told_hash(boolean, bytea) is
	'SHA-256 of what a version tells: "fact" or "claim" for its root, and the hash of its claim set or -.';

-- A story that was told before is not changed: what somebody else has open must
-- not be waited for.  A fact that was a claim before gets a row of its own.
-- For: nobody
create or replace function @registry@.tell(digest bytea, recipe jsonb, here boolean,
	out claims bigint, out told bytea)
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
	unproven bigint[];
	cut bytea[];
	proven boolean;
begin
	select coalesce(array_agg(distinct w.id order by w.id) filter (where not w.fact), '{}'),
		bool_and(w.fact) filter (where w.root) into unproven, proven
	from (
		select s.root, coalesce(k.proven, s.seen) as fact,
			coalesce(k.id, @registry@.story_write(s.of, s.sha256, s.node, s.seen)) as id
		from (
			select t.*, here and not exists (select from @registry@.story f
					where f.digest = t.of and f.sha256 = t.sha256 and f.proven)
				and @peft@.adapter_evaluated(t.of, t.node) as seen
			from @registry@.stories(tell.digest, tell.recipe) t
			offset 0) s
			left join lateral (
				select x.id, x.proven from @registry@.story x
				where x.digest = s.of and x.sha256 = s.sha256 and (x.proven or not s.seen)
				order by x.proven desc, x.id limit 1) k on true
		offset 0) w;
	cut := array(select c from unnest(@registry@.cut_off(tell.digest, tell.recipe)) c
		where not exists (select from @registry@.story s where s.digest = c and s.proven) order by c);
	if unproven <> '{}' or cut <> '{}' then
		claims := @registry@.claim_set_write(unproven, cut);
	end if;
	told := @registry@.told_hash(coalesce(proven, false),
		(select c.sha256 from @registry@.claim_set c where c.id = tell.claims));
end
$$;
comment on function @registry@.tell(bytea, jsonb, boolean) is
	'Writes what a recipe tells: what the backend has evaluated (here: it is asked) as facts, all else that '
	'is no fact as claims. The claim set (null: nothing is claimed, nothing was cut off) and the hash of all '
	'that.';

-- For: nobody
create or replace function @registry@.check_quota(role name, recipe jsonb, claims bigint) returns void
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
	bytes := octet_length(recipe::text);
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
comment on function @registry@.check_quota(name, jsonb, bigint) is
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
		update @registry@.version v set claims = (select t.claims
				from @registry@.tell(old.digest, old.recipe, false) t)
			where v.entry = old.entry and v.number = old.number;
	end loop;
	alter table @registry@.version enable trigger version_change;
end
$$;
comment on function @registry@.tell_upgraded() is
	'Fills in the claims of versions that were committed before there were stories; called by '
	'registry_upgrade().';
