-- How a version was made, in the forms of others (test/oracle/test_registry_attestation.py has the schemas).
create table named (name text primary key, a adapter);
insert into named values ('x', lora('q', '[[1, 2]]', '[[1], [0]]')), ('y', lora('q', '[[3, 5]]', '[[0], [1]]'));
select registry_create();
select registry.commit('x', a, 'first') from named where name = 'x';
select registry.commit('y', a) from named where name = 'y';
select registry.commit('mix', 0.4 * registry.get('x') + 0.6 * registry.get('y'), 'the paper''s merge');
select registry.commit('mix', 2 * registry.get('mix') + 0.5 * value('x'));
select registry.commit_virtual('sweep', 0.25 * registry.get('x') + 0.75 * registry.get('y'));
select registry.set_alias('mix', 'production', 2);
select replace(jsonb_pretty(registry.attestation('mix@1') #- '{predicate,runDetails,metadata}'
	#- '{predicate,buildDefinition,externalParameters,actor}'), registry.builder_version(), 'N.N.N') as attestation;
select registry.attestation('mix@1') #>> '{predicate,buildDefinition,externalParameters,actor}' = session_user as actor;
select jsonb_array_length(s -> 'subject') as subjects, s #> '{predicate,buildDefinition,resolvedDependencies}' as materials
from registry.attestation('sweep@1') s;
select s -> 'subject' -> 1 -> 'digest' ->> 'sha256' = encode(sha256(adapter_to_safetensors(registry.get('x'))), 'hex') as file,
	s #>> '{predicate,runDetails,metadata,finishedOn}' = registry.log_time(v.created_at) as time
from registry.attestation('x') s, registry.version v where v.entry = 'x';
select replace(jsonb_pretty(registry.bill_of_materials('mix@production') #- '{metadata,timestamp}' #- '{serialNumber}'),
	registry.builder_version(), 'N.N.N') as bill_of_materials;
select registry.bill_of_materials('mix@production') = registry.bill_of_materials('mix@2') as same,
	registry.bill_of_materials('mix@1') ->> 'serialNumber' <> registry.bill_of_materials('mix@2') ->> 'serialNumber' as other;
select jsonb_array_length(registry.bill_of_materials('sweep@1') -> 'components') as components,
	registry.bill_of_materials('sweep@1') #> '{metadata,component,hashes}' is null as no_file;
select fails($$select registry.attestation('nothing')$$), fails($$select registry.bill_of_materials('mix@nothing')$$);
select registry_drop(true);
drop table named;
