#!/bin/bash
# SPDX-License-Identifier: MIT
# Ids equal to those of Hugging Face's tokenizers (its npm package): all code
# points, random strings, and, where ../shared is there, every sample of the
# corpora; with bert-base-uncased's vocabulary, and some of them (--long: all)
# with one we trained.
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

# compare NAME TOKENIZER.JSON FILE...
compare() {
    mkdir "$tmp/$1"
    node "$SB_SOURCE/tests/golden/tokenizers.mjs" "$npm" "$shardbert" "$2" "$tmp/$1" "${@:3}" \
        >"$tmp/$1.log" 2>&1 || echo "$1: the ids differ, or could not be compared" >>"$tmp/$1.log"
}
# told NAME: what compare said; fails if it did
told() {
    sed "s/^/$1: /" "$tmp/$1.log"
    ! grep -q '^'"$1"': the ids differ' "$tmp/$1.log" || fail "$1"
}

if [ ! -d "$shared" ]; then
    small_text >"$tmp/text.txt"
    "$shardbert" vocab --run "$tmp/run" --source "text:$tmp/text.txt" --vocab-size 2000 --log error
    compare ours "$tmp/run/vocab/tokenizer.json"
    told ours
    skip "$shared is not there; random strings are equal"
fi
zcat "$shared"/corpus/news/news.*.gz >"$tmp/text.txt"
"$shardbert" vocab --run "$tmp/run" --source "text:$tmp/text.txt" --vocab-size 30000 --log error
mapfile -t files < <(find "$shared/tokenizer/unicode" "$shared/corpus" -type f | LC_ALL=C sort)
# Our own vocabulary meets two kinds of text, and all of it with --long.
few=("${files[@]}")
[ -n "${SB_LONG:-}" ] ||
    mapfile -t few < <(find "$shared/tokenizer/unicode" "$shared/corpus/news" -type f | LC_ALL=C sort)
compare ours "$tmp/run/vocab/tokenizer.json" "${few[@]}" &
compare bert "$shared/tokenizer/tokenizer.json" "${files[@]}"
wait
told ours
told bert
