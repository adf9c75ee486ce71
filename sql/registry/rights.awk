# The part of the registry that says for whom each of its functions is, made from
# the line before the function in the other parts:
#
#   -- For: ROLE            offered to that role: reader, log reader, writer, admin, owner
#   -- For: ROLE, inside    what those call with the rights of their caller
#   -- For: nobody          triggers, and what runs with the owner's rights
#
# Functions of one name are for the same.  test/gates/rights.sh checks all that.

/^-- For: / {
	right = substr($0, 9)
	inside = sub(/, inside$/, "", right)
}
/^create or replace function @registry@\./ {
	name = $5
	sub(/^@registry@\./, "", name)
	sub(/\(.*/, "", name)
	if (right != "" && !(name in seen))
		rows[++n] = sprintf("('%s', '%s', %s)", name, right, inside ? "true" : "false")
	seen[name]
	right = ""
}
END {
	rows[++n] = "('rights', 'nobody', false)"
	print "-- Made by sql/registry/rights.awk."
	print ""
	print "-- For: nobody"
	print "create or replace function @registry@.rights(out name text, out role text, out inside boolean)"
	print "\treturns setof record"
	print "\tlanguage sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$ values"
	for (i = 1; i <= n; i++)
		print "\t" rows[i] (i < n ? "," : "")
	print "$$;"
	print "comment on function @registry@.rights() is"
	print "\t'For whom each function is: reader, log reader (a reader without row-level security, else an '"
	print "\t'admin), writer, admin, owner, nobody (triggers, and what runs with the rights of the '"
	print "\t'owner). inside: not to be called itself, but what is offered calls it with the rights of '"
	print "\t'its caller.';"
}
