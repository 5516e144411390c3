#!/bin/bash
# SPDX-License-Identifier: MIT
# --precision: rounded operands give the same bits on any number of ranks and
# threads and after a restart, and a loss within 0.5 % of fp32's, step by step.
# Where bf16 itself can be had it has to do the same; where not, it is refused
# with one message, also if one rank's processor alone lacks it.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder
small_run "$shardbert" base 600

# train NAME NP OPTIONS...: of two options of one name the second counts
train() {
    local name=$1 np=$2
    shift 2
    mpi "$np" "$shardbert" mlm --run "$name" --log error --init none \
        --vocab base/vocab/vocab.txt --corpus base/corpus \
        --dim 64 --layers 2 --heads 4 --ffn 128 --positions 64 --max-length 48 --batch 22 --slots 9 \
        --vocab-block 150 --head-group 60 --steps 40 --lr 2e-3 --warmup 4 --clip 1 --weight-decay 0.01 \
        --eval-every 20 --eval-samples 40 --checkpoint-every 15 "$@" >/dev/null
}
# what NAME: one hash over the state, and the losses of all steps
what() {
    "$shardbert" inspect "$1/mlm" --hash
    sed -n 's/.*"step":\([0-9]*\).*"loss":\([^,]*\).*/\1 \2/p' "$1/mlm/metrics.jsonl"
    grep -o '"heldout_loss":[^,]*' "$1/mlm/metrics.jsonl"
}
same() {
    what "$1" >this
    cmp -s expected this || { diff expected this | head -5; fail "$1: other bits than np 1"; }
    echo "$1: $(head -1 this), the same"
}

# all_of PRECISION: bits, and the loss beside fp32's
all_of() {
    local p=$1
    train "$p" 1 --precision "$p"
    what "$p" >expected
    cmp -s expected fp32.bits && fail "$p: the bits of fp32"
    paste -d ' ' fp32.bits expected | awk 'NF == 4 {
            d = ($4 - $2) / $2; if (d < 0) d = -d; if (d > most) most = d; n++
        } END { printf "losses of %d steps: at most %.4f %% from fp32\n", n, 100 * most
                exit n != 40 || most > 0.005 || most == 0 }' || fail "$p is another training"
    train "$p-2" 2 --precision "$p"
    same "$p-2"
    train "$p-threads" 1 --precision "$p" --threads 2 --micro-batch 6
    same "$p-threads"
    train "$p-resumed" 2 --precision "$p" --stop-at 17
    train "$p-resumed" 1 --precision "$p" --threads 2
    same "$p-resumed"
}

train fp32 1
what fp32 >fp32.bits
all_of bf16-emulated

# What the run is computed in is in its first lines, and in its checkpoint.
train bf16-emulated 1 --precision fp32 --steps 41 --log info 2>log
grep -q 'matrix products in fp32 (OpenBLAS' log || { cat log; fail "the precision is not said"; }
grep -q 'precision = fp32, but the newest checkpoint was made with bf16-emulated' log ||
    { cat log; fail "another precision goes on without a word"; }
"$shardbert" inspect bf16-emulated/mlm | grep -q '^ *precision = fp32$' || fail "no precision in the checkpoint"

refused="error: .*precision = bf16 cannot be had: "
if "$shardbert" --version | grep -q 'no bf16 here'; then
    for np in 1 2; do
        expect 2 "$refused" train "refused$np" $np --precision bf16
        hint 2 "precision fp32" train "refused$np" $np --precision bf16
        [ ! -e "refused$np/mlm" ] || fail "a folder for what was refused"
    done
    echo "bf16: not on this machine, and refused"
else
    all_of bf16
    one_lacks() { # oneDNN is told to use no more than AVX2 on rank 1
        mpi 1 "$shardbert" mlm "$@" : -n 1 env ONEDNN_MAX_CPU_ISA=AVX2 "$shardbert" mlm "$@"
    }
    expect 2 "$refused" one_lacks --run lacks --init none --precision bf16 --dim 64 --heads 4 \
        --vocab base/vocab/vocab.txt --corpus base/corpus --batch 22 --slots 9 --steps 2
fi
expect 2 "precision.*fp32|bf16|bf16-emulated" train unknown 1 --precision fp16
