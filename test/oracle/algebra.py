"""The algebra of doc/algebra.md in numpy float64, to the letter.

An expression is a Sum (parameter space) or a DeltaSum (delta space): a list of
terms (leaf, u, v), where u is 0 in delta space.  evaluate() gives the
described Adapter that it stands for, or raises Refusal with every SQLSTATE that
applies (several reasons can hold at once, and their order is not promised).

SPDX-License-Identifier: PostgreSQL
"""
import hashlib
import math
import struct

import numpy as np

import rounding
import safetensors_lite as st
from described import (A, ARITHMETIC, B, BIAS, DENSE, DTYPE_IDS, EMBEDDING, MAGNITUDE, PARAMETER, VECTOR, Adapter)

MISMATCH, RANGE, DIVISION, LIMIT = "22000", "22003", "22012", "54000"
UNSUPPORTED, ARGUMENT = "0A000", "22023"
MAX_STACK_RANK = 1024


class Refusal(Exception):
    def __init__(self, *reasons):
        super().__init__("; ".join("%s %s" % r for r in reasons))
        self.codes = {code for code, _ in reasons}


class Sum:
    """A deferred expression."""

    def __init__(self, terms):
        self.terms = terms

    def __add__(self, other):
        return type(self)(self.terms + other.terms)

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + (-other)

    def __mul__(self, w):
        finite(w)
        return self.weighted(lambda u: abs(w) * u, lambda v: w * v)

    __rmul__ = __mul__

    def __truediv__(self, w):
        finite(w)
        if w == 0:
            raise Refusal((DIVISION, "division by zero"))
        return self.weighted(lambda u: u / abs(w), lambda v: v / w)

    def blend(self, w):
        finite(w)
        return self.weighted(lambda u: u * w, lambda v: v * w)

    def weighted(self, on_u, on_v):
        terms = [(leaf, on_u(u), on_v(v)) for leaf, u, v in self.terms]
        for _, u, v in terms:
            finite(u)
            finite(v)
        return type(self)(terms)

    def evaluate(self):
        return evaluate(self.terms)


class DeltaSum(Sum):
    """A deferred expression of the changes that adapters make."""

    def evaluate(self):
        return evaluate_delta(self.terms)


def leaf(adapter):
    return Sum([(adapter, 1.0, 1.0)])


def delta_leaf(adapter):
    return DeltaSum([(adapter, 0.0, 1.0)])


def lerp(x, y, t):
    finite(t)
    return x.blend(1.0 - t) + y.blend(t)


def finite(w):
    if not math.isfinite(w):
        raise Refusal((RANGE, "weight is not finite"))


def exact_sum(values):
    try:
        total = math.fsum(values)
    except OverflowError:
        total = math.inf
    finite(total)
    return total


def bits(x):
    return struct.pack("<d", x)


def totals(terms):
    """[(leaf, p, q)] in order of digest"""
    leaves = {}
    for adapter, u, v in terms:
        leaves.setdefault(adapter.digest(), (adapter, [], []))
        leaves[adapter.digest()][1].append(u)
        leaves[adapter.digest()][2].append(v)
    return [(a, exact_sum(us), exact_sum(vs)) for _, (a, us, vs) in sorted(leaves.items())]


def evaluate(terms):
    ordered = totals(terms)
    live = [(a, p, q) for a, p, q in ordered if p != 0 or q != 0]
    if not live:
        return neutral([a for a, _, _ in ordered])
    if len(live) == 1 and live[0][1] == 1 and live[0][2] == 1:
        return live[0][0]
    return combine(live)


def evaluate_delta(terms):
    ordered = totals(terms)
    live = [(a, p, w) for a, p, w in ordered if w != 0]
    if not live:
        return neutral([a for a, _, _ in ordered])
    if len(live) == 1 and live[0][2] == 1:
        return live[0][0]
    return concatenate(live)


