"""What a PEFT file and its configuration say: names, modules, facts, digest.

Written from doc/format.md ("Digest") and PEFT's behaviour alone, with Python's
json and re, so that it can contradict the C code.

SPDX-License-Identifier: PostgreSQL
"""
import hashlib
import json
import math
import re
import struct

import safetensors_lite as st

KINDS = {"LORA": 1, "IA3": 2, "DIFFERENCE": 3}
DTYPE_IDS = {"BOOL": 1, "U8": 2, "I8": 3, "I16": 4, "U16": 5, "F16": 6,
             "BF16": 7, "I32": 8, "U32": 9, "F32": 10, "F64": 11, "I64": 12,
             "U64": 13, "C64": 14, "F8_E4M3": 15, "F8_E5M2": 16,
             "F8_E8M0": 17, "F8_E4M3FNUZ": 18, "F8_E5M2FNUZ": 19, "F4": 20,
             "F6_E2M3": 21, "F6_E3M2": 22}
ARITHMETIC = ("F64", "F32", "F16", "BF16")

A, B, VECTOR, BIAS, MAGNITUDE, DENSE, DIFFERENCE = 1, 2, 3, 4, 5, 6, 7
ROLE_NAMES = {A: "factor_a", B: "factor_b", VECTOR: "vector", BIAS: "bias",
              MAGNITUDE: "magnitude", DENSE: "dense", DIFFERENCE: "difference"}
TARGET, FEEDFORWARD, EMBEDDING, PARAMETER = 1, 2, 4, 8

FEATURES = {"dora": 1 << 0, "trainable_tokens": 1 << 1, "alora": 1 << 2,
            "layer_replication": 1 << 3, "initialisation": 1 << 4,
            "kasa": 1 << 5, "qalora": 1 << 6, "bdlora": 1 << 7,
            "arrow": 1 << 8, "monteclora": 1 << 9, "velora": 1 << 10,
            "unknown": 1 << 11}
PLAIN_INITIALISATIONS = (True, False, None, "gaussian", "eva", "orthogonal")

SUFFIXES = {
    1: [(".lora_A.weight", A, TARGET), (".lora_B.weight", B, TARGET),
        (".lora_embedding_A", A, TARGET | EMBEDDING),
        (".lora_embedding_B", B, TARGET | EMBEDDING),
        (".lora_B.bias", BIAS, TARGET),
        (".lora_magnitude_vector", MAGNITUDE, TARGET)],
    2: [(".ia3_l", VECTOR, TARGET)],
}
SUFFIX_OF = {(A, False): ".lora_A.weight", (B, False): ".lora_B.weight",
             (A, True): ".lora_embedding_A", (B, True): ".lora_embedding_B",
             (BIAS, False): ".lora_B.bias", (VECTOR, False): ".ia3_l"}


class Module:
    """r is the configuration's; where experts are stacked, rank is a multiple."""

    def __init__(self, flags=0, rank=0, scaling=1.0, r=0):
        self.flags, self.rank, self.scaling, self.r = flags, rank, scaling, r

    def copy(self):
        return Module(self.flags, self.rank, self.scaling, self.r)


class Place:
    """Where a tensor stands: module path, role, key (name without prefix)."""

    def __init__(self, path, role, key):
        self.path, self.role, self.key = path, role, key


class Adapter:
    def __init__(self):
        self.kind = 1
        self.base_model = self.base_revision = self.task_type = None
        self.bias = "none"
        self.features = 0
        self.fan_in_fan_out = self.lora_bias = self.rslora = False
        self.target_parameters, self.saved_modules = [], []
        self.modules = {}       # target modules by path
        self.tensors = {}       # by name
        self.places = {}        # by name
        self.file = None        # imported: the bytes
        self.config = None      # imported: the text

    def digest(self):
        out = [string("peftarith.digest.1"), bytes([self.kind]),
               optional(self.base_model), optional(self.base_revision),
               optional(self.task_type), string(self.bias),
               struct.pack("<I", self.features),
               bytes([self.fan_in_fan_out, self.lora_bias]),
               strings(self.target_parameters), strings(self.saved_modules),
               struct.pack("<I", len(self.modules))]
        for path in sorted(self.modules, key=str.encode):
            m = self.modules[path]
            out.append(string(path) + bytes([m.flags]) + struct.pack("<d", m.scaling))
            if m.flags & PARAMETER:
                out.append(struct.pack("<Q", m.r if m.scaling and 1 <= m.r <= m.rank else 0))
        out.append(struct.pack("<I", len(self.tensors)))
        for name in sorted(self.tensors, key=str.encode):
            t = self.tensors[name]
            out.append(string(name) + bytes([DTYPE_IDS[t.dtype], len(t.shape)]))
            out.append(b"".join(struct.pack("<Q", d) for d in t.shape))
            out.append(hashlib.sha256(t.data).digest())
        return hashlib.sha256(b"".join(out)).digest()

    def placed(self):
        """{(path, role, dense key or None): (name, Tensor)}"""
        return {(p.path, p.role, p.key if p.role == DENSE else None):
                (name, self.tensors[name]) for name, p in self.places.items()}

    def add(self, path, role, key, tensor):
        """Put a tensor under PEFT's name."""
        if role == DENSE:
            name = "base_model.model." + key
        else:
            embedding = bool(self.modules[path].flags & EMBEDDING)
            key = path + SUFFIX_OF[role, embedding and role in (A, B)]
            name = "base_model.model." + key
        self.tensors[name] = tensor
        self.places[name] = Place(path, role, key)


