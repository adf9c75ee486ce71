-- The three tables of the experiments.  A row of adapters is a PEFT folder (in
-- Python, an adapter is saved as one), a row of composed is what a query made of
-- some of them, and a row of scores is what evaluate.py measured for either, or
-- for the base model.
create table adapters
(
	setting text not null,
	method text not null,			-- lora, ia3 or full (full fine-tuning)
	seed int not null,				-- of the training run
	name text not null,
	a adapter not null,
	primary key (setting, method, seed, name)
);

create table composed
(
	setting text not null,
	method text not null,
	seed int not null,
	algebra text not null,			-- parameter (the paper's), delta, or lerp (05)
	weights float8[] not null,
	a adapter not null,
	primary key (setting, method, seed, algebra, weights)
);

create table scores
(
	setting text not null,			-- that it was measured in
	method text not null,			-- empty for base
	seed int not null,				-- 0 for base
	algebra text not null,			-- of composed; or the name of an adapter; or base
	weights float8[] not null,		-- empty for an adapter and for base
	split text not null,			-- validation, to choose by; or test, to report (perplexity of ordinary text: the same texts)
	metric text not null,
	value float8 not null,
	primary key (setting, method, seed, algebra, weights, split, metric)
);
