# SPDX-License-Identifier: MIT
# What the test scripts share. Source it.

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export SB_PROGRESS_S=1000

# mpi N COMMAND...: N ranks, more than cores if need be
mpi() {
    local n=$1
    shift
    mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 \
        --mca btl_base_warn_component_unused 0 -n "$n" "$@"
}

# A text that every Debian has: the licences, a paragraph a document.
small_text() {
    cat /usr/share/common-licenses/GPL-3 /usr/share/common-licenses/Apache-2.0 \
        /usr/share/common-licenses/LGPL-3 /usr/share/common-licenses/GFDL-1.3
}

# small_run SHARDBERT RUN V: text, a vocabulary of V pieces, and a corpus
small_run() {
    mkdir -p "$2"
    small_text >"$2/text.txt"
    "$1" vocab --run "$2" --source "text:$2/text.txt" --documents paragraph \
        --vocab-size "$3" --log error
    "$1" ingest --run "$2" --source "text:$2/text.txt" --documents paragraph \
        --held-out 0.1 --block-tokens 1024 --log error
}

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# expect CODE PATTERN COMMAND...: the exit code, and what is printed
expect() {
    local code=$1 pattern=$2 text got=0
    shift 2
    text=$("$@" 2>&1) || got=$?
    [ "$got" = "$code" ] || fail "exit $got instead of $code: $* : $text"
    grep -q -- "$pattern" <<<"$text" || fail "no '$pattern' in: $text"
}
