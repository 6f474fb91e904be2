#!/bin/sh
# Builds the helm that renders charts in the tests, puts Istio's and Cilium's charts beside it, and prints the path of
# the program.
# usage: build.sh [--path]      --path: only print where it is or would be
#
# It is kept in $XDG_CACHE_HOME/ztunnel-build/helm-STATE/, one for each state of the versions; older ones are removed:
#   helm            the program
#   charts/istio    the chart `ztunnel` of Istio, at the version in ../istiod/go.mod
#   charts/cilium   the chart of Cilium, at the version in cilium/go.mod
#
# The libraries have the versions of the istiod where both use one, so that each is compiled once. After istioctl, which
# contains most of them, the build takes 20 seconds of CPU, alone two minutes.
set -eu
cd "$(dirname "$0")"
base=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ztunnel-build
istio=$(awk '$1 == "istio.io/istio" { print $2 }' ../istiod/go.mod)
state=$({ cat go.mod go.sum cilium/go.mod cilium/go.sum; echo "$istio"; } | sha256sum | cut -c 1-12)
out=$base/helm-$state

if [ "${1:-}" = --path ] || [ -x "$out/helm" ]; then echo "$out/helm"; exit 0; fi
command -v go >/dev/null || { echo "build.sh: go is missing; install Go 1.26 or later" >&2; exit 2; }

mkdir -p "$base"
work=$(mktemp -d "$base/building.XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

# module FOLDER PATH@VERSION: downloads a Go module, checks it against go.sum in FOLDER, and prints its folder.
module() {
  (cd "$1" && go mod download -json "$2") | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'
}
mkdir "$work/charts"
cp -r "$(module ../istiod "istio.io/istio@$istio")/manifests/charts/ztunnel" "$work/charts/istio"
cilium=$(awk '$1 == "require" { print $2 "@" $3 }' cilium/go.mod)
cp -r "$(module cilium "$cilium")/install/kubernetes/cilium" "$work/charts/cilium"
chmod -R u+w "$work/charts"

nice -n 19 go build -p 1 -buildvcs=false -ldflags "-s -w" -o "$work/helm" helm.sh/helm/v4/cmd/helm
rm -rf "$base"/helm-*
mv "$work" "$out"
trap - EXIT
echo "$out/helm"
