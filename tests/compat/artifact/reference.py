"""A second implementation of docs/artifact.md, by that page and nothing else: encoding, hash, keys, container, seal.

It uses nothing but Python's standard library, and is run by reference_test.ts.
"""

import base64
import hashlib
import hmac

PREAMBLE = bytes.fromhex("0061736d01000000")
HEADER_SECTION = "extmemfs.artifact"
NATIVE_SECTION = "extmemfs.native"
MAXIMUM = 2**53 - 1
MAXIMUM_DEPTH = 32

SETTING_DEFAULTS = {
    "optimizeLevel": 2,
    "shrinkLevel": 1,
    "passes": [],
    "debugInfo": False,
    "fastMath": False,
    "trapsNeverHappen": False,
    "closedWorld": False,
    "lowMemoryUnused": False,
    "zeroFilledMemory": False,
    "signatureLowering": False,
}
TUNABLE_DEFAULTS = {
    "asyncify": False,
    "denan": False,
    "logExecution": False,
    "instrumentLocals": False,
    "instrumentMemory": False,
    "safeHeap": False,
    "stackCheck": False,
    "trapMode": "allow",
}


class Refused(Exception):
    """Bytes that are not what they should be."""


# The encoding


def head(kind, argument):
    if argument < 24:
        return bytes([kind << 5 | argument])
    for form, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 256**size:
            return bytes([kind << 5 | form]) + argument.to_bytes(size, "big")
    raise ValueError(argument)


def encode(value, depth=0):
    if depth > MAXIMUM_DEPTH:
        raise ValueError("too deep")
    # Before integers: in Python True is one.
    if value is False:
        return b"\xf4"
    if value is True:
        return b"\xf5"
    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        if abs(value) > MAXIMUM:
            raise ValueError(value)
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, (bytes, bytearray)):
        return head(2, len(value)) + bytes(value)
    if isinstance(value, str):
        text = value.encode("utf-8")
        return head(3, len(text)) + text
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(encode(item, depth + 1) for item in value)
    if isinstance(value, dict):
        members = sorted((encode(key), encode(item, depth + 1)) for key, item in value.items())
        return head(5, len(value)) + b"".join(key + item for key, item in members)
    raise ValueError(type(value))


def encode_tagged(domain, version, value):
    return encode([domain, version, value])


def decode(data):
    """Decodes the one encoding of a value: whatever does not encode to the same bytes is refused."""
    value, end = decode_item(data, 0)
    if end != len(data) or encode(value) != bytes(data):
        raise Refused("not canonical")
    return value


def decode_item(data, at):
    if at >= len(data):
        raise Refused("cut off")
    kind, form = data[at] >> 5, data[at] & 31
    at += 1
    if kind == 7:
        if form not in (20, 21, 22):
            raise Refused("neither false, true nor null")
        return {20: False, 21: True, 22: None}[form], at
    if form > 27 or kind == 6:
        raise Refused("a tag, or an open length")
    size = 0 if form < 24 else 1 << (form - 24)
    argument = form if size == 0 else int.from_bytes(data[at : at + size], "big")
    at += size
    if kind == 0:
        return argument, at
    if kind == 1:
        return -1 - argument, at
    if kind in (2, 3):
        content = data[at : at + argument]
        if len(content) != argument:
            raise Refused("cut off")
        return (bytes(content) if kind == 2 else content.decode("utf-8")), at + argument
    if kind == 4:
        items = []
        for _ in range(argument):
            item, at = decode_item(data, at)
            items.append(item)
        return items, at
    members = {}
    for _ in range(argument):
        key, at = decode_item(data, at)
        members[key], at = decode_item(data, at)
    return members, at


# The compatibility hash


def differing(defaults, values):
    return {name: values[name] for name, default in defaults.items() if values[name] != default}


def encode_compatibility(config):
    target, compiler, version = config["target"], config["compiler"], config["version"]
    if version == "engine":
        bound_to = ["engine", target["engine"]["version"], compiler["version"]]
    elif version == "none":
        bound_to = ["none"]
    else:
        bound_to = ["custom", version["custom"]]
    value = [
        1,
        [target["architecture"], target["operatingSystem"], target["engine"]["name"]],
        compiler["name"],
        differing(SETTING_DEFAULTS, compiler["settings"]),
        sorted(config["isaFlags"]),
        differing(TUNABLE_DEFAULTS, config["tunables"]),
        sorted(config["features"]),
        bound_to,
    ]
    return encode_tagged("extmemfs.serialization-compatibility", 1, value)


# Keys of a store


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def digest_extra(extra):
    if not extra:
        return b""
    return hashlib.sha256(encode_tagged("extmemfs.artifact-extra", 1, extra)).digest()


