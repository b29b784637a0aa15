/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The last steps before the payload's own program. Everything here runs with the container's root already in
 * place. Order matters: the bounding set needs CAP_SETPCAP, groups come before the user, ambient
 * capabilities last but for the filter.
 */
#include "process.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../error.h"
#include "../kernel-call.h"
#include "../mounts/root-path.h"
#include "../runtime-log.h"
#include "caps.h"
#include "descriptors.h"
#include "sched-attr.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PASSWD_SIZE_MAX (4 * 1024 * 1024)

static int apply_rlimits(const SpecProcess *p) {
        for (size_t i = 0; i < p->n_rlimits; i++) {
                struct rlimit old, want = { p->rlimits[i].soft, p->rlimits[i].hard };
                int resource = p->rlimits[i].resource;

                if (setrlimit(resource, &want) >= 0)
                        continue;
                if (errno != EPERM || getrlimit(resource, &old) < 0)
                        return fail_errno(errno, "set %s", p->rlimits[i].name);
                /* No CAP_SYS_RESOURCE here: as much as the host itself has. */
                want.rlim_max = MIN(want.rlim_max, old.rlim_max);
                want.rlim_cur = MIN(want.rlim_cur, want.rlim_max);
                if (setrlimit(resource, &want) < 0)
                        return fail_errno(errno, "set %s", p->rlimits[i].name);
                runtime_warning("%s: the host's own limit %llu is kept", p->rlimits[i].name,
                                (unsigned long long) old.rlim_max);
        }
        return 0;
}

/**
 * process_raise_limits - let a process in a user namespace have the hard rlimits it is going to set, by
 * somebody outside who may raise them. What fails is left to process_prepare(), which tells.
 * @pid: 0 for the calling process.
 */
void process_raise_limits(pid_t pid, const SpecProcess *p) {
        for (size_t i = 0; i < p->n_rlimits; i++) {
                enum __rlimit_resource resource = (enum __rlimit_resource) p->rlimits[i].resource;
                struct rlimit l;

                if (prlimit(pid, resource, NULL, &l) < 0 || l.rlim_max >= p->rlimits[i].hard)
                        continue;
                /* No more than leave: set-up is still to come, and a low limit could stop it. */
                l.rlim_max = p->rlimits[i].hard;
                (void) prlimit(pid, resource, &l, NULL);
        }
}

/* No magic links: /proc/PID/root and /proc/PID/fd lead out where processes of the host can be seen. */
static int change_directory(const char *path, bool make) {
        _cleanup_close_ int fd = make ? root_path_ensure(AT_FDCWD, path, true, 0) :
                                        root_path_open(AT_FDCWD, path, 0);

        if (fd < 0)
                return fd;
        return fchdir(fd) < 0 ? negative_errno() : 0;
}

/* The current directory is the container's root when this is called. */
static int enter_cwd(const SpecProcess *p, bool make_cwd) {
        char here[PATH_MAX];
        int r;

        r = change_directory(p->cwd, false);
        if (r == -ENOENT && make_cwd) {
                r = change_directory(p->cwd, true);
                if (r < 0)
                        return fail_errno(r, "create working directory %s", p->cwd);
        }
        if (r == -EACCES) {
                /* A network file system may let the user in where it keeps root out. */
                (void) setfsuid(p->uid);
                r = change_directory(p->cwd, false);
                (void) setfsuid(0);
        }
        if (r < 0)
                return fail_errno(r, "chdir to cwd (\"%s\") set in config.json failed", p->cwd);
        /* The raw call, since glibc hides that the directory is outside the root: "(unreachable)/...". */
        if (syscall(SYS_getcwd, here, sizeof(here)) < 0 || here[0] != '/')
                return fail_text(EPERM, "working directory %s is outside the root file system", p->cwd);
        return 0;
}

