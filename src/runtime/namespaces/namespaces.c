/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/stat.h>

#include "../../basic/buffer.h"
#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../error.h"
#include "../kernel-call.h"
#include "rootless.h"

static const struct {
        uint64_t flag;
        const char *file, *children_file;
} kinds[_NS_MAX] = {
        [NS_USER] = { CLONE_NEWUSER, "user", "user" },
        [NS_CGROUP] = { CLONE_NEWCGROUP, "cgroup", "cgroup" },
        [NS_IPC] = { CLONE_NEWIPC, "ipc", "ipc" },
        [NS_UTS] = { CLONE_NEWUTS, "uts", "uts" },
        [NS_NET] = { CLONE_NEWNET, "net", "net" },
        [NS_PID] = { CLONE_NEWPID, "pid", "pid_for_children" },
        [NS_MOUNT] = { CLONE_NEWNS, "mnt", "mnt" },
        [NS_TIME] = { CLONE_NEWTIME, "time", "time_for_children" },
};

/** namespace_flag - CLONE_NEW... */
uint64_t namespace_flag(NamespaceKind kind) {
        return kinds[kind].flag;
}

/** namespace_file - its name below /proc/PID/ns. */
const char *namespace_file(NamespaceKind kind) {
        return kinds[kind].file;
}

/** namespaces_clone_flags - what clone3() makes; cgroup and time namespaces are made otherwise. */
uint64_t namespaces_clone_flags(const Spec *s) {
        uint64_t flags = 0;

        for (NamespaceKind k = 0; k < _NS_MAX; k++)
                if (k != NS_CGROUP && k != NS_TIME && spec_has_new(s, k))
                        flags |= kinds[k].flag;
        /* Its message queues belong to whoever makes it: the mapped root, once there is one. */
        if (spec_has_new(s, NS_USER))
                flags &= ~(uint64_t) CLONE_NEWIPC;
        return flags;
}

/** namespace_is_ours - whether the path of @kind leads to the namespace that we are in: the host's. */
bool namespace_is_ours(const Spec *s, NamespaceKind kind) {
        struct stat ours, theirs;
        char path[64];

        if (!s->ns[kind].path)
                return false;
        (void) snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[kind].file);
        return stat(path, &ours) >= 0 && stat(s->ns[kind].path, &theirs) >= 0 &&
               ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

static int save_own(NamespaceJoin *j, NamespaceKind k) {
        char path[64];

        (void) snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[k].children_file);
        j->own_fds[k] = open(path, O_RDONLY | O_CLOEXEC);
        return j->own_fds[k] < 0 ? fail_errno(errno, "open %s", path) : 0;
}

static int write_time_offsets(json_object *offsets) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(256);
        int r;

        if (!offsets)
                return 0;
        json_object_object_foreach(offsets, clock, value) {
                int64_t secs = 0, nanosecs = 0;

                if (!streq(clock, "monotonic") && !streq(clock, "boottime"))
                        return fail_text(EINVAL, "config.json: linux.timeOffsets: unknown clock \"%s\"",
                                         clock);
                if (spec_int(value, "linux.timeOffsets", "secs", INT64_MIN, INT64_MAX, &secs) < 0 ||
                    spec_int(value, "linux.timeOffsets", "nanosecs", 0, 999999999, &nanosecs) < 0)
                        return -EINVAL;
                r = buffer_appendf(&b, "%s %lld %lld\n", clock, (long long) secs, (long long) nanosecs);
                if (r < 0)
                        return r;
        }
        if (b.size == 0)
                return 0;
        r = write_string_at(AT_FDCWD, "/proc/self/timens_offsets", b.data);
        return r < 0 ? fail_errno(r, "set linux.timeOffsets") : 0;
}

