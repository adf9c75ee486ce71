"""Hand-made files and configurations, good and bad, each with its verdict.

cases() gives Case(name, file, config, verdict): config is the text of the
configuration or None, verdict is None for a file that must be accepted, or the
set of SQLSTATEs that a refusal may have (more than one where two rules are
broken at once).  wire says what reading the same bytes as an envelope must give:
"same" as verdict, or "refuse" (it is no envelope).

Sources: the rules of doc/format.md, the unit tests and attack scripts of the
reference implementation as facts, and what other readers got wrong.

SPDX-License-Identifier: PostgreSQL
"""
import gzip
import io
import json
import os
import pickle
import struct
import sys
import zipfile
from collections import namedtuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))

import bad_containers           # noqa: E402
import safetensors_lite as st   # noqa: E402

Case = namedtuple("Case", "name file config verdict wire")

FILE, TEXT, JSON, DUPLICATE = {"22P03"}, {"22P02"}, {"22032"}, {"22030"}
CONFIG, LIMIT, UNSUPPORTED, REGEX = {"22023"}, {"54000"}, {"0A000"}, {"2201B"}
BASE = {"peft_type": "LORA", "r": 1, "lora_alpha": 2}
A, B = "base_model.model.m.lora_A.weight", "base_model.model.m.lora_B.weight"


def cfg(**changes):
    return json.dumps(dict(BASE, **changes))


def without(*names):
    return json.dumps({k: v for k, v in BASE.items() if k not in names})


def raw(header, data=b"", length=None):
    if isinstance(header, str):
        header = header.encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def entry(dtype, shape, begin, end):
    return '{"dtype":"%s","shape":%s,"data_offsets":[%s,%s]}' % (dtype, shape, begin, end)


def f32(*shape):
    n = st.elements(shape)
    return st.Tensor("F32", shape, struct.pack("<%df" % n, *(0.5 + i for i in range(n))))


def pair(path="m", r=1, n=2, m=2, prefix="base_model.model."):
    return {prefix + path + ".lora_A.weight": f32(r, n), prefix + path + ".lora_B.weight": f32(m, r)}


def good(**more):
    return st.canonical(dict(pair(), **more))


def tensors(**named):
    """A canonical file; __ in a keyword stands for a dot."""
    return st.canonical({k.replace("__", "."): v for k, v in named.items()})


# The two factors as header text, 8 bytes of data each; X is what a case adds.
HEAD = '{"%s":%s,"%s":%s' % (A, entry("F32", "[1,2]", 0, 8), B, entry("F32", "[2,1]", 8, 16))
DATA = struct.pack("<4f", 1, 2, 3, 4)


def extra(text, data=b"", tail="}"):
    """The good file and one more member of the header."""
    return raw(HEAD + "," + text + tail, DATA + data)


def first(text, data=b""):
    """A file that holds one entry alone."""
    return raw('{"x":%s}' % text, data)


CASES = []


def case(name, file, verdict, config=cfg(), wire="refuse"):
    CASES.append(Case(name, file, config, verdict, wire))


def lengths():
    g = good()
    n = struct.unpack_from("<Q", g)[0]
    case("good file", g, None)
    case("no byte at all", b"", FILE)
    for k in (1, 7, 8, 9):
        case("first %d bytes only" % k, g[:k], FILE)
    case("header length 0", raw("", b""), FILE)
    case("header length 0 with data", struct.pack("<Q", 0) + g[8:], FILE)
    case("header length 1", struct.pack("<Q", 1) + g[8:], FILE | JSON)
    for label, v in (("one too small", n - 1), ("one too large", n + 1), ("of the whole file", len(g)),
                     ("just past the end", len(g) - 7), ("100,000,001", 100000001), ("2^31", 2**31),
                     ("2^32", 2**32), ("2^32 + its own", 2**32 + n), ("2^63 - 1", 2**63 - 1),
                     ("2^63", 2**63), ("2^64 - 8", 2**64 - 8), ("2^64 - 1", 2**64 - 1)):
        case("header length " + label, struct.pack("<Q", v) + g[8:], FILE | JSON | LIMIT)
    case("header length big-endian", struct.pack(">Q", n) + g[8:], FILE | LIMIT)
    case("empty object, no tensors", raw("{}"), CONFIG)
    case("empty object, trailing data", raw("{}", b"\0"), FILE)
    case("header one byte {", raw("{"), FILE | JSON)
    h = (HEAD + "}").encode()
    case("header of 16 MiB, padded", raw(h + b" " * (16 * 2**20 - len(h)), DATA), None)
    case("header above 16 MiB", raw(h + b" " * (16 * 2**20 + 1 - len(h)), DATA), LIMIT)
    case("padding by 1,000 spaces", raw(h + b" " * 1000, DATA), None)
    case("no padding", raw(h, DATA), None)
    for label, pad in (("newline", b"\n"), ("tab", b"\t"), ("NUL", b"\0"), ("letter", b"x"),
                       ("second object", b"{}"), ("brace", b"}"), ("space and NUL", b" \0")):
        case("header ends in " + label, raw(h + pad, DATA), FILE | JSON)
    for label, lead in (("space", b" "), ("newline", b"\n"), ("byte order mark", b"\xef\xbb\xbf"),
                        ("NUL", b"\0"), ("bracket", b"["), ("quote", b'"')):
        case("header begins with " + label, raw(lead + h, DATA), FILE)
    case("header is an array", raw("[]"), FILE)
    case("header is null", raw("null"), FILE)
    case("white space inside the header", raw(HEAD.replace(",", " ,\n\t\r ") + " }", DATA), None)
    case("truncated data", g[:-1], FILE)
    case("truncated in the middle of the data", g[:-9], FILE)
    case("one trailing byte", g + b"\0", FILE)
    case("file twice", g + g, FILE)
    case("trailing zip", g + zip_bytes(), FILE)


def zip_bytes():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("archive/data.pkl", pickle.dumps([1]))
    return out.getvalue()


class Poc:
    def __reduce__(self):
        return os.system, ("true",)


