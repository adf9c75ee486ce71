-- From 0.2.0 to 0.3.0: each statement of sql/install that 0.2.0 has not, word
-- for word (doc/packages.md).

create function adapter_rename(adapter, module_pattern text, replacement text) returns adapter
	as 'MODULE_PATHNAME' language c immutable strict parallel restricted cost 1000;
comment on function adapter_rename(adapter, text, text) is
	'The same tensors, each module whose whole path matches the expression, Python''s, under the path that '
	'the replacement makes of it (\1 to \9, \g<number> and \g<name> are its groups, \\ a backslash), the '
	'others under their own. Names are PEFT''s, the configuration is composed anew. Errors: 2201B bad '
	'expression or replacement, 54000 it gives up, 22023 no module matches, two modules would have one '
	'path, or what would be a path is none, 0A000 an adapter that arithmetic refuses, or a construct that '
	'only Python has.';
