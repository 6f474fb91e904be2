#define _GNU_SOURCE
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "fail.h"
#include "private_folder.h"
#include "sha256.h"

struct part {
  const char *name;
  long size;
  const char *digest;
};

/* Made by build.sh: PARTS, ID (the folder's name) and PAYLOAD_SIZE (of the gzip stream at the end of this file). */
#include "payload.h"

static const struct part parts[] = {PARTS};
#define PART_COUNT (sizeof parts / sizeof *parts)

/* A file that marks the folder as checked: the digests of its parts were compared. */
#define CHECKED "checked"
#define CURE "set ZTUNNEL_UNPACK_DIR to a folder of this user with mode 0700 that nobody else can move or replace"

static volatile sig_atomic_t stopped = 0;
static void on_signal(int signal) { stopped = signal; }

static void write_all(int file, const char *bytes, size_t length, const char *where) {
  for (size_t done = 0; done < length;) {
    ssize_t count = write(file, bytes + done, length - done);
    if (count < 0 && errno != EINTR) fail("cannot write to %s: %s", where, strerror(errno));
    if (count > 0) done += (size_t)count;
  }
}

static void unpack_part(gzFile payload, const struct part *part, int folder, const char *where) {
  static char chunk[1 << 17];
  int file = openat(folder, part->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
  if (file < 0) fail("cannot write to %s: %s", where, strerror(errno));
  for (long left = part->size; left > 0 && !stopped;) {
    int count = gzread(payload, chunk, left < (long)sizeof chunk ? (unsigned)left : sizeof chunk);
    if (count <= 0) fail("this executable is damaged: its end is missing or was changed; download it again");
    write_all(file, chunk, (size_t)count, where);
    left -= count;
  }
  if (close(file) < 0) fail("cannot write to %s: %s", where, strerror(errno));
}

static void remove_folder(int base, const char *name, int folder) {
  for (size_t i = 0; i < PART_COUNT; i++) unlinkat(folder, parts[i].name, 0);
  unlinkat(base, name, AT_REMOVEDIR);
}

/* What `fail` must remove. */
static int unfinished_base = -1, unfinished = -1;
static char unfinished_name[64];
static void remove_unfinished(void) {
  if (unfinished >= 0) remove_folder(unfinished_base, unfinished_name, unfinished);
}

static int make_unfinished(int base, const char *where) {
  for (int attempt = 0;; attempt++) {
    snprintf(unfinished_name, sizeof unfinished_name, ".new.%d.%d", getpid(), attempt);
    if (mkdirat(base, unfinished_name, 0700) == 0) break;
    if (errno != EEXIST) fail("cannot write to %s: %s", where, strerror(errno));
  }
  return openat(base, unfinished_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Unpacks into a folder beside the final one and renames it, so that no process sees half of the parts. */
static void unpack(int base, const char *where) {
  int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (self < 0 || lseek(self, -(off_t)PAYLOAD_SIZE, SEEK_END) < 0) fail("cannot read /proc/self/exe: %s", strerror(errno));
  gzFile payload = gzdopen(self, "rb");
  if (payload == NULL) fail("not enough memory to unpack");

  struct sigaction note = {.sa_handler = on_signal};
  const int signals[] = {SIGHUP, SIGINT, SIGTERM};
  for (int i = 0; i < 3; i++) sigaction(signals[i], &note, NULL);
  unfinished_base = base;
  unfinished = make_unfinished(base, where);
  atexit(remove_unfinished);
  for (size_t i = 0; i < PART_COUNT; i++) unpack_part(payload, &parts[i], unfinished, where);
  gzclose(payload);
  if (stopped) fail("was stopped by a signal while it unpacked");
  if (renameat(base, unfinished_name, base, ID) == 0) {
    unfinished = -1;
  } else if (errno != EEXIST && errno != ENOTEMPTY) {
    fail("cannot rename %s/%s to %s: %s", where, unfinished_name, ID, strerror(errno));
  }
  // Otherwise another start was faster: its folder is used and ours is removed at once.
  remove_unfinished();
  unfinished = -1;
}

/* Called before a file of the folder runs for the first time: its contents must be what was packed. */
static void check(int folder, const char *home) {
  if (faccessat(folder, CHECKED, F_OK, 0) == 0) return;
  for (size_t i = 0; i < PART_COUNT; i++) {
    char digest[SHA256_HEX + 1] = "";
    int file = openat(folder, parts[i].name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    bool right = file >= 0 && sha256_of(file, digest) && strcmp(digest, parts[i].digest) == 0;
    if (!right) fail("%s/%s is not what this executable has packed; remove %s and start again", home, parts[i].name, home);
    close(file);
  }
  int mark = openat(folder, CHECKED, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (mark < 0) fail("cannot write to %s: %s", home, strerror(errno));
  close(mark);
}

/* Finds the first candidate folder that can be used. */
static int choose_base(char base[PATH_MAX]) {
  char reason[REASON_SIZE], candidates[3][PATH_MAX] = {"", "", ""};
  const char *told = getenv("ZTUNNEL_UNPACK_DIR"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  const char *temporary = getenv("TMPDIR");
  if (told != NULL && *told != '\0') {
    snprintf(candidates[0], PATH_MAX, "%s", told);
  } else if (geteuid() == 0) {
    strcpy(candidates[0], "/var/cache/ztunnel");
  } else {
    if (cache != NULL && *cache != '\0') snprintf(candidates[0], PATH_MAX, "%s/ztunnel", cache);
    if (home != NULL && *home != '\0') snprintf(candidates[1], PATH_MAX, "%s/.cache/ztunnel", home);
    if (temporary == NULL || *temporary == '\0') temporary = "/tmp";
    snprintf(candidates[2], PATH_MAX, "%s/ztunnel-%u", temporary, geteuid());
  }
  for (int i = 0; i < 3; i++) {
    int folder = *candidates[i] == '\0' ? -1 : open_private_folder(candidates[i], base, reason);
    if (folder >= 0) return folder;
    if (*candidates[i] != '\0') fprintf(stderr, "ztunnel: cannot unpack into %s: %s\n", candidates[i], reason);
  }
  fail(CURE);
}

void unpacked_home(char home[PATH_MAX]) {
  char base[PATH_MAX], reason[REASON_SIZE];
  int outer = choose_base(base);
  if (snprintf(home, PATH_MAX, "%s/" ID, base) >= PATH_MAX) fail("the path %s is too long; " CURE, base);
  umask(0077);
  int inner = open_private_subfolder(outer, ID, reason);
  if (inner < 0 && errno == ENOENT) {
    unpack(outer, base);
    inner = open_private_subfolder(outer, ID, reason);
  }
  if (inner < 0) fail("cannot use %s: %s; " CURE, home, reason);
  check(inner, home);
  close(inner);
  close(outer);
  if (stopped) fail("was stopped by a signal while it unpacked");
}
