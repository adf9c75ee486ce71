-- How values were made is kept story by story, each an operation with its
-- operands: what this database has seen apart from what a file says of itself.
-- Revocations have a table of their own, which no commit locks.

create table @registry@.story (
	id bigint generated always as identity primary key,
	digest bytea not null,
	sha256 bytea not null,
	node jsonb not null,
	proven boolean not null default false,
	constraint story_digest check (octet_length(digest) = 32),
	constraint story_sha256 check (octet_length(sha256) = 32)
);
-- Not unique: who tells the same at the same time must not wait for each other.
create index story_told on @registry@.story (digest, sha256);
comment on table @registry@.story is
	'One statement of how a digest was made: an operation with its operands. Imports have none.';
comment on column @registry@.story.id is 'Number.';
comment on column @registry@.story.digest is 'What was made.';
comment on column @registry@.story.sha256 is 'SHA-256 of the text of node, in UTF-8.';
comment on column @registry@.story.node is 'The node of the recipe.';
comment on column @registry@.story.proven is
	'A fact: a session of this database evaluated it and committed the result, or it was recomputed. '
	'Otherwise it is a claim of the versions that tell it.';

-- Written with its story, by one function: a foreign key would look each one up.
create table @registry@.edge (
	story bigint not null,
	of bytea not null,
	parent bytea not null,
	p double precision,
	q double precision,
	w double precision,
	primary key (story, parent),
	constraint edge_ends check (octet_length(of) = 32 and octet_length(parent) = 32 and of <> parent),
	constraint edge_weights check ((p is null) = (q is null) and (p is null or w is null))
);
create index edge_parent on @registry@.edge (parent);
comment on table @registry@.edge is 'The operands of each story, but for the digest itself.';
comment on column @registry@.edge.story is 'The story.';
comment on column @registry@.edge.of is 'Its digest.';
comment on column @registry@.edge.parent is 'An operand.';
comment on column @registry@.edge.p is
	'Weight on factor A where the operation is a sum in parameter space, else null.';
comment on column @registry@.edge.q is 'Weight on factor B and everything else there.';
comment on column @registry@.edge.w is 'Weight where the operation is a sum in delta space, else null.';

create table @registry@.claim_set (
	id bigint generated always as identity primary key,
	sha256 bytea not null,
	cut bytea[] not null default '{}',
	dead boolean not null default false,
	constraint claim_set_sha256 check (octet_length(sha256) = 32)
);
create index claim_set_told on @registry@.claim_set (sha256);
comment on table @registry@.claim_set is
	'What a recipe says that this database has not seen; shared by versions that say the same.';
comment on column @registry@.claim_set.id is 'Number.';
comment on column @registry@.claim_set.sha256 is 'SHA-256 of those of its stories and of what was cut.';
comment on column @registry@.claim_set.cut is
	'Digests that the recipe names and does not tell of: its limit cut them off.';
comment on column @registry@.claim_set.dead is
	'An operand of a story in it is dead. Set by settle.';

-- No foreign keys to stories and sets: they would lock rows that others share.
create table @registry@.claim (
	claim_set bigint not null,
	story bigint not null,
	primary key (claim_set, story)
);
create index claim_story on @registry@.claim (story);
comment on table @registry@.claim is 'The stories of each claim set.';
comment on column @registry@.claim.claim_set is 'The set.';
comment on column @registry@.claim.story is 'The story.';

create table @registry@.revocation (
	digest bytea primary key,
	revoked_at timestamptz not null,
	revoked_by name not null,
	reason text,
	bound xid8,
	settled boolean not null default false,
	constraint revocation_digest check (octet_length(digest) = 32),
	constraint revocation_reason check (octet_length(reason) <= 1048576)
);
create index revocation_unsettled on @registry@.revocation (digest) where not settled;
comment on table @registry@.revocation is
	'Revoked digests. The row alone holds; settle then marks what was made of them.';
