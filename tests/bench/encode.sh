#!/bin/bash
# SPDX-License-Identifier: MIT
# Encoding beside Hugging Face's tokenizers (its npm package): the same text and
# vocabulary, one core, in turns; medians of MB/s, and their ratio.
# usage: tests/bench/encode.sh [BUILD-FOLDER [TOKENIZER.JSON TEXT]]
# Without TEXT: the samples of C4 in ../shared (or $SB_SHARED).
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${1:-$here/build-ci}" && pwd)
shared=${SB_SHARED:-$here/../shared}/data
vocab=${2:-$shared/tokenizer/tokenizer.json}
text=${3:-}
rounds=5
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
. "$here/tests/lib.sh"
get_tokenizers "$build/npm" || fail "npm cannot get the package tokenizers"
if [ -z "$text" ]; then
    text=$tmp/text.txt
    zcat "$shared"/corpus/c4/*.gz | node -e "
        require('readline').createInterface({input: process.stdin}).on('line', line =>
            console.log(JSON.parse(line).text.replaceAll('\n', ' ')))" >"$text"
fi

median() { sort -n | sed -n $(((rounds + 1) / 2))p; }
core() { RAYON_NUM_THREADS=1 taskset -c 0 "$@"; }
for ((i = 0; i < rounds; i++)); do
    core "$build/tests/bench_encode" "$vocab" "$text" 1 2>/dev/null >>"$tmp/ours"
    core node "$here/tests/bench/encode.mjs" "$build/npm" "$vocab" "$text" >>"$tmp/theirs"
done
ours=$(median <"$tmp/ours")
theirs=$(median <"$tmp/theirs")
awk -v bytes="$(stat -c %s "$text")" -v a="$ours" -v b="$theirs" -v n=$rounds 'BEGIN {
    printf "%.1f MB of text, medians of %d: ours %.1f MB/s, tokenizers %.2f MB/s, ratio %.1f\n",
        bytes / 1e6, n, a, b, a / b }'
