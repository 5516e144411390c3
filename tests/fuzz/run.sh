#!/bin/bash
# SPDX-License-Identifier: MIT
# Every fuzz target for 10 seconds (with SB_LONG: 60), two at a time, with
# AddressSanitizer and UBSan: no crash, no leak, no input that takes 10 s or
# 2 GiB. SB_FUZZ_SECONDS, SB_FUZZ_TARGETS="json vocab" choose otherwise. What
# a target fails on stays in $SB_BUILD/fuzz/found.
set -eu
cd "$SB_SOURCE"
dir=$SB_BUILD/fuzz
if ! clang -fsanitize=fuzzer -x c -o /dev/null - 2>/dev/null <<<'int LLVMFuzzerTestOneInput(const char *p, unsigned long n) { return p && n > 9; }'; then
    echo "skipped: clang has no libFuzzer (Debian: libclang-rt-14-dev)"
    exit 77
fi
. tests/fuzz/seeds.bash
cmake -S . -B "$dir" -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSB_WERROR=ON \
    -DSB_FUZZ=ON -DSB_SANITIZE=address,undefined >/dev/null
cmake --build "$dir"
bin=$dir/tests/fuzz

seconds=${SB_FUZZ_SECONDS:-10}
[ -z "${SB_LONG:-}" ] || seconds=${SB_FUZZ_SECONDS:-60}
memory=/dev/shm
[ -w $memory ] || memory=${TMPDIR:-/tmp}
TMPDIR=$(mktemp -d "$memory/sb-fuzz-XXXXXX")
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
mapfile -t names < <(sed -n 's/^ *[A-Z]*("\([a-z0-9-]*\)".*/\1/p' launch/options.c)
make_seeds "$TMPDIR/seeds" "$bin/fuzz_seeds"
rm -rf "$dir/found"
mkdir -p "$dir/found"

# Open MPI is linked, not started. A large quarantine only costs memory.
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 ASAN_OPTIONS=quarantine_size_mb=16

# The longest input, where 4096 is not it
declare -A longest=([unpack]=16384 [checkpoint]=16384 [wikitext]=16384)

fuzz() { # TARGET
    local new=$TMPDIR/$1 dict=()
    mkdir -p "$new" "$TMPDIR/seeds/$1"
    [ ! -e "$TMPDIR/seeds/$1.dict" ] || dict=("-dict=$TMPDIR/seeds/$1.dict")
    if ! "$bin/fuzz_$1" "$new" "$TMPDIR/seeds/$1" "${dict[@]}" -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=2048 -max_len="${longest[$1]:-4096}" -print_final_stats=1 \
        -artifact_prefix="$dir/found/$1-" >"$TMPDIR/$1.log" 2>&1; then
        tail -n 60 "$TMPDIR/$1.log"
        echo "FAILED: $1; the input: $(find "$dir/found" -name "$1-*")"
        return 1
    fi
    awk -v t="$1" '/cov: /{c=$4} /number_of_executed/{n=$2} /peak_rss/{m=$2} END {
        printf "%-11s %9d inputs, %5d edges, %4d MB\n", t, n, c, m}' "$TMPDIR/$1.log"
}


targets=${SB_FUZZ_TARGETS:-$(find tests/fuzz -name '*.c' ! -name seeds.c -printf '%f\n' | sed 's/\.c$//' | sort)}
bad=0
running=0
for t in $targets; do
    if [ $running = 2 ]; then
        wait -n || bad=1
        running=1
    fi
    fuzz "$t" &
    running=$((running + 1))
done
while [ $running -gt 0 ]; do
    wait -n || bad=1
    running=$((running - 1))
done
exit $bad
