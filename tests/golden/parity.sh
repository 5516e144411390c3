#!/bin/bash
# SPDX-License-Identifier: MIT
# The whole model against PyTorch: loss, every gradient, norms, AdamW with
# schedule, clipping and decay, with padding in PyTorch's batch. A small model
# for 50 steps, the same with dropout (ours tells PyTorch what it kept), and
# DistilBERT's own width and depth for 3 steps; 50 with SB_LONG.
set -eu
shardbert=$1
python=/usr/bin/python3
if ! "$python" -c 'import torch' 2>/dev/null; then
    echo "skipped: no PyTorch (apt-get install python3-torch)"
    exit 77
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
. "$SB_SOURCE/tests/lib.sh"
small_run "$shardbert" "$tmp/run" 500
# The text does not have 4000 pieces; softmax does not mind some that never occur.
mkdir -p "$tmp/wide/vocab"
awk '{ print } END { for (n = NR; n < 4000; n++) print "unused" n }' \
    "$tmp/run/vocab/vocab.txt" >"$tmp/wide/vocab/vocab.txt"
"$shardbert" ingest --run "$tmp/wide" --source "text:$tmp/run/text.txt" --documents paragraph --log error

steps=3
[ -z "${SB_LONG:-}" ] || steps=50

# against RUN CASE STEPS
against() {
    mkdir "$tmp/$2"
    "$SB_BUILD/tests/golden_dump" "$tmp/$1" "$tmp/$2" "$2" "$3"
    "$python" "$SB_SOURCE/tests/golden/reference.py" "$tmp/$2"
    rm -r "${tmp:?}/$2"
}
against run small 50
against run dropout 4
against wide base "$steps"
