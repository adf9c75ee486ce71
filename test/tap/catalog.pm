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

# catalog::rows NODE DATABASE QUERY...: their results, by name
sub rows
{
	my ($node, $database, %queries) = @_;
	return { map { $_ => $node->safe_psql($database, $queries{$_}) } keys %queries };
}

1;
