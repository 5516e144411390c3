#!/bin/bash
# SPDX-License-Identifier: MIT
# Checkpoints on the hosts' own disks: a run that was killed goes on from the
# newest one, on any number of ranks, with the bits of a run that nobody
# disturbed; if a host's share is missing or damaged, from the run folder's. A
# full local disk stops nothing. At the end nothing is left on local disks.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder
small_run "$shardbert" base 600

# Options of the phases; `local -n` picks them by name. The shared checkpoints
# are far apart, and local ones wanted all the time.
# shellcheck disable=SC2034
{
    mlm=(--init none --dim 64 --layers 2 --heads 4 --ffn 128 --positions 64 --max-length 48 --batch 8 --slots 4
        --vocab-block 150 --steps 240 --checkpoint-every 60 --checkpoint-minutes 0 --eval-every 0 --eval-samples 20)
    word2vec=(--dim 32 --epochs 240 --ranks-per-replica 1 --sync-words 500 --checkpoint-minutes 0.01)
}
there=(--local-dir "$tmp/disk" --local-minutes 1e-9)

# command NP RUN PHASE OPTION...: what is run, into the array `cmd`
command_of() {
    local -n options=$3
    cmd=(mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 --mca btl_base_warn_component_unused 0
        -n "$1" "$shardbert" "$3" --run "$2" --vocab base/vocab/vocab.txt --corpus base/corpus "${options[@]}" "${@:4}")
}
run() { # LOG NP RUN PHASE OPTION...
    command_of "${@:2}"
    timeout -k 5 300 "${cmd[@]}" >/dev/null 2>"$1" || fail "exit $?: $(cat "$1")"
}
hash_of() { "$shardbert" inspect "$1" --hash; }
newest() { find "$1" -maxdepth 1 -name 'ckpt-*' | sed 's/.*ckpt-0*//' | sort -n | tail -n 1; }
newest_local() { find disk -name 'ckpt-*' | sed 's/.*ckpt-0*//' | sort -n | uniq -c | awk -v n="$1" '$1 == n { s = $2 } END { print s + 0 }'; }

# killed NP RUN PHASE: all its ranks, when their local saves have got beyond a
# shared one
killed() {
    local before
    rm -rf disk
    mkdir disk
    command_of "$@" "${there[@]}"
    "${cmd[@]}" >/dev/null 2>killed.log &
    mpirun_pid=$!
    while ! compgen -G "$2/$3/ckpt-*" >/dev/null; do
        kill -0 "$mpirun_pid" 2>/dev/null || fail "ended by itself: $(cat killed.log)"
        sleep 0.01
    done
    before=$(newest "$2/$3")
    while [ "$(newest_local "$1")" -le "$before" ]; do
        kill -0 "$mpirun_pid" 2>/dev/null || fail "ended by itself: $(cat killed.log)"
        before=$(newest "$2/$3")
    done
    pkill -9 -P "$mpirun_pid" || true
    wait "$mpirun_pid" || true
    mpirun_pid=
    [ "$(newest_local "$1")" -gt "$(newest "$2/$3")" ] || fail "no local checkpoint is newer: $(find disk)"
}
ends_like() { # LOG RUN PHASE EXPECTED-RUN
    [ "$(hash_of "$2/$3")" = "$(hash_of "$4/$3")" ] || fail "$2: $3 is not that of $4: $(cat "$1")"
    [ -z "$(find disk -mindepth 1)" ] || fail "left on the disk: $(find disk)"
    [ -z "$(find "$2" -name '*tmp*' -o -name 'share-*')" ] || fail "left behind: $(find "$2")"
}

run never.log 2 never mlm
run never.log 2 never word2vec

# On fewer ranks, without a local disk of their own.
killed 3 a mlm
step=$(newest_local 3)
echo "mlm: killed behind step $(newest a/mlm), step $step is on the local disk"
run a.log 2 a mlm
grep -q "checkpoint of step $step brought" a.log || fail "step $step was not brought: $(cat a.log)"
grep -q "going on from step $step " a.log || fail "it did not go on from step $step: $(cat a.log)"
ends_like a.log a mlm never
echo "mlm: gone on from there"

# Replicas keep the number of ranks, or words are averaged otherwise.
killed 2 a word2vec
step=$(newest_local 2)
run a.log 2 a word2vec "${there[@]}"
grep -q "checkpoint of step $step brought" a.log || fail "step $step was not brought: $(cat a.log)"
ends_like a.log a word2vec never
echo "word2vec: gone on from block $step of the local disk"

# A host that is gone, with its disk.
killed 2 b mlm
step=$(newest b/mlm)
rm -r disk/shardbert-*/rank-00001
run b.log 2 b mlm "${there[@]}"
grep -q "only 1 of 2 ranks' shares" b.log || fail "nobody says so: $(cat b.log)"
grep -q "going on from step $step " b.log || fail "it did not go on from step $step: $(cat b.log)"
ends_like b.log b mlm never

# Damage of what says what there is: the one before. Damage of the numbers:
# found when they are read.
killed 2 c mlm
for f in disk/shardbert-*/rank-00000/ckpt-*/share-00000.pb; do printf 'x' | dd of="$f" bs=1 seek=30 conv=notrunc status=none; done
run c.log 2 c mlm "${there[@]}"
grep -q "is damaged and passed over" c.log || fail "nobody says so: $(cat c.log)"
ends_like c.log c mlm never
killed 2 d mlm
for f in disk/shardbert-*/rank-00000/ckpt-*/part-00000.pb; do printf 'x' | dd of="$f" bs=1 seek=3000 conv=notrunc status=none; done
run d.log 2 d mlm
grep -q "is damaged and passed over" d.log || fail "nobody says so: $(cat d.log)"
rm -rf d/mlm/*.damaged
ends_like d.log d mlm never
echo "missing and damaged shares: gone on from the run folder's checkpoint"

# A full local disk.
mkdir full
if mount -t tmpfs -o size=300k tmpfs full 2>/dev/null; then
    run e.log 2 e mlm --local-dir "$tmp/full" --local-minutes 1e-9
    grep -q 'warning: no local checkpoint of step .*: rank [01] .*No space' e.log || fail "nobody says so: $(cat e.log)"
    disk=$(find full -mindepth 1)
    [ -z "$disk" ] || fail "left on the disk: $disk"
    [ "$(hash_of e/mlm)" = "$(hash_of never/mlm)" ] || fail "another result with a full local disk"
    umount full
    echo "a full local disk: warnings, and the same bits"
fi
expect 3 'cannot make folder' mpi 2 "$shardbert" mlm --run g --vocab base/vocab/vocab.txt --corpus base/corpus "${mlm[@]}" \
    --local-dir /dev/null/here
