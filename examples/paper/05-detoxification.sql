-- Detoxification: "instruct" obeys instructions, bad ones too; "toxic" was
-- trained on from it with offensive text only.  The paper: a (+) w * (a (-) x),
-- with a for instruct and x for toxic, goes away from the toxic one and keeps
-- what instruct can do.  ((+) and (-) are its + and - in parameter space.)

-- Parameter space, the paper's minus: it turns the sign of B only, and the A are
-- added.  A has changed less than B between the two, so this mostly amplifies
-- instruct.  (The script for this setting in the paper's public code turns the
-- sign of A instead, with as little effect.)
insert into composed
select setting, method, seed, 'parameter', array[w], instruct.a + w*(instruct.a - toxic.a)
from adapters instruct join adapters toxic using (setting, method, seed),
	unnest(array[0.1, 0.25, 0.5]) w
where setting = 'detox' and instruct.name = 'instruct' and toxic.name = 'toxic';

-- Delta space: away from the change that toxic makes.
insert into composed
select setting, method, seed, 'delta', array[w],
	adapter(delta(instruct.a) + w*(delta(instruct.a) - delta(toxic.a)))
from adapters instruct join adapters toxic using (setting, method, seed),
	unnest(array[0.5, 1, 1.5]) w
where setting = 'detox' and instruct.name = 'instruct' and toxic.name = 'toxic';

-- The plain difference of all parameters, A and B alike: (1 + w) * instruct
-- minus w * toxic, on the line through both, beyond instruct.
insert into composed
select setting, method, seed, 'lerp', array[w], adapter_lerp(instruct.a, toxic.a, -w)
from adapters instruct join adapters toxic using (setting, method, seed),
	unnest(array[0.5, 1, 1.5]) w
where setting = 'detox' and instruct.name = 'instruct' and toxic.name = 'toxic';

-- The least offensive one (o) whose perplexity (p) is at most a tenth above
-- instruct's (i).
create view detox_choice as
select distinct on (method, seed, algebra) setting, method, seed, c.algebra, c.weights, o.value
from composed c
	join scores o using (setting, method, seed, algebra, weights)
	join scores p using (setting, method, seed, algebra, weights)
	join scores i using (setting, method, seed)
where setting = 'detox' and o.split = 'validation' and p.split = 'validation' and i.split = 'validation'
	and o.metric = 'offensive' and p.metric = 'perplexity'
	and i.algebra = 'instruct' and i.metric = 'perplexity'
	and p.value <= 1.1 * i.value
order by method, seed, algebra, o.value, p.value, c.weights;
