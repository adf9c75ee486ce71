create function adapter_sketch(adapter, dims integer, seed bigint) returns real[]
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 1000;
comment on function adapter_sketch(adapter, integer, bigint) is
	'A linear map of the adapter''s delta (s B A, s b, l - 1, a difference) to dims numbers, the same on '
	'every machine, whose inner products are unbiased estimates of those of the deltas; so sketches of one '
	'dims and seed can be indexed by pgvector. The standard deviation of an estimate is at most sqrt(11 / '
	'dims) of the product of the norms, in practice near 1 / sqrt(dims). Dense tensors do not count. '
	'Errors: 22023 dims not in 1..4096, 22003 NaN or infinity, or a number beyond real, 0A000 grouped '
	'convolutions, experts, and what arithmetic refuses.';

create function adapter_sketch(adapter_delta, dims integer, seed bigint) returns real[]
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 1000;
comment on function adapter_sketch(adapter_delta, integer, bigint) is
	'The sketch of a delta, as that of an adapter. A sum of deltas is not evaluated: its sketch is that of '
	'its exact terms, the weighted sum of theirs within one rounding. Errors: as for adapter; 22000 terms '
	'that do not fit together, 54000 ranks that add up to more than 1024.';
