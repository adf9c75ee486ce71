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

comment on function adapter_magnitude_prune(adapter[], double precision[], double precision, text) is
	'The weighted sum of the adapters'' factors after pruning: of each factor with n entries the '
	'floor(density n) of largest magnitude stay, of equal ones those that come first. With s the scaling of '
	'a module, A = sum of sgn(w s) sqrt(abs(w s)) A_i, B = sum of sqrt(abs(w s)) B_i, lora_bias = sum of w '
	's b_i, over the adapters that have the module; the result''s scaling is 1. As PEFT''s magnitude_prune, '
	'at density 1 its linear. flavour: peft. Errors: 22023 no adapters, another number of weights, density '
	'not in (0, 1], unknown flavour; 22004 nulls; 22003 weights or inputs not finite, overflow; 22000 '
	'ranks, shapes, base models or dense tensors differ; 0A000 (IA)^3, differences, experts, and what '
	'arithmetic refuses.';

comment on function adapter_module_delta(adapter, text) is
	'What the module adds to the base weight, in that weight''s shape: s * B A, the product summed over the '
	'rank in order, in double; transposed for fan_in_fan_out and embeddings, kernel shape for convolutions; '
	'l - 1 for (IA)^3. lora_bias is not part of it. fan_in_fan_out is the configuration''s, which PEFT '
	'saves as its last layer had it: where that is not so for the module (GPT-2''s c_attn beside lm_head) '
	'it is the third argument. Errors: 42704 no such module, 54000 more than 16777216 elements, 0A000 '
	'differences (adapter_tensor has them), and an adapter that arithmetic refuses.';

create function adapter_module_delta(adapter, module text, fan_in_fan_out boolean) returns double precision[]
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 1000;
comment on function adapter_module_delta(adapter, text, boolean) is
	'The same for a module whose base weight is known to be stored as (in, out), fan_in_fan_out => true, or '
	'as (out, in), whatever the configuration says. Errors: those of adapter_module_delta(adapter, text).';

create function adapter_plain(adapter, rank integer default null) returns adapter
	as 'MODULE_PATHNAME' language c immutable parallel restricted cost 1000;
comment on function adapter_plain(adapter, integer) is
	'The same change in a form that narrow readers take (SGLang, llama.cpp''s converter, TGI, old '
	'vLLM): scalings folded into B and lora_bias (rounded once), alpha = r, no patterns, no rsLoRA, and '
	'one rank for all modules, the given one or the largest, with rows of zeros in A and columns of '
	'them in B. (IA)^3 and differences are returned as they are. Errors: 22023 a module has a larger '
	'rank (adapter_truncate), 0A000 a grouped convolution or stacked experts of another rank, or an '
	'adapter that arithmetic refuses, 22003 weights or scaling not finite, or overflow.';

comment on function adapter_from_safetensors(bytea, json) is
	'Import a PEFT file (adapter_model.safetensors) with its adapter_config.json. Nothing is lost: '
	'adapter_to_safetensors gives the same bytes, adapter_config the same text. A file with the keys of an '
	'envelope needs no configuration, nor does LoRA for a diffusion model as kohya, LyCORIS (LoCon), '
	'diffusers and ComfyUI write it: the scaling is alpha / r of its alpha tensors, or what '
	'lora_adapter_metadata says, or 1, and adapter_config is written from that. Errors: 22P03 file, 22032 '
	'and 22030 JSON, 22023 configuration, 54000 limits, 0A000 a peft_type that is not written as PEFT '
	'writes them, and LoHa, LoKr, OFT and the like without a configuration.';

comment on function adapter_to_safetensors(adapter) is
	'The file: the imported bytes, or for a composed adapter a file with the header that the '
	'safetensors library would write, and PEFT''s names or those of the files that it was composed of.';

comment on function adapter_from_json(json) is
	'A small adapter from its readable form {"config": {...}, "tensors": {name: {"dtype", "shape", '
	'"data"}}}; numbers are rounded once to the dtype. config may be left out where adapter_from_safetensors '
	'needs none; "names": "diffusion" says that names are those of a diffusion model''s file. At most '
	'100000 elements. Errors: 22032 not JSON or no object, 22P02 another one than this, 22030 a key twice, '
	'22023 configuration, 22003 overflow, 54000, 0A000 dtypes without a readable form.';

comment on function adapter_modules(adapter) is
	'One row a tensor, in order of name: module path, role (factor_a, factor_b, vector, bias, magnitude, '
	'alpha, middle, factor_a_transposed, factor_b_transposed, dense, difference, opaque), tensor name, '
	'dtype, shape, scaling alpha/r of a LoRA module, bytes raw and stored, Frobenius norm (summed in '
	'element order in double; null for dtypes without arithmetic), SHA-256 of the raw bytes.';

create function adapter_to_lora(adapter, shapes json default null) returns adapter
	as 'MODULE_PATHNAME' language c immutable parallel restricted cost 1000;
