-- A schema whose functions, operators and tables have names of pg_catalog's and
-- come before them in the search path. They do what pg_catalog's do, for the
-- statements of the tests resolve these names too; but called from anything in a
-- registry, or from one of its functions in SQL, they raise XX999.
create schema hostile;

create function hostile.called(what text) returns void
	language plpgsql stable set search_path = pg_catalog as $$
declare
	stack text;
begin
	get diagnostics stack = pg_context;
	if stack ~ 'PL/pgSQL function (registry|models|m{57})\.' or stack ~ 'SQL function "' and exists (
		select from pg_proc p join pg_namespace n on n.oid = p.pronamespace
		where n.nspname ~ '^(registry|models|m{57})$' and p.prosrc <> ''
			and strpos(stack, format('SQL function "%s"', p.proname)) > 0) then
		raise exception 'the registry called hostile.%', what using errcode = 'XX999', detail = stack;
	end if;
end
$$;

-- Functions and operators with plain types: whatever the registry's and the
-- tests' values have.
do $make$
declare
	f record;
	types constant oid[] :=
		'{text,bytea,int4,int8,bool,jsonb,name,float8,timestamptz,text[],bytea[]}'::regtype[]::oid[];
begin
	for f in select p.oid, p.proname, p.proargtypes::oid[] as arguments, p.prorettype, p.provolatile,
			string_agg(format_type(a.type, null), ', ' order by a.i) as declared,
			string_agg('$' || a.i, ', ' order by a.i) as given
		from pg_catalog.pg_proc p cross join unnest(p.proargtypes) with ordinality a(type, i)
		where p.pronamespace = 'pg_catalog'::regnamespace and p.prokind = 'f' and not p.proretset
			and p.provariadic = 0 and p.prorettype = any(types)
			-- what only the server calls, and what makes the tests' own errors
			and p.proname !~ '(in|out|recv|send|larger|smaller|_transfn|sel)$'
		group by p.oid having bool_and(a.type = any(types))
	loop
		execute format('create function hostile.%I(%s) returns %s language plpgsql %s strict as '
			'$$ begin perform hostile.called(%L); return pg_catalog.%I(%s); end $$',
			f.proname, f.declared, format_type(f.prorettype, null),
			case f.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
			f.proname, f.proname, f.given);
	end loop;
	for f in select o.oprname, o.oid, o.oprleft::regtype as l, o.oprright::regtype as r,
			o.oprresult::regtype as result
		from pg_catalog.pg_operator o
		where o.oprnamespace = 'pg_catalog'::regnamespace and o.oprkind = 'b' and o.oprcode <> 0
			and o.oprleft = any(types) and o.oprright = any(types)
	loop
		execute format('create function hostile.operator_%s(%s, %s) returns %s '
			'language plpgsql immutable strict as $$ begin perform hostile.called(%L); '
			'return $1 operator(pg_catalog.%s) $2; end $$',
			f.oid, f.l, f.r, f.result, 'operator ' || f.oprname, f.oprname);
		execute format('create operator hostile.%s (leftarg = %s, rightarg = %s, function = hostile.operator_%s)',
			f.oprname, f.l, f.r, f.oid);
	end loop;
	for f in select c.relname from pg_catalog.pg_class c
		where c.relnamespace = 'pg_catalog'::regnamespace and c.relname in ('pg_class', 'pg_proc',
			'pg_namespace', 'pg_roles', 'pg_trigger', 'pg_policy', 'pg_extension', 'pg_depend')
	loop
		execute format('create view hostile.%I as select c.* from pg_catalog.%I c, hostile.called(%L)',
			f.relname, f.relname, f.relname);
	end loop;
end
$make$;

-- What takes any type, for the types that the registry gives it.
create function hostile.now() returns timestamptz language plpgsql stable as
	$$ begin perform hostile.called('now'); return pg_catalog.now(); end $$;
create function hostile.clock_timestamp() returns timestamptz language plpgsql volatile as
	$$ begin perform hostile.called('clock_timestamp'); return pg_catalog.clock_timestamp(); end $$;
create function hostile.format(text, variadic text[]) returns text language plpgsql stable as
	$$ begin perform hostile.called('format'); return pg_catalog.format($1, variadic $2); end $$;
create function hostile.cardinality(bytea[]) returns integer language plpgsql immutable as
	$$ begin perform hostile.called('cardinality'); return pg_catalog.cardinality($1); end $$;
create function hostile.unnest(bytea[]) returns setof bytea language plpgsql immutable as
	$$ begin perform hostile.called('unnest'); return query select pg_catalog.unnest($1); end $$;
create function hostile.appended(bytea[], bytea) returns bytea[] language plpgsql immutable as
	$$ begin perform hostile.called('array_agg'); return pg_catalog.array_append($1, $2); end $$;
create aggregate hostile.array_agg(bytea) (sfunc = hostile.appended, stype = bytea[]);

grant usage on schema hostile to public;
grant select on all tables in schema hostile to public;
