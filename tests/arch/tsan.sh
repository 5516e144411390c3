#!/bin/bash
# SPDX-License-Identifier: MIT
# The threaded parts under ThreadSanitizer. word2vec's deliberate race is marked
# where it is, in trainer/word2vec/hogwild.c.
set -eu
cd "$SB_SOURCE"
dir=$SB_BUILD/tsan
cmake -S . -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSB_WERROR=ON \
    -DSB_SANITIZE=thread >/dev/null
threaded="pool tree model hogwild stream"
# shellcheck disable=SC2046,SC2086
cmake --build "$dir" --target shardbert mpi_saver $(printf 'unit_%s ' $threaded)
for t in $threaded; do
    TSAN_OPTIONS=halt_on_error=1 "$dir/tests/unit_$t"
done

. tests/lib.sh
export TSAN_OPTIONS="exitcode=66 ignore_noninstrumented_modules=1" # MPI itself is not compiled for this
mpi 2 "$dir/tests/mpi_saver"

# word2vec with threads, with memory that ranks share, and with exchanges beside
# training; judged on the way.
own_folder
small_run "$SB_BUILD/shardbert" base 600
printf ': few\nthe of to a\nof the a to\n' >questions
word2vec() { # NP OPTION...
    rm -rf base/word2vec
    mpi "$1" "$dir/shardbert" word2vec --run base \
        --dim 16 --epochs 20 --log error --evaluations 3 --analogies questions --checkpoint-minutes 0.0001 "${@:2}"
}
word2vec 1 --threads 2
word2vec 2 --threads 2
word2vec 2 --threads 2 --ranks-per-replica 1 --sync-words 500
