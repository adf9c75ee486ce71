# What the catalog has of a schema, to be compared between databases: queries
# whose rows are the same where the objects are, whatever their oids.
package catalog;
use strict;
use warnings;

# catalog::queries SCHEMA: hash of name => query
sub queries
{
	my ($schema) = @_;
	my $here = "'$schema'::regnamespace";
	my $tables = "(select oid from pg_class where relnamespace = $here and relkind = 'r')";
	return (
		'row security' => qq{select relname, relkind, relrowsecurity, relforcerowsecurity, relowner::regrole,
				obj_description(oid, 'pg_class')
			from pg_class where relnamespace = $here order by 1},
		columns => qq{
			select attrelid::regclass::text, row_number() over (partition by attrelid order by attnum),
				attname, format_type(atttypid, atttypmod), attnotnull, attcollation::regcollation,
				pg_get_expr(d.adbin, d.adrelid), col_description(attrelid, attnum)
			from pg_attribute left join pg_attrdef d on d.adrelid = attrelid and d.adnum = attnum
			where attrelid in $tables and attnum > 0 and not attisdropped order by 1, 2},
		constraints => qq{select conrelid::regclass::text, conname, pg_get_constraintdef(oid),
				convalidated, condeferrable, condeferred
			from pg_constraint where connamespace = $here order by 1, 2},
		indexes => qq{select indexdef from pg_indexes where schemaname = '$schema' order by 1},
		functions => qq{select oid::regprocedure::text, proowner::regrole, pg_get_functiondef(oid),
				obj_description(oid, 'pg_proc')
			from pg_proc where pronamespace = $here order by 1},
		triggers => qq{select pg_get_triggerdef(oid), tgenabled, obj_description(oid, 'pg_trigger')
			from pg_trigger where tgrelid in $tables and not tgisinternal order by 1},
		policies => qq{select tablename, policyname, permissive, roles, cmd, qual, with_check
			from pg_policies where schemaname = '$schema' order by 1, 2},
		'comments on policies' => qq{select polrelid::regclass::text, polname,
				obj_description(oid, 'pg_policy')
			from pg_policy where polrelid in $tables order by 1, 2},
		'grants on the schema' => qq{select unnest(nspacl)::text, obj_description(oid, 'pg_namespace')
			from pg_namespace where oid = $here order by 1},
		'grants on tables' => qq{select relname, unnest(relacl)::text
			from pg_class where relnamespace = $here order by 1, 2},
		'grants on columns' => qq{select attrelid::regclass::text, attname, unnest(attacl)::text
			from pg_attribute where attrelid in $tables order by 1, 2, 3},
		'grants on functions' => qq{select oid::regprocedure::text, unnest(proacl)::text
			from pg_proc where pronamespace = $here order by 1, 2},
		steps => qq{select number, name from "$schema".step order by 1},
		made => qq{select kind, name, of from "$schema".made order by 1, 2, 3});
}

# catalog::extension NAME: the same for what an extension has made
sub extension
{
	my ($name) = @_;
	my $members = "pg_depend d join pg_extension e on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid
		where d.deptype = 'e' and e.extname = '$name'";
	my $of = sub { "oid in (select d.objid from $members and d.classid = '$_[0]'::regclass)" };
	# Rows whole, names for the oids that they have, so that no property is forgotten.
	my $row = sub { my $row = shift; "(to_jsonb($row) - '{" . join(',', 'oid', @_) . "}'::text[])" };
	return (
		members => "select pg_describe_object(d.classid, d.objid, d.objsubid),
				obj_description(d.objid, d.classid::regclass::name)
			from $members order by 1",
		extension => qq{select extname, extrelocatable, extversion, extconfig, extcondition
			from pg_extension where extname = '$name'},
		functions => "select oid::regprocedure::text, pg_get_function_result(oid), pg_get_function_arguments(oid),
				proowner::regrole, (select lanname from pg_language l where l.oid = p.prolang), "
			. $row->('p', qw(pronamespace proowner proargdefaults prorettype proargtypes proallargtypes prolang)) . "
			from pg_proc p where " . $of->('pg_proc') . ' order by 1',
		aggregates => 'select aggfnoid::regprocedure::text, format_type(aggtranstype, null), aggsortop::regoperator, '
			. $row->('a', qw(aggfnoid aggtranstype aggmtranstype aggsortop)) . "
			from pg_aggregate a where aggfnoid in (select d.objid from $members and d.classid = 'pg_proc'::regclass) order by 1",
		operators => 'select oid::regoperator::text, oprresult::regtype, oprcom::regoperator, oprnegate::regoperator, '
			. $row->('o', qw(oprnamespace oprowner oprcom oprnegate oprresult oprleft oprright)) . '
			from pg_operator o where ' . $of->('pg_operator') . ' order by 1',
		types => 'select oid::regtype::text, typelem::regtype, typarray::regtype, typbasetype::regtype, '
			. $row->('t', qw(typnamespace typowner typrelid typelem typarray typbasetype)) . '
			from pg_type t where ' . $of->('pg_type') . ' order by 1',
		casts => 'select castsource::regtype::text, casttarget::regtype::text, castfunc::regprocedure, castcontext, castmethod
			from pg_cast where ' . $of->('pg_cast') . ' order by 1, 2',
		'operators of families' => 'select f.opfname, a.amopstrategy, a.amopopr::regoperator::text, a.amoppurpose
			from pg_amop a join pg_opfamily f on f.oid = a.amopfamily where f.' . $of->('pg_opfamily') . ' order by 1, 2, 3',
		'functions of families' => 'select f.opfname, a.amprocnum, a.amproc::regprocedure::text, a.amproclefttype::regtype
			from pg_amproc a join pg_opfamily f on f.oid = a.amprocfamily where f.' . $of->('pg_opfamily') . ' order by 1, 2, 3',
		'operator classes' => 'select opcname, opcintype::regtype, opcdefault, opckeytype::regtype
			from pg_opclass where ' . $of->('pg_opclass') . ' order by 1',
		'first rights' => "select pg_describe_object(i.classoid, i.objoid, i.objsubid), i.privtype, i.initprivs
			from pg_init_privs i where (i.classoid, i.objoid) in (select d.classid, d.objid from $members) order by 1");
}

# catalog::rows NODE DATABASE QUERY...: their results, by name
sub rows
{
	my ($node, $database, %queries) = @_;
	return { map { $_ => $node->safe_psql($database, $queries{$_}) } keys %queries };
}

1;