comment on function adapter_to_lora(adapter, json) is
	'The LoRA adapter that makes the same change to the base weights, of an adapter of type ADALORA, LOHA, '
	'LOKR or VERA; a LoRA is returned as it is. Exact: a factor''s entry is one product, rounded once, in '
	'F32 (F64 if one factor is), which products of F32 are rounded to and those of F16 and BF16 fit. The '
	'rank grows (LoHa: r squared; LoKr: the product of two): adapter_truncate(a, rank) follows. Files of '
	'these types do not tell which modules are convolutions, nor VeRA''s the inputs of a module: shapes is '
	'an object from an expression for whole module paths, Python''s, to the shape of the base weight, as '
	'{".*conv[12]": [64, 32, 3, 3], ".*fc2": [null, 3072]}; null leaves what the file tells. Tensors of '
	'modules_to_save and biases stay. Errors: 0A000 another type or kind, VeRA without its projections, '
	'22023 shapes or configuration that do not fit the tensors, or inputs that are not known, 22000 '
	'tensors that do not fit each other, 2201B bad expression, 22003 weights not finite, overflow.';

create function adapter_difference(tuned bytea, base bytea, config json, leave_out text) returns adapter
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 1000;
comment on function adapter_difference(bytea, bytea, json, text) is
	'The same without the tensors that leave_out, an expression as Python reads it, matches by their whole '
	'names, in both files: a head that only one of them has (tied weights), an embedding of another '
	'vocabulary. Errors: as before; 22023 no such tensor, 2201B bad expression.';

create function adapter_extract(adapter, rank integer, drop_others boolean default false,
	embeddings text default null, fan_in_fan_out boolean default false) returns adapter
	as 'MODULE_PATHNAME' language c stable parallel restricted cost 1000000;
comment on function adapter_extract(adapter, integer, boolean, text, boolean) is
	'The nearest LoRA of at most this rank to what full fine-tuning has done, of a difference: for each '
	'tensor path.weight of two dimensions (a linear layer or embedding), or of three to five (a '
	'convolution), the leading terms of its singular value decomposition, scaling 1 (alpha = rank), in its '
	'dtype. Frobenius error: at most 1.001 times the least possible, and 1e-7 of the norm. Other tensors '
	'(norms, biases) that are not zero are an error; drop_others leaves them out. embeddings is an '
	'expression, Python''s, for whole paths of modules that are embeddings; null: the usual names '
	'(embed_tokens, wte ...). fan_in_fan_out: the linear layers'' weights are stored as (in, out). One '
	'tensor is in memory at a time. By OpenBLAS; the recipe names the library. Errors: 22023 rank below 1, '
	'no such tensor, 0A000 another kind, tensors that a LoRA cannot hold, no OpenBLAS, 54000 rank above '
	'512 of a matrix of more than 1024 rows and columns, 22003 weights not finite, 2201B bad expression.';

create function adapter_extract(adapter, smallint, drop_others boolean default false,
	embeddings text default null, fan_in_fan_out boolean default false) returns adapter
	as 'MODULE_PATHNAME', 'adapter_extract_int2' language c stable parallel restricted cost 1000000;
comment on function adapter_extract(adapter, smallint, boolean, text, boolean) is
	'The same as with a rank of type integer.';

create function adapter_extract(adapter, bigint, drop_others boolean default false,
	embeddings text default null, fan_in_fan_out boolean default false) returns adapter
	as 'MODULE_PATHNAME', 'adapter_extract_int8' language c stable parallel restricted cost 1000000;
comment on function adapter_extract(adapter, bigint, boolean, text, boolean) is
	'The same as with a rank of type integer.';

create function adapter_extract(adapter, energy double precision, drop_others boolean default false,
	embeddings text default null, fan_in_fan_out boolean default false) returns adapter
	as 'MODULE_PATHNAME', 'adapter_extract_energy' language c stable parallel restricted cost 1000000;
comment on function adapter_extract(adapter, double precision, boolean, text, boolean) is
	'The same, each module with the smallest rank, at least 1, that keeps this share of the sum of its '
	'squared singular values. Errors: 22023 energy outside (0, 1], 54000 energy that needs a rank above '
	'512 of a matrix of more than 1024 rows and columns.';

comment on function adapter_add(adapter, adapter) is
	'Operator +: terms of both. Evaluated once, in double, and rounded once: the same bits everywhere '
	'(doc/algebra.md; addition of arXiv 2306.14870). Errors when evaluated: 22000 operands that do not fit, '
	'no module in common, or paths that differ by a prefix (setting peftarith.unpaired_modules), 0A000 an '
	'adapter that arithmetic refuses, 22003 weights not finite, or overflow.';
comment on operator + (adapter, adapter) is
	'sum of adapters: factors A and B are added, (IA)^3 adds l - 1, differences are added; error 22000: no '
	'module in common, or paths that differ by a prefix';

comment on aggregate sum(adapter) is
	'Sum over rows, as + in one expression: added up in double, rounded once, the same digest in every row '
	'order and with every number of workers. Null for no rows; nulls do not count. Error 22000: as of +.';

comment on aggregate avg(adapter) is
	'Mean over rows: the merge of arXiv 2306.14870 with equal weights. avg of copies of a is a. Null for no '
	'rows; nulls do not count. Error 22000: as of +.';

