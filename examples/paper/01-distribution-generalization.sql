-- Distribution generalisation: d0 and d1 learnt one task from two halves of the
-- data; in one half most sentences are negative, in the other most are positive.
-- The paper: their mean, each with weight 1/2, is better on balanced data than
-- either.

-- Parameter space, the paper's way: the means of the factors A and of the
-- factors B (of (IA)^3 and full fine-tuning: of the changes, as below).
insert into composed
select setting, method, seed, 'parameter', array[0.5, 0.5], 0.5*d0.a + 0.5*d1.a
from adapters d0 join adapters d1 using (setting, method, seed)
where setting = 'distgen' and d0.name = 'd0' and d1.name = 'd1';

-- Delta space: the mean of what the two add to the weights of the model.
insert into composed
select setting, method, seed, 'delta', array[0.5, 0.5], adapter(0.5*delta(d0.a) + 0.5*delta(d1.a))
from adapters d0 join adapters d1 using (setting, method, seed)
where setting = 'distgen' and d0.name = 'd0' and d1.name = 'd1';

-- Nothing is to be chosen: the weights are fixed.  A view like those of the other
-- files, without a value.
create view distgen_choice as
select setting, method, seed, algebra, weights, null::float8 as value
from composed
where setting = 'distgen';
