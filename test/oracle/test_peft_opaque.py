"""An adapter of every type that PEFT registers: stored, described, exported byte
for byte, loaded by PEFT again; and of those without arithmetic none computed with.

Runs where torch and peft are installed (requirements-peft.txt); elsewhere it
says so and is skipped.

SPDX-License-Identifier: PostgreSQL
"""
import os
import sys
import tempfile

import described
import harness
import numpy

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data"))

try:
    import make_peft_types as maker
    import peft
    import torch
    from safetensors import safe_open
except ImportError as e:
    maker, reason = None, e

KINDS = {"LORA": "lora", "IA3": "ia3"}

# What adapter_to_lora converts; PEFT's convert_to_lora() some of them too.
CONVERTED = {"ADALORA", "LOHA", "LOKR", "VERA"}

# Types that PEFT itself may be unable to make, and what its error says then.
UNMADE = {"ADAMSS": "scikit-learn is required"}

# PEFT's own losses: here the folder as PEFT wrote it is what the exported one is compared with.
LOSSY = {"XLORA": "its experts are called 0 and 1, and PEFT drops every tensor with such a part in its name,"
                  " the classifier's first layer too"}

# What is in a folder besides the two files: X-LoRA's model saves its experts once more.
FOLDER = {"README.md", "adapter_config.json", "adapter_model.safetensors"}
MORE_FILES = {"XLORA": {"0", "1"}}

TWO = "(SELECT a FROM t WHERE name = %(name)s UNION ALL SELECT a FROM t WHERE name = %(name)s) two"
ONE = "t WHERE name = %(name)s"
REFUSED = [op + " FROM " + ONE for op in (
    "2 * a", "a * 2::float8", "a / 2", "-a", "a + a", "a - a", "adapter_lerp(a, 3 * a, 0.5)", "adapter_combine(a, 2)",
    "delta(a) + delta(a)", "2 * delta(a)", "-delta(a)", "adapter_lerp(delta(a), 3 * delta(a), 0.5)",
    "adapter_combine(delta(a), 2)", "adapter_scale(a, 2)", "adapter_cast(a, 'F64')", "adapter_select(a, '.*')",
    "adapter_split(a, 1)", "adapter_union(a)", "adapter_truncate(a, 1)", "adapter_truncate(a, 0.5)",
    "adapter_spectrum(a)", "adapter_truncation_error(a, 1)", "adapter_truncation_error(a, 0.5)",
    "adapter_module_delta(a, (adapter_modules(a)).module)", "adapter_norm(a)", "adapter_inner(a, a)",
    "a <-> a", "a <=> a", "adapter_module_norms(a)", "adapter_module_geometry(a, a)", "adapter_sketch(a, 8, 1)",
    "adapter_ties(ARRAY[a], ARRAY[1.0], 0.5, 'peft')", "adapter_magnitude_prune(ARRAY[a], ARRAY[1.0], 0.5, 'peft')",
    "adapter_dare_linear(ARRAY[a], ARRAY[1.0], 0.5, 1, 'peft')",
    "adapter_dare_ties(ARRAY[a], ARRAY[1.0], 0.5, 1, 'peft')")]
REFUSED += [op + " FROM " + TWO for op in ("sum(a)", "sum(delta(a))", "avg(2 * a)", "adapter_union(a)")]


def read(folder):
    with open(os.path.join(folder, "adapter_model.safetensors"), "rb") as f:
        file = f.read()
    with open(os.path.join(folder, "adapter_config.json"), encoding="utf-8", newline="") as f:
        return file, f.read()


def make(run, folder, name, peft_type):
    """The saved model, or None where PEFT cannot make it."""
    try:
        return maker.write(folder, name, run.seed)
    except Exception as e:
        if peft_type in UNMADE and UNMADE[peft_type] in str(e):
            run.skip("%s cannot be made here: %s" % (name, str(e).splitlines()[0]))
        else:
            run.ok(False, name + ": PEFT makes it", "%s: %s" % (type(e).__name__, e))