def magics():
    kinds = [("zip (torch.save)", zip_bytes()), ("empty zip", b"PK\5\6" + bytes(18)),
             ("GGUF", b"GGUF" + struct.pack("<IQQ", 3, 0, 0)),
             ("HDF5", b"\x89HDF\r\n\x1a\n" + bytes(64)), ("numpy", b"\x93NUMPY\1\0v\0" + b" " * 118),
             ("gzip", gzip.compress(good())), ("zstd", b"\x28\xb5\x2f\xfd" + bytes(40)),
             ("legacy torch", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + bytes(40)),
             ("JSON text", cfg().encode()), ("ELF", b"\x7fELF\2\1\1" + bytes(60)),
             ("tar", b"data.pkl" + bytes(249) + b"ustar\0" + bytes(700)),
             ("PNG", b"\x89PNG\r\n\x1a\n" + bytes(40)), ("git LFS pointer",
              b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1\n"),
             ("HTML error page", b"<!DOCTYPE html><html>not found</html>"), ("text", b"hello, world\n"),
             ("stored value", b"\x89PAD\r\n\x1a\n" + bytes(300))]
    for protocol in range(6):
        kinds.append(("pickle protocol %d" % protocol, pickle.dumps({"a": [1.5] * 9}, protocol)))
        kinds.append(("pickle that calls, protocol %d" % protocol, pickle.dumps(Poc(), protocol)))
    for label, data in kinds:
        case("other file: " + label, data, FILE | UNSUPPORTED | LIMIT)


def json_syntax():
    for label, text in (
            ("unclosed object", HEAD), ("trailing comma", HEAD + ",}"), ("single quotes", "{'x':1}"),
            ("comment", HEAD + "/* */}"), ("bare word", "{x:1}"), ("NaN", '{"__metadata__":{},"x":NaN}'),
            ("unclosed string", '{"x'), ("bad escape", '{"\\x":1}'), ("two colons", '{"x"::1}'),
            ("raw newline in a name", '{"a\nb":1}'), ("raw tab in a name", '{"a\tb":1}'),
            ("number with leading zero", '{"x":01}'), ("plus sign", '{"x":+1}')):
        case("header JSON: " + label, raw(text, DATA), JSON | FILE)
    for label, old, new in (("behind a number", "[1,2]", "[1,2\0]"), ("behind an offset", "[0,8]", "[0,8\0]"), ("behind two numbers", "[0,8]", "[0\0,8\0]"),
                            ("between members", ",", ",\0"), ("behind a name", '":', '"\0:'), ("in a name", "base", "ba\0se"),
                            ("in a dtype", "F32", "F32\0"), ("at the end", "]}", "]}\0")):
        case("header JSON: NUL " + label, raw((HEAD + "}").replace(old, new, 1), DATA), JSON | FILE)
    for label, name in (("invalid UTF-8", b"\xff"), ("overlong UTF-8", b"\xc0\xaf"),
                        ("surrogate in UTF-8", b"\xed\xa0\x80"), ("cut UTF-8", b"\xc3"),
                        ("above U+10FFFF", b"\xf4\x90\x80\x80"), ("latin-1", b"caf\xe9")):
        case("name: " + label, raw(b'{"' + name + b'":' + entry("F32", "[1]", 0, 4).encode() + b"}", b"1234"),
             JSON | FILE)
    for label, name, verdict in (
            ("lone high surrogate", "\\ud800", JSON), ("lone low surrogate", "\\udc00", JSON),
            ("two high surrogates", "\\ud800\\ud800", JSON), ("escaped NUL", "a\\u0000b", JSON | FILE),
            ("escaped control character", "a\\u0001b", FILE), ("escaped newline", "a\\nb", FILE),
            ("escaped DEL", "a\\u007fb", FILE), ("C1 control character", "a\\u0085b", FILE),
            ("raw C1 control character", "a\u0090b", FILE),
            ("raw DEL", "a\x7fb", FILE), ("empty", "", FILE),
            ("1,025 bytes", "n" * 1025, LIMIT | FILE), ("1,026 bytes in 513 letters", "\u00e9" * 513, LIMIT | FILE),
            ("1 MB", "n" * 10**6, LIMIT | FILE),
            ("1,024 bytes", "n" * 1024, None), ("accents", "mod\u00e8le.poids", None),
            ("emoji by surrogate pair", "\\ud83d\\ude00.w", None), ("combining letters", "e\u0301.w", None),
            ("right-to-left mark", "a\u200fb.w", None), ("quotes and backslash", 'a\\"\\\\b.w', None),
            ("slash escaped", "a\\/b.w", None), ("spaces", " a b .w", None), ("one dot", ".", None),
            ("no dot", "w", None), ("ends in a dot", "a.", None), ("regex specials", "a.*[(+.w", None)):
        case("name: " + label, extra('"%s":%s' % (name, entry("F32", "[1]", 16, 20)), b"1234"), verdict)
    case("brackets, 10^6 deep", raw('{"a":' + "[" * 10**6 + "]" * 10**6 + "}"), LIMIT | JSON)
    case("braces, 10^5 deep", raw('{"a":' * 10**5 + "1" + "}" * 10**5), LIMIT | JSON)
    case("brackets, 65 deep", raw('{"a":' + "[" * 64 + "]" * 64 + "}"), LIMIT | FILE)
    case("open brackets, 10^6", raw("{\"a\":" + "[" * 10**6), LIMIT | JSON | FILE)


def duplicates():
    same = entry("F32", "[1]", 16, 20)
    empty = entry("F32", "[0]", 16, 16)
    case("tensor twice, identical", extra('"x":%s,"x":%s' % (same, same), b"1234"), DUPLICATE)
    case("tensor twice, next to each other", extra('"x":%s,"x":%s' % (same, entry("F32", "[1]", 20, 24)), b"12345678"), DUPLICATE)
    case("tensor twice, empty", extra('"x":%s,"x":%s' % (empty, empty)), DUPLICATE)
    case("tensor twice, by escape", extra('"x":%s,"\\u0078":%s' % (empty, empty)), DUPLICATE)
    case("factor twice", extra('"%s":%s' % (A, entry("F32", "[1,2]", 0, 8))), DUPLICATE)
    case("dtype twice", extra('"x":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[16,20]}', b"1234"), DUPLICATE)
    case("shape twice", extra('"x":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[16,20]}', b"1234"), DUPLICATE)
    case("data_offsets twice", extra('"x":{"dtype":"F32","shape":[1],"data_offsets":[16,20],"data_offsets":[16,20]}', b"1234"), DUPLICATE)
    case("__metadata__ twice", extra('"__metadata__":{},"__metadata__":{}'), DUPLICATE)
    case("metadata key twice", extra('"__metadata__":{"a":"1","a":"1"}'), DUPLICATE)
    case("metadata key twice, by escape", extra('"__metadata__":{"a":"1","\\u0061":"2"}'), DUPLICATE)
    other = entry("F32", "[1]", 20, 24)
    case("names that differ by normal form", extra('"\u00e9.w":%s,"e\u0301.w":%s' % (same, other), b"12345678"), None)
    case("names that differ by case", extra('"X.w":%s,"x.w":%s' % (same, other), b"12345678"), None)


def entries():
    d = b"1234"
    for label, text in (
            ("null", "null"), ("number", "1"), ("string", '"F32"'), ("array", "[]"), ("empty object", "{}"),
            ("true", "true"),
            ("dtype missing", '{"shape":[1],"data_offsets":[16,20]}'),
            ("shape missing", '{"dtype":"F32","data_offsets":[16,20]}'),
            ("data_offsets missing", '{"dtype":"F32","shape":[1]}'),
            ("unknown member", '{"dtype":"F32","shape":[1],"data_offsets":[16,20],"x":1}'),
            ("strides", '{"dtype":"F32","shape":[1],"data_offsets":[16,20],"strides":[1]}'),
            ("dtype number", '{"dtype":11,"shape":[1],"data_offsets":[16,20]}'),
            ("dtype null", '{"dtype":null,"shape":[1],"data_offsets":[16,20]}'),
            ("shape number", '{"dtype":"F32","shape":1,"data_offsets":[16,20]}'),
            ("shape null", '{"dtype":"F32","shape":null,"data_offsets":[16,20]}'),
            ("shape object", '{"dtype":"F32","shape":{},"data_offsets":[16,20]}'),
            ("shape of strings", '{"dtype":"F32","shape":["1"],"data_offsets":[16,20]}'),
            ("shape nested", '{"dtype":"F32","shape":[[1]],"data_offsets":[16,20]}'),
            ("shape real", '{"dtype":"F32","shape":[1.0],"data_offsets":[16,20]}'),
            ("shape exponent", '{"dtype":"F32","shape":[1e0],"data_offsets":[16,20]}'),
            ("shape negative", '{"dtype":"F32","shape":[-1],"data_offsets":[16,20]}'),
            ("shape true", '{"dtype":"F32","shape":[true],"data_offsets":[16,20]}'),
            ("offsets null", '{"dtype":"F32","shape":[1],"data_offsets":null}'),
            ("offsets empty", '{"dtype":"F32","shape":[1],"data_offsets":[]}'),
            ("one offset", '{"dtype":"F32","shape":[1],"data_offsets":[16]}'),
            ("three offsets", '{"dtype":"F32","shape":[1],"data_offsets":[16,20,24]}'),
            ("offsets real", '{"dtype":"F32","shape":[1],"data_offsets":[16.0,20.0]}'),
            ("offsets exponent", '{"dtype":"F32","shape":[1],"data_offsets":[16,2e1]}'),
            ("offsets strings", '{"dtype":"F32","shape":[1],"data_offsets":["16","20"]}'),
            ("offset negative", '{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}'),
            ("offset -0", '{"dtype":"F32","shape":[0],"data_offsets":[-0,-0]}'),
            ("offsets object", '{"dtype":"F32","shape":[1],"data_offsets":{"begin":16,"end":20}}'),
            ("offsets exchanged", entry("F32", "[1]", 20, 16)), ("hole of one byte", entry("F32", "[1]", 17, 21)),
            ("overlap of one byte", entry("F32", "[1]", 15, 19)), ("overlap of a whole tensor", entry("F32", "[2]", 8, 16)),
            ("end beyond the file", entry("F32", "[2]", 16, 24)), ("size larger than the shape", entry("F32", "[0]", 16, 20)),
            ("size smaller than the shape", entry("F32", "[2]", 16, 20)),
            ("empty tensor inside another", entry("F32", "[0]", 4, 4)),
            ("empty tensor behind the end", entry("F32", "[0]", 21, 21)),
            ("offset 2^63 - 1", entry("F32", "[1]", 16, 2**63 - 1)),
            ("offsets that wrap", entry("F32", "[1]", 2**63 - 4, 2**63 - 1)),
            ("begin -2^63", entry("F32", "[1]", -2**63, 20))):
        # so many bytes that the rule named is the only one that is broken
        data = {"hole of one byte": bytes(5), "overlap of one byte": bytes(3), "overlap of a whole tensor": b"",
                "empty tensor inside another": b"", "empty tensor behind the end": b"", "offset -0": b"",
                "offset negative": b""}.get(label, d)
        case("entry: " + label, extra('"x":' + text, data), FILE)
    for label, text in (("offset 2^64 - 1", entry("F32", "[1]", 16, 2**64 - 1)), ("offset 2^64 + 20", entry("F32", "[1]", 16, 2**64 + 20)),
                        ("offset of 400 digits", entry("F32", "[1]", 16, "9" * 400)), ("offset 1e999", entry("F32", "[1]", 16, "1e999")),
                        ("dimension 2^64 + 1", entry("F32", "[%d]" % (2**64 + 1), 16, 20))):
        case("entry: " + label, extra('"x":' + text, d), FILE | JSON)
    for name in ("f32", "FP32", "float32", "F32 ", " F32", "", "F", "F33", "F128", "BF16 ", "bf16", "F8", "F8_e4m3",
                 "I4", "C128", "U1", "F32\\u0000", "INVALID"):
        case("dtype %r" % name, extra('"x":' + entry(name, "[1]", 16, 20), d), FILE | JSON)
    case("first tensor does not begin at 0", raw('{"x":%s}' % entry("F32", "[1]", 4, 8), b"12345678"), FILE)
    case("hole between tensors", raw('{"x":%s,"y":%s}' % (entry("F32", "[1]", 0, 4), entry("F32", "[1]", 8, 12)), bytes(12)), FILE)
    case("two tensors in one place", raw('{"x":%s,"y":%s}' % (entry("F32", "[1]", 0, 4), entry("F32", "[1]", 0, 4)), d), FILE)
    case("data without tensors", raw('{"__metadata__":{}}', d), FILE)


def shapes():
    big = 2**31
    for label, dtype, shape, verdict in (
            ("2^31", "F32", [big], LIMIT | FILE), ("2^31 and 0", "F32", [0, big], LIMIT),
            ("2^62 and 0", "F32", [0, 2**62], LIMIT), ("2^63 - 1 and 0", "F32", [2**63 - 1, 0], LIMIT),
            ("product wraps to 0", "F32", [2**30, 2**30, 16], FILE | LIMIT),
            ("product wraps to 4", "F32", [4194305, 4194305, 211106198978564], FILE | LIMIT),
            ("product 2^62", "F32", [2**31 - 1, 2**31 - 1], FILE | LIMIT),
            ("bytes wrap", "F64", [2**31 - 1, 2**30, 4], FILE | LIMIT),
            ("0 hides a wrap", "F32", [2**31 - 1, 2**31 - 1, 2**31 - 1, 0], FILE | LIMIT),
            ("nine dimensions", "F32", [1] * 9, LIMIT | FILE), ("10,000 dimensions", "F32", [1] * 10000, LIMIT | FILE),
            ("half a byte", "F4", [1], FILE), ("6 bits", "F6_E2M3", [1], FILE), ("18 bits", "F6_E3M2", [3], FILE)):
        n = st.elements(shape) * st.BITS[dtype] // 8
        end = 16 + (n if n < 2**62 else 0)
        case("shape: " + label, extra('"x":' + entry(dtype, json.dumps(shape), 16, end), bytes(n) if n < 100 else b""), verdict)
    case("shape: 2^31 - 1 and 0", good(**{"x.w": st.Tensor("F32", (2**31 - 1, 0), b"")}), FILE)
    case("shape: two of 2^31 - 1 and 0", good(**{"x.w": st.Tensor("F32", (0, 2**31 - 1), b"")}), FILE)
    case("shape: no dimension", good(**{"x.w": f32()}), None)
    case("shape: eight dimensions", good(**{"x.w": f32(1, 1, 2, 1, 1, 1, 1, 1)}), None)
    case("shape: no element", good(**{"x.w": f32(0)}), FILE)
    case("shape: three tensors without elements", good(**{"x.w": f32(0), "y.w": f32(0, 3), "z.w": f32(3, 0)}), FILE)


def metadata():
    for label, text, verdict in (
            ("empty", "{}", None), ("usual", '{"format":"pt"}', None), ("empty key and value", '{"":""}', None),
            ("escapes", '{"a\\n":"\\t\\u00e9\\ud83d\\ude00"}', None), ("long value", '{"a":"%s"}' % ("x" * 10**5), None),
            ("1,000 keys", json.dumps({"k%d" % i: "v" for i in range(1000)}), None),
            ("null", "null", None), ("number", '{"a":1}', FILE), ("null value", '{"a":null}', FILE), ("list", '{"a":[]}', FILE),
            ("nested", '{"a":{}}', FILE), ("true", '{"a":true}', FILE), ("is a string", '"x"', FILE),
            ("is a list", "[]", FILE), ("is a number", "1", FILE),
            ("is a tensor", entry("F32", "[0]", 16, 16), FILE),
            ("escaped NUL in a value", '{"a":"x\\u0000"}', JSON), ("lone surrogate", '{"a":"\\ud800"}', JSON)):
        case("metadata: " + label, extra('"__metadata__":' + text), verdict)
    case("metadata: tensor called __metadata__ with data", extra('"__metadata__":' + entry("F32", "[1]", 16, 20), b"1234"), FILE)
    case("metadata: first in the header", raw('{"__metadata__":{"format":"pt"},' + HEAD[1:] + "}", DATA), None)
    case("tensor called __Metadata__", good(**{"__Metadata__": f32(1)}), None)


def accepted():
    for dtype in st.ORDER:
        n = 4 * st.BITS[dtype] // 8
        data = bytes([0, 1] * 40)[:n] if dtype == "BOOL" else bytes(range(1, n + 1))
        case("dtype %s" % dtype, good(**{"x.w": st.Tensor(dtype, (2, 2), data)}), None)
    everything = {"x%d.w" % i: st.Tensor(d, (4,), bytes(st.BITS[d] // 2)) for i, d in enumerate(st.ORDER)}
    case("every dtype in one file", good(**everything), None)
    names = dict(pair(), **everything)
    case("order by name", st.build(sorted(names.items()), None), None)
    case("reverse order", st.build(sorted(names.items(), reverse=True), {"z": "1"}), None)
    entries_ = sorted(names.items())
    f = st.build(entries_, None, pad=0)
    n = struct.unpack_from("<Q", f)[0]
    members = json.loads(f[8:8 + n])
    turned = json.dumps(dict(reversed(list(members.items())))).encode()
    case("header in another order than the data", raw(turned, f[8 + n:]), None)
    case("members of an entry in another order", raw('{"%s":{"data_offsets":[0,8],"shape":[1,2],"dtype":"F32"},' % A
                                                     + HEAD[HEAD.index('"' + B):] + "}", DATA), None)
    nan = st.Tensor("F32", (1, 2), struct.pack("<II", 0x7FC00001, 0xFF800000))
    case("NaN and infinity in the weights", st.canonical({A: nan, B: f32(2, 1)}), None)
    case("misaligned tensor", st.build([("x.w", st.Tensor("U8", (3,), b"abc"))] + list(pair().items()), None, pad=0), None)
    for prefix in ("base_model.model.", "base_model.", ""):
        case("prefix %r" % prefix, st.canonical(pair(prefix=prefix)), None)
    case("only a dense tensor", st.canonical({"head.weight": f32(2, 2)}), CONFIG)
    many = {"d%d.w" % i: st.Tensor("U8", (1,), b"x") for i in range(65536 - 2)}
    case("65,536 tensors", good(**many), None)
    case("65,537 tensors", good(**dict(many, **{"e.w": f32(0)})), LIMIT)
    more = {"d%d.w" % i: st.Tensor("F32", (0,), b"") for i in range(100000)}
    case("100,002 tensors", good(**more), LIMIT)


def lora_tensors():
    t = tensors
    case("A without B", t(m__lora_A__weight=f32(1, 2)), FILE)
    case("B without A", t(m__lora_B__weight=f32(2, 1)), FILE)
    case("embedding A without B", t(m__lora_embedding_A=f32(1, 2)), FILE)
    case("embedding A with linear B", t(m__lora_embedding_A=f32(1, 2), m__lora_B__weight=f32(2, 1)), FILE)
    case("linear and embedding factors of one module", st.canonical(dict(
        pair(), **{"base_model.model.m.lora_embedding_A": f32(1, 2), "base_model.model.m.lora_embedding_B": f32(2, 1)})), FILE)
    case("one module under two prefixes", st.canonical(dict(pair(), **pair(prefix=""))), FILE)
    for label, a, b in (
            ("A without dimensions", (), (2, 1)), ("A with one dimension", (2,), (2, 1)), ("B with one dimension", (1, 2), (2,)),
            ("B without dimensions", (1, 2), ()), ("ranks of A and B differ", (1, 2), (2, 2)),
            ("A transposed", (2, 1), (2, 1)), ("rank 0", (0, 2), (2, 0)), ("no input", (1, 0), (2, 1)), ("no output", (1, 2), (0, 1)),
            ("A a convolution, B not", (1, 2, 3, 3), (2, 1)), ("B a convolution, A not", (1, 2), (2, 1, 1, 1)),
            ("B with a kernel", (1, 2, 3, 3), (2, 1, 3, 3)), ("dimensions differ", (1, 2, 3), (2, 1, 1, 1)),
            ("B of a convolution with rank 2", (1, 2, 3, 3), (2, 2, 1, 1)), ("nine dimensions", (1,) * 9, (1,) * 9)):
        case("factors: " + label, t(m__lora_A__weight=f32(*a), m__lora_B__weight=f32(*b)), FILE | CONFIG | LIMIT)
    for label, a, b in (("linear", (1, 2), (3, 1)), ("convolution 1x1", (1, 2, 1, 1), (3, 1, 1, 1)),
                        ("convolution 3x5", (1, 2, 3, 5), (3, 1, 1, 1)), ("convolution of one dimension", (1, 2, 3), (3, 1, 1)),
                        ("convolution of three dimensions", (1, 2, 3, 1, 2), (3, 1, 1, 1, 1))):
        case("factors: " + label, t(m__lora_A__weight=f32(*a), m__lora_B__weight=f32(*b)), None)
    case("factors: grouped convolution", t(m__lora_A__weight=f32(4, 2, 3, 3), m__lora_B__weight=f32(6, 2, 1, 1)), None, cfg(r=4))
    case("factors: groups that do not divide", t(m__lora_A__weight=f32(4, 2, 3, 3), m__lora_B__weight=f32(6, 3, 1, 1)), FILE | CONFIG, cfg(r=4))
    case("factors: embedding", t(m__lora_embedding_A=f32(1, 9), m__lora_embedding_B=f32(4, 1)), None)
    case("name: adapter's own in all", st.canonical({"m.lora_A.default.weight": f32(1, 2), "m.lora_B.default.weight": f32(2, 1)}), None)
    case("name: two adapters' own", st.canonical({"m.lora_A.default.weight": f32(1, 2), "m.lora_B.other.weight": f32(2, 1)}), FILE)
    case("name: twice without wrappers", good(**{"base_model.model._orig_mod.m.lora_A.weight": f32(1, 2)}), FILE)
    for label, name in (("adapter name in A alone", "m.lora_A.default.weight"), ("adapter name in B alone", "m.lora_B.default.weight"),
                        ("adapter name in an embedding alone", "m.lora_embedding_A.default"), ("embedding with .weight", "m.lora_embedding_A.weight"),
                        ("lora_A without .weight", "m.lora_A"), ("lora_A.bias", "m.lora_A.bias")):
        case("name: " + label, good(**{name: f32(1, 2)}), FILE)
    case("name: path empty", st.canonical({"lora_A.weight": f32(1, 2), "lora_B.weight": f32(2, 1)}), FILE)
    case("name: lora_ tensor of another sort", good(**{"m.lora_unheard_of": f32(2)}), None)
    case("lora_bias", good(**{"base_model.model.m.lora_B.bias": f32(2)}), None, cfg(lora_bias=True))
    case("lora_bias of the wrong size", good(**{"base_model.model.m.lora_B.bias": f32(3)}), FILE, cfg(lora_bias=True))
    case("lora_bias with two dimensions", good(**{"base_model.model.m.lora_B.bias": f32(2, 1)}), FILE, cfg(lora_bias=True))
    case("lora_bias without factors", st.canonical({"m.lora_B.bias": f32(2)}), FILE, cfg(lora_bias=True))
    case("magnitude", good(**{"base_model.model.m.lora_magnitude_vector": f32(2)}), None, cfg(use_dora=True))
    case("magnitude of the wrong size", good(**{"base_model.model.m.lora_magnitude_vector": f32(3)}), FILE, cfg(use_dora=True))
    case("magnitude without factors", st.canonical({"m.lora_magnitude_vector": f32(2)}), FILE, cfg(use_dora=True))
    case("factors of integers", st.canonical({A: st.Tensor("I8", (1, 2), b"ab"), B: st.Tensor("I8", (2, 1), b"cd")}), None)
    case("factors of 8-bit floats", st.canonical({A: st.Tensor("F8_E4M3", (1, 2), b"ab"), B: st.Tensor("F8_E4M3", (2, 1), b"cd")}), None)
    for label, changes, verdict in (
            ("r contradicts the tensors", {"r": 2}, FILE | CONFIG), ("r by pattern contradicts", {"rank_pattern": {"m": 2}}, FILE | CONFIG),
            ("r by pattern agrees", {"r": 9, "rank_pattern": {"m": 1}}, None), ("pattern of another module", {"rank_pattern": {"n": 7}}, None),
            ("first pattern wins", {"r": 9, "rank_pattern": {"m": 1, "^m": 5}}, None)):
        case("rank: " + label, good(), verdict, cfg(**changes))


def ia3_tensors():
    c = lambda **k: json.dumps(dict(peft_type="IA3", **k))      # noqa: E731
    t = tensors
    for label, shape, feed, verdict in (
            ("output vector", (3, 1), [], None), ("feedforward vector", (1, 3), ["m"], None), ("convolution", (1, 3, 1, 1), [], None),
            ("feedforward convolution", (1, 3, 1, 1), ["m"], None), ("one element", (1, 1), [], None),
            ("output vector lying", (1, 3), [], FILE), ("feedforward vector standing", (3, 1), ["m"], FILE),
            ("matrix", (2, 3), [], FILE), ("one dimension", (3,), [], FILE), ("no dimension", (), [], FILE),
            ("no element", (0, 1), [], FILE), ("convolution with a kernel", (1, 3, 3, 3), [], FILE),
            ("convolution the other way", (3, 1, 1, 1), [], FILE)):
        case("IA3: " + label, t(m__ia3_l=f32(*shape)), verdict, c(feedforward_modules=feed))
    case("IA3: feedforward by expression", t(h__0__m__ia3_l=f32(1, 3)), None, c(feedforward_modules=r".*\.m"))
    case("IA3: expression must match the whole path", t(h__0__m__ia3_l=f32(1, 3)), FILE, c(feedforward_modules="m"))
    case("IA3: bad expression", t(m__ia3_l=f32(3, 1)), REGEX, c(feedforward_modules="(m"))
    case("IA3: feedforward_modules a number", t(m__ia3_l=f32(3, 1)), CONFIG, c(feedforward_modules=3))
    case("IA3: feedforward_modules of numbers", t(m__ia3_l=f32(3, 1)), CONFIG, c(feedforward_modules=[3]))
    case("IA3: feedforward_modules null", t(m__ia3_l=f32(3, 1)), None, c(feedforward_modules=None))
    case("IA3: adapter name", t(m__ia3_l__default=f32(3, 1)), None, c())
    case("IA3: dense", t(m__ia3_l=f32(3, 1), head__weight=f32(2, 2)), None, c(modules_to_save=["head"]))


def configurations():
    g = good()
    for label, text, verdict in (
            ("absent", None, CONFIG), ("array", "[]", CONFIG | JSON), ("null", "null", CONFIG | JSON), ("number", "1", CONFIG | JSON),
            ("string", '"LORA"', CONFIG | JSON), ("empty object", "{}", CONFIG),
            ("peft_type missing", without("peft_type"), CONFIG), ("peft_type null", cfg(peft_type=None), CONFIG),
            ("peft_type number", cfg(peft_type=1), CONFIG), ("peft_type lower case", cfg(peft_type="lora"), CONFIG | UNSUPPORTED),
            ("peft_type LOHA", cfg(peft_type="LOHA"), None), ("peft_type ADALORA", cfg(peft_type="ADALORA"), None),
            ("peft_type unknown", cfg(peft_type="NOPE"), None), ("peft_type in lower case", cfg(peft_type="nope"), UNSUPPORTED), ("peft_type with a space", cfg(peft_type="NO PE"), UNSUPPORTED),
            ("r 0", cfg(r=0), CONFIG), ("r negative", cfg(r=-1), CONFIG), ("r 16.5", cfg(r=16.5), CONFIG), ("r string", cfg(r="1"), CONFIG),
            ("r null", cfg(r=None), CONFIG), ("r true", cfg(r=True), CONFIG), ("r list", cfg(r=[1]), CONFIG), ("r 2^31", cfg(r=2**31), CONFIG | LIMIT | FILE),
            ("r 1.0", cfg(r=1.0), None), ("r 1e309", cfg().replace('"r": 1,', '"r": 1e309,'), JSON | CONFIG),
            ("r 2^64", cfg(r=2**64), JSON | CONFIG), ("r -0", cfg().replace('"r": 1,', '"r": -0,'), CONFIG),
            ("alpha missing", without("lora_alpha"), CONFIG), ("alpha null", cfg(lora_alpha=None), CONFIG), ("alpha string", cfg(lora_alpha="16"), CONFIG),
            ("alpha true", cfg(lora_alpha=True), CONFIG), ("alpha list", cfg(lora_alpha=[16]), CONFIG), ("alpha \"NaN\"", cfg(lora_alpha="NaN"), CONFIG),
            ("alpha 1e309", cfg().replace(": 2}", ": 1e309}"), JSON | CONFIG), ("alpha -1e309", cfg().replace(": 2}", ": -1e309}"), JSON | CONFIG),
            ("alpha 1e308", cfg(lora_alpha=1e308), None), ("alpha 1e-320", cfg(lora_alpha=1e-320), None), ("alpha 0", cfg(lora_alpha=0), None),
            ("alpha negative", cfg(lora_alpha=-3), None), ("alpha 7.5", cfg(lora_alpha=7.5), None),
            ("alpha integer of 30 digits", cfg(lora_alpha=10**30), {"22032", "22023"}),
            ("r twice", cfg()[:-1] + ', "r": 1}', DUPLICATE), ("alpha twice", cfg()[:-1] + ', "lora_alpha": 4}', DUPLICATE),
            ("unknown member twice", cfg()[:-1] + ', "x": 1, "x": 1}', DUPLICATE), ("r twice by escape", cfg()[:-1] + ', "\\u0072": 1}', DUPLICATE),
            ("rank_pattern key twice", cfg()[:-1] + ', "rank_pattern": {"z": 1, "z": 1}}', DUPLICATE),
            ("key twice deep down", cfg()[:-1] + ', "x": [{"y": {"a": 1, "a": 2}}]}', DUPLICATE),
            ("unknown members", cfg(newer={"a": [1, 2.5, None]}), None),
            ("65 levels", cfg()[:-1] + ', "x": ' + "[" * 64 + "]" * 64 + "}", LIMIT), ("1,000 levels", cfg()[:-1] + ', "x": ' + "[" * 1000 + "]" * 1000 + "}", LIMIT),
            ("60 levels", cfg()[:-1] + ', "x": ' + "[" * 59 + "]" * 59 + "}", None),
            ("escaped NUL in a name it reads", cfg(base_model_name_or_path="a\0b"), JSON | CONFIG), ("lone surrogate", cfg()[:-1] + ', "x": "\\ud800"}', JSON),
            ("above 4 MiB", cfg(x="y" * (4 * 2**20)), LIMIT), ("just below 4 MiB", cfg(x="y" * (4 * 2**20 - 100)), None),
            ("base model number", cfg(base_model_name_or_path=7), CONFIG), ("base model null", cfg(base_model_name_or_path=None), None),
            ("base model empty", cfg(base_model_name_or_path=""), None), ("base model with newline", cfg(base_model_name_or_path="a\nb"), CONFIG | JSON),
            ("revision number", cfg(revision=1), CONFIG), ("task_type list", cfg(task_type=[]), CONFIG), ("task_type null", cfg(task_type=None), None),
            ("use_rslora string", cfg(use_rslora="yes"), CONFIG), ("use_rslora number", cfg(use_rslora=1), CONFIG), ("use_rslora", cfg(use_rslora=True), None),
            ("fan_in_fan_out string", cfg(fan_in_fan_out="true"), CONFIG), ("lora_bias number", cfg(lora_bias=0), CONFIG),
            ("bias none", cfg(bias="none"), None), ("bias all", cfg(bias="all"), None), ("bias lora_only", cfg(bias="lora_only"), None),
            ("bias unknown", cfg(bias="some"), CONFIG), ("bias true", cfg(bias=True), CONFIG),
            ("rank_pattern null", cfg(rank_pattern=None), None), ("rank_pattern empty", cfg(rank_pattern={}), None), ("rank_pattern list", cfg(rank_pattern=["m"]), CONFIG),
            ("rank_pattern string", cfg(rank_pattern="m"), CONFIG), ("rank_pattern of a string", cfg(rank_pattern={"m": "1"}), CONFIG),
            ("rank_pattern of 0", cfg(rank_pattern={"m": 0}), CONFIG), ("rank_pattern of 1.5", cfg(rank_pattern={"m": 1.5}), CONFIG),
            ("rank_pattern of null", cfg(rank_pattern={"m": None}), CONFIG), ("rank_pattern of 0 elsewhere", cfg(rank_pattern={"zz": 0}), CONFIG),
            ("alpha_pattern of a string", cfg(alpha_pattern={"m": "4"}), CONFIG), ("alpha_pattern list", cfg(alpha_pattern=[]), CONFIG),
            ("alpha_pattern of null", cfg(alpha_pattern={"m": None}), CONFIG), ("alpha_pattern", cfg(alpha_pattern={"m": 4}), None),
            ("rank_pattern bad expression", cfg(rank_pattern={"(m": 1}), REGEX), ("alpha_pattern bad expression", cfg(alpha_pattern={"m[": 1}), REGEX),
            ("bad repeat", cfg(alpha_pattern={"*m": 1}), REGEX), ("bad reference", cfg(alpha_pattern={"(m)\\9": 1}), REGEX),
            ("bad group name", cfg(alpha_pattern={"(?P<1>m)": 1}), REGEX), ("ends in a backslash", cfg(alpha_pattern={"m\\": 1}), REGEX),
            ("huge repeat", cfg(alpha_pattern={"(((m{1000}){1000}){1000}){1000}": 1}), REGEX | LIMIT),
            ("expression of 1 MB", cfg(alpha_pattern={"m" * 10**6: 1}), {None, "2201B", "54000"}),
            ("parentheses, 10,000 deep", cfg(alpha_pattern={"(" * 10000 + ")" * 10000: 1}), REGEX | LIMIT),
            ("empty expression", cfg(alpha_pattern={"": 4}), None),
            ("modules_to_save number", cfg(modules_to_save=1), CONFIG), ("modules_to_save of numbers", cfg(modules_to_save=[1]), CONFIG),
            ("modules_to_save null", cfg(modules_to_save=None), None), ("target_parameters number", cfg(target_parameters=5), CONFIG),
            ("target_parameters of numbers", cfg(target_parameters=[5]), CONFIG),
            ("every feature", cfg(init_lora_weights="pissa", layer_replication=[[0, 1]], alora_invocation_tokens=[1], use_qalora=True), None),
            ("rsLoRA with alpha that overflows", cfg(lora_alpha=1e308, use_rslora=True), None)):
        case("configuration: " + label, g, verdict, text)
    long = "a" * 200
    slow = st.canonical(pair(path=long))
    for label, key in (("nested plus", "(a+)+b"), ("nested star", "(a*)*b"), ("alternation", "(a|aa)+b"), ("optional run", "(a?){150}a{150}b"),
                       ("back reference", "(a+)+\\1b"), ("three stars", "a*a*a*a*a*a*a*a*b"), ("lookahead", "(?=(a+)+b)a"), ("recursion", "(a(?1)?)+b")):
        case("slow expression: " + label, slow, {None, "54000", "2201B"}, cfg(alpha_pattern={key: 4}))


GOOD_RECIPE = '{"version":1,"root":{"op":"import","sha256":"%s"},"nodes":{}}' % ("0" * 64)


def envelope(config=cfg(), recipe=GOOD_RECIPE, header=None, tensors_=None, more=None):
    meta = {"format": "pt"}
    for key, value in (("config", config), ("recipe", recipe), ("header", header)):
        if value is not None:
            meta["peftarith." + key] = value
    meta.update(more or {})
    return st.build(list((tensors_ or pair()).items()), meta)


def inner(tensors_=None, metadata=None, text=None):
    """The header of a plain file of the same tensors, as text."""
    if text is not None:
        return text
    f = st.build(list((tensors_ or pair()).items()), metadata)
    return f[8:8 + struct.unpack_from("<Q", f)[0]].decode()


def node(**members):
    return json.dumps({"version": 1, "root": members, "nodes": {}})


def envelopes():
    d = "ab" * 32

    def env(name, file, verdict):
        case("envelope: " + name, file, verdict, None, "same")

    env("good, composed", envelope(), None)
    env("good, with header", envelope(header=inner(metadata={"format": "pt"})), None)
    env("config broken JSON", envelope(config="{"), JSON)
    env("config empty", envelope(config=""), JSON)
    env("config array", envelope(config="[]"), CONFIG | JSON)
    env("config key twice", envelope(config=cfg()[:-1] + ', "r": 1}'), DUPLICATE)
    env("config alpha missing", envelope(config=without("lora_alpha")), CONFIG)
    env("config with trailing text", envelope(config=cfg() + " x"), JSON)
    env("config contradicts the rank", envelope(config=cfg(r=5)), FILE | CONFIG)
    env("config above 4 MiB", envelope(config=cfg(x="y" * (4 * 2**20))), LIMIT)
    env("config missing", envelope(config=None), FILE | CONFIG)
    env("recipe missing", envelope(recipe=None), None)
    for label, text, verdict in (
            ("broken JSON", "{", JSON), ("empty", "", JSON), ("array", "[]", CONFIG | JSON), ("empty object", "{}", CONFIG),
            ("version 2", GOOD_RECIPE.replace(":1,", ":2,"), None), ("version 3", GOOD_RECIPE.replace(":1,", ":3,"), CONFIG | UNSUPPORTED), ("version a string", GOOD_RECIPE.replace(":1,", ':"1",'), CONFIG),
            ("version missing", '{"root":{"op":"import","sha256":"%s"},"nodes":{}}' % ("0" * 64), CONFIG),
            ("root missing", '{"version":1,"nodes":{}}', CONFIG), ("root null", '{"version":1,"root":null,"nodes":{}}', CONFIG),
            ("nodes missing", '{"version":1,"root":{"op":"import","sha256":"%s"}}' % ("0" * 64), CONFIG), ("nodes array", GOOD_RECIPE.replace("{}}", "[]}"), CONFIG),
            ("unknown member", GOOD_RECIPE[:-1] + ',"x":1}', CONFIG), ("unknown operation", node(op="train", of=d), CONFIG),
            ("operation missing", node(of=d), CONFIG), ("operation a number", node(op=1), CONFIG), ("import without sha256", node(op="import"), CONFIG),
            ("sha256 short", node(op="import", sha256="00"), CONFIG), ("sha256 upper case", node(op="import", sha256="AB" * 32), CONFIG),
            ("sha256 not hexadecimal", node(op="import", sha256="zz" * 32), CONFIG), ("unknown member of a node", node(op="import", sha256=d, x=1), CONFIG),
            ("terms empty", node(op="combine", terms=[]), CONFIG), ("terms object", node(op="combine", terms={}), CONFIG),
            ("term without of", node(op="combine", terms=[{"u": "0x1p+0", "v": "0x1p+0"}]), CONFIG),
            ("weight a number", node(op="combine", terms=[{"of": d, "u": 1, "v": 1}]), CONFIG),
            ("weight decimal", node(op="combine", terms=[{"of": d, "u": "0.5", "v": "0.5"}]), CONFIG),
            ("weight infinite", node(op="combine", terms=[{"of": d, "u": "inf", "v": "0x1p+0"}]), CONFIG),
            ("weight NaN", node(op="combine", terms=[{"of": d, "u": "nan", "v": "0x1p+0"}]), CONFIG),
            ("weight with trailing text", node(op="combine", terms=[{"of": d, "u": "0x1p+0x", "v": "0x1p+0"}]), CONFIG),
            ("weight that overflows", node(op="combine", terms=[{"of": d, "u": "0x1p+99999", "v": "0x1p+0"}]), CONFIG),
            ("terms out of order", node(op="combine", terms=[{"of": d, "u": "0x1p+1", "v": "0x1p+0"}, {"of": d, "u": "0x1p+0", "v": "0x1p+0"}]), {None, "22023"}),
            ("cast to nothing", node(op="cast", of=d, dtype=""), CONFIG), ("cast to an integer type", node(op="cast", of=d, dtype="I32"), CONFIG | UNSUPPORTED),
            ("select without pattern", node(op="select", of=d, invert=False), CONFIG), ("split part negative", node(op="split", of=d, max_bytes=10, part=-1), CONFIG),
            ("union of nothing", node(op="union", of=[]), CONFIG), ("key of a node short", GOOD_RECIPE.replace('"nodes":{}', '"nodes":{"ab":{"op":"import","sha256":"%s"}}' % d), CONFIG),
            ("node twice", GOOD_RECIPE.replace('"nodes":{}', '"nodes":{"%s":{"op":"import","sha256":"%s"},"%s":{"op":"import","sha256":"%s"}}' % (d, d, d, d)), DUPLICATE),
            ("root key twice", GOOD_RECIPE[:-1] + ',"root":{}}', DUPLICATE), ("100 levels", GOOD_RECIPE[:-1] + ',"x":' + "[" * 100 + "]" * 100 + "}", LIMIT),
            ("above 1 MiB", GOOD_RECIPE[:-1] + " " * 2**20 + "}", LIMIT), ("trailing text", GOOD_RECIPE + "x", JSON)):
        env("recipe: " + label, envelope(recipe=text), verdict)
    for label, text, verdict in (
            ("combine", node(op="combine", terms=[{"of": d, "u": "0x1p-1", "v": "-0x1.8p-1"}]), None),
            ("scale", node(op="scale", of=d, by="0x1.999999999999ap-2"), None), ("cast", node(op="cast", of=d, dtype="BF16"), None),
            ("select", node(op="select", of=d, pattern=".*", invert=True), None), ("set_base_model", node(op="set_base_model", of=d, base_model=None, revision="r"), None),
            ("split", node(op="split", of=d, max_bytes=100, part=0), None), ("union", node(op="union", of=[d, "cd" * 32]), None)):
        env("recipe: good " + label, envelope(recipe=text), verdict)
    other = {"base_model.model.n.lora_A.weight": f32(1, 2), "base_model.model.n.lora_B.weight": f32(2, 1)}
    plain = inner(metadata={"format": "pt"})
    for label, text, verdict in (
            ("names differ", inner(other), FILE), ("shape differs", plain.replace("[1,2]", "[2,1]"), FILE), ("dtype differs", plain.replace('"F32"', '"I32"', 1), FILE),
            ("offsets exchanged", inner(dict(reversed(list(pair().items())))), FILE), ("tensor missing", "{}", FILE),
            ("one tensor more", plain.replace("}}", '},"x":%s}' % entry("F32", "[0]", 16, 16)), FILE), ("broken JSON", plain.rstrip()[:-1], JSON | FILE),
            ("empty", "", FILE | JSON), ("begins with a space", " " + plain, FILE), ("key twice", plain.rstrip()[:-1] + ',"__metadata__":{}}', DUPLICATE),
            ("reserved key config inside", inner(metadata={"peftarith.config": cfg()}), FILE | CONFIG), ("reserved key recipe inside", inner(metadata={"peftarith.recipe": GOOD_RECIPE}), FILE | CONFIG),
            ("reserved key header inside", inner(metadata={"peftarith.header": "{}"}), FILE | CONFIG), ("envelope in envelope", inner(metadata={
                "peftarith.config": cfg(), "peftarith.recipe": GOOD_RECIPE, "peftarith.header": plain}), FILE | CONFIG),
            ("above 16 MiB", plain + " " * (16 * 2**20), LIMIT), ("NUL padding", plain.rstrip() + "\0", FILE | JSON)):
        env("inner header: " + label, envelope(header=text), verdict)
    env("inner header: other metadata", envelope(header=inner(metadata={"a": "b"})), None)
    env("inner header: long padding", envelope(header=plain + " " * 5000), None)
    env("unknown reserved key", envelope(more={"peftarith.future": "1"}), UNSUPPORTED)
    env("other metadata besides", envelope(more={"note": "x"}), None)
    env("config number", raw(HEAD + ',"__metadata__":{"peftarith.config":1}}', DATA), FILE)
    env("truncated", envelope()[:-1], FILE)
    env("trailing byte", envelope() + b"\0", FILE)
    case("envelope and a configuration", envelope(), CONFIG, cfg())
    case("envelope keys as tensors", good(**{"peftarith.config": f32(1)}), None)


def cases():
    if not CASES:
        for group in (lengths, magics, json_syntax, duplicates, entries, shapes, metadata, accepted,
                      lora_tensors, ia3_tensors, configurations, envelopes):
            group()
        for group in bad_containers.GROUPS:
            group(case)
        names = [c.name for c in CASES]
        assert len(names) == len(set(names)), sorted(n for n in names if names.count(n) > 1)
    return CASES


if __name__ == "__main__":
    print("%d cases, %d to accept" % (len(cases()), sum(1 for c in cases() if c.verdict is None)))
