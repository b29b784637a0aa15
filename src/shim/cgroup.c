/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/str.h"

/** cgroup_open - a directory fd, so that a cgroup of the same name made later is never meant. Return: fd or
 * -errno. */
int cgroup_open(const char *cgroup) {
        _cleanup_free_ char *path = str_concat("/sys/fs/cgroup/", cgroup);
        int fd;

        if (!path)
                return -ENOMEM;
        fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        return fd < 0 ? negative_errno() : fd;
}

static int kill_listed(int cgroup_fd) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = read_file_at(cgroup_fd, "cgroup.procs", 1024 * 1024, &text, &size);

        if (r < 0)
                return r;
        for (char *p = text; *p; p += strcspn(p, "\n") + (strchr(p, '\n') != NULL)) {
                long pid = strtol(p, NULL, 10);

                if (pid > 1)
                        (void) kill((pid_t) pid, SIGKILL);
        }
        return 0;
}

/** cgroup_kill - SIGKILL to all in it and below. Return: 0 (also when it is gone) or -errno. */
int cgroup_kill(int cgroup_fd) {
        int r;

        if (cgroup_fd < 0)
                return 0;
        r = write_string_at(cgroup_fd, "cgroup.kill", "1");
        if (r == -ENOENT && faccessat(cgroup_fd, "cgroup.procs", F_OK, 0) == 0)
                return kill_listed(cgroup_fd); /* kernels before 5.14 */
        return r == -ENOENT || r == -ENODEV ? 0 : r;
}

/** cgroup_freeze - stop or continue all in it. Return: 0 or -errno. */
int cgroup_freeze(int cgroup_fd, bool on) {
        return cgroup_fd < 0 ? -ESRCH : write_string_at(cgroup_fd, "cgroup.freeze", on ? "1" : "0");
}

/** cgroup_populated - Return: 1, 0 (also for one that is gone), -errno. */
int cgroup_populated(int cgroup_fd) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        if (cgroup_fd < 0)
                return 0;
        r = read_file_at(cgroup_fd, "cgroup.events", 4096, &text, &size);
        if (r < 0)
                return r == -ENOENT || r == -ENODEV ? 0 : r;
        return strstr(text, "populated 1") != NULL;
}

/** cgroup_open_events - a file that reports EPOLLPRI when populated or frozen changes. Return: fd or -errno.
 */
int cgroup_open_events(int cgroup_fd) {
        int fd = openat(cgroup_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);

        return fd < 0 ? negative_errno() : fd;
}

/** cgroup_open_memory_events - a file that reports EPOLLPRI when something runs out of memory in the
 * payload's scope, the parent of @cgroup_fd: the limit is set there. Return: fd or -errno. */
int cgroup_open_memory_events(int cgroup_fd) {
        int fd = cgroup_fd < 0 ? -EBADF : openat(cgroup_fd, "../memory.events", O_RDONLY | O_CLOEXEC);

        return fd < 0 ? (cgroup_fd < 0 ? -EBADF : negative_errno()) : fd;
}

/** cgroup_oom_killed - did the kernel kill something for want of memory? Return: 0, 1 or -errno (the cgroup
 * is gone). */
int cgroup_oom_killed(int events_fd) {
        char text[1024];
        const char *p;
        ssize_t n;

        if (events_fd < 0)
                return -EBADF;
        n = pread(events_fd, text, sizeof(text) - 1, 0);
        if (n < 0)
                return negative_errno();
        text[n] = 0;
        p = strstr(text, "oom_kill ");
        return p && strtoul(p + 9, NULL, 10) > 0;
}
