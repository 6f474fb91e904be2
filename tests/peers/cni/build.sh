#!/bin/sh
# Builds the node agent of Istio that the interoperability tests run, and prints the path of the program.
# usage: build.sh [--path]      --path: only print where it is or would be
#
# It is kept in $XDG_CACHE_HOME/ztunnel-build/, one for each state of the sources; older ones are removed. Most of what
# it compiles is what istiod (`../istiod`) needs too.
set -eu
cd "$(dirname "$0")"
base=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ztunnel-build
state=$(cat ./*.go ./*.s go.mod go.sum | sha256sum | cut -c 1-12)
out=$base/cni-$state

if [ "${1:-}" = --path ] || [ -x "$out" ]; then echo "$out"; exit 0; fi
command -v go >/dev/null || { echo "build.sh: go is missing; install Go 1.26 or later" >&2; exit 2; }

mkdir -p "$base"
work=$(mktemp -d "$base/building.XXXXXX")
trap 'rm -rf "$work"' EXIT
nice -n 19 go build -p 1 -buildvcs=false -ldflags "-s -w" -o "$work/cni" .
rm -f "$base"/cni-*
mv "$work/cni" "$out"
echo "$out"