def facts_like(a):
    """An adapter with a's facts and no tensors."""
    r = Adapter()
    for name in ("kind", "base_model", "base_revision", "task_type", "bias", "features",
                 "fan_in_fan_out", "lora_bias", "rslora"):
        setattr(r, name, getattr(a, name))
    r.target_parameters = list(a.target_parameters)
    r.saved_modules = list(a.saved_modules)
    r.modules = {p: m.copy() for p, m in a.modules.items()}
    return r


CHANGED = (A, B, BIAS, VECTOR, MAGNITUDE)     # what arithmetic computes with: dense tensors may stay


def unsupported(a, places=None):
    """Why arithmetic refuses an adapter for what it is."""
    reasons = [(UNSUPPORTED, "features %x" % a.features)] if a.features else []
    for name, t in a.tensors.items():
        if t.dtype not in ARITHMETIC and (places is None or a.places[name].role in places):
            reasons.append((UNSUPPORTED, "dtype %s" % t.dtype))
    return reasons


def refuse(reasons):
    if reasons:
        raise Refusal(*reasons)


def neutral(adapters):
    """Of the first; its dense tensors stay, unless another adapter has other ones."""
    a = adapters[0]
    reasons = unsupported(a, CHANGED)
    for place, (_, t) in a.placed().items():
        others = [b.placed().get(place) for b in adapters]
        if place[1] == DENSE and any(o is not None and not same_tensor(o[1], t) for o in others):
            reasons.append((MISMATCH, "dense tensors of different neutral values"))
    refuse(reasons)
    r = facts_like(a)
    placed = a.placed()
    for path, m in r.modules.items():
        m.scaling = 1.0
        if a.kind == 1 and (path, B, None) in placed:
            # experts are stacked r times; B of a convolution has r / groups columns
            columns = placed[path, B, None][1].shape[1]
            m.rank //= m.r if m.flags & PARAMETER else columns
            m.r = 1 if m.flags & PARAMETER else m.rank
    for (path, role, key), (name, t) in placed.items():
        if role == DENSE:
            r.add(path, role, key, t)
            continue
        shape = list(t.shape)
        if role == A:
            shape[0] = r.modules[path].rank
        elif role == B:
            shape[1] = r.modules[path].rank if r.modules[path].flags & PARAMETER else 1
        fill = np.ones if role == VECTOR else np.zeros
        r.add(path, role, None, tensor(fill(shape), t.dtype, name))
    return r


def tensor(values, dtype, name):
    """Round once; a finite result that overflows is refused."""
    if not np.isfinite(values).all():
        raise Refusal((RANGE, "not finite: " + name))
    raw = rounding.encode(values, dtype)
    if not np.isfinite(rounding.widen(raw, dtype)).all():
        raise Refusal((RANGE, "overflow: " + name))
    return st.Tensor(dtype, values.shape, raw.tobytes())


def values_of(t, name):
    x = rounding.widen(t.array(), t.dtype)
    if not np.isfinite(x).all():
        raise Refusal((RANGE, "input not finite: " + name))
    return x


def wider(x, y):
    if x == y:
        return x
    if "F64" in (x, y):
        return "F64"
    return "F32"


def same(live, name, key):
    reasons = []
    if len({key(a) for a, _, _ in live}) > 1:
        reasons.append((MISMATCH, name + " differ"))
    return reasons


def stacked_shape(role, shape):
    """What of a shape must agree where factors are stacked: all but the rank."""
    return {A: shape[1:], B: (shape[0], *shape[2:])}.get(role, shape)


def same_tensor(x, y):
    return (x.dtype, tuple(x.shape), bytes(x.data)) == (y.dtype, tuple(y.shape), bytes(y.data))


def kept(live, places, mixtures=True):
    """Is a dense tensor, as the live leaves have it, carried over?  Where there is a mixture it is one."""
    first = places[0]
    mixed = mixtures and len(places) == len(live) and abs(exact_sum([q for _, _, q in live]) - 1) <= 1e-9
    if mixed and all(t.dtype in ARITHMETIC for t in places):
        return False
    return all(same_tensor(first, t) for t in places)


