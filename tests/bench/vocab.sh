#!/bin/bash
# SPDX-License-Identifier: MIT
# A vocabulary of 256,000 from 1 GB of text, on 2 ranks: how long, and how much
# memory. The text is the samples' news and passages, grown (grow_text.c).
# usage: tests/bench/vocab.sh [BUILD] [BYTES]
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build-ci} bytes=${2:-1000000000} samples=../shared/data/corpus
[ -d "$samples" ] || {
    echo "no samples in $samples: nothing to measure on"
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
    zcat "$samples"/news/*.deduped.gz
    zcat "$samples"/msmarco/*.gz | cut -f 2
    zcat "$samples"/c4/*.gz | sed 's/^{"text":"//; s/","timestamp".*//; s/\\[nu"]/ /g'
} | "$build/tests/bench_grow_text" "$bytes" >"$work/text"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
begin=$(date +%s.%N)
/usr/bin/env time -f 'mpirun and ranks: %M KiB at most in one process, %U s of processor' \
    mpirun -n 2 "$build/shardbert" vocab --run "$work/run" --source "text:$work/text" \
    --vocab-size 256000 2>"$work/log" || { cat "$work/log"; exit 1; }
end=$(date +%s.%N)
grep -a 'done\|processor' "$work/log"
echo "$(stat -c %s "$work/text") bytes of text: $(echo "$end $begin" | awk '{printf "%.1f", $1 - $2}') s on 2 ranks"
