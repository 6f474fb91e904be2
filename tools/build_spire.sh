#!/bin/sh
# Builds the SPIRE programs that the interoperability tests run, from the Go module proxy.
# usage: tools/build_spire.sh [VERSION ...]      default: 1.13.3 and, for the broker API, 1.15.3
#
# Each version goes to $XDG_CACHE_HOME/ztunnel-build/spire-VERSION/ and stays there; what is there is not built again.
# Of versions above 1.13 the agent alone is built: it works with a server of 1.13, and one plug-in of the newer server
# depends on a module that the proxy refuses.
#
# Built inside the module's own folder, so with SPIRE's go.mod and go.sum. Needs a C compiler: the server's sqlite is
# cgo. About five minutes and 4 GB of Go caches, once.
set -eu
base=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ztunnel-build
[ $# -gt 0 ] || set -- 1.13.3 1.15.3

for tool in go cc; do
  command -v "$tool" >/dev/null || { echo "build_spire: $tool is missing; install Go 1.26.6 or later and gcc" >&2; exit 2; }
done

for version in "$@"; do
  out=$base/spire-$version
  case $version in
    1.13.*) programs="spire-server spire-agent" ;;
    *) programs="spire-agent" ;;
  esac
  missing=
  for program in $programs; do [ -x "$out/$program" ] || missing="$missing $program"; done
  if [ -n "$missing" ]; then
    echo "building$missing $version" >&2
    go mod download "github.com/spiffe/spire@v$version"
    sources=$(go env GOMODCACHE)/github.com/spiffe/spire@v$version
    mkdir -p "$out"
    work=$(mktemp -d "$base/building.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    for program in $missing; do
      CGO_ENABLED=1 nice -n 19 go build -C "$sources" -p 1 -buildvcs=false -ldflags "-s -w" -o "$work/" "./cmd/$program"
      mv "$work/$program" "$out/$program"
    done
    rm -rf "$work"
    trap - EXIT
  fi
  echo "$out"
done
