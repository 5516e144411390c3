#!/bin/bash
# SPDX-License-Identifier: MIT
# Ids equal to those of Hugging Face's tokenizers (its npm package): all code
# points, random strings, and, where ../shared is there, every sample of the
# corpora; with a vocabulary we trained and with bert-base-uncased's.
set -eu
shardbert=$1
shared=${SB_SHARED:-$SB_SOURCE/../shared}/data
npm=$SB_BUILD/npm
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
. "$SB_SOURCE/tests/lib.sh"

skip() {
    echo "skipped: $*"
    exit 77
}
get_tokenizers "$npm" || skip "npm cannot get the package tokenizers"

# compare TOKENIZER.JSON FILE...
compare() {
    echo "== $1"
    node "$SB_SOURCE/tests/golden/tokenizers.mjs" "$npm" "$shardbert" "$1" "$tmp" "${@:2}"
}

if [ ! -d "$shared" ]; then
    small_text >"$tmp/text.txt"
    "$shardbert" vocab --run "$tmp/run" --source "text:$tmp/text.txt" --vocab-size 2000 --log error
    compare "$tmp/run/vocab/tokenizer.json"
    skip "$shared is not there; random strings are equal"
fi
zcat "$shared"/corpus/news/news.*.gz >"$tmp/text.txt"
"$shardbert" vocab --run "$tmp/run" --source "text:$tmp/text.txt" --vocab-size 30000 --log error
mapfile -t files < <(find "$shared/tokenizer/unicode" "$shared/corpus" -type f | LC_ALL=C sort)
compare "$tmp/run/vocab/tokenizer.json" "${files[@]}"
compare "$shared/tokenizer/tokenizer.json" "${files[@]}"
