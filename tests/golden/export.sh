#!/bin/bash
# SPDX-License-Identifier: MIT
# An exported model, read by twenty lines of Python that know safetensors from
# its description, gives in plain PyTorch the logits that the checkpoint gives
# here: for a model that was trained a little, and so far from its beginning
# that a tensor in another's place would show.
set -eu
shardbert=$1
python=/usr/bin/python3
if ! "$python" -c 'import torch' 2>/dev/null; then
    echo "skipped: no PyTorch (apt-get install python3-torch)"
    exit 77
fi
. "$SB_SOURCE/tests/lib.sh"
own_folder
small_run "$shardbert" run 1000
"$shardbert" mlm --run run --init none --dim 48 --layers 3 --heads 4 --ffn 80 --positions 40 \
    --max-length 40 --batch 16 --slots 4 --steps 60 --lr 5e-3 --clip 1 --log error >/dev/null
"$shardbert" export --run run model
{
    echo 'the [MASK] of the work'
    echo 'you may [MASK] and distribute [MASK] copies of the program'
    echo '[MASK]'
    head -c 150 /usr/share/common-licenses/GPL-3 | tr '\n' ' '
    echo '[MASK]'
} | "$shardbert" encode --run run --specials >ids
"$SB_BUILD/tests/cli_dump_logits" run/mlm run/vocab/vocab.txt <ids >logits
compare() { "$python" "$SB_SOURCE/tests/golden/hf_model.py" "$1" ids logits; }
compare model

# It would be seen: two tensors of one shape in each other's place.
cp -r model swapped
"$python" - "$SB_SOURCE/tests/golden" <<'PY'
import sys
sys.path.insert(0, sys.argv[1])
import safetensors
t = safetensors.read("swapped/model.safetensors")
q, k = (f"distilbert.transformer.layer.1.attention.{n}_lin.weight" for n in "qv")
t[q], t[k] = t[k], t[q]
safetensors.write("swapped/model.safetensors", t)
PY
compare swapped >told && fail "two exchanged tensors are not seen"
grep 'largest difference' told || fail "no comparison: $(cat told)"
