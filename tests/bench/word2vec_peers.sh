#!/bin/bash
# SPDX-License-Identifier: MIT
# Other word2vec trainers behind one command line, for the benches beside ours.
# usage: tests/bench/word2vec_peers.sh list
#        tests/bench/word2vec_peers.sh run NAME TEXT OUT [--dim D] [--epochs E] [--alpha A] [--threads T]
#            [--seed S] [--cbow 0|1] [--subsample X] [--window W] [--negative N]
# NAME is word2vec, pword2vec, psgnscc, gensim or fasttext; `list` prints those that are here. The first three are
# programs named by SB_PEER_WORD2VEC, SB_PEER_PWORD2VEC and SB_PEER_PSGNSCC; gensim is asked of SB_PYTHON
# (/usr/bin/python3), fasttext is looked up in PATH. What is not here, or cannot do CBOW, is skipped: exit code 77.
# TEXT has a sentence a line, tokens between blanks, no empty lines. All tokens are kept (a min-count of 1).
# OUT gets the input vectors, in word2vec's binary format (fasttext: its text format).
# Printed: NAME, seconds of training, words, words/s. Words are the tokens of TEXT times the epochs, line ends not
# counted. Seconds are of the wall, without building the vocabulary and without writing the vectors.
#
# What they do differently:
# - word2vec, pword2vec and psgnscc have no seed: with one thread runs are equal, with two they differ by races.
# - word2vec, gensim and fasttext read the text again in each epoch, which is in their seconds; pword2vec and psgnscc
#   turn it into ids before, which is not. (Ours reads ids; making a corpus is not in its seconds either.)
# - word2vec and pword2vec cut sentences at 1000 words after subsampling, gensim at 10000, fasttext at 1024 before it;
#   psgnscc cuts its text into blocks of 500,000 words, not sentences.
# - A line end is the word </s>. It has a row in OUT, but only fasttext trains it.
# - fasttext's noise is the counts' square root, not their power 0.75.
set -euo pipefail
export LC_ALL=C OPENBLAS_NUM_THREADS=1
here=$(cd "$(dirname "$0")" && pwd)
word2vec=${SB_PEER_WORD2VEC:-} pword2vec=${SB_PEER_PWORD2VEC:-} psgnscc=${SB_PEER_PSGNSCC:-}
python=${SB_PYTHON:-/usr/bin/python3}

present() {
    case $1 in
    word2vec | pword2vec | psgnscc) [ -x "$(command -v "${!1:-none}")" ] ;;
    gensim) "$python" -c 'import gensim' 2>/dev/null ;;
    fasttext) command -v fasttext >/dev/null ;;
    *) return 1 ;;
    esac
}

skip() {
    echo "$1: skipped, $2" >&2
    exit 77
}

# stamped: what a program writes over and over on one line, a line each, behind the time it came
stamped() {
    local line came=$EPOCHREALTIME
    while IFS= read -r -d $'\r' line; do
        printf '%s %s\n' "$came" "$line"
        came=$EPOCHREALTIME
    done
    printf '%s %s\n' "$came" "$line"
}

# last NAME: the number behind the last NAME in the log
last() { tr '\r' '\n' <log | sed -n "s|.*$1 *\([0-9.]*\).*|\1|p" | tail -n 1; }

# Paths are short, in a folder of our own: the C programs keep them in 100 bytes.
c_style() {
    "$@" -train text -output out -size "$dim" -iter "$epochs" -alpha "$alpha" -threads "$threads" \
        -sample "$subsample" -window "$window" -negative "$negative" -min-count 1 -binary 1
}

# It tells the processor's time only. So: from its first line of progress to its last, by our clock, made whole.
run_word2vec() {
    c_style "$word2vec" -cbow "$cbow" -hs 0 | stamped >log
    sed -n 's/^\([0-9.]*\) .*Progress: *\([0-9.]*\)%.*/\1 \2/p' log | awk '
        NR == 1 { t = $1; p = $2 }
        END { if ($2 > p) printf "%.3f", ($1 - t) * 100 / ($2 - p) }'
}

# Its rate is by the wall, over its words so far; they include line ends.
run_pword2vec() {
    c_style "$pword2vec" -batch-size $((2 * window + 1)) >log
    awk -v rate="$(last Words/sec:)" -v n="$(last 'Words in train file:')" -v e="$epochs" \
        'BEGIN { if (rate > 0) printf "%.3f", n * e / (rate * 1000) }'
}

# The lines it prints are wrong within a block, but it leaves its seconds in a file.
run_psgnscc() {
    c_style "$psgnscc" -batch-size $((2 * window + 1)) >log
    sed -n 's/^Elapsed \([0-9.]*\) .*/\1/p' pSGNScc_time
}

run_gensim() {
    "$python" "$here/word2vec_gensim.py" text out "$dim" "$epochs" "$alpha" "$threads" "$seed" "$cbow" \
        "$subsample" "$window" "$negative" 2>log
}

# No pieces of words, so no buckets. Its rate is by the wall, from the start of its threads; line ends are words.
run_fasttext() {
    local model=skipgram
    [ "$cbow" = 0 ] || model=cbow
    fasttext $model -input text -output out -dim "$dim" -epoch "$epochs" -lr "$alpha" -thread "$threads" \
        -seed "$seed" -t "$subsample" -ws "$window" -neg "$negative" -minCount 1 -minn 0 -maxn 0 -bucket 1 \
        -loss ns >log 2>&1
    mv out.vec out
    awk -v rate="$(last words/sec/thread:)" -v n=$((words + lines)) -v e="$epochs" -v t="$threads" \
        'BEGIN { if (rate > 0) printf "%.3f", n * e / (rate * t) }'
}

case ${1:-} in
list)
    for name in word2vec pword2vec psgnscc gensim fasttext; do
        if present $name; then echo $name; fi
    done
    exit
    ;;
run) [ $# -ge 4 ] ;;
*) false ;;
esac || { sed -n '4,6s/^# //p' "$0" >&2; exit 2; }

name=$2 text=$(realpath "$3") out=$(realpath "$4")
dim=300 epochs=1 alpha=0.025 threads=1 seed=1 cbow=0 subsample=1e-4 window=5 negative=5
shift 4
while [ $# -gt 0 ]; do
    case $1 in
    --dim | --epochs | --alpha | --threads | --seed | --cbow | --subsample | --window | --negative)
        declare "${1#--}=$2" ;;
    *) echo "no such option: $1" >&2; exit 2 ;;
    esac
    shift 2
done
present "$name" || skip "$name" "it is not here (${0##*/} says how to name it)"
case $name:$cbow in pword2vec:1 | psgnscc:1) skip "$name" "it has no CBOW" ;; esac

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
ln -s "$text" text
read -r words lines < <(awk '{ n += NF } END { printf "%d %d\n", n, NR }' text)
seconds=$(run_"$name") || { tail -n 5 log >&2; echo "$name: failed" >&2; exit 1; }
[ -n "$seconds" ] || { echo "$name: cannot tell its time, the text may be too short" >&2; exit 1; }
mv out "$out"
awk -v name="$name" -v s="$seconds" -v n=$((words * epochs)) 'BEGIN { printf "%s %.2f %d %.0f\n", name, s, n, n / s }'
