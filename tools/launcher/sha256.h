/* SHA-256 (FIPS 180-4) of a file, as 64 lower-case hexadecimal digits. */
#pragma once
#include <stdbool.h>

#define SHA256_HEX 64

/* Reads `descriptor` from where it stands to its end. False when it cannot be read; errno says why. */
bool sha256_of(int descriptor, char hex[SHA256_HEX + 1]);
