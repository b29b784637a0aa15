/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"
#include "str.h"

/**
 * read_fd - all of @fd from its position, NUL-terminated.
 * @ret_size: may be NULL.
 *
 * Return: 0, -E2BIG if there are more than @max bytes, or -errno.
 */
int read_fd(int fd, size_t max, char **ret, size_t *ret_size) {
        _cleanup_free_ char *buf = NULL;
        size_t size = 0, allocated = 0;

        for (;;) {
                ssize_t n;

                if (size + 1 >= allocated) {
                        size_t want = MIN(MAX(allocated * 2, (size_t) 4096), max + 2);
                        char *p;

                        if (want <= allocated)
                                return -E2BIG;
                        p = realloc(buf, want);
                        if (!p)
                                return -ENOMEM;
                        buf = p;
                        allocated = want;
                }
                n = read(fd, buf + size, allocated - size - 1);
                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return negative_errno();
                }
                if (n == 0)
                        break;
                size += (size_t) n;
        }
        if (size > max)
                return -E2BIG;
        buf[size] = 0;
        *ret = TAKE_PTR(buf);
        if (ret_size)
                *ret_size = size;
        return 0;
}

/** read_file_at - all of a regular file, see read_fd(). A symlink is followed. */
int read_file_at(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = -EBADF;

        fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return negative_errno();
        return read_fd(fd, max, ret, ret_size);
}

static int write_and_sync(int fd, const void *data, size_t size, WriteFlags flags) {
        int r = write_all(fd, data, size);

        if (r < 0)
                return r;
        if ((flags & WRITE_SYNC) && fdatasync(fd) < 0)
                return negative_errno();
        return 0;
}

static int sync_parent(int dir_fd, const char *path) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *parent = NULL;
        _cleanup_close_ int fd = -EBADF;

        parent = slash ? strndup(path, MAX((size_t) (slash - path), (size_t) 1)) : strdup(".");
        if (!parent)
                return -ENOMEM;
        fd = openat(dir_fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) < 0)
                return negative_errno();
        return 0;
}

static int write_replacing(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
                           WriteFlags flags) {
        _cleanup_free_ char *tmp = NULL;
        _cleanup_close_ int fd = -EBADF;
        char suffix[17];
        int r;

        r = random_hex(8, suffix);
        if (r < 0)
                return r;
        tmp = str_concat(path, ".new-", suffix);
        if (!tmp)
                return -ENOMEM;
        fd = openat(dir_fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (fd < 0)
                return negative_errno();
        r = write_and_sync(fd, data, size, flags);
        if (r >= 0 && renameat(dir_fd, tmp, dir_fd, path) < 0)
                r = negative_errno();
        if (r < 0) {
                (void) unlinkat(dir_fd, tmp, 0);
                return r;
        }
        return (flags & WRITE_SYNC) ? sync_parent(dir_fd, path) : 0;
}

/**
 * write_file_at - write a whole file. Without WRITE_REPLACE a failure removes what was written if we made
 * the file.
 *
 * Return: 0, -EEXIST with WRITE_EXCLUSIVE, or -errno.
 */
int write_file_at(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
                  WriteFlags flags) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (flags & WRITE_REPLACE)
                return write_replacing(dir_fd, path, data, size, mode, flags);
        fd = openat(dir_fd, path,
                    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY |
                            (flags & WRITE_EXCLUSIVE ? O_EXCL : O_TRUNC),
                    mode);
        if (fd < 0)
                return negative_errno();
        r = write_and_sync(fd, data, size, flags);
        if (r < 0 && (flags & WRITE_EXCLUSIVE))
                (void) unlinkat(dir_fd, path, 0);
        return r;
}

/** write_string_at - one write() of @value to an existing file, as cgroup and proc files want it. */
int write_string_at(int dir_fd, const char *path, const char *value) {
        _cleanup_close_ int fd = -EBADF;

        fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return negative_errno();
        if (write(fd, value, strlen(value)) < 0)
                return negative_errno();
        return 0;
}

/** mkdir_parents - make @path and what is missing above it; existing directories are kept as they are. */
int mkdir_parents(const char *path, mode_t mode) {
        _cleanup_free_ char *copy = strdup(path);

        if (!copy)
                return -ENOMEM;
        if (!copy[0])
                return -EINVAL;
        for (char *p = copy + 1; *p; p++) {
                if (*p != '/')
                        continue;
                *p = 0;
                if (mkdir(copy, 0755) < 0 && errno != EEXIST)
                        return negative_errno();
                *p = '/';
        }
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
                return negative_errno();
        return 0;
}

#define REMOVE_DEPTH_MAX 2048

static int remove_children(int dir_fd, unsigned depth);

/* A directory whose mode keeps even root-without-DAC out (overlayfs work/work is 0000) is opened up first.
 */
static int remove_entry(int dir_fd, const char *name, unsigned depth) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (unlinkat(dir_fd, name, 0) >= 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return negative_errno();
        fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == EACCES) {
                (void) fchmodat(dir_fd, name, 0700, 0);
                fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        if (fd < 0)
                return errno == ENOENT ? 0 : negative_errno();
        r = remove_children(TAKE_FD(fd), depth + 1);
        if (r < 0)
                return r;
        if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
                return negative_errno();
        return 0;
}

static int remove_children(int dir_fd, unsigned depth) {
        struct dirent *de;
        int first = 0;
        DIR *d;

        if (depth > REMOVE_DEPTH_MAX) {
                (void) safe_close(dir_fd);
                return -ELOOP;
        }
        d = fdopendir(dir_fd);
        if (!d) {
                (void) safe_close(dir_fd);
                return negative_errno();
        }
        while ((de = readdir(d))) {
                int r;

                if (streq(de->d_name, ".") || streq(de->d_name, ".."))
                        continue;
                r = remove_entry(dirfd(d), de->d_name, depth);
                if (r < 0 && first == 0)
                        first = r;
        }
        (void) closedir(d);
        return first;
}

/**
 * remove_tree_at - remove a file or a whole tree, never through a symlink. What is gone already is no error.
 *
 * Return: 0, or the first -errno; it goes on past failures.
 */
int remove_tree_at(int dir_fd, const char *path) {
        return remove_entry(dir_fd, path, 0);
}
