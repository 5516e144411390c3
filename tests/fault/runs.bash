# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Small runs for the fault tests, how to let a call in them fail
# (fail_calls.c), and what such a run must leave. Source it after tests/lib.sh,
# in an own folder.

# 60 kB in 3 files. Each is a source, so it is a unit of its own.
tiny_text() {
    local i
    small_text | tr -s ' ' '\n' | grep -v '^$' >words
    for i in 1 2 3; do
        shuf --random-source=<(yes "$i") words | head -3000 | paste -sd '             \n' | sed "s/^/$i /" >"text$i.txt"
    done
}

# Options of the phases; `local -n` picks them by name.
tiny_options() {
    local sources=(--source "text:$tmp/text1.txt" --source "text:$tmp/text2.txt" --source "text:$tmp/text3.txt")
    # shellcheck disable=SC2034
    {
        vocab=("${sources[@]}" --vocab-size 500)
        ingest=("${sources[@]}" --held-out 0.1 --block-tokens 1024)
        word2vec=(--dim 8 --epochs 3 --checkpoint-minutes 0.00001 --ranks-per-replica 1)
        mlm=(--dim 8 --layers 1 --heads 2 --ffn 16 --positions 32 --max-length 32
            --batch 4 --slots 2 --vocab-block 200 --steps 6 --checkpoint-every 2 --keep 2)
    }
}

# command_of NAME RUN NP: into the array `command`, what follows `shardbert`
command_of() {
    local -n options=$1
    command=("$1" --run "$2" --log warn "${options[@]}")
    # Replicas have a checkpoint after 16 rounds at the earliest; a round is an
    # epoch here.
    [ "$1" != word2vec ] || [ "$3" = 1 ] || command+=(--epochs 20)
}

# What a phase leaves, as text to compare.
state() {
    case $2 in
    vocab) (cd "$1/vocab" && md5sum ./*) ;;
    ingest)
        "$shardbert" inspect "$1/corpus" | sed "s|$1||"
        (cd "$1/corpus" && md5sum ./*.mdb ./counts)
        ;;
    *) "$shardbert" inspect "$1/$2" --hash ;;
    esac
}

# hashes FOLDER: "ckpt-N hash" for each checkpoint in it
hashes() {
    local paths=()
    mapfile -t paths < <(compgen -G "$1/ckpt-*" | LC_ALL=C sort)
    [ "${#paths[@]}" = 0 ] || paste -d ' ' <(printf '%s\n' "${paths[@]##*/}") \
        <("$shardbert" inspect "${paths[@]}" --hash)
}

# no_debris FOLDER
no_debris() {
    local left
    left=$(find "$1" -name '*.tmp*' -o -name '.tmp*')
    [ -z "$left" ] || fail "left behind: $left"
}

# faulty NP FAULT SUBCOMMAND ...: shardbert with a fault in the last rank.
# Sets `code`, `said`, and `met`: what failed, or "of N" calls.
faulty() {
    local np=$1 first=$3
    local with=("SB_FAIL=$2" SB_FAIL_RANK=$((np - 1)) "SB_FAIL_FIRST=$first"
        "SB_FAIL_UNDER=$tmp/" "SB_FAIL_REPORT=$tmp/met" "LD_PRELOAD=$SB_BUILD/tests/fault_fail_calls.so")
    shift 2
    rm -f met
    code=0
    if [ "$np" = 1 ]; then # without mpirun: faster
        said=$(timeout -k 5 60 env "${with[@]}" "$shardbert" "$@" 2>&1 | tr -d '\0'; exit "${PIPESTATUS[0]}") || code=$?
    else
        said=$(SB_LIMIT=60 mpi "$np" env "${with[@]}" "$shardbert" "$@" 2>&1 | tr -d '\0'; exit "${PIPESTATUS[0]}") || code=$?
    fi
    met=$(cut -d ' ' -f 2- met 2>/dev/null) || met="of 0"
}
