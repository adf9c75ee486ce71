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
