create type adapter;

create function adapter_in(cstring) returns adapter
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 1000;
comment on function adapter_in(cstring) is
	'Input: base64 of an envelope. Errors: 22P02 not base64, 22P03 not an envelope, and those of '
	'adapter_from_safetensors.';

create function adapter_out(adapter) returns cstring
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 1000;
comment on function adapter_out(adapter) is
	'Output: base64 of the envelope; 1.33 times the raw size.';

create function adapter_recv(internal) returns adapter
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 1000;
comment on function adapter_recv(internal) is
	'Binary input: an envelope, that is a safetensors file whose metadata holds configuration and recipe. '
	'The digest is computed, never read from the input.';

create function adapter_send(adapter) returns bytea
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 1000;
comment on function adapter_send(adapter) is
	'Binary output: the envelope.';

create type adapter (
	input = adapter_in,
	output = adapter_out,
	receive = adapter_recv,
	send = adapter_send,
	internallength = variable,
	alignment = int4,
	storage = external
);
comment on type adapter is
	'A PEFT adapter (LoRA or (IA)^3), or a difference of whole weights, with its weights, configuration, '
	'digest and recipe.';