/* Pipes and terminals only: a file or a device of the host keeps its owner. */
static void own_stdio(const SpecProcess *p) {
        for (int fd = 0; fd < 3 && p->uid != 0; fd++) {
                struct stat st;

                if (fstat(fd, &st) < 0 || st.st_uid == p->uid)
                        continue;
                if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) ||
                    (S_ISCHR(st.st_mode) && major(st.st_rdev) >= 136 && major(st.st_rdev) <= 143))
                        (void) fchown(fd, p->uid, (gid_t) -1);
        }
}

/* What our caller ignored or blocked is not the payload's business. */
static void reset_signals(void) {
        sigset_t none;

        for (int sig = 1; sig < 32; sig++)
                if (sig != SIGKILL && sig != SIGSTOP)
                        (void) signal(sig, SIG_DFL);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
}

/**
 * process_prepare - limits, scheduling, working directory, owner of stdio.
 * @make_cwd: WORKDIR of an image may name what no layer has; for a further process it is a mistake.
 *
 * Return: 0, or -errno with a message.
 */
int process_prepare(const SpecProcess *p, bool make_cwd) {
        int r;

        reset_signals();
        if ((r = sched_apply(p)) < 0 || (r = apply_rlimits(p)) < 0)
                return r;
        if (!p->terminal)
                own_stdio(p);
        return enter_cwd(p, make_cwd);
}

