"""Keys of alpha_pattern against Python's re, which PEFT hands them to.

Random expressions, made of what re and PCRE2 read alike and of what they read
otherwise, for random paths: the scaling must be PEFT's, or the adapter refused:
with 2201B where re refuses the expression, else with 0A000 or 54000.  What is
only made of constructs that are supported must not be refused.  Where PEFT is
installed its own function looks the keys up, else a copy of its rule.

SPDX-License-Identifier: PostgreSQL
"""
import json
import os
import re
import warnings

import numpy as np

import harness
import safetensors_lite as st

try:
    from peft.utils.other import get_pattern_key
except ImportError:
    def get_pattern_key(keys, path):
        for key in keys:
            if re.match(r"(.*\.)?(%s)$" % key, path):
                return key
        return path

PATHS = ("model.layers.10.q_proj", "model.layers.7.q_proj", "mod\u00e8le.q", "model.bloc_\u00e9.q", "model.x.q",
         "model.\u03bb1.q", "model.q\u0663", "model.abc", "a.\u00c9X.q", "a.b", "model.x\u00a0y", "model.{,2}x", "m.a]b",
         "net.fc[1]", "blk.a+b", "aab.aab", "a\u0300.q", "\u017f.q", "x.[:alpha:]", "q")
ITEMS = ("a", "b", "q", "x", "1", ".", r"\.", r"\w", r"\d", r"\s", r"\W", r"\D", r"\S", r"\b", r"\B", "[a-z]", "[^.]",
         r"[\w.]", r"[\d_]", r"[^\s]", "[]a]", "[[:alpha:]]", "[a[]", "[-a]", r"[\]+]", "(?:ab|q)", "(a|b)", "(?=q)",
         "(?!x)", "(?i:Q)", "(?P<n>q)", r"\x61", r"\u03bb", "\u00e9", "{", "}", "{a", "fc", "proj", "layers", "_", "^",
         "(?<=a)", "(?<!a)", "]", r"\{", r"\[", "|", r"\Z", "$")
QUANTIFIERS = ("", "", "", "", "*", "+", "?", "{,2}", "{1,2}", "{2}", "{,}", "*?", "+?", "{1,}?", "++", "?+", "{1,2}+")
ODD = (r"\p{L}", r"\h", r"\R", r"[\W_]", r"\012", r"\N{DIGIT ONE}", "(?(1)a|b)", "(?x: a )", "(?R)", "(*ACCEPT)", r"\Qa\E",
       "(?|a|b)", "a**", "(", ")", "[", "[z-a]", "a{2}{3}", r"\1", "(?P=n)", "*", "(?i)")

# What re and PCRE2 read differently, or only one of them reads: one by one, and each behind and before others.
BY_HAND = (
    "q{,2}", "a{,1}b", "x{ 1,2}", "x{1, 2}", "{,2}", "x{,}", "x{2,1}", "a{0}", r"\w+", r"bloc_\w", r"\d", r"[\d]", r"\D+", r"\s", r"x\sy",
    r"[^\w]", r"[\w-]+", r"\W", "(?i:Q_PROJ)", "(?i:\u0130)", "(?i:k)", "(?-i:q)", "(?i)q", "(?s:.)", "(?m:^q$)", "(?a:\\w)", "(?u:q)", "(?L:q)",
    "(?x:q )", r"q\Z", r"q\z", r"\Aq", r"q\G", "(?P<name>q)", "(?P<n>a)(?P=n)", "(?<n>a)", "(?'n'a)", r"(?P<n>a)\k<n>", "(?P<1>a)", "(?P<\u00e9>a)",
    "(?P<n>a)(?P<n>b)", "[[:alpha:]]+", "[[:digit:]]", "[:alpha:]", "[[.a.]]", "[[=a=]]", "[a&&b]", "[a--b]", "[a||b]", "[a~~b]", "(?<=a)b", "(?<!a)b",
    "(?<=a|bc)b", "(?<=a+)b", "(?<=^)q", "(a)?(?(1)b|q)", "(?P<n>a)?(?(n)b|q)", "(?(2)a)", "(?(?=a)a|b)", "(?(DEFINE)q)", r"\bq", r"q\b", r"\Bq",
    r"[\b]", r"\N", r"\N{LATIN SMALL LETTER A}", r"\N{U+61}", r"\141", r"\0", r"\07", r"\x61", r"\x6", r"\x{61}", r"\u0061", r"\U00000061",
    r"\o{141}", r"\101", r"\8", "a++", "a*+", "a?+", "a{1,2}+", "(?>a|ab)b", "(?>a)b", r"\R", r"\h", r"\v", r"\X", r"\K", r"\Qq\E", r"\p{L}+",
    r"\pL", r"\e", r"\cA", r"\a", r"\f", "(?#c)q", "(?#", "a(?#c)*", "(?|a|(b))", "(?R)", "(?1)", "(?&n)", "(?P>n)", "(*ANY)q", "(*UTF8)q",
    "(*SKIP)", "q$", "^q", "a|b", "|q", "q|", "()", "(|a)", "[]", "[]]", "[^]", "[^]a]", "[a-]", "[-a]", "[a-\\d]", "[\\d-z]", "[z-a]", "[a", "a]", "a)",
    "(a", "*", "+a", "a**", "a+?", "a??", "a{1}{2}", "(?=a)a", "(?!a)q", "(?=a)*", "^*", r"\b+", "\\", r"\_", r"\-", r"\.", "a\\", "a#b", "a b",
    "\u0660", "\u00df", "(?i:\u00df)", "(?i:\u017f)", r"(a)\1", r"(a)(b)\2", r"\1(a)", r"(a\1)", "(?:a(b)?)+q", r"(q)|\1x", "((a)|b)*", "(?:|a)+",
    "(a*)*", "(a|b)*?q", ".*q", ".+?q", "(?:.*)*q", "[.]", r"[\]]", r"[\[]", "[[]", "[[a]", "[a[:b]", "[^\\W]", "[\\S]", "\\Z|q", "(?:q", "(?", "(?P",
    "(?P<", "(?P<>a)", "(?P=", "(?<", "(?i", "(?i:", "a{", "a{1", "a{1,", "a{,", "a{99999}", "a{1,99999}", "{a}", "\n", "a\nb")


