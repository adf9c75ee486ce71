-- Truncation, spectra and geometry of deltas, for adapter_delta and, each taken
-- as its delta, for adapter.  Stable, not immutable, though the results depend
-- on the arguments alone: they come from a library within a tolerance, so the
-- planner shall not put one machine's figures into a stored plan or index.

create function adapter_truncate(adapter_delta, rank integer) returns adapter
	as 'MODULE_PATHNAME' language c stable strict parallel restricted cost 100000;
comment on function adapter_truncate(adapter_delta, integer) is
	'The best approximation of each module''s delta of at most this rank, in the Frobenius norm, from the '
	'factors; a sum is not evaluated first. The result''s scaling is 1 (alpha = rank), B A the leading '
	'terms of the singular value decomposition; lora_bias stays exact, dense tensors are those of the sum. '
	'Rank of a module: min(rank, its own, rows, columns). By OpenBLAS, exact within rounding, not bit for '
	'bit; the recipe names the library. Errors: 22023 rank below 1, 22003 weights or inputs not finite, '
	'overflow, 54000 rank of the sum above 1024, 0A000 (IA)^3, differences, grouped convolutions, experts, '
	'no OpenBLAS (package libopenblas0), and those of the sum.';

create function adapter_truncate(adapter_delta, smallint) returns adapter
	as 'MODULE_PATHNAME', 'adapter_truncate_int2' language c stable strict parallel restricted cost 100000;
comment on function adapter_truncate(adapter_delta, smallint) is
	'The same as with a rank of type integer.';

create function adapter_truncate(adapter_delta, bigint) returns adapter
	as 'MODULE_PATHNAME', 'adapter_truncate_int8' language c stable strict parallel restricted cost 100000;
comment on function adapter_truncate(adapter_delta, bigint) is
	'The same as with a rank of type integer.';

create function adapter_truncate(adapter_delta, energy double precision) returns adapter
	as 'MODULE_PATHNAME', 'adapter_truncate_energy' language c stable strict parallel restricted cost 100000;
comment on function adapter_truncate(adapter_delta, double precision) is
	'The same, each module with the smallest rank, at least 1, that keeps this share of the sum of its '
	'squared singular values. Error 22023: energy outside (0, 1].';

create function adapter_spectrum(adapter_delta)
	returns table (module text, index integer, singular_value double precision)
	as 'MODULE_PATHNAME' language c stable strict parallel safe cost 100000 rows 1000;
comment on function adapter_spectrum(adapter_delta) is
	'The singular values of each module''s delta in descending order, index from 1 to min(rank, rows, '
	'columns), (out x in) or its transpose alike; those that are rounding noise of the input are 0. Errors: '
	'22003 inputs not finite, 54000 rank of the sum above 1024, 0A000 (IA)^3, differences, grouped '
	'convolutions, experts, no OpenBLAS.';

create function adapter_truncation_error(adapter_delta, rank integer)
	returns table (module text, full_rank integer, kept_rank integer, relative_error double precision)
	as 'MODULE_PATHNAME' language c stable strict parallel safe cost 100000 rows 100;
comment on function adapter_truncation_error(adapter_delta, integer) is
	'What adapter_truncate to this rank leaves out, module by module: full_rank is that of the factors, '
	'kept_rank that of the result, relative_error sqrt(sum of the squared singular values left out / sum of '
	'all), 0 if all are 0. Errors: 22023 rank below 1, and those of adapter_spectrum.';

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

create function adapter_truncation_error(adapter_delta, energy double precision)
	returns table (module text, full_rank integer, kept_rank integer, relative_error double precision)
	as 'MODULE_PATHNAME', 'adapter_truncation_error_energy'
	language c stable strict parallel safe cost 100000 rows 100;
comment on function adapter_truncation_error(adapter_delta, double precision) is
	'The same for adapter_truncate with this energy. Error 22023: energy outside (0, 1].';

create function adapter_norm(adapter_delta) returns double precision
	as 'MODULE_PATHNAME' language c stable strict parallel safe cost 50000;
comment on function adapter_norm(adapter_delta) is
	'Frobenius norm of the delta: sqrt of the sum over modules of the squared entries of s B A (and of s b '
	'for a lora_bias; for (IA)^3 of l - 1, of differences), from the factors. Dense tensors do not count. '
	'Relative error 1e-6 at most, as long as terms that cancel leave 1e-8 of their size. Errors: 22003 '
	'inputs not finite, result out of range, 54000 rank of the sum above 1024, 0A000 grouped convolutions, '
	'experts, no OpenBLAS.';

