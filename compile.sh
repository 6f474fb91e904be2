#!/bin/sh
# Makes one executable of the proxy: the runtime, the program and, where one was built, an OpenSSL 3.5 library.
#
# usage: ./compile.sh [-o OUT] [-f auto|compile|unpack|folder] [-e ENTRY]
#   -o  where to write it; dist/ztunnel by default
#   -f  compile: by `deno compile`, which downloads a runtime of its own the first time
#       unpack:  a shell header, and a packed runtime that unpacks itself on first start (tools/launcher.sh)
#       auto:    compile where that works, else unpack; the default
#       folder:  the parts as files in the folder OUT, with a script that starts them; for a container image
#   -e  the main module; src/main.ts by default
#
# In the bundle the words @ZTUNNEL_VERSION@, @ZTUNNEL_REVISION@ and @ZTUNNEL_STATUS@ become $VERSION (by default the
# revision, with -dirty where the tree was), the revision, and Clean or Modified.
#
# The TLS library is $OPENSSL_LIBRARY, or what tools/build_openssl.sh left in the cache. Without it the executable uses
# the system's libssl.so.3.
#
# The unpack form for x86-64, TLS library included, takes 43 MB, 0.8 s for its first start and 0.1 s for later ones.
set -eu
cd "$(dirname "$0")"

# V8: docs/spec/dataplane-speed.md 7. Everything from --no-config on keeps the surroundings out.
v8_flags=--max-semi-space-size=1,--no-parallel-scavenge
run_flags="-A --no-prompt --unstable-worker-options --v8-flags=$v8_flags"
sealed_flags="--no-config --no-lock --no-remote --no-npm --cached-only"

out=dist/ztunnel form=auto entry=src/main.ts
while getopts o:f:e: option; do
  case $option in
    o) out=$OPTARG ;;
    f) form=$OPTARG ;;
    e) entry=$OPTARG ;;
    *) exit 2 ;;
  esac
done
case $form in
  auto | compile | unpack | folder) ;;
  *) echo "compile.sh: -f \"$form\" must be auto, compile, unpack or folder" >&2; exit 2 ;;
esac

deno_version=2.9.6
if deno --version 2>/dev/null | grep -q "^deno $deno_version "; then
  runtime() { deno "$@"; }
else
  runtime() { npx -y "deno@$deno_version" "$@"; }
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
parts=$work/parts
mkdir -p "$parts" "$(dirname "$out")"

# What `version` will say. VERSION, REVISION and STATUS from outside win, for builds without git.
stamp() {
  revision=${REVISION:-$(git rev-parse HEAD 2>/dev/null || echo unknown)}
  if [ -n "$(git status --porcelain 2>/dev/null)" ]; then status=Modified dirty=-dirty; else status=Clean dirty=; fi
  version=${VERSION:-$revision$dirty}
  sed -e "s|@ZTUNNEL_VERSION@|$version|" -e "s|@ZTUNNEL_REVISION@|$revision|" -e "s|@ZTUNNEL_STATUS@|${STATUS:-$status}|"
}

# One JavaScript file, npm packages included. Workers run the same file. The first lines tell it of the library beside it.
bundle() {
  runtime bundle --quiet --check --platform deno -o "$work/bundle.js" "$entry"
  stamp < "$work/bundle.js" > "$work/stamped.js"
  cat - "$work/stamped.js" > "$parts/ztunnel.js" <<'J'
try {
  const library = import.meta.dirname + "/libssl.so";
  if (Deno.statSync(library).isFile && !Deno.env.has("ZTUNNEL_BUNDLED_TLS_LIBRARY")) {
    Deno.env.set("ZTUNNEL_BUNDLED_TLS_LIBRARY", library);
  }
} catch { /* none came along */ }
J
}

add_library() {
  library=${OPENSSL_LIBRARY:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ztunnel-build/libopenssl35.so}
  if [ -f "$library" ]; then
    cp "$library" "$parts/libssl.so"
    chmod 644 "$parts/libssl.so"
  else
    echo "compile.sh: no TLS library built in; tools/build_openssl.sh makes one" >&2
  fi
}

# Fails quietly where the runtime for executables cannot be had; what it makes must start.
by_deno_compile() {
  set --
  [ -f "$parts/libssl.so" ] && set -- --include "$parts/libssl.so"
  # shellcheck disable=SC2086 # flags are words
  runtime compile --quiet $run_flags --no-config --no-lock --no-check "$@" -o "$work/exe" "$parts/ztunnel.js" >"$work/log" 2>&1 &&
    "$work/exe" version >>"$work/log" 2>&1 || return 1
  mv "$work/exe" "$out"
}

add_runtime() {
  cp "$(runtime eval 'console.log(Deno.execPath())')" "$parts/deno"
  chmod 755 "$parts/deno"
}

# The header has a fixed size, so that it can name the place where the payload begins.
by_unpacking() {
  header_size=4096
  add_runtime
  (cd "$parts" && tar --owner=0 --group=0 --numeric-owner --mtime=@0 -cf - -- *) | gzip -6n > "$work/payload"
  id=$(sha256sum "$work/payload" | cut -c1-16)
  sed -e "s|@ID@|$id|" -e "s|@OFFSET@|$((header_size + 1))|" -e "s|@FLAGS@|$run_flags $sealed_flags|" tools/launcher.sh > "$work/header"
  [ "$(wc -c < "$work/header")" -le "$header_size" ] || { echo "compile.sh: launcher.sh is longer than $header_size bytes" >&2; exit 1; }
  truncate -s "$header_size" "$work/header"
  cat "$work/header" "$work/payload" > "$work/exe"
  chmod 755 "$work/exe"
  mv "$work/exe" "$out"
}

as_folder() {
  add_runtime
  cat > "$parts/ztunnel" <<S
#!/bin/sh
home=\$(dirname -- "\$(readlink -f -- "\$0")")
export DENO_DIR="\$home/cache" DENO_NO_UPDATE_CHECK=1
exec "\$home/deno" run $run_flags $sealed_flags "\$home/ztunnel.js" "\$@"
S
  chmod 755 "$parts/ztunnel"
  mkdir -p "$out"
  cp "$parts"/* "$out/"
}

bundle
add_library
case $form in
  folder) as_folder ;;
  compile) by_deno_compile || { cat "$work/log" >&2; exit 1; } ;;
  unpack) by_unpacking ;;
  auto) by_deno_compile || by_unpacking ;;
esac
echo "$out ($(du -sh --apparent-size "$out" | cut -f1))"
