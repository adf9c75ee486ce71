-- The work is in the final function, so partial aggregation in workers gains
-- nothing: the costs below keep the planner from it.

create function adapter_sum_transition(internal, adapter) returns internal
	as 'MODULE_PATHNAME' language c immutable parallel safe;
comment on function adapter_sum_transition(internal, adapter) is
	'Transition function of sum, avg, adapter_sum and adapter_avg: keeps references to stored values, and '
	'computed ones as they are. '
	'Error 54000: more than 512 MiB of computed adapters in one group.';

create function adapter_combine_transition(internal, adapter, double precision) returns internal
	as 'MODULE_PATHNAME' language c immutable parallel safe;
comment on function adapter_combine_transition(internal, adapter, double precision) is
	'Transition function of adapter_combine. Errors: 22003 weight not finite, 54000 as for sum.';

create function adapter_aggregate_combine(internal, internal) returns internal
	as 'MODULE_PATHNAME' language c immutable parallel safe cost 1000000;
comment on function adapter_aggregate_combine(internal, internal) is
	'Combine function of the aggregates: the terms of both states.';

create function adapter_aggregate_serialize(internal) returns bytea
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 1000000;
comment on function adapter_aggregate_serialize(internal) is
	'Serialization function of the aggregates.';

create function adapter_aggregate_deserialize(bytea, internal) returns internal
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 1000000;
comment on function adapter_aggregate_deserialize(bytea, internal) is
	'Deserialization function of the aggregates. Error 22P03: not such a state.';

create function adapter_sum_final(internal) returns adapter
	as 'MODULE_PATHNAME' language c immutable parallel safe cost 1000;
comment on function adapter_sum_final(internal) is
	'Final function of sum, adapter_sum and adapter_combine: the expression of all rows, evaluated.';

create function adapter_avg_final(internal) returns adapter
	as 'MODULE_PATHNAME' language c immutable parallel safe cost 1000;
comment on function adapter_avg_final(internal) is
	'Final function of avg and adapter_avg: each weight is the exact sum of its weights divided by the '
	'number of rows, rounded once.';

create aggregate sum(adapter) (
	sfunc = adapter_sum_transition,
	stype = internal,
	finalfunc = adapter_sum_final,
	finalfunc_modify = read_only,
	combinefunc = adapter_aggregate_combine,
	serialfunc = adapter_aggregate_serialize,
	deserialfunc = adapter_aggregate_deserialize,
	parallel = safe
);
comment on aggregate sum(adapter) is
	'Sum over rows, as + in one expression: added up in double, rounded once, the same digest in every row '
	'order and with every number of workers. Null for no rows; nulls do not count. Error 22000: as of +.';

create aggregate avg(adapter) (
	sfunc = adapter_sum_transition,
	stype = internal,
	finalfunc = adapter_avg_final,
	finalfunc_modify = read_only,
	combinefunc = adapter_aggregate_combine,
	serialfunc = adapter_aggregate_serialize,
	deserialfunc = adapter_aggregate_deserialize,
	parallel = safe
);
comment on aggregate avg(adapter) is
	'Mean over rows: the merge of arXiv 2306.14870 with equal weights. avg of copies of a is a. Null for no '
	'rows; nulls do not count. Error 22000: as of +.';

-- Engines that distribute a query know sum and avg by their names and split them
-- as those of numbers, so that parts are rounded; other names are left alone.

create aggregate adapter_sum(adapter) (
	sfunc = adapter_sum_transition,
	stype = internal,
	finalfunc = adapter_sum_final,
	finalfunc_modify = read_only,
	combinefunc = adapter_aggregate_combine,
	serialfunc = adapter_aggregate_serialize,
	deserialfunc = adapter_aggregate_deserialize,
	parallel = safe
);
comment on aggregate adapter_sum(adapter) is
	'sum under a name of its own, for engines that rewrite sum when they distribute a query over nodes. Null '
	'for no rows; nulls do not count.';

create aggregate adapter_avg(adapter) (
	sfunc = adapter_sum_transition,
	stype = internal,
	finalfunc = adapter_avg_final,
	finalfunc_modify = read_only,
	combinefunc = adapter_aggregate_combine,
	serialfunc = adapter_aggregate_serialize,
	deserialfunc = adapter_aggregate_deserialize,
	parallel = safe
);
comment on aggregate adapter_avg(adapter) is
	'avg under a name of its own, for engines that rewrite avg as a sum of rounded partial sums over a count '
	'(Citus does, by the name). Null for no rows; nulls do not count.';

create aggregate adapter_combine(adapter, weight double precision) (
	sfunc = adapter_combine_transition,
	stype = internal,
	finalfunc = adapter_sum_final,
	finalfunc_modify = read_only,
	combinefunc = adapter_aggregate_combine,
	serialfunc = adapter_aggregate_serialize,
	deserialfunc = adapter_aggregate_deserialize,
	parallel = safe
);
comment on aggregate adapter_combine(adapter, double precision) is
	'Weighted sum over rows: weight * a added up in one expression, as sum. Rows without an adapter or a '
	'weight do not count. Error 22003: weight not finite.';
