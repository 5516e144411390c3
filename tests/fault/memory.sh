#!/bin/bash
# SPDX-License-Identifier: MIT
# No memory at every place that asks for some, while each subcommand runs: one
# message, exit code 4, no hang, alone and in the last of two ranks. What a
# phase left lets the same command go on to the bits of a run that nobody
# disturbed. Without SB_LONG, at some places by chance.
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
printf ': few\nthe of to a\nof the a to\n' >questions
mkdir before-vocab

# Subcommands that only read, and their options but --run
declare -A reads=(
    [fill]="fill|the [MASK] of" [neighbours]="neighbours|the" [eval]="eval|--analogies|$tmp/questions"
    [checkpoint]="inspect|--hash" [corpus]="inspect|run/corpus" [text]="inspect|--dump-text"
    [encode]="encode" [show-batch]="show-batch|--max-length|32|--batch|4"
)
