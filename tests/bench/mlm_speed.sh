#!/bin/bash
# SPDX-License-Identifier: MIT
# Masked language modelling beside a plain PyTorch loop (mlm_torch.py): the same batches, the same cores, in turns;
# 6 layers, D 768, 12 heads, dropout 0.1, AdamW, clipping, fp32. Medians over the steps after each run's first.
# usage: tests/bench/mlm_speed.sh [--cases "full8 full64 lines64"] [--steps 4] [--repeats 3] [--threads 2]
#            [--vocab-size 256000] [--corpus DIR --vocab FILE] [--head-all] [--precision fp32] [--bf16] [--ranks N] [--ours "--OPTION VALUE ..."]
# Cases: full64 and full8 are 64 and 8 sequences of 128 tokens of a made text with Zipf's frequencies; lines64 is 64
# documents of --corpus cut at 1000 characters, padded to the longest for PyTorch; needs --corpus and its --vocab.
# --head-all: PyTorch also with logits at all positions, as the common script computes them. --bf16: also in autocast, where the processor has bf16.
# --precision P: ours. For bf16, "of GEMM" is of what bench_gemm reaches in bf16.
# --ranks N: instead of PyTorch, N ranks with one thread each (ranks; fast: with --reduce fast) beside one rank with
# N threads (ours).
# --ours: more options of `shardbert mlm`. The program is $SB_BUILD/shardbert (build-ci).
#
# Model FLOP of a step with N tokens, M of them masked, in sequences of t tokens: 6 N L (4 D^2 + 2 D F) for the
# encoder's matrices, 12 L D sum of t^2 for attention, 6 M (D^2 + V D) for the head. Nothing computed twice counts.
# "of GEMM": their rate over bench_gemm's of a step's own products, back to back, single-threaded calls on as many
# threads; measured before and after every run of a turn, medians.
# Memory: the largest resident size, summed over ranks. Ours writes a checkpoint behind its steps: 12 bytes a
# parameter in $TMPDIR. PyTorch takes 14 GB at full64.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${SB_BUILD:-$here/../../build-ci}
cases="full8 full64 lines64" steps=4 repeats=3 threads=2 vocab_size=256000 corpus='' vocab='' ranks=1 ours_options='' precision=fp32
programs="ours masked"
while [ $# -gt 0 ]; do
    case $1 in
    --head-all) programs+=" all"; shift; continue ;;
    --bf16)
        grep -qwE 'avx512_bf16|amx_bf16|bf16' /proc/cpuinfo && programs+=" bf16" || echo "bf16: skipped, not in this processor" >&2
        shift; continue ;;
    --cases | --steps | --repeats | --threads | --corpus | --vocab | --precision) declare "${1#--}=$2" ;;
    --vocab-size) vocab_size=$2 ;;
    --ranks) ranks=$2 threads=$2 programs="ours ranks fast" ;;
    --ours) ours_options=$2 ;;
    *) sed -n '5,15s/^# //p' "$0" >&2; exit 2 ;;
    esac
    shift 2
done
[ "$steps" -ge 2 ] || { echo "--steps: at least 2, the first is not measured" >&2; exit 2; }
python=/usr/bin/python3
[ "$ranks" -gt 1 ] || "$python" -c 'import torch' || { echo "no PyTorch (apt-get install python3-torch)" >&2; exit 77; }
gemm_in=fp32
[ "$precision" != bf16 ] || gemm_in=bf16
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
. "$here/../lib.sh"
export LC_ALL=C OMP_NUM_THREADS=$threads OPENBLAS_NUM_THREADS=$threads
cores() { taskset -c "0-$((threads - 1))" "$@"; }

# A vocabulary of words w5 w6 ... and lines of 160 of them; the word of rank r comes with probability ~ 1/r.
make_corpus() {
    mkdir -p "$tmp/made/vocab"
    awk -v n="$vocab_size" 'BEGIN {
        print "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]"
        for (i = 5; i < n; i++) print "w" i }' >"$tmp/made/vocab/vocab.txt"
    awk -v n="$vocab_size" 'BEGIN {
        srand(1)
        for (i = 0; i < 1024; i++) {
            for (j = 0; j < 160; j++) printf "w%d ", 4 + int(exp(rand() * log(n - 4)))
            print "" } }' >"$tmp/made/text"
    "$build/shardbert" ingest --run "$tmp/made" --source "text:$tmp/made/text" --held-out 0.05 --log error
}

# choose CASE: batch, slots, max_length, max_chars, used_corpus and used_vocab; fails if there is nothing to run on
choose() {
    batch=64 slots=16 max_length=128 max_chars=0 used_corpus=$tmp/made/corpus used_vocab=$tmp/made/vocab/vocab.txt
    case $1 in
    full64) ;;
    full8) batch=8 slots=2 ;;
    lines64)
        max_length=512 max_chars=1000 used_corpus=$corpus used_vocab=$vocab
        [ -n "$corpus" ] && [ -n "$vocab" ] || { echo "lines64: skipped without --corpus and --vocab" >&2; return 1; } ;;
    *) echo "no such case: $1" >&2; exit 2 ;;
    esac
    [ "$slots" -ge "$threads" ] || slots=$threads
    [ "$used_corpus" = "$corpus" ] || [ -e "$tmp/made" ] || make_corpus
}

