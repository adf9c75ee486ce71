create function adapter_eq(adapter, adapter) returns boolean
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function adapter_eq(adapter, adapter) is 'Operator =: equal digests. Reads two headers.';

create function adapter_ne(adapter, adapter) returns boolean
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function adapter_ne(adapter, adapter) is 'Operator <>: different digests.';

create function adapter_lt(adapter, adapter) returns boolean
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function adapter_lt(adapter, adapter) is 'Operator <: bytewise order of digests.';

create function adapter_le(adapter, adapter) returns boolean
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function adapter_le(adapter, adapter) is 'Operator <=: bytewise order of digests.';

create function adapter_gt(adapter, adapter) returns boolean
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function adapter_gt(adapter, adapter) is 'Operator >: bytewise order of digests.';

create function adapter_ge(adapter, adapter) returns boolean
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function adapter_ge(adapter, adapter) is 'Operator >=: bytewise order of digests.';

create function adapter_cmp(adapter, adapter) returns integer
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function adapter_cmp(adapter, adapter) is 'Order of digests, bytewise: -1, 0 or 1.';

create function adapter_hash(adapter) returns integer
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function adapter_hash(adapter) is 'Hash of the digest.';

create function adapter_hash_extended(adapter, bigint) returns bigint
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function adapter_hash_extended(adapter, bigint) is 'Hash of the digest with a seed.';

create operator = (
	leftarg = adapter, rightarg = adapter, function = adapter_eq,
	commutator = =, negator = <>, restrict = eqsel, join = eqjoinsel, hashes, merges
);
comment on operator = (adapter, adapter) is 'equal digests';

create operator <> (
	leftarg = adapter, rightarg = adapter, function = adapter_ne,
	commutator = <>, negator = =, restrict = neqsel, join = neqjoinsel
);
comment on operator <> (adapter, adapter) is 'different digests';

create operator < (
	leftarg = adapter, rightarg = adapter, function = adapter_lt,
	commutator = >, negator = >=, restrict = scalarltsel, join = scalarltjoinsel
);
comment on operator < (adapter, adapter) is 'digest is bytewise smaller';

create operator <= (
	leftarg = adapter, rightarg = adapter, function = adapter_le,
	commutator = >=, negator = >, restrict = scalarlesel, join = scalarlejoinsel
);
comment on operator <= (adapter, adapter) is 'digest is bytewise smaller or equal';

create operator > (
	leftarg = adapter, rightarg = adapter, function = adapter_gt,
	commutator = <, negator = <=, restrict = scalargtsel, join = scalargtjoinsel
);
comment on operator > (adapter, adapter) is 'digest is bytewise greater';

create operator >= (
	leftarg = adapter, rightarg = adapter, function = adapter_ge,
	commutator = <=, negator = <, restrict = scalargesel, join = scalargejoinsel
);
comment on operator >= (adapter, adapter) is 'digest is bytewise greater or equal';

-- No equalimage function: equal adapters may differ in recipe and file header.
create operator class adapter_ops default for type adapter using btree as
	operator 1 <,
	operator 2 <=,
	operator 3 =,
	operator 4 >=,
	operator 5 >,
	function 1 adapter_cmp(adapter, adapter);
comment on operator class adapter_ops using btree is
	'order of digests, for ORDER BY, DISTINCT and merge joins; index the digest, not the value: create '
	'unique index on t (adapter_digest(a))';
comment on operator family adapter_ops using btree is 'order of digests';

create operator class adapter_ops default for type adapter using hash as
	operator 1 =,
	function 1 adapter_hash(adapter),
	function 2 adapter_hash_extended(adapter, bigint);
comment on operator class adapter_ops using hash is
	'equality of digests, for GROUP BY, hash joins and hash indexes';
comment on operator family adapter_ops using hash is 'equality of digests';
