#!/bin/bash
# SPDX-License-Identifier: MIT
# Training that diverges: it stops with advice, on any number of ranks; or it
# leaves batches out, and then bits and losses are the same for any number of
# ranks and after restarts, wherever they lie.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder
small_run "$shardbert" base 600

# The loss of single batches is noise here, and a small multiple of its
# deviation a spike.
options=(--vocab base/vocab/vocab.txt --corpus base/corpus --init none --dim 32 --layers 1 --heads 2
    --ffn 64 --positions 64 --max-length 48 --batch 8 --slots 4 --vocab-block 150 --steps 150
    --lr 1e-3 --eval-every 50 --eval-samples 30 --checkpoint-every 40)

# ---- stop --------------------------------------------------------------------
for np in 1 2; do
    run=(mpi $np "$shardbert" mlm "${options[@]}" --log error)
    rm -rf stopped
    hint 5 'a lower --lr first, .*--on-divergence skip' "${run[@]}" --run stopped --spike-deviations 1
    [ -n "$(ls stopped/mlm/ckpt-000000080)" ] || fail "no checkpoint to go back to"
    expect 5 'the loss jumps to .* at step .* deviations above its mean' \
        "${run[@]}" --run stopped --spike-deviations 1
    expect 5 'is not a finite number' "${run[@]}" --run nan$np --lr 10 --weight-decay 10
    [ -z "$(find nan$np -name 'ckpt*')" ] || fail "a state that is no number was saved"
    grep -o '"step":[0-9]*,"loss":[^,]*' stopped/mlm/metrics.jsonl >stopped$np
done
cmp stopped1 stopped2 || fail "1 and 2 ranks do not stop alike"
last=$(tail -1 stopped1 | sed 's/"step":\([0-9]*\).*/\1/')
[ "$last" -ge 100 ] && [ "$last" -lt 150 ] || fail "stopped after step $last"
echo "stopped after step $last, on 1 and 2 ranks"

# Three in a row, ten in all: then skipping ends too.
expect 5 'is not a finite number' mpi 2 "$shardbert" mlm "${options[@]}" --log error --run row \
    --lr 10 --weight-decay 10 --on-divergence skip
hint 5 '10 batches have been left out already' mpi 2 "$shardbert" mlm "${options[@]}" --log error --run ten \
    --spike-deviations 0.01 --on-divergence skip --steps 400

# ---- skip --------------------------------------------------------------------
# train NAME NP OPTIONS...; warnings stay in NAME.err
train() {
    mpi "$2" "$shardbert" mlm --run "$1" "${options[@]}" --spike-deviations 1.3 --on-divergence skip \
        --log warn "${@:3}" >/dev/null 2>>"$1.err"
}
# what NAME: hash of the state (it holds the list of what was left out), losses
what() {
    "$shardbert" inspect "$1/mlm" --hash
    sed -n 's/.*"step":\([0-9]*\).*"loss":\([^,]*\).*"skipped":\([0-9]*\).*/\1 \2 \3/p' "$1/mlm/metrics.jsonl"
    grep -o '"heldout_loss":[^,]*' "$1/mlm/metrics.jsonl"
}
same() {
    what "$1" >this
    cmp -s expected this || { diff expected this | head -5; fail "$1 is not like np 1"; }
    echo "$1: $(head -1 this), the same"
}

train np1 1
what np1 >expected
[ "$(wc -l <expected)" = 155 ] || fail "not 150 losses and 4 evaluations"
skips=$(grep -c 'warning: .* its batch, samples .* is left out, .*a lower --lr first' np1.err) || fail "nothing was left out"
[ "$(grep -c "^150 .* $skips\$" expected)" = 1 ] || fail "warnings and metrics do not agree"
grep -o 'at step [0-9]*' np1.err | sed 's/at step //' >steps
echo "$skips batches left out, at steps $(paste -sd ' ' steps)"
train np3 3
same np3
# Restarts before, at, and behind a step whose batch was left out.
first=$(head -1 steps)
for stop in $((first - 2)) $((first - 1)) "$first" $((first + 1)); do train resumed 2 --stop-at "$stop"; done
train resumed 1
same resumed

# The test can fail: without skipping other bits come out.
train other 1 --spike-deviations 0
what other >this
[ "$(head -1 this)" != "$(head -1 expected)" ] || fail "leaving batches out changes nothing"
diff <(sed -n "2,${first}p" this) <(sed -n "2,${first}p" expected) || fail "not alike up to the first of them"
