#!/bin/bash
# SPDX-License-Identifier: MIT
# Disk full, and an I/O error, at every call that changes a file while a phase
# runs: one message that names file and reason, exit code 3, the checkpoints
# that stood still stand, and the same command again gives the bits of a run
# that nobody disturbed. Then the same on small disks, which fill up anywhere.
# Without SB_LONG, at some calls by chance.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
. "$SB_SOURCE/tests/fault/runs.bash"
own_folder
[ -e "$SB_BUILD/tests/fault_fail_calls.so" ] || { echo "no fault_fail_calls: a build with sanitizers"; exit 77; }
seed=${SB_SEED:-$(date +%s%N)}
RANDOM=$seed
echo "SB_SEED=$seed"
tiny_text
tiny_options

# before-NAME: what a phase starts from; after-NAME-NP: its state in the end;
# known-NAME-NP: "ckpt-N hash", every checkpoint on the way; calls[NAME-NP]:
# how many may fail in the last rank
declare -A calls
undisturbed() { # NAME NP
    rm -rf run
    cp -r "before-$1" run
    command_of "$1" "$tmp/run" "$2"
    case $1 in word2vec | mlm) command+=(--keep 0) ;; esac
    faulty "$2" write:999999999 "${command[@]}"
    [ "$code" = 0 ] || fail "$1, $2 ranks: exit $code without a fault: $said"
    calls[$1-$2]=${met#of }
    state run "$1" >"after-$1-$2"
    hashes "run/$1" >"known-$1-$2"
}
mkdir before-vocab
for name in vocab ingest word2vec mlm; do
    [ $name = vocab ] || cp -r run "before-$name"
    rm -f "before-$name"/*.used
    undisturbed $name 2
    undisturbed $name 1
done

# The checkpoints in run/NAME are those of the undisturbed run, and the one
# before the one that could not be written is among them.
checkpoints_stand() { # NAME NP
    local failed before
    hashes "run/$1" >these
    if grep -vxFf "known-$1-$2" these; then fail "$1, $2 ranks: another checkpoint"; fi
    failed=$(grep -o 'ckpt-[0-9]\{9\}' <<<"$met" | head -1) || return 0
    before=$(LC_ALL=C awk -v f="$failed" '$1 < f {b = $1} END {print b}' "known-$1-$2")
    [ -z "$before" ] || grep -q "^$before " these || fail "$1, $2 ranks: $before is gone, $failed failed"
}

# refused NAME NP: what `faulty` did is well refused
refused() {
    local errors
    errors=$(grep -ac '^shardbert: error: ' <<<"$said") || true
    # An old checkpoint too many is worth a warning only.
    if [[ $met == *ckpt-old-* ]] && [ "$code" = 0 ]; then
        grep -aq 'warning: an old checkpoint stays' <<<"$said" || fail "$1, $2 ranks: $met, no warning: $said"
        return 0
    fi
    [ "$code" = 3 ] || fail "$1, $2 ranks: $met: exit $code, not 3: $said"
    [ "$errors" = 1 ] || fail "$1, $2 ranks: $met: $errors messages: $said"
    grep -aq "^shardbert: error: .*$tmp/run.*\(No space left\|Input/output error\|disk full\)" <<<"$said" ||
        fail "$1, $2 ranks: $met: the message does not say what: $said"
}

# again NAME NP: goes on to the same end, and leaves nothing behind
again() {
    command_of "$1" "$tmp/run" "$2"
    expect 0 '' mpi "$2" "$shardbert" "${command[@]}"
    state run "$1" >this
    cmp -s "after-$1-$2" this || fail "$1, $2 ranks, $met: not the same: $(diff "after-$1-$2" this)"
    no_debris run
}

# one NAME NP FAULT; false if it was not met
one() {
    rm -rf run
    cp -r "before-$1" run
    command_of "$1" "$tmp/run" "$2"
    faulty "$2" "write:$3" "${command[@]}"
    if [[ $met == "of "* ]]; then
        [ "$code" = 0 ] || fail "$1, $2 ranks: exit $code without a fault: $said"
        return 1
    fi
    refused "$1" "$2"
    checkpoints_stand "$1" "$2"
    again "$1" "$2"
}

# each NAME NP CALL...: these calls fail
each() {
    local name=$1 np=$2 n kind met_n=0 tried=0
    for n in "${@:3}"; do
        for kind in :EIO +:ENOSPC; do
            tried=$((tried + 1))
            if one "$name" "$np" "$n$kind"; then met_n=$((met_n + 1)); fi
        done
    done
    echo "$name, $np ranks: $met_n of $tried faults met, well refused"
}
for name in vocab ingest word2vec mlm; do
    for np in 1 2; do
        all=${calls[$name-$np]}
        [ "$all" -gt 0 ] || fail "$name: nothing is written by rank $((np - 1))"
        if [ -n "${SB_LONG:-}" ]; then
            # shellcheck disable=SC2046
            each $name $np $(seq "$all")
        elif [ $((RANDOM % 2)) = 0 ]; then
            each $name $np $((1 + RANDOM % all))
        fi
    done
done
