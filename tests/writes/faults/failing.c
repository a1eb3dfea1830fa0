/* Loaded into a server and its git processes (LD_PRELOAD): the n-th fsync, write or rename below a folder fails
   with EIO, and the clock is moved. Both are set from outside, in a file that all processes map. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { FSYNC = 1, WRITE = 2, RENAME = 3 };

/* As `Injection` in injection.py packs it. */
static volatile struct {
    int call;    /* which calls are counted; 0: none */
    int left;    /* the call that makes this 0 fails */
    int struck;  /* how many have failed */
    int unused;
    long long clock_s;
} *control;
static const char *folder;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAILING_CONTROL");
    folder = getenv("FAILING_FOLDER");
    if (path == NULL || folder == NULL) return;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *found = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (found != MAP_FAILED) control = found;
}

static int fails(int call) {
    if (__sync_sub_and_fetch(&control->left, 1) != 0) return 0;
    __sync_add_and_fetch(&control->struck, 1);
    errno = EIO;
    return 1;
}

static int is_below(const char *path) { return strncmp(path, folder, strlen(folder)) == 0; }

static int fails_for_file(int call, int fd) {
    char link[64], path[PATH_MAX];
    if (control == NULL || control->call != call) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path) && fails(call);
}

static int fails_for_path(const char *path) {
    char whole[PATH_MAX];
    if (control == NULL || control->call != RENAME) return 0;
    if (path[0] != '/') return getcwd(whole, sizeof whole) != NULL && is_below(whole) && fails(RENAME);
    return is_below(path) && fails(RENAME);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd) { return fails_for_file(FSYNC, fd) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return fails_for_file(FSYNC, fd) ? -1 : REAL(fdatasync)(fd); }
ssize_t write(int fd, const void *data, size_t size) {
    return fails_for_file(WRITE, fd) ? -1 : REAL(write)(fd, data, size);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    return fails_for_file(WRITE, fd) ? -1 : REAL(pwrite)(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    return fails_for_file(WRITE, fd) ? -1 : REAL(pwrite64)(fd, data, size, at);
}
int rename(const char *from, const char *to) { return fails_for_path(from) ? -1 : REAL(rename)(from, to); }
int link(const char *from, const char *to) { return fails_for_path(from) ? -1 : REAL(link)(from, to); }

/* The clock. */

static long long moved_s(void) { return control == NULL ? 0 : control->clock_s; }

int clock_gettime(clockid_t which, struct timespec *found) {
    int status = REAL(clock_gettime)(which, found);
    if (status == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) found->tv_sec += moved_s();
    return status;
}
int gettimeofday(struct timeval *restrict found, void *restrict zone) {
    int status = REAL(gettimeofday)(found, zone);
    if (status == 0 && found != NULL) found->tv_sec += moved_s();
    return status;
}
time_t time(time_t *found) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (found != NULL) *found = now.tv_sec;
    return now.tv_sec;
}
