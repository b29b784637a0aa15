/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oom-score.h"

#include <stdio.h>

#include "error.h"
#include "private-proc.h"
#include "runtime-log.h"

/** oom_score_apply - oomScoreAdj of the calling process. */
int oom_score_apply(const SpecProcess *p) {
        char value[16];
        int r;

        if (!p->has_oom)
                return 0;
        (void) snprintf(value, sizeof(value), "%d", p->oom_score_adj);
        r = private_proc_write("self/oom_score_adj", value);
        /* Lowering it needs CAP_SYS_RESOURCE, which a runtime in a container or user namespace does not
         * have. */
        if (r == -EACCES || r == -EPERM) {
                runtime_warning("oomScoreAdj %d could not be set: %s", p->oom_score_adj, strerror(-r));
                return 0;
        }
        return r < 0 ? fail_errno(r, "set oomScoreAdj") : 0;
}
