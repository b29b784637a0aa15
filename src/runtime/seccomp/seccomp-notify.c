/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SCMP_ACT_NOTIFY: the process that loads the filter gets the listener, and hands it to the agent at once,
 * before its program runs. Everything is prepared before the filter is loaded, so that one system call is
 * all it takes; from then on the agent answers also for what we ourselves still have to do. Should the
 * filter notify about sendmsg() too, sendmmsg() is used.
 */
#include "seccomp-notify.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../../basic/fd.h"
#include "../error.h"
#include "../kernel-call.h"
#include "../spec/spec.h"

/** seccomp_agent_done - release the connection and the text. */
void seccomp_agent_done(SeccompAgent *a) {
        (void) safe_close(a->fd);
        free(a->text);
        *a = SECCOMP_AGENT_INIT;
}

/* A path longer than an address can be is named through a descriptor. */
static int connect_to(const char *path) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        _cleanup_close_ int target = open(path, O_PATH | O_CLOEXEC), fd = -EBADF;

        if (target < 0)
                return negative_errno();
        (void) snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d", target);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *) &sa, sizeof(sa)) < 0)
                return negative_errno();
        return TAKE_FD(fd);
}

/**
 * seccomp_agent_connect - connect to listenerPath if @f notifies; from the host's side.
 * @seccomp: must outlive @ret.
 * @annotations: of the container; name the socket where there is no listenerPath, and may be NULL.
 *
 * Return: 0, or -errno with a message.
 */
int seccomp_agent_connect(json_object *seccomp, json_object *annotations, const SeccompFilter *f,
                          SeccompAgent *ret) {
        const char *path = NULL, *metadata = NULL, *receiver;
        int r;

        r = spec_string(seccomp, "linux.seccomp", "listenerPath", &path);
        if (r >= 0)
                r = spec_string(seccomp, "linux.seccomp", "listenerMetadata", &metadata);
        if (r < 0 || (f->notify == SECCOMP_NOTIFY_NONE && !metadata))
                return r < 0 ? r : 0;
        r = spec_seccomp_receiver(annotations, &receiver);
        if (r < 0)
                return r;
        path = isempty(path) ? receiver : path;
        if (isempty(path) && f->notify != SECCOMP_NOTIFY_NONE)
                return fail_text(EINVAL,
                                 "config.json: linux.seccomp.listenerPath: SCMP_ACT_NOTIFY needs one");
        if (isempty(path) && metadata)
                return fail_text(EINVAL,
                                 "config.json: linux.seccomp.listenerMetadata: without listenerPath");
        if (f->notify == SECCOMP_NOTIFY_NONE)
                return 0;
        r = connect_to(path);
        if (r < 0)
                return fail_errno(r,
                                  "config.json: linux.seccomp.listenerPath: failed to connect with seccomp "
                                  "agent %s",
                                  path);
        ret->fd = r;
        ret->metadata = metadata;
        return 0;
}

/**
 * seccomp_agent_describe - prepare the containerProcessState of process @pid (as the host sees it).
 * @s: the container's; its pid is that of the first process.
 *
 * Return: 0, or -errno with a message.
 */
int seccomp_agent_describe(SeccompAgent *a, const State *s, ContainerStatus status, pid_t pid) {
        _cleanup_json_ json_object *o = json_object_new_object();
        json_object *fds = json_object_new_array(), *state = NULL;
        const char *text;
        int r;

        if (a->fd < 0)
                return 0;
        r = json_set_str(o, "ociVersion", s->oci_version);
        if (r >= 0)
                r = json_add_str(fds, "seccompFd");
        if (r >= 0)
                r = json_set(o, "fds", fds);
        if (r >= 0)
                r = json_set_int(o, "pid", pid);
        if (r >= 0 && a->metadata)
                r = json_set_str(o, "metadata", a->metadata);
        if (r >= 0)
                r = state_to_oci(s, status, &state);
        if (r >= 0)
                r = json_set(o, "state", state);
        text = r < 0 ? NULL : json_text(o);
        a->text = text ? strdup(text) : NULL;
        return a->text ? 0 : fail_errno(r < 0 ? r : ENOMEM, "state for the seccomp agent");
}

/**
 * seccomp_agent_send - give the listener away.
 * @listener_fd: consumed.
 *
 * Return: 0, or -errno with a message.
 */
int seccomp_agent_send(const SeccompAgent *a, const SeccompFilter *f, int listener_fd) {
        _cleanup_close_ int listener = listener_fd;
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control = {};
        size_t size = strlen(a->text), sent = 0;
        struct iovec iov = { .iov_base = a->text, .iov_len = size };
        struct mmsghdr m = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space,
                                          .msg_controllen = sizeof(control.space) } };
        struct cmsghdr *c = CMSG_FIRSTHDR(&m.msg_hdr);

        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &listener, sizeof(int));
        while (sent < size) {
                ssize_t n;

                if (f->notify == SECCOMP_NOTIFY_SENDMMSG) {
                        n = syscall(SYS_sendmmsg, a->fd, &m, 1, MSG_NOSIGNAL);
                        n = n > 0 ? (ssize_t) m.msg_len : n;
                } else
                        n = syscall(SYS_sendmsg, a->fd, &m.msg_hdr, MSG_NOSIGNAL);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return fail_errno(errno, "send the seccomp listener to its agent");
                /* The descriptor travels with the first byte. */
                m.msg_hdr.msg_control = NULL;
                m.msg_hdr.msg_controllen = 0;
                sent += (size_t) n;
                iov.iov_base = a->text + sent;
                iov.iov_len = size - sent;
        }
        return 0;
}
