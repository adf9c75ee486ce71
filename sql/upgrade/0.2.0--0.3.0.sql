-- From 0.2.0 to 0.3.0: each statement of sql/install that 0.2.0 has not, word
-- for word (doc/packages.md).

create function adapter_plain(adapter, rank integer default null) returns adapter
	as 'MODULE_PATHNAME' language c immutable parallel restricted cost 1000;
comment on function adapter_plain(adapter, integer) is
	'The same change in a form that narrow readers take (SGLang, llama.cpp''s converter, TGI, old '
	'vLLM): scalings folded into B and lora_bias (rounded once), alpha = r, no patterns, no rsLoRA, and '
	'one rank for all modules, the given one or the largest, with rows of zeros in A and columns of '
	'them in B. (IA)^3 and differences are returned as they are. Errors: 22023 a module has a larger '
	'rank (adapter_truncate), 0A000 a grouped convolution or stacked experts of another rank, or an '
	'adapter that arithmetic refuses, 22003 weights or scaling not finite, or overflow.';
