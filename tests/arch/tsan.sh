#!/bin/bash
# SPDX-License-Identifier: MIT
# The threaded parts under ThreadSanitizer; with SB_LONG all unit and MPI tests,
# and the threads of every phase. word2vec's deliberate race is marked where it
# is, in trainer/word2vec/hogwild.c. MPI itself is not compiled for this.
set -eu
cd "$SB_SOURCE"
dir=$SB_BUILD/tsan
cmake -S . -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSB_WERROR=ON \
    -DSB_SANITIZE=thread >/dev/null
beside_mpi="exitcode=66 ignore_noninstrumented_modules=1"
if [ -z "${SB_LONG:-}" ]; then
    threaded="pool tree model hogwild stream"
    # shellcheck disable=SC2046,SC2086
    cmake --build "$dir" --target shardbert $(printf 'unit_%s ' $threaded)
    for t in $threaded; do
        TSAN_OPTIONS=halt_on_error=1 "$dir/tests/unit_$t"
    done
else
    cmake --build "$dir"
    TSAN_OPTIONS="$beside_mpi" ctest --test-dir "$dir" -L 'unit|mpi' -R 'unit|np[12]$' --output-on-failure
fi

. tests/lib.sh
own_folder
small_run "$SB_BUILD/shardbert" base 600
export TSAN_OPTIONS="$beside_mpi"

# With threads, with memory that ranks share, and with exchanges beside
# training; judged on the way.
printf ': few\nthe of to a\nof the a to\n' >questions
word2vec() { # NP OPTION...
    rm -rf base/word2vec
    mpi "$1" "$dir/shardbert" word2vec --run base --dim 16 --epochs 20 --log error \
        --evaluations 3 --analogies questions --checkpoint-minutes 0.0001 "${@:2}"
}
word2vec 1 --threads 2
word2vec 2 --threads 2
word2vec 2 --threads 2 --ranks-per-replica 1 --sync-words 500
[ -n "${SB_LONG:-}" ] || exit 0

# A thread that unpacks, one that computes beside messages, one that saves.
small_text | xz >text.xz
small_text | bzip2 >text.bz2
packed=(--source "text:$tmp/text.xz" --source "text:$tmp/text.bz2" --log error)
mpi 2 "$dir/shardbert" vocab --run new "${packed[@]}" --vocab-size 600
mpi 2 "$dir/shardbert" ingest --run new "${packed[@]}" --held-out 0.1 --block-tokens 1024
for np in 1 2; do
    rm -rf base/mlm
    mpi $np "$dir/shardbert" mlm --run base --threads 3 --dim 32 --layers 2 --heads 2 --ffn 64 --positions 64 \
        --max-length 48 --batch 8 --slots 4 --vocab-block 100 --steps 6 --checkpoint-every 2 --log error
done
