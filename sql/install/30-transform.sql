create function adapter_scale(adapter, factor double precision) returns adapter
	as 'MODULE_PATHNAME' language c immutable strict parallel restricted cost 1000;
comment on function adapter_scale(adapter, double precision) is
	'The adapter with its effect times factor, exactly: LoRA: alpha times abs(factor), B and lora_bias '
	'negated if factor < 0 (zero if it is 0); (IA)^3: 1 + factor (l - 1); differences times factor; dense '
	'tensors unchanged. Unlike factor * a, which scales both factors. Errors: 22003 factor or weights not '
	'finite, 0A000 an adapter that arithmetic refuses.';

create function adapter_cast(adapter, dtype text) returns adapter
	as 'MODULE_PATHNAME' language c immutable strict parallel restricted cost 1000;
comment on function adapter_cast(adapter, text) is
	'Every tensor in another dtype: F64, F32, F16 or BF16 (any case), rounded once to nearest even; the '
	'8-bit float types, which are not computed with, are widened. A NOTICE says how many elements became '
	'zero. Errors: 22023 unknown dtype, 22003 overflow or weights not finite, 0A000 an adapter or dtype '
	'without arithmetic.';

create function adapter_plain(adapter, rank integer default null) returns adapter
	as 'MODULE_PATHNAME' language c immutable parallel restricted cost 1000;
comment on function adapter_plain(adapter, integer) is
	'The same change in a form that narrow readers take (SGLang, llama.cpp''s converter, TGI, old '
	'vLLM): scalings folded into B and lora_bias (rounded once), alpha = r, no patterns, no rsLoRA, and '
	'one rank for all modules, the given one or the largest, with rows of zeros in A and columns of '
	'them in B. (IA)^3 and differences are returned as they are. Errors: 22023 a module has a larger '
	'rank (adapter_truncate), 0A000 a grouped convolution or stacked experts of another rank, or an '
	'adapter that arithmetic refuses, 22003 weights or scaling not finite, or overflow.';

create function adapter_select(adapter, module_pattern text, invert boolean default false) returns adapter
	as 'MODULE_PATHNAME' language c immutable strict parallel restricted cost 1000;
comment on function adapter_select(adapter, text, boolean) is
	'The modules whose whole path matches the expression, Python''s (as PEFT reads a string in '
	'target_modules), or with invert those that do not; dense tensors go with the path of their module. '
	'Errors: 2201B bad expression, 54000 it gives up, 22023 no module is left, 0A000 an adapter that '
	'arithmetic refuses, or a construct that only Python has.';

create function adapter_rename(adapter, module_pattern text, replacement text) returns adapter
	as 'MODULE_PATHNAME' language c immutable strict parallel restricted cost 1000;
comment on function adapter_rename(adapter, text, text) is
	'The same tensors, each module whose whole path matches the expression, Python''s, under the path that '
	'the replacement makes of it (\1 to \9, \g<number> and \g<name> are its groups, \\ a backslash), the '
	'others under their own. Names are PEFT''s, the configuration is composed anew. Errors: 2201B bad '
	'expression or replacement, 54000 it gives up, 22023 no module matches, two modules would have one '
	'path, or what would be a path is none, 0A000 an adapter that arithmetic refuses, or a construct that '
	'only Python has.';

create function adapter_select_tensors(adapter, tensors text, role text default null,
	invert boolean default false) returns adapter
	as 'MODULE_PATHNAME' language c immutable parallel restricted cost 1000;
comment on function adapter_select_tensors(adapter, text, text, boolean) is
	'The tensors whose whole name, without the file''s prefix, matches the expression, Python''s (null: '
	'any), and that have the role, as adapter_modules tells it (dense, ...; null: any), or with invert all '
	'others. Factors, bias and alpha of a module are one change, and selected together or not. Errors: '
	'2201B bad expression, 54000 it gives up, 22023 unknown role, a module is divided, or nothing is left, '
	'0A000 an adapter that arithmetic refuses, or a construct that only Python has.';

create function adapter_drop_dense(adapter, tensors text default null) returns adapter
	as 'MODULE_PATHNAME' language c immutable parallel restricted cost 1000;
comment on function adapter_drop_dense(adapter, text) is
	'The adapter without the dense tensors (saved heads and embeddings, base_layer.weight, biases) whose '
	'whole name, without the file''s prefix, matches the expression, Python''s; null: without any. All other '
	'tensors stay, the LoRA factors beside them too. One that has none of them has the same tensors. '
	'0.5 * a + 0.5 * adapter_drop_dense(b, ''score.weight'') keeps the head of a. Errors: 2201B bad '
	'expression, 54000 it gives up, 22023 nothing is left, 0A000 an adapter that arithmetic refuses, or a '
	'construct that only Python has.';

create function adapter_set_base_model(adapter, base_model text, revision text default null) returns adapter
	as 'MODULE_PATHNAME' language c immutable parallel restricted cost 1000;
comment on function adapter_set_base_model(adapter, text, text) is
	'The same weights under another base model and revision; null names none. The file that comes out is '
	'unchanged, the configuration is rewritten; so it works for every adapter, also one that arithmetic '
	'refuses.';

create function adapter_split(adapter, max_bytes bigint) returns setof adapter
	as 'MODULE_PATHNAME' language c immutable strict parallel restricted cost 1000 rows 10;
comment on function adapter_split(adapter, bigint) is
	'The adapter cut by module, in path order, into parts of at most max_bytes raw bytes; adapter_union '
	'puts them together. Error 54000: one module is larger.';

create function adapter_union_transition(internal, adapter) returns internal
	as 'MODULE_PATHNAME' language c immutable parallel safe;
comment on function adapter_union_transition(internal, adapter) is
	'Transition function of adapter_union: keeps references, not copies, of stored values.';

create function adapter_union_final(internal) returns adapter
	as 'MODULE_PATHNAME' language c immutable parallel safe cost 1000;
comment on function adapter_union_final(internal) is
	'Final function of adapter_union.';

create aggregate adapter_union(adapter) (
	sfunc = adapter_union_transition,
	stype = internal,
	finalfunc = adapter_union_final,
	finalfunc_modify = read_only,
	parallel = safe
);
comment on aggregate adapter_union(adapter) is
	'One adapter with the modules of all, which must share none and agree in every other fact; in any order '
	'the same digest. Error 54000: more than 512 MiB of computed parts in one group. The union of the parts '
	'of a is a. Null for no rows. Error 22000: parts do not fit.';
