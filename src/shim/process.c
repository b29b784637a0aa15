/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../basic/fd.h"
#include "../basic/file.h"

/*
 * Children are reaped in one place. The shim is a child subreaper, so strangers turn up: the payload before
 * its pid was reported, an exec before its pid file was read, and processes nobody will ever ask for. Their
 * statuses are kept in a ring.
 */
#define REMEMBERED_MAX 128
static struct {
        pid_t pid;
        int status;
} remembered[REMEMBERED_MAX];
static unsigned remembered_next;

/* linux/pidfd.h of 6.15 and later, which older build machines do not have. */
struct pidfd_info_v0 {
        uint64_t mask;
        uint64_t cgroup_id;
        uint32_t ids[11];
        int32_t exit_code;
};
#ifndef OPEN_TREE_CLOEXEC
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif
#define PIDFD_INFO_WANT_EXIT (1ULL << 3)
#define PIDFD_GET_INFO_V0 _IOWR(0xFF, 11, struct pidfd_info_v0)

/** exit_status_from_wait - from a wait(2) status. */
ExitStatus exit_status_from_wait(int s) {
        if (WIFEXITED(s))
                return (ExitStatus){ .known = true, .code = WEXITSTATUS(s) };
        if (WIFSIGNALED(s))
                return (ExitStatus){ .known = true, .code = 128 + WTERMSIG(s), .signal = WTERMSIG(s) };
        return EXIT_STATUS_UNKNOWN;
}

static void child_setup_fds(const int *fds, size_t n_fds) {
        int high[SPAWN_FDS_MAX];

        for (size_t i = 0; i < n_fds; i++) {
                high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 20);
                if (high[i] < 0)
                        _exit(127);
        }
        for (size_t i = 0; i < n_fds; i++)
                if (dup2(high[i], (int) i) < 0)
                        _exit(127);
}

/*
 * A runtime that finds its own program on a writable mount starts itself again from a read-only one, so that
 * a payload cannot overwrite it through /proc/PID/exe (CVE-2019-5736). Starting it from there saves it that,
 * twice per container.
 */
static void exec_read_only(char *const *argv, char *const *envp) {
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
        int fd;

        if (argv[0][0] != '/')
                return;
        fd = (int) syscall(SYS_open_tree, AT_FDCWD, argv[0], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (fd >= 0 && syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) >= 0)
                (void) syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
        (void) safe_close(fd);
}

/**
 * process_spawn - run argv[0] (searched in a fixed PATH) with @fds as its descriptors 0, 1, ...
 *
 * The child gets a clean environment (not our NOTIFY_SOCKET, which a runtime would hand on), default signal
 * dispositions and the ordinary OOM score.
 *
 * Return: 0 or -errno of fork.
 */
int process_spawn(char *const *argv, const int *fds, size_t n_fds, pid_t *ret) {
        static char *const envp[] = {
                (char *) "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL
        };
        sigset_t none;
        pid_t pid;

        assert(n_fds <= SPAWN_FDS_MAX);
        pid = fork();
        if (pid < 0)
                return negative_errno();
        if (pid > 0) {
                *ret = pid;
                return 0;
        }
        (void) signal(SIGPIPE, SIG_DFL);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        child_setup_fds(fds, n_fds);
        (void) write_string_at(AT_FDCWD, "/proc/self/oom_score_adj", "0");
        if (clearenv() == 0)
                (void) putenv(envp[0]);
        exec_read_only(argv, envp);
        (void) execvpe(argv[0], argv, envp);
        _exit(127);
}

/** process_pidfd_open - Return: a close-on-exec pidfd or -errno. */
int process_pidfd_open(pid_t pid) {
        int fd = (int) syscall(SYS_pidfd_open, pid, 0);

        return fd < 0 ? negative_errno() : fd;
}

/** process_pidfd_signal - Return: 0 or -errno (-ESRCH: it is gone). */
int process_pidfd_signal(int pidfd, int sig) {
        return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? negative_errno() : 0;
}

/**
 * process_pidfd_exit_status - how a process that need not be our child ended.
 *
 * Return: 0, -EAGAIN while nobody has reaped it, -EOPNOTSUPP on kernels before 6.15 (or another -errno).
 */
int process_pidfd_exit_status(int pidfd, ExitStatus *ret) {
        struct pidfd_info_v0 info = { .mask = PIDFD_INFO_WANT_EXIT };

        if (ioctl(pidfd, PIDFD_GET_INFO_V0, &info) < 0)
                return errno == ENOTTY || errno == EINVAL ? -EOPNOTSUPP : negative_errno();
        if (!(info.mask & PIDFD_INFO_WANT_EXIT))
                return -EAGAIN;
        *ret = exit_status_from_wait(info.exit_code);
        return 0;
}

static bool mask_has(const char *status, const char *key, int sig) {
        const char *p = strstr(status, key);

        return p && (strtoull(p + strlen(key), NULL, 16) >> (sig - 1) & 1);
}

/**
 * process_ignores_signal - true if @sig cannot do anything to @pid.
 *
 * The kernel discards a signal to PID 1 of a pid namespace that has neither a handler for it nor blocks it
 * (a blocked one waits for sigwait or signalfd).
 */
bool process_ignores_signal(pid_t pid, int sig) {
        _cleanup_free_ char *status = NULL;
        const char *ns, *end;
        char path[32];
        size_t size;

        if (sig == SIGKILL || sig == SIGSTOP)
                return false;
        (void) snprintf(path, sizeof(path), "/proc/%d/status", pid);
        if (read_file_at(AT_FDCWD, path, 16384, &status, &size) < 0)
                return false;
        ns = strstr(status, "\nNSpid:");
        end = ns ? strchr(ns + 1, '\n') : NULL;
        if (!end)
                return false;
        while (end > ns && end[-1] != '\t')
                end--;
        if (strtol(end, NULL, 10) != 1)
                return false;
        return !mask_has(status, "\nSigCgt:\t", sig) && !mask_has(status, "\nSigBlk:\t", sig);
}

/** process_reap - collect every child that has ended. */
void process_reap(void (*handler)(pid_t pid, int wait_status, void *userdata), void *userdata) {
        for (;;) {
                int status;
                pid_t pid = waitpid(-1, &status, WNOHANG);

                if (pid < 0 && errno == EINTR)
                        continue;
                if (pid <= 0)
                        return;
                handler(pid, status, userdata);
        }
}

/** process_remember - keep a status until somebody asks; the oldest is forgotten. */
void process_remember(pid_t pid, int wait_status) {
        remembered[remembered_next].pid = pid;
        remembered[remembered_next].status = wait_status;
        remembered_next = (remembered_next + 1) % REMEMBERED_MAX;
}

/** process_recall - take a remembered status out. Return: false if there is none. */
bool process_recall(pid_t pid, int *ret_wait_status) {
        for (unsigned i = 0; i < REMEMBERED_MAX; i++)
                if (remembered[i].pid == pid) {
                        *ret_wait_status = remembered[i].status;
                        remembered[i].pid = 0;
                        return true;
                }
        return false;
}
