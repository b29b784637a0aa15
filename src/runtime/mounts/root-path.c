/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Paths inside a root file system that somebody hostile made and may be changing right now. Nothing here
 * trusts a path twice: a look-up gives an O_PATH descriptor, and everything later works on that descriptor.
 */
#include "root-path.h"

#include <limits.h>
#include <sys/stat.h>

#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "../kernel-call.h"
#include "root-path-walk.h"

#define SYMLINKS_MAX 40

/**
 * root_path_open - an O_PATH descriptor of @path taken inside @root_fd: "..", absolute links and magic links
 * cannot leave.
 * @resolve: further RESOLVE_ flags.
 *
 * Return: the descriptor or -errno.
 */
int root_path_open(int root_fd, const char *path, unsigned long long resolve) {
        int fd;

        /* A rename elsewhere on the system can make a ".." look-up fail with EAGAIN: the kernel asks to
         * repeat. */
        do
                fd = sys_openat2(root_fd, isempty(path) ? "." : path, O_PATH | O_CLOEXEC,
                                 RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve);
        while (fd < 0 && (errno == EAGAIN || errno == EINTR));
        if (fd < 0 && errno == ENOSYS)
                return root_path_walk(root_fd, path, resolve);
        return fd < 0 ? negative_errno() : fd;
}

static int make_component(int parent_fd, const char *name, bool directory) {
        _cleanup_close_ int fd = -EBADF;

        if (directory)
                return mkdirat(parent_fd, name, 0755) < 0 && errno != EEXIST ? negative_errno() : 0;
        fd = openat(parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0644);
        return fd < 0 && errno != EEXIST ? negative_errno() : 0;
}

/* A symlink that leads to something missing: the path it stands for, with what follows it. */
static int splice_symlink(int parent_fd, const char *name, const char *prefix, size_t parent_length,
                          const char *rest, char **ret) {
        char target[PATH_MAX];
        ssize_t n;

        n = readlinkat(parent_fd, name, target, sizeof(target) - 1);
        if (n < 0)
                return errno == EINVAL || errno == ENOENT ? 0 : negative_errno();
        target[n] = 0;
        *ret = target[0] == '/' ? str_concat(target, "/", rest) :
                                  str_printf("%.*s/%s/%s", (int) parent_length, prefix, target, rest);
        return *ret ? 1 : -ENOMEM;
}

/* One walk from the root. Return: the descriptor; 0 with *ret_again set to the path to try instead; -errno.
 */
static int walk(int root_fd, const char *path, bool directory, unsigned long long resolve,
                char **ret_again) {
        _cleanup_close_ int parent = root_path_open(root_fd, "", 0);
        const char *p = path;

        if (parent < 0)
                return parent;
        for (;;) {
                _cleanup_free_ char *prefix = NULL, *name = NULL;
                const char *end, *rest;
                bool last;
                int fd, r;

                p += strspn(p, "/");
                if (!*p)
                        return TAKE_FD(parent);
                end = strchrnul(p, '/');
                rest = end + strspn(end, "/");
                last = !*rest;
                prefix = strndup(path, (size_t) (end - path));
                name = strndup(p, (size_t) (end - p));
                if (!prefix || !name)
                        return -ENOMEM;
                fd = root_path_open(root_fd, prefix, resolve);
                if (fd == -ENOENT) {
                        r = (resolve & RESOLVE_NO_SYMLINKS) ?
                                    0 :
                                    splice_symlink(parent, name, path, (size_t) (p - path), rest, ret_again);
                        if (r != 0)
                                return r < 0 ? r : 0;
                        r = make_component(parent, name, !last || directory);
                        if (r < 0)
                                return r;
                        fd = root_path_open(root_fd, prefix, resolve);
                }
                if (fd < 0)
                        return fd;
                (void) safe_close(parent);
                parent = fd;
                p = end;
        }
}

/**
 * root_path_ensure - as root_path_open(), making what is missing: directories 0755, and for a file an empty
 * one 0644.
 *
 * Return: the descriptor, -ENOTDIR or -EISDIR if something of the other kind is there, -ELOOP, or -errno.
 */
int root_path_ensure(int root_fd, const char *path, bool directory, unsigned long long resolve) {
        _cleanup_close_ int fd = root_path_open(root_fd, path, resolve);
        _cleanup_free_ char *current = NULL;
        struct stat st;

        if (fd < 0 && fd != -ENOENT)
                return fd;
        for (unsigned i = 0; fd < 0; i++) {
                char *again = NULL;

                if (i >= SYMLINKS_MAX)
                        return -ELOOP;
                fd = walk(root_fd, current ? current : path, directory, resolve, &again);
                if (again) {
                        free(current);
                        current = again;
                        fd = -EBADF;
                } else if (fd < 0)
                        return fd;
        }
        if (fstat(fd, &st) < 0)
                return negative_errno();
        if (directory != S_ISDIR(st.st_mode))
                return directory ? -ENOTDIR : -EISDIR;
        return TAKE_FD(fd);
}

/**
 * root_path_ensure_parent - the directory that @path is in, made if it is missing.
 * @ret_name: the last component, owned by the caller.
 *
 * Return: its descriptor, -EINVAL for a path without a name at its end, or -errno.
 */
int root_path_ensure_parent(int root_fd, const char *path, char **ret_name) {
        size_t end = strlen(path), start;
        _cleanup_free_ char *parent = NULL, *name = NULL;
        int fd;

        while (end > 0 && path[end - 1] == '/')
                end--;
        for (start = end; start > 0 && path[start - 1] != '/';)
                start--;
        parent = strndup(path, start);
        name = strndup(path + start, end - start);
        if (!parent || !name)
                return -ENOMEM;
        if (isempty(name) || streq(name, ".") || streq(name, ".."))
                return -EINVAL;
        fd = root_path_ensure(root_fd, isempty(parent) ? "/" : parent, true, 0);
        if (fd >= 0)
                *ret_name = TAKE_PTR(name);
        return fd;
}

/**
 * root_path_ensure_last - as root_path_ensure(), but a symbolic link at the end is opened itself.
 *
 * Return: the descriptor, -ENOTDIR or -EISDIR if something of the other kind is there, or -errno.
 */
int root_path_ensure_last(int root_fd, const char *path, RootPathKind kind) {
        _cleanup_close_ int parent = -EBADF, fd = -EBADF;
        _cleanup_free_ char *name = NULL;
        struct stat st;
        int r;

        parent = root_path_ensure_parent(root_fd, path, &name);
        if (parent < 0)
                return parent;
        fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT && kind != ROOT_PATH_ANY) {
                r = make_component(parent, name, kind == ROOT_PATH_DIRECTORY);
                if (r < 0)
                        return r;
                fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        }
        if (fd < 0 || fstat(fd, &st) < 0)
                return negative_errno();
        if (kind != ROOT_PATH_ANY && (kind == ROOT_PATH_DIRECTORY) != S_ISDIR(st.st_mode))
                return kind == ROOT_PATH_DIRECTORY ? -ENOTDIR : -EISDIR;
        return TAKE_FD(fd);
}