def dense_reasons(live, places, mixtures=True):
    if kept(live, places, mixtures):
        return []
    reasons = [] if mixtures else [(MISMATCH, "a dense tensor in a merge")]
    reasons += [(UNSUPPORTED, "dtype %s" % t.dtype) for t in places if t.dtype not in ARITHMETIC]
    if len({tuple(t.shape) for t in places}) > 1:
        reasons.append((MISMATCH, "shapes of a dense tensor"))
    if len(places) < len(live):
        reasons.append((MISMATCH, "a leaf lacks a dense tensor"))
    if abs(exact_sum([q for _, _, q in live]) - 1) > 1e-9:
        reasons.append((MISMATCH, "weights of a dense tensor"))
    return reasons


def plan_reasons(live, stacked=False, mixtures=True):
    """Every refusal that does not need the weights."""
    reasons = []
    flags = {}
    for a, _, _ in live:
        for path, m in a.modules.items():
            flags.setdefault(path, set()).add((m.flags, None if stacked else m.r))
    if any(len(f) > 1 for f in flags.values()):
        reasons.append((MISMATCH, "modules of different sorts or ranks"))
    for a, _, _ in live:
        reasons += unsupported(a, CHANGED)
    reasons += same(live, "kinds", lambda a: a.kind)
    reasons += same(live, "base models", lambda a: (a.base_model, a.base_revision))
    if len({a.lora_bias for a, _, _ in live}) > 1 and any(
            m.flags & (EMBEDDING | PARAMETER) for a, _, _ in live for m in a.modules.values()):
        reasons.append((MISMATCH, "lora_bias of what cannot have one"))
    reasons += same(live, "target_parameters", lambda a: tuple(a.target_parameters))
    shapes, dense = {}, {}
    for a, _, _ in live:
        for place, (_, t) in a.placed().items():
            if place[1] == DENSE:
                dense.setdefault(place, []).append(t)
                continue
            shapes.setdefault(place, set()).add(
                (len(t.shape), stacked_shape(place[1], t.shape) if stacked else t.shape))
    if any(len(s) > 1 for s in shapes.values()):
        reasons.append((MISMATCH, "shapes or ranks differ"))
    for places in dense.values():
        reasons += dense_reasons(live, places, mixtures)
    return reasons


def common_scaling(scalings):
    """(scaling of the result, whether the leaves' own are folded)"""
    if len({bits(s) for s in scalings}) == 1:
        return scalings[0], False
    return 1.0, True


def alpha_for(s, r):
    """(alpha with alpha / r = s, exact)"""
    first = s * r
    up, down = np.nextafter(first, np.inf), np.nextafter(first, -np.inf)
    for alpha in (first, up, down, np.nextafter(up, np.inf), np.nextafter(down, -np.inf)):
        if float(alpha) / r == s:
            return float(alpha), True
    return first, False


def common_facts(live):
    """The result without tensors: the modules of all, each as the first leaf has it."""
    r = facts_like(live[0][0])
    if len({a.task_type for a, _, _ in live}) > 1:
        r.task_type = None
    if len({a.bias for a, _, _ in live}) > 1:
        r.bias = "none"
    r.fan_in_fan_out = all(a.fan_in_fan_out for a, _, _ in live)
    r.lora_bias = any(a.lora_bias for a, _, _ in live)
    r.saved_modules = sorted({s for a, _, _ in live for s in a.saved_modules}, key=str.encode)
    for a, _, _ in live:
        for path, m in a.modules.items():
            r.modules.setdefault(path, m.copy())
    return r


def add_zero_biases(r, live):
    """Where some have lora_bias every module has one, as PEFT looks for it."""
    if len({a.lora_bias for a, _, _ in live}) == 1:
        return
    for (path, role, key), (_, t) in list(r.placed().items()):
        if role == B and (path, BIAS, None) not in r.placed():
            r.add(path, BIAS, None, tensor(np.zeros(t.shape[:1]), t.dtype, path))


def number_of(x):
    """The bits of a double as an unsigned number."""
    return struct.unpack("<Q", bits(x))[0]


