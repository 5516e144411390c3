# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# Small runs for the fault tests: what a phase starts from and what it leaves
# undisturbed, how to let a call in it fail (fail_calls.c), and what must be
# true afterwards. Source it after tests/lib.sh, in an own folder.

# Not built with sanitizers, which want to be the first library.
[ -e "$SB_BUILD/tests/fault_fail_calls.so" ] || {
    echo "skipped: no $SB_BUILD/tests/fault_fail_calls.so"
    exit 77
}
seed=${SB_SEED:-$(date +%s%N)}
RANDOM=$seed
echo "SB_SEED=$seed"

phases=(vocab ingest word2vec mlm)

# 60 kB in 3 files. Each is a source, so it is a unit of its own.
small_text | tr -s ' ' '\n' | grep -v '^$' >words
sources=()
for i in 1 2 3; do
    shuf --random-source=<(yes "$i") words | head -3000 | paste -sd '             \n' | sed "s/^/$i /" >"text$i.txt"
    sources+=(--source "text:$tmp/text$i.txt")
done

# command_of NAME RUN NP: into the array `command`, what follows `shardbert`
command_of() {
    command=("$1" --run "$2" --log warn)
    case $1 in
    vocab) command+=("${sources[@]}" --vocab-size 500) ;;
    ingest) command+=("${sources[@]}" --held-out 0.1 --block-tokens 1024) ;;
    word2vec)
        # Replicas have a checkpoint after 16 rounds at the earliest; a round
        # is an epoch here.
        command+=(--dim 8 --epochs $(($3 == 1 ? 3 : 20)) --checkpoint-minutes 0.00001 --ranks-per-replica 1)
        ;;
    mlm)
        command+=(--dim 8 --layers 1 --heads 2 --ffn 16 --positions 32 --max-length 32 --batch 4
            --slots 2 --vocab-block 200 --steps 6 --checkpoint-every 2)
        ;;
    esac
}

# faulty NP FAULT SUBCOMMAND ...: shardbert with a fault in the last rank.
# Sets `code`, `said`, and `met`: what failed, or "of N" calls.
faulty() {
    local np=$1 mpirun=()
    local with=("SB_FAIL=$2" SB_FAIL_RANK=$((np - 1)) "SB_FAIL_FIRST=$3"
        "SB_FAIL_UNDER=$tmp/" "SB_FAIL_REPORT=$tmp/met" "LD_PRELOAD=$SB_BUILD/tests/fault_fail_calls.so")
    shift 2
    rm -f met
    code=0
    [ "$np" = 1 ] || mpirun=(mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1
        --mca btl_base_warn_component_unused 0 -n "$np") # one is faster without
    said=$(timeout -k 5 60 "${mpirun[@]}" env "${with[@]}" "$shardbert" "$@" 2>&1 </dev/null | tr -d '\0'
        exit "${PIPESTATUS[0]}") || code=$?
    met=$(cut -d ' ' -f 2- met 2>/dev/null) || met="of 0"
    where="$1, $np ranks, $met"
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

# undisturbed KIND: every phase, alone and with two ranks. before-NAME: what it
# starts from; after-NAME-NP: its state in the end; known-NAME-NP: "ckpt-N
# hash", every checkpoint on the way; calls[NAME-NP]: how many calls of KIND may
# fail in the last rank
declare -A calls
undisturbed() {
    local name np
    mkdir run
    for name in "${phases[@]}"; do
        cp -r run "before-$name"
        rm -f "before-$name"/*.used
        for np in 2 1; do
            rm -rf run
            cp -r "before-$name" run
            command_of "$name" "$tmp/run" $np
            case $name in word2vec | mlm) command+=(--keep 0) ;; esac
            faulty $np "$1:999999999" "${command[@]}"
            [ "$code" = 0 ] || fail "$where: exit $code without a fault: $said"
            calls[$name-$np]=${met#of }
            state run "$name" >"after-$name-$np"
            hashes "run/$name" >"known-$name-$np"
        done
    done
}

# The checkpoints in RUN/NAME are those of the undisturbed run, and the one
# before that which could not be written is among them.
checkpoints_stand() { # RUN NAME NP
    local failed before
    hashes "$1/$2" >these
    if grep -vxFf "known-$2-$3" these; then fail "$where: another checkpoint"; fi
    failed=$(grep -o 'ckpt-[0-9]\{9\}' <<<"$met$said" | head -1) || return 0
    before=$(LC_ALL=C awk -v f="$failed" '$1 < f {b = $1} END {print b}' "known-$2-$3")
    [ -z "$before" ] || grep -q "^$before " these || fail "$where: $before is gone, $failed failed"
}

# again RUN NAME NP: goes on to the same end, and leaves nothing behind
again() {
    local left
    command_of "$2" "$tmp/$1" "$3"
    expect 0 '' mpi "$3" "$shardbert" "${command[@]}"
    state "$1" "$2" >this
    cmp -s "after-$2-$3" this || fail "$where: not the same in the end: $(diff "after-$2-$3" this)"
    left=$(find "$1" -name '*.tmp*' -o -name '.tmp*')
    [ -z "$left" ] || fail "$where: left behind: $left"
}

# one_message CODE PATTERN: what `faulty` met is told once, with this code
one_message() {
    [ "$code" = "$1" ] || fail "$where: exit $code, not $1: $said"
    [ "$(grep -ac '^shardbert: error: ' <<<"$said")" = 1 ] || fail "$where: not one message: $said"
    grep -aq "^shardbert: error: .*$2" <<<"$said" || fail "$where: no '$2': $said"
}

# An old checkpoint too many is worth a warning only.
warned() {
    [ "$code" = 0 ] && grep -aq 'warning: an old checkpoint stays' <<<"$said"
}

# No rank lives on, ten seconds later at the latest; zombies are none.
no_orphan() {
    local i
    for ((i = 0; i < 100; i++)); do
        pgrep -r D,R,S,T -f -- "--run $tmp/" >orphans || return 0
        sleep 0.1
    done
    fail "$where: orphans: $(ps -fp "$(paste -sd , orphans)")"
}
