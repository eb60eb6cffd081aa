/*
 * Preloaded into a process (LD_PRELOAD), counts the calls by which it changes files under one
 * directory, and acts at one of them: the process is killed or stopped right before the call, or the call
 * fails. So each step of a program can be tested without a hook in the program.
 *
 *   STEPS_DIRECTORY  the directory
 *   STEPS_LOG        a file that gets a line for each call: its number and its name
 *   STEPS_AT         the number of the call, from 1 on
 *   STEPS_DO         "kill", "stop", or the number of the error with which it fails
 *   STEPS_CALLS      counts only calls whose names are in this list, such as "fsync,fdatasync"
 *   STEPS_REPEAT     if set, acts at all calls after that one too
 *
 * A sync of a file named "part" that fails loses what was written to it since the sync before.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int count = 0;

static int is_counted(const char *call, const char *path) {
  const char *directory = getenv("STEPS_DIRECTORY");
  const char *calls = getenv("STEPS_CALLS");
  if (!directory || !path || !strstr(path, directory)) return 0;
  if (!calls) return 1;
  for (const char *at = calls; (at = strstr(at, call)); at++) {
    char after = at[strlen(call)];
    if ((at == calls || at[-1] == ',') && (after == ',' || after == 0)) return 1;
  }
  return 0;
}

/* Returns the error to fail with, or 0. */
static int step(const char *call, const char *path) {
  if (!is_counted(call, path)) return 0;
  char line[4200];
  pthread_mutex_lock(&lock);
  int number = ++count;
  int length = snprintf(line, sizeof line, "%d %s %s\n", number, call, path);
  const char *log = getenv("STEPS_LOG");
  if (log) {
    int (*real_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    ssize_t (*real_write)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    int fd = real_open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (real_write(fd, line, length) != length) abort();
    close(fd);
  }
  pthread_mutex_unlock(&lock);
  const char *at = getenv("STEPS_AT");
  const char *what = getenv("STEPS_DO");
  if (!at || !what) return 0;
  int is_selected = number == atoi(at) || (getenv("STEPS_REPEAT") && number > atoi(at));
  if (!is_selected) return 0;
  if (!strcmp(what, "kill")) kill(getpid(), SIGKILL);
  if (!strcmp(what, "stop")) return kill(getpid(), SIGSTOP), 0;
  return atoi(what);
}

static int step_fd(const char *call, int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return step(call, path);
}

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_IF(error) do { int e = (error); if (e) { errno = e; return -1; } } while (0)

#define OPEN(name)                                             \
  int name(const char *path, int flags, ...) {                 \
    va_list args;                                              \
    va_start(args, flags);                                     \
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;  \
    va_end(args);                                              \
    if (flags & O_CREAT) FAIL_IF(step("open", path));          \
    return REAL(name)(path, flags, mode);                      \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                           \
  int name(int at, const char *path, int flags, ...) {         \
    va_list args;                                              \
    va_start(args, flags);                                     \
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;  \
    va_end(args);                                              \
    if (flags & O_CREAT) FAIL_IF(step("open", path));          \
    return REAL(name)(at, path, flags, mode);                  \
  }
OPENAT(openat)
OPENAT(openat64)

int mkdir(const char *path, mode_t mode) {
  FAIL_IF(step("mkdir", path));
  return REAL(mkdir)(path, mode);
}

int rmdir(const char *path) {
  FAIL_IF(step("rmdir", path));
  return REAL(rmdir)(path);
}

int unlink(const char *path) {
  FAIL_IF(step("unlink", path));
  return REAL(unlink)(path);
}

/* Removing a tree names its entries relative to their directories. */
int unlinkat(int at, const char *path, int flags) {
  FAIL_IF(step_fd("unlinkat", at));
  return REAL(unlinkat)(at, path, flags);
}

int rename(const char *from, const char *to) {
  FAIL_IF(step("rename", to));
  return REAL(rename)(from, to);
}

int link(const char *from, const char *to) {
  FAIL_IF(step("link", to));
  return REAL(link)(from, to);
}

int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
  FAIL_IF(step("link", to));
  return REAL(linkat)(from_at, from, to_at, to, flags);
}

/* How many bytes the part had at its last sync that succeeded. */
static off_t synced = 0;

static int is_part(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path);
  return length > 5 && !memcmp(path + length - 5, "/part", 5);
}

/* A sync that fails loses the bytes written since the sync before, and the next sync succeeds. */
static int apply_sync(int fd, int error) {
  struct stat status;
  if (!is_part(fd) || fstat(fd, &status)) return error;
  ssize_t (*real_pwrite)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
  while (error && synced < status.st_size) {
    if (real_pwrite(fd, "", 1, --status.st_size) != 1) abort();
  }
  synced = status.st_size;
  return error;
}

int fsync(int fd) {
  FAIL_IF(apply_sync(fd, step_fd("fsync", fd)));
  return REAL(fsync)(fd);
}

int fdatasync(int fd) {
  FAIL_IF(apply_sync(fd, step_fd("fdatasync", fd)));
  return REAL(fdatasync)(fd);
}

int fchmod(int fd, mode_t mode) {
  FAIL_IF(step_fd("fchmod", fd));
  return REAL(fchmod)(fd, mode);
}

#define TRUNCATE(name, offset)             \
  int name(int fd, offset length) {        \
    FAIL_IF(step_fd("ftruncate", fd));     \
    return REAL(name)(fd, length);         \
  }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

ssize_t write(int fd, const void *bytes, size_t length) {
  FAIL_IF(step_fd("write", fd));
  return REAL(write)(fd, bytes, length);
}

#define PWRITE(name, offset)                                              \
  ssize_t name(int fd, const void *bytes, size_t length, offset at) {     \
    FAIL_IF(step_fd("write", fd));                                        \
    return REAL(name)(fd, bytes, length, at);                             \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)
