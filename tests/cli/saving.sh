#!/bin/bash
# SPDX-License-Identifier: MIT
# Checkpoints written while training goes on change no bit, on any number of
# ranks, with memory for a copy or without; which of them are kept; and
# --max-hours, which stops with one.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder
small_run "$shardbert" base 600

# mlm NAME NP OPTION...: of two options of one name the second counts
mlm() {
    local name=$1 np=$2
    shift 2
    mpi "$np" "$shardbert" mlm --run "$name" --vocab base/vocab/vocab.txt --corpus base/corpus --init none --dim 64 \
        --layers 2 --heads 4 --ffn 128 --positions 64 --max-length 48 --batch 8 --slots 4 --vocab-block 150 \
        --steps 30 --eval-every 0 --eval-samples 20 --checkpoint-every 0 --checkpoint-minutes 0 "$@" 2>"$name.log" >/dev/null
}
word2vec() {
    local name=$1 np=$2
    shift 2
    mpi "$np" "$shardbert" word2vec --run "$name" --vocab base/vocab/vocab.txt --corpus base/corpus --dim 32 \
        --epochs 40 --ranks-per-replica 1 --sync-words 500 --checkpoint-minutes 0 "$@" 2>"$name.log" >/dev/null
}
# Copies of the tables are made equal, and may be saved, after 16 rounds; an
# epoch is a round.
hash_of() { "$shardbert" inspect "$1" --hash; }
same() { # NAME PHASE EXPECTED
    [ "$(hash_of "$1/$2")" = "$(hash_of "$3/$2")" ] || fail "$1: $2 is not that of $3"
    [ -z "$(find "$1" -name '*tmp*')" ] || fail "$1: left behind: $(find "$1" -name '*tmp*')"
    echo "$1: the $2 of $3"
}
saves() { grep -c 'checkpoint of step' "$1.log" || true; }
steps_kept() { find "$1/mlm" -name 'ckpt-*' | sed 's/.*ckpt-0*//' | sort -n | paste -sd ' '; }

# ---- bits

mlm never 1
[ "$(saves never)" = 1 ] || fail "not one checkpoint: $(cat never.log)"
mlm every 2 --checkpoint-every 1 --keep-every 8
[ "$(saves every)" = 30 ] || fail "not 30 checkpoints: $(cat every.log)"
grep -q 'no memory' every.log && fail "no memory for a small copy: $(cat every.log)"
same every mlm never
[ "$(steps_kept every)" = "8 16 24 29 30" ] || fail "kept: $(steps_kept every)"
mlm clock 3 --threads 2 --checkpoint-minutes 1e-9
[ "$(saves clock)" = 30 ] || fail "the clock asked for $(saves clock) checkpoints, not 30"
same clock mlm never

# What was saved behind is what a run that stopped there has.
mlm there 1 --stop-at 24
rm -r every/mlm/ckpt-000000029 every/mlm/ckpt-000000030
same every mlm there

# All the memory but a part of the copy's: it is done without, and said once.
limit=$(sed -n 's/.*at most \([0-9.]*\) \([KM]\)iB: .* save from \([0-9.]*\) \([KM]\)iB$/\1 \2 \3 \4/p' every.log |
    awk '{ u["K"] = 1024; u["M"] = 1048576; printf "%d", $1 * u[$2] - $3 * u[$4] / 2 }')
mlm tight 2 --checkpoint-every 10 --memory-limit "$limit"
[ "$(grep -c 'no memory for a copy' tight.log)" = 1 ] || fail "not said once: $(cat tight.log)"
same tight mlm never

word2vec never 2
word2vec every 2 --checkpoint-minutes 1e-9
[ "$(saves every)" -gt "$(saves never)" ] || fail "no more checkpoints: $(cat every.log)"
same every word2vec never

# ---- time

# stops NAME LOG COMMAND...: with exit code 75, no error, and a word about it
stops() {
    local code=0
    "${@:3}" || code=$?
    [ $code = 75 ] || fail "$1: exit $code instead of 75: $(cat "$2")"
    grep -q 'error' "$2" && fail "$1: a stop is no error: $(cat "$2")"
    grep -q "asked to stop\|stopped on request" "$2" || fail "$1 does not say so: $(cat "$2")"
}
stops mlm hours.log mlm hours 2 --max-hours 1e-9
find hours/mlm -name 'ckpt-*' | grep -q . || fail "mlm: no checkpoint"
mlm hours 1
same hours mlm never
stops word2vec hours.log word2vec hours 2 --max-hours 1e-9
find hours/word2vec -name 'ckpt-*' | grep -q . || fail "word2vec: no checkpoint"
word2vec hours 2
same hours word2vec never
ingest() {
    "$shardbert" ingest --run base --corpus again --source text:base/text.txt --documents paragraph --held-out 0.1 \
        --block-tokens 1024 "$@" 2>ingest.log
}
stops ingest ingest.log ingest --max-hours 1e-9
ingest --max-hours 1
cmp again/train-00000.mdb base/corpus/train-00000.mdb || fail "ingest: another corpus"
