-- A file written by hand: header, one LoRA module; the exported file is the same bytes.
create table files (name text primary key, file bytea, config text);
create function safetensors(header text, data bytea) returns bytea language sql immutable as $$
	select decode(string_agg(lpad(to_hex((octet_length(header)::bigint >> (8 * i)) & 255), 2, '0'), '' order by i), 'hex') || convert_to(header, 'UTF8') || data
	from generate_series(0, 7) i
$$;
insert into files values ('two',
	safetensors('{"base_model.model.q.lora_B.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},
	"base_model.model.q.lora_A.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[4,12]}}   ', '\x0000803f0000004000004040'),
	'{"lora_alpha": 2,   "peft_type": "LORA", "r": 1, "unknown_member": [1, null, {"x": "y"}]}');

select adapter_to_safetensors(a) = file as same_file, adapter_config(a)::text = config as same_config
from files, adapter_from_safetensors(file, config::json) a;
select s.* from files, adapter_from_safetensors(file, config::json) a, show(a) s;
select adapter_recipe(a) #>> '{root,sha256}' = encode(sha256(file), 'hex') as sha256 from files, adapter_from_safetensors(file, config::json) a;

-- The configuration is needed: alpha is in no tensor.
select fails($$select adapter_from_safetensors(file) from files$$);
select fails($$select adapter_from_safetensors(file, '{"peft_type": "LORA", "r": 1}') from files$$);
-- What the tensors say and what the configuration says must agree.
select fails($$select adapter_from_safetensors(file, '{"peft_type": "LORA", "r": 2, "lora_alpha": 1}') from files$$);
select fails($$select adapter_from_safetensors(file, '{"peft_type": "VERA", "r": 2}') from files$$);
select fails($$select adapter_from_safetensors(file, '{"peft_type": "LORA", "r": 1, "r": 1, "lora_alpha": 1}') from files$$);
-- A factor without its partner.
select fails($$select adapter_from_safetensors(safetensors('{"base_model.model.q.lora_A.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}', '\x00000000'), config::json) from files$$);
-- Other people's formats are named.
select fails($$select adapter_from_safetensors('PK\003\004 a zip archive of some length', '{}')$$);
select fails($$select adapter_from_safetensors('\x80027d7100285801000000', '{}')$$);
select fails($$select adapter_from_safetensors('GGUF\003\000\000\000 and so on and so on', '{}')$$);

-- An envelope carries its configuration, so it may not be given twice.
select fails($$select adapter_from_safetensors(adapter_send(adapter_from_safetensors(file, config::json)), config::json) from files$$);

-- The readable form, both ways.
select adapter_to_json(a) from files, adapter_from_safetensors(file, config::json) a;
select adapter_from_json(adapter_to_json(a)) = a as back from files, adapter_from_safetensors(file, config::json) a;
select adapter_to_json(lora('q', '[["NaN", 0.1]]', '[["Infinity"], ["-Infinity"]]', '0.5', 'BF16'));
select fails($$select adapter_from_json('{"config": {}, "tensors": {}, "more": 1}')$$);
select fails($$select adapter_from_json('[]')$$);
select fails($$select lora('q', '[[1e39]]', '[[1]]')$$);

-- Null in, null out.
select adapter_from_safetensors(null, '{}') is null as file, adapter_from_json(null) is null as json,
	adapter_config(null) is null as config, adapter_to_safetensors(null) is null as export;

-- A composed file has the header that the safetensors library writes.
select convert_from(substr(f, 9, length(f) - 8 - 12), 'UTF8') as header
from files, adapter_from_safetensors(file, config::json) a, adapter_to_safetensors(2 * a) f;

drop table files;
drop function safetensors;
