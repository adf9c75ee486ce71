-- adapter_delta: the same stored values as adapter, with the algebra of the
-- deltas (doc/algebra.md, "Delta space").  Where the C function is the same for
-- both types it is named.
create type adapter_delta;

create function adapter_delta_in(cstring) returns adapter_delta
	as 'MODULE_PATHNAME', 'adapter_in' language c immutable strict parallel safe cost 1000;
comment on function adapter_delta_in(cstring) is
	'Input: base64 of an envelope, as that of adapter. Errors: 22P02 not base64, 22P03 not an envelope, and '
	'those of adapter_from_safetensors.';

create function adapter_delta_out(adapter_delta) returns cstring
	as 'MODULE_PATHNAME', 'adapter_out' language c immutable strict parallel safe cost 1000;
comment on function adapter_delta_out(adapter_delta) is
	'Output: base64 of the envelope, as that of adapter.';

create function adapter_delta_recv(internal) returns adapter_delta
	as 'MODULE_PATHNAME', 'adapter_recv' language c immutable strict parallel safe cost 1000;
comment on function adapter_delta_recv(internal) is
	'Binary input: an envelope, as that of adapter.';

create function adapter_delta_send(adapter_delta) returns bytea
	as 'MODULE_PATHNAME', 'adapter_send' language c immutable strict parallel safe cost 1000;
comment on function adapter_delta_send(adapter_delta) is
	'Binary output: the envelope.';

create type adapter_delta (
	input = adapter_delta_in,
	output = adapter_delta_out,
	receive = adapter_delta_recv,
	send = adapter_delta_send,
	internallength = variable,
	alignment = int4,
	storage = external
);
comment on type adapter_delta is
	'The change that an adapter makes to the base weights: s B A (and s b) for LoRA, l - 1 for (IA)^3, a '
	'difference itself. Its operators are those of a vector space; it is stored as the adapter that makes '
	'the change.';

create function delta(adapter) returns adapter_delta
	as 'MODULE_PATHNAME', 'adapter_delta_cast' language c immutable strict parallel safe;
comment on function delta(adapter) is
	'The adapter as the change that it makes. A stored value stays as it is, with digest and recipe; an '
	'expression is evaluated first, by the rule of adapter.';

create function adapter(adapter_delta) returns adapter
	as 'MODULE_PATHNAME', 'adapter_delta_cast' language c immutable strict parallel safe;
comment on function adapter(adapter_delta) is
	'The adapter that makes the change. A stored value stays as it is, with digest and recipe; an '
	'expression is evaluated first: factors A below each other, factors B side by side, each times weight '
	'and scaling, rounded once; the ranks add up, the scaling is 1.';

create cast (adapter as adapter_delta) with function delta(adapter);
comment on cast (adapter as adapter_delta) is
	'explicit only, so that no expression changes its algebra unnoticed';

create cast (adapter_delta as adapter) with function adapter(adapter_delta);
comment on cast (adapter_delta as adapter) is
	'explicit only, so that no expression changes its algebra unnoticed';

-- Operators are stable for the reason that 20-operators.sql gives.

create function adapter_delta_add(adapter_delta, adapter_delta) returns adapter_delta
	as 'MODULE_PATHNAME' language c stable strict parallel restricted;
comment on function adapter_delta_add(adapter_delta, adapter_delta) is
	'Operator +: s1 B1 A1 + s2 B2 A2, exact in the weights, for any ranks and scalings. Evaluated once and '
	'rounded once. Errors when evaluated: 22000 base models, shapes, flags or dense tensors that do not '
	'fit, 54000 ranks that add up to more than 1024.';

create function adapter_delta_sub(adapter_delta, adapter_delta) returns adapter_delta
	as 'MODULE_PATHNAME' language c stable strict parallel restricted;
comment on function adapter_delta_sub(adapter_delta, adapter_delta) is
	'Operator -: s1 B1 A1 - s2 B2 A2. d - d is the neutral value. Errors when evaluated: 22000 base models, '
	'shapes, flags or dense tensors that do not fit, 54000 ranks that add up to more than 1024.';

create function adapter_delta_neg(adapter_delta) returns adapter_delta
	as 'MODULE_PATHNAME' language c stable strict parallel restricted;
