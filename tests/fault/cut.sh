#!/bin/bash
# SPDX-License-Identifier: MIT
# The cable of a host is pulled in mid-run: within the stall limit there is one
# message that names a rank of that host, and no rank goes on, on either side;
# when the cable is back mpirun ends with exit code 6, and the same command
# gives the bits of a run on one host that nobody disturbed. With --long also:
# mpirun, told to look, notices first.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
. "$SB_SOURCE/tests/hosts.sh"
own_folder
hosts_up 2

options=(--init none --dim 32 --layers 1 --heads 2 --ffn 64 --positions 64 --max-length 48 --batch 8 --slots 4
    --vocab-block 300 --steps 400 --checkpoint-every 10 --eval-every 0 --eval-samples 50 --log error)
mlm=("$shardbert" mlm --run "$tmp/run" "${options[@]}")

small_run "$shardbert" run 1000
cp -r run whole
mpi 2 "$shardbert" mlm --run whole "${options[@]}" >/dev/null

# begin LIMIT: a run on both hosts that has a checkpoint
begin() {
    rm -rf run/mlm
    mpi_hosts 2 "${mlm[@]}" --stall-minutes "$1" >log 2>&1 &
    mpirun_pid=$!
    until compgen -G 'run/mlm/ckpt-*' >/dev/null; do
        kill -0 $mpirun_pid 2>/dev/null || fail "over too soon: $(cat log)"
        sleep 0.01
    done
}

# within SECONDS WHAT COMMAND...: COMMAND succeeds some time
within() {
    local i
    for ((i = 0; i < 10 * $1; i++)); do
        ! "${@:3}" || return 0
        sleep 0.1
    done
    fail "not within $1 s: $2: $(cat log; pgrep -af "$tmp/run")"
}
told() { grep -q '^shardbert: error: ' log; }
nobody() { ! pgrep -r D,R,S,T,t -f "^$shardbert mlm --run $tmp/run " >/dev/null; }
over() { ! kill -0 $mpirun_pid 2>/dev/null; }
ended() { # CODE
    local code=0
    within 60 "mpirun is over" over
    wait $mpirun_pid || code=$?
    mpirun_pid=
    [ $code = "$1" ] || fail "exit $code instead of $1: $(cat log)"
}
same() {
    "$shardbert" inspect whole/mlm --hash >expected
    "$shardbert" inspect run/mlm --hash >this
    cmp -s expected this || fail "not the same: $(diff expected this)"
}
goes_on() {
    mpi_hosts 2 "${mlm[@]}" >log 2>&1 || fail "does not go on: $(cat log)"
    same
}

begin 0.1
cut_host node2
within 40 "a message" told
within 40 "no rank left" nobody
[ "$(grep -c '^shardbert: error: ' log)" = 1 ] || fail "not one error: $(cat log)"
grep '^shardbert: error: rank [23] (node2): no sign of life for [0-9]*s, nor of another rank; last seen in ' log ||
    fail "not of node2: $(cat log)"
heal_host node2
ended 6
goes_on
[ -n "${SB_LONG:-}" ] || exit 0

# As launch/mpirun.sh does, with shorter times.
mpi_hosts_flags=(--mca oob_tcp_keepalive_time 3 --mca oob_tcp_keepalive_intvl 1 --mca oob_tcp_keepalive_probes 3)
begin 1
cut_host node2
ended 205
grep 'ORTE has lost communication with a remote daemon' log || fail "another message: $(cat log)"
! told || fail "two messages: $(cat log)"
within 40 "no rank left" nobody
heal_host node2
goes_on
