# A small LoRA adapter by number, for tests that look at the registry alone.
package leaf;
use strict;
use warnings;

our $sql = q{
	create function leaf(n int) returns adapter language sql immutable as $$
		select adapter_from_json(format('{"config": {"peft_type": "LORA", "base_model_name_or_path": "b",
				"r": 1, "lora_alpha": 1},
			"tensors": {
				"base_model.model.m.lora_A.weight": {"dtype": "F32", "shape": [1, 2], "data": [%s, 2]},
				"base_model.model.m.lora_B.weight": {"dtype": "F32", "shape": [2, 1], "data": [1, %s]}}}',
			n, n)::json)
	$$;
};

1;
