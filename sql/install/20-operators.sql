-- The operators are labelled stable, not immutable, though their results depend
-- on their arguments alone: the planner would evaluate an immutable operator on
-- constants and bound parameters by itself and so round the middle of an
-- expression, in custom plans but not in generic ones.

create function adapter_add(adapter, adapter) returns adapter
	as 'MODULE_PATHNAME' language c stable strict parallel restricted;
comment on function adapter_add(adapter, adapter) is
	'Operator +: terms of both. Evaluated once, in double, and rounded once: the same bits everywhere '
	'(doc/algebra.md; addition of arXiv 2306.14870). Errors when evaluated: 22000 operands that do not fit, '
	'no module in common, or paths that differ by a prefix (setting peftarith.unpaired_modules), 0A000 an '
	'adapter that arithmetic refuses, 22003 weights not finite, or overflow.';

create function adapter_sub(adapter, adapter) returns adapter
	as 'MODULE_PATHNAME' language c stable strict parallel restricted;
comment on function adapter_sub(adapter, adapter) is
	'Operator -: a + (-b), where -b negates factor B only. a - a is {2A, 0}, no change alone: see '
	'doc/algebra.md.';

create function adapter_neg(adapter) returns adapter
	as 'MODULE_PATHNAME' language c stable strict parallel restricted;
comment on function adapter_neg(adapter) is
	'Operator -: LoRA {A, -B}; (IA)^3 2 - l; difference -X (negation of arXiv 2306.14870).';

create function adapter_mul(adapter, double precision) returns adapter
	as 'MODULE_PATHNAME' language c stable strict parallel restricted;
comment on function adapter_mul(adapter, double precision) is
	'Operator *: LoRA {abs(w) A, w B}; (IA)^3 1 + w (l - 1); difference w X. Error 22003: weight not finite.';

create function adapter_mul_left(double precision, adapter) returns adapter
	as 'MODULE_PATHNAME' language c stable strict parallel restricted;
comment on function adapter_mul_left(double precision, adapter) is
	'Operator *: the same with the weight on the left.';

create function adapter_div(adapter, double precision) returns adapter
	as 'MODULE_PATHNAME' language c stable strict parallel restricted;
comment on function adapter_div(adapter, double precision) is
	'Operator /: LoRA {A / abs(w), B / w}; (IA)^3 1 + (l - 1) / w; difference X / w. Errors: 22012 division '
	'by zero, 22003 weight not finite.';

create function adapter_lerp(adapter, adapter, weight double precision) returns adapter
	as 'MODULE_PATHNAME' language c stable strict parallel restricted;
comment on function adapter_lerp(adapter, adapter, double precision) is
	'(1 - weight) a + weight b on every tensor, both factors signed, for any finite weight. Deferred like '
	'the operators.';

create operator + (leftarg = adapter, rightarg = adapter, function = adapter_add, commutator = +);
comment on operator + (adapter, adapter) is
	'sum of adapters: factors A and B are added, (IA)^3 adds l - 1, differences are added; error 22000: no '
	'module in common, or paths that differ by a prefix';

create operator - (leftarg = adapter, rightarg = adapter, function = adapter_sub);
comment on operator - (adapter, adapter) is 'a + (-b)';

create operator - (rightarg = adapter, function = adapter_neg);
comment on operator - (none, adapter) is 'negation: factor B changes sign, (IA)^3 2 - l, difference -X';

create operator * (leftarg = adapter, rightarg = double precision, function = adapter_mul, commutator = *);
comment on operator * (adapter, double precision) is 'adapter times weight: both factors are scaled';

create operator * (leftarg = double precision, rightarg = adapter, function = adapter_mul_left,
	commutator = *);
comment on operator * (double precision, adapter) is 'weight times adapter: both factors are scaled';

create operator / (leftarg = adapter, rightarg = double precision, function = adapter_div);
comment on operator / (adapter, double precision) is 'adapter divided by a weight';
