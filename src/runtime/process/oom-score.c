/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oom-score.h"

#include <fcntl.h>
#include <stdio.h>

#include "../../basic/file.h"
#include "../error.h"
#include "../mounts/private-proc.h"
#include "../runtime-log.h"

static int finish(const SpecProcess *p, int r) {
        /* Lowering it needs CAP_SYS_RESOURCE, which a runtime in a container or user namespace does not
         * have. */
        if (r == -EACCES || r == -EPERM) {
                runtime_warning("oomScoreAdj %d could not be set: %s", p->oom_score_adj, errno_words(r));
                return 0;
        }
        return r < 0 ? fail_errno(r, "set oomScoreAdj") : 0;
}

/** oom_score_apply - oomScoreAdj of the calling process, which may be in the container already. */
int oom_score_apply(const SpecProcess *p) {
        char value[16];

        if (!p->has_oom)
                return 0;
        (void) snprintf(value, sizeof(value), "%d", p->oom_score_adj);
        return finish(p, private_proc_write("self/oom_score_adj", value));
}

/**
 * oom_score_apply_outside - oomScoreAdj of a process that is going to be, or is, in a user namespace, where
 * it could not even raise its own: the file belongs to root as long as it is not dumpable. The caller must
 * not be in a container.
 * @pid: 0 for the calling process.
 */
int oom_score_apply_outside(pid_t pid, const SpecProcess *p) {
        char path[64], value[16];

        if (!p->has_oom)
                return 0;
        (void) snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int) pid);
        (void) snprintf(value, sizeof(value), "%d", p->oom_score_adj);
        return finish(p, write_string_at(AT_FDCWD, pid == 0 ? "/proc/self/oom_score_adj" : path, value));
}