def check_import(run, connection, name, peft_type, folder):
    """Into table t and out again; True if it is there."""
    file, config = read(folder)
    more = MORE_FILES.get(peft_type, set())
    run.equal(set(os.listdir(folder)), FOLDER | more, name + ": files of the folder")
    try:
        row = connection.execute(
            "INSERT INTO t SELECT %s, adapter_from_safetensors(%b, %s::json)"
            " RETURNING adapter_to_safetensors(a), adapter_config(a)::text, adapter_digest(a), adapter_kind(a),"
            " adapter_peft_type(a), adapter_check(a), adapter_raw_size(a)", (name, file, config)).fetchone()
    except harness.psycopg.Error as e:
        return run.ok(False, name + ": import", "%s %s" % (e.sqlstate, e))
    run.ok(row[0] == file, name + ": exported bytes")
    run.ok(row[1] == config, name + ": configuration text")
    if peft_type in KINDS:
        run.equal(row[2].hex(), described.describe(file, config).digest().hex(), name + ": digest")
    run.equal(row[3:6], (KINDS.get(peft_type, "opaque"), peft_type, True), name + ": kind, type, check")
    return True


def numbers(tensor):
    """As adapter_tensor gives them; None where it refuses the dtype."""
    if tensor.dtype not in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        return None
    return tensor.double().numpy()


def check_tensors(run, connection, name, folder):
    """Names, dtypes, shapes and contents against the safetensors library."""
    stored = {r[0]: r[1:] for r in connection.execute(
        "SELECT tensor, dtype, shape, raw_bytes FROM t, adapter_modules(a) WHERE name = %s", (name,))}
    with safe_open(os.path.join(folder, "adapter_model.safetensors"), "pt") as f:
        want = {k: (f.get_slice(k).get_dtype(), list(f.get_slice(k).get_shape()), f.get_tensor(k).nbytes)
                for k in f.keys()}
        run.equal(stored, want, name + ": names, dtypes, shapes, bytes")
        for key in f.keys():
            wanted = numbers(f.get_tensor(key))
            query = "SELECT adapter_tensor(a, %s) FROM t WHERE name = %s"
            if wanted is None:
                run.equal(harness.sqlstate_of(connection, query, (key, name)), "0A000", "%s: %s as doubles" % (name, key))
                continue
            got = numpy.array(connection.execute(query, (key, name)).fetchone()[0], dtype=float)
            run.ok(numpy.array_equal(got.reshape(wanted.shape), wanted), "%s: contents of %s" % (name, key))


def check_ways(run, connection, name, envelope):
    """Text, binary and the readable form bring the same value; so does 1 * a, and another base model and back."""
    row = connection.execute(
        "SELECT ARRAY[adapter_digest(a::text::adapter), adapter_digest(1 * a), adapter_digest(adapter(delta(a))),"
        " adapter_digest(adapter_from_json(adapter_to_json(a))), adapter_digest(adapter_set_base_model("
        "adapter_set_base_model(a, 'another'), adapter_base_model(a), adapter_config(a) ->> 'revision'))],"
        " adapter_digest(a), adapter_to_safetensors(1 * a) = adapter_to_safetensors(a) FROM t WHERE name = %s",
        (name,)).fetchone()
    run.equal(row[0], [row[1]] * 5, name + ": digests after text, 1 * a, casts, JSON, another base model and back")
    run.ok(row[2], name + ": bytes of 1 * a")
    with connection.cursor(binary=True) as cursor:
        sent = cursor.execute("SELECT a FROM t WHERE name = %s", (name,)).fetchone()[0]
        back = cursor.execute("SELECT adapter_digest(x), adapter_to_safetensors(x) = adapter_to_safetensors(a)"
                              " FROM (SELECT %b::adapter) v(x), t WHERE name = %s", (envelope(sent), name)).fetchone()
    run.equal((bytes(back[0]), back[1]), (row[1], True), name + ": binary out and in")


def check_loads(run, connection, name, peft_type, folder, saved):
    """The exported folder in PEFT gives the answers of the model that was saved."""
    exported = folder + "_exported"
    os.mkdir(exported)
    file, config = connection.execute("SELECT adapter_to_safetensors(a), adapter_config(a)::text FROM t"
                                      " WHERE name = %s", (name,), binary=True).fetchone()
    with open(os.path.join(exported, "adapter_model.safetensors"), "wb") as f:
        f.write(file)
    with open(os.path.join(exported, "adapter_config.json"), "w", encoding="utf-8", newline="") as f:
        f.write(config)
    want = maker.forward(maker.load(folder, name) if peft_type in LOSSY else saved, name)
    got = maker.forward(maker.load(exported, name), name)
    run.ok(got.shape == want.shape and torch.allclose(got, want, rtol=1e-6, atol=1e-6),
           name + ": forward pass of the exported folder")
    plain = maker.plain(name)
    run.ok(plain.shape != want.shape or not torch.allclose(plain, want, rtol=1e-4, atol=1e-4),
           name + ": the adapter has an effect")


