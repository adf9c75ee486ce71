-- Multi-tasking: one adapter knows film reviews, the other topics of fortunes;
-- the composed one is to do both.  The paper: l * first + (1 - l) * second, with
-- the l that is best on validation data.

-- Parameter space: a sweep over l is one query.  Weights are [of film reviews, of
-- topics]; the adapter of film reviews is that of all the data in 01.
insert into composed
select topics.setting, method, seed, 'parameter', array[l, 1 - l], l*movie.a + (1 - l)*topics.a
from adapters movie join adapters topics using (method, seed),
	generate_series(0.1, 0.9, 0.1) step, cast(step as float8) l
where (movie.setting, movie.name) = ('distgen', 'full')
	and (topics.setting, topics.name) = ('multitask', 'topics');

-- Delta space: the weights need not sum to 1, since w * delta is exactly w times
-- the change.  Both changes at full strength are 1 and 1.
insert into composed
select topics.setting, method, seed, 'delta', array[x, y], adapter(x*delta(movie.a) + y*delta(topics.a))
from adapters movie join adapters topics using (method, seed),
	unnest(array[0.5, 0.75, 1]) x, unnest(array[0.5, 0.75, 1]) y
where (movie.setting, movie.name) = ('distgen', 'full')
	and (topics.setting, topics.name) = ('multitask', 'topics');

-- The choice is a join with what was measured: the best mean accuracy.
create view multitask_choice as
select distinct on (method, seed, algebra) setting, method, seed, algebra, weights, value
from composed join scores using (setting, method, seed, algebra, weights)
where setting = 'multitask' and split = 'validation' and metric = 'mean'
order by method, seed, algebra, value desc, weights;