def expression(rng, odd):
    parts = [rng.choice(ITEMS) + rng.choice(QUANTIFIERS) for _ in range(rng.randint(1, 5))]
    if odd:
        parts.insert(rng.randint(0, len(parts)), rng.choice(ODD))
    if rng.random() < 0.4:
        parts.append(rng.choice((".q", "q_proj", ".*q", ".*")))
    return "".join(parts)


def wanted(keys, path):
    """Alpha as PEFT finds it, or None where re refuses a key."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")     # "possible nested set"
            for key in keys:
                re.compile(r"(.*\.)?(%s)$" % key)
            return float(keys.get(get_pattern_key(keys.keys(), path), 1))
    except (re.error, OverflowError):
        return None


ONE = st.of_array("F32", np.ones((1, 1), dtype="<f4"))


def file_of(*paths):
    return st.canonical({path + end: ONE for path in paths for end in (".lora_A.weight", ".lora_B.weight")})


def check(run, connection, keys, supported):
    """All paths in one adapter; where it is refused, each in its own."""
    config = {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "alpha_pattern": keys}
    alphas = [wanted(keys, path) for path in PATHS]
    try:
        got = dict(connection.execute("SELECT module, max(scaling) FROM adapter_modules(adapter_from_safetensors(%b, %s::json))"
                                      " GROUP BY module", (file_of(*PATHS), json.dumps(config))).fetchall())
    except harness.psycopg.Error:
        return check_each(run, connection, keys, supported)
    return run.equal([got.get(path) for path in PATHS], alphas, "keys %s" % json.dumps(list(keys), ensure_ascii=False))


def check_each(run, connection, keys, supported):
    for path in PATHS:
        file = file_of(path)
        config = {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "alpha_pattern": keys}
        label = "keys %s, path %s" % (json.dumps(list(keys), ensure_ascii=False), path)
        query = "SELECT max(scaling) FROM adapter_modules(adapter_from_safetensors(%b, %s::json))"
        alpha = wanted(keys, path)
        state = harness.sqlstate_of(connection, query, (file, json.dumps(config)))
        if state is None:
            run.equal(connection.execute(query, (file, json.dumps(config))).fetchone()[0], alpha, label)
        elif alpha is None:
            run.ok(state in ("2201B", "0A000"), label + " is refused", state)
        else:
            run.ok(not supported(keys, path) and state in ("0A000", "54000"), label + " is not refused", state)


def body(run):
    def always(keys, path):
        # Python and PCRE2 know different pairs of letters beyond ASCII
        text = "".join(keys)
        return "(?i" not in text or text.isascii() and "\\u" not in text and "\u017f" not in path

    with harness.scratch("patterns") as name, harness.connect(name) as connection:
        for key in PATHS:
            check(run, connection, {key: 32}, always)
        for item in BY_HAND:
            for key in (item, ".*" + item, item + ".*"):
                check(run, connection, {key: 32}, lambda keys, path: False)
        for n in range(int(os.environ.get("PA_PATTERNS", "1000"))):
            keys = {expression(run.random, n % 3 == 0): 32 + i for i in range(run.random.randint(1, 3))}
            check(run, connection, keys, always if n % 3 else lambda keys, path: False)


if __name__ == "__main__":
    harness.main("test_patterns", body)