def rank_of_tensor(t):
    return (hashlib.sha256(t.data).digest(), DTYPE_IDS[t.dtype])


def own_tensors(a, path):
    """The module's tensors in role order, None where it has none of the role."""
    placed = a.placed()
    return [placed.get((path, role, None), (None, None))[1] for role in (A, B, VECTOR, BIAS)]


def rank_in_module(a, path, p, q):
    """What a term is sorted by among those of its module ("Order of terms")."""
    own = [(0,) if t is None else (1,) + rank_of_tensor(t) for t in own_tensors(a, path)]
    return own, number_of(a.modules[path].scaling), number_of(p), number_of(q)


def by_place(live):
    """{place: [(leaf, p, q, name, tensor)]}, each list in the order of terms"""
    places = {}
    for a, p, q in live:
        for place, (name, t) in a.placed().items():
            if place[1] == DENSE:
                rank = rank_of_tensor(t), number_of(p), number_of(q)
            else:
                rank = rank_in_module(a, place[0], p, q)
            places.setdefault(place, []).append((rank, (a, p, q, name, t)))
    return {place: [term for _, term in sorted(terms, key=lambda x: x[0])] for place, terms in places.items()}


def combine(live):
    refuse(plan_reasons(live))
    reasons = []
    r = common_facts(live)
    r.rslora = all(a.rslora for a, _, _ in live)
    folded = {}
    for path, m in r.modules.items():
        scalings = [a.modules[path].scaling for a, _, _ in live if path in a.modules]
        m.scaling, folded[path] = common_scaling(scalings)
        if folded[path] and not all(s > 0 and math.isfinite(s) for s in scalings):
            reasons.append((MISMATCH, "scaling not positive and finite"))
        if folded[path] and m.flags & PARAMETER:
            reasons.append((MISMATCH, "scalings of experts differ"))
        if r.kind == 1 and not r.rslora and not alpha_for(m.scaling, float(m.r))[1]:
            reasons.append((UNSUPPORTED, "no alpha for the scaling"))
    refuse(reasons)
    for (path, role, key), inputs in by_place(live).items():
        if role == DENSE and kept(live, [t for *_, t in inputs]):
            r.add(path, role, key, inputs[0][-1])
            continue
        fold = role != DENSE and folded[path]
        r.add(path, role, key, weighted_sum(path, role, inputs, fold))
    add_zero_biases(r, live)
    return r


def groups_of(a, path):
    """How many products the factors hold: those of a grouped convolution or of experts."""
    m = a.modules[path]
    each = m.r if m.flags & PARAMETER else a.placed()[path, B, None][1].shape[1]
    return m.rank // each


def concatenate(live):
    """A sum of changes: factors A below each other, B side by side times weight and scaling."""
    reasons = plan_reasons(live, stacked=True)
    refuse(reasons)
    r = common_facts(live)
    r.rslora = False
    groups = {}
    for path, m in r.modules.items():
        having = [a for a, _, _ in live if path in a.modules]
        if r.kind == 2:
            continue
        counts = {groups_of(a, path) for a in having}
        groups[path] = max(counts)
        m.rank = sum(a.modules[path].rank for a in having)
        m.r = sum(a.modules[path].r for a in having)
        m.scaling = 1.0
        if len(counts) > 1:
            reasons.append((MISMATCH, "groups differ"))
        if len(having) > 1 and m.rank // max(counts) > MAX_STACK_RANK:
            reasons.append((LIMIT, "rank of " + path))
    refuse(reasons)
    for (path, role, key), inputs in by_place(live).items():
        if role == DENSE and kept(live, [t for *_, t in inputs]):
            r.add(path, role, key, inputs[0][-1])
        elif role in (A, B):
            r.add(path, role, key, stacked(path, role, inputs, groups[path]))
        else:
            r.add(path, role, key, weighted_sum(path, role, inputs, role == BIAS))
    add_zero_biases(r, live)
    return r


