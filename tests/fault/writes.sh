#!/bin/bash
# SPDX-License-Identifier: MIT
# Disk full, an I/O error, and kill -9, at every call that changes a file while
# a phase runs, alone and in the last of two ranks: of the first two one message
# that names file and reason, and exit code 3; the checkpoints that stood still
# stand, and the same command again gives the bits of a run that nobody
# disturbed. Then small disks, which fill up anywhere. Without SB_LONG, at a few
# places by chance.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder
. "$SB_SOURCE/tests/fault/runs.bash"
reasons='\(No space left\|Input/output error\|disk full\)'
undisturbed write

# one NAME NP CALL KIND; false if it was not met
one() {
    rm -rf run
    cp -r "before-$1" run
    command_of "$1" "$tmp/run" "$2"
    faulty "$2" "write:$3$4" "${command[@]}"
    if [[ $met == "of "* ]]; then
        [ "$code" = 0 ] || fail "$where: exit $code without a fault: $said"
        return 1
    fi
    if [ "$4" = :KILL ]; then
        [ "$code" = 137 ] || fail "$where: exit $code after kill -9: $said"
        no_orphan
    elif [[ $met != *ckpt-old-* ]] || ! warned; then
        one_message 3 "$tmp/run.*$reasons"
    fi
    checkpoints_stand run "$1" "$2"
    again run "$1" "$2"
}

# each NAME NP CALL...: these calls fail, in every way or in one of them
each() {
    local name=$1 np=$2 n kind met_n=0 tried=0 kinds=(:EIO +:ENOSPC :KILL)
    [ -n "${SB_LONG:-}" ] || kinds=("${kinds[RANDOM % 3]}")
    for n in "${@:3}"; do
        for kind in "${kinds[@]}"; do
            tried=$((tried + 1))
            if one "$name" "$np" "$n" $kind; then met_n=$((met_n + 1)); fi
        done
    done
    echo "$name, $np ranks: $met_n of $tried faults met, well refused"
}

# small_disk NAME KIB...: a run on a file system with so much room left
small_disk() {
    local name=$1 room used full=0
    for room in "${@:2}"; do
        rm -rf full/run
        mount -o remount,size=64m full
        cp -r "before-$name" full/run
        used=$(df --output=used -k full | tail -1)
        mount -o remount,size=$((used + room))k full
        command_of "$name" "$tmp/full/run" 2
        faulty 2 write:999999999 "${command[@]}"
        where="$name, $room KiB of room"
        if [ "$code" != 0 ]; then
            full=$((full + 1))
            one_message 3 "$tmp/full/run.*$reasons"
        fi
        checkpoints_stand full/run "$name" 2
        mount -o remount,size=64m full
        again full/run "$name" 2
    done
    echo "$name: $full of $((${#} - 1)) small disks full, well refused"
}

for name in "${phases[@]}"; do
    for np in 1 2; do
        all=${calls[$name-$np]}
        [ "$all" -gt 0 ] || fail "$name: nothing is written by rank $((np - 1))"
        if [ -n "${SB_LONG:-}" ]; then
            # shellcheck disable=SC2046
            each "$name" $np $(seq "$all")
        elif [ $((RANDOM % 3)) = 0 ]; then
            each "$name" $np $((1 + RANDOM % all))
        fi
    done
done

mkdir full
if [ "$(id -u)" != 0 ] || ! mount -t tmpfs -o size=64m none full; then
    echo "small disks: not tested, only root can mount one"
    exit 0
fi
for name in "${phases[@]}"; do
    if [ -n "${SB_LONG:-}" ]; then
        # shellcheck disable=SC2046
        small_disk "$name" $(seq 0 8 400)
    elif [ $((RANDOM % 2)) = 0 ]; then
        small_disk "$name" $((RANDOM % 100))
    fi
done
