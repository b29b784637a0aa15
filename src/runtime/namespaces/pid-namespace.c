/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The processes of a rootless container that has no cgroup: those in the pid namespace of its init and
 * below. Only what /proc shows the caller is found: its user's processes, which in such a container are all.
 */
#include "pid-namespace.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "../error.h"
#include "../kernel-call.h"

#define NESTING_MAX 32 /* the kernel's own limit */

static int open_namespace(const char *pid) {
        char path[64];
        int fd;

        (void) snprintf(path, sizeof(path), "/proc/%.20s/ns/pid", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? negative_errno() : fd;
}

static bool is_inside(const char *pid, const struct stat *wanted) {
        _cleanup_close_ int fd = open_namespace(pid);

        for (unsigned i = 0; fd >= 0 && i < NESTING_MAX; i++) {
                struct stat st;
                int parent;

                if (fstat(fd, &st) < 0)
                        return false;
                if (st.st_dev == wanted->st_dev && st.st_ino == wanted->st_ino)
                        return true;
                parent = ioctl(fd, NS_GET_PARENT);
                (void) safe_close(fd);
                fd = parent;
        }
        return false;
}

/* The container's pid namespace; it must not be the one we are in. */
static int identify(pid_t init, struct stat *ret) {
        char pid[16];
        struct stat own;

        (void) snprintf(pid, sizeof(pid), "%d", (int) init);
        _cleanup_close_ int theirs = open_namespace(pid), ours = open_namespace("self");

        if (theirs < 0 || ours < 0 || fstat(theirs, ret) < 0 || fstat(ours, &own) < 0)
                return fail_errno(theirs < 0 ? theirs : errno, "pid namespace of %s", pid);
        if (own.st_dev == ret->st_dev && own.st_ino == ret->st_ino)
                return fail_text(EOPNOTSUPP,
                                 "the container has neither a cgroup nor a pid namespace of its own: which "
                                 "processes belong to it is not known");
        return 0;
}

/**
 * pid_namespace_pids - all processes in the pid namespace of @init and in those below it.
 * @ret: owned by the caller.
 *
 * Return: 0, -EOPNOTSUPP when it is our own one too, or -errno; with a message.
 */
int pid_namespace_pids(pid_t init, pid_t **ret, size_t *ret_n) {
        _cleanup_free_ pid_t *list = NULL;
        struct stat wanted;
        struct dirent *de;
        size_t n = 0;
        int r;
        DIR *d;

        r = identify(init, &wanted);
        if (r < 0)
                return r;
        d = opendir("/proc");
        if (!d)
                return fail_errno(errno, "open /proc");
        while ((de = readdir(d))) {
                uint64_t pid;
                pid_t *grown;

                if (parse_u64(de->d_name, INT32_MAX, &pid) < 0 || !is_inside(de->d_name, &wanted))
                        continue;
                grown = reallocarray(list, n + 1, sizeof(pid_t));
                if (!grown) {
                        (void) closedir(d);
                        return -ENOMEM;
                }
                list = grown;
                list[n++] = (pid_t) pid;
        }
        (void) closedir(d);
        *ret = TAKE_PTR(list);
        *ret_n = n;
        return 0;
}

/** pid_namespace_signal - @sig to all of them. A pid that was reused meanwhile is not hit. */
int pid_namespace_signal(pid_t init, int sig) {
        _cleanup_free_ pid_t *list = NULL;
        struct stat wanted;
        size_t n;
        int r;

        r = pid_namespace_pids(init, &list, &n);
        if (r >= 0)
                r = identify(init, &wanted);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                _cleanup_close_ int fd = sys_pidfd_open(list[i]);
                char pid[16];

                (void) snprintf(pid, sizeof(pid), "%d", (int) list[i]);
                if (fd < 0 || !is_inside(pid, &wanted))
                        continue;
                if (sys_pidfd_send_signal(fd, sig) < 0 && errno != ESRCH)
                        r = fail_errno(errno, "kill %s", pid);
        }
        return r;
}
