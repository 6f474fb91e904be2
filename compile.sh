#!/bin/sh
# Makes one executable of the proxy: the runtime, the program and, where one was built, a TLS library.
#
# usage: ./compile.sh [-o OUT] [-f unpack|folder] [-a x86_64|aarch64] [-b FOLDER] [-e ENTRY]
#   -o  where to write it; dist/ztunnel by default
#   -f  unpack: one file that unpacks itself on its first start; the default
#       folder: the parts as files in the folder OUT, with a program that starts them; for a container image
#   -a  the machine that it is for; this one by default
#   -b  takes the JavaScript of an earlier result in the form "folder", of another machine; not bundled again
#   -e  the main module; main.ts by default
#
# In the bundle the words @ZTUNNEL_VERSION@, @ZTUNNEL_REVISION@ and @ZTUNNEL_STATUS@ become what tools/stamp.sh prints, and
# @ZTUNNEL_TLS@ the kind of TLS library: aws-lc or openssl.
#
# The TLS library is $BUNDLED_TLS_LIBRARY, or what tools/build_aws_lc.sh left in the cache for this machine, or what
# tools/build_openssl.sh did. Without it, and with BUNDLED_TLS_LIBRARY=none, the executable uses the system's libssl.so.3.
#
# Both are started by tools/launcher, which needs a C compiler and zlib (Debian: gcc, libc6-dev, zlib1g-dev; for the
# other machine gcc-aarch64-linux-gnu and libc6-dev-arm64-cross, and its zlib in $CPPFLAGS and $LDFLAGS). For x86-64, TLS
# library included, the single file has 45 MB, takes 1 s for its first start and 0.1 s for later ones.
#
# The same tree, runtime and C compiler give the same bytes, wherever the tree lies.
#
# `deno compile` is not used. Its executables keep compiled code and the TLS library in the temporary folder under
# predictable names, and use files that exist there without checking their owner: any local user could run code as root.
# The first can be switched off (--no-code-cache), the second cannot, and the place cannot be configured. It also needs
# a runtime of its own that no package registry has, so its build could not be tested in a clean clone.
set -eu
cd "$(dirname "$0")"

# They isolate the build from the surroundings. The other runtime flags are those of lab/product_flags.ts.
sealed_flags="--no-config --no-lock --no-remote --no-npm --cached-only"

host=$(uname -m)
out=dist/ztunnel form=unpack entry=main.ts machine=$host bundled=
while getopts o:f:a:b:e: option; do
  case $option in
    o) out=$OPTARG ;;
    f) form=$OPTARG ;;
    a) machine=$OPTARG ;;
    b) bundled=$OPTARG ;;
    e) entry=$OPTARG ;;
    *) exit 2 ;;
  esac
done
case $form in
  unpack | folder) ;;
  *) echo "compile.sh: -f \"$form\" must be unpack or folder" >&2; exit 2 ;;
esac
case $machine in
  x86_64) package=@deno/linux-x64-glibc ;;
  aarch64) package=@deno/linux-arm64-glibc ;;
  *) echo "compile.sh: -a \"$machine\" must be x86_64 or aarch64" >&2; exit 2 ;;
esac

deno_version=2.9.6
if deno --version 2>/dev/null | grep -q "^deno $deno_version "; then
  runtime() { deno "$@"; }
else
  runtime() { npm_config_ignore_scripts=true npx -y "deno@$deno_version" "$@"; }
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
parts=$work/parts
mkdir -p "$parts" "$(dirname "$out")"

# The runtime that bundles the program and goes into the result is identified by its SHA-256 in the repository: those of
# the program `deno` in the npm packages @deno/linux-x64-glibc and @deno/linux-arm64-glibc of that version.
add_runtime() {
  if [ "$machine" = "$host" ]; then
    cp "$(runtime eval 'console.log(Deno.execPath())')" "$parts/deno"
  else
    (cd "$work" && npm pack --silent --prefer-offline "$package@$deno_version" >/dev/null && tar -xzf deno-*.tgz package/deno)
    mv "$work/package/deno" "$parts/deno"
  fi
  chmod 755 "$parts/deno"
  want=$(sed -n "s/ *$machine\$//p" tools/runtime.sha256)
  got=$(sha256sum "$parts/deno" | cut -c1-64)
  [ "$got" = "$want" ] && return
  echo "compile.sh: the runtime deno $deno_version for $machine has SHA-256 $got, and must have ${want:-none, as it is not known}" >&2
  echo "(tools/runtime.sha256). A deno in PATH that is another build of that version must be taken out of PATH." >&2
  exit 1
}

