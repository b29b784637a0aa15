/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "error.h"
#include "seccomp-filter.h"

/** seccomp_filter_done - release the code. */
void seccomp_filter_done(SeccompFilter *f) {
        free(f->code);
        *f = (SeccompFilter) {};
}

/** seccomp_filter_load - let the kernel filter the calling process from now on. An empty filter does
 * nothing. */
int seccomp_filter_load(const SeccompFilter *f) {
        struct sock_fprog program = { .len = (unsigned short) f->n, .filter = f->code };

        if (f->n == 0)
                return 0;
        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, f->flags, &program) < 0)
                return fail_errno(errno, "load the seccomp filter");
        return 0;
}
