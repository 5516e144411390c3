#!/bin/bash
# SPDX-License-Identifier: MIT
# Everything compiles with clang too, warnings as errors, and the unit tests
# of the kernels hold with its code.
set -eu
cd "$SB_SOURCE"
dir=$SB_BUILD/clang
cmake -S . -B "$dir" -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Release \
    -DSB_WERROR=ON >/dev/null
cmake --build "$dir"
ctest --test-dir "$dir" -L unit --output-on-failure -j 2
