-- Names are checked in collation C: the same in every database, whatever its
-- locale, so that each dump can be restored.

create table @registry@.entry (
	name text primary key,
	base_model text,
	description text,
	owner name not null default current_user,
	tags text[] not null default '{}',
	next_number integer not null default 1,
	created_at timestamptz not null default clock_timestamp(),
	constraint entry_name check (
		name collate "C" ~ '^[^@[:cntrl:][:space:]]([^@[:cntrl:]]{0,198}[^@[:cntrl:][:space:]])?$'),
	constraint entry_next_number check (next_number >= 1)
);
comment on table @registry@.entry is 'A named adapter: what its versions are versions of.';
comment on column @registry@.entry.name is
	'Name; no @, no control characters of ASCII, no space at an end, at most 200 characters.';
comment on column @registry@.entry.base_model is
	'Base model of the first version, for finding; null if it names none.';
comment on column @registry@.entry.description is 'Free text.';
comment on column @registry@.entry.owner is
	'Role whose members may commit and move aliases under row-level security.';
comment on column @registry@.entry.tags is 'Free words for finding.';
comment on column @registry@.entry.next_number is
	'Number of the next version; counted by the trigger of @registry@.version.';
comment on column @registry@.entry.created_at is 'When the entry was made.';

create table @registry@.state (
	digest bytea primary key,
	revoked_at timestamptz,
	revoked_by name,
	reason text,
	constraint state_digest check (octet_length(digest) = 32),
	constraint state_reason check (octet_length(reason) <= 1048576),
	constraint state_revoked check (
		(revoked_at is null) = (revoked_by is null) and (revoked_at is not null or reason is null))
);
comment on table @registry@.state is
	'One row for each digest that was committed or is an ancestor of one; the row is what commit and revoke '
	'lock.';
comment on column @registry@.state.digest is 'Content digest of an adapter.';
comment on column @registry@.state.revoked_at is 'When the digest was revoked; null if it is not. Set once.';
comment on column @registry@.state.revoked_by is 'Session user who revoked it.';
comment on column @registry@.state.reason is 'Why it was revoked.';

create table @registry@.version (
	entry text not null references @registry@.entry (name),
	number integer not null,
	value @peft@.adapter,
	digest bytea not null references @registry@.state (digest),
	envelope_digest bytea not null,
	recipe jsonb not null,
	virtual boolean not null default false,
	message text not null default '',
	actor name not null default session_user,
	acting_as name not null default current_user,
	created_at timestamptz not null default clock_timestamp(),
	allow_duplicate boolean not null default false,
	erased_at timestamptz,
	erase_reason text,
	primary key (entry, number),
	constraint version_number check (number >= 1),
	constraint version_message check (octet_length(message) <= 1048576),
	constraint version_erase_reason check (octet_length(erase_reason) <= 1048576),
	constraint version_digest check (octet_length(digest) = 32),
	constraint version_envelope_digest check (octet_length(envelope_digest) = 32),
	constraint version_value check (value is not null or virtual or erased_at is not null),
	constraint version_erased check (
		(erased_at is null) = (erase_reason is null) and (erased_at is null or value is null))
);
create unique index version_entry_digest on @registry@.version (entry, digest) where not allow_duplicate;
create index version_digest on @registry@.version (digest);
comment on table @registry@.version is
	'Versions of entries. INSERT (entry, value, message) is enough; rows never change but for erase and '
	'materialize.';
comment on column @registry@.version.entry is 'Entry; one that does not exist is created.';
comment on column @registry@.version.number is '1, 2, ... within the entry.';
comment on column @registry@.version.value is
	'The adapter; null if the version is virtual and not materialized, or erased.';
comment on column @registry@.version.digest is 'Content digest, read from the value.';
comment on column @registry@.version.envelope_digest is
	'Digest over digest, recipe, configuration text and original header, read from the value.';
comment on column @registry@.version.recipe is 'How the value was made (adapter_recipe).';
comment on column @registry@.version.virtual is 'Committed without its value.';
comment on column @registry@.version.message is
	'What and why, in the committer''s words; at most 1 MiB, as the reasons.';
comment on column @registry@.version.actor is 'session_user of the commit.';
comment on column @registry@.version.acting_as is 'current_user of the commit.';
comment on column @registry@.version.created_at is 'When it was committed.';
comment on column @registry@.version.allow_duplicate is
	'The entry may have another version with the same digest.';
comment on column @registry@.version.erased_at is 'When the value was erased.';
comment on column @registry@.version.erase_reason is 'Why.';

