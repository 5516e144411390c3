#!/bin/bash
# SPDX-License-Identifier: MIT
# How good our vectors are beside others', each at its own best learning rate: every rate of a program's list once,
# then more seeds at the one with most analogies right. A result is a line of RESULTS
#     program alpha seed analogies similarity words_per_s
# and is not computed again, so a run that was stopped goes on; other settings need another file of results.
# word2vec_peers.sh says how to name the others. Those without a seed differ by their threads' races only.
# usage: tests/bench/word2vec_quality.sh CORPUS VOCAB [--results FILE] [--alphas "0.025 0.05"] [--seeds "1 2 3"]
#            [--dim 300] [--threads 2] [--epochs 1] [--cbow 0] [--programs "ours word2vec ..."] [--text FILE]
#            [--analogies FILE] [--similarity FILE] [--alphas-PROGRAM "0.025 0.05 0.1"]
# The files to judge by come from ../shared (or $SB_SHARED); the program is $SB_BUILD/shardbert (build-ci).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${SB_BUILD:-$here/../../build-ci}
[ $# -ge 2 ] || { sed -n '8,11s/^# //p' "$0" >&2; exit 2; }
corpus=$1 vocab=$2
shift 2
eval_files=${SB_SHARED:-$here/../../../shared}/data/eval
analogies=$eval_files/questions-words.txt similarity=$eval_files/wordsim353.tsv
results=word2vec_quality.tsv alphas="0.025 0.05" seeds="1 2 3" dim=300 threads=2 epochs=1 cbow=0 text=''
wanted="ours word2vec pword2vec psgnscc gensim fasttext"
declare -A alphas_of=([pword2vec]="0.025 0.05 0.1" [psgnscc]="0.025 0.05 0.1")
while [ $# -gt 0 ]; do
    case $1 in
    --results | --seeds | --dim | --threads | --epochs | --cbow | --text | --analogies | --similarity)
        declare "${1#--}=$2" ;;
    --alphas) alphas=$2 ;;
    --programs) wanted=$2 ;;
    --alphas-*) alphas_of[${1#--alphas-}]=$2 ;;
    *) echo "no such option: $1" >&2; exit 2 ;;
    esac
    shift 2
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
. "$here/word2vec_lib.sh"
[ "$cbow" = 0 ] || wanted=$(sed 's/pword2vec//; s/psgnscc//' <<<"$wanted")
find_programs "$wanted"
touch "$results"

# judge PROGRAM OUT: "analogies similarity"
judge() {
    local vectors=(--vectors "$2")
    [ "$1" != ours ] || vectors=(--run "$2" --vocab "$vocab")
    shardbert eval "${vectors[@]}" --analogies "$analogies" --similarity "$similarity" --threads "$threads" \
        --log error >"$tmp/eval"
    awk '$1 == "analogies" { a = $2 } $1 == "similarity" { s = $3 }
         END { if (a == "" || s == "") exit 1; print a, s }' "$tmp/eval"
}

# one PROGRAM ALPHA SEED: a line of results, unless it is there
one() {
    local line judged
    ! awk -v p="$1" -v a="$2" -v s="$3" '$1 == p && $2 == a && $3 == s { found = 1 } END { exit !found }' "$results" ||
        return 0
    [ -e "$tmp/text" ] || make_text
    line=$(train "$1" "$tmp/out" --alpha "$2" --seed "$3" --dim "$dim" --threads "$threads" --epochs "$epochs" \
        --cbow "$cbow" --subsample 1e-4 --window 5 --negative 5) &&
        judged=$(judge "$1" "$tmp/out") || { echo "$1, alpha $2, seed $3: failed" >&2; return 0; }
    printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "${judged% *}" "${judged#* }" "${line##* }" |
        tee -a "$results" >&2
}

# best PROGRAM: the rate with most analogies right, at the first seed
best() {
    awk -v p="$1" -v s="${seeds%% *}" '$1 == p && $3 == s && (a == "" || $4 > most) { most = $4; a = $2 }
        END { print a }' "$results"
}

for program in "${programs[@]}"; do
    for alpha in ${alphas_of[$program]:-$alphas}; do one "$program" "$alpha" "${seeds%% *}"; done
done
for seed in $seeds; do
    for program in "${programs[@]}"; do
        alpha=$(best "$program")
        [ -z "$alpha" ] || one "$program" "$alpha" "$seed"
    done
done

printf '%-10s %6s %4s %18s %18s %12s\n' program alpha runs 'analogies, %' similarity words/s
for program in "${programs[@]}"; do
    awk -v p="$program" -v a="$(best "$program")" -v seeds="$seeds" '
        function spread(sum, squares) {
            squares -= sum * sum / n
            if (n < 2 || squares < 0) return 0
            return sqrt(squares / (n - 1)) }
        index(" " seeds " ", " " $3 " ") && $1 == p && $2 == a {
            n++; x += $4; xx += $4 * $4; y += $5; yy += $5 * $5; w += $6 }
        END { if (n) printf "%-10s %6s %4d %10.1f +- %4.1f %9.3f +- %5.3f %12.0f\n", p, a, n, x / n, spread(x, xx),
                            y / n, spread(y, yy), w / n }' "$results"
done
