#define _GNU_SOURCE
#include "private_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OTHERS_WRITE (S_IWGRP | S_IWOTH)
#define OTHERS_ANY (S_IRWXG | S_IRWXO)

enum place { ABOVE, GOAL };

/* False with a reason where a user other than root and this one could change the contents of the folder `path`. */
static bool is_safe(const char *path, const struct stat *status, enum place place, char reason[REASON_SIZE]) {
  uid_t us = geteuid();
  if (status->st_uid != us && (place == GOAL || status->st_uid != 0)) {
    snprintf(reason, REASON_SIZE, "%s belongs to user %u, not to user %u", path, status->st_uid, us);
  } else if (place == GOAL && (status->st_mode & OTHERS_ANY)) {
    snprintf(reason, REASON_SIZE, "%s has mode %04o and must have 0700", path, status->st_mode & 07777);
  } else if (place == ABOVE && (status->st_mode & OTHERS_WRITE) && !(status->st_mode & S_ISVTX)) {
    snprintf(reason, REASON_SIZE, "others may write to %s (mode %04o)", path, status->st_mode & 07777);
  } else {
    return true;
  }
  return false;
}

/* A link is refused: the user who made it would choose where we write. */
static int open_folder(int parent, const char *name) {
  return openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* `path` with links resolved in all components but the last, as far as it exists. False when it is too long. */
static bool resolve(const char *path, char real[PATH_MAX]) {
  char above[PATH_MAX];
  size_t length = strlen(path);
  while (length > 1 && path[length - 1] == '/') length--;
  if (length >= sizeof above) return false;
  for (size_t cut = length;;) {
    while (cut > 0 && path[cut - 1] != '/') cut--;
    while (cut > 0 && path[cut - 1] == '/') cut--;
    snprintf(above, sizeof above, "%.*s", cut == 0 ? 1 : (int)cut, path);
    char *found = realpath(above, NULL);
    if (found == NULL && cut > 0) continue;
    const char *base = found == NULL || strcmp(found, "/") == 0 ? "" : found;
    bool fits = snprintf(real, PATH_MAX, "%s%.*s", base, (int)(length - cut), path + cut) < PATH_MAX;
    free(found);
    return fits;
  }
}

int open_private_folder(const char *path, char real[PATH_MAX], char reason[REASON_SIZE]) {
  if (path[0] != '/' || !resolve(path, real)) {
    snprintf(reason, REASON_SIZE, "\"%.200s\" is not an absolute path of less than %d bytes", path, PATH_MAX);
    return -1;
  }
  char walked[PATH_MAX] = "/";
  char names[PATH_MAX];
  strcpy(names, real);
  char *rest = NULL;
  char *name = strtok_r(names, "/", &rest);
  int folder = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  while (folder >= 0) {
    struct stat status;
    if (fstat(folder, &status) < 0) break;
    if (!is_safe(walked, &status, name == NULL ? GOAL : ABOVE, reason)) {
      close(folder);
      return -1;
    }
    if (name == NULL) return folder;
    size_t length = strlen(walked);
    snprintf(walked + length, sizeof walked - length, "%s%s", length > 1 ? "/" : "", name);
    int next = open_folder(folder, name);
    if (next < 0 && errno == ENOENT && (mkdirat(folder, name, 0700) == 0 || errno == EEXIST)) {
      next = open_folder(folder, name);
    }
    int error = errno;
    close(folder);
    errno = error;
    folder = next;
    name = strtok_r(NULL, "/", &rest);
  }
  const char *why = errno == ENOTDIR || errno == ELOOP ? "it is a link or no folder" : strerror(errno);
  snprintf(reason, REASON_SIZE, "%s cannot be opened or made: %s", walked, why);
  return -1;
}

int open_private_subfolder(int parent, const char *name, char reason[REASON_SIZE]) {
  reason[0] = '\0';
  int folder = open_folder(parent, name);
  if (folder < 0) {
    if (errno != ENOENT) snprintf(reason, REASON_SIZE, "%s in it is a link or no folder", name);
    return -1;
  }
  struct stat status;
  if (fstat(folder, &status) == 0 && is_safe(name, &status, GOAL, reason)) return folder;
  close(folder);
  errno = EPERM;
  return -1;
}