static int enter_one(const Spec *s, NamespaceKind k) {
        _cleanup_close_ int fd = open(s->ns[k].path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return fail_errno(errno, "open %s namespace %s", namespace_names[k], s->ns[k].path);
        if (setns(fd, (int) kinds[k].flag) < 0)
                return fail_errno(errno, "join %s namespace %s", namespace_names[k], s->ns[k].path);
        return 0;
}

static int make_time_namespace(const Spec *s) {
        if (!spec_has_new(s, NS_TIME))
                return 0;
        if (unshare(CLONE_NEWTIME) < 0)
                return fail_errno(errno, "new time namespace");
        return write_time_offsets(s->time_offsets);
}

/* The mount namespace comes last of all, by namespaces_enter_mount(): nothing of /proc is the host's there.
 */
static bool is_joined_early(const Spec *s, NamespaceKind k) {
        return s->ns[k].path && k != NS_USER && k != NS_MOUNT;
}

/**
 * namespaces_need_helper - whether whoever enters the namespaces given by path cannot come back: they or our
 * own belong to a user namespace that gives no right to (podman without root starts us in one of its own).
 */
bool namespaces_need_helper(const Spec *s) {
        bool any = spec_has_new(s, NS_TIME);

        if (s->ns[NS_USER].path)
                return true;
        for (NamespaceKind k = 0; k < _NS_MAX; k++)
                any = any || is_joined_early(s, k);
        return any && rootless_in_user_namespace();
}

/**
 * namespaces_join - enter the namespaces given by path, and the new time namespace, so that the next child
 * is born in them. Joining happens before a new user namespace takes the right to. Not when it takes a
 * helper: see namespaces_enter().
 * @ret: for namespaces_leave(), valid also on failure.
 */
int namespaces_join(const Spec *s, NamespaceJoin *ret) {
        int r;

        for (NamespaceKind k = 0; k < _NS_MAX; k++)
                ret->own_fds[k] = -EBADF;
        if (namespaces_need_helper(s))
                return 0; /* that of join-user.c joins them all */
        for (NamespaceKind k = 0; k < _NS_MAX; k++) {
                if (!is_joined_early(s, k))
                        continue;
                r = save_own(ret, k);
                if (r >= 0)
                        r = enter_one(s, k);
                if (r < 0)
                        return r;
        }
        if (!spec_has_new(s, NS_TIME) || spec_has_new(s, NS_USER))
                return 0;
        r = save_own(ret, NS_TIME);
        return r < 0 ? r : make_time_namespace(s);
}

static int enter_user(const Spec *s) {
        struct stat theirs, ours;

        /* The kernel refuses to join the namespace one is in. */
        if (stat(s->ns[NS_USER].path, &theirs) >= 0 && stat("/proc/self/ns/user", &ours) >= 0 &&
            theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev)
                return 0;
        return enter_one(s, NS_USER);
}

/**
 * namespaces_enter - as namespaces_join(), with the user namespace and for good. The others are joined with
 * the rights we have, or else with those the user namespace gives.
 */
int namespaces_enter(const Spec *s) {
        bool later[_NS_MAX] = {};
        int r;

        for (NamespaceKind k = 0; k < _NS_MAX; k++) {
                if (!is_joined_early(s, k))
                        continue;
                r = enter_one(s, k);
                if (r < 0 && r != -EPERM)
                        return r;
                later[k] = r < 0;
        }
        r = s->ns[NS_USER].path ? enter_user(s) : 0;
        for (NamespaceKind k = 0; r >= 0 && k < _NS_MAX; k++)
                if (later[k])
                        r = enter_one(s, k);
        return r < 0 || spec_has_new(s, NS_USER) ? r : make_time_namespace(s);
}

/**
 * namespaces_enter_new_time - make and enter the new time namespace from inside of the new user namespace,
 * which is to own it. Only from inside has an ordinary user the right to. Comes before the ids are changed:
 * the file for the offsets belongs to who we were.
 */
int namespaces_enter_new_time(const Spec *s) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (!spec_has_new(s, NS_TIME) || !spec_has_new(s, NS_USER))
                return 0;
        r = make_time_namespace(s);
        if (r < 0)
                return r;
        fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || setns(fd, CLONE_NEWTIME) < 0)
                return fail_errno(errno, "enter the new time namespace");
        return 0;
}

/**
 * namespaces_open_mount - the mount namespace given by path, while the host's paths are ours.
 * @ret_fd: owned by the caller; unchanged if none is given.
 */
int namespaces_open_mount(const Spec *s, int *ret_fd) {
        const char *path = s->ns[NS_MOUNT].path;

        if (!path)
                return 0;
        *ret_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        return *ret_fd < 0 ? fail_errno(errno, "open mount namespace %s", path) : 0;
}

/**
 * namespaces_enter_mount - join it: root and working directory are its root then.
 * @fd: borrowed.
 */
int namespaces_enter_mount(const Spec *s, int fd) {
        if (setns(fd, CLONE_NEWNS) < 0)
                return fail_errno(errno, "join mount namespace %s", s->ns[NS_MOUNT].path);
        return 0;
}

/** namespaces_leave - go back to where namespaces_join() came from. */
int namespaces_leave(NamespaceJoin *j) {
        int r = 0;

        for (NamespaceKind k = 0; k < _NS_MAX; k++) {
                if (j->own_fds[k] < 0)
                        continue;
                if (setns(j->own_fds[k], (int) kinds[k].flag) < 0 && r == 0)
                        r = fail_errno(errno, "leave %s namespace", namespace_names[k]);
                j->own_fds[k] = safe_close(j->own_fds[k]);
        }
        return r;
}
