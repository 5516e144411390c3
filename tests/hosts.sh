# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Hosts for tests that need several: network namespaces with a name, an address
# and a cable to a switch each. They share files and processes. Needs root.
# Source it behind lib.sh, in a folder of own_folder.

net=10.$((100 + $$ / 250 % 100)).$(($$ % 250))

# hosts_up N: hosts node1 to nodeN, or exit 77
hosts_up() {
    local i
    hosts=$1
    [ "$(id -u)" = 0 ] || skip "namespaces need root"
    ip netns add "sb$$-switch" 2>/dev/null || skip "no network namespaces here"
    trap 'hosts_down; leave_folder' EXIT
    ip -n "sb$$-switch" link add br0 type bridge
    ip -n "sb$$-switch" link set br0 up
    for ((i = 1; i <= hosts; i++)); do
        ip netns add "sb$$-node$i"
        ip -n "sb$$-switch" link add "p$i" type veth peer name eth0 netns "sb$$-node$i"
        ip -n "sb$$-switch" link set "p$i" master br0 up
        ip -n "sb$$-node$i" link set lo up
        ip -n "sb$$-node$i" addr add "$net.$i/24" dev eth0
        ip -n "sb$$-node$i" link set eth0 up
    done
    cat >agent <<AGENT
#!/bin/bash
# as ssh: HOST COMMAND...
host=\$1
shift
exec nsenter --net="/run/netns/sb$$-\$host" unshare --uts bash -c "hostname \$host; \$*"
AGENT
    chmod +x agent
}
skip() {
    echo "skipped: $*"
    exit 77
}
hosts_down() {
    local i
    for ((i = 1; i <= hosts; i++)); do
        ip netns pids "sb$$-node$i" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
        ip netns del "sb$$-node$i" 2>/dev/null || true
    done
    ip netns del "sb$$-switch" 2>/dev/null || true
}

# The cable is pulled, silently, and put back.
cut_host() { ip -n "sb$$-switch" link set "p${1#node}" nomaster; }
heal_host() { ip -n "sb$$-switch" link set "p${1#node}" master br0; }

# mpi_hosts RANKS-PER-HOST COMMAND...: mpirun on node1, over all hosts
mpi_hosts() {
    local slots=$1 i
    shift
    for ((i = 1; i <= hosts; i++)); do echo "node$i slots=$slots"; done >hostfile
    nsenter --net="/run/netns/sb$$-node1" unshare --uts bash -c 'hostname node1; exec "$@"' x \
        env TMPDIR="$tmp" mpirun --hostfile hostfile --mca plm rsh --mca plm_rsh_agent "$tmp/agent" \
        --mca pml ob1 --mca btl self,vader,tcp --mca btl_tcp_if_include "$net.0/24" \
        --mca oob_tcp_if_include "$net.0/24" --mca mpi_yield_when_idle 1 --bind-to none \
        --mca btl_base_warn_component_unused 0 "${mpi_hosts_flags[@]}" -n $((slots * hosts)) "$@"
}
mpi_hosts_flags=()
