create function registry_entry_hash("position" bigint, previous bytea, kind text, fields text[]) returns bytea
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function registry_entry_hash(bigint, bytea, text, text[]) is
	'SHA-256, 32 bytes, of an entry of a registry''s log: its position, the hash of the entry before (32 bytes; zeros at position 1), its kind and its fields, which may be null, as UTF-8 (doc/registry.md, "Log"). Error 22023: position below 1, a hash of another length, fields that are not an array of one dimension from 1.';

