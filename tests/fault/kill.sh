#!/bin/bash
# SPDX-License-Identifier: MIT
# Kill -9 one rank, at several moments of every phase, 100 times and more with
# SB_LONG: the others end too, and the same command again gives the bits of a run
# that nobody disturbed (writes.sh kills at every write). Then SIGUSR1, which
# asks for a stop: exit code 75, a checkpoint, and the same bits in the end.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder
seed=${SB_SEED:-$(date +%s%N)}
RANDOM=$seed
echo "SB_SEED=$seed"

eight_texts 7

# Options of the phases; `local -n` picks them by name.
# shellcheck disable=SC2034
{
    sources=()
    for i in {1..8}; do sources+=(--source "text:$tmp/text$i.txt"); done
    vocab=("${sources[@]}" --vocab-size 2000)
    ingest=("${sources[@]}" --held-out 0.01 --block-tokens 4096)
    # Replicas have a checkpoint after 16 rounds at the earliest; a round is an
    # epoch here.
    word2vec=(--dim 8 --window 1 --negative 1 --epochs 40 --subsample 1e-5 --checkpoint-minutes 0.001
        --ranks-per-replica 1)
    mlm=(--init none --dim 32 --layers 1 --heads 2 --ffn 64 --positions 64
        --max-length 48 --batch 8 --slots 4 --vocab-block 300 --steps 400
        --checkpoint-every 10 --eval-every 100 --eval-samples 50)
}

# phase RUN NP NAME: in the foreground
phase() {
    local -n options=$3
    mpi "$2" "$shardbert" "$3" --run "$1" --log error "${options[@]}" >/dev/null
}

# begin RUN NP NAME: in the background, without a shell between
begin() {
    local -n options=$3
    mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 \
        --mca btl_base_warn_component_unused 0 -n "$2" \
        "$shardbert" "$3" --run "$tmp/$1" --log error "${options[@]}" >log 2>&1 &
    mpirun_pid=$!
}

running() { kill -0 "$mpirun_pid" 2>/dev/null; }
ranks() { pgrep -P "$mpirun_pid" 2>/dev/null || true; }

# until_there NP GLOB: all ranks are up, and a file of that name lies there
until_there() {
    while running; do
        [ "$(ranks | wc -l)" != "$1" ] || ! compgen -G "$2" >/dev/null || return 0
        sleep 0.01
    done
}

# Whoever works on our files, and is no zombie
orphans() { pgrep -a -r D,R,S,T -f -- "--run $tmp/" || true; }

# The exit code of what begin started. A minute is a hang.
ended() {
    local i code=0
    for ((i = 0; i < 600; i++)); do
        running || break
        sleep 0.1
    done
    running && fail "mpirun hangs: $(cat log)"
    wait "$mpirun_pid" || code=$?
    mpirun_pid=
    for ((i = 0; i < 100; i++)); do
        [ -n "$(orphans)" ] || break
        sleep 0.1
    done
    [ $i -lt 100 ] || fail "orphans: $(orphans)"
    return "$code"
}

# kill_one RUN NP NAME GLOB: kill -9 a rank a moment after GLOB is there
kill_one() {
    local victim code=0
    begin "$1" "$2" "$3"
    until_there "$2" "$4"
    sleep "0.$(printf '%03d' $((RANDOM % longest)))"
    victim=$(ranks | shuf -n 1)
    [ -z "$victim" ] || kill -9 "$victim" 2>/dev/null || victim=
    ended || code=$?
    if [ "$code" != 0 ]; then
        kills=$((kills + 1))
        all_kills=$((all_kills + 1))
    elif [ -n "$victim" ]; then
        echo "$3: was done before the kill"
    fi
}

