#!/bin/sh
# Builds AWS-LC as one shared library that serves as libssl and libcrypto.
# usage: tools/build_aws_lc.sh [OUT [x86_64|aarch64]]
#   OUT      $XDG_CACHE_HOME/ztunnel-build/libaws-lc.so by default
#   the machine that it is for; this one by default. For the other one its compilers are needed (Debian:
#   gcc-aarch64-linux-gnu, g++-aarch64-linux-gnu, libc6-dev-arm64-cross).
#
# The sources come from the crate registry (crate aws-lc-sys, which carries AWS-LC's own tree), so cargo, cmake, make, a C
# and a C++ compiler are needed; nothing is downloaded when OUT was made by this version of this file. Beside it come
# OUT.LICENSE, the text of its licences, and OUT.recipe, the checksum of this file. The same compilers make the same bytes.
set -eu
base=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ztunnel-build
out=${1:-$base/libaws-lc.so}
machine=${2:-$(uname -m)}
prefix=
[ "$machine" = "$(uname -m)" ] || prefix=$machine-linux-gnu-
version=5.12.0
crate=0.47.0 # which contains that version
checksum=8bfbe32ac36b3c428696ce315464181bc4029d689fd58e3f2a4e58c252242f52 # SHA-256 of that crate's file

recipe=$(sha256sum < "$0")
if [ -f "$out" ] && [ "$(cat "$out.recipe" 2>/dev/null)" = "$recipe" ]; then echo "$out"; exit 0; fi
cc=cc cxx=c++
[ -z "$prefix" ] || { cc=${prefix}gcc cxx=${prefix}g++; }
for tool in cargo cmake make "$cc" "$cxx"; do
  command -v "$tool" >/dev/null || { echo "build_aws_lc: $tool is missing" >&2; exit 2; }
done
case $machine in
  x86_64 | aarch64) ;;
  *) echo "build_aws_lc: no target for $machine" >&2; exit 2 ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$base" "$work/fetch/src" "$work/build"
cat > "$work/fetch/Cargo.toml" <<T
[package]
name = "fetch"
version = "0.0.0"
edition = "2021"
[dependencies]
aws-lc-sys = "=$crate"
T
echo > "$work/fetch/src/lib.rs"
(cd "$work/fetch" && cargo vendor --quiet vendor >/dev/null)
# The checksum that cargo has verified the file against.
grep -q "\"package\":\"$checksum\"" "$work/fetch/vendor/aws-lc-sys/.cargo-checksum.json" || {
  echo "build_aws_lc: the crate aws-lc-sys $crate does not have the SHA-256 $checksum" >&2
  exit 1
}
mv "$work/fetch/vendor/aws-lc-sys/aws-lc" "$work/aws-lc"

# A client predicts the first group only, as with OpenSSL and rustls. A second one, post-quantum, would be a key pair and
# 1.2 KB more in each ClientHello: a tenth of a handshake. Other groups work as before, after a HelloRetryRequest.
predicts='is_post_quantum_group(group_id)'
sed -i "s/if ($predicts != is_post_quantum_group(groups\[i\]))/if ($predicts \&\& !is_post_quantum_group(groups[i]))/" \
  "$work/aws-lc/ssl/extensions.cc"
grep -q "if ($predicts && !is_post_quantum" "$work/aws-lc/ssl/extensions.cc"

# Error messages contain the paths of source files.
flags="-ffile-prefix-map=$work=."
# The tree contains what Go and Perl would generate, assembler above all. Two static libraries, since the shared ones
# of AWS-LC would be two that call each other through tables. Seeds come from the kernel and the CPU's random numbers: a
# third source, the jitter of its clock, would take 20 to 30 ms of the first handshake.
set -- -G "Unix Makefiles" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" \
  -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags" -DCMAKE_ASM_FLAGS="$flags" \
  -DDISABLE_GO=ON -DDISABLE_PERL=ON -DBUILD_TESTING=OFF -DBUILD_TOOL=OFF \
  -DBUILD_SHARED_LIBS=OFF -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DDISABLE_CPU_JITTER_ENTROPY=ON
[ -z "$prefix" ] || set -- "$@" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="$machine"
cd "$work/build"
cmake "$@" ../aws-lc >"$work/log" 2>&1 && make -j"$(nproc)" crypto ssl >>"$work/log" 2>&1 || {
  tail -20 "$work/log" >&2
  exit 1
}
# Calls within the library need no table then. The C compiler links, as nothing of the C++ library is used: a symbol of it
# would be an error here, and the image does not have that library.
"$cc" -shared -o "$work/lib.so" -Wl,-Bsymbolic -Wl,-z,defs \
  -Wl,--whole-archive ssl/libssl.a crypto/libcrypto.a -Wl,--no-whole-archive -lpthread
"${prefix}strip" --strip-unneeded "$work/lib.so"
grep -q "AWS-LC $version" "$work/lib.so" || { echo "build_aws_lc: the crate aws-lc-sys $crate is not AWS-LC $version" >&2; exit 1; }
cp "$work/aws-lc/LICENSE" "$out.LICENSE"
mv "$work/lib.so" "$out"
echo "$recipe" > "$out.recipe"
echo "$out"
