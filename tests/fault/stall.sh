#!/bin/bash
# SPDX-License-Identifier: MIT
# Ranks that hang: the run ends with one message that names the right one, and
# exit code 6; nothing of it is left, the stopped process included; the same
# command again gives the bits of a run that nobody disturbed. A pause shorter
# than the limit harms nothing.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder
seed=${SB_SEED:-$(date +%s%N)}
RANDOM=$seed
echo "SB_SEED=$seed"
np=3
flags=(--oversubscribe --bind-to none --mca mpi_yield_when_idle 1 --mca btl_base_warn_component_unused 0)

eight_texts 7

# Options of the phases; `local -n` picks them by name.
# shellcheck disable=SC2034
{
    sources=()
    for i in {1..8}; do sources+=(--source "text:$tmp/text$i.txt"); done
    vocab=("${sources[@]}" --vocab-size 2000)
    ingest=("${sources[@]}" --held-out 0.01 --block-tokens 4096)
    word2vec=(--dim 8 --window 1 --negative 1 --epochs 400 --checkpoint-minutes 0.001 --ranks-per-replica 1)
    mlm=(--init none --dim 32 --layers 1 --heads 2 --ffn 64 --positions 64 --max-length 48 --batch 8 --slots 4
        --vocab-block 300 --steps 400 --checkpoint-every 10 --eval-every 0 --eval-samples 50)
}

# phase RUN NAME: in the foreground
phase() {
    local -n options=$2
    mpi $np "$shardbert" "$2" --run "$1" --log error "${options[@]}" >/dev/null
}

# job NAME COMMAND...: in the background, without a shell between
declare -A pid
job() {
    mpirun "${flags[@]}" -n $np "${@:2}" >"$1.log" 2>&1 &
    pid[$1]=$!
    mpirun_pid="${pid[*]}"
}
begin() { # RUN NAME
    local -n options=$2
    job "$1" "$shardbert" "$2" --run "$tmp/$1" --log error --stall-minutes 0.1 "${options[@]}"
}

# process NAME RANK: its id
process() {
    local p
    for p in $(pgrep -P "${pid[$1]}"); do
        ! tr '\0' '\n' <"/proc/$p/environ" 2>/dev/null | grep -qx "OMPI_COMM_WORLD_RANK=$2" || echo "$p"
    done
}

# signal RUN RANK SIGNAL GLOB: as soon as a file of that name lies there
signal() {
    local p=
    until [ -n "$p" ] && compgen -G "$4" >/dev/null; do
        kill -0 "${pid[$1]}" 2>/dev/null || fail "$1: over too soon: $(cat "$1.log")"
        [ -n "$p" ] || p=$(process "$1" "$2")
        sleep 0.01
    done
    kill "-$3" "$p" || fail "$1: rank $2 was done before SIG$3"
}

# ended NAME: its exit code; a minute is a hang
ended() {
    local i code=0
    for ((i = 0; i < 600; i++)); do
        kill -0 "${pid[$1]}" 2>/dev/null || break
        sleep 0.1
    done
    [ $i -lt 600 ] || fail "$1: mpirun hangs: $(cat "$1.log")"
    wait "${pid[$1]}" || code=$?
    unset "pid[$1]"
    mpirun_pid="${pid[*]}"
    return $code
}

# Whoever works on our files, and is no zombie
orphans() { pgrep -a -r D,R,S,T,t -f -- "--run $tmp/$1 " || true; }

# told NAME RANK TEXT: exit code 6, one message, of that rank; no orphan
told() {
    local code=0 i
    ended "$1" || code=$?
    [ $code = 6 ] || fail "$1: exit $code instead of 6: $(cat "$1.log")"
    [ "$(grep -c '^shardbert: error: ' "$1.log")" = 1 ] || fail "$1: not one error: $(cat "$1.log")"
    grep -q "^shardbert: error: rank $2 ($(hostname)): .*$3" "$1.log" || fail "$1: not of rank $2, '$3': $(cat "$1.log")"
    for ((i = 0; i < 100; i++)); do
        [ -n "$(orphans "$1")" ] || break
        sleep 0.1
    done
    [ $i -lt 100 ] || fail "orphans: $(orphans "$1")"
    grep '^shardbert: error: ' "$1.log" | sed "s/^/$1: /"
}

# What a phase leaves, as text to compare.
state() {
    case $2 in
    ingest) (cd "$1/corpus" && md5sum ./*.mdb ./counts) ;;
    *) "$shardbert" inspect "$1/$2" --hash ;;
    esac
}
same() { # RUN NAME
    state whole "$2" >expected
    state "$1" "$2" >this
    cmp -s expected this || fail "$1: not the same: $(diff expected this)"
}

phase whole vocab
phase whole ingest
phase whole mlm
for run in mlm first paused word2vec; do
    mkdir $run
    cp -r whole/vocab whole/corpus $run/
done
mkdir ingest
cp -r whole/vocab ingest/
any() { echo $((RANDOM % np)); }
any_but_first() { echo $((1 + RANDOM % (np - 1))); }

# ---- stopped -----------------------------------------------------------------

declare -A rank=([mlm]=$(any_but_first) [first]=0 [word2vec]=$(any) [ingest]=$(any) [paused]=$(any))
stop() { # RUN PHASE GLOB
    begin "$1" "$2"
    signal "$1" "${rank[$1]}" STOP "$3"
}
stop first mlm 'first/mlm/ckpt-*'
stop word2vec word2vec 'word2vec/word2vec/metrics.jsonl'
stop ingest ingest ingest/corpus/made-from
stop mlm mlm 'mlm/mlm/ckpt-*'
for run in first mlm word2vec ingest; do
    told $run "${rank[$run]}" 'no sign of life for [0-9]*s; last seen in '
done
for run in first mlm; do
    phase $run mlm
    same $run mlm
done
phase ingest ingest
same ingest ingest
echo "stopped ranks: named, and the bits are the same in the end"

# ---- not for long ------------------------------------------------------------

stop paused mlm 'paused/mlm/ckpt-*'
sleep 1
kill -CONT "$(process paused "${rank[paused]}")"

# ---- they hang otherwise -----------------------------------------------------

hang() { job "$1" "$SB_BUILD/tests/fault_stall" "$1" "$2" 0.06; }
declare -A hangs=([loop]=$(any) [end]=$(any) [knot]=0 [unseen]=$(any_but_first) [work]=$(any))
for mode in "${!hangs[@]}"; do hang "$mode" "${hangs[$mode]}"; done
told loop "${hangs[loop]}" 'alive, but has not moved for [0-9]*s; it is in stall: act 7 '
told end "${hangs[end]}" 'alive, but has not moved'
told knot '[0-2]' 'all ranks have waited for each other'
if [ "$(id -u)" = 0 ]; then # else it cannot be cut off
    told unseen "${hangs[unseen]}" 'not heard of since the start'
    grep -q "^shardbert: warning: 1 of 3 ranks cannot be watched, the first is rank ${hangs[unseen]} " unseen.log ||
        fail "unseen: no warning: $(cat unseen.log)"
fi
ended work || fail "work: not left alone: $(cat work.log)"
ended paused || fail "paused: not left alone: $(cat paused.log)"
! grep -q '^shardbert: error: ' work.log paused.log || fail "an error: $(cat work.log paused.log)"
same paused mlm
echo "ranks that work or pause: left alone"
