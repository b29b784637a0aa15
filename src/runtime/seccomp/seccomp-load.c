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

/** seccomp_filter_flags - those that the kernel is given with @f. */
unsigned seccomp_filter_flags(const SeccompFilter *f) {
        if (f->notify == SECCOMP_NOTIFY_NONE)
                /* Means nothing then, and the kernel refuses it. */
                return f->flags & ~(unsigned) SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
        return f->flags | SECCOMP_FILTER_FLAG_NEW_LISTENER;
}

/**
 * seccomp_filter_load - let the kernel filter the calling process from now on. An empty filter does nothing.
 * @agent: who gets the listener of a filter that has one.
 */
int seccomp_filter_load(const SeccompFilter *f, const SeccompAgent *agent) {
        struct sock_fprog program = { .len = (unsigned short) f->n, .filter = f->code };
        int fd;

        if (f->n == 0)
                return 0;
        fd = (int) syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, seccomp_filter_flags(f), &program);
        if (fd < 0)
                return fail_errno(errno, "load the seccomp filter");
        return f->notify == SECCOMP_NOTIFY_NONE ? 0 : seccomp_agent_send(agent, f, fd);
}
