/* A folder in which nobody but this user and root can put, replace or rename anything. */
#pragma once
#include <limits.h>

#define REASON_SIZE (PATH_MAX + 200)

/*
 * Opens the folder at `path` (absolute) and makes what of it is missing, with mode 0700. It must belong to this user,
 * have mode 0700 and be no link; each folder above it must belong to root or this user and be writable by nobody else.
 * One that others can write to may be above only if it has the sticky bit (/tmp): what belongs to root or this user
 * can then be neither renamed nor removed by others.
 *
 * Returns its descriptor and writes its path without links to `real`, or returns -1 and writes to `reason` why not.
 */
int open_private_folder(const char *path, char real[PATH_MAX], char reason[REASON_SIZE]);

/* The same for a folder in one that was opened so. Returns -1 with errno ENOENT and no reason where there is none. */
int open_private_subfolder(int parent, const char *name, char reason[REASON_SIZE]);
