/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "copy-up.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../basic/fd.h"
#include "../error.h"

#define COPY_UP_DEPTH_MAX 256

static int copy_entries(int from, int to, unsigned depth);

static int copy_metadata(int to, const char *name, const struct stat *st) {
        struct timespec times[2] = { st->st_atim, st->st_mtim };

        if (fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
                return negative_errno();
        if (!S_ISLNK(st->st_mode) && fchmodat(to, name, st->st_mode & 07777, 0) < 0)
                return negative_errno();
        (void) utimensat(to, name, times, AT_SYMLINK_NOFOLLOW);
        return 0;
}

static int copy_file(int from, int to, const char *name) {
        _cleanup_close_ int in = -EBADF, out = -EBADF;

        in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
        if (in < 0)
                return negative_errno();
        out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (out < 0)
                return negative_errno();
        for (;;) {
                ssize_t n = sendfile(out, in, NULL, 1 << 20);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? negative_errno() : 0;
        }
}

static int copy_directory(int from, int to, const char *name, unsigned depth) {
        _cleanup_close_ int in = -EBADF, out = -EBADF;

        if (mkdirat(to, name, 0700) < 0)
                return negative_errno();
        in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (in < 0 || out < 0)
                return negative_errno();
        return copy_entries(TAKE_FD(in), out, depth + 1);
}

static int copy_entry(int from, int to, const char *name, unsigned depth) {
        char target[PATH_MAX];
        struct stat st;
        ssize_t n;
        int r = 0;

        if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return negative_errno();
        if (S_ISREG(st.st_mode))
                r = copy_file(from, to, name);
        else if (S_ISDIR(st.st_mode))
                r = copy_directory(from, to, name, depth);
        else if (S_ISLNK(st.st_mode)) {
                n = readlinkat(from, name, target, sizeof(target) - 1);
                if (n < 0)
                        return negative_errno();
                target[n] = 0;
                r = symlinkat(target, to, name) < 0 ? negative_errno() : 0;
        } else
                r = mknodat(to, name, st.st_mode, st.st_rdev) < 0 ? negative_errno() : 0;
        return r < 0 ? r : copy_metadata(to, name, &st);
}

/* Consumes @from. */
static int copy_entries(int from, int to, unsigned depth) {
        struct dirent *de;
        int r = 0;
        DIR *d;

        d = depth < COPY_UP_DEPTH_MAX ? fdopendir(from) : NULL;
        if (!d) {
                r = depth < COPY_UP_DEPTH_MAX ? negative_errno() : -ELOOP;
                (void) safe_close(from);
                return r;
        }
        while (r >= 0 && (de = readdir(d)))
                if (de->d_name[0] != '.' || (de->d_name[1] && (de->d_name[1] != '.' || de->d_name[2])))
                        r = copy_entry(dirfd(d), to, de->d_name, depth);
        (void) closedir(d);
        return r;
}

/**
 * copy_up - fill a new tmpfs with what lies below its mount point (tmpcopyup).
 * @from_fd, @to_fd: borrowed; O_PATH of the directory to be covered, and the detached mount.
 * @options: of the tmpfs; what they say about its directory holds. May be NULL.
 * @name: for the message.
 */
int copy_up(int from_fd, int to_fd, const char *options, const char *name) {
        bool mode = options && strstr(options, "mode="), uid = options && strstr(options, "uid="),
             gid = options && strstr(options, "gid=");
        _cleanup_close_ int from = -EBADF, to = -EBADF;
        struct stat st;
        int r;

        from = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        to = openat(to_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (from < 0 || to < 0 || fstat(from, &st) < 0)
                return fail_errno(errno, "tmpcopyup of %s", name);
        r = copy_entries(TAKE_FD(from), to, 0);
        if (r >= 0 && fchown(to, uid ? (uid_t) -1 : st.st_uid, gid ? (gid_t) -1 : st.st_gid) < 0)
                r = negative_errno();
        if (r >= 0 && !mode && fchmod(to, st.st_mode & 07777) < 0)
                r = negative_errno();
        return r < 0 ? fail_errno(r, "tmpcopyup of %s", name) : 0;
}