comment on column @registry@.revocation.digest is 'Content digest of an adapter, known or not.';
comment on column @registry@.revocation.revoked_at is 'When.';
comment on column @registry@.revocation.revoked_by is 'Session user who revoked it.';
comment on column @registry@.revocation.reason is 'Why.';
comment on column @registry@.revocation.bound is
	'Transactions that may not have seen what settle() last marked are older; null before that.';
comment on column @registry@.revocation.settled is
	'All that was made of it is marked; until then whoever asks walks to the ancestors.';

create table @registry@.dead (
	digest bytea primary key
);
comment on table @registry@.dead is 'Digests that are revoked, or that facts lead from to one that is.';
comment on column @registry@.dead.digest is 'Content digest of an adapter.';

create table @registry@.share (
	entry text not null references @registry@.entry (name),
	role name not null,
	owner name not null,
	primary key (entry, role)
);
comment on table @registry@.share is 'Who else may read an entry under row-level security.';
comment on column @registry@.share.entry is 'Entry.';
comment on column @registry@.share.role is 'Role whose members may read it.';
comment on column @registry@.share.owner is 'Owner of the entry, whose members may take that back.';

create table @registry@.quota (
	role name primary key,
	claims integer,
	recipe_bytes bigint,
	versions integer,
	constraint quota_positive check (claims >= 0 and recipe_bytes >= 0 and versions >= 0)
);
comment on table @registry@.quota is
	'What a role and its members may commit; null: no limit. The smallest of several counts.';
comment on column @registry@.quota.role is 'Role.';
comment on column @registry@.quota.claims is 'Stories in the claim set of a version.';
comment on column @registry@.quota.recipe_bytes is 'Bytes of the recipe''s text of a version.';
comment on column @registry@.quota.versions is
	'Versions that a session user commits while a transaction runs.';

alter table @registry@.version
	alter column recipe drop not null,
	add column root bigint,
	add column facts bigint[] not null default '{}',
	add column claims bigint,
	add column told bytea,
	add column upgraded boolean not null default false;
comment on column @registry@.version.recipe is
	'How the value was made, where the value is not stored, which has it (adapter_recipe).';
comment on column @registry@.version.root is
	'The story of how it was made; null: it was imported, or nothing was changed.';
comment on column @registry@.version.facts is
	'Stories below the root that this version was the first to tell and that are facts.';
comment on column @registry@.version.claims is 'What its recipe says that is not a fact; null: nothing.';
comment on column @registry@.version.told is
	'SHA-256 of root, whether it was a fact, facts and claims: see told_hash.';
comment on column @registry@.version.upgraded is
	'Committed before there were stories: told is the hash of its lineage then.';
create index version_claims on @registry@.version (claims) where claims is not null;

update @registry@.version v set upgraded = true, told = (
	select decode(l.fields[12], 'hex') from @registry@.log l
	where l.kind = 'version' and l.fields[1] = v.entry and l.fields[2] = v.number::text
	order by l.position limit 1);
insert into @registry@.revocation (digest, revoked_at, revoked_by, reason)
	select s.digest, s.revoked_at, s.revoked_by, s.reason from @registry@.state s
	where s.revoked_at is not null;
alter table @registry@.version drop constraint version_digest_fkey;
drop table @registry@.lineage;
drop table @registry@.state;
create index event_materialize on @registry@.event ((fields[1])) where kind = 'materialize';

-- Who has DELETE on a table can lock it as a whole; aliases are removed by an UPDATE.
do $$
declare
	r record;
begin
	for r in select a.grantee::regrole as role from pg_class c cross join lateral aclexplode(c.relacl) a
			where c.oid = '@registry@.alias'::regclass and a.privilege_type = 'DELETE'
				and a.grantee <> c.relowner and a.grantee <> 0 loop
		execute format('revoke delete on @registry@.alias from %s', r.role);
	end loop;
end
$$;
