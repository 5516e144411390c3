# SPDX-License-Identifier: MIT
"""Safetensors in a few lines, from the format's description: a second reader
and writer to hold ours against. Only Python's own library."""
import array
import json
import struct


def read(path):
    """{name: (shape, array of floats)}, F32 only."""
    with open(path, "rb") as f:
        data = f.read()
    (n,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + n])
    out = {}
    for name, t in header.items():
        if name == "__metadata__":
            assert t == {"format": "pt"}
            continue
        begin, end = t["data_offsets"]
        assert t["dtype"] == "F32" and (8 + n) % 8 == 0
        out[name] = t["shape"], array.array("f", data[8 + n + begin:8 + n + end])
    return out


def write(path, tensors, dtype="F32"):
    """The same back, as F32, BF16 (cut off) or F16."""
    header, body = {"__metadata__": {"format": "pt"}}, bytearray()
    for name, (shape, x) in tensors.items():
        begin = len(body)
        if dtype == "F32":
            body += x.tobytes()
        elif dtype == "BF16":
            body += array.array("H", (v >> 16 for v in array.array("I", x.tobytes()))).tobytes()
        else:
            body += struct.pack(f"<{len(x)}e", *x)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, len(body)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + body)