comment on function adapter_delta_neg(adapter_delta) is
	'Operator -: the opposite change.';

create function adapter_delta_mul(adapter_delta, double precision) returns adapter_delta
	as 'MODULE_PATHNAME' language c stable strict parallel restricted;
comment on function adapter_delta_mul(adapter_delta, double precision) is
	'Operator *: w s B A; (IA)^3 w (l - 1). Error 22003: weight not finite.';

create function adapter_delta_mul_left(double precision, adapter_delta) returns adapter_delta
	as 'MODULE_PATHNAME' language c stable strict parallel restricted;
comment on function adapter_delta_mul_left(double precision, adapter_delta) is
	'Operator *: the same with the weight on the left.';

create function adapter_delta_div(adapter_delta, double precision) returns adapter_delta
	as 'MODULE_PATHNAME' language c stable strict parallel restricted;
comment on function adapter_delta_div(adapter_delta, double precision) is
	'Operator /: s B A / w; (IA)^3 (l - 1) / w. Errors: 22012 division by zero, 22003 weight not finite.';

create function adapter_lerp(adapter_delta, adapter_delta, weight double precision) returns adapter_delta
	as 'MODULE_PATHNAME', 'adapter_delta_lerp' language c stable strict parallel restricted;
comment on function adapter_lerp(adapter_delta, adapter_delta, double precision) is
	'(1 - weight) d + weight e, for any finite weight. Deferred like the operators.';

create operator + (leftarg = adapter_delta, rightarg = adapter_delta, function = adapter_delta_add,
	commutator = +);
comment on operator + (adapter_delta, adapter_delta) is 'sum of the changes';

create operator - (leftarg = adapter_delta, rightarg = adapter_delta, function = adapter_delta_sub);
comment on operator - (adapter_delta, adapter_delta) is 'difference of the changes';

create operator - (rightarg = adapter_delta, function = adapter_delta_neg);
comment on operator - (none, adapter_delta) is 'the opposite change';

create operator * (leftarg = adapter_delta, rightarg = double precision, function = adapter_delta_mul,
	commutator = *);
comment on operator * (adapter_delta, double precision) is 'change times weight';

create operator * (leftarg = double precision, rightarg = adapter_delta, function = adapter_delta_mul_left,
	commutator = *);
comment on operator * (double precision, adapter_delta) is 'weight times change';

create operator / (leftarg = adapter_delta, rightarg = double precision, function = adapter_delta_div);
comment on operator / (adapter_delta, double precision) is 'change divided by a weight';

create function adapter_delta_eq(adapter_delta, adapter_delta) returns boolean
	as 'MODULE_PATHNAME', 'adapter_eq' language c immutable strict parallel safe;
comment on function adapter_delta_eq(adapter_delta, adapter_delta) is
	'Operator =: equal digests. Reads two headers.';

create function adapter_delta_ne(adapter_delta, adapter_delta) returns boolean
	as 'MODULE_PATHNAME', 'adapter_ne' language c immutable strict parallel safe;
comment on function adapter_delta_ne(adapter_delta, adapter_delta) is
	'Operator <>: different digests.';

create function adapter_delta_lt(adapter_delta, adapter_delta) returns boolean
	as 'MODULE_PATHNAME', 'adapter_lt' language c immutable strict parallel safe;
comment on function adapter_delta_lt(adapter_delta, adapter_delta) is
	'Operator <: bytewise order of digests.';

create function adapter_delta_le(adapter_delta, adapter_delta) returns boolean
	as 'MODULE_PATHNAME', 'adapter_le' language c immutable strict parallel safe;
comment on function adapter_delta_le(adapter_delta, adapter_delta) is
	'Operator <=: bytewise order of digests.';

create function adapter_delta_gt(adapter_delta, adapter_delta) returns boolean
	as 'MODULE_PATHNAME', 'adapter_gt' language c immutable strict parallel safe;
comment on function adapter_delta_gt(adapter_delta, adapter_delta) is
	'Operator >: bytewise order of digests.';

create function adapter_delta_ge(adapter_delta, adapter_delta) returns boolean
	as 'MODULE_PATHNAME', 'adapter_ge' language c immutable strict parallel safe;
comment on function adapter_delta_ge(adapter_delta, adapter_delta) is
	'Operator >=: bytewise order of digests.';

