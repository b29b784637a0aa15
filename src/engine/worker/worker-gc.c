/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/log.h"
#include "../../basic/str.h"
#include "../image/layer.h"
#include "worker.h"

/** worker_rmi_gc - the job `rmi-gc`: delete layers and blobs nobody uses. Return: 0 or -errno. */
int worker_rmi_gc(Worker *w, int argc, char *argv[]) {
        _cleanup_image_store_ ImageStore *s = NULL;
        int r;

        (void) argv;
        if (argc > 1)
                return -EINVAL;
        r = image_store_open(w->root, &s);
        if (r >= 0)
                r = layer_collect(s);
        return r < 0 ? log_error_errno(r, "Cannot collect unused layers: %m") : 0;
}

/* The last component of @path if it lies directly in the trash. */
static const char *trash_name(const char *root, const char *path) {
        const char *name = startswith(path, root);

        name = name ? startswith(name, "/trash/") : NULL;
        return name && *name && !strchr(name, '/') && !streq(name, ".") && !streq(name, "..") ? name : NULL;
}

static int empty_dir(int dir_fd) {
        int fd, first = 0;
        struct dirent *de;
        DIR *d;

        fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return negative_errno();
        d = fdopendir(fd);
        if (!d) {
                (void) safe_close(fd);
                return negative_errno();
        }
        while ((de = readdir(d))) {
                int r = streq(de->d_name, ".") || streq(de->d_name, "..") ? 0
                                                                          : remove_tree_at(fd, de->d_name);

                if (r < 0 && first == 0)
                        first = r;
        }
        (void) closedir(d);
        return first;
}

/**
 * worker_remove_tree - the job `remove-tree PATH...`: each is the trash itself (all in it goes) or lies in
 * it.
 *
 * Return: 0 or the first -errno.
 */
int worker_remove_tree(Worker *w, int argc, char *argv[]) {
        _cleanup_free_ char *trash = str_concat(w->root, "/trash");
        _cleanup_close_ int fd = -EBADF;
        int first = 0;

        if (!trash)
                return log_oom();
        if (argc < 2)
                return -EINVAL;
        fd = open(trash, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : log_error_errno(errno, "Cannot open %s: %m", trash);
        for (int i = 1; i < argc; i++) {
                const char *name = trash_name(w->root, argv[i]);
                int r = name ? remove_tree_at(fd, name) : streq(argv[i], trash) ? empty_dir(fd) : -EPERM;

                if (r < 0) {
                        (void) log_error_errno(r, "Cannot remove %s: %m", argv[i]);
                        if (first == 0)
                                first = r;
                }
        }
        return first;
}
