/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A user namespace given by path, or any namespace when we are in a user namespace ourselves. Whoever joins
 * one cannot come back, so a helper process does it, together with the other namespaces given by path, and
 * clones the container's first process from there: what is made new belongs to the joined user namespace.
 * CLONE_PARENT makes that process our child, and the helper ends.
 */
#include "join-user.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>

#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../error.h"
#include "../kernel-call.h"
#include "clone-child.h"
#include "namespaces.h"

#define MAP_SIZE_MAX (64 * 1024)

/* What the helper has to say: the process it made, or why there is none. */
typedef struct Reply {
        pid_t pid;
        int error;
        char text[512];
} Reply;

static pid_t helper_clone(const Spec *s, uint64_t flags, int cgroup_fd, int reply_fd) {
        _cleanup_close_ int pidfd = -EBADF;
        Reply reply = {};
        int r;

        r = namespaces_enter(s);
        if (r >= 0) {
                reply.pid = clone_into_cgroup(flags | CLONE_PARENT, cgroup_fd, &pidfd);
                if (reply.pid == 0)
                        return 0;
                if (reply.pid < 0)
                        r = fail_errno(errno, "clone into the new namespaces");
        }
        reply.error = -r;
        (void) snprintf(reply.text, sizeof(reply.text), "%s", r < 0 ? fail_message() : "");
        (void) !write(reply_fd, &reply, sizeof(reply));
        _exit(0);
}

/**
 * clone_in_joined_user - as clone_into_cgroup(), in the namespaces that the spec gives by path.
 *
 * Return: the pid, 0 in the child, or -errno with a message.
 */
pid_t clone_in_joined_user(const Spec *s, uint64_t flags, int cgroup_fd, int *ret_pidfd) {
        _cleanup_close_ int ours = -EBADF, theirs = -EBADF;
        Reply reply = {};
        int ends[2];
        ssize_t n;
        pid_t helper;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return fail_errno(errno, "pipe");
        ours = ends[0];
        theirs = ends[1];
        helper = fork();
        if (helper < 0)
                return fail_errno(errno, "join the user namespace");
        if (helper == 0) {
                ours = safe_close(ours);
                return helper_clone(s, flags, cgroup_fd, theirs);
        }
        theirs = safe_close(theirs);
        n = read_all(ours, &reply, sizeof(reply));
        while (waitpid(helper, NULL, 0) < 0 && errno == EINTR)
                ;
        if (n == (ssize_t) sizeof(reply) && reply.pid > 0) {
                /* Our child, not waited for: the pid can be no other's. */
                *ret_pidfd = sys_pidfd_open(reply.pid);
                return *ret_pidfd < 0 ? fail_errno(errno, "pidfd of %d", (int) reply.pid) : reply.pid;
        }
        reply.text[sizeof(reply.text) - 1] = 0;
        return fail_text(reply.error > 0 ? reply.error : EPIPE, "%s",
                         n == (ssize_t) sizeof(reply) ? reply.text : "join the user namespace: no answer");
}

static int check_map(pid_t pid, const char *file, const SpecIdMap *maps, size_t n) {
        _cleanup_free_ char *text = NULL;
        const char *p;
        char path[64];
        int r;

        (void) snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, file);
        r = read_file_at(AT_FDCWD, path, MAP_SIZE_MAX, &text, NULL);
        if (r < 0)
                return fail_errno(r, "read %s", path);
        p = text;
        for (size_t i = 0; i < n; i++) {
                uint32_t inside, outside, size;
                int used = 0;

                if (sscanf(p, "%" SCNu32 " %" SCNu32 " %" SCNu32 " %n", &inside, &outside, &size, &used) !=
                                    3 ||
                    inside != maps[i].inside || outside != maps[i].outside || size != maps[i].size)
                        return fail_text(
                                        EINVAL,
                                        "config.json: linux.%sMappings: the joined user namespace has others",
                                        startswith(file, "uid") ? "uid" : "gid");
                p += used;
        }
        return 0;
}

/** joined_maps_check - mappings beside the path of a user namespace must be those it has. */
int joined_maps_check(const Spec *s, pid_t pid) {
        int r = check_map(pid, "uid_map", s->uid_maps, s->n_uid_maps);

        return r < 0 ? r : check_map(pid, "gid_map", s->gid_maps, s->n_gid_maps);
}
