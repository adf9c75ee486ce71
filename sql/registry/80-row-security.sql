-- Row-level security, run for a registry that has it: an entry, its versions,
-- aliases and history are seen and changed by members of the entry's owner, seen
-- by members of roles that it is shared with, and seen and changed by admins, to
-- whom allow() gives policies of their own.  The policies here are
-- dropped and made again each time, after the functions that they call.

alter table @registry@.entry enable row level security;
alter table @registry@.version enable row level security;
alter table @registry@.alias enable row level security;
alter table @registry@.alias_history enable row level security;
alter table @registry@.share enable row level security;

create policy member on @registry@.entry
	using (@registry@.is_member(owner));
comment on policy member on @registry@.entry is 'Members of the entry''s owner.';
-- The second half is for the row that is being inserted: its trigger may have
-- made the entry after the command's snapshot.
create policy member on @registry@.version
	using (exists (select from @registry@.entry e where e.name = version.entry
			and @registry@.is_member(e.owner))
		or created_at >= now() and @registry@.owns_entry(entry));
comment on policy member on @registry@.version is 'Members of the entry''s owner.';
create policy member on @registry@.alias
	using (exists (select from @registry@.entry e where e.name = alias.entry
		and @registry@.is_member(e.owner)));
comment on policy member on @registry@.alias is 'Members of the entry''s owner.';
create policy member on @registry@.alias_history
	using (exists (select from @registry@.entry e where e.name = alias_history.entry
		and @registry@.is_member(e.owner)));
comment on policy member on @registry@.alias_history is 'Members of the entry''s owner.';

-- Reading what was shared.  The policy of share itself looks at no other table,
-- so that these two do not call each other.
create policy member on @registry@.share
	using (@registry@.is_member(owner) or @registry@.is_member(role))
	with check (@registry@.is_member(owner) and @registry@.is_owner(owner, entry));
comment on policy member on @registry@.share is 'Members of the entry''s owner; who may read, reads.';
create policy owner on @registry@.share as restrictive for update
	using (@registry@.is_member(owner));
comment on policy owner on @registry@.share is 'Only members of the entry''s owner take it back.';
create policy shared on @registry@.entry for select
	using (exists (select from @registry@.share s where s.entry = name and @registry@.is_member(s.role)));
comment on policy shared on @registry@.entry is 'Who it is shared with.';
create policy shared on @registry@.version for select
	using (exists (select from @registry@.entry e where e.name = version.entry));
comment on policy shared on @registry@.version is 'Who the entry is shared with.';
create policy shared on @registry@.alias for select
	using (exists (select from @registry@.entry e where e.name = alias.entry));
comment on policy shared on @registry@.alias is 'Who the entry is shared with.';
create policy shared on @registry@.alias_history for select
	using (exists (select from @registry@.entry e where e.name = alias_history.entry));
comment on policy shared on @registry@.alias_history is 'Who the entry is shared with.';