# What a phase leaves, as text to compare.
state() {
    case $2 in
    vocab) md5sum <"$1/vocab/vocab.txt" ;;
    ingest)
        "$shardbert" inspect "$1/corpus" | sed "s|$1||"
        (cd "$1/corpus" && md5sum ./*.mdb ./counts)
        ;;
    *) "$shardbert" inspect "$1/$2" --hash ;;
    esac
}

# same RUN NAME: like the undisturbed run, and no temporary file is left
same() {
    local left
    state "$whole" "$2" >expected
    state "$1" "$2" >this
    cmp -s expected this || fail "$2: not the same: $(diff expected this)"
    left=$(find "$1" -name '*.tmp*' -o -name '.tmp*')
    [ -z "$left" ] || fail "$2: left behind: $left"
}

for name in vocab ingest word2vec mlm; do phase whole 2 $name; done
cp -r whole alone
rm -r alone/word2vec
phase alone 1 word2vec
[ "$(find whole/corpus -name 'train*.mdb' | wc -l)" = 8 ] || fail "not 8 units"

# Ranks of a phase, and a run on as many that nobody disturbed
np=2 whole=whole
all_kills=0

# disturb NAME NP_AGAIN GLOB...: a kill for every GLOB, one after the other in
# the same folder, then the same command undisturbed
disturb() {
    local name=$1 again=$2 glob kills=0 longest=200
    case $name in vocab | ingest) longest=30 ;; esac
    rm -rf run
    mkdir run
    [ "$name" = vocab ] || cp -r whole/vocab run/
    [ "$name" = vocab ] || [ "$name" = ingest ] || cp -r whole/corpus run/
    for glob in "${@:3}"; do kill_one run "$np" "$name" "$glob"; done
    [ $kills -gt 0 ] || fail "$name: nothing was killed"
    phase run "$again" "$name"
    same run "$name"
    echo "$name: $np ranks, killed $kills times, the same in the end"
}
rounds=1
[ -z "${SB_LONG:-}" ] || rounds=10 # tests/run --long
for ((round = 0; round < rounds; round++)); do
    disturb vocab 3 . run/vocab.used run/vocab/.tmp-words 'run/vocab/.tmp-words/*.run'
    disturb ingest 3 run/ingest.used run/corpus/made-from 'run/corpus/unit-0000[1-7].done'
    disturb word2vec 2 run/word2vec.used run/word2vec/metrics.jsonl 'run/word2vec/ckpt-*'
    np=1 whole=alone disturb word2vec 1 run/word2vec.used run/word2vec/metrics.jsonl 'run/word2vec/ckpt-*'
    disturb mlm 3 run/mlm/metrics.jsonl 'run/mlm/ckpt-*' 'run/mlm/ckpt-*'
done
[ $rounds = 1 ] || [ $all_kills -ge 100 ] || fail "$all_kills kills only"

# Killed between the last checkpoint and the last evaluation, and while an old
# checkpoint was being removed.
sed -i '/"step":400,"heldout_loss"/d' run/mlm/metrics.jsonl
mkdir run/mlm/.tmp-ckpt-old-000000010
phase run 2 mlm
grep -q '"step":400,"heldout_loss"' run/mlm/metrics.jsonl || fail "no last evaluation"
same run mlm

# stopped NAME: SIGUSR1 to mpirun, which hands it to the ranks
stopped() {
    local name=$1 code=0
    rm -rf run
    mkdir run
    cp -r whole/vocab whole/corpus run/
    begin run 2 "$name"
    until_there 2 "run/$name/metrics.jsonl"
    sleep 0.2
    kill -USR1 "$mpirun_pid" 2>/dev/null || fail "$name: was done before the signal"
    ended || code=$?
    [ $code = 75 ] || fail "$name: exit $code instead of 75 on SIGUSR1: $(cat log)"
    grep -q '^shardbert: error' log && fail "$name: a stop is no error: $(cat log)"
    compgen -G "run/$name/ckpt-*" >/dev/null || fail "$name: no checkpoint"
    "$shardbert" inspect "run/$name" | grep '^checkpoint ' | sed "s/.*: phase/$name: stopped in/;s/ done.*//"
    phase run 2 "$name"
    same run "$name"
}
stopped word2vec
stopped mlm

# Ranks that share tables: other bits each time, but they end and go on alike.
# shellcheck disable=SC2034
word2vec=(--dim 8 --window 1 --negative 1 --epochs 40 --subsample 1e-5 --checkpoint-minutes 0.001)
rm -rf run/word2vec
kills=0 longest=200
kill_one run 2 word2vec run/word2vec/metrics.jsonl
kill_one run 2 word2vec 'run/word2vec/ckpt-*'
# Open MPI unlinks their tables as soon as all have them. (Of a killed rank it
# leaves vader_segment.*, 4 MiB.)
tables=$(find "${OMPI_MCA_osc_sm_backing_directory:-/dev/shm}" -name 'osc_sm.*' -mmin +0.05 -user "$(id -u)" 2>/dev/null)
[ -z "$tables" ] || fail "word2vec: shared tables left behind: $tables"
[ $kills -gt 0 ] || fail "word2vec: nothing was killed"
phase run 2 word2vec
"$shardbert" inspect run/word2vec | grep -q 'done' || fail "not finished: $("$shardbert" inspect run/word2vec)"
echo "word2vec: ranks that share tables, killed $kills times, went on to the end"
