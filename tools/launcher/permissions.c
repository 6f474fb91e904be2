#define _GNU_SOURCE
#include "permissions.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "permissions_table.h" /* made by lab/product_flags.ts */

static const char *const product_flags[] = {PRODUCT_FLAGS};
static const char *const read_always[] = {READ_ALWAYS};
static const char *const file_variables[] = {FILE_VARIABLES};
static const char *const secret_variables[] = {SECRET_VARIABLES};
static const char *const created_variables[] = {CREATED_VARIABLES};
static const char *const socket_variables[] = {SOCKET_VARIABLES};
static const char *const spire_variables[] = {SPIRE_VARIABLES};
static const char *const spire_sockets[] = {SPIRE_SOCKETS};

#define FOR_EACH(name, list) for (const char *const *name = list; name < list + sizeof list / sizeof *list; name++)

_Static_assert(sizeof product_flags / sizeof *product_flags + 2 <= PERMISSION_FLAGS_MAX, "too many flags");

static char *read_flag, *write_flag;

/* The flag with one more path. A comma in a path is written twice. */
static char *with_path(char *flag, const char *path, size_t length) {
  size_t end = strlen(flag);
  flag = realloc(flag, end + 2 * length + 2);
  if (flag == NULL) fail("not enough memory");
  if (flag[end - 1] != '=') flag[end++] = ',';
  for (size_t i = 0; i < length; i++) {
    if (path[i] == ',') flag[end++] = ',';
    flag[end++] = path[i];
  }
  flag[end] = '\0';
  return flag;
}

static void may_read(const char *path) { read_flag = with_path(read_flag, path, strlen(path)); }

static void may_read_and_write(const char *path, size_t length) {
  read_flag = with_path(read_flag, path, length);
  write_flag = with_path(write_flag, path, length);
}

/* The value of a variable; null where it is not set or empty. */
static const char *setting(const char *name) {
  const char *value = getenv(name);
  return value == NULL || *value == '\0' ? NULL : value;
}

static bool exists(const char *path) { return access(path, F_OK) == 0; }

static void add_folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  if (slash == NULL) may_read_and_write(".", 1);
  else may_read_and_write(path, slash == path ? 1 : (size_t)(slash - path));
}

static void add_socket(const char *value) {
  if (strncmp(value, "unix:", 5) == 0) value += strncmp(value, "unix://", 7) == 0 ? 7 : 5;
  if (*value == '/') may_read_and_write(value, strlen(value));
}

size_t permission_flags(char **words, const char *home) {
  size_t count = 0;
  const char *value;
  FOR_EACH(flag, product_flags) words[count++] = (char *)*flag;

  read_flag = strdup("--allow-read=");
  write_flag = strdup("--allow-write=");
  if (read_flag == NULL || write_flag == NULL) fail("not enough memory");
  may_read(home);
  FOR_EACH(path, read_always) may_read(*path);
  FOR_EACH(name, file_variables) if ((value = setting(*name)) && (*value == '/' || exists(value))) may_read(value);
  FOR_EACH(name, secret_variables) if ((value = setting(*name)) && exists(value)) may_read(value);
  FOR_EACH(name, created_variables) if ((value = setting(*name))) add_folder_of(value);
  FOR_EACH(name, socket_variables) if ((value = setting(*name))) add_socket(value);
  bool spire = false;
  FOR_EACH(name, spire_variables) spire = spire || setting(*name);
  if (spire) FOR_EACH(path, spire_sockets) may_read_and_write(*path, strlen(*path));

  words[count++] = read_flag;
  if (write_flag[strlen(write_flag) - 1] != '=') words[count++] = write_flag;
  return count;
}
