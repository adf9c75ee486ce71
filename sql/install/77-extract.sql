-- Stable, as truncation is (70-lowrank.sql).

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
