#!/bin/bash
# SPDX-License-Identifier: MIT
# Checkpoints of format version 1 must load for ever. These are of a run folder
# that two ranks made from text.txt: vocab --vocab-size 80, then the commands
# below with an epoch and a step less. They hold what they held, answer, and
# can be trained on.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder
cp -r "$SB_SOURCE/tests/golden/ckpt-v1" run
cd run

{
    "$shardbert" inspect .
    "$shardbert" inspect --hash .
} >is.txt
diff expected.txt is.txt || fail "the golden checkpoints do not hold what they held"
expect 0 'mlm/ckpt-000000005: OK, 76 tensors' "$shardbert" inspect --verify .

for np in 1 3; do
    expect 0 '^boat:  [a-z]' mpi $np "$shardbert" neighbours --run . boat
    expect 0 ' %$' mpi $np "$shardbert" fill --run . 'the [MASK] sleeps'
done

"$shardbert" ingest --run . --source text:text.txt --held-out 0.2 --block-tokens 1024 --log error
word2vec=(word2vec --run . --dim 8 --epochs 6 --negative 3 --window 2 --subsample 0 --ranks-per-replica 1)
mlm=(mlm --run . --dim 8 --layers 1 --heads 2 --ffn 8 --positions 16 --max-length 16 --batch 4
    --slots 2 --vocab-block 40 --steps 6 --lr 1e-2 --checkpoint-every 5 --eval-every 0 --eval-samples 4)
expect 0 'going on at block 5 of 6' mpi 2 "$shardbert" "${word2vec[@]}"
expect 0 'going on from step 5 of 6' mpi 2 "$shardbert" "${mlm[@]}"
expect 0 'mlm/ckpt-000000006: OK, 76 tensors' "$shardbert" inspect --verify .
