#!/bin/bash
# SPDX-License-Identifier: MIT
# The recipe of launch/quickstart, shortened, on its real text: from raw text to
# a filled-in [MASK] on two ranks. The model started from word2vec must beat
# the unigram distribution on held-out text by at least 1 nat.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
dictionary=/usr/share/dictd/gcide.dict.dz
[ -r "$dictionary" ] || {
    echo "skipped: no $dictionary (apt-get install dict-gcide)"
    exit 77
}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
zcat <"$dictionary" >"$tmp/gcide.txt"

phase() {
    SB_RANKS=2 SHARDBERT=$shardbert "$SB_SOURCE/launch/mpirun.sh" "$@" --run "$tmp/run" --log warn
}
recipe=(--config "$SB_SOURCE/launch/recipes/quickstart.conf")
phase vocab "${recipe[@]}" --source "text:$tmp/gcide.txt"
phase ingest "${recipe[@]}" --source "text:$tmp/gcide.txt"
phase word2vec "${recipe[@]}" --epochs 1
phase mlm "${recipe[@]}" --steps 400 --eval-every 0 | tee "$tmp/losses"
phase neighbours water | tee "$tmp/near"
phase fill 'a small [MASK] of the genus quercus .' | tee "$tmp/filled"

better=$(sed -n 's/.*after training.*(\(.*\) better than the unigrams)/\1/p' "$tmp/losses")
awk -v b="$better" 'BEGIN { exit !(b >= 1) }' || fail "only '$better' nats better than the unigrams"
grep -Eq '^water:(  [^ ]+ 0\.[0-9]+){5}$' "$tmp/near" || fail "no neighbours"
grep -Eq '^ +([^ ]+ [0-9.]+ %( |$) *){5}$' "$tmp/filled" || fail "nothing filled in"