/* Whether the container's user may execute @path. Return: 0, or -errno. */
static int check_executable(const char *path) {
        struct stat st;

        if (stat(path, &st) < 0)
                return negative_errno();
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        if (!S_ISREG(st.st_mode))
                return -EACCES;
        if (syscall(SYS_faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
                return errno == ENOSYS ? (access(path, X_OK) < 0 ? negative_errno() : 0) : negative_errno();
        return 0;
}

static int search_path(const char *name, const char *path_list, char **ret) {
        bool denied = false;

        for (const char *p = path_list;; p++) {
                const char *end = strchrnul(p, ':');
                _cleanup_free_ char *full = NULL;
                int r;

                /* An empty part means the working directory, as it does for a shell. */
                full = end > p ? str_printf("%.*s/%s", (int) (end - p), p, name) : str_concat("./", name);
                if (!full)
                        return -ENOMEM;
                r = check_executable(full);
                if (r >= 0) {
                        *ret = TAKE_PTR(full);
                        return 0;
                }
                denied = denied || r == -EACCES;
                p = end;
                if (!*p)
                        return denied ? -EACCES : -ENOENT;
        }
}

static const char *get_env(const SpecProcess *p, const char *key) {
        const char *v = NULL;

        for (const char **e = p->env; *e; e++) {
                const char *rest = startswith(*e, key);

                if (rest && *rest == '=')
                        v = rest + 1;
        }
        return v;
}

static int resolve(const SpecProcess *p, char **ret) {
        const char *name = p->args[0], *path_list = get_env(p, "PATH");
        int r;

        if (!strchr(name, '/')) {
                r = isempty(name) ? -ENOENT : search_path(name, path_list ? path_list : DEFAULT_PATH, ret);
                if (r == -EACCES)
                        return fail_text(r, "exec: \"%s\": permission denied", name);
                return r < 0 ? fail_text(r, "exec: \"%s\": executable file not found in $PATH", name) : 0;
        }
        r = check_executable(name);
        if (r == -ENOENT || r == -ENOTDIR)
                return fail_text(r, "exec: \"%s\": stat %s: %s", name, name,
                                 r == -ENOENT ? "no such file or directory" : "not a directory");
        if (r == -EISDIR) /* the second half is what podman makes exit code 126 of */
                return fail_text(r, "exec: \"%s\": is a directory: permission denied", name);
        if (r == -EACCES)
                return fail_text(r, "exec: \"%s\": permission denied", name);
        if (r < 0)
                return fail_errno(r, "exec: \"%s\"", name);
        *ret = strdup(name);
        return *ret ? 0 : -ENOMEM;
}

/**
 * process_resolve - find args[0] as the container's user sees it, so that a missing program is told before
 * start. The texts are what docker's client looks for.
 * @ret_path: owned by the caller.
 */
int process_resolve(const SpecProcess *p, char **ret_path) {
        const uint64_t see_all = UINT64_C(1) << CAP_DAC_OVERRIDE | UINT64_C(1) << CAP_DAC_READ_SEARCH,
                       kept = p->caps[CAP_SET_EFFECTIVE] & p->caps[CAP_SET_PERMITTED] & see_all;
        int r = 0;

        /* Only the file system identity changes for the look-up: the rest is needed until the payload
         * starts. */
        if (p->gid != 0)
                (void) setfsgid(p->gid);
        if (p->uid != 0)
                (void) setfsuid(p->uid);
        /* Which took these from us. */
        if (p->uid != 0 && kept != 0)
                r = caps_raise(kept);
        if (r >= 0)
                r = resolve(p, ret_path);
        if (p->uid != 0)
                (void) setfsuid(0);
        if (p->gid != 0)
                (void) setfsgid(0);
        return r;
}

/*
 * A user namespace may deny setgroups to all in it: an ordinary user must not get rid of a group that takes
 * rights away. Then, and only then, the caller's groups stay, as they must. EPERM for want of the capability
 * would give the payload groups of the host.
 */
static int set_groups(size_t n, const gid_t *gids) {
        if (setgroups(n, gids) >= 0)
                return 0;
        if (errno == EPERM && n == 0 && (caps_have(CAP_SETGID) || getgroups(0, NULL) == 0))
                return 0;
        if (errno == EPERM && caps_have(CAP_SETGID))
                return fail_text(EPERM, "additionalGids: setgroups is denied in this user namespace");
        if (errno == EINVAL)
                return fail_text(EINVAL, "additionalGids: a group is not mapped in the user namespace");
        return fail_errno(errno, "setgroups");
}

/**
 * process_enter_user_namespace - take on ids of the user namespace that the process is in: those of its root
 * or, where that is not mapped, those of the payload. Groups of the host end here.
 *
 * Return: 0, or -errno with a message.
 */
int process_enter_user_namespace(const SpecProcess *p) {
        int r;

        if (!p->keep_groups) {
                r = set_groups(0, NULL);
                if (r < 0)
                        return r;
        }
        if (setresgid(0, 0, 0) < 0 && (errno != EINVAL || setresgid(p->gid, p->gid, p->gid) < 0))
                return fail_errno(errno, "become a group of the user namespace");
        if (setresuid(0, 0, 0) < 0 && (errno != EINVAL || setresuid(p->uid, p->uid, p->uid) < 0))
                return fail_errno(errno, "become a user of the user namespace");
        return 0;
}

static int fail_id(const char *call, unsigned id) {
        if (errno == EINVAL)
                return fail_text(EINVAL, "%s %u: not mapped in the user namespace", call, id);
        return fail_errno(errno, "%s %u", call, id);
}

static int become_user(const SpecProcess *p) {
        int r = p->keep_groups ? 0 : set_groups(p->n_gids, p->gids);

        if (r < 0)
                return r;
        if (setresgid(p->gid, p->gid, p->gid) < 0)
                return fail_id("setgid", p->gid);
        if (setresuid(p->uid, p->uid, p->uid) < 0)
                return fail_id("setuid", p->uid);
        return 0;
}

/**
 * process_keep_fds - let execve() close everything but 0, 1, 2 and @preserve_fds more. Before the filter is
 * loaded, which may not allow this.
 */
int process_keep_fds(unsigned preserve_fds) {
        return descriptors_range(3 + preserve_fds, ~0U, true);
}

/**
 * process_become - give up everything the payload must not have: capabilities, identity, then system calls.
 * What it is confined by has been told to the kernel before (label_apply()).
 * @filter: borrowed, may be empty.
 * @agent: of the filter's listener, if it has one.
 *
 * The filter comes last, since it may refuse what is done here, or say that it was done (errnoRet 0) when it
 * was not. Without no_new_privs loading it takes CAP_SYS_ADMIN, which is held until execve() then: that
 * computes the payload's capabilities from the other sets.
 */
int process_become(const SpecProcess *p, const SeccompFilter *filter, const SeccompAgent *agent) {
        uint64_t kept = filter->n > 0 && !p->no_new_privs ? UINT64_C(1) << CAP_SYS_ADMIN : 0;
        int r;

        r = caps_drop_bounding(p->caps);
        if (r < 0)
                return r;
        if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
                return fail_errno(errno, "keep capabilities");
        if ((r = become_user(p)) < 0 || (r = caps_apply(p->caps, kept)) < 0)
                return r;
        if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
                return fail_errno(errno, "keep capabilities");
        (void) umask(p->has_umask ? p->umask : 0022);
        if (p->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return fail_errno(errno, "no_new_privs");
        return seccomp_filter_load(filter, agent);
}

/** process_exec - run the program; returns only on failure, with a message. */
int process_exec(const SpecProcess *p, const char *path) {
        execve(path, (char *const *) p->args, (char *const *) p->env);
        /* A policy refuses what the files' modes allow: check_executable() has looked at those. */
        if ((errno == EACCES || errno == EPERM) && !isempty(p->selinux))
                return fail_text(errno, "exec %s: %s for the SELinux label \"%s\"", p->args[0],
                                 errno == EACCES ? "permission denied" : "operation not permitted",
                                 p->selinux);
        if (errno == ENOENT)
                return fail_text(errno, "exec %s: no such file or directory", p->args[0]);
        if (errno == EACCES)
                return fail_text(errno, "exec %s: permission denied", p->args[0]);
        if (errno == ENOEXEC)
                return fail_text(errno, "exec %s: exec format error", p->args[0]);
        return fail_errno(errno, "exec %s", p->args[0]);
}

/* name:password:uid:gid:gecos:home:shell */
static char *home_from_line(const char *line, size_t length, uid_t uid) {
        _cleanup_free_ char *copy = strndup(line, length);
        char *fields[7], *p = copy;
        uint64_t id;
        size_t n = 0;

        while (p && n < ELEMENTSOF(fields))
                fields[n++] = strsep(&p, ":");
        if (n < 6 || parse_u64(fields[2], UINT32_MAX, &id) < 0 || id != uid || fields[5][0] != '/')
                return NULL;
        return strdup(fields[5]);
}

/** process_find_home - the home directory the container's /etc/passwd gives @uid, "/" if none. @ret: owned.
 */
int process_find_home(uid_t uid, char **ret) {
        _cleanup_close_ int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        _cleanup_free_ char *text = NULL;
        char *home = NULL;
        struct stat st;

        /* The image may have a pipe or a device there. */
        if (fd >= 0 && fstat(fd, &st) >= 0 && S_ISREG(st.st_mode) &&
            read_fd(fd, PASSWD_SIZE_MAX, &text, NULL) >= 0)
                for (const char *p = text; !home && *p;) {
                        const char *end = strchrnul(p, '\n');

                        home = home_from_line(p, (size_t) (end - p), uid);
                        p = *end ? end + 1 : end;
                }
        if (!home)
                home = strdup("/");
        if (!home)
                return -ENOMEM;
        *ret = home;
        return 0;
}

/** process_host_pid - the calling process as its parent's /proc names it; before /proc is another one. */
pid_t process_host_pid(void) {
        char text[16];
        ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);
        uint64_t pid = 0;

        if (n <= 0)
                return 0;
        text[n] = 0;
        return parse_u64(text, INT32_MAX, &pid) < 0 ? 0 : (pid_t) pid;
}
