#!/bin/sh
# Builds OpenSSL 3.5 (long-term line) as one shared library that serves as libssl and libcrypto.
# usage: tools/build_openssl.sh [OUT [x86_64|aarch64]]
#   OUT      $XDG_CACHE_HOME/ztunnel-build/libopenssl35.so by default
#   the machine that it is for; this one by default. For the other one its C compiler is needed (Debian:
#   gcc-aarch64-linux-gnu, libc6-dev-arm64-cross).
#
# The sources come from the crate registry (crate openssl-src, which carries OpenSSL's own tree), so cargo, perl, make
# and a C compiler are needed; nothing is downloaded when OUT is already there.
set -eu
base=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ztunnel-build
out=${1:-$base/libopenssl35.so}
machine=${2:-$(uname -m)}
prefix=
[ "$machine" = "$(uname -m)" ] || prefix=$machine-linux-gnu-
# OpenSSL contains the time of its build.
export SOURCE_DATE_EPOCH=0
crate=300.5.5+3.5.5
checksum=3f1787d533e03597a7934fd0a765f0d28e94ecc5fb7789f8053b1e699a56f709 # SHA-256 of that crate's file

if [ -f "$out" ]; then echo "$out"; exit 0; fi
cc=cc
[ -z "$prefix" ] || cc=${prefix}gcc
for tool in cargo perl make "$cc"; do
  command -v "$tool" >/dev/null || { echo "build_openssl: $tool is missing; the system's libssl.so.3 is used instead" >&2; exit 2; }
done
case $machine in
  x86_64) target=linux-x86_64 ;;
  aarch64) target=linux-aarch64 ;;
  *) echo "build_openssl: no target for $machine" >&2; exit 2 ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$base" "$work/fetch/src"
cat > "$work/fetch/Cargo.toml" <<T
[package]
name = "fetch"
version = "0.0.0"
edition = "2021"
[dependencies]
openssl-src = "=$crate"
T
echo > "$work/fetch/src/lib.rs"
(cd "$work/fetch" && cargo vendor --quiet vendor >/dev/null)
# The checksum that cargo has verified the file against.
grep -q "\"package\":\"$checksum\"" "$work/fetch/vendor/openssl-src/.cargo-checksum.json" || {
  echo "build_openssl: the crate openssl-src $crate does not have the SHA-256 $checksum" >&2
  exit 1
}
cp -r "$work/fetch/vendor/openssl-src/openssl" "$work/openssl"
cd "$work/openssl"
# Room for records that an engine encrypts side by side, in each session: 10 KB, and there are no engines here.
sed -i 's/^#define SSL_MAX_PIPELINES 32$/#define SSL_MAX_PIPELINES 1/' include/openssl/ssl.h.in
grep -q '^#define SSL_MAX_PIPELINES 1$' include/openssl/ssl.h.in
perl ./Configure "$target" ${prefix:+"--cross-compile-prefix=$prefix"} no-shared no-module no-legacy no-tests no-docs no-apps no-engine -fPIC >"$work/log" 2>&1 &&
  make -j"$(nproc)" build_libs >>"$work/log" 2>&1 || { tail -20 "$work/log" >&2; exit 1; }
# Calls within the library need no table then: a tenth of a handshake.
"$cc" -shared -o "$work/lib.so" -Wl,-Bsymbolic -Wl,--whole-archive libssl.a libcrypto.a -Wl,--no-whole-archive -lpthread -ldl
"${prefix}strip" --strip-unneeded "$work/lib.so"
mv "$work/lib.so" "$out"
echo "$out"