def error(connection, query, parameters):
    try:
        connection.execute(query, parameters).fetchall()
        return None, "no error", ""
    except harness.psycopg.Error as e:
        return e.sqlstate, e.diag.message_primary, e.diag.message_hint or ""


def converts(model, peft_type):
    """Whether PEFT's convert_to_lora() takes it."""
    try:
        peft.convert_to_lora(model, 2, progressbar=False)
        return True
    except TypeError as e:
        if "LoRA conversion" not in str(e):
            raise
    except KeyError:
        if peft_type != "XLORA":        # its layers are LoRA, of experts that are not the adapter
            raise
    return False


def check_refusals(run, connection, name, peft_type):
    """Every operation; the conversion to LoRA that the hint names, or None."""
    hints = set()
    for query in REFUSED:
        state, message, hint = error(connection, "SELECT " + query, {"name": name})
        hints.add(next((f for f in ("adapter_to_lora", "convert_to_lora") if f in hint), None))
        run.equal((state, message), ("0A000", "adapter of type %s cannot be computed with" % peft_type),
                  "%s: SELECT %s" % (name, query))
    run.equal(len(hints), 1, name + ": one hint")
    return hints.pop()


def several(run, connection, root):
    """A model with two adapters writes two folders: each is a value of its own."""
    model = peft.get_peft_model(maker.base("mistral"), peft.LoraConfig(r=2, **maker.LINEAR))
    model.add_adapter("second", peft.LoraConfig(r=3, **maker.LINEAR))
    maker.fill(model, run.seed)
    model.save_pretrained(os.path.join(root, "several"))
    for name, folder in (("several", "several"), ("several/second", "several/second")):
        file, config = read(os.path.join(root, folder))
        connection.execute("INSERT INTO t SELECT %s, adapter_from_safetensors(%b, %s::json)", (name, file, config))
    ranks = connection.execute("SELECT adapter_rank(a) FROM t WHERE name LIKE 'several%%' ORDER BY name", ()).fetchall()
    run.equal(ranks, [(2,), (3,)], "two adapters of one model")


def experts(run, connection, folder):
    """X-LoRA's value is its classifier; its experts are LoRA adapters, values of their own."""
    modules = connection.execute("SELECT DISTINCT tensor LIKE '%%internal_xlora_classifier%%' FROM t, adapter_modules(a)"
                                 " WHERE name = 'XLORA'", ()).fetchall()
    run.equal(modules, [(True,)], "XLORA: the classifier alone")
    for i in "01":
        file, config = read(folder + "_expert_" + i)
        kind = connection.execute("SELECT adapter_kind(adapter_from_safetensors(%b, %s::json))", (file, config)).fetchone()
        run.equal(kind, ("lora",), "XLORA: expert " + i)


def check_one(run, connection, root, setting, envelope, hinted, converted):
    """True if PEFT made it and it is stored; the types whose hint, and which PEFT, converts are collected."""
    name, peft_type = setting[:2]
    folder = os.path.join(root, name)
    saved = make(run, folder, name, peft_type)
    if saved is None or not check_import(run, connection, name, peft_type, folder):
        return False
    check_tensors(run, connection, name, folder)
    check_ways(run, connection, name, envelope)
    check_loads(run, connection, name, peft_type, folder, saved)
    if peft_type not in KINDS:
        hint = check_refusals(run, connection, name, peft_type)
        run.equal(hint == "adapter_to_lora", peft_type in CONVERTED, name + ": the hint names adapter_to_lora()")
        if hint == "convert_to_lora":
            hinted.add(peft_type)
        if converts(saved, peft_type):
            converted.add(peft_type)
    return True


def body(run):
    if maker is None:
        run.skip("PEFT is not installed: %s" % reason)
        return
    registered = {t.value for t in peft.PeftType}
    run.equal({s[1] for s in maker.SETTINGS}, registered, "a setting for every type that PEFT registers")
    hinted, converted = set(), set()
    with tempfile.TemporaryDirectory() as root, harness.scratch("opaque") as database, \
            harness.connect(database) as connection:
        connection.execute("CREATE TABLE t (name text PRIMARY KEY, a adapter)")
        envelope = harness.adapter_dumper(connection)
        stored = {s[1] for s in maker.SETTINGS
                  if check_one(run, connection, root, s, envelope, hinted, converted)}
        run.equal(sorted(hinted), sorted(converted - CONVERTED), "the hint names convert_to_lora() where PEFT has it")
        several(run, connection, root)
        experts(run, connection, os.path.join(root, "XLORA"))
    print("%d of %d types" % (len(stored), len(registered)))


if __name__ == "__main__":
    harness.main("test_peft_opaque", body)
