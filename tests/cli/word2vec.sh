#!/bin/bash
# SPDX-License-Identifier: MIT
# word2vec as a command: the same command gives the same bits, on one rank and
# on several that each have a copy of the tables; and --evaluations, which
# changes none of them, gives at the end what eval gives.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder
small_run "$shardbert" base 1000

cat >questions <<'QUESTIONS'
: licences
copy copies work works
work works copy copies
version versions copy copies
the of to a
copy copies nosuchword works
QUESTIONS
mkdir other
shuf -r -n 400 --random-source=<(yes no) <(grep -x '[a-z]*' base/vocab/vocab.txt) | paste - - |
    awk -vOFS='\t' '{ print $1, $2, NR * 7 % 50 / 10 }' >pairs.tsv
head -n 50 pairs.tsv >other/pairs.tsv

# Small rounds, so that there are several: an epoch is one.
train() { # RUN NP OPTION...
    mpi "$2" "$shardbert" word2vec --run "$1" --vocab base/vocab/vocab.txt --corpus base/corpus \
        --dim 20 --epochs 20 --log error "${@:3}"
}
hash_of() { "$shardbert" inspect "$1/word2vec" --hash; }
same() { [ "$(hash_of "$1")" = "$(hash_of "$2")" ] || fail "$1 and $2 have other bits"; }
files=(--analogies questions --similarity "pairs.tsv,other/pairs.tsv")

# ---- the same bits ---------------------------------------------------------------
train one 1
train one-again 1
same one one-again
for np in 2 3; do
    train copies$np $np --ranks-per-replica 1
    train copies$np-again $np --ranks-per-replica 1
    same copies$np copies$np-again
done
[ "$(hash_of one)" != "$(hash_of copies2)" ] || fail "two copies of the tables do what one does"
train other-seed 1 --seed 2
[ "$(hash_of one)" != "$(hash_of other-seed)" ] || fail "another seed gives the same bits"

# ---- judged on the way -----------------------------------------------------------
# marks RUN: what eval says of the end, as in metrics.jsonl
last() { grep '"analogies"' "$1/word2vec/metrics.jsonl" | tail -n 1; }
marks() {
    "$shardbert" eval --run "$1" --vocab base/vocab/vocab.txt --restrict 30000 --log error "${files[@]}"
}
judged() {
    local n
    n=$(grep -c '"analogies":[^,]*,"similarity_pairs":[^,]*,"similarity_2":[^,]*}$' "$1/word2vec/metrics.jsonl") || true
    [ "$n" = "$2" ] || fail "$1: judged $n times, not $2"
    # shares against percent, nine digits against three
    marks "$1" >eval.txt
    last "$1" | tr ',:}' '   ' | awk '{ printf "%.1f\n", 100 * $4; printf "%.3f\n%.3f\n", $6, $8 }' >this
    awk '$1 == "analogies" { print $2 } $1 == "similarity" { print $3 }' eval.txt | cmp -s - this ||
        fail "$1: at the end $(paste -s this), eval: $(cat eval.txt)"
}
train judged 1 --evaluations 5 "${files[@]}"
same one judged
judged judged 5
train judged2 2 --ranks-per-replica 1 --evaluations 3 "${files[@]}" --threads 1
same copies2 judged2
judged judged2 3
train shared 2 --threads 2 --evaluations 2 "${files[@]}"
judged shared 2
train often 1 --evaluations 1000000 --analogies questions # no more than rounds
[ "$(grep -c '"analogies"' often/word2vec/metrics.jsonl)" = 20 ] || fail "judged more often than there are rounds"
[ "$(awk -F'[:,]' '/"analogies"/ { n++; if (n == 3 || n == 5) print $2 }' judged/word2vec/metrics.jsonl | paste -sd' ' |
    awk '{ print $1 / $2 }')" = 0.6 ] || fail "not evenly"
expect 0 'judged at 100.0 %:  analogies .* of .*  pairs -\?0\.[0-9]*  2 ' \
    "$shardbert" word2vec --run said --vocab base/vocab/vocab.txt --corpus base/corpus --dim 20 \
    --epochs 1 --evaluations 1 "${files[@]}"

# Nothing begins without the files.
for np in 1 3; do
    expect 3 "'none'" train no $np --evaluations 1 --similarity pairs.tsv,none
    expect 3 "'questions': line 1 is not" train no $np --evaluations 1 --similarity questions
    hint 2 'analogies questions' train no $np --evaluations 1
done
[ ! -e no/word2vec ] || fail "it began, without files to judge by"
echo "word2vec: same bits, and judged on the way as by eval"
