"""Rounding a double to F32, F16 and BF16: once, to nearest even, directly.

A value is scaled by a power of two so that the spacing of the target at its
size becomes 1 (exact), rounded to an integer (numpy's rint is to nearest even),
and scaled back (exact).  Nothing goes by way of a narrower type.

SPDX-License-Identifier: PostgreSQL
"""
import math
from fractions import Fraction

import numpy as np

# precision in bits, exponent of the smallest subnormal, largest finite value
FORMATS = {
    "F16": (11, -24, 65504.0),
    "BF16": (8, -133, float(Fraction(2**8 - 1) * Fraction(2) ** 120)),
    "F32": (24, -149, float(Fraction(2**24 - 1) * Fraction(2) ** 104)),
    "F64": (53, -1074, float(np.finfo(np.float64).max)),
}


def round_value(x, dtype):
    """x (float64 array) rounded to dtype, still as float64; overflow is inf."""
    x = np.asarray(x, dtype=np.float64)
    if dtype == "F64":
        return x.copy()
    precision, smallest, largest = FORMATS[dtype]
    with np.errstate(all="ignore"):
        _, e = np.frexp(x)
        k = np.maximum(e - precision, smallest)
        # two steps: one factor of 2^-k alone can be beyond a double
        y = np.rint(np.ldexp(np.ldexp(x, -(k // 2)), -(k - k // 2)))
        y = np.ldexp(y, k)
        y = np.where(np.abs(y) > largest, np.copysign(np.inf, x), y)
        y = np.where(np.isfinite(x), y, x)
        return np.copysign(y, x)


def encode(x, dtype):
    """float64 array to the raw array of dtype (BF16 as uint16)."""
    y = round_value(x, dtype)
    with np.errstate(all="ignore"):
        if dtype == "F64":
            return y.astype("<f8")
        if dtype == "F32":
            return y.astype("<f4")
        if dtype == "F16":
            return y.astype("<f2")
        return (y.astype("<f4").view("<u4") >> 16).astype("<u2")


def widen(raw, dtype):
    """Raw array of dtype to float64, exactly."""
    with np.errstate(all="ignore"):
        if dtype == "BF16":
            return (raw.astype("<u4") << 16).view("<f4").astype(np.float64)
        return raw.astype(np.float64)


def round_fraction(x, dtype):
    """The same for one finite double by rational arithmetic: its magnitude, or inf.

    The slow oracle of the oracle.
    """
    precision, smallest, largest = FORMATS[dtype]
    q = abs(Fraction(x))
    if q == 0:
        return 0.0
    _, e = math.frexp(abs(x))
    k = max(e - precision, smallest)
    scaled = q / Fraction(2) ** k
    n = scaled.numerator // scaled.denominator
    rest = scaled - n
    if rest > Fraction(1, 2) or (rest == Fraction(1, 2) and n % 2):
        n += 1
    y = n * Fraction(2) ** k
    return float("inf") if y > Fraction(largest) else float(y)
