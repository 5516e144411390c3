#!/bin/bash
# SPDX-License-Identifier: MIT
# inspect --dump-text, and eval: the run's vectors and the same in a file get
# the same marks, on any number of ranks and threads, and gensim gives them,
# too; and what is said to bad files.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder
# words too long for a piece: in sentences, and alone
long() { head -c $((100 + $1)) /dev/zero | tr '\0' x; }
small_text() {
    cat /usr/share/common-licenses/{GPL-3,Apache-2.0,LGPL-3,GFDL-1.3}
    for i in 1 2 3 4 5 6 7 8 9; do
        printf '\n%s\n\nthe work %s is %s\n' "$(long $i)" "$(long $i)" "$(long 1$i)"
    done
}
small_run "$shardbert" run 3000 2>/dev/null
"$shardbert" word2vec --run run --dim 32 --epochs 4 --log error >/dev/null

# ---- the text of a corpus ------------------------------------------------------
dump() { "$shardbert" inspect "$@" --dump-text; }
dump run/corpus >text
dump --run run | cmp - text || fail "the run's corpus has another text"
mpi 2 "$shardbert" inspect run/corpus --dump-text | cmp - text || fail "two ranks write another text"
! grep -qE '^$|^ | $|  |\[(UNK|CLS|SEP|PAD|MASK)\]' text || fail "not pieces between single blanks"

# Every word of it is a piece; with the [UNK]s there are as many as the manifest
# has; and the counts are those of the vectors.
sort -u run/vocab/vocab.txt >pieces
tr ' ' '\n' <text | sort | uniq -c | awk '{ print $2, $1 }' | LC_ALL=C sort >counts
[ -z "$(cut -d' ' -f1 counts | sort -u | comm -23 - pieces)" ] || fail "words that are no pieces"
tokens=$("$shardbert" inspect run/corpus | sed -n 's/^  train .* \([0-9]*\) tokens$/\1/p')
"$shardbert" inspect run/corpus --sample 100000 | sed -n 's/^  pieces: //p' >samples
[ "$(wc -w <samples)" = "$tokens" ] || fail "the samples are not the corpus"
unknown=$(tr ' ' '\n' <samples | grep -cxF '[UNK]') || true
[ "$unknown" -gt 9 ] || fail "$unknown unknown words"
[ $(($(wc -w <text) + unknown)) = "$tokens" ] || fail "$(wc -w <text) words, $unknown unknown, not $tokens"
diff <(tr -s ' ' '\n' <samples | grep -vxF '[UNK]' | grep .) <(tr ' ' '\n' <text) >/dev/null ||
    fail "other words, or in another order"

dump run/corpus 2>errors | head -n 1 | cmp - <(head -n 1 text)
[ ! -s errors ] || fail "complains of a closed pipe: $(cat errors)"
full() { dump run/corpus >/dev/full; }
expect 3 'standard output: No space' full
expect 3 "'run/word2vec/corpus.json'" dump run/word2vec
expect 3 "'none/corpus/corpus.json'" dump --run none
seq 1000 >other.txt
"$shardbert" vocab --run other --source text:other.txt --vocab-size 40 --log error
hint 2 '--vocab' dump run/corpus --vocab other/vocab/vocab.txt

# ---- the same vectors, the same marks ------------------------------------------
# Questions that a text of licences can be asked: random ones, and some that
# are not covered.
awk 'length($1) > 2 && $1 !~ /^##/ && $2 > 3 { print $1 }' counts >known
{
    echo ': frequent'
    shuf -r -n 2400 --random-source=<(yes) known | paste -d' ' - - - - |
        awk '$1 != $2 && $2 != $3 && $1 != $3 && $3 != $4'
    echo ': nearest' # x to x is as y to what is nearest to it
    # shellcheck disable=SC2046
    "$shardbert" neighbours --run run --top 1 $(head -n 200 known) |
        sed 's/[(].*[)]//' | tr -d ':' | awk '$1 ~ /^[a-z]+$/ && $2 ~ /^[a-z]+$/ { print "the the", $1, $2 }'
    echo ': Unknown'
    echo 'Copy copies Work Works'
    echo 'copy copies nosuchword works'
} >questions
shuf -r -n 600 --random-source=<(yes no) known | paste -s -d'\t\t\n' |
    awk -F'\t' -vOFS='\t' 'NR == 1 { print "# word", "word", "score" } { print $1, $2, NR * 7 % 50 / 10 }' >pairs.tsv
printf 'copy\tnosuchword\t3\n' >>pairs.tsv
judge() { "$shardbert" eval --analogies questions --similarity pairs.tsv --log error "$@"; }

