create function adapter_difference(tuned bytea, base bytea, config json) returns adapter
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 1000;
comment on function adapter_difference(bytea, bytea, json) is
	'Full fine-tuning as an adapter of kind difference: tuned - base of two safetensors files of whole '
	'weights, by tensor name, subtracted in double and rounded once to the dtype in tuned. config: '
	'{"peft_type": "DIFFERENCE", "base_model_name_or_path", "revision", "task_type"}; peft_type DIFFERENCE '
	'is this extension''s own, not PEFT''s. Tensors of other types than F64, F32, F16 and BF16 must be the '
	'same bytes in both, and are left out. The value is the one that adapter_from_safetensors makes of its '
	'exported file. Errors: 22P03 a file, 22032 and 22030 JSON, 22023 configuration, 22000 a tensor that '
	'only one file has, or of another shape; 22003 not finite, overflow; 0A000 other types that differ; '
	'54000 limits.';

create function adapter_difference(tuned bytea, base bytea, config json, leave_out text) returns adapter
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 1000;
comment on function adapter_difference(bytea, bytea, json, text) is
	'The same without the tensors that leave_out, an expression as Python reads it, matches by their whole '
	'names, in both files: a head that only one of them has (tied weights), an embedding of another '
	'vocabulary. Errors: as before; 22023 no such tensor, 2201B bad expression.';
