"""A small reader and writer of safetensors files, independent of the C code.

It serves the test programs, which run on a bare python3 with numpy: neither
torch nor the safetensors package is needed.  bfloat16 has no numpy type and is
handed out as uint16.

SPDX-License-Identifier: PostgreSQL
"""
import json
import struct

import numpy as np

# In the order of the reference writer (its enum of dtypes), narrowest first.
ORDER = ["BOOL", "F4", "F6_E2M3", "F6_E3M2", "U8", "I8", "F8_E5M2", "F8_E4M3",
         "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I16", "U16", "F16", "BF16",
         "I32", "U32", "F32", "C64", "F64", "I64", "U64"]
BITS = {"BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8,
        "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8,
        "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
        "I32": 32, "U32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64,
        "U64": 64}
NUMPY = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8",
         "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "U16": "<u2",
         "U32": "<u4", "U64": "<u8", "BOOL": "?"}


class Tensor:
    """dtype name, shape, raw little-endian bytes."""

    __slots__ = ("dtype", "shape", "data")

    def __init__(self, dtype, shape, data):
        self.dtype = dtype
        self.shape = tuple(int(d) for d in shape)
        self.data = bytes(data)

    def __eq__(self, other):
        return (self.dtype, self.shape, self.data) == (other.dtype, other.shape, other.data)

    def __repr__(self):
        return "Tensor(%s, %s, %d bytes)" % (self.dtype, list(self.shape), len(self.data))

    def array(self):
        return np.frombuffer(self.data, dtype=NUMPY[self.dtype]).reshape(self.shape)


def elements(shape):
    n = 1
    for d in shape:
        n *= d
    return n


def of_array(dtype, array):
    a = np.ascontiguousarray(array).astype(NUMPY[dtype], copy=False)
    return Tensor(dtype, np.shape(array), a.tobytes())


def read(data):
    """(metadata or None, {name: Tensor} in the file's order of offsets).

    Only for files that are known to be right: asserts, no diagnosis.
    """
    (n,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + n].decode())
    metadata = header.pop("__metadata__", None)
    tensors, end = {}, 0
    for name, entry in sorted(header.items(), key=lambda i: (i[1]["data_offsets"], i[0])):
        a, b = entry["data_offsets"]
        assert a == end and b >= a, name
        end = b
        assert elements(entry["shape"]) * BITS[entry["dtype"]] == 8 * (b - a), name
        tensors[name] = Tensor(entry["dtype"], entry["shape"], data[8 + n + a:8 + n + b])
    assert 8 + n + end == len(data)
    return metadata, tensors


def quote(text):
    """A JSON string as serde_json writes it: control characters and the two
    that must be escaped, everything else as it is."""
    return json.dumps(text, ensure_ascii=False)


def build(entries, metadata, pad=8, pad_min=0, spaces=False):
    """A file of entries [(name, Tensor)] in the given order of header and data."""
    sep, col = (", ", ": ") if spaces else (",", ":")
    parts = []
    if metadata is not None:
        inner = sep.join(quote(k) + col + quote(v) for k, v in metadata.items())
        parts.append('"__metadata__"' + col + "{" + inner + "}")
    offset, body = 0, b""
    for name, t in entries:
        shape = sep.join(str(d) for d in t.shape)
        parts.append('%s%s{"dtype"%s"%s"%s"shape"%s[%s]%s"data_offsets"%s[%d%s%d]}' % (
            quote(name), col, col, t.dtype, sep, col, shape, sep, col,
            offset, sep, offset + len(t.data)))
        offset += len(t.data)
        body += t.data
    header = ("{" + sep.join(parts) + "}").encode()
    header += b" " * pad_min
    if pad:
        header += b" " * (-len(header) % pad)
    return struct.pack("<Q", len(header)) + header + body


def canonical(tensors):
    """What the safetensors library writes for {name: Tensor} with PEFT's metadata."""
    order = sorted(tensors.items(), key=lambda i: (-ORDER.index(i[1].dtype), i[0].encode()))
    return build(order, {"format": "pt"})