judge --run run >marks
grep -qE '^frequent  [0-9.]+ %  \([0-9]+ of [0-9]+; 100.0 % covered\)$' marks || fail "$(cat marks)"
grep -qE '^analogies  [0-9.]+ %  \([0-9]+ of [0-9]+; 99.[0-9] % covered\)$' marks || fail "$(cat marks)"
grep -qE '^similarity pairs.tsv  -?0\.[0-9]{3}  \([0-9]+ of [0-9]+ covered\)$' marks || fail "$(cat marks)"
awk -F'[ (]+' '$1 == "nearest" && $2 > 90 && $4 > 20 { good = 1 } END { exit !good }' marks || fail "$(cat marks)"
[ "$(wc -l <marks)" = 5 ] || fail "$(cat marks)"
for form in text binary; do
    flag=
    [ $form = text ] || flag=--binary
    "$shardbert" export --run run --format word2vec "vectors.$form" $flag >/dev/null
    judge --vectors vectors.$form | cmp - marks || fail "$form: other marks"
done
gzip -k vectors.text
judge --vectors vectors.text.gz | cmp - marks || fail "compressed: other marks"
judge --run run --threads 3 | cmp - marks || fail "three threads: other marks"
mpi 3 "$shardbert" eval --analogies questions --similarity pairs.tsv --log error --run run |
    cmp - marks || fail "three ranks: other marks"
judge --run run --restrict 300 >restricted
judge --vectors vectors.text --restrict 300 | cmp - restricted || fail "restricted: other marks"
! cmp -s restricted marks || fail "--restrict does nothing"
head -n 301 vectors.text | sed '1s/.*/300 32/' >first
judge --vectors first | cmp - restricted || fail "the first rows alone: other marks"
judge --run run --similarity pairs.tsv,pairs.tsv --similarity pairs.tsv | tail -n 3 | uniq -c |
    grep -q '^ *3 similarity pairs.tsv' || fail "a list of files is not gone through"

printf '3 2\nthe 1 2\nof 3 4\nto 4 5\n' >few
judge --vectors few | grep -qx 'similarity pairs.tsv  -  (0 of [0-9]* covered)' || fail "nothing covered"
judge --vectors few | grep -qx 'analogies  - %  (0 of [0-9]*; 0.0 % covered)' || fail "nothing covered"

# ---- bad files -----------------------------------------------------------------
head -c 3000 /dev/urandom >garbage
: >empty
ev() { "$shardbert" eval "$@"; }
expect 2 'neither --analogies nor --similarity, nor --mlm' ev --run run
expect 3 "'none'" ev --run run --analogies none
expect 3 "'none'" ev --run run --similarity pairs.tsv,none
expect 3 "'none'" ev --vectors none --analogies questions
expect 3 "'empty' holds no question" ev --run run --analogies empty
expect 3 "'empty' holds no pair" ev --run run --similarity empty
expect 3 "'empty' does not begin" ev --vectors empty --analogies questions
for bad in garbage vectors.binary run; do
    expect 3 "'$bad'" ev --run run --analogies $bad
    expect 3 "'$bad'" ev --run run --similarity $bad
done
expect 3 "'garbage' does not begin" ev --vectors garbage --analogies questions
expect 3 "'questions' does not begin" ev --vectors questions --analogies questions
head -c 50000 vectors.binary >cut.off
expect 3 "'cut.off' is cut off" ev --vectors cut.off --analogies questions
expect 3 "'cut.off' is cut off" mpi 2 "$shardbert" eval --vectors cut.off --analogies questions
hint 3 'word2vec' ev --run other --analogies questions
hint 3 'vocab' ev --run none --analogies questions

# ---- gensim --------------------------------------------------------------------
data=${SB_DATA:-/work/shared/data}/eval
if [ -d "$data" ]; then
    for f in questions-words.txt wordsim353.tsv simlex999.txt; do ln -s "$data/$f" .; done
    ev --run run --log error --analogies questions-words.txt --similarity wordsim353.tsv,simlex999.txt >/dev/null
else
    echo "questions-words.txt and its like: skipped, no $data"
fi
if ! /usr/bin/python3 -c 'import gensim' 2>/dev/null; then
    echo "eval and dump-text: ok; beside gensim: skipped, there is none"
    exit 0
fi
/usr/bin/python3 - >theirs 2>/dev/null <<'EOF'
from gensim.models import KeyedVectors
v = KeyedVectors.load_word2vec_format("vectors.binary", binary=True)
_, s = v.evaluate_word_analogies("questions", restrict_vocab=10**9)
print("%d of %d" % (len(s[-1]["correct"]), len(s[-1]["correct"] + s[-1]["incorrect"])))
print("%.3f" % v.evaluate_word_pairs("pairs.tsv", restrict_vocab=10**9)[1][0])
EOF
sed -n 's/^analogies .*(\(.*\);.*/\1/p; s/^similarity [^ ]* *\([^ ]*\) .*/\1/p' marks |
    cmp - theirs || fail "gensim: $(cat theirs), we: $(cat marks)"
echo "eval and dump-text: ok; gensim gives the same marks: $(paste -s -d' ' theirs)"
