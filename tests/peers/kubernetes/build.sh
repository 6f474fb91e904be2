#!/usr/bin/env bash
# Builds what a Kubernetes of the tests consists of (tests/kubernetes), and prints the folder that holds it.
# usage: build.sh [--path]      --path: only print where it is or would be
#
# In the folder: `bin` (Kubernetes, CoreDNS, Istio's programs, the application), `debian` (containerd, runc, CNI plugins),
# `etcd`, and `images` (archives as `docker save` makes them; the product's image is made by each run of the tests).
#
# It is kept in $XDG_CACHE_HOME/ztunnel-build/, one for each state of the sources; older ones are removed. The first build
# compiles Kubernetes and istiod: about 15 minutes of CPU time and 3 GB of modules from the Go module proxy. A build that
# was interrupted goes on where it stopped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
here=$PWD
base=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ztunnel-build
state=$(cat ./*/*.go ./*/go.mod ./*/go.sum pause.c images.sh | sha256sum | cut -c 1-12)
built=$base/kubernetes-$state
out=$base/building-kubernetes-$state
kubernetes=1.36.1

if [ "${1:-}" = --path ] || [ -d "$built" ]; then echo "$built"; exit 0; fi
for tool in go gcc apt-get dpkg perl; do
  command -v "$tool" >/dev/null || { echo "build.sh: $tool is missing; it needs Debian, Go 1.26 or later and gcc" >&2; exit 2; }
done
mkdir -p "$out"/{bin,images}

# build FOLDER PACKAGE FLAGS...: cgo stays on and paths are kept, so that what the other peers compiled is used again.
build() {
  local folder=$1 package=$2; shift 2
  [ -x "$out/bin/${package##*/}" ] && return
  echo "building ${package##*/}" >&2
  nice -n 19 go build -C "$here/$folder" -p 1 -mod=mod -buildvcs=false "$@" -o "$out/bin/" "$package"
}

programs() {
  local name version=k8s.io/component-base/version
  [ -x "$out/bin/pause" ] || gcc -static -Os -s -o "$out/bin/pause" pause.c
  build hyper ztunnel/tests/peers/kubernetes/hyper \
    -ldflags "-s -w -X $version.gitVersion=v$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=36 -X $version.gitTreeState=clean"
  for name in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl; do
    ln -sf hyper "$out/bin/$name"
  done
  build coredns ztunnel/tests/peers/kubernetes/coredns -ldflags "-s -w"
  CGO_ENABLED=0 build app ztunnel/tests/peers/kubernetes/app -ldflags "-s -w"
  for name in pilot/cmd/pilot-discovery cni/cmd/install-cni cni/cmd/istio-cni istioctl/cmd/istioctl; do
    build istio "istio.io/istio/$name" -ldflags "-s -w"
  done
}

# shellcheck source=images.sh
. ./images.sh
debian_programs
programs
peer_images
rm -rf "$base"/kubernetes-*
mv "$out" "$built"
echo "$built"
