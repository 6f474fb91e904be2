#!/usr/bin/env bash
# rust_image.sh BUILT FOLDER NAME EXECUTABLE: an image of a Rust ztunnel.
set -euo pipefail
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
out=$1 IMAGES=$2
# shellcheck source=../../tests/peers/kubernetes/images.sh
. "$project/tests/peers/kubernetes/images.sh"
work=$(mktemp -d "$out/rust.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp -al "$out/root-trixie" "$work/root"
chmod 755 "$work/root"
cp "$4" "$work/root/usr/local/bin/ztunnel"
image "$3" "$work/root" '["/usr/local/bin/ztunnel"]'
