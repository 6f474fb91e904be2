#!/usr/bin/env bash
# start_node.sh N: in the namespaces of the control plane, makes the network link of node N and starts its process 1.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
n=$1
mkdir -p /run/netns
ip netns add "node$n"
ip link add "veth$n" type veth peer name eth0 netns "node$n"
ip link set "veth$n" master br0 up
ip route replace "10.67.$n.0/24" via "10.66.0.1$n"
# The node's part of every hierarchy of control groups becomes the root of its namespace.
for controller in $CONTROLLERS; do echo 0 > "/run/cgroup/$controller/$GROUP/node$n/cgroup.procs"; done
exec nsenter --net="/run/netns/node$n" unshare --mount --uts --ipc --pid --cgroup --fork --kill-child --mount-proc \
  "$here/node.sh" "$n"
