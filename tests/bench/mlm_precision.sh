#!/bin/bash
# SPDX-License-Identifier: MIT
# The loss curve in bf16 beside fp32's: training runs from the same weights on the same batches, on the corpus and word
# vectors of a run folder of launch/quickstart. Prints the largest relative difference of the smoothed curves (means over
# 25 steps), of the single losses, and of the held-out losses at the end; and, for scale, the same of a second run in fp32
# that differs in the order of its sums alone (half as many slots).
# usage: tests/bench/mlm_precision.sh RUN [--steps 500] [--precision bf16|bf16-emulated] [--threads 2] [--OPTION VALUE ...]
# Without --precision: bf16 if this processor has it, else bf16-emulated. More options go to `shardbert mlm`. The program
# is $SB_BUILD/shardbert (build-ci). Takes minutes for each of the three runs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
shardbert=${SB_BUILD:-$here/../../build-ci}/shardbert
run=${1:-} steps=500 threads=2 precision='' more=()
[ -d "$run/corpus" ] && [ -d "$run/word2vec" ] || { sed -n '3,10s/^# //p' "$0" >&2; exit 2; }
shift
while [ $# -gt 0 ]; do
    case $1 in
    --steps | --precision | --threads) declare "${1#--}=$2" ;;
    *) more+=("$1" "$2") ;;
    esac
    shift 2
done
[ -n "$precision" ] || { precision=bf16; "$shardbert" --version | grep -q 'no bf16 here' && precision=bf16-emulated; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
. "$here/../lib.sh"
export LC_ALL=C

train() { # NAME OPTION...
    echo "$1" >&2
    SB_LIMIT=86400 mpi 1 "$shardbert" mlm --config "$here/../../launch/recipes/quickstart.conf" --run "$tmp/$1" \
        --corpus "$run/corpus" --vocab "$run/vocab/vocab.txt" --init "$run/word2vec" --threads "$threads" \
        --steps "$steps" --checkpoint-every 0 --eval-every 0 --log error "${more[@]}" "${@:2}" >/dev/null
    sed -n 's/.*"loss":\([^,}]*\).*/\1/p' "$tmp/$1/mlm/metrics.jsonl" >"$tmp/$1.losses"
    sed -n 's/.*"heldout_loss":\([^,}]*\).*/\1/p' "$tmp/$1/mlm/metrics.jsonl" | tail -1 >"$tmp/$1.heldout"
}
compare() { # NAME: beside fp32
    paste -d ' ' "$tmp/fp32.losses" "$tmp/$1.losses" "$tmp/fp32.heldout" "$tmp/$1.heldout" | awk -v name="$1" '
        function apart(a, b) { return a > b ? (a - b) / a : (b - a) / a }
        NF < 2 { print name ": runs of different lengths"; exit 1 }
        { a += $1; b += $2; x[NR] = $1; y[NR] = $2
          if (NR > 25) { a -= x[NR - 25]; b -= y[NR - 25] }
          if (apart($1, $2) > one) one = apart($1, $2)
          if (NR >= 25 && apart(a, b) > most) { most = apart(a, b); at = NR } }
        NR == 1 { held = (($4 - $3) / $3) }
        END { printf "%s: smoothed loss at most %.3f %% from fp32 (step %d of %d), single ones %.3f %%, held-out %+.3f %%; at the end %.4f, fp32 %.4f\n",
                name, 100 * most, at, NR, 100 * one, 100 * held, b / 25, a / 25 }'
}
train fp32
train "$precision" --precision "$precision"
train fp32-other-order --slots 8
compare "$precision"
compare fp32-other-order
