#!/bin/bash
# SPDX-License-Identifier: MIT
# Run a subcommand of shardbert under mpirun.
# usage: launch/mpirun.sh SUBCOMMAND [--option VALUE]...
#
#   SB_RANKS      ranks (default: one per core of this node; for word2vec one
#                 per node, with a thread per core of this one, whatever the
#                 recipe says of threads; --threads is stronger)
#   SB_HOSTFILE   hosts of a run on several nodes; SB_RANKS is then the total
#   SB_MPI_FLAGS  more flags for mpirun
#   SHARDBERT     the program (default: the release build)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
shardbert=${SHARDBERT:-$here/../build/shardbert}
[ -x "$shardbert" ] || {
    echo "mpirun.sh: no program at $shardbert: cmake --preset release && cmake --build build" >&2
    exit 2
}
ranks=${SB_RANKS:-$(nproc)}

# A cut cable ends the job after seconds, not never.
flags="--mca oob_tcp_keepalive_time 30 --mca oob_tcp_keepalive_intvl 5
    --mca oob_tcp_keepalive_probes 3 --mca btl_base_warn_component_unused 0
    --bind-to none"
# Ranks write into mpirun's pipe: tell them of a terminal behind it.
if [ -t 2 ]; then
    SB_TERMINAL=${SB_TERMINAL:-$(stty size <&2 2>/dev/null | cut -d' ' -f2)}
    export SB_TERMINAL
    flags="$flags -x SB_TERMINAL"
fi
if [ "$(id -u)" = 0 ]; then flags="$flags --allow-run-as-root"; fi
if [ -n "${SB_HOSTFILE:-}" ]; then
    flags="$flags --hostfile $SB_HOSTFILE"
elif [ "$ranks" -gt "$(nproc)" ]; then
    flags="$flags --oversubscribe --mca mpi_yield_when_idle 1"
fi

# word2vec's threads share its tables, and the tables get huge pages only if
# they are one rank's.
if [ "${1:-}" = word2vec ] && [ -z "${SB_RANKS:-}" ]; then
    ranks=1
    if [ -n "${SB_HOSTFILE:-}" ]; then
        ranks=$(sed 's/#.*//' "$SB_HOSTFILE" | awk 'NF { print $1 }' | sort -u | wc -l)
        flags="$flags --map-by ppr:1:node"
    fi
    shift
    set -- word2vec --threads "$(nproc)" "$@" # what follows is stronger
fi
# shellcheck disable=SC2086
exec mpirun $flags ${SB_MPI_FLAGS:-} -n "$ranks" "$shardbert" "$@"
