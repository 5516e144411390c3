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
# shellcheck disable=SC2086
cmake --build "$dir" --target $(printf 'unit_%s ' $threaded)
for t in $threaded; do
    TSAN_OPTIONS=halt_on_error=1 "$dir/tests/unit_$t"
done
