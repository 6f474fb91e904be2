/* The parts of the program as files: the runtime, the program and, where it was built in, a TLS library. */
#pragma once
#include <limits.h>

/*
 * The folder with the parts, which are unpacked there the first time: $ZTUNNEL_UNPACK_DIR; or for root
 * /var/cache/ztunnel, whoever's HOME it has; or for others the first that can be used of $XDG_CACHE_HOME, $HOME/.cache
 * and $TMPDIR or /tmp. In it each version has a folder of its own, named after the digest of its parts. Fails where
 * others could change what lies there, and where the files are not those that were packed.
 */
void unpacked_home(char home[PATH_MAX]);
