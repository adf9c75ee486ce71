-- A registry knows from here on which steps were run for it, and what in its
-- schema it made itself: what is to go with a later version, where somebody
-- else's functions stay.

create table @registry@.step (
	number integer primary key,
	name text not null,
	run_at timestamptz,
	extension_version text
);
comment on table @registry@.step is 'The steps that made the tables: the version of the registry.';
comment on column @registry@.step.number is 'Number of the step, in the order in which they are run.';
comment on column @registry@.step.name is 'What it did.';
comment on column @registry@.step.run_at is 'When it was run; null if that was before this table was there.';
comment on column @registry@.step.extension_version is
	'Version of the extension that ran it; null as run_at.';

create table @registry@.made (
	kind text,
	name text,
	of text,
	primary key (kind, name, of),
	constraint made_kind check (kind in ('schema', 'function', 'trigger', 'policy'))
);
comment on table @registry@.made is
	'What registry_create() and registry_upgrade() make anew, and drop when a version has it no more.';
comment on column @registry@.made.kind is
	'function, trigger, policy; schema for the one row with the name that the functions know.';
comment on column @registry@.made.name is 'Its name.';
comment on column @registry@.made.of is
	'Types of a function''s arguments; the table of a trigger or policy; empty for the schema.';

-- What a registry without these tables made.
insert into @registry@.made (kind, name, of) select 'function', v.* from (values
	('alias_at', 'text,text,timestamptz'), ('alias_history_insert', ''), ('alias_moved', ''),
	('all_successors', '_bytea'), ('allow', 'text,text,text'), ('allow_functions', '_text,text'),
	('ancestors', 'bytea'), ('checkpoint', ''), ('commit', 'text,adapter,text,bool'),
	('commit_virtual', 'text,adapter,text'), ('descendants', 'bytea'), ('descendants', 'text'),
	('diff', 'text,text'), ('digest', 'text'), ('digest_list', '_bytea'),
	('distances', 'adapter,adapter'), ('edges', 'bytea'), ('erase', 'text,text'),
	('evaluate', 'jsonb,_bytea,bytea,bool'), ('export_log', ''), ('get', 'text,bool'),
	('graph', 'bytea,bool'), ('is_live', 'bytea'), ('is_member', 'name'), ('is_outer_error', 'text'),
	('lineage', 'bytea'), ('lineage', 'text'), ('lineage_dot', 'text'),
	('lineage_write', 'bytea,jsonb'), ('lock_live', 'bytea'), ('log_alias', ''),
	('log_append', 'text,_text'), ('log_checkpoint', 'text'), ('log_difference', 'text,_text,_text'),
	('log_erase', ''), ('log_events', 'text,int4'), ('log_has_alias', 'text,text,int4'),
	('log_has_version', 'text,int4'), ('log_line', 'int8,text,_text,bytea,bytea'),
	('log_lineage_line', 'bytea,bytea,float8,float8,float8,bool'), ('log_materialize', ''),
	('log_revoke', ''), ('log_time', 'timestamptz'), ('log_version', ''),
	('log_version_fields', 'text,int4,bytea,bytea,jsonb,bool,bool,text,name,name,timestamptz,bytea'),
	('materialize', 'text'), ('names', 'bytea'), ('obstacle', 'jsonb,_bytea,_bytea'),
	('obstacles', '_bytea,_bytea'), ('operands', 'jsonb'), ('parse_export', '_text'),
	('plan', 'jsonb,_bytea,_bytea'), ('protect', ''), ('recipe_fault', 'text,int4'),
	('recompose', 'text,bytea,bool,text'), ('recompose', 'text,text,bool,text'), ('refuse_change', ''),
	('resolve', 'text'), ('revoke', 'bytea,text'), ('revoke', 'text,text'),
	('revoke_digest', 'bytea,text'), ('secure_rows', ''), ('sees_entry', 'text'),
	('set_alias', 'text,text,int4'), ('set_alias', 'text,text,int4,int4'), ('state_change', ''),
	('story', 'bytea'), ('successors', 'bytea'), ('value_fault', 'adapter,bytea,bytea'),
	('verify', 'text,bool'), ('verify_aliases', ''), ('verify_entries', 'text,_text,int8,bytea'),
	('verify_erasures', ''), ('verify_export', '_text,text'), ('verify_keys', ''),
	('verify_lineage', ''), ('verify_log', 'text'), ('verify_recipes', ''), ('verify_repeats', ''),
	('verify_states', ''), ('verify_values', ''), ('verify_versions', ''), ('version_actor', ''),
	('version_change', ''), ('version_duplicate', ''), ('version_erasable', 'int4,text,bytea'),
	('version_facts', ''), ('weight_product', 'float8,float8')) v;
insert into @registry@.made (kind, name, of) select 'trigger', v.* from (values
	('version_1_actor', 'version'), ('version_2_duplicate', 'version'), ('version_3_facts', 'version'),
	('version_4_duplicate', 'version'), ('version_change', 'version'), ('version_refuse', 'version'),
	('log_version', 'version'), ('log_erase', 'version'), ('log_materialize', 'version'),
	('state_change', 'state'), ('state_refuse', 'state'), ('log_revoke', 'state'),
	('lineage_refuse', 'lineage'), ('alias_moved', 'alias'), ('alias_refuse', 'alias'),
	('alias_history_insert', 'alias_history'), ('alias_history_refuse', 'alias_history'),
	('log_alias', 'alias_history'), ('log_refuse', 'log'), ('log_head_refuse', 'log_head')) v;
insert into @registry@.made (kind, name, of) select 'policy', 'member', v.* from (values
	('entry'), ('version'), ('alias'), ('alias_history')) v;
