-- What fill.sql has left, as it must look on every server and every processor,
-- before an upgrade and after it: test/package/look.out.
\set ON_ERROR_STOP on
\pset format unaligned
\pset tuples_only on
select name, encode(adapter_digest(a), 'hex'), adapter_check(a) from adapters order by name;
select entry, number, encode(digest, 'hex'), message from registry.version order by entry, number;
select names, kind, depth, p, round(q::numeric, 6) from registry.lineage('mixed@production') order by depth, names;
-- (through OpenBLAS, whose last bits are its own)
select round(adapter_norm(a)::numeric, 6), adapter_rank(adapter_truncate(delta(a), rank => 1)) from adapters where name = 'apart';
select 'problem', * from registry.verify(recompute => true);
select 'done';
