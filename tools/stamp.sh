#!/bin/sh
# Prints what a build of this tree is called, as assignments for a shell:
#   VERSION            that of deno.json, followed by -dev unless this revision is clean and has the tag of that version
#   REVISION           the commit
#   STATUS             Clean or Modified
#   SOURCE_DATE_EPOCH  when the commit was made, in seconds; 0 without git
# Variables of these names from outside win, for builds without git.
set -eu
cd "$(dirname "$0")/.."
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
time=$(git log -1 --format=%ct 2>/dev/null || echo 0)
if [ -n "$(git status --porcelain 2>/dev/null)" ]; then status=Modified; else status=Clean; fi
number=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' deno.json)
tag=$(git describe --exact-match --tags HEAD 2>/dev/null || true)
[ "$status $tag" = "Clean v$number" ] || number=$number-dev
echo "VERSION=${VERSION:-$number}"
echo "REVISION=${REVISION:-$revision}"
echo "STATUS=${STATUS:-$status}"
echo "SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$time}"
