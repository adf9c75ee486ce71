-- What must be the same before and after, for migrate.py.  Each query follows its
-- name; @registry@ stands for each registry's schema, "as ROLE" for whose session
-- asks, "near" for numbers that need only agree within a relative 1e-9 (another
-- server has another plan, and the linear algebra library adds up as it likes).
-- Rights: MAINTAIN is new in 17, where ALL has it; of it migrate.py asks apart.
--
-- SPDX-License-Identifier: PostgreSQL

--: adapters: digests, bytes, recipes
select place, n, encode(adapter_digest(a), 'hex'), encode(adapter_envelope_digest(a), 'hex'),
	encode(sha256(adapter_send(a)), 'hex') as sent, encode(sha256(a::text::bytea), 'hex') as text,
	encode(sha256(adapter_to_safetensors(a)), 'hex') as file, encode(sha256(adapter_config(a)::text::bytea), 'hex') as config,
	adapter_recipe(a)::text, adapter_check(a), adapter_raw_size(a), adapter_hash(a), adapter_base_model(a)
from every order by place, n

--: deltas: digests and bytes
select place, n, encode(adapter_digest(adapter(d)), 'hex'), encode(sha256(adapter_delta_send(d)), 'hex') as sent,
	encode(sha256(d::text::bytea), 'hex') as text, adapter_check(adapter(d)), adapter_delta_hash(d)
from every_delta order by place, n

--: arrays, composites and domains as a whole
select n, md5(list::text), md5(square::text), array_dims(square), md5(of_domains::text), md5(list_domain::text),
	md5(composite::text), md5(composites::text), md5(deltas::text), pg_typeof(of_domain)::text
from inside order by n

--: modules
select place, n, m.module, m.role, m.dtype, m.shape::text, m.scaling, m.raw_bytes, encode(m.digest, 'hex')
from every, adapter_modules(a) m where place in ('plain', 'list', 'composite', 'merged', 'apart') order by 1, 2, 3, 4

--: the readable form
select n, md5(adapter_to_json(plain)::text), md5(adapter_to_json(large_main)::text) from stored where n <= 4 order by n

--: sketches
select n, md5(adapter_sketch(large_external, 64, 7)::text) from stored where n <= 4 order by n

--: compositions made now
select x.n, encode(adapter_digest(0.5 * x.plain + 2 * y.main), 'hex'), encode(adapter_envelope_digest(half(x.external)), 'hex'),
	encode(adapter_digest(adapter(delta(x.plain) - 0.5 * delta(y.extended))), 'hex'),
	encode(adapter_digest(adapter_ties(array[x.plain, y.main], array[0.5, 0.5], 0.5, 'peft')), 'hex'),
	encode(adapter_digest(adapter_dare_linear(array[x.plain, y.main], array[0.5, 0.5], 0.5, 7, 'peft')), 'hex')
from stored x, stored y where x.n = y.n and x.n <= 4 order by 1

--: aggregates
select encode(adapter_digest(sum(main)), 'hex'), encode(adapter_digest(avg(plain)), 'hex'),
	encode(adapter_digest(adapter_combine(main, n)), 'hex'), count(distinct extended) from stored

--: generated, default and refused
select n, digest = adapter_digest(large_extended), large_extended = leaf(99, 'F32', 4000) from stored order by n

--: the materialized view made anew
select m.n, adapter_envelope_digest(m.merged) = adapter_envelope_digest(0.5 * x.large_extended + 0.5 * y.large_extended)
from made m join stored x using (n) join stored y on y.n = x.n % 4 + 1 and y.n <= 4 order by 1

--: indexes find what is there
select (select count(*) from stored s where adapter_digest(extended) = (select adapter_digest(leaf(31, 'F64')))),
	(select count(*) from ordered where a = leaf(7)), (select count(*) from ordered where d = delta(leaf(7))),
	(select count(*) from parts where a = leaf(3)), (select count(*) from stored where adapter_digest(half(external)) =
		(select adapter_digest(half(leaf(22, 'F32', 8, 2)))))

--: order
select string_agg(left(encode(adapter_digest(a), 'hex'), 6), ' ' order by a) from ordered

--: near: distances, norms, spectra
select x.n, x.plain <-> y.main, x.large_main <=> y.large_main, adapter_norm(x.large_external), adapter_inner(x.plain, y.plain),
	(select array_agg(singular_value order by module, index) from adapter_spectrum(x.large_external))
from stored x, stored y where x.n <= 4 and y.n = x.n % 4 + 1 order by 1

--: truncation made now is the one that was stored
select t.n, adapter_distance(t.a, adapter_truncate(s.large_external, 1)) <= 1e-5 * adapter_norm(t.a)
from truncated t join stored s using (n) order by 1

--: columns
select attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, attgenerated, attstorage,
	attcompression, attcollation::regcollation::text, pg_get_expr(d.adbin, d.adrelid), col_description(attrelid, attnum),
	row_number() over (partition by attrelid order by attnum)
from pg_attribute left join pg_attrdef d on d.adrelid = attrelid and d.adnum = attnum
	join pg_class c on c.oid = attrelid and c.relkind in ('r', 'p', 'm', 'v', 'c')
where c.relnamespace in (select oid from pg_namespace where nspname in ('public', 'registry', 'models'))
	and attnum > 0 and not attisdropped order by 1, attnum

