#!/bin/bash
# SPDX-License-Identifier: MIT
# The whole model against PyTorch: loss, every gradient, norms, AdamW with
# schedule, clipping and decay, 20 steps, with padding in PyTorch's batch.
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
mkdir "$tmp/out"
"$SB_BUILD/tests/golden_dump" "$tmp/run" "$tmp/out" 20
"$python" "$SB_SOURCE/tests/golden/reference.py" "$tmp/out"
