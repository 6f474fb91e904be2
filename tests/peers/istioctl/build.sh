#!/bin/sh
# Builds the istioctl that the interoperability tests run, of the same istio as the istiod beside it, and prints the path
# of the program.
# usage: build.sh [--path]      --path: only print where it is or would be
#
# It is kept in $XDG_CACHE_HOME/ztunnel-build/; older ones are removed. The first build takes four minutes on two cores
# and 1 GB of modules from the Go module proxy.
set -eu
cd "$(dirname "$0")"
version=$(awk '$1 == "istio.io/istio" { print $2 }' ../istiod/go.mod)
base=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ztunnel-build
out=$base/istioctl-$version

if [ "${1:-}" = --path ] || [ -x "$out" ]; then echo "$out"; exit 0; fi
command -v go >/dev/null || { echo "build.sh: go is missing; install Go 1.26 or later" >&2; exit 2; }

mkdir -p "$base"
work=$(mktemp -d "$base/building.XXXXXX")
trap 'rm -rf "$work"' EXIT
GOBIN=$work GOFLAGS=-buildvcs=false nice -n 19 go install -p 1 -ldflags "-s -w" \
  "istio.io/istio/istioctl/cmd/istioctl@$version"
rm -f "$base"/istioctl-*
mv "$work/istioctl" "$out"
echo "$out"
