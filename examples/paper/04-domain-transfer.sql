-- Domain transfer, an analogy: the source task in the source domain, plus the
-- difference of two adapters that learnt nothing but the language of the target
-- and of the source domain.  The paper: l * task (+) (1 - l) * (target (-)
-- source) does the task in the target domain, for which nobody has labels.  (+)
-- and (-) are its signs for + and - in parameter space: (-) turns the sign of B
-- only.
--
-- Three tries of it:
--   transfer     film reviews to product reviews; the language adapters learnt to
--                recognise a sentence of which words are missing
--   transfer_mlm the same, but they learnt to guess hidden words (masked-language
--                modelling)
--   transfer_lm  a language model: offensive tweets to offensive fortunes; the
--                task is to be offensive
create temporary table analogy as
select x.setting, method, seed, task.a as task, target.a as target, source.a as source
from (values
		('transfer', 'distgen', 'full', 'transfer', 'lm_amazon', 'lm_movie'),
		('transfer_mlm', 'distgen', 'full', 'transfer', 'mlm_amazon', 'mlm_movie'),
		('transfer_lm', 'unlearn', 'toxic', 'transfer_lm', 'lm_fortune', 'lm_tweet')
	) x (setting, task_setting, task_name, language_setting, target_name, source_name)
	join adapters task on (task.setting, task.name) = (task_setting, task_name)
	join adapters target using (method, seed)
	join adapters source using (method, seed)
where (target.setting, target.name) = (language_setting, target_name)
	and (source.setting, source.name) = (language_setting, source_name);

-- Parameter space.
insert into composed
select setting, method, seed, 'parameter', array[l], l*task + (1 - l)*(target - source)
from analogy, generate_series(0.84, 0.96, 0.04) step, cast(step as float8) l
where setting <> 'transfer_lm'
union all
select setting, method, seed, 'parameter', array[l], l*task + (1 - l)*(target - source)
from analogy, generate_series(0.2, 0.8, 0.1) step, cast(step as float8) l
where setting = 'transfer_lm';

-- Delta space, task and difference with weights of their own.
insert into composed
select setting, method, seed, 'delta', array[x, y],
	adapter(x*delta(task) + y*(delta(target) - delta(source)))
from analogy, unnest(array[0.25, 0.5, 0.75, 1]) x, unnest(array[0.25, 0.5, 0.75, 1]) y
where x = 1 or setting = 'transfer_lm';

-- The best on validation data of the target: accuracy where it is a classifier,
-- perplexity where it is a language model.
create view transfer_choice as
select distinct on (setting, method, seed, algebra) setting, method, seed, algebra, weights, value
from composed join scores using (setting, method, seed, algebra, weights)
where setting in ('transfer', 'transfer_mlm', 'transfer_lm') and split = 'validation'
	and metric in ('accuracy', 'perplexity')
order by setting, method, seed, algebra,
	case metric when 'accuracy' then -value else value end, weights;
