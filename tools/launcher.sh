#!/bin/sh
# ztunnel: a self-extracting program. Behind this text lies a gzip-compressed tar of the runtime, the program and, where
# it was built in, a TLS library. They are unpacked once, into a folder named after their hash, and run from there.
# ZTUNNEL_UNPACK_DIR says where; without it the first of these that works: XDG_CACHE_HOME, HOME/.cache, TMPDIR or /tmp.
set -eu
id=@ID@
payload_at=@OFFSET@

fail() { echo "ztunnel: $*" >&2; exit 1; }

# A folder is used only if it is ours alone: in a shared /tmp somebody else may have been first.
private() {
  (umask 077 && mkdir -p -- "$1") 2>/dev/null && [ ! -L "$1" ] && [ -O "$1" ] && [ -w "$1" ]
}

choose_base() {
  if [ -n "${ZTUNNEL_UNPACK_DIR:-}" ]; then
    private "$ZTUNNEL_UNPACK_DIR" || fail "ZTUNNEL_UNPACK_DIR \"$ZTUNNEL_UNPACK_DIR\" must be a writable folder of this user"
    base=$ZTUNNEL_UNPACK_DIR
    return
  fi
  for base in "${XDG_CACHE_HOME:+$XDG_CACHE_HOME/ztunnel}" "${HOME:+$HOME/.cache/ztunnel}" "${TMPDIR:-/tmp}/ztunnel-$(id -u)"; do
    if [ -n "$base" ] && private "$base"; then return; fi
  done
  fail "no writable folder to unpack into; set ZTUNNEL_UNPACK_DIR"
}

# Unpacks beside the goal and renames, so that a half-filled folder is never seen. Who loses a race uses the winner's.
unpack() {
  fresh=$(umask 077 && mktemp -d "$base/.new.XXXXXX")
  trap 'rm -rf "$fresh"' EXIT
  trap 'exit 1' HUP INT TERM
  tail -c "+$payload_at" -- "$self" | gzip -dc | tar -x -o -C "$fresh" -f -
  [ -x "$fresh/deno" ] || fail "$base does not allow programs (noexec); set ZTUNNEL_UNPACK_DIR"
  mv -T -- "$fresh" "$home" 2>/dev/null || [ -x "$home/deno" ] || fail "cannot rename $fresh to $home"
  rm -rf "$fresh"
  trap - EXIT HUP INT TERM
}

case $0 in
  */*) self=$0 ;;
  *) self=$(command -v -- "$0") ;;
esac
choose_base
home=$base/$id
[ -x "$home/deno" ] || unpack

# The cache holds compiled code, which makes every start but the first faster.
export DENO_DIR="$home/cache" DENO_NO_UPDATE_CHECK=1
exec "$home/deno" run @FLAGS@ "$home/ztunnel.js" "$@"
