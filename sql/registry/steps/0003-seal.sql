-- Commits write their events here and wait for nobody; sealing moves them into
-- the log, and keeps the hashes of whole subtrees of 256 of its entries.

create table @registry@.event (
	id bigint generated always as identity primary key,
	kind text not null,
	fields text[] not null,
	by xid8 not null default pg_current_xact_id()
);
comment on table @registry@.event is
	'What happened and is not sealed yet: each row becomes an entry of the log. See doc/registry.md, "Log".';
comment on column @registry@.event.id is
	'In the order in which events were written: the order of the log among those that are sealed together.';
comment on column @registry@.event.kind is 'As in the log.';
comment on column @registry@.event.fields is 'As in the log.';
comment on column @registry@.event.by is 'The transaction that wrote it, which does not seal it.';

create table @registry@.tree (
	level integer not null,
	index bigint not null,
	hash bytea not null,
	primary key (level, index),
	constraint tree_level check (level between 1 and 7),
	constraint tree_index check (index >= 0),
	constraint tree_hash check (octet_length(hash) = 32)
);
comment on table @registry@.tree is
	'Hashes of full subtrees of the log, kept so that a checkpoint or a proof reads some hundreds of rows.';
comment on column @registry@.tree.level is 'The subtree has 256 ^ level entries.';
comment on column @registry@.tree.index is
	'Its first entry is the one at position index * 256 ^ level + 1.';
comment on column @registry@.tree.hash is 'Its hash as of RFC 6962, section 2.1.';

alter table @registry@.log_head
	add column origin text not null default 'peftarith/' || gen_random_uuid(),
	add constraint log_head_origin check (origin ~ '^[^[:cntrl:][:space:]+]{1,200}$');
comment on column @registry@.log_head.origin is
	'What checkpoints call the log: their first line. The owner may set another before the first checkpoint.';
comment on table @registry@.log_head is
	'Size, last hash and name of the log: the row that sealing locks.';

create index version_created_at on @registry@.version (created_at);
create index log_kind on @registry@.log (kind, (fields[1]))
	where kind in ('revoke', 'erase', 'materialize');
