-- Unlearning: the adapter learnt to write offensive tweets; its opposite is to
-- make the model write fewer.  The paper: the negative of the adapter, weaker or
-- stronger by a scale s, with perplexity on other text nearly as before
-- (perplexity: how surprised the model is by a text; less is better).

-- Parameter space.  The paper's negation changes the sign of one factor, and its
-- scale multiplies that factor alone; so does adapter_scale.  (-s * a would scale
-- both factors, and act s * s as strongly.)  With s = 1 it is -a.
insert into composed
select setting, method, seed, 'parameter', array[s], adapter_scale(a, -s)
from adapters, generate_series(0.3, 0.9, 0.3) step, cast(step as float8) s
where (setting, name) = ('unlearn', 'toxic');

-- Delta space: the same change, so nothing else is to be expected.
insert into composed
select setting, method, seed, 'delta', array[s], adapter(-s * delta(a))
from adapters, generate_series(0.3, 0.9, 0.3) step, cast(step as float8) s
where (setting, name) = ('unlearn', 'toxic');

-- The least offensive one (o) whose perplexity (p) is at most a tenth above that
-- of the base model.
create view unlearn_choice as
select distinct on (c.method, c.seed, c.algebra) setting, c.method, c.seed, c.algebra, c.weights, o.value
from composed c
	join scores o using (setting, method, seed, algebra, weights)
	join scores p using (setting, method, seed, algebra, weights)
	join scores base using (setting)
where setting = 'unlearn' and o.split = 'validation' and p.split = 'validation' and base.split = 'validation'
	and o.metric = 'offensive' and p.metric = 'perplexity'
	and base.algebra = 'base' and base.metric = 'perplexity'
	and p.value <= 1.1 * base.value
order by c.method, c.seed, c.algebra, o.value, p.value, c.weights;
