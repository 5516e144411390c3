#!/bin/bash
# SPDX-License-Identifier: MIT
# No memory at every place that asks for some, while each subcommand runs, alone
# and in the last of two ranks: one message, exit code 4, no hang; the
# checkpoints that stood still stand, and the same command again gives the bits
# of a run that nobody disturbed. unit.no_memory does it for each allocation of
# parts. Without SB_LONG, at a few places by chance. SB_PHASES="mlm": of the
# phases that one only.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder
. "$SB_SOURCE/tests/fault/runs.bash"
undisturbed site
rm -rf whole
cp -r run whole
cp -r before-mlm begun
command_of mlm "$tmp/begun" 1
"$shardbert" "${command[@]}" --stop-at 2 >/dev/null
printf ': few\nthe of to a\nof the a to\n' >questions

# place NP N SUBCOMMAND...: no memory at its N-th place; false if there is none
place() {
    faulty "$1" "site:$2" "${@:3}"
    if [[ $met == "of "* ]]; then
        [ "$code" = 0 ] || fail "$where: exit $code without a fault: $said"
        return 1
    fi
    warned || one_message 4 '\(out of memory\|Cannot allocate\|cannot start\)'
}

# phase NP N NAME FROM: a phase that begins with a copy of FROM
phase() {
    rm -rf run
    cp -r "$4" run
    command_of "$3" "$tmp/run" "$1"
    place "$1" "$2" "${command[@]}" || return 1
    [ $(($2 % 5)) = 0 ] || return 0
    checkpoints_stand run "$3" "$1"
    again run "$3" "$1"
}

# places MOST FUNCTION ...: FUNCTION NP N ..., at all places, or at one of MOST
places() {
    local np n
    for np in 1 2; do
        n=0
        if [ -z "${SB_LONG:-}" ]; then
            [ $((RANDOM % 3)) = 0 ] || continue
            if "$2" $np $((1 + RANDOM % $1)) "${@:3}"; then n=1; fi
        else
            while "$2" $np $((n + 1)) "${@:3}"; do n=$((n + 1)); done
        fi
        echo "${*:3}, $np ranks: no memory at $n places, well refused"
    done
}

for name in ${SB_PHASES:-"${phases[@]}"}; do places "${calls[$name-1]}" phase "$name" "before-$name"; done
places "${calls[mlm-1]}" phase mlm begun
places 30 place inspect --log warn --hash whole/mlm
places 30 place inspect --log warn whole/mlm whole/corpus
places 30 place inspect --log warn --run whole --dump-text
places 50 place fill --log warn --run whole 'the [MASK] of'
places 50 place neighbours --log warn --run whole the
places 50 place eval --log warn --run whole --analogies questions
places 30 place show-batch --log warn --run whole --max-length 32 --batch 4
places 20 place encode --log warn --run whole