create function adapter_inner(adapter_delta, adapter_delta) returns double precision
	as 'MODULE_PATHNAME' language c stable strict parallel safe cost 50000;
comment on function adapter_inner(adapter_delta, adapter_delta) is
	'Inner product of two deltas: the sum of the products of their entries over all modules; a module that '
	'one lacks is zero there. Relative to the product of the norms, the error is 1e-8 at most, as long as '
	'the terms of a sum do not cancel. Errors: as adapter_norm; 22000 kinds, base models or shapes differ, '
	'no module in common, or paths that differ by a prefix (setting peftarith.unpaired_modules).';

create function adapter_distance(adapter_delta, adapter_delta) returns double precision
	as 'MODULE_PATHNAME' language c stable strict parallel safe cost 50000;
comment on function adapter_distance(adapter_delta, adapter_delta) is
	'Operator <->: adapter_norm(a - b) of deltas, without forming the difference. Errors: as adapter_inner.';

create function adapter_cosine_distance(adapter_delta, adapter_delta) returns double precision
	as 'MODULE_PATHNAME' language c stable strict parallel safe cost 50000;
comment on function adapter_cosine_distance(adapter_delta, adapter_delta) is
	'Operator <=>: 1 - inner product / (norm norm) of two deltas, from 0 to 2; NaN if a norm is 0 (an '
	'adapter that was never trained), which ORDER BY puts last. Errors: as adapter_inner.';

create operator <-> (function = adapter_distance, leftarg = adapter_delta, rightarg = adapter_delta,
	commutator = <->);
comment on operator <-> (adapter_delta, adapter_delta) is
	'Frobenius distance of two deltas. Error 22000: no module in common, or paths that differ by a prefix.';

create operator <=> (function = adapter_cosine_distance, leftarg = adapter_delta, rightarg = adapter_delta,
	commutator = <=>);
comment on operator <=> (adapter_delta, adapter_delta) is
	'Cosine distance of two deltas; NaN, which sorts last, if one of them is 0. Error 22000: no module in '
	'common, or paths that differ by a prefix.';

create function adapter_module_norms(adapter_delta)
	returns table (module text, norm double precision)
	as 'MODULE_PATHNAME' language c stable strict parallel safe cost 50000 rows 100;
comment on function adapter_module_norms(adapter_delta) is
	'adapter_norm of each target module, in path order. Errors: as adapter_norm.';

create function adapter_module_geometry(adapter_delta, adapter_delta)
	returns table (module text, norm_a double precision, norm_b double precision,
		inner_product double precision, distance double precision, cosine_distance double precision)
	as 'MODULE_PATHNAME' language c stable strict parallel safe cost 50000 rows 100;
comment on function adapter_module_geometry(adapter_delta, adapter_delta) is
	'adapter_norm of both, adapter_inner, adapter_distance and adapter_cosine_distance for each target '
	'module of either, in path order. Errors: as adapter_inner.';

create function adapter_truncate(adapter, rank integer) returns adapter
	as 'MODULE_PATHNAME' language c stable strict parallel restricted cost 100000;
comment on function adapter_truncate(adapter, integer) is
	'The same for adapters, each taken as its delta; an expression in parameter space is evaluated first. '
	'Formula, shapes and errors as for adapter_delta.';

create function adapter_truncate(adapter, smallint) returns adapter
	as 'MODULE_PATHNAME', 'adapter_truncate_int2' language c stable strict parallel restricted cost 100000;
comment on function adapter_truncate(adapter, smallint) is
	'The same as with a rank of type integer.';

create function adapter_truncate(adapter, bigint) returns adapter
	as 'MODULE_PATHNAME', 'adapter_truncate_int8' language c stable strict parallel restricted cost 100000;
comment on function adapter_truncate(adapter, bigint) is
	'The same as with a rank of type integer.';

create function adapter_truncate(adapter, energy double precision) returns adapter
	as 'MODULE_PATHNAME', 'adapter_truncate_energy' language c stable strict parallel restricted cost 100000;
