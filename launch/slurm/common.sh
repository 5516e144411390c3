# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: MIT
# common.sh - what the jobs of this folder share: they source it and call
# sb_run once.
#
#   SB_RUN       the run folder, seen by all nodes (default: run)
#   SB_RECIPE    recipe file
#   SB_SOURCE    text, KIND:GLOB, for vocab and ingest; or in the recipe
#   SB_LAUNCH    srun (default), or mpirun where srun has no PMIx
#   SB_REQUEUES  most times a job puts itself back into the queue (default: 20)
#   SHARDBERT    the program (default: the release build)
set -eu
say() { echo "$(date '+%F %T') job ${SLURM_JOB_ID:-}: $*" >&2; }
die() {
    say "$*"
    exit 2
}

home=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
shardbert=${SHARDBERT:-$home/build/shardbert}
run=${SB_RUN:-run}
threads=${SLURM_CPUS_PER_TASK:-1}
recipe=(${SB_RECIPE:+--config "$SB_RECIPE"})
text=(${SB_SOURCE:+--source "$SB_SOURCE"})
[ -n "${SLURM_JOB_ID:-}" ] ||
    die "submit this with sbatch; without Slurm: launch/mpirun.sh"
[ -x "$shardbert" ] ||
    die "no program at $shardbert: build it, or set SHARDBERT"

# launcher: what starts one rank per task of the job.
case ${SB_LAUNCH:-srun} in
srun)
    srun --mpi=list 2>&1 | grep pmix >/dev/null ||
        die "this srun has no PMIx (see srun --mpi=list): set SB_LAUNCH=mpirun," \
            "or ask for Slurm's PMIx plugin"
    # Slurm 22.05's own choice of fence let ranks crash in MPI_Init.
    export SLURM_PMIX_FENCE=${SLURM_PMIX_FENCE:-ring}
    # Without kill-on-bad-exit the others wait for a dead rank for ever; and
    # srun no longer takes cpus-per-task from sbatch.
    launcher=(srun --mpi=pmix --kill-on-bad-exit=1 --cpus-per-task="$threads")
    ;;
mpirun)
    # A cut cable ends the job after seconds, and threads may use all the cores
    # of the job, not the one that mpirun or its srun would bind them to.
    export SLURM_CPU_BIND=none
    launcher=(mpirun -n "$SLURM_NTASKS" --bind-to none
        ${SLURM_NTASKS_PER_NODE:+--map-by "ppr:$SLURM_NTASKS_PER_NODE:node"}
        --mca oob_tcp_keepalive_time 30 --mca oob_tcp_keepalive_intvl 5
        --mca oob_tcp_keepalive_probes 3)
    ;;
*) die "SB_LAUNCH is srun or mpirun, not '$SB_LAUNCH'" ;;
esac

# USR1 is the notice of --signal, before the time limit: pass it on, requeue.
# TERM is Slurm ending the job (scancel, time limit, preemption): no requeue.
# Both reach the ranks as USR1, as a second TERM would end them at once.
step='' signal='' noticed='' cancelled=''
notice() {
    signal=1 noticed=1
    if [ -n "$step" ]; then kill -USR1 "$step" 2>/dev/null || true; fi
}
trap 'say "notice: asking the ranks to stop"; notice' USR1
trap 'cancelled=1; notice' TERM

requeue() {
    local before=${SLURM_RESTART_COUNT:-0} most=${SB_REQUEUES:-20}
    if [ "$before" -ge "$most" ]; then
        say "stopped with a checkpoint, but requeued $before times before:" \
            "submit it again to go on"
        return
    fi
    say "stopped with a checkpoint: requeue $((before + 1)) of at most $most"
    trap '' USR1 TERM # requeue sends TERM to this script
    scontrol requeue "$SLURM_JOB_ID" ||
        say "not requeued: submit it again to go on"
}

# sb_run SUBCOMMAND [--option VALUE]...   run it, requeue if it was stopped by
# the notice (exit code 75), end the job with its exit code.
sb_run() {
    local rc
    "${launcher[@]}" "$shardbert" "$@" <&0 &
    step=$!
    while # a signal to this script ends the wait, not the step
        signal='' rc=0
        wait "$step" || rc=$?
        [ -n "$signal" ]
    do :; done
    step=
    # All ranks leave with 75 but not in the same instant: kill-on-bad-exit may
    # have caught the last ones with TERM.
    if [ -n "$noticed" ] && [ "$rc" = 143 ]; then rc=75; fi
    if [ "$rc" = 75 ] && [ -z "$cancelled" ]; then requeue; fi
    exit "$rc"
}
