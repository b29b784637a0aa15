/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS) does, where an outer filter does not know that call:
 * one component at a time, each an O_PATH descriptor that follows nothing. ".." goes back to the descriptor
 * we came from and never asks the kernel, so no rename can lead it outside.
 */
#include "root-path-walk.h"

#include <limits.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "../kernel-call.h"

#ifndef PROC_SUPER_MAGIC
#define PROC_SUPER_MAGIC 0x9fa0
#endif

#define DEPTH_MAX 256
#define SYMLINKS_MAX 40

typedef struct Walk {
        int fds[DEPTH_MAX]; /* 0: the root, ours too */
        size_t depth;
        char *rest; /* what is still to be walked; owned */
        unsigned links;
} Walk;

static void walk_done(Walk *w) {
        while (w->depth > 0)
                (void) close(w->fds[--w->depth]);
        free(w->rest);
}

static void go_up(Walk *w, size_t depth) {
        while (w->depth > depth)
                (void) close(w->fds[--w->depth]);
}

/* @fd is a symbolic link: what it says comes before the rest. */
static int follow(Walk *w, int fd, const char *rest, unsigned long long resolve) {
        char target[PATH_MAX];
        struct statfs fs;
        char *joined;
        ssize_t n;

        if ((resolve & RESOLVE_NO_SYMLINKS) || ++w->links > SYMLINKS_MAX)
                return -ELOOP;
        /* One of procfs leads where its text does not say. */
        if (fstatfs(fd, &fs) < 0)
                return negative_errno();
        if (fs.f_type == PROC_SUPER_MAGIC)
                return -ELOOP;
        n = readlinkat(fd, "", target, sizeof(target) - 1);
        if (n < 0)
                return negative_errno();
        target[n] = 0;
        joined = str_concat(target, "/", rest);
        if (!joined)
                return -ENOMEM;
        free(w->rest);
        w->rest = joined;
        if (target[0] == '/')
                go_up(w, 1);
        return 0;
}

static int step(Walk *w, const char *name, const char *rest, unsigned long long resolve) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        char *left;

        if (streq(name, "..") && w->depth > 1)
                go_up(w, w->depth - 1);
        if (!streq(name, "..") && !streq(name, ".")) {
                fd = openat(w->fds[w->depth - 1], name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
                if (fd < 0 || fstat(fd, &st) < 0)
                        return negative_errno();
                if (S_ISLNK(st.st_mode))
                        return follow(w, fd, rest, resolve);
                if (w->depth == DEPTH_MAX)
                        return -ENAMETOOLONG;
                w->fds[w->depth++] = TAKE_FD(fd);
        }
        left = strdup(rest);
        if (!left)
                return -ENOMEM;
        free(w->rest);
        w->rest = left;
        return 0;
}

/**
 * root_path_walk - root_path_open() without openat2().
 *
 * Return: the descriptor or -errno.
 */
int root_path_walk(int root_fd, const char *path, unsigned long long resolve) {
        _cleanup_(walk_done) Walk w = { .rest = strdup(path) };
        int r;

        if (!w.rest)
                return -ENOMEM;
        w.fds[0] = openat(root_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (w.fds[0] < 0)
                return negative_errno();
        w.depth = 1;
        for (;;) {
                _cleanup_free_ char *name = NULL;
                const char *p = w.rest + strspn(w.rest, "/"), *end = strchrnul(p, '/');

                if (!*p)
                        break;
                name = strndup(p, (size_t) (end - p));
                if (!name)
                        return -ENOMEM;
                r = step(&w, name, end, resolve);
                if (r < 0)
                        return r;
        }
        r = w.fds[--w.depth];
        return r;
}
