-- The registry: making it, bringing it to the extension's version, removing it.
select fails($$select registry_drop()$$);
select fails($$select registry_upgrade()$$);
select registry_create();
select fails($$select registry_create()$$);
-- Its schema is named so that it can stand inside texts as it is.  42602
select fails($$select registry_create(schema => 'Models')$$);
select fails($$select registry_create(schema => 'select')$$);
select fails($$select registry_create(schema => '50%')$$);
select fails($$select registry_create(schema => 'loop')$$);
select fails($$select registry_create(schema => repeat('m', 58))$$);
select fails($$select registry_create(schema => null)$$);
select fails($$select registry_create(schema => 'pg_models')$$);
select fails($$select registry_upgrade('public')$$);
select fails($$select registry_drop(true, 'Models')$$);
-- The registry is not part of the extension, and the extension cannot be dropped under it.
select count(*) as members from pg_depend d join pg_class c on c.oid = d.objid
	where c.relnamespace = 'registry'::regnamespace and d.deptype = 'e';

-- Two in a database.
select registry_create(schema => repeat('m', 57));
select registry_drop(schema => repeat('m', 57));
select registry_create(schema => 'models', row_security => true);
select models.commit('x', lora('q', '[[1, 2]]', '[[1], [0]]'));
select count(*) from registry.version;
select fails($$select models.get('y')$$);
select fails($$select registry_drop(schema => 'models')$$);
select registry_upgrade('models');
select s.number, s.name, s.run_at is not null as run_at, s.extension_version = e.extversion as version
from models.step s, pg_extension e where e.extname = 'peftarith' order by number;
select * from models.verify(recompute => true);
select registry_drop(true, 'models');

do $$
begin
	for i in 1 .. 51 loop
		perform registry.commit('many', lora('q', format('[[%s, 2]]', i)::json, '[[1], [0]]'));
	end loop;
end
$$;
-- The functions are made anew; tables and data stay.
select registry_upgrade();
select count(*) > 50 as versions from registry.version;
select fails($$select registry_drop()$$);
select fails($$drop extension peftarith$$) ~ '^2BP01' as kept;
select registry_drop(force => true);

-- 0A000
create schema "50% off";
alter extension peftarith set schema "50% off";
select fails($$select "50% off".registry_create()$$);
alter extension peftarith set schema public;
drop schema "50% off";
