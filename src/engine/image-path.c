/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image-path.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "../basic/fd.h"
#include "../shared/paths.h"

static int open_in_layer(int layers_fd, const char *layer, const char *path) {
        _cleanup_close_ int fd = openat(layers_fd, layer, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        struct open_how how = {
                .flags = O_PATH | O_CLOEXEC,
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
        };
        long r;

        if (fd < 0)
                return negative_errno();
        r = syscall(SYS_openat2, fd, path, &how, sizeof(how));
        return r < 0 ? negative_errno() : (int) r;
}

static int directory_has_entries(int path_fd) {
        _cleanup_close_ int fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent *e;
        bool found = false;
        DIR *d;

        if (fd < 0)
                return negative_errno();
        d = fdopendir(fd);
        if (!d)
                return negative_errno();
        fd = -EBADF;
        while (!found && (e = readdir(d)))
                found = !streq(e->d_name, ".") && !streq(e->d_name, "..");
        (void) closedir(d);
        return found;
}

/**
 * image_path_kind - look @path up, topmost layer first. A directory counts as filled if any layer has an
 * entry in it; a symlink that leads from one layer into another is not followed and reads as absent.
 *
 * Return: 0 or -errno; a missing layer directory is not an error here, the start reports it.
 */
int image_path_kind(const Image *image, const char *path, ImagePathKind *ret) {
        _cleanup_close_ int layers_fd = open(BERTH_LAYERS_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
        ImagePathKind kind = IMAGE_PATH_ABSENT;
        size_t n = 0;

        if (layers_fd < 0 && errno != ENOENT)
                return negative_errno();
        while (image->layers && image->layers[n])
                n++;
        for (; layers_fd >= 0 && n > 0; n--) {
                _cleanup_close_ int fd = open_in_layer(layers_fd, image->layers[n - 1], path);
                struct stat st;
                int r;

                if (fd < 0 || fstat(fd, &st) < 0)
                        continue;
                if (!S_ISDIR(st.st_mode)) {
                        bool whiteout = S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);

                        if (kind == IMAGE_PATH_ABSENT && !whiteout)
                                kind = IMAGE_PATH_OTHER;
                        break;
                }
                kind = IMAGE_PATH_EMPTY_DIR;
                r = directory_has_entries(fd);
                if (r < 0)
                        return r;
                if (r > 0) {
                        kind = IMAGE_PATH_DIR;
                        break;
                }
        }
        *ret = kind;
        return 0;
}
