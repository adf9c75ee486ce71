-- Triggers.  They are dropped and made again each time, after the functions that
-- they call.

create trigger version_1_actor before insert on @registry@.version
	for each row execute function @registry@.version_actor();
comment on trigger version_1_actor on @registry@.version is 'Who and when; which columns may be given.';
create trigger version_2_duplicate before insert on @registry@.version
	for each row execute function @registry@.version_duplicate();
comment on trigger version_2_duplicate on @registry@.version is 'A digest once for each entry.';
create trigger version_3_facts before insert on @registry@.version
	for each row execute function @registry@.version_facts();
comment on trigger version_3_facts on @registry@.version is
	'Number, digests, recipe, what it tells; nothing revoked.';
create trigger version_4_duplicate before insert on @registry@.version
	for each row execute function @registry@.version_duplicate();
comment on trigger version_4_duplicate on @registry@.version is
	'A digest once for each entry, under the lock of its row.';
create trigger version_change before update on @registry@.version
	for each row execute function @registry@.version_change();
comment on trigger version_change on @registry@.version is 'Nothing but erase and materialize.';
create trigger version_value before update on @registry@.version
	for each row when (old.value is null and new.value is not null)
	execute function @registry@.version_value();
comment on trigger version_value on @registry@.version is 'A virtual version is given what it evaluates to.';
create trigger version_refuse before delete or truncate on @registry@.version
	for each statement execute function @registry@.refuse_change();
comment on trigger version_refuse on @registry@.version is 'No version is ever removed.';
create trigger story_change before update on @registry@.story
	for each row execute function @registry@.mark_change();
comment on trigger story_change on @registry@.story is 'Nothing but the mark proven.';
create trigger story_refuse before delete or truncate on @registry@.story
	for each statement execute function @registry@.refuse_change();
comment on trigger story_refuse on @registry@.story is 'None is ever removed.';
create trigger claim_set_change before update on @registry@.claim_set
	for each row execute function @registry@.mark_change();
comment on trigger claim_set_change on @registry@.claim_set is 'Nothing but the mark dead.';
create trigger claim_set_refuse before delete or truncate on @registry@.claim_set
	for each statement execute function @registry@.refuse_change();
comment on trigger claim_set_refuse on @registry@.claim_set is 'None is ever removed.';
create trigger revocation_change before update on @registry@.revocation
	for each row execute function @registry@.mark_change();
comment on trigger revocation_change on @registry@.revocation is 'Nothing but the mark settled.';
create trigger revocation_refuse before delete or truncate on @registry@.revocation
	for each statement execute function @registry@.refuse_change();
comment on trigger revocation_refuse on @registry@.revocation is 'None is ever removed.';
create trigger edge_refuse before update or delete or truncate on @registry@.edge
	for each statement execute function @registry@.refuse_change();
comment on trigger edge_refuse on @registry@.edge is 'None ever changes.';
create trigger claim_refuse before update or delete or truncate on @registry@.claim
	for each statement execute function @registry@.refuse_change();
comment on trigger claim_refuse on @registry@.claim is 'None ever changes.';
create trigger dead_refuse before update or delete or truncate on @registry@.dead
	for each statement execute function @registry@.refuse_change();
comment on trigger dead_refuse on @registry@.dead is 'None ever changes.';
create trigger log_refuse before update or delete or truncate on @registry@.log
	for each statement execute function @registry@.refuse_change();
comment on trigger log_refuse on @registry@.log is 'No entry ever changes.';
create trigger event_refuse before update or truncate on @registry@.event
	for each statement execute function @registry@.refuse_change();
comment on trigger event_refuse on @registry@.event is 'An event leaves for the log, and by no other way.';
create trigger tree_refuse before update or delete or truncate on @registry@.tree
	for each statement execute function @registry@.refuse_change();
comment on trigger tree_refuse on @registry@.tree is 'What the log was never changes.';
create trigger log_head_refuse before delete or truncate on @registry@.log_head
	for each statement execute function @registry@.refuse_change();
comment on trigger log_head_refuse on @registry@.log_head is 'The head stays.';

create trigger entry_given after update of owner on @registry@.entry
	for each row when (new.owner is distinct from old.owner)
	execute function @registry@.entry_given();
comment on trigger entry_given on @registry@.entry is 'Who owns an entry says with whom it is shared.';

create trigger alias_removed before update on @registry@.alias
	for each row when (new.number is null) execute function @registry@.remove_row();
comment on trigger alias_removed on @registry@.alias is 'Without a version there is no alias.';
create trigger share_removed before update on @registry@.share
	for each row when (new.role is null) execute function @registry@.remove_row();
comment on trigger share_removed on @registry@.share is 'Without a role nothing is shared.';
create trigger entry_name before insert on @registry@.entry
	for each row execute function @registry@.check_entry_name();
comment on trigger entry_name on @registry@.entry is 'A name that cannot be is refused in words.';
create trigger alias_name before insert on @registry@.alias
	for each row execute function @registry@.check_alias_name();
comment on trigger alias_name on @registry@.alias is 'A name that cannot be is refused in words.';
create trigger alias_moved after insert or update or delete on @registry@.alias
	for each row execute function @registry@.alias_moved();
comment on trigger alias_moved on @registry@.alias is 'History and NOTIFY.';
create trigger alias_refuse before truncate on @registry@.alias
	for each statement execute function @registry@.refuse_change();
comment on trigger alias_refuse on @registry@.alias is 'Aliases are removed one by one, which history sees.';
create trigger alias_history_refuse before update or delete or truncate on @registry@.alias_history
	for each statement execute function @registry@.refuse_change();
comment on trigger alias_history_refuse on @registry@.alias_history is 'No move ever changes.';
create trigger alias_history_insert before insert on @registry@.alias_history
	for each row execute function @registry@.alias_history_insert();
comment on trigger alias_history_insert on @registry@.alias_history is 'No move is invented.';

create constraint trigger log_version after insert on @registry@.version
	deferrable initially deferred for each row execute function @registry@.log_version();
comment on trigger log_version on @registry@.version is
	'Writes the version as an event when the transaction commits.';
create constraint trigger log_erase after update on @registry@.version
	deferrable initially deferred for each row
	when (old.erased_at is null and new.erased_at is not null)
	execute function @registry@.log_erase();
comment on trigger log_erase on @registry@.version is
	'Writes the erasure as an event when the transaction commits.';
create constraint trigger log_materialize after update on @registry@.version
	deferrable initially deferred for each row
	when (old.value is null and new.value is not null)
	execute function @registry@.log_materialize();
comment on trigger log_materialize on @registry@.version is
	'Writes the materialization as an event when the transaction commits.';
create constraint trigger log_alias after insert on @registry@.alias_history
	deferrable initially deferred for each row execute function @registry@.log_alias();
comment on trigger log_alias on @registry@.alias_history is
	'Writes the move as an event when the transaction commits.';
create constraint trigger log_revoke after insert on @registry@.revocation
	deferrable initially deferred for each row execute function @registry@.log_revoke();
comment on trigger log_revoke on @registry@.revocation is
	'Writes the revocation as an event when the transaction commits.';
