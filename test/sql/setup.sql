-- The extension, and three helpers that the other tests use.
create extension peftarith;

-- A LoRA adapter of one module with literal factors: a is r x in, b is out x r.
create function lora(path text, a json, b json, alpha text default '1', dtype text default 'F32', base text default '"tiny"')
returns adapter language sql immutable as $$
	select adapter_from_json(format(
		'{"config": {"peft_type": "LORA", "base_model_name_or_path": %s, "r": %s, "lora_alpha": %s},
		  "tensors": {"base_model.model.%s.lora_A.weight": {"dtype": "%s", "shape": [%s, %s], "data": %s},
		              "base_model.model.%s.lora_B.weight": {"dtype": "%s", "shape": [%s, %s], "data": %s}}}',
		base, json_array_length(a), alpha,
		path, dtype, json_array_length(a), json_array_length(a->0), a,
		path, dtype, json_array_length(b), json_array_length(b->0), b)::json)
$$;

-- An (IA)^3 adapter of one module.
create function ia3(path text, l json, dtype text default 'F32')
returns adapter language sql immutable as $$
	select adapter_from_json(format(
		'{"config": {"peft_type": "IA3", "base_model_name_or_path": "tiny", "feedforward_modules": []},
		  "tensors": {"base_model.model.%s.ia3_l": {"dtype": "%s", "shape": [%s, 1], "data": %s}}}',
		path, dtype, json_array_length(l), l)::json)
$$;

-- Tensors of an adapter, the prefix left out.
create function show(a adapter) returns table (tensor text, dtype text, elements double precision[])
language sql immutable as $$
	select substr(m.tensor, 18), m.dtype, adapter_tensor(a, m.tensor) from adapter_modules(a) m
$$;

-- The message, detail, hint and SQLSTATE of a statement that fails.
create function fails(statement text) returns text language plpgsql as $$
declare
	detail text;
	hint text;
begin
	execute statement;
	return 'no error';
exception when others then
	get stacked diagnostics detail = pg_exception_detail, hint = pg_exception_hint;
	if sqlstate = '42883' then	-- the parser's own words, which differ between versions
		return sqlstate || ' ' || sqlerrm;
	end if;
	return concat_ws(E'\n', sqlstate || ' ' || sqlerrm, nullif(detail, ''), nullif(hint, ''));
end
$$;
