#!/bin/bash
# SPDX-License-Identifier: MIT
# The vocabulary is the same, byte for byte, for any number of ranks: when the
# counts fit in memory, when they go through files, and when rare words have to
# be left out. What is left out is said.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

# words LETTERS N: N draws, small numbers more often, spelled in base 26; 100 a
# line, in 6 files of more than a unit's share each
words() {
    awk -v letters="$1" -v n="$2" 'BEGIN {
        for (x = 1; i < n; i++) {
            x = (x * 16807) % 2147483647
            u = x / 2147483647
            id = int(u * u * 26 ^ 4)
            word = ""
            for (k = 0; k < letters; k++) {
                word = word sprintf("%c", 97 + id % 26)
                id = int(id / 26) + (k + 1) * 7 * (k > 2)
            }
            printf "%s%s", word, i % 100 == 99 ? "\n" : " " > ("text" letters "-" int(i * 6 / n) ".txt")
        }
    }'
}
words 4 90000
words 15 400000

# vocab NAME NP OPTIONS...: its messages to NAME.log
vocab() {
    local name=$1 np=$2
    shift 2
    mpi "$np" "$shardbert" vocab --run "$name" --log debug --vocab-size 3000 "$@" 2>"$name.log" ||
        fail "$name: $(cat "$name.log")"
    [ -z "$(find "$name" -name '*tmp*' -o -name '*.run')" ] || fail "$name: left behind: $(ls -A "$name/vocab")"
}
same() {
    cmp "$1/vocab/vocab.txt" "$2/vocab/vocab.txt" || fail "$2: not the vocabulary of $1"
}
runs() { sed -n 's/.* \([0-9]*\) runs of words.*/\1/p' "$1.log"; }
left_out() { grep -o '[0-9]* of [0-9]* distinct words are left out.*' "$1.log"; }

# Everything fits: with 4G in one file a rank, with 64M in several.
vocab roomy 1 --source 'text:text4-*'
[ "$(runs roomy)" = 1 ] || fail "roomy: $(runs roomy) runs"
for np in 1 2 3 4; do
    vocab "tight$np" "$np" --source 'text:text4-*' --memory 64M
    left_out "tight$np" && fail "tight$np: words are left out"
    same roomy "tight$np"
done
[ "$(runs tight1)" -gt 1 ] || fail "tight1: nothing was spilled"
echo "all words, 1 to 4 ranks, $(runs tight1) runs: the same"

# 64M are not enough.
for np in 1 2 3 4; do
    vocab "rare$np" "$np" --source 'text:text15-*' --memory 64M
    left_out "rare$np" >"rare$np.left" || fail "rare$np: nothing is left out"
    cmp rare1.left "rare$np.left" || fail "rare$np: not as many as on 1 rank"
    same rare1 "rare$np"
done
distinct=$(cat text15-* | tr ' ' '\n' | sort -u | wc -l)
grep -q " of $distinct distinct" rare1.left || fail "not of $distinct: $(cat rare1.left)"
echo "$(cat rare1.left): the same for 1 to 4 ranks"

# The test can fail: with more memory the vocabulary is another one.
vocab large 2 --source 'text:text15-*'
cmp -s large/vocab/vocab.txt rare1/vocab/vocab.txt && fail "leaving out changes nothing"

# A disk that is full is one error, and no reason to start with debris.
for np in 1 3; do
    rm -rf full
    for fault in write:3@rank$((np - 1)) fsync:2@rank$((np - 1)) write:9@rank0; do
        SB_FAULT=$fault expect 3 'cannot write .*tmp-words' \
            mpi $np "$shardbert" vocab --run full --vocab-size 3000 --source 'text:text15-*' --memory 64M
        [ -z "$(ls -A full/vocab)" ] || fail "$fault: left behind: $(ls -A full/vocab)"
    done
    vocab full "$np" --source 'text:text15-*' --memory 64M
    same rare1 full
done
