/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../error.h"
#include "seccomp-notify.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

/** seccomp_filter_done - release the code. */
void seccomp_filter_done(SeccompFilter *f) {
        free(f->code);
        *f = (SeccompFilter) {};
}

/**
 * seccomp_filter_load - let the kernel filter the calling process from now on. An empty filter does nothing.
 * @agent: who gets the listener of a filter that has one.
 */
int seccomp_filter_load(const SeccompFilter *f, const SeccompAgent *agent) {
        struct sock_fprog program = { .len = (unsigned short) f->n, .filter = f->code };
        unsigned flags = f->flags;
        int fd;

        if (f->n == 0)
                return 0;
        if (f->notify == SECCOMP_NOTIFY_NONE)
                flags &= ~(unsigned) SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV; /* means nothing, the kernel
                                                                                refuses */
        else
                flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
        fd = (int) syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
        if (fd < 0)
                return fail_errno(errno, "load the seccomp filter");
        return f->notify == SECCOMP_NOTIFY_NONE ? 0 : seccomp_agent_send(agent, f, fd);
}
