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
select fails($$select adapter_from_safetensors(file, '{"peft_type": "LORA", "r": 2147483648, "lora_alpha": 1}') from files$$);
select fails($$select adapter_from_safetensors(file, 'null') from files$$);
-- A whole model, or nothing, beside an adapter's configuration: 22023.
select fails($$select adapter_from_safetensors(safetensors('{"embed.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}', '\x00000000'), config::json) from files$$);
select fails($$select adapter_from_safetensors(safetensors('{}', ''), '{"peft_type": "IA3", "feedforward_modules": []}')$$);
-- A saved module alone is what its configuration says.
select adapter_kind(adapter_from_safetensors(safetensors('{"base_model.model.head.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}', '\x00000000'),
	'{"peft_type": "LORA", "r": 1, "lora_alpha": 1, "modules_to_save": ["head"]}'));
-- A factor without its partner.
select fails($$select adapter_from_safetensors(safetensors('{"base_model.model.q.lora_A.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}', '\x00000000'), config::json) from files$$);
-- Other people's formats are named.
select fails($$select adapter_from_safetensors('PK\003\004 a zip archive of some length', '{}')$$);
select fails($$select adapter_from_safetensors('\x80027d7100285801000000', '{}')$$);
select fails($$select adapter_from_safetensors('GGUF\003\000\000\000 and so on and so on', '{}')$$);

-- An envelope carries its configuration, so it may not be given twice.
select fails($$select adapter_from_safetensors(adapter_send(adapter_from_safetensors(file, config::json)), config::json) from files$$);

-- It carries its digest too, and damage to the data on the way is seen: 22P03.
create function damaged(envelope bytea, place int) returns text language sql as $$
	select encode(set_byte(envelope, place, get_byte(envelope, place) # 1), 'base64')
$$;
select regexp_replace(fails(format('select %L::adapter', damaged(adapter_send(adapter_from_safetensors(file, config::json)), octet_length(adapter_send(adapter_from_safetensors(file, config::json))) - 1))), '[0-9a-f]{64}', 'digest', 'g') from files;
-- Without the key it is an adapter of its own, which claims another one's import.
select a <> adapter_from_safetensors(file, config::json) as other, adapter_recipe(a) #>> '{root,sha256}' = encode(sha256(file), 'hex') as claims
from files, lateral (select decode(replace(encode(adapter_send(adapter_from_safetensors(file, config::json)), 'escape'),
		'peftarith.envelope_digest', 'peftarith_envelope_digest'), 'escape') as e) t,
	lateral (select adapter_from_safetensors(decode(damaged(e, octet_length(e) - 1), 'base64')) as a) u;
drop function damaged;

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
