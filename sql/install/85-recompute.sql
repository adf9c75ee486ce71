-- Recipes read and evaluated again; the registry is made from these.

create function adapter_recompute_needs(recipe jsonb, known bytea[]) returns setof bytea
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 100 rows 10;
comment on function adapter_recompute_needs(jsonb, bytea[]) is
	'Digests of the values that adapter_recompute needs to evaluate the recipe if those in known are given: '
	'the known ones that it comes to first from the root, and those that the recipe does not say how to '
	'make (no node, or an import). Errors: 22023 not a recipe, or a digest that has not 32 bytes; 22032, '
	'54000 as for imported recipes.';

create function adapter_recipe_edges(recipe jsonb, digest bytea, known bytea[],
	out of bytea, out parent bytea, out p double precision, out q double precision, out w double precision,
	out external boolean, out story integer)
	returns setof record
	as 'MODULE_PATHNAME' language c immutable parallel safe cost 1000 rows 4;
comment on function adapter_recipe_edges(jsonb, bytea, bytea[]) is
	'What the recipe of the value with this digest says it was made of: a row for each parent of each story, '
	'walked from the root down to digests in known, imports and digests without a node. of: the digest '
	'given (for the root) or an intermediate''s. p, q: exact sums of the weights of that parent where the '
	'operation is a sum in parameter space, w where it is one in delta space, else null. external: the '
	'recipe says of the parent only its digest, or that it was imported. story: null for the root, else the '
	'number from 0 among the stories that the recipe tells of the digest. No row leads from a digest to '
	'itself, which is all that an operation that changed nothing says. A recipe is a claim: rows may lead '
	'in a circle. Null recipe or known: no rows. Errors: 22023 not a recipe, or a digest that has not 32 '
	'bytes; 22003 a sum of weights overflows; 22032, 54000 as for imported recipes.';

create function adapter_recompute_transition(internal, recipe jsonb, value adapter, without bytea,
	renormalize boolean) returns internal
	as 'MODULE_PATHNAME' language c immutable parallel safe;
comment on function adapter_recompute_transition(internal, jsonb, adapter, bytea, boolean) is
	'Transition function of adapter_recompute: keeps references, not copies, of stored values.';

create function adapter_recompute_final(internal) returns adapter
	as 'MODULE_PATHNAME' language c stable parallel safe cost 10000;
comment on function adapter_recompute_final(internal) is
	'Final function of adapter_recompute. Stable: a truncation is the library''s.';

create aggregate adapter_recompute(recipe jsonb, value adapter, without bytea, renormalize boolean) (
	sfunc = adapter_recompute_transition,
	stype = internal,
	finalfunc = adapter_recompute_final,
	finalfunc_modify = read_only,
	parallel = safe
);
comment on aggregate adapter_recompute(jsonb, adapter, bytea, boolean) is
	'The recipe evaluated again over the values of the rows, which stand for their own digests; the other '
	'digests are made from their nodes. The result is the value that was made then, byte for byte. without: '
	'a digest that is left out of every sum, merge and union; an operation whose only operand is left out '
	'is left out itself. renormalize: where a sum or merge lost a term, the other weights are multiplied by '
	'sum of all v / sum of those left (exact sums, rounded once), u by its magnitude. recipe, without and '
	'renormalize are the same in every row. Null for no rows; rows without a recipe do not count. Errors: '
	'42704 a value is needed that no row has; 22000 a node does not lead to its digest (not asked above '
	'what was left out, nor above operations that are not bit for bit); 22012 the weights that are left sum '
	'to 0; 22023 the recipe leads in a circle, nothing is left, without is not met, or the arguments differ '
	'between rows; 54000 more than 512 MiB of computed values in one group; and those of the operations.';

create function adapter_recompute_outline_final(internal) returns jsonb
	as 'MODULE_PATHNAME' language c stable parallel safe cost 10000;
comment on function adapter_recompute_outline_final(internal) is
	'Final function of adapter_recompute_outline.';

create aggregate adapter_recompute_outline(recipe jsonb, value adapter, without bytea, renormalize boolean) (
	sfunc = adapter_recompute_transition,
	stype = internal,
	finalfunc = adapter_recompute_outline_final,
	finalfunc_modify = read_only,
	parallel = safe
);
comment on aggregate adapter_recompute_outline(jsonb, adapter, bytea, boolean) is
	'What adapter_recompute would come to, as far as that is told by the descriptions of the values (names, '
	'shapes, types, scalings) and their dense tensors of up to 131072 elements; no other weight is read or '
	'computed. {"obstacle": message}: it would be refused. {"unknown": message}: an operation looks at other '
	'weights before it begins (truncation to an energy, extraction of what may be zeros). Else {"digest": '
	'..., "made": ...}: the name of the result, and of all that would be made [name, root of its recipe]. A '
	'name stands for the digest, in hexadecimal: it is the digest where all tensors are those of given '
	'values, else nothing''s. Not told: numbers out of range, and a recipe that leads to another digest than '
	'it says. Null for no rows. Errors: 22023 the arguments differ between rows; 54000.';

create function adapter_evaluated_from(digest bytea, envelope_digest bytea, before bigint default null,
	out operands bytea[], out root jsonb, out serial bigint)
	returns record
	as 'MODULE_PATHNAME' language c volatile parallel restricted;
comment on function adapter_evaluated_from(bytea, bytea, bigint) is
	'How the backend made the value with these digests, if it is one of the last 1,024 that it made: 64 '
	'bytes for each operand, its digest and its envelope digest, which covers its recipe; the root of the '
	'value''s recipe; and a number that grows with time. before: the last time with a lower number. Nulls: '
	'it did not make it, or of more than 128 operands, of a part of a file, or by an operation of more than '
	'16 kB. Error 22023: a digest that has not 32 bytes.';
