#!/bin/bash
# SPDX-License-Identifier: MIT
# Event files beside metrics.jsonl: a reader of its own checks every checksum,
# and that they say what metrics.jsonl says, also after steps were done again.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder
small_run "$shardbert" run 400
read_events() { python3 "$SB_SOURCE/tests/cli/read_events.py" "$@"; }
mlm=("$shardbert" mlm --run run --log error --init none --dim 16 --layers 1 --heads 2 --ffn 32
    --positions 32 --max-length 32 --batch 8 --slots 4 --steps 40 --checkpoint-every 10
    --eval-every 15 --eval-samples 20 --keep 0)

mpi 2 "${mlm[@]}" --threads 1 >/dev/null
first=$(compgen -G 'run/mlm/events.out.tfevents.*')
[ "$(read_events run/mlm 1)" = "1 files, 46 events, 0 voided" ] || fail "$(read_events run/mlm 1)"

# Back to step 20, with a record that a kill tore
rm -r run/mlm/ckpt-00000003* run/mlm/ckpt-00000004*
printf 'torn' >>"$first"
"${mlm[@]}" >/dev/null
said=$(read_events run/mlm 2)
grep -Eq '^2 files, 70 events, [1-9][0-9]+ voided$' <<<"$said" || fail "$said"

# Nothing is left to do; then all of it again, from nothing
"${mlm[@]}" >/dev/null
read_events run/mlm 2 >/dev/null
rm -r run/mlm/ckpt-*
"${mlm[@]}" --steps 5 >/dev/null
read_events run/mlm 3

# The reader sees a flipped bit.
cp -r run/mlm damaged
printf 'X' | dd of="$(compgen -G 'damaged/events*' | head -1)" bs=1 seek=200 conv=notrunc status=none
read_events damaged 3 2>/dev/null && fail "a flipped bit went by"

"$shardbert" word2vec --run run --log error --dim 8 --epochs 2 --threads 1
read_events run/word2vec 1
rm -r run/word2vec
"$shardbert" word2vec --run run --log error --dim 8 --epochs 2 --tensorboard=false
compgen -G 'run/word2vec/events*' && fail "an event file that nobody asked for"
[ -s run/word2vec/metrics.jsonl ] || fail "no metrics.jsonl"