create function adapter_delta_cmp(adapter_delta, adapter_delta) returns integer
	as 'MODULE_PATHNAME', 'adapter_cmp' language c immutable strict parallel safe;
comment on function adapter_delta_cmp(adapter_delta, adapter_delta) is
	'Order of digests, bytewise: -1, 0 or 1.';

create function adapter_delta_hash(adapter_delta) returns integer
	as 'MODULE_PATHNAME', 'adapter_hash' language c immutable strict parallel safe;
comment on function adapter_delta_hash(adapter_delta) is
	'Hash of the digest.';

create function adapter_delta_hash_extended(adapter_delta, bigint) returns bigint
	as 'MODULE_PATHNAME', 'adapter_hash_extended' language c immutable strict parallel safe;
comment on function adapter_delta_hash_extended(adapter_delta, bigint) is
	'Hash of the digest with a seed.';

create operator = (
	leftarg = adapter_delta, rightarg = adapter_delta, function = adapter_delta_eq,
	commutator = =, negator = <>, restrict = eqsel, join = eqjoinsel, hashes, merges
);
comment on operator = (adapter_delta, adapter_delta) is 'equal digests';

create operator <> (
	leftarg = adapter_delta, rightarg = adapter_delta, function = adapter_delta_ne,
	commutator = <>, negator = =, restrict = neqsel, join = neqjoinsel
);
comment on operator <> (adapter_delta, adapter_delta) is 'different digests';

create operator < (
	leftarg = adapter_delta, rightarg = adapter_delta, function = adapter_delta_lt,
	commutator = >, negator = >=, restrict = scalarltsel, join = scalarltjoinsel
);
comment on operator < (adapter_delta, adapter_delta) is 'digest is bytewise smaller';

create operator <= (
	leftarg = adapter_delta, rightarg = adapter_delta, function = adapter_delta_le,
	commutator = >=, negator = >, restrict = scalarlesel, join = scalarlejoinsel
);
comment on operator <= (adapter_delta, adapter_delta) is 'digest is bytewise smaller or equal';

create operator > (
	leftarg = adapter_delta, rightarg = adapter_delta, function = adapter_delta_gt,
	commutator = <, negator = <=, restrict = scalargtsel, join = scalargtjoinsel
);
comment on operator > (adapter_delta, adapter_delta) is 'digest is bytewise greater';

create operator >= (
	leftarg = adapter_delta, rightarg = adapter_delta, function = adapter_delta_ge,
	commutator = <=, negator = <, restrict = scalargesel, join = scalargejoinsel
);
comment on operator >= (adapter_delta, adapter_delta) is 'digest is bytewise greater or equal';

-- No equalimage function: equal adapters may differ in recipe and file header.
create operator class adapter_delta_ops default for type adapter_delta using btree as
	operator 1 <,
	operator 2 <=,
	operator 3 =,
	operator 4 >=,
	operator 5 >,
	function 1 adapter_delta_cmp(adapter_delta, adapter_delta);
comment on operator class adapter_delta_ops using btree is
	'order of digests, for ORDER BY, DISTINCT and merge joins; index the digest, not the value: create '
	'unique index on t (adapter_digest(adapter(d)))';
comment on operator family adapter_delta_ops using btree is 'order of digests';

create operator class adapter_delta_ops default for type adapter_delta using hash as
	operator 1 =,
	function 1 adapter_delta_hash(adapter_delta),
	function 2 adapter_delta_hash_extended(adapter_delta, bigint);
comment on operator class adapter_delta_ops using hash is
	'equality of digests, for GROUP BY, hash joins and hash indexes';
comment on operator family adapter_delta_ops using hash is 'equality of digests';

-- Combine, serialization and deserialization functions are those of
-- 40-aggregates.sql: a state knows its space.

create function adapter_delta_sum_transition(internal, adapter_delta) returns internal
	as 'MODULE_PATHNAME' language c immutable parallel safe;
comment on function adapter_delta_sum_transition(internal, adapter_delta) is
	'Transition function of sum, avg, adapter_sum and adapter_avg: keeps references to stored values, and '
	'computed ones as they are. '
	'Error 54000: more than 512 MiB of computed adapters in one group.';