def store_key(source, compatibility, extra):
    return base64url(hashlib.sha256(encode_tagged("extmemfs.artifact-key", 1, [source, compatibility, extra])).digest())


# The container and its seal


def read_size(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def read_section(data, at):
    """The name of a custom section, where its content begins, and where it ends."""
    if data[at] != 0:
        raise Refused("no custom section")
    size, at = read_size(data, at + 1)
    end = at + size
    length, at = read_size(data, at)
    return data[at : at + length].decode("utf-8"), at + length, end


def key_name(key):
    return hashlib.sha256(b"extmemfs.artifact.key\0" + key).digest()[:8]


def open_artifact(data, key=None):
    """Reads an artifact and verifies its seal, with a key where there is one."""
    if data[:8] != PREAMBLE:
        raise Refused("no module")
    name, start, end = read_section(data, 8)
    if name != HEADER_SECTION or end > len(data):
        raise Refused("no header")
    header = data[start:end]
    if header[0] != 1:
        raise Refused("format version")
    v = header[2]
    m = int.from_bytes(header[3 + v : 7 + v], "little")
    if len(header) != 48 + v + m:
        raise Refused("header of another length")
    metadata = decode(header[7 + v : 7 + v + m])
    kind_of_seal, name_of_key = header[7 + v + m], header[8 + v + m : 16 + v + m]
    seal_at = start + 16 + v + m
    sealed = b"extmemfs.artifact.seal\0" + data[:seal_at] + data[seal_at + 32 :]
    if key is None:
        expected = (1, bytes(8), hashlib.sha256(sealed).digest())
    else:
        expected = (2, key_name(key), hmac.new(key, sealed, hashlib.sha256).digest())
    if (kind_of_seal, name_of_key, data[seal_at : seal_at + 32]) != expected:
        raise Refused("seal")
    payload = data[end:]
    kind = ("module", "native")[header[1]]
    if kind == "native":
        name, start, stop = read_section(data, end)
        if name != NATIVE_SECTION or stop != len(data):
            raise Refused("no native code")
        payload = data[start:]
    return {
        "kind": kind,
        "version": header[3 : 3 + v].decode("utf-8"),
        "metadata": metadata,
        "payload": payload,
        "key": store_key(metadata["source"], metadata["compatibility"], metadata["extra"]),
    }


def seal(data, key=None):
    """Seals an artifact whose kind of seal and name of the key are in their places."""
    _, _, end = read_section(data, 8)
    sealed = b"extmemfs.artifact.seal\0" + data[: end - 32] + data[end:]
    code = hashlib.sha256(sealed).digest() if key is None else hmac.new(key, sealed, hashlib.sha256).digest()
    return data[: end - 32] + code + data[end:]


# What reference_test.ts asks for; values come and go as JSON, bytes as {"hex": digits}


def from_json(value):
    if isinstance(value, dict):
        if set(value) == {"hex"}:
            return bytes.fromhex(value["hex"])
        return {key: from_json(item) for key, item in value.items()}
    return [from_json(item) for item in value] if isinstance(value, list) else value


def to_json(value):
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, (bytes, bytearray)):
        return {"hex": bytes(value).hex()}
    return [to_json(item) for item in value] if isinstance(value, list) else value


def answer_config(vector):
    encoding = encode_compatibility(vector["resolved"])
    compatibility = hashlib.sha256(encoding).digest()
    extra = digest_extra(from_json(vector["extra"]))
    source = hashlib.sha256(bytes.fromhex(vector["wasm"])).digest()
    return {
        "encoding": encoding.hex(),
        "hash": compatibility.hex(),
        "extraDigest": extra.hex(),
        "storeKey": store_key(source, compatibility, extra),
    }


def answer_value(vector):
    encoding = encode(from_json(vector["value"]))
    return {"encoding": encoding.hex(), "same": decode(encoding) == from_json(vector["value"])}


def answer_tagged(vector):
    return hashlib.sha256(encode_tagged(vector["domain"], vector["version"], from_json(vector["value"]))).hexdigest()


def answer_artifact(vector):
    data = base64.b64decode(vector["base64"])
    key = None if vector["key"] is None else bytes.fromhex(vector["key"])
    # Each byte counts: with any one of them changed the artifact is refused, in whatever way.
    opened = 0
    for at in range(len(data)):
        try:
            open_artifact(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], key)
            opened += 1
        except (Refused, ValueError, LookupError, TypeError, UnicodeError):
            pass
    return {**to_json(open_artifact(data, key)), "altered": opened, "resealed": seal(data, key) == data}


def answer(request):
    answers = {"config": answer_config, "value": answer_value, "tagged": answer_tagged, "artifact": answer_artifact}
    return answers[request["what"]](request)
