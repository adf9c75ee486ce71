create function adapter_magnitude_prune(adapters adapter[], weights double precision[],
	density double precision, flavour text) returns adapter
	as 'MODULE_PATHNAME' language c immutable strict parallel restricted cost 1000;
comment on function adapter_magnitude_prune(adapter[], double precision[], double precision, text) is
	'The weighted sum of the adapters'' factors after pruning: of each factor with n entries the '
	'floor(density n) of largest magnitude stay, of equal ones those that come first. With s the scaling of '
	'a module, A = sum of sgn(w s) sqrt(abs(w s)) A_i, B = sum of sqrt(abs(w s)) B_i, lora_bias = sum of w '
	's b_i, over the adapters that have the module; the result''s scaling is 1. As PEFT''s magnitude_prune, '
	'at density 1 its linear. flavour: peft. Errors: 22023 no adapters, another number of weights, density '
	'not in (0, 1], unknown flavour; 22004 nulls; 22003 weights or inputs not finite, overflow; 22000 '
	'ranks, shapes, base models or dense tensors differ; 0A000 (IA)^3, differences, experts, and what '
	'arithmetic refuses.';

create function adapter_ties(adapters adapter[], weights double precision[], density double precision,
	flavour text, majority_sign text default 'total') returns adapter
	as 'MODULE_PATHNAME' language c immutable strict parallel restricted cost 1000;
comment on function adapter_ties(adapter[], double precision[], double precision, text, text) is
	'TIES: pruned as by adapter_magnitude_prune; then each entry of a factor is the sum of u_i x_i over the '
	'adapters whose x_i has the elected sign, divided by their number (u as there; the weights are not '
	'normalised). Elected from the pruned entries: total: the sign of their sum, frequency: of the sum of '
	'their signs; 0 is plus. flavour: peft. Errors: as adapter_magnitude_prune; 22023 unknown '
	'majority_sign.';

create function adapter_dare_linear(adapters adapter[], weights double precision[], density double precision,
	seed bigint, flavour text) returns adapter
	as 'MODULE_PATHNAME' language c immutable strict parallel restricted cost 1000;
comment on function adapter_dare_linear(adapter[], double precision[], double precision, bigint, text) is
	'DARE: each entry of a factor stays with probability density, divided by density, else it is 0; then '
	'the weighted sum as in adapter_magnitude_prune. The draws depend on the seed, the adapter''s digest, '
	'the module, the factor and the position alone, so the result is the same everywhere. flavour: peft. '
	'Errors: as adapter_magnitude_prune.';

create function adapter_dare_ties(adapters adapter[], weights double precision[], density double precision,
	seed bigint, flavour text, majority_sign text default 'total') returns adapter
	as 'MODULE_PATHNAME' language c immutable strict parallel restricted cost 1000;
comment on function adapter_dare_ties(adapter[], double precision[], double precision, bigint, text, text) is
	'Dropped as by adapter_dare_linear, elected and averaged as by adapter_ties. flavour: peft. Errors: as '
	'adapter_ties.';

-- The same for adapter_delta[]: an element is taken as its adapter.
create function adapter_magnitude_prune(adapters adapter_delta[], weights double precision[],
	density double precision, flavour text) returns adapter
	as 'MODULE_PATHNAME' language c immutable strict parallel restricted cost 1000;
comment on function adapter_magnitude_prune(adapter_delta[], double precision[], double precision, text) is
	'The same for the adapters that the elements are as stored values: a sum of deltas has its terms'' '
	'factors stacked. Shapes, formula and errors as for adapter[].';

create function adapter_ties(adapters adapter_delta[], weights double precision[], density double precision,
	flavour text, majority_sign text default 'total') returns adapter
	as 'MODULE_PATHNAME' language c immutable strict parallel restricted cost 1000;
comment on function adapter_ties(adapter_delta[], double precision[], double precision, text, text) is
	'The same for the adapters that the elements are as stored values: a sum of deltas has its terms'' '
	'factors stacked. Shapes, formula and errors as for adapter[].';

create function adapter_dare_linear(adapters adapter_delta[], weights double precision[],
	density double precision, seed bigint, flavour text) returns adapter
	as 'MODULE_PATHNAME' language c immutable strict parallel restricted cost 1000;
comment on function adapter_dare_linear(adapter_delta[], double precision[], double precision, bigint,
	text) is
	'The same for the adapters that the elements are as stored values: a sum of deltas has its terms'' '
	'factors stacked. Shapes, formula and errors as for adapter[].';

create function adapter_dare_ties(adapters adapter_delta[], weights double precision[],
	density double precision, seed bigint, flavour text, majority_sign text default 'total') returns adapter
	as 'MODULE_PATHNAME' language c immutable strict parallel restricted cost 1000;
comment on function adapter_dare_ties(adapter_delta[], double precision[], double precision, bigint, text,
	text) is
	'The same for the adapters that the elements are as stored values: a sum of deltas has its terms'' '
	'factors stacked. Shapes, formula and errors as for adapter[].';
