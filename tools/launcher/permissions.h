/* The runtime's flags that say what the program may do, as tools/product_flags.ts makes them for other ways to start. */
#pragma once
#include <stddef.h>

#define PERMISSION_FLAGS_MAX 32

/*
 * Writes the flags for this environment to `words` and returns how many. `home` is the folder of the program; what else
 * may be read and written follows from the settings that name files and sockets (src/config/permissions.ts).
 */
size_t permission_flags(char **words, const char *home);
