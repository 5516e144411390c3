#!/bin/bash
# SPDX-License-Identifier: MIT
# What checkpoints cost. First: mlm steps while one is taken and written beside the others of the same run. Then: the
# rate at which one is written and read beside dd with fsync and a cold cat of the same bytes on the same disk, in turns.
# usage: tests/bench/checkpoint.sh [--steps 24] [--every 6] [--layers 2] [--dim 768] [--vocab-size 32000] [--batch 16]
#            [--threads 2] [--ranks 1] [--mib 1024] [--repeats 5] [--dir DIR]
# Files lie in DIR (/tmp): of the rates 3 x repeats x mib, removed at the end. The program is $SB_BUILD/shardbert
# (build-ci). --steps 0 or --repeats 0 leaves that half out.
#
# taken: from the end of the step before until the end of the one during which the copy was made and writing began;
# written: later steps that lie wholly or partly in the time of writing. Medians over all saves, but the last, which is
# written at once. Every file is written to new blocks, and dropped from the cache before it is read. Reading fills one
# panel of memory again and again, as cat does.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${SB_BUILD:-$here/../../build-ci}
steps=24 every=6 layers=2 dim=768 vocab_size=32000 batch=16 threads=2 ranks=1 mib=1024 repeats=5 dir=/tmp
while [ $# -gt 0 ]; do
    case $1 in
    --steps | --every | --layers | --dim | --batch | --threads | --ranks | --mib | --repeats | --dir) declare "${1#--}=$2" ;;
    --vocab-size) vocab_size=$2 ;;
    *) sed -n '5,8s/^# //p' "$0" >&2; exit 2 ;;
    esac
    shift 2
done
. "$here/../lib.sh"
tmp=$(mktemp -d "$dir/sb-checkpoint-XXXXXX")
trap 'rm -rf "$tmp"' EXIT
export LC_ALL=C
median() { sort -n | awk '{ x[NR] = $1 } END { print NR ? (x[int((NR + 1) / 2)] + x[int(NR / 2) + 1]) / 2 : "none" }'; }

# ---- steps

# Words w5 w6 ... in lines of 160; that of rank r comes with probability ~ 1/r.
make_corpus() {
    mkdir -p "$tmp/run/vocab"
    awk -v n="$vocab_size" 'BEGIN {
        print "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]"
        for (i = 5; i < n; i++) print "w" i }' >"$tmp/run/vocab/vocab.txt"
    awk -v n="$vocab_size" 'BEGIN {
        srand(1)
        for (i = 0; i < 1024; i++) {
            for (j = 0; j < 160; j++) printf "w%d ", 4 + int(exp(rand() * log(n - 4)))
            print "" } }' >"$tmp/text"
    "$build/shardbert" ingest --run "$tmp/run" --source "text:$tmp/text" --held-out 0.05 --log error
}

# Of every step: 0 normal, 1 taken, 2 written, and its seconds
steps_of_a_run() {
    mpi "$ranks" "$build/shardbert" mlm --run "$tmp/run" --init none --threads "$threads" --dim "$dim" \
        --heads $((dim / 64)) --ffn $((4 * dim)) --layers "$layers" --batch "$batch" --slots "$batch" --max-length 128 \
        --steps 1000 --stop-at "$steps" --eval-every 0 --eval-samples 1 --checkpoint-every "$every" \
        --checkpoint-minutes 0 >/dev/null 2>"$tmp/log" || { cat "$tmp/log" >&2; exit 1; }
    sed -n 's/.*checkpoint of step \([0-9]*\): .* in \([0-9.]*\) s (.* still for \([0-9.]*\) s$/\1 \2 \3/p' "$tmp/log" >"$tmp/saves"
    sed -n 's/^{"step":\([0-9]*\),.*"seconds":\([^,}]*\).*/\1 \2/p' "$tmp/run/mlm/metrics.jsonl" |
        awk -v last="$steps" 'NR == FNR { total[$1] = $2; pause[$1] = $3; next }
            $1 > 2 {
                kind = 0; s = $2
                if (left > 0) { kind = 2; left -= s }
                if (($1 - 1) in total) { s += pause[$1 - 1]; left = total[$1 - 1] - s; kind = 1 }
                print kind, s }' "$tmp/saves" -
}
if [ "$steps" -gt 0 ]; then
    make_corpus
    steps_of_a_run >"$tmp/steps"
    of_kind() { awk -v k="$1" '$1 == k { print $2 }' "$tmp/steps"; }
    normal=$(of_kind 0 | median) taken=$(of_kind 1 | median) written=$(of_kind 2 | median)
    echo "$(sed -n 's/.*checkpoint of step [0-9]*: \([^ ]* [KMG]iB\) in.*/\1/p' "$tmp/log" | head -1) a checkpoint," \
        "$(wc -l <"$tmp/saves") of them, $(awk '{ print $2 }' "$tmp/saves" | median) s each, median"
    echo "steps: normal $normal s ($(of_kind 0 | wc -l)), taken $taken s ($(of_kind 1 | wc -l)), written $written s ($(of_kind 2 | wc -l))"
    awk -v n="$normal" -v t="$taken" -v w="$written" 'BEGIN {
        printf "ratio: taken %.2f", t / n; if (w != "none") printf ", written %.2f", w / n; print "" }'
fi

# ---- rates

drop() { dd of="$1" oflag=nocache conv=notrunc,fdatasync count=0 status=none; }
seconds() {
    local start=${EPOCHREALTIME}
    "$@"
    awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }'
}
forget() { "$@" >/dev/null; }
part() { echo "$tmp/$1/ckpt-000000001/part-00000.pb"; }
write_ours() { "$build/tests/bench_checkpoint" write "$tmp/$1" "$mib" | awk '{ print $1 }' >>"$tmp/write"; }
write_dd() {
    cat "$tmp/source" >/dev/null
    seconds dd if="$tmp/source" of="$tmp/$1.copy" bs=1M conv=fsync status=none >>"$tmp/dd"
}
read_ours() { drop "$(part "$1")"; "$build/tests/bench_checkpoint" read "$tmp/$1" "$mib" >>"$tmp/read"; }
read_cat() { drop "$tmp/$1.copy"; seconds forget cat "$tmp/$1.copy" >>"$tmp/cat"; }
if [ "$repeats" -gt 0 ]; then
    write_ours 0
    mv "$(part 0)" "$tmp/source"
    rm -f "$tmp/write"
    sync
    for ((i = 1; i <= repeats; i++)); do
        # Whoever comes second may find another disk: in turns.
        if ((i % 2)); then order="ours other"; else order="other ours"; fi
        for who in $order; do if [ "$who" = ours ]; then write_ours "$i"; else write_dd "$i"; fi; done
        for who in $order; do if [ "$who" = ours ]; then read_ours "$i"; else read_cat "$i"; fi; done
    done
    for pair in "write dd" "read cat"; do
        read -r ours other <<<"$pair"
        awk -v m="$mib" -v a="$(median <"$tmp/$ours")" -v b="$(median <"$tmp/$other")" -v p="$ours" -v q="$other" 'BEGIN {
            printf "%-5s %7.0f MB/s, %-3s %7.0f MB/s: %.0f %%\n", p, m * 1.048576 / a, q, m * 1.048576 / b, 100 * b / a }'
    done
fi
