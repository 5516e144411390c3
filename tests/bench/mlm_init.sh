#!/bin/bash
# SPDX-License-Identifier: MIT
# Where the token rows of phase 2 should come from: the held-out loss after equal steps, over seeds, of rows from
# word2vec scaled to a deviation of 0.02, as they are, scaled and frozen, and of random rows; each with the output bias
# at log unigram probability and at zero. A result is a line of RESULTS
#     rows bias seed heldout_loss
# and is not computed again, so a run that was stopped goes on; other settings need another file of results.
# usage: tests/bench/mlm_init.sh RUN [--results FILE] [--seeds "1 2 3"] [--steps 1500] [--ranks 2] [--config FILE]
#            [--rows "scaled raw frozen random"] [--bias "unigram zero"] [--mlm "--OPTION VALUE ..."]
# RUN has a vocabulary, a corpus and word2vec, as launch/quickstart makes them; word2vec is the same for all seeds.
# --config: the recipe (quickstart's). --mlm: more options of phase 2. The program is $SB_BUILD/shardbert (build-ci).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${SB_BUILD:-$here/../../build-ci}
[ $# -ge 1 ] || { sed -n '8,11s/^# //p' "$0" >&2; exit 2; }
run=$1
shift
results=mlm_init.tsv seeds="1 2 3" steps=1500 ranks=2 config=$here/../../launch/recipes/quickstart.conf
rows="scaled raw frozen random" bias="unigram zero" mlm=''
while [ $# -gt 0 ]; do
    case $1 in
    --results | --seeds | --steps | --ranks | --config | --rows | --bias | --mlm) declare "${1#--}=$2" ;;
    *) echo "no such option: $1" >&2; exit 2 ;;
    esac
    shift 2
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
. "$here/../lib.sh"
export LC_ALL=C
touch "$results"

# options ROWS BIAS: what makes the variant, into the array variant
options() {
    case $1 in
    scaled) variant=(--init "$run/word2vec" --init-scale 0.02) ;;
    raw) variant=(--init "$run/word2vec" --init-scale 0) ;;
    frozen) variant=(--init "$run/word2vec" --init-scale 0.02 --freeze-table) ;;
    random) variant=(--init none) ;;
    *) echo "no such rows: $1" >&2; exit 2 ;;
    esac
    case $2 in
    unigram) variant+=(--unigram-bias=true) ;;
    zero) variant+=(--unigram-bias=false) ;;
    *) echo "no such bias: $2" >&2; exit 2 ;;
    esac
}

# one ROWS BIAS SEED: a line of results, unless it is there
one() {
    local loss
    ! awk -v r="$1" -v b="$2" -v s="$3" '$1 == r && $2 == b && $3 == s { found = 1 } END { exit !found }' "$results" ||
        return 0
    options "$1" "$2"
    rm -rf "$tmp/run"
    # shellcheck disable=SC2086
    SB_LIMIT=0 mpi "$ranks" "$build/shardbert" mlm --config "$config" --run "$tmp/run" --vocab "$run/vocab/vocab.txt" \
        --corpus "$run/corpus" "${variant[@]}" --seed "$3" --steps "$steps" --eval-every 0 --checkpoint-every 0 \
        --log error $mlm >"$tmp/log" 2>&1 || { grep -a '^shardbert: ' "$tmp/log" >&2; return 1; }
    loss=$(sed -n 's/.*"heldout_loss":\([^,}]*\).*/\1/p' "$tmp/run/mlm/metrics.jsonl" | tail -n 1)
    printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$loss" | tee -a "$results" >&2
}

for seed in $seeds; do
    for b in $bias; do
        for r in $rows; do one "$r" "$b" "$seed"; done
    done
done

printf '%-8s %-8s %5s  %s\n' rows bias seeds "held-out loss after $steps steps"
for b in $bias; do
    for r in $rows; do
        awk -v r="$r" -v b="$b" -v seeds="$seeds" '
            index(" " seeds " ", " " $3 " ") && $1 == r && $2 == b { n++; x += $4; xx += $4 * $4 }
            END { if (n) { d = n > 1 ? (xx - x * x / n) / (n - 1) : 0
                           printf "%-8s %-8s %5d  %8.4f +- %.4f\n", r, b, n, x / n, sqrt(d > 0 ? d : 0) } }' "$results"
    done
done