def stacked(path, role, inputs, groups):
    dtype, parts = None, []
    with np.errstate(all="ignore"):
        for a, _, w, name, t in inputs:
            c = 1.0 if role == A else w * a.modules[path].scaling
            finite(c)
            x = c * values_of(t, name)
            parts.append(x.reshape((groups, -1) + x.shape[1:]) if role == A else x)
            dtype = t.dtype if dtype is None else wider(dtype, t.dtype)
    whole = np.concatenate(parts, axis=1)
    return tensor(whole.reshape((-1,) + whole.shape[2:]) if role == A else whole, dtype, inputs[0][3])


def coefficient(role, p, q, scaling, fold):
    if role == A:
        return p * math.sqrt(scaling) if fold else p
    if role == B:
        return q * math.sqrt(scaling) if fold else q
    if role == BIAS:
        return q * scaling if fold else q
    return q


def weighted_sum(path, role, inputs, fold):
    dtype, acc = None, None
    with np.errstate(all="ignore"):
        for a, p, q, name, t in inputs:
            scaling = a.modules[path].scaling if fold else 1.0
            product = coefficient(role, p, q, scaling, fold) * values_of(t, name)
            acc = product if acc is None else acc + product
            dtype = t.dtype if dtype is None else wider(dtype, t.dtype)
        if role == VECTOR:
            constant = exact_sum([1.0] + [-q for _, _, q, _, _ in inputs])
            if constant != 0:
                acc = acc + constant
    return tensor(acc, dtype, inputs[0][3])


def scale(a, s):
    """adapter_scale"""
    finite(s)
    refuse(unsupported(a, (A, B, BIAS, VECTOR)))
    r = facts_like(a)
    r.rslora = False
    if a.kind == 1:
        for m in r.modules.values():
            alpha, _ = alpha_for(m.scaling, float(m.r))
            alpha = alpha * abs(s) if s != 0 else alpha
            finite(alpha)
            m.scaling = alpha / float(m.r)
    for (path, role, key), (name, t) in a.placed().items():
        if role == DENSE:
            r.add(path, role, key, t)
            continue
        x = values_of(t, name)
        if role == VECTOR:
            with np.errstate(all="ignore"):
                x = 1.0 + s * (x - 1.0)
        elif role in (B, BIAS):
            x = np.zeros(x.shape) if s == 0 else (-x if s < 0 else x)
        r.add(path, role, key, tensor(x, t.dtype, name))
    return r


def cast(a, dtype):
    """adapter_cast"""
    dtype = dtype.upper()
    refuse(unsupported(a))
    r = facts_like(a)
    for (path, role, key), (name, t) in a.placed().items():
        r.add(path, role, key, tensor(values_of(t, name), dtype, name))
    return r


def select(a, keep):
    """adapter_select, for the paths in keep."""
    r = facts_like(a)
    r.modules = {p: m for p, m in r.modules.items() if p in keep}
    r.saved_modules = [s for s in r.saved_modules
                       if any(p == s or p.startswith(s + ".") for p in keep)]
    for (path, role, key), (_, t) in a.placed().items():
        if path in keep:
            r.add(path, role, key, t)
    return r


def delta(a, path):
    """The change that module path makes to the base weight, in float64."""
    place = a.placed()
    if a.kind == 2:
        name, t = place[path, VECTOR, None]
        return rounding.widen(t.array(), t.dtype) - 1.0
    m = a.modules[path]
    fa, fb = (rounding.widen(place[path, role, None][1].array(), place[path, role, None][1].dtype)
              for role in (A, B))
    with np.errstate(all="ignore"):
        flat = m.scaling * ordered_product(fb.reshape(fb.shape[0], -1), fa.reshape(fa.shape[0], -1))
    if m.flags & EMBEDDING or (a.fan_in_fan_out and fa.ndim == 2):
        return flat.T
    return flat.reshape((fb.shape[0],) + fa.shape[1:])


def ordered_product(b, a):
    """b a, summed over the rank in order, from the first term."""
    acc = b[:, :1] * a[:1]
    for k in range(1, a.shape[0]):
        acc = acc + b[:, k:k + 1] * a[k:k + 1]
    return acc