# took PROGRAM: "step tokens/s" lines become seconds, tokens/s and GFLOP/s of all steps but the first
took() {
    awk -v p="$1" -v v="$size" 'NR == FNR { n[$1 + 1] = $2; m[$1 + 1] = $3; squares[$1 + 1] = $4; next }
        $1 > 1 { i = $1; D = 768
            flop = 6 * n[i] * 6 * (4 * D ^ 2 + 2 * D * 3072) + 12 * 6 * D * squares[i] + 6 * m[i] * (D ^ 2 + v * D)
            print p, n[i] / $2, $2, flop / n[i] * $2 / 1e9 }' "$tmp/sizes" - >>"$tmp/steps"
}

# run_ours PROGRAM RANKS THREADS OPTION...
run_ours() {
    local program=$1 np=$2 each=$3
    shift 3
    rm -rf "$tmp/run" "$tmp/rss"
    # shellcheck disable=SC2086
    cores mpirun --oversubscribe --bind-to none --mca btl_base_warn_component_unused 0 -n "$np" \
        /usr/bin/env time -a -o "$tmp/rss" -f %M "$build/shardbert" mlm --run "$tmp/run" --corpus "$used_corpus" \
        --vocab "$used_vocab" --init none --threads "$each" --batch $batch --slots "$slots" --max-length $max_length \
        --max-chars $max_chars --clip 1 --steps 1000 --stop-at "$steps" --eval-every 0 --eval-samples 1 --checkpoint-every 0 --seed 1 \
        --precision "$precision" --log error "$@" $ours_options >"$tmp/log" 2>&1 || { cat "$tmp/log" >&2; exit 1; }
    sed -n 's/^{"step":\([0-9]*\),.*"tokens_per_s":\([^,}]*\).*/\1 \2/p' "$tmp/run/mlm/metrics.jsonl" | took "$program"
    awk -v p="$program" '{ s += $1 } END { print p, s / 1024 }' "$tmp/rss" >>"$tmp/memory"
    rm -rf "$tmp/run"
}

# run_torch PROGRAM OPTION...
run_torch() {
    local program=$1
    shift
    cores "$python" "$here/mlm_torch.py" "$tmp/batches" --threads "$threads" "$@" >"$tmp/log"
    sed -n 's/^step \([0-9]*\): .* s, \([^ ]*\) tokens.*/\1 \2/p' "$tmp/log" | took "$program"
    awk -v p="$program" '/^median/ { print p, $(NF - 1) }' "$tmp/log" >>"$tmp/memory"
}

run_program() {
    case $1 in
    ours) run_ours ours 1 "$threads" ;;
    ranks) run_ours ranks "$ranks" 1 ;;
    fast) run_ours fast "$ranks" 1 --reduce fast ;;
    bf16) run_torch bf16 --head masked --bf16 ;;
    *) run_torch "$1" --head "$1" ;;
    esac
}

# median PROGRAM COLUMN of the file of steps or of memory
median() {
    awk -v p="$1" -v c="$2" '$1 == p { print $c }' "$3" | sort -n |
        awk '{ x[NR] = $1 } END { print (x[int((NR + 1) / 2)] + x[int(NR / 2) + 1]) / 2 }'
}
gemm() { # THREADS
    sed -n "s/^\(bf16 \)*step: $1 threads \(.*\) GFLOP.*/\2/p" "$tmp/gemm" | sort -n |
        awk '{ x[NR] = $1 } END { print (x[int((NR + 1) / 2)] + x[int(NR / 2) + 1]) / 2 }'
}

report() { # CASE
    local program seconds rate speed memory
    for program in $programs; do
        seconds=$(median "$program" 2 "$tmp/steps") rate=$(median "$program" 3 "$tmp/steps")
        speed=$(median "$program" 4 "$tmp/steps") memory=$(median "$program" 2 "$tmp/memory")
        [ "$program" != ours ] || { ours_rate=$rate ours_memory=$memory; }
        awk -v what="$1 $program" -v s="$seconds" -v r="$rate" -v f="$speed" -v m="$memory" -v gemm="$(gemm "$threads")" \
            -v r1="$ours_rate" -v m1="$ours_memory" 'BEGIN {
            printf "%-15s %8.3f s %8.1f tokens/s %7.1f GFLOP/s %5.2f of GEMM %7.0f MiB", what, s, r, f, f / gemm, m
            if (what !~ / ours$/) printf "   ours: %.2f times the rate, %.2f of the memory", r1 / r, m1 / m
            print "" }'
    done
    echo "$1 GEMM: $(gemm 1) GFLOP/s on one thread, $(gemm "$threads") on $threads"
}

for case in $cases; do
    choose "$case" || continue
    "$build/tests/bench_mlm_batches" "$used_corpus" "$used_vocab" "$tmp/batches" "$steps" $batch $max_length $max_chars 1 >"$tmp/sizes"
    size=$(od -An -tu4 -N4 "$tmp/batches")
    rm -f "$tmp"/{steps,memory,gemm}
    for ((round = 1; round <= repeats; round++)); do
        cores "$build/tests/bench_gemm" "$threads" "$gemm_in" >>"$tmp/gemm"
        for program in $programs; do
            echo "$case, turn $round of $repeats: $program" >&2
            run_program "$program"
            cores "$build/tests/bench_gemm" "$threads" "$gemm_in" >>"$tmp/gemm"
        done
    done
    report "$case"
done
