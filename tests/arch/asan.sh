#!/bin/bash
# SPDX-License-Identifier: MIT
# Unit and MPI tests under AddressSanitizer and UBSan. Open MPI keeps memory
# to its end, so leaks are looked for where it is not started.
set -eu
cd "$SB_SOURCE"
dir=$SB_BUILD/asan
cmake -S . -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSB_WERROR=ON \
    -DSB_SANITIZE=address,undefined >/dev/null
cmake --build "$dir"
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
null=allocator_may_return_null=1 # a refused allocation is a case that is tested
ASAN_OPTIONS=$null ctest --test-dir "$dir" -L unit -E metrics --output-on-failure -j 2
ASAN_OPTIONS=$null:detect_leaks=0 ctest --test-dir "$dir" -L 'unit|mpi' \
    -R 'metrics|np[23]$' --output-on-failure
