#!/bin/bash
# SPDX-License-Identifier: MIT
# Unit and MPI tests under AddressSanitizer and UBSan. Open MPI keeps memory
# to its end, so leaks are looked for in the unit tests only.
set -eu
cd "$SB_SOURCE"
dir=$SB_BUILD/asan
cmake -S . -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSB_WERROR=ON \
    -DSB_SANITIZE=address,undefined >/dev/null
cmake --build "$dir"
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
ctest --test-dir "$dir" -L unit --output-on-failure -j 2
export ASAN_OPTIONS=detect_leaks=0
ctest --test-dir "$dir" -L mpi -R 'np[23]$' --output-on-failure
