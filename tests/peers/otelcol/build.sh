#!/bin/sh
# Builds the OpenTelemetry collector that the interoperability tests run, and prints the path of the program.
# usage: build.sh [--path]      --path: only print where it is or would be
#
# It is kept in $XDG_CACHE_HOME/ztunnel-build/, one for each state of the sources; older ones are removed. The first
# build takes half a minute on two cores and 60 MB of modules from the Go module proxy.
set -eu
cd "$(dirname "$0")"
base=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ztunnel-build
state=$(cat ./*.go go.mod go.sum | sha256sum | cut -c 1-12)
out=$base/otelcol-$state

if [ "${1:-}" = --path ] || [ -x "$out" ]; then echo "$out"; exit 0; fi
command -v go >/dev/null || { echo "build.sh: go is missing; install Go 1.26 or later" >&2; exit 2; }

mkdir -p "$base"
work=$(mktemp -d "$base/building.XXXXXX")
trap 'rm -rf "$work"' EXIT
nice -n 19 go build -p 1 -buildvcs=false -ldflags "-s -w" -o "$work/otelcol" .
rm -f "$base"/otelcol-*
mv "$work/otelcol" "$out"
echo "$out"
