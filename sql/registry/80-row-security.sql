-- Row-level security, run for a registry that has it: an entry, its versions,
-- aliases and history are seen and changed by members of the entry's owner, and
-- by admins, to whom allow() gives policies of their own.  The policies here are
-- dropped and made again each time, after the functions that they call.

alter table @registry@.entry enable row level security;
alter table @registry@.version enable row level security;
alter table @registry@.alias enable row level security;
alter table @registry@.alias_history enable row level security;

create policy member on @registry@.entry
	using (@registry@.is_member(owner));
comment on policy member on @registry@.entry is 'Members of the entry''s owner.';
-- The second half is for the row that is being inserted: its trigger may have
-- made the entry after the command's snapshot.
create policy member on @registry@.version
	using (exists (select from @registry@.entry e where e.name = version.entry)
		or created_at >= now() and @registry@.sees_entry(entry));
comment on policy member on @registry@.version is 'Members of the entry''s owner.';
create policy member on @registry@.alias
	using (exists (select from @registry@.entry e where e.name = alias.entry));
comment on policy member on @registry@.alias is 'Members of the entry''s owner.';
create policy member on @registry@.alias_history
	using (exists (select from @registry@.entry e where e.name = alias_history.entry));
comment on policy member on @registry@.alias_history is 'Members of the entry''s owner.';
