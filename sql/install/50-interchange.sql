create function adapter_from_safetensors(file bytea, config json default null) returns adapter
	as 'MODULE_PATHNAME' language c immutable parallel safe cost 1000;
comment on function adapter_from_safetensors(bytea, json) is
	'Import a PEFT file (adapter_model.safetensors) with its adapter_config.json. Nothing is lost: '
	'adapter_to_safetensors gives the same bytes, adapter_config the same text. A file with the keys of an '
	'envelope needs no configuration, nor does LoRA for a diffusion model as kohya, LyCORIS (LoCon), '
	'diffusers and ComfyUI write it: the scaling is alpha / r of its alpha tensors, or what '
	'lora_adapter_metadata says, or 1, and adapter_config is written from that. Errors: 22P03 file, 22032 '
	'and 22030 JSON, 22023 configuration, 54000 limits, 0A000 a peft_type that is not written as PEFT '
	'writes them, and LoHa, LoKr, OFT and the like without a configuration.';

create function adapter_to_safetensors(adapter) returns bytea
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 1000;
comment on function adapter_to_safetensors(adapter) is
	'The file: the imported bytes, or for a composed adapter a file with the header that the '
	'safetensors library would write, and PEFT''s names or those of the files that it was composed of.';

create function adapter_config(adapter) returns json
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function adapter_config(adapter) is
	'The configuration text (adapter_config.json): as it was imported, or composed.';

create function adapter_import_split(file bytea, config json, max_bytes bigint) returns setof adapter
	as 'MODULE_PATHNAME' language c immutable parallel safe cost 1000 rows 10;
comment on function adapter_import_split(bytea, json, bigint) is
	'Import a file of up to 1 GB as parts of at most max_bytes raw bytes, cut by module: the same parts as '
	'adapter_split(adapter_from_safetensors(file, config), max_bytes). Errors as those two.';

create function adapter_from_json(json) returns adapter
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 100;
comment on function adapter_from_json(json) is
	'A small adapter from its readable form {"config": {...}, "tensors": {name: {"dtype", "shape", '
	'"data"}}}; numbers are rounded once to the dtype. config may be left out where adapter_from_safetensors '
	'needs none; "names": "diffusion" says that names are those of a diffusion model''s file. At most '
	'100000 elements. Errors: 22032 not JSON or no object, 22P02 another one than this, 22030 a key twice, '
	'22023 configuration, 22003 overflow, 54000, 0A000 dtypes without a readable form.';

create function adapter_to_json(adapter) returns json
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 100;
comment on function adapter_to_json(adapter) is
	'The readable form of a small adapter; adapter_from_json gives back an equal one, but that NaNs have no '
	'sign or payload in it. Errors: 54000 more than 100000 elements, 0A000 dtypes without a readable form.';