comment on aggregate sum(adapter_delta) is
	'Sum of the changes of all rows, as + in one expression: rounded once, the same digest in every row '
	'order and with every number of workers. Null for no rows; nulls do not count. Errors when evaluated: '
	'22000 base models, shapes, flags or dense tensors that do not fit, no module in common, or paths that '
	'differ by a prefix (setting peftarith.unpaired_modules), 54000 ranks that add up to more than 1024.';

create function adapter_truncate(adapter_delta, smallint) returns adapter
	as 'MODULE_PATHNAME', 'adapter_truncate_int2' language c stable strict parallel restricted cost 100000;
comment on function adapter_truncate(adapter_delta, smallint) is
	'The same as with a rank of type integer.';

create function adapter_truncate(adapter_delta, bigint) returns adapter
	as 'MODULE_PATHNAME', 'adapter_truncate_int8' language c stable strict parallel restricted cost 100000;
comment on function adapter_truncate(adapter_delta, bigint) is
	'The same as with a rank of type integer.';

create function adapter_truncation_error(adapter_delta, smallint)
	returns table (module text, full_rank integer, kept_rank integer, relative_error double precision)
	as 'MODULE_PATHNAME', 'adapter_truncation_error_int2'
	language c stable strict parallel safe cost 100000 rows 100;
comment on function adapter_truncation_error(adapter_delta, smallint) is
	'The same as with a rank of type integer.';

create function adapter_truncation_error(adapter_delta, bigint)
	returns table (module text, full_rank integer, kept_rank integer, relative_error double precision)
	as 'MODULE_PATHNAME', 'adapter_truncation_error_int8'
	language c stable strict parallel safe cost 100000 rows 100;
comment on function adapter_truncation_error(adapter_delta, bigint) is
	'The same as with a rank of type integer.';
comment on function adapter_inner(adapter_delta, adapter_delta) is
	'Inner product of two deltas: the sum of the products of their entries over all modules; a module that '
	'one lacks is zero there. Relative to the product of the norms, the error is 1e-8 at most, as long as '
	'the terms of a sum do not cancel. Errors: as adapter_norm; 22000 kinds, base models or shapes differ, '
	'no module in common, or paths that differ by a prefix (setting peftarith.unpaired_modules).';
comment on function adapter_cosine_distance(adapter_delta, adapter_delta) is
	'Operator <=>: 1 - inner product / (norm norm) of two deltas, from 0 to 2; NaN if a norm is 0 (an '
	'adapter that was never trained), which ORDER BY puts last. Errors: as adapter_inner.';
comment on operator <-> (adapter_delta, adapter_delta) is
	'Frobenius distance of two deltas. Error 22000: no module in common, or paths that differ by a prefix.';
comment on operator <=> (adapter_delta, adapter_delta) is
	'Cosine distance of two deltas; NaN, which sorts last, if one of them is 0. Error 22000: no module in '
	'common, or paths that differ by a prefix.';

create function adapter_truncate(adapter, smallint) returns adapter
	as 'MODULE_PATHNAME', 'adapter_truncate_int2' language c stable strict parallel restricted cost 100000;
comment on function adapter_truncate(adapter, smallint) is
	'The same as with a rank of type integer.';

create function adapter_truncate(adapter, bigint) returns adapter
	as 'MODULE_PATHNAME', 'adapter_truncate_int8' language c stable strict parallel restricted cost 100000;
comment on function adapter_truncate(adapter, bigint) is
	'The same as with a rank of type integer.';

create function adapter_truncation_error(adapter, smallint)
	returns table (module text, full_rank integer, kept_rank integer, relative_error double precision)
	as 'MODULE_PATHNAME', 'adapter_truncation_error_int2'
	language c stable strict parallel safe cost 100000 rows 100;
comment on function adapter_truncation_error(adapter, smallint) is
	'The same as with a rank of type integer.';

create function adapter_truncation_error(adapter, bigint)
	returns table (module text, full_rank integer, kept_rank integer, relative_error double precision)
	as 'MODULE_PATHNAME', 'adapter_truncation_error_int8'
	language c stable strict parallel safe cost 100000 rows 100;
comment on function adapter_truncation_error(adapter, bigint) is
	'The same as with a rank of type integer.';
comment on operator <-> (adapter, adapter) is
	'Frobenius distance of the deltas of two adapters. Error 22000: no module in common, or paths that '
	'differ by a prefix.';
comment on operator <=> (adapter, adapter) is
	'Cosine distance of the deltas of two adapters; NaN, which sorts last, if one of them is 0. Error 22000: '
	'no module in common, or paths that differ by a prefix.';
comment on function adapter_cast(adapter, text) is
	'Every tensor in another dtype: F64, F32, F16 or BF16 (any case), rounded once to nearest even; the '
	'8-bit float types, which are not computed with, are widened. A NOTICE says how many elements became '
	'zero. Errors: 22023 unknown dtype, 22003 overflow or weights not finite, 0A000 an adapter or dtype '
	'without arithmetic.';