create function adapter_delta_combine_transition(internal, adapter_delta, double precision) returns internal
	as 'MODULE_PATHNAME' language c immutable parallel safe;
comment on function adapter_delta_combine_transition(internal, adapter_delta, double precision) is
	'Transition function of adapter_combine. Errors: 22003 weight not finite, 54000 as for sum.';

create function adapter_delta_sum_final(internal) returns adapter_delta
	as 'MODULE_PATHNAME', 'adapter_sum_final' language c immutable parallel safe cost 1000;
comment on function adapter_delta_sum_final(internal) is
	'Final function of sum, adapter_sum and adapter_combine: the expression of all rows, evaluated.';

create function adapter_delta_avg_final(internal) returns adapter_delta
	as 'MODULE_PATHNAME', 'adapter_avg_final' language c immutable parallel safe cost 1000;
comment on function adapter_delta_avg_final(internal) is
	'Final function of avg and adapter_avg: each weight is the exact sum of its weights divided by the '
	'number of rows, rounded once.';

create aggregate sum(adapter_delta) (
	sfunc = adapter_delta_sum_transition,
	stype = internal,
	finalfunc = adapter_delta_sum_final,
	finalfunc_modify = read_only,
	combinefunc = adapter_aggregate_combine,
	serialfunc = adapter_aggregate_serialize,
	deserialfunc = adapter_aggregate_deserialize,
	parallel = safe
);
comment on aggregate sum(adapter_delta) is
	'Sum of the changes of all rows, as + in one expression: rounded once, the same digest in every row '
	'order and with every number of workers. Null for no rows; nulls do not count. Errors when evaluated: '
	'22000 base models, shapes, flags or dense tensors that do not fit, no module in common, or paths that '
	'differ by a prefix (setting peftarith.unpaired_modules), 54000 ranks that add up to more than 1024.';

create aggregate avg(adapter_delta) (
	sfunc = adapter_delta_sum_transition,
	stype = internal,
	finalfunc = adapter_delta_avg_final,
	finalfunc_modify = read_only,
	combinefunc = adapter_aggregate_combine,
	serialfunc = adapter_aggregate_serialize,
	deserialfunc = adapter_aggregate_deserialize,
	parallel = safe
);
comment on aggregate avg(adapter_delta) is
	'Mean of the changes. avg of copies of d is d. Null for no rows; nulls do not count.';

create aggregate adapter_sum(adapter_delta) (
	sfunc = adapter_delta_sum_transition,
	stype = internal,
	finalfunc = adapter_delta_sum_final,
	finalfunc_modify = read_only,
	combinefunc = adapter_aggregate_combine,
	serialfunc = adapter_aggregate_serialize,
	deserialfunc = adapter_aggregate_deserialize,
	parallel = safe
);
comment on aggregate adapter_sum(adapter_delta) is
	'sum under a name of its own, for engines that rewrite sum when they distribute a query over nodes. Null '
	'for no rows; nulls do not count. Errors as for sum.';

create aggregate adapter_avg(adapter_delta) (
	sfunc = adapter_delta_sum_transition,
	stype = internal,
	finalfunc = adapter_delta_avg_final,
	finalfunc_modify = read_only,
	combinefunc = adapter_aggregate_combine,
	serialfunc = adapter_aggregate_serialize,
	deserialfunc = adapter_aggregate_deserialize,
	parallel = safe
);
comment on aggregate adapter_avg(adapter_delta) is
	'avg under a name of its own, for engines that rewrite avg as a sum of rounded partial sums over a count '
	'(Citus does, by the name). Null for no rows; nulls do not count. Errors as for sum.';

create aggregate adapter_combine(adapter_delta, weight double precision) (
	sfunc = adapter_delta_combine_transition,
	stype = internal,
	finalfunc = adapter_delta_sum_final,
	finalfunc_modify = read_only,
	combinefunc = adapter_aggregate_combine,
	serialfunc = adapter_aggregate_serialize,
	deserialfunc = adapter_aggregate_deserialize,
	parallel = safe
);
comment on aggregate adapter_combine(adapter_delta, double precision) is
	'Weighted sum of the changes: weight * d added up in one expression, as sum. Rows without a change or a '
	'weight do not count. Error 22003: weight not finite.';
