create function adapter_kind(adapter) returns text
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function adapter_kind(adapter) is
	'Kind of the adapter: lora, ia3, difference or opaque (every other type of PEFT: stored, not '
	'computed with). Reads the header only.';

create function adapter_peft_type(adapter) returns text
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function adapter_peft_type(adapter) is
	'peft_type of the adapter''s configuration: LORA, IA3, DIFFERENCE, or of kind opaque what it is, '
	'for example PROMPT_TUNING.';

create function adapter_base_model(adapter) returns text
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function adapter_base_model(adapter) is
	'Base model as the configuration names it (base_model_name_or_path); null if it names none.';

create function adapter_rank(adapter, module text default null) returns integer
	as 'MODULE_PATHNAME' language c immutable parallel safe;
comment on function adapter_rank(adapter, text) is
	'LoRA rank of a module (rows of its factor A), or the largest rank if no module is named; null for '
	'every other kind. Error 42704: no such module.';

create function adapter_digest(adapter) returns bytea
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function adapter_digest(adapter) is
	'Content digest, 32 bytes: SHA-256 over tensors and every configuration field that an operation reads '
	'(doc/format.md). Equal digests are equal adapters. Reads the header only.';

create function adapter_envelope_digest(adapter) returns bytea
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function adapter_envelope_digest(adapter) is
	'SHA-256, 32 bytes, over digest, recipe, configuration text and original header: changes when any of '
	'them does. Reads the header only.';

create function adapter_raw_size(adapter) returns bigint
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function adapter_raw_size(adapter) is
	'Bytes of all tensors, uncompressed. Reads the header only; pg_column_size tells the stored size.';

create function adapter_recipe(adapter) returns jsonb
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function adapter_recipe(adapter) is
	'How the value was made: a graph of operations with exact weights (hexadecimal floats) down to imported '
	'files (doc/format.md). A claim until it is recomputed.';

create function adapter_check(adapter) returns boolean
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 1000;
comment on function adapter_check(adapter) is
	'Decodes every block and recomputes every SHA-256, the digest and the envelope digest; true, or error '
	'XX001 that names what is damaged.';

create function adapter_modules(adapter,
	out module text, out role text, out tensor text, out dtype text, out shape bigint[],
	out scaling double precision, out raw_bytes bigint, out stored_bytes bigint,
	out norm double precision, out digest bytea)
	returns setof record
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 1000 rows 100;
comment on function adapter_modules(adapter) is
	'One row a tensor, in order of name: module path, role (factor_a, factor_b, vector, bias, magnitude, '
	'alpha, middle, factor_a_transposed, factor_b_transposed, dense, difference, opaque), tensor name, '
	'dtype, shape, scaling alpha/r of a LoRA module, bytes raw and stored, Frobenius norm (summed in '
	'element order in double; null for dtypes without arithmetic), SHA-256 of the raw bytes.';

create function adapter_tensor(adapter, name text) returns double precision[]
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 100;
comment on function adapter_tensor(adapter, text) is
	'Elements of one tensor in its shape, widened exactly. Reads only that tensor. Errors: 42704 no such '
	'tensor, 54000 more than 16777216 elements, 0A000 dtype without arithmetic.';

create function adapter_module_delta(adapter, module text) returns double precision[]
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 1000;
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
