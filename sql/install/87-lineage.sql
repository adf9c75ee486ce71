-- The walk over edges of lineage; the registry is made from this.

create function adapter_lineage(start bytea, tails bytea[], heads bytea[],
	p double precision[], q double precision[], w double precision[],
	out digest bytea, out depth integer, out via bytea,
	out p double precision, out q double precision, out w double precision)
	returns setof record
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 1000 rows 1000;
comment on function adapter_lineage(bytea, bytea[], bytea[],
	double precision[], double precision[], double precision[]) is
	'What is reached from the start along edges, each from its tail to its head (of and parent of '
	'adapter_recipe_edges for ancestors, parent and of for descendants), in order of digest, the start '
	'with it: number of edges on the shortest path, via (the digest before it on that path, null at the '
	'start), and total weights: products along a path, summed over all paths; p and q null together. A '
	'total is null if a path goes over an edge without '
	'that weight or over one that is there with different weights, if a circle is in between, or if a '
	'product is beyond 1e290 or below 1e-290 and not 0. Errors: 22004 a tail or a head is null, 22023 a '
	'digest that has not 32 bytes or arrays of different lengths, 54000 more than 2147483646 edges.';
