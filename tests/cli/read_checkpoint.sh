#!/bin/bash
# SPDX-License-Identifier: MIT
# docs/read_checkpoint.py, with nothing of ours but the schema: the same norms
# as inspect, the same vectors bit for bit as another reader, and no damage
# goes unseen.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
python=/usr/bin/python3
if ! $python -c 'import numpy, google.protobuf' 2>/dev/null || ! command -v protoc >/dev/null; then
    echo "skipped: no python3-numpy, python3-protobuf or protobuf-compiler"
    exit 77
fi
own_folder
golden=$SB_SOURCE/tests/golden/ckpt-v1
mkdir pb
protoc --proto_path="$SB_SOURCE/proto" --python_out=pb shardbert.proto
export PYTHONPATH=pb:$SB_SOURCE/docs PYTHONDONTWRITEBYTECODE=1

# Every f32 tensor and its norm.
for phase in word2vec mlm; do
    "$shardbert" inspect "$golden/$phase" | sed -n 's/^  \([^ ]*\) *f32 .* norm \(.*\)/\1 \2/p' >expected
    cut -d' ' -f1 expected |
        xargs $python "$SB_SOURCE/docs/read_checkpoint.py" "$golden/$phase/ckpt-000000005" | tail -n +2 >is
    diff expected is || fail "$phase: other norms"
    echo "$phase: $(wc -l <is) norms, the same"
done

# Rows in the order of an export: counts fall, then ids rise.
"$shardbert" export --run "$golden" --format word2vec --binary vectors >/dev/null
$python - "$golden" <<'END' || fail "other vectors"
import sys
import numpy as np
import read_checkpoint as rc
run = sys.argv[1]
folder = run + "/word2vec/ckpt-000000005"
m = rc.manifest(folder)
x, counts = (rc.load(folder, m, i) for i in (0, 2))
pieces = open(run + "/vocab/vocab.txt").read().split("\n")
order = sorted((i for i in range(5, len(counts)) if counts[i]), key=lambda i: (-int(counts[i]), i))
text = b"%d %d\n" % (len(order), x.shape[1])
text += b"".join(pieces[i].encode() + b" " + x[i].tobytes() + b"\n" for i in order)
assert text == open("vectors", "rb").read(), "not the bytes of an export"
END

# A flipped byte is seen by it, too.
cp -r "$golden/mlm/ckpt-000000005" damaged
for at in 0 5 3000 7000; do
    for file in manifest.pb part-00001.pb; do
        [ $at -lt "$(stat -c %s "damaged/$file")" ] || continue
        cp "$golden/mlm/ckpt-000000005/$file" damaged/
        byte=$(od -An -tu1 -j $at -N 1 "damaged/$file")
        # shellcheck disable=SC2059
        printf "\\$(printf %o $((byte ^ 1)))" | dd of="damaged/$file" bs=1 seek=$at conv=notrunc status=none
        $python - <<'END' || fail "byte $at of $file"
import struct
import read_checkpoint as rc
try:
    m = rc.manifest("damaged")
    for i in range(len(m.tensor)):
        rc.load("damaged", m, i)
except (ValueError, struct.error):
    raise SystemExit(0)
raise SystemExit("the damage was not seen")
END
        cp "$golden/mlm/ckpt-000000005/$file" damaged/
    done
done
