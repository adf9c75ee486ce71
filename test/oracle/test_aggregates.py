"""sum, avg and adapter_combine over random sets of adapters against the oracle, bit for bit.

The rows of a set come in random order, with copies, nulls and rows that are expressions; each
aggregate is computed in several row orders, as a window frame and with the oracle's exact
weights (avg: the exact sum divided by the number of rows, rounded once).  PA_SETS sets the number
of sets (300).

SPDX-License-Identifier: PostgreSQL
"""
import os
from fractions import Fraction

import algebra
import harness
import random_adapters
from algebra import Refusal

WEIGHTS = (0.0, 1.0, -1.0, 0.5, 1 / 3, 0.1, -0.4, 2.0**-1040, 1e5, 0.25, 0.75, 1e-30)


def mean(rows):
    """One term a leaf: the exact sums of its weights over the number of rows, each rounded once."""
    sums = {}
    for row in rows:
        for adapter, u, v in row.terms:
            entry = sums.setdefault(adapter.digest(), [adapter, Fraction(0), Fraction(0)])
            entry[1] += Fraction(u)
            entry[2] += Fraction(v)
    return algebra.Sum([(a, float(u / len(rows)), float(v / len(rows))) for a, u, v in sums.values()])


def total(rows):
    return algebra.Sum([term for row in rows for term in row.terms])


def outcome(expression):
    try:
        return expression.evaluate().digest(), None
    except Refusal as e:
        return None, e.codes


def ask(connection, query):
    try:
        return connection.execute(query).fetchone()[0]
    except harness.psycopg.Error as e:
        return e.sqlstate


def check(run, connection, label, query, wanted):
    digest, codes = wanted
    got = ask(connection, query)
    run.ok(got == digest if codes is None else got in codes, label,
           "got %r, wanted %r\n%s" % (got, digest or codes, query))


def check_set(run, connection, number):
    rng = run.random
    family = random_adapters.Family(rng)
    adapters = [family.adapter() for _ in range(rng.randint(1, 4))]
    rows = []
    for place in range(rng.randint(1, 9)):
        adapter, factor, weight = rng.choice(adapters), rng.choice((1.0, 1.0, 1.0, -1.0, 0.5)), rng.choice(WEIGHTS)
        rows.append((algebra.leaf(adapter) * factor, weight))
        connection.execute("INSERT INTO s SELECT %s, %s, adapter_from_safetensors(%b, %s::json), %s, %s",
                           (number, place, adapter.file, adapter.config, factor, weight))
    connection.execute("INSERT INTO s VALUES (%s, 100, NULL, 1, 1)", (number,))
    stored = [algebra.leaf(row.terms[0][0]) for row, _ in rows]
    values = [row for row, _ in rows]
    weights = [w for _, w in rows]
    # Rows that are expressions: part of the one expression.  (An aggregate with an order of its
    # own sorts its arguments, and a sort rounds: so those with ORDER BY are stored values.)
    for call, wanted in (("sum(f * a)", total(values)), ("avg(f * a)", mean(values)),
                         ("adapter_combine(f * a, w)", total([r * w for r, w in zip(values, weights)]))):
        check(run, connection, call, "SELECT adapter_digest(%s) FROM s WHERE k = %d" % (call, number), outcome(wanted))
    for call, wanted in (("sum(a%s)", total(stored)), ("avg(a%s)", mean(stored)),
                         ("adapter_combine(a, w%s)", total([r * w for r, w in zip(stored, weights)]))):
        for order in ("", " ORDER BY i", " ORDER BY i DESC", " ORDER BY md5(i::text)"):
            check(run, connection, call % order,
                  "SELECT adapter_digest(%s) FROM s WHERE k = %d" % (call % order, number), outcome(wanted))
        check(run, connection, call % "" + " as a window frame",
              "SELECT adapter_digest(%s OVER (ORDER BY i ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING))"
              " FROM s WHERE k = %d LIMIT 1" % (call % "", number), outcome(wanted))
    copies = "SELECT adapter_envelope_digest(avg(a)) = adapter_envelope_digest(a) FROM s, generate_series(1, %d) WHERE k = %d AND i = 0 GROUP BY a"
    run.ok(ask(connection, copies % (rng.randint(1, 12), number)) is True, "avg of copies of a is a")


def body(run):
    with harness.scratch("aggregates") as name, harness.connect(name) as connection:
        connection.execute("CREATE TABLE s (k int, i int, a adapter, f float8, w float8)")
        for number in range(int(os.environ.get("PA_SETS", "300"))):
            check_set(run, connection, number)


if __name__ == "__main__":
    harness.main("aggregates", body)
