# SPDX-License-Identifier: MIT
# Lists the tensors of a checkpoint; loads those that are named into numpy.
#   mkdir pb && protoc --proto_path=proto --python_out=pb shardbert.proto
#   PYTHONPATH=pb python3 docs/read_checkpoint.py R/mlm/ckpt-000001000 [TENSOR...]
import struct, sys
import numpy as np
import shardbert_pb2 as pb

TABLE = []
for c in range(256):
    for _ in range(8):
        c = c >> 1 ^ (0x82F63B78 if c & 1 else 0)
    TABLE.append(c)

def crc32c(data):  # a second or two for 10 MB
    c = 0xFFFFFFFF
    for byte in data:
        c = TABLE[(c ^ byte) & 255] ^ c >> 8
    return c ^ 0xFFFFFFFF

def message(kind, frame):
    size, crc = struct.unpack_from("<II", frame)
    if size != len(frame) - 8 or crc32c(frame[8:]) != crc: raise ValueError("damaged")
    return kind.FromString(frame[8:])

def manifest(folder):
    with open(f"{folder}/manifest.pb", "rb") as f: return message(pb.Manifest, f.read())

def load(folder, m, index):
    t = m.tensor[index]
    x = np.zeros(int(np.prod(t.dim)), {pb.DTYPE_F32: "<f4", pb.DTYPE_U64: "<u8"}[t.dtype])
    for part in m.part:
        with open(f"{folder}/part-{part.writer:05}.pb", "rb") as f:
            for r in (r for r in part.range if r.tensor == index):
                f.seek(r.offset)
                chunk = message(pb.TensorChunk, f.read(8 + r.bytes))
                if (chunk.tensor, chunk.first, chunk.n) != (index, r.first, r.n): raise ValueError("damaged")
                x[r.first:r.first + r.n] = np.frombuffer(chunk.data, x.dtype)
    return x.reshape(t.dim)

if __name__ == "__main__":
    m = manifest(sys.argv[1])
    print(m.phase, "step", m.step, "of", m.total)
    for i, t in enumerate(m.tensor):
        if len(sys.argv) == 2: print(t.name, list(t.dim))
        elif t.name in sys.argv[2:]: print(t.name, "%.6g" % np.linalg.norm(load(sys.argv[1], m, i).astype("f8")))
