#!/usr/bin/env bash
# Process 1 of node N (start_node.sh starts it), with mounts, processes, network and control groups of its own: containerd,
# kubelet and kube-proxy.
set -euo pipefail
n=$1 home=$LAB/node$1
hostname "node$n"
mount --make-rprivate /
umount -l /run/cgroup # the kubelet takes its paths from the first mount that it finds
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
for controller in $CONTROLLERS; do
  mkdir "/sys/fs/cgroup/$controller"
  type=$controller
  [ "$controller" != systemd ] || type=none,name=systemd
  mount -t cgroup -o "$type" cgroup "/sys/fs/cgroup/$controller"
done
mkdir -p "$home"/{lib,etc,work,opt}
mount -t overlay -o "lowerdir=/etc,upperdir=$home/etc,workdir=$home/work" overlay /etc
mount --bind "$home/lib" /var/lib
mount -t tmpfs -o mode=755,size=64m tmpfs /var/log # small, so that a test can fill the disk of the pods' logs
mount -t tmpfs -o mode=755 tmpfs /run
mount --bind "$home/opt" /opt # istio-cni puts its plugin here
mount --make-rshared /
mkdir -p /opt/cni/bin /run/netns /etc/cni/net.d
cp "$BUILT"/debian/usr/lib/cni/{ptp,host-local,portmap,loopback} /opt/cni/bin/

ip link set lo up
ip addr add "10.66.0.1$n/24" dev eth0
ip link set eth0 up
ip route add default via 10.66.0.1
for other in $NODES; do
  [ "$other" = "$n" ] || ip route add "10.67.$other.0/24" via "10.66.0.1$other"
done
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0

cat > /etc/cni/net.d/10-lab.conflist <<J
{"cniVersion": "1.0.0", "name": "lab", "plugins": [
  {"type": "ptp", "ipMasq": false, "mtu": 1500,
   "ipam": {"type": "host-local", "dataDir": "/run/cni-ipam", "routes": [{"dst": "0.0.0.0/0"}],
            "ranges": [[{"subnet": "10.67.$n.0/24"}]]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
J
# restrict_oom_score_adj: not every machine has the capability SYS_RESOURCE, without which it cannot be lowered.
cat > /run/containerd.toml <<T
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
oom_score = 0
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/lab/pause:1"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "$BUILT/debian/usr/sbin/runc"
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
T
cat > /run/kubelet.yaml <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 0.0.0.0
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $LAB/pki/ca.pem}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
failCgroupV1: false
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
clusterDNS: [10.68.0.10]
clusterDomain: cluster.local
resolvConf: /etc/resolv.conf
failSwapOn: false
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
maxPods: 200
registerNode: true
nodeStatusUpdateFrequency: 10s
syncFrequency: 10s
Y
export PATH=$BUILT/debian/usr/sbin:$BUILT/debian/usr/bin:$PATH
start() { local name=$1; shift; "$@" >"$LAB/log/node$n-$name.log" 2>&1 </dev/null & }
start containerd containerd --config /run/containerd.toml
until [ -S /run/containerd/containerd.sock ]; do sleep 0.1; done
start kubelet "$BUILT/bin/kubelet" --config=/run/kubelet.yaml --kubeconfig="$LAB/pki/node$n.conf" \
  --hostname-override="node$n" --node-ip="10.66.0.1$n"
start kube-proxy "$BUILT/bin/kube-proxy" --kubeconfig="$LAB/pki/kube-proxy.conf" --hostname-override="node$n" \
  --cluster-cidr=10.67.0.0/16 --proxy-mode=iptables --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 \
  --conntrack-tcp-timeout-close-wait=0
exec "$BUILT/bin/pause"
