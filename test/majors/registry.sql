-- A registry in schema :r with something of everything, for migrate.py: psql
-- on a database of fill.sql; :secured says whether it has row-level security.
--
-- SPDX-License-Identifier: PostgreSQL
\set ON_ERROR_STOP on

set session authorization keeper;
select registry_create('reader', 'writer', 'admin', row_security => :'secured', schema => :'r');
-- What its users add: a policy, a view, a reference, a limit.
create policy auditors on :r.version for select to auditor using (message like 'public%');
select :r.allow('auditor');
grant usage on schema :r to stranger;
grant select (name, created_at) on :r.entry to stranger;
create view :r.newest as select distinct on (entry) entry, number, digest from :r.version order by entry, number desc;
grant select on :r.newest to reader with grant option;
insert into :r.quota (role, recipe_bytes) values ('bob', 1000000);

set session authorization alice;
select :r.commit('x', leaf(1), 'public: first'), :r.commit('y', leaf(2, 'F64')), :r.commit('z', leaf(3, 'BF16'));
select :r.commit('large', leaf(4, 'F16', 5000), 'public: ü');
select :r.commit('mix', 0.4 * :r.get('x') + 0.6 * :r.get('y'), 'the paper''s merge');
select :r.commit('mix', :r.get('mix') + 0.5 * :r.get('z'));
select :r.commit('mix', adapter(0.5 * delta(:r.get('x')) + 0.25 * delta(:r.get('mix@1'))));
select :r.commit('top', adapter_scale(:r.get('mix@2'), 3));
select :r.commit('cut', adapter_truncate(:r.get('mix@3'), 1));
select :r.commit('merged', adapter_ties(array[:r.get('x'), :r.get('y')], array[0.5, 0.5], 0.5, 'peft'));
select :r.commit_virtual('sweep', 0.25 * :r.get('x') + 0.75 * :r.get('y'));
select :r.commit_virtual('sweep', 0.75 * :r.get('x') + 0.25 * :r.get('y'));
select :r.materialize('sweep@2');
select :r.set_alias('mix', 'production', 1);
select :r.set_alias('mix', 'production', 2, 1);
select :r.set_alias('mix', 'candidate', 1);
select :r.remove_alias('mix', 'candidate');
select :r.set_alias('sweep', 'production', 1);
set session authorization bob;
select :r.commit('his', leaf(5), 'his own');
select :r.commit('his', 0.5 * :r.get('his'));
set session authorization alice;
\if :secured
select :r.share('mix', 'bob');
\endif
set session authorization admin;
select count(*) from :r.revoke('z@1', 'withdrawn');
select :r.recompose('top@1', 'z@1');
set session authorization keeper;
select :r.settle();
select :r.settle();
select :r.settle();
set session authorization admin;
select :r.erase('z@1', 'withdrawn');
-- Imported with a recipe that others made: a claim.
reset session authorization;
create table public.kept as select 0.125 * :r.get('x') as a;
grant select on public.kept to alice;
\connect -
set session authorization alice;
select :r.commit('claimed', a) from public.kept;
reset session authorization;
drop table public.kept;
set session authorization admin;
insert into public.checkpoint select :'r', :r.checkpoint();
-- What is not sealed and not settled when it moves.
set session authorization alice;
select :r.commit('after', 2 * :r.get('y'));
select :r.commit('after', 3 * :r.get('x'));
select :r.set_alias('after', 'next', 1);
set session authorization admin;
select :r.revoke_digest(:r.digest('large'), 'late');
