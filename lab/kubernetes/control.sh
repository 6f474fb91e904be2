#!/usr/bin/env bash
# Process 1 of the cluster's own namespaces (started by cluster.ts): the control plane on 10.66.0.1, and the nodes as nested
# namespaces that a bridge joins to it. When this process ends, all of the cluster ends.
# Environment: LAB (folder of this cluster), BUILT (what tests/peers/kubernetes has built), GROUP, CONTROLLERS, NODES.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
pki=$LAB/pki
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/etcd /run/cgroup
# sysfs of the new network namespace; the control groups move to where the nodes find them.
mount --rbind /sys/fs/cgroup /run/cgroup
umount -l /sys/fs/cgroup
mount -t sysfs sysfs /sys
ip link set lo up
ip link add br0 type bridge
ip addr add 10.66.0.1/24 dev br0
ip link set br0 up
hostname control
sysctl -qw net.ipv4.ip_forward=1

# start NAME COMMAND...: in the background, with a log. A program that ends is started again, as a service manager would: the
# controller manager ends when the API server has not made its roles within ten seconds.
start() {
  local name=$1; shift
  while :; do "$@" || sleep 1; done >"$LAB/log/$name.log" 2>&1 </dev/null &
}

start etcd "$BUILT/etcd/usr/bin/etcd" --unsafe-no-fsync --data-dir /run/etcd --listen-client-urls http://127.0.0.1:2379 \
  --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
start kube-apiserver "$BUILT/bin/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 --advertise-address=10.66.0.1 \
  --secure-port=6443 --tls-cert-file="$pki/apiserver.pem" --tls-private-key-file="$pki/apiserver.key" \
  --client-ca-file="$pki/ca.pem" --token-auth-file="$pki/tokens.csv" --authorization-mode=Node,RBAC \
  --service-cluster-ip-range=10.68.0.0/16 --service-account-issuer=https://kubernetes.default.svc.cluster.local \
  --service-account-key-file="$pki/sa.pub" --service-account-signing-key-file="$pki/sa.key" \
  --api-audiences=https://kubernetes.default.svc.cluster.local --enable-admission-plugins=NodeRestriction \
  --kubelet-client-certificate="$pki/kubelet-client.pem" --kubelet-client-key="$pki/kubelet-client.key" \
  --kubelet-preferred-address-types=InternalIP --allow-privileged=true --enable-aggregator-routing=true
start kube-controller-manager "$BUILT/bin/kube-controller-manager" --kubeconfig="$pki/kube-controller-manager.conf" \
  --service-account-private-key-file="$pki/sa.key" --root-ca-file="$pki/ca.pem" --use-service-account-credentials=true \
  --allocate-node-cidrs=false --leader-elect=false --cluster-signing-cert-file="$pki/ca.pem" \
  --cluster-signing-key-file="$pki/ca.key"
start kube-scheduler "$BUILT/bin/kube-scheduler" --kubeconfig="$pki/kube-scheduler.conf" --leader-elect=false

for n in $NODES; do "$here/start_node.sh" "$n" >"$LAB/log/node$n.log" 2>&1 </dev/null & done
exec "$BUILT/bin/pause"