--: relations
select oid::regclass::text, relkind, relowner::regrole::text, relrowsecurity, relforcerowsecurity, relispartition,
	relreplident, obj_description(oid, 'pg_class')
from pg_class where relnamespace in (select oid from pg_namespace where nspname in ('public', 'registry', 'models')) order by 1

--: constraints
select conrelid::regclass::text, contypid::regtype::text, conname, pg_get_constraintdef(oid), convalidated, condeferrable
from pg_constraint where contype <> 'n' -- (18 has a row for each NOT NULL)
	and connamespace in (select oid from pg_namespace where nspname in ('public', 'registry', 'models')) order by 1, 2, 3

--: indexes and statistics
select indexdef from pg_indexes where schemaname in ('public', 'registry', 'models')
union all select pg_get_statisticsobjdef(oid) from pg_statistic_ext order by 1

--: functions
select oid::regprocedure::text, proowner::regrole::text, md5(pg_get_functiondef(oid)), obj_description(oid, 'pg_proc')
from pg_proc where pronamespace in (select oid from pg_namespace where nspname in ('public', 'registry', 'models')) order by 1

--: triggers
select tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), tgenabled, obj_description(oid, 'pg_trigger')
from pg_trigger where not tgisinternal order by 1, 2

--: policies
select schemaname, tablename, policyname, permissive, roles::text, cmd, qual, with_check,
	(select obj_description(p.oid, 'pg_policy') from pg_policy p where p.polname = policyname
		and p.polrelid = format('%I.%I', schemaname, tablename)::regclass)
from pg_policies order by 1, 2, 3

--: rights
with here as (select oid, nspname, nspacl from pg_namespace where nspname in ('public', 'peft', 'registry', 'models'))
select of, grantor::regrole::text, grantee::regrole::text, privilege_type, is_grantable from (
	select c.oid::regclass::text, c.relacl from pg_class c join here on here.oid = c.relnamespace
	union all select a.attrelid::regclass || '.' || a.attname, a.attacl
		from pg_attribute a join pg_class c on c.oid = a.attrelid join here on here.oid = c.relnamespace
	union all select p.oid::regprocedure::text, p.proacl from pg_proc p join here on here.oid = p.pronamespace
	union all select nspname, nspacl from here) o(of, acl), aclexplode(acl)
where privilege_type <> 'MAINTAIN' order by 1, 2, 3, 4

--: the extension and its members
select extname, extversion, extnamespace::regnamespace::text, (select count(*) from pg_depend d
	where d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid and d.deptype = 'e'
		-- (array types are members since 17)
		and not (d.classid = 'pg_type'::regclass and exists (select from pg_type t where t.typarray = d.objid)))
from pg_extension e order by 1

--: rows of @registry@
select 'entry', (to_jsonb(t))::text from @registry@.entry t
union all select 'version', jsonb_build_object('bytes', encode(sha256(adapter_send(value)), 'hex'))::text
	|| (to_jsonb(t) - 'value') from @registry@.version t
union all select 'alias', to_jsonb(t)::text from @registry@.alias t
union all select 'alias_history', to_jsonb(t)::text from @registry@.alias_history t
union all select 'story', to_jsonb(t)::text from @registry@.story t
union all select 'edge', to_jsonb(t)::text from @registry@.edge t
union all select 'claim_set', to_jsonb(t)::text from @registry@.claim_set t
union all select 'claim', to_jsonb(t)::text from @registry@.claim t
union all select 'revocation', to_jsonb(t)::text from @registry@.revocation t
union all select 'dead', to_jsonb(t)::text from @registry@.dead t
union all select 'event', to_jsonb(t)::text from @registry@.event t
union all select 'share', to_jsonb(t)::text from @registry@.share t
union all select 'quota', to_jsonb(t)::text from @registry@.quota t
union all select 'tree', to_jsonb(t)::text from @registry@.tree t
union all select 'log_head', to_jsonb(t)::text from @registry@.log_head t
union all select 'step', to_jsonb(t)::text from @registry@.step t
union all select 'made', to_jsonb(t)::text from @registry@.made t
order by 1, 2

--: the log of @registry@
select export_log from @registry@.export_log() with ordinality l(export_log, n) order by n

--: versions of @registry@ as they are read
select entry, number, encode(adapter_envelope_digest(@registry@.get(entry || '@' || number, true)), 'hex'),
	encode(sha256(adapter_send(@registry@.get(entry || '@' || number, true))), 'hex'),
	@registry@.recipe(entry || '@' || number)::text, @registry@.is_live(entry || '@' || number)
from @registry@.version where erased_at is null order by 1, 2

--: lineage in @registry@
select v.entry, v.number, l.depth, encode(l.digest, 'hex'), l.names, encode(l.via, 'hex'), l.p, l.q, l.w, l.standing, l.revoked
from @registry@.version v, @registry@.lineage(v.entry || '@' || v.number) l order by 1, 2, 3, 4

--: what alice sees in @registry@ as alice
select entry, number, @registry@.is_live(entry || '@' || number) from @registry@.version order by 1, 2

--: what bob sees in @registry@ as bob
select entry, number, message from @registry@.version order by 1, 2

--: what an auditor sees in @registry@ as auditor
select entry, number, message from @registry@.version order by 1, 2

--: verify @registry@ with the checkpoint as admin
select * from @registry@.verify(@checkpoint@, recompute => true)
