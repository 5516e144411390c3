#!/bin/bash
# SPDX-License-Identifier: MIT
# Unit and MPI tests under AddressSanitizer and UBSan; with SB_LONG all tests,
# the scripts too, and then leaks are looked for everywhere, but for those that
# lsan.supp names. (To look through Open MPI's frames for them is slow.)
set -eu
cd "$SB_SOURCE"
dir=$SB_BUILD/asan
cmake -S . -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSB_WERROR=ON \
    -DSB_SANITIZE=address,undefined >/dev/null
cmake --build "$dir"
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
null=allocator_may_return_null=1 # a refused allocation is a case that is tested
if [ -n "${SB_LONG:-}" ]; then
    export LSAN_OPTIONS=suppressions=$PWD/tests/arch/lsan.supp:print_suppressions=0
    ASAN_OPTIONS=$null:fast_unwind_on_malloc=0 env -u SB_LONG ctest --test-dir "$dir" -LE 'arch|fuzz' \
        --output-on-failure -j 2
    exit
fi
ASAN_OPTIONS=$null ctest --test-dir "$dir" -L unit -E metrics --output-on-failure -j 2
ASAN_OPTIONS=$null:detect_leaks=0 ctest --test-dir "$dir" -L 'unit|mpi' \
    -R 'metrics|np[23]$' --output-on-failure
