/*
 * The executable `ztunnel`: replaces itself by the runtime with the program (exec), so that process id, signals and
 * exit status are those of the program. A shell script cannot do this: some shells (dash) drop environment variables
 * whose names are not identifiers, such as XDS_HEADER_x-tenant, and the configuration is read from the environment.
 *
 * build.sh compiles it in two forms: with the parts appended to the same file (UNPACKS), or beside them in a folder.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "permissions.h"
#include "unpack.h"

#include "flags.h" /* FLAGS, of the runtime, made by build.sh */

static const char *const flags[] = {FLAGS};
#define FLAG_COUNT (sizeof flags / sizeof *flags)

void fail(const char *format, ...) {
  va_list values;
  va_start(values, format);
  fputs("ztunnel: ", stderr);
  vfprintf(stderr, format, values);
  fputs("\n", stderr);
  va_end(values);
  exit(1);
}

static void find_home(char home[PATH_MAX]) {
#ifdef UNPACKS
  unpacked_home(home);
#else
  ssize_t length = readlink("/proc/self/exe", home, PATH_MAX - 1);
  if (length <= 0) fail("cannot read /proc/self/exe: %s", strerror(errno));
  home[length] = '\0';
  *strrchr(home, '/') = '\0';
#endif
}

static void *list_of(size_t count) {
  void *list = calloc(count, sizeof(char *));
  if (list == NULL) fail("not enough memory");
  return list;
}

static char *joined(const char *before, const char *path, const char *after) {
  char *text = malloc(strlen(before) + strlen(path) + strlen(after) + 1);
  if (text == NULL) fail("not enough memory");
  sprintf(text, "%s%s%s", before, path, after);
  return text;
}

/* The environment, plus two variables for the runtime: the folder of its code cache, and no check for new versions. */
static char **environment(const char *home) {
  extern char **environ;
  size_t count = 0, kept = 0;
  while (environ[count] != NULL) count++;
  char **list = list_of(count + 3);
  for (size_t i = 0; i < count; i++) {
    if (strncmp(environ[i], "DENO_DIR=", 9) != 0) list[kept++] = environ[i];
  }
  list[kept++] = joined("DENO_DIR=", home, "/cache");
  list[kept++] = "DENO_NO_UPDATE_CHECK=1";
  return list;
}

int main(int argc, char **argv) {
  char home[PATH_MAX];
  find_home(home);
  char **words = list_of(FLAG_COUNT + PERMISSION_FLAGS_MAX + (size_t)argc + 4);
  size_t count = 0;
  char *runtime = words[count++] = joined("", home, "/deno");
  words[count++] = "run";
  for (size_t i = 0; i < FLAG_COUNT; i++) words[count++] = (char *)flags[i];
  count += permission_flags(words + count, home);
  words[count++] = joined("", home, "/ztunnel.js");
  for (int i = 1; i < argc; i++) words[count++] = argv[i];
  /* The program ignores SIGUSR1, as the runtime would open its debugger. Until then the signal would be fatal. */
  signal(SIGUSR1, SIG_IGN);
  execve(runtime, words, environment(home));
  const char *cure = errno == EACCES ? "; if its file system does not allow programs (noexec), set ZTUNNEL_UNPACK_DIR" : "";
  fail("cannot start %s: %s%s", runtime, strerror(errno), cure);
}
