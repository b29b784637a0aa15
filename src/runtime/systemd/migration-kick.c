/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Moving a process to another cgroup takes a lock whose first writer waits for an RCU grace period (many
 * milliseconds; kernel: cgroup_threadgroup_rwsem, rcu_sync_enter), while those that follow at once do not.
 * PID 1 needs it for each scope. So a process of ours takes it as early as can be, by moving itself to the
 * cgroup where it is already.
 */
#include "migration-kick.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "../../basic/file.h"
#include "../../basic/macro.h"
#include "../../basic/str.h"

static void write_own_cgroup(void) {
        _cleanup_free_ char *text = NULL, *path = NULL;
        char *line;
        int fd;

        if (read_file_at(AT_FDCWD, "/proc/self/cgroup", 64 * 1024, &text, NULL) < 0)
                return;
        line = strstr(text, "0::/");
        if (!line)
                return;
        *strchrnul(line, '\n') = 0;
        path = str_concat("/sys/fs/cgroup", line + 3, "/cgroup.procs");
        fd = path ? open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
        if (fd >= 0)
                (void) !write(fd, "0", 1);
}

/**
 * migration_kick - have the lock of cgroup migrations taken by a child, which the caller need not wait for.
 *
 * Nothing depends on it: where the cgroup may not be written, or no process can be made, PID 1 waits.
 */
void migration_kick(void) {
        if (fork() != 0)
                return;
        write_own_cgroup();
        _exit(0);
}