# JavaScript with the npm packages, as deno.lock has them: ztunnel.js and, for each dynamic import, a file beside it, so
# that an isolate loads its own half and the runtime's modules that this half uses. Workers begin with ztunnel.js too.
# Its first lines set the path of the TLS library beside it.
#
# The bundle contains the paths of all files, relative to the tree, so it is made in a copy with its own node_modules.
bundle() {
  if [ -n "$bundled" ]; then cp "$bundled"/*.js "$parts"; return; fi
  tree=$work/tree
  mkdir -p "$tree/$(dirname "$entry")"
  cp -r src proto main.ts deno.json deno.lock "$tree"
  cp "$entry" "$tree/$entry"
  (cd "$tree" && runtime bundle --quiet --frozen-lockfile --node-modules-dir=auto --check --platform browser \
    --code-splitting --outdir "$work/bundle" "$entry")
  main=$(basename "$entry" .ts).js
  stamp=$(tools/stamp.sh)
  eval "$stamp"
  # The runtime reads every file that a dynamic import names, and each isolate keeps their texts: 5 MB. Where the name is
  # computed it is read when it is imported. Comments are the only text that is not ASCII, and the engine would keep a file
  # with one such character in two bytes each.
  for file in "$work"/bundle/*.js; do
    sed -e "s|@ZTUNNEL_VERSION@|$VERSION|" -e "s|@ZTUNNEL_REVISION@|$REVISION|" -e "s|@ZTUNNEL_STATUS@|$STATUS|" \
      -e "s|@ZTUNNEL_TLS@|$tls|" -e 's|import("\(\./[^"]*\.js\)")|import(import.meta.resolve("\1"))|g' \
      < "$file" | LC_ALL=C tr -d '\200-\377' > "$parts/$(basename "$file")"
  done
  mv "$parts/$main" "$work/main.js"
  cat - "$work/main.js" > "$parts/ztunnel.js" <<'J'
try {
  const library = import.meta.dirname + "/libssl.so";
  if (Deno.statSync(library).isFile && !Deno.env.has("ZTUNNEL_BUNDLED_TLS_LIBRARY")) {
    Deno.env.set("ZTUNNEL_BUNDLED_TLS_LIBRARY", library);
  }
} catch { /* none came along */ }
J
}

# The page of the admin port, which is read when a browser asks for it.
add_page() {
  cp src/admin/dashboard.html src/admin/dashboard.css src/admin/dashboard.js "$parts/"
}

add_library() {
  tls=openssl
  library=${BUNDLED_TLS_LIBRARY:-}
  [ "$library" != none ] || return 0
  if [ -z "$library" ]; then
    [ "$machine" = "$host" ] || return 0
    cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ztunnel-build
    library=$cache/libaws-lc.so
    [ -f "$library" ] || library=$cache/libopenssl35.so
    [ -f "$library" ] || { echo "compile.sh: no TLS library built in; tools/build_aws_lc.sh makes one" >&2; return 0; }
  fi
  cp "$library" "$parts/libssl.so"
  chmod 644 "$parts/libssl.so"
  if grep -q AWS-LC "$library"; then tls=aws-lc; fi
}

launcher() {
  if [ "$machine" != "$host" ]; then export CC="${CC:-$machine-linux-gnu-gcc}"; fi
  runtime run --quiet --no-prompt --no-lock tools/product_flags.ts --header > "$work/permissions.h"
  # shellcheck disable=SC2086 # flags are words
  tools/launcher/build.sh "$form" "$parts" "$1" "$work/permissions.h" $sealed_flags
}

as_folder() {
  launcher "$parts/ztunnel"
  mkdir -p "$out"
  cp "$parts"/* "$out/"
}

add_runtime
add_library
bundle
add_page
case $form in
  folder) as_folder ;;
  unpack) launcher "$out" ;;
esac
echo "$out ($(du -sh --apparent-size "$out" | cut -f1))"