comment on function adapter_truncate(adapter, double precision) is
	'The same for adapters, each taken as its delta; an expression in parameter space is evaluated first. '
	'Formula, shapes and errors as for adapter_delta.';

create function adapter_spectrum(adapter)
	returns table (module text, index integer, singular_value double precision)
	as 'MODULE_PATHNAME' language c stable strict parallel safe cost 100000 rows 1000;
comment on function adapter_spectrum(adapter) is
	'The same for adapters, each taken as its delta; an expression in parameter space is evaluated first. '
	'Formula, shapes and errors as for adapter_delta.';

create function adapter_truncation_error(adapter, rank integer)
	returns table (module text, full_rank integer, kept_rank integer, relative_error double precision)
	as 'MODULE_PATHNAME' language c stable strict parallel safe cost 100000 rows 100;
comment on function adapter_truncation_error(adapter, integer) is
	'The same for adapters, each taken as its delta; an expression in parameter space is evaluated first. '
	'Formula, shapes and errors as for adapter_delta.';

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

create function adapter_truncation_error(adapter, energy double precision)
	returns table (module text, full_rank integer, kept_rank integer, relative_error double precision)
	as 'MODULE_PATHNAME', 'adapter_truncation_error_energy'
	language c stable strict parallel safe cost 100000 rows 100;
comment on function adapter_truncation_error(adapter, double precision) is
	'The same for adapters, each taken as its delta; an expression in parameter space is evaluated first. '
	'Formula, shapes and errors as for adapter_delta.';

create function adapter_norm(adapter) returns double precision
	as 'MODULE_PATHNAME' language c stable strict parallel safe cost 50000;
comment on function adapter_norm(adapter) is
	'The same for adapters, each taken as its delta; an expression in parameter space is evaluated first. '
	'Formula, shapes and errors as for adapter_delta.';

create function adapter_inner(adapter, adapter) returns double precision
	as 'MODULE_PATHNAME' language c stable strict parallel safe cost 50000;
comment on function adapter_inner(adapter, adapter) is
	'The same for adapters, each taken as its delta; an expression in parameter space is evaluated first. '
	'Formula, shapes and errors as for adapter_delta.';

create function adapter_distance(adapter, adapter) returns double precision
	as 'MODULE_PATHNAME' language c stable strict parallel safe cost 50000;
comment on function adapter_distance(adapter, adapter) is
	'The same for adapters, each taken as its delta; an expression in parameter space is evaluated first. '
	'Formula, shapes and errors as for adapter_delta.';

create function adapter_cosine_distance(adapter, adapter) returns double precision
	as 'MODULE_PATHNAME' language c stable strict parallel safe cost 50000;
comment on function adapter_cosine_distance(adapter, adapter) is
	'The same for adapters, each taken as its delta; an expression in parameter space is evaluated first. '
	'Formula, shapes and errors as for adapter_delta.';

create operator <-> (function = adapter_distance, leftarg = adapter, rightarg = adapter, commutator = <->);
comment on operator <-> (adapter, adapter) is
	'Frobenius distance of the deltas of two adapters. Error 22000: no module in common, or paths that '
	'differ by a prefix.';

create operator <=> (function = adapter_cosine_distance, leftarg = adapter, rightarg = adapter,
	commutator = <=>);
comment on operator <=> (adapter, adapter) is
	'Cosine distance of the deltas of two adapters; NaN, which sorts last, if one of them is 0. Error 22000: '
	'no module in common, or paths that differ by a prefix.';

create function adapter_module_norms(adapter)
	returns table (module text, norm double precision)
	as 'MODULE_PATHNAME' language c stable strict parallel safe cost 50000 rows 100;
comment on function adapter_module_norms(adapter) is
	'The same for adapters, each taken as its delta; an expression in parameter space is evaluated first. '
	'Formula, shapes and errors as for adapter_delta.';

create function adapter_module_geometry(adapter, adapter)
	returns table (module text, norm_a double precision, norm_b double precision,
		inner_product double precision, distance double precision, cosine_distance double precision)
	as 'MODULE_PATHNAME' language c stable strict parallel safe cost 50000 rows 100;
comment on function adapter_module_geometry(adapter, adapter) is
	'The same for adapters, each taken as its delta; an expression in parameter space is evaluated first. '
	'Formula, shapes and errors as for adapter_delta.';