create table @registry@.lineage (
	child bytea not null references @registry@.state (digest),
	of bytea not null,
	parent bytea not null references @registry@.state (digest),
	p double precision,
	q double precision,
	w double precision,
	external boolean not null,
	constraint lineage_of check (octet_length(of) = 32),
	constraint lineage_parent check (parent <> child and parent <> of),
	constraint lineage_weights check ((p is null) = (q is null) and (p is null or w is null))
);
-- Claims about an edge that differ stand beside each other.
create unique index lineage_edge on @registry@.lineage
	(child, of, parent, coalesce(p, 'NaN'), coalesce(q, 'NaN'), coalesce(w, 'NaN'), external);
create index lineage_of on @registry@.lineage (of);
create index lineage_parent on @registry@.lineage (parent);
comment on table @registry@.lineage is
	'What each committed digest was made of, as its recipe says: see doc/registry.md, "Lineage".';
comment on column @registry@.lineage.child is 'The committed digest whose recipe this is an edge of.';
comment on column @registry@.lineage.of is
	'What was made: child itself, or an intermediate that was not registered.';
comment on column @registry@.lineage.parent is 'What it was made from.';
comment on column @registry@.lineage.p is
	'Weight on factor A where the operation is a sum in parameter space, else null.';
comment on column @registry@.lineage.q is 'Weight on factor B and everything else there.';
comment on column @registry@.lineage.w is 'Weight where the operation is a sum in delta space, else null.';
comment on column @registry@.lineage.external is
	'The recipe says nothing of the parent but its digest, or that it was imported.';

create table @registry@.alias (
	entry text not null,
	alias text not null,
	number integer not null,
	id uuid not null default gen_random_uuid() unique,
	primary key (entry, alias),
	foreign key (entry, number) references @registry@.version (entry, number),
	constraint alias_name check (
		alias collate "C" ~ '^[^@[:cntrl:][:space:]]([^@[:cntrl:]]{0,198}[^@[:cntrl:][:space:]])?$'
		and alias !~ '^[0-9]+$')
);
comment on table @registry@.alias is 'Names for versions: production, candidate.';
comment on column @registry@.alias.entry is 'Entry.';
comment on column @registry@.alias.alias is 'Name, as an entry''s; not a number.';
comment on column @registry@.alias.number is 'The version that it stands for.';
comment on column @registry@.alias.id is
	'What NOTIFY @registry@_alias carries: says nothing to who may not read the row.';

create table @registry@.alias_history (
	entry text not null,
	alias text not null,
	move integer not null,
	number integer,
	previous integer,
	actor name not null,
	moved_at timestamptz not null,
	primary key (entry, alias, move),
	constraint alias_history_move check (move >= 1)
);
comment on table @registry@.alias_history is 'Every move of every alias.';
comment on column @registry@.alias_history.entry is 'Entry.';
comment on column @registry@.alias_history.alias is 'Alias.';
comment on column @registry@.alias_history.move is '1, 2, ... for each alias.';
comment on column @registry@.alias_history.number is
	'Version that it stands for from then on; null if it was removed.';
comment on column @registry@.alias_history.previous is
	'Version that it stood for before; null if it was new.';
comment on column @registry@.alias_history.actor is 'Session user who moved it.';
comment on column @registry@.alias_history.moved_at is 'When.';

create table @registry@.log (
	position bigint primary key,
	kind text not null,
	fields text[] not null,
	previous bytea not null,
	hash bytea not null,
	constraint log_position check (position >= 1),
	constraint log_hashes check (octet_length(previous) = 32 and octet_length(hash) = 32)
);
create index log_event on @registry@.log ((fields[1]), (fields[2]), (fields[3]))
	where kind in ('version', 'alias');
comment on table @registry@.log is 'What happened, in order, chained by hashes: see doc/registry.md, "Log".';
comment on column @registry@.log.position is '1, 2, ... without gaps.';
comment on column @registry@.log.kind is 'create, version, alias, revoke, erase or materialize.';
comment on column @registry@.log.fields is 'The event, field by field.';
comment on column @registry@.log.previous is 'Hash of the row before; zeros at position 1.';
comment on column @registry@.log.hash is 'registry_entry_hash(position, previous, kind, fields).';

create table @registry@.log_head (
	one boolean primary key default true,
	size bigint not null,
	hash bytea not null,
	constraint log_head_one check (one)
);
comment on table @registry@.log_head is 'Size and last hash of the log: the row that appending locks.';
comment on column @registry@.log_head.one is 'True: there is one row.';
comment on column @registry@.log_head.size is 'Position of the last row of the log.';
comment on column @registry@.log_head.hash is 'Its hash.';

insert into @registry@.log_head (size, hash) values (0, decode(repeat('00', 32), 'hex'));