def string(s):
    b = s.encode()
    return struct.pack("<I", len(b)) + b


def optional(s):
    return b"\0" if s is None else b"\1" + string(s)


def strings(items):
    return struct.pack("<I", len(items)) + b"".join(string(s) for s in items)


def place(kind, name):
    """(Place, module flags) of a tensor name."""
    for prefix in ("base_model.model.", "base_model.", ""):
        if name.startswith(prefix):
            key = name[len(prefix):]
            break
    if kind == 3:
        return Place(key[:key.rindex(".")] if "." in key[1:] else key, DIFFERENCE, key), TARGET
    for suffix, role, flags in SUFFIXES[kind]:
        if key.endswith(suffix) and len(key) > len(suffix):
            return Place(key[:-len(suffix)], role, key), flags
    path = key[:key.rindex(".")] if "." in key[1:] else key
    while True:
        for part in (".base_layer", ".token_adapter"):
            if path.endswith(part) and len(path) > len(part):
                path = path[:-len(part)]
                break
        else:
            return Place(path, DENSE, key), 0


def features_of_names(places):
    """What a tensor's name says beyond the configuration."""
    bits = 0
    for p in places:
        parts = p.key.split(".")
        if p.role == MAGNITUDE:
            bits |= FEATURES["dora"]
        if p.role == DENSE and any(c.startswith(("lora_", "ia3_")) for c in parts):
            bits |= FEATURES["unknown"]
        if p.role == DENSE and "token_adapter" in parts:
            bits |= FEATURES["trainable_tokens"]
    return bits


def features_of(config):
    bits = 0
    for key, name in (("use_dora", "dora"), ("trainable_token_indices", "trainable_tokens"),
                      ("alora_invocation_tokens", "alora"),
                      ("layer_replication", "layer_replication"),
                      ("kasa_config", "kasa"), ("use_qalora", "qalora"),
                      ("use_bdlora", "bdlora"), ("arrow_config", "arrow"),
                      ("monteclora_config", "monteclora"), ("velora_config", "velora")):
        if config.get(key):
            bits |= FEATURES[name]
    if config.get("init_lora_weights") not in PLAIN_INITIALISATIONS:
        bits |= FEATURES["initialisation"]
    return bits


def by_pattern(patterns, path, default):
    for key, value in (patterns or {}).items():
        if re.match(r"(.*\.)?(%s)$" % key, path):
            return value
    return default


def scaling_of(config, path):
    r = by_pattern(config.get("rank_pattern"), path, config["r"])
    alpha = float(by_pattern(config.get("alpha_pattern"), path, config["lora_alpha"]))
    return alpha / math.sqrt(r) if config.get("use_rslora") else alpha / float(r)


def parameter_of(config, path):
    """The name of the parameter that target_parameters wraps in this module."""
    for p in config.get("target_parameters") or []:
        module, _, name = p.rpartition(".")
        plain = path.replace(".base_layer", "")
        if module and (plain == module or plain.endswith("." + module)):
            return name
    return None


def is_feedforward(config, path):
    listed = config.get("feedforward_modules") or []
    if isinstance(listed, str):
        return re.fullmatch(listed, path) is not None
    return any(path.endswith(k) for k in listed)


def saved_paths(config, dense_paths):
    """Modules that modules_to_save selects: PEFT asks whether the name of a
    module ends in an entry, and saves all that is under it, so of nested ones
    the outermost."""
    found = set()
    for path in dense_paths:
        parts = path.split(".")
        for n in range(1, len(parts) + 1):
            ancestor = ".".join(parts[:n])
            if any(ancestor.endswith(e) for e in config.get("modules_to_save") or []):
                found.add(ancestor)
                break
    return sorted(found, key=str.encode)


def describe(file, text):
    """The adapter of a file and its configuration text, both known to be right."""
    config = json.loads(text)
    _, tensors = st.read(file)
    a = Adapter()
    a.file, a.config = bytes(file), text
    a.kind = KINDS[config["peft_type"]]
    a.base_model = config.get("base_model_name_or_path")
    a.base_revision = config.get("revision")
    a.task_type = config.get("task_type")
    a.fan_in_fan_out = a.kind != 3 and bool(config.get("fan_in_fan_out"))
    if a.kind == 1:
        a.bias = config.get("bias") or "none"
        a.features = features_of(config)
        a.lora_bias = bool(config.get("lora_bias"))
        a.rslora = bool(config.get("use_rslora"))
        a.target_parameters = sorted(set(config.get("target_parameters") or []), key=str.encode)
    a.tensors = tensors
    dense = set()
    for name in tensors:
        a.places[name], flags = place(a.kind, name)
        p = a.places[name]
        if p.role == DENSE:
            dense.add(p.path)
            continue
        m = a.modules.setdefault(p.path, Module())
        m.flags |= flags
        if p.role == A:
            m.rank = tensors[name].shape[0]
    for path, m in a.modules.items():
        if a.kind == 1:
            parameter = parameter_of(config, path)
            # what is inside a wrapped layer is wrapped with it, with its rank and alpha
            whole = path.partition(".base_layer.")[0]
            if whole in a.modules:
                path = whole
            m.flags |= PARAMETER if parameter else 0
            key = path + "." + parameter if parameter else path
            m.scaling = scaling_of(config, key)
            m.r = by_pattern(config.get("rank_pattern"), key, config["r"])
        elif a.kind == 2 and is_feedforward(config, path):
            m.flags |= FEEDFORWARD
    a.features |= features_of_names(a.places.values())
    a.saved_modules = saved_paths(config, dense)
    return a
