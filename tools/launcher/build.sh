#!/bin/sh
# Makes the executable that starts the runtime.
#
# usage: tools/launcher/build.sh unpack|folder PARTS OUT PERMISSIONS FLAG...
#   unpack: OUT carries the files of the folder PARTS (deno, ztunnel.js, libssl.so) and unpacks them on its first start
#   folder: OUT starts the files that lie beside it
#   PERMISSIONS: the macros that `tools/product_flags.ts --header` prints
#   FLAG... go to `deno run`
#
# Linked statically, so that it runs wherever the runtime does. Needs a C compiler and zlib with its headers
# (Debian: gcc, libc6-dev, zlib1g-dev). For another machine: its compiler in $CC, and where its zlib is in $CPPFLAGS and
# $LDFLAGS.
set -eu
form=$1 parts=$2 out=$3 permissions=$4
shift 4
here=$(dirname "$0")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

cp "$permissions" "$work/permissions_table.h"
digest() { sha256sum "$1" | cut -c1-64; }
{
  printf '#define FLAGS'
  for flag in "$@"; do printf ' "%s",' "$flag"; done
  echo
} > "$work/flags.h"

compile() {
  # shellcheck disable=SC2086 # flags are words
  ${CC:-cc} -std=gnu11 -O2 -Wall -Wextra -Werror -static -s -I "$work" ${CPPFLAGS:-} -o "$work/exe" "$@" ${LDFLAGS:-} || {
    echo "build.sh: the launcher needs a C compiler, libc.a and libz.a (Debian: gcc, libc6-dev, zlib1g-dev; for arm64 on" >&2
    echo "another machine gcc-aarch64-linux-gnu and libc6-dev-arm64-cross)" >&2
    exit 1
  }
}

case $form in
  folder) compile "$here/launcher.c" "$here/permissions.c" ;;
  unpack)
    # The folder is named by the digests of the parts, so the same program has the same folder, whatever gzip produced.
    # shellcheck disable=SC2035 # no part has a name that begins with a dash
    (cd "$parts" && for name in *; do echo "{\"$name\", $(stat -c %s "$name"), \"$(digest "$name")\"},"; done) > "$work/list"
    (cd "$parts" && cat -- *) | gzip -6n > "$work/payload"
    {
      echo "#define PARTS $(tr '\n' ' ' < "$work/list")"
      echo "#define ID \"$(digest "$work/list" | cut -c1-16)\""
      echo "#define PAYLOAD_SIZE $(stat -c %s "$work/payload")"
    } > "$work/payload.h"
    compile -DUNPACKS "$here"/launcher.c "$here"/permissions.c "$here"/unpack.c "$here"/private_folder.c "$here"/sha256.c -lz
    cat "$work/payload" >> "$work/exe"
    ;;
  *) echo "build.sh: \"$form\" must be unpack or folder" >&2; exit 2 ;;
esac
mv "$work/exe" "$out"
