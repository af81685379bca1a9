/* Preloaded into a broker, makes its host behave as some hosts do.
 *
 * NO_DIRECT_IO=1              every file system refuses O_DIRECT
 * FAIL_CALL=CALL:END:N:ERRNO  the N-th CALL on a path that ends in END fails; CALL is write, fsync,
 *                             fdatasync, ftruncate, rename or unlink
 *
 * What goes by way of io_uring, as the blocks of the WAL do, does not come by here. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static char call_wanted[16], end_wanted[64];
static int error_wanted;
static atomic_int calls_left;

__attribute__((constructor)) static void read_fault(void) {
    const char *fault = getenv("FAIL_CALL");
    int calls;
    if (fault && sscanf(fault, "%15[^:]:%63[^:]:%d:%d", call_wanted, end_wanted, &calls, &error_wanted) == 4)
        atomic_store(&calls_left, calls);
}

/* Whether this call on this path is to fail; errno is set then. */
static int fails(const char *call, const char *path) {
    size_t length = strlen(path), end = strlen(end_wanted);
    if (!error_wanted || strcmp(call, call_wanted) || length < end || strcmp(path + length - end, end_wanted))
        return 0;
    if (atomic_fetch_sub(&calls_left, 1) != 1)
        return 0;
    errno = error_wanted;
    return 1;
}

static int fails_on(const char *call, int file) {
    char link[32], path[4096];
    if (strcmp(call, call_wanted))
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return fails(call, path);
}

static int open_in(int dir, const char *path, int flags, mode_t mode) {
    if ((flags & O_DIRECT) && getenv("NO_DIRECT_IO")) {
        errno = EINVAL;
        return -1;
    }
    return syscall(SYS_openat, dir, path, flags, mode);
}

/* The mode is there only where a file may be created. */
#define MODE_OF(flags)                        \
    mode_t mode = 0;                          \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {  \
        va_list rest;                         \
        va_start(rest, flags);                \
        mode = va_arg(rest, mode_t);          \
        va_end(rest);                         \
    }

int open(const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_in(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_in(AT_FDCWD, path, flags, mode);
}

ssize_t write(int file, const void *bytes, size_t length) {
    return fails_on("write", file) ? -1 : syscall(SYS_write, file, bytes, length);
}

int fsync(int file) {
    return fails_on("fsync", file) ? -1 : syscall(SYS_fsync, file);
}

int fdatasync(int file) {
    return fails_on("fdatasync", file) ? -1 : syscall(SYS_fdatasync, file);
}

int ftruncate64(int file, off64_t length) {
    return fails_on("ftruncate", file) ? -1 : syscall(SYS_ftruncate, file, length);
}

int rename(const char *from, const char *to) {
    return fails("rename", from) ? -1 : syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path) {
    return fails("unlink", path) ? -1 : syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}
