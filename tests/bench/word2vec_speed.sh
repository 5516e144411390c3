#!/bin/bash
# SPDX-License-Identifier: MIT
# Our word2vec beside others on the same words: medians of words/s, and ours over the best of them. Programs take
# turns, so that what else the machine does hits all alike. Everybody trains on the whole corpus: choose a small one.
# word2vec_peers.sh says how to name the others, and what their figures hold.
# usage: tests/bench/word2vec_speed.sh CORPUS VOCAB [--repeat 3] [--dims "300 768"] [--threads "1 2"] [--epochs 1]
#            [--cbow 0] [--programs "ours word2vec ..."] [--text FILE] [--keep FILE]
# --text: the corpus as text, if it was dumped before. --keep: every single run is added to this file.
# The program is $SB_BUILD/shardbert (build-ci).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${SB_BUILD:-$here/../../build-ci}
[ $# -ge 2 ] || { sed -n '6,9s/^# //p' "$0" >&2; exit 2; }
corpus=$1 vocab=$2
shift 2
repeat=3 dims="300 768" threads="1 2" epochs=1 cbow=0 text='' keep=''
programs="ours word2vec pword2vec psgnscc gensim fasttext"
while [ $# -gt 0 ]; do
    case $1 in
    --repeat | --dims | --threads | --epochs | --cbow | --programs | --text | --keep) declare "${1#--}=$2" ;;
    *) echo "no such option: $1" >&2; exit 2 ;;
    esac
    shift 2
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
. "$here/word2vec_lib.sh"
wanted=$programs
[ "$cbow" = 0 ] || wanted=$(sed 's/pword2vec//; s/psgnscc//' <<<"$programs")
unset programs
find_programs "$wanted"
make_text

for ((round = 1; round <= repeat; round++)); do
    for dim in $dims; do
        for t in $threads; do
            for program in "${programs[@]}"; do
                line=$(train "$program" "$tmp/out" --dim "$dim" --threads "$t" --epochs "$epochs" --cbow "$cbow" \
                    --alpha 0.025 --subsample 1e-4 --window 5 --negative 5 --seed "$round") ||
                    { echo "$program, $dim dimensions, $t threads: failed" >&2; continue; }
                echo "$dim $t $line" | tee -a "$tmp/runs" ${keep:+"$keep"} >&2
            done
        done
    done
done

# runs: dim threads program seconds words words/s
sort -k1,1n -k2,2n -k3,3 -k6,6n "$tmp/runs" | awk '
    function close_program() { if (n) rate[what, who] = n % 2 ? r[(n + 1) / 2] : (r[n / 2] + r[n / 2 + 1]) / 2; n = 0 }
    $1 " " $2 != what || $3 != who { close_program(); what = $1 " " $2; who = $3
        if (!(what in seen)) { seen[what]; order[++k] = what }
        if (!(who in known)) { known[who]; if (who != "ours") other[++m] = who } }
    { r[++n] = $6 }
    END { close_program()
        printf "%5s %7s %10s", "dim", "threads", "ours"
        for (j = 1; j <= m; j++) printf " %10s", other[j]
        print "   ours / best other"
        for (i = 1; i <= k; i++) {
            split(order[i], key, " "); best = 0
            printf "%5d %7d %10.0f", key[1], key[2], rate[order[i], "ours"]
            for (j = 1; j <= m; j++) { x = rate[order[i], other[j]]; if (x > best) best = x; printf " %10.0f", x }
            if (best > 0) printf "   %.2f", rate[order[i], "ours"] / best
            print "" } }'
