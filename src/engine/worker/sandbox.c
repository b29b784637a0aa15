/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../../basic/fd.h"
#include "../../basic/log.h"

#if defined(__SANITIZE_ADDRESS__)
#        define WITH_SANITIZER 1
#elif defined(__has_feature)
#        if __has_feature(address_sanitizer)
#                define WITH_SANITIZER 1
#        endif
#endif
#ifndef WITH_SANITIZER
#        define WITH_SANITIZER 0
#endif

/* Decompressors allocate what a header asks for: xz dictionaries may claim 4 GiB. */
#define ADDRESS_SPACE_MAX ((rlim_t) 2 << 30)
#define REPORT_FD         3
#define ROOT_FD           4
#define INPUT_FD          5

/* SYS_ADMIN is for trusted.overlay.opaque; mounting and the like is what the system call list keeps out. */
static const cap_value_t kept_capabilities[] = {
        CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SETFCAP, CAP_SYS_ADMIN,
};

static const int allowed_calls[] = {
        SCMP_SYS(brk),          SCMP_SYS(clock_gettime),  SCMP_SYS(close),
        SCMP_SYS(exit),         SCMP_SYS(exit_group),     SCMP_SYS(fchdir),
        SCMP_SYS(fchmod),       SCMP_SYS(fchmodat),       SCMP_SYS(fchown),
        SCMP_SYS(fchownat),     SCMP_SYS(fcntl),          SCMP_SYS(fsetxattr),
        SCMP_SYS(fstat),        SCMP_SYS(fstatfs),        SCMP_SYS(ftruncate),
        SCMP_SYS(futex),        SCMP_SYS(getdents64),     SCMP_SYS(getpid),
        SCMP_SYS(getrandom),    SCMP_SYS(gettid),         SCMP_SYS(lgetxattr),
        SCMP_SYS(linkat),       SCMP_SYS(lseek),          SCMP_SYS(madvise),
        SCMP_SYS(mkdirat),      SCMP_SYS(mknodat),        SCMP_SYS(mmap),
        SCMP_SYS(mprotect),     SCMP_SYS(mremap),         SCMP_SYS(munmap),
        SCMP_SYS(newfstatat),   SCMP_SYS(openat),         SCMP_SYS(openat2),
        SCMP_SYS(poll),         SCMP_SYS(ppoll),          SCMP_SYS(pread64),
        SCMP_SYS(pwrite64),     SCMP_SYS(read),           SCMP_SYS(recvfrom),
        SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
        SCMP_SYS(sendmsg),      SCMP_SYS(sendto),         SCMP_SYS(shutdown),
        SCMP_SYS(statx),        SCMP_SYS(symlinkat),      SCMP_SYS(tgkill),
        SCMP_SYS(umask),        SCMP_SYS(unlinkat),       SCMP_SYS(utimensat),
        SCMP_SYS(write),        SCMP_SYS(writev),         SCMP_SYS(restart_syscall),
};

static int load_filter(void) {
        scmp_filter_ctx ctx;
        int r = 0;

        /* The sanitizer's runtime needs calls that nothing here needs. */
        if (WITH_SANITIZER)
                return 0;
        ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
        if (!ctx)
                return -ENOMEM;
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(allowed_calls); i++)
                r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed_calls[i], 0);
        if (r >= 0)
                r = seccomp_load(ctx);
        seccomp_release(ctx);
        return r;
}

static bool is_kept(int cap) {
        for (size_t i = 0; i < ELEMENTSOF(kept_capabilities); i++)
                if (kept_capabilities[i] == cap)
                        return true;
        return false;
}

static int drop_capabilities(void) {
        cap_t c;
        int r = 0;

        for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
                /* Older or newer kernels than our headers: EINVAL for what they do not know. */
                if (!is_kept(cap) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL)
                        return negative_errno();
        }
        c = cap_get_proc();
        if (!c)
                return -ENOMEM;
        for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
                cap_value_t v = cap;

                /* Fails only for capabilities the library does not know, which the bounding set is free of
                 * as well. */
                if (!is_kept(cap)) {
                        (void) cap_set_flag(c, CAP_PERMITTED, 1, &v, CAP_CLEAR);
                        (void) cap_set_flag(c, CAP_EFFECTIVE, 1, &v, CAP_CLEAR);
                }
        }
        if (cap_clear_flag(c, CAP_INHERITABLE) < 0 || cap_set_proc(c) < 0)
                r = negative_errno();
        (void) cap_free(c);
        return r;
}

static int enter(int root_fd) {
        struct rlimit as = { ADDRESS_SPACE_MAX, ADDRESS_SPACE_MAX };
        int r;

        /* Only to be seen by nobody; the chroot and the filter are what holds. Units that forbid namespaces
         * are fine. */
        (void) unshare(CLONE_NEWNS);
        if (fchdir(root_fd) < 0 || chroot(".") < 0 || chdir("/") < 0)
                return negative_errno();
        (void) umask(0);
        if (!WITH_SANITIZER && setrlimit(RLIMIT_AS, &as) < 0)
                return negative_errno();
        r = drop_capabilities();
        if (r < 0)
                return r;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return negative_errno();
        return load_filter();
}

/* All other fds go, the store's directories first of all: they lie outside of the chroot. */
static int arrange_fds(int *report_fd, int *root_fd, int *input_fd) {
        int *fds[] = { report_fd, root_fd, input_fd };

        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                if (*fds[i] < 0)
                        continue;
                *fds[i] = fcntl(*fds[i], F_DUPFD_CLOEXEC, 32);
                if (*fds[i] < 0)
                        return negative_errno();
        }
        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                (void) close(REPORT_FD + (int) i);
                if (*fds[i] < 0)
                        continue;
                if (dup3(*fds[i], REPORT_FD + (int) i, O_CLOEXEC) < 0)
                        return negative_errno();
                *fds[i] = REPORT_FD + (int) i;
        }
        return close_range(INPUT_FD + 1, ~0U, 0) < 0 ? negative_errno() : 0;
}

static _Noreturn void child(pid_t parent, int report_fd, int root_fd, int input_fd, sandbox_main_t main,
                            void *userdata) {
        int r;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (getppid() != parent)
                _exit(1);
        r = arrange_fds(&report_fd, &root_fd, &input_fd);
        if (r >= 0)
                r = enter(root_fd);
        if (r < 0) {
                (void) log_error_errno(r, "Cannot lock a helper into its directory: %m");
                _exit(1);
        }
        (void) close(ROOT_FD);
        main(report_fd, input_fd, userdata);
        _exit(0);
}

/** sandbox_spawn - see sandbox.h. Return: 0 or -errno. */
int sandbox_spawn(int root_fd, int input_fd, sandbox_main_t main, void *userdata, SandboxChild *ret) {
        _cleanup_close_ int ours = -EBADF, theirs = -EBADF;
        pid_t parent = getpid(), pid;
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return negative_errno();
        ours = pair[0];
        theirs = pair[1];
        pid = fork();
        if (pid < 0)
                return negative_errno();
        if (pid == 0)
                child(parent, theirs, root_fd, input_fd, main, userdata);
        *ret = (SandboxChild){ pid, TAKE_FD(ours) };
        return 0;
}

/** sandbox_end - see sandbox.h. */
int sandbox_end(SandboxChild *c, bool do_kill) {
        int status;

        if (c->pid <= 0)
                return -ESRCH;
        if (do_kill)
                (void) kill(c->pid, SIGKILL);
        c->report_fd = safe_close(c->report_fd);
        while (waitpid(c->pid, &status, 0) < 0)
                if (errno != EINTR)
                        return negative_errno();
        c->pid = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
