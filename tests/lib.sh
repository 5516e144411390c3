# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the test scripts share. Source it.

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export SB_PROGRESS_S=1000

# mpi N COMMAND...: N ranks, more than cores if need be. Hanging is failing.
mpi() {
    local n=$1
    shift
    timeout -k 5 "${SB_LIMIT:-800}" mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 \
        --mca btl_base_warn_component_unused 0 -n "$n" "$@"
}

# A text that every Debian has: the licences, a paragraph a document.
small_text() {
    cat /usr/share/common-licenses/GPL-3 /usr/share/common-licenses/Apache-2.0 \
        /usr/share/common-licenses/LGPL-3 /usr/share/common-licenses/GFDL-1.3
}

# eight_texts TIMES: text1.txt ... text8.txt here, each TIMES the words of
# small_text (75 kB) in another order. As sources each is a unit of its own.
eight_texts() {
    local i
    small_text | tr -s ' ' '\n' | grep -v '^$' >words
    for i in {1..8}; do
        for _ in $(seq "$1"); do shuf --random-source=<(yes "$i") words; done |
            paste -sd '             \n' | sed "s/^/$i /" >"text$i.txt"
    done
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

# own_folder: go to a new folder, $tmp. It goes away at the end, with the jobs
# $mpirun_pid if there are any, and a file system on $tmp/full.
own_folder() {
    tmp=$(mktemp -d)
    mpirun_pid=
    trap leave_folder EXIT
    cd "$tmp" || exit 1
}
leave_folder() {
    local p
    for p in $mpirun_pid; do # its ranks too: one may be stopped
        pkill -9 -P "$p" || true
        kill -9 "$p" 2>/dev/null || true
    done
    umount "$tmp/full" 2>/dev/null || true
    rm -rf "$tmp"
}

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# expect CODE PATTERN COMMAND...: within a minute, the exit code, and what is
# printed: one error at most, and none without a failure.
expect() {
    local SB_LIMIT=60 code=$1 pattern=$2 text got=0 errors
    shift 2
    [ "$(type -t "$1")" = function ] || set -- timeout -k 5 60 "$@"
    text=$("$@" 2>&1 | tr -d '\0'; exit "${PIPESTATUS[0]}") || got=$?
    [ "$got" = "$code" ] || fail "exit $got instead of $code: $* : $text"
    grep -aqe "$pattern" <<<"$text" || fail "no '$pattern' in: $* : $text"
    errors=$(grep -ac '^shardbert: error: ' <<<"$text") || true
    case $code in
    0 | 75) [ "$errors" = 0 ] || fail "an error, and exit $code: $* : $text" ;;
    *) [ "$errors" = 1 ] || fail "$errors errors, not one: $* : $text" ;;
    esac
}

# hint CODE PATTERN COMMAND...: the same, and PATTERN is what to try
hint() {
    expect "$1" "^shardbert: try: .*$2" "${@:3}"
}

# get_tokenizers DIR: Hugging Face's tokenizers for Node, into DIR if not there
get_tokenizers() {
    local load="require('module').createRequire('$1/')('tokenizers')"
    node -e "$load" 2>/dev/null && return
    timeout 300 npm install --silent --no-audit --no-fund --prefix "$1" tokenizers@0.23.2 >/dev/null 2>&1
    node -e "$load" 2>/dev/null
}
