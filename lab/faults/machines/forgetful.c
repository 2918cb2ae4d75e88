/* A disk that forgets what was not synced: preloaded into a process, it keeps, for each file below FORGETFUL_FOLDER, a copy of what
   the file was when it was last synced, below FORGETFUL_KEPT. After a kill -9 the copies are what a power cut has left
   (`power.py` puts them in place). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int (*real_fsync)(int), (*real_fdatasync)(int);

static void keep(int descriptor) {
    const char *folder = getenv("FORGETFUL_FOLDER"), *kept = getenv("FORGETFUL_KEPT");
    char link[64], path[PATH_MAX], target[2 * PATH_MAX], fresh[2 * PATH_MAX + 8], part[65536];
    struct stat status;
    if (!folder || !kept || fstat(descriptor, &status) || !S_ISREG(status.st_mode)) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    size_t prefix = strlen(folder);
    if (strncmp(path, folder, prefix) || path[prefix] != '/') return;
    snprintf(target, sizeof target, "%s%s", kept, path + prefix);
    for (char *at = target + strlen(kept) + 1; (at = strchr(at, '/')); at++) { *at = 0; mkdir(target, 0700); *at = '/'; }
    snprintf(fresh, sizeof fresh, "%s.%d", target, descriptor);
    int copy = open(fresh, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (copy < 0) return;
    off_t offset = 0;
    for (ssize_t count; (count = pread(descriptor, part, sizeof part, offset)) > 0; offset += count)
        if (write(copy, part, count) != count) break;
    close(copy);
    rename(fresh, target);
}

static int synced(const char *how, int (**real)(int), int descriptor) {
    if (!*real) *real = dlsym(RTLD_NEXT, how);
    int result = (*real)(descriptor), saved = errno;
    if (!result) keep(descriptor);
    errno = saved;
    return result;
}

int fsync(int descriptor) { return synced("fsync", &real_fsync, descriptor); }

int fdatasync(int descriptor) { return synced("fdatasync", &real_fdatasync, descriptor); }
