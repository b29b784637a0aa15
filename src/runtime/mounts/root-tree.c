/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The root of a container that has no mount namespace of its own: that of its caller, or one given by path.
 * Others live there, so nothing may be mounted in it, and its root is not ours to pivot away. A container
 * that wants nothing mounted has the directory itself as its root. For any other a helper process takes a
 * copy of the mount namespace, makes the root and all its mounts there, and hands over a detached clone of
 * that tree, to which no path of any mount namespace leads. It lasts as long as a process has it as its
 * root: the end of the container takes it away, and nothing is ever left.
 */
#include "root-tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "../channel.h"
#include "../error.h"
#include "../kernel-call.h"
#include "../namespaces/rootless.h"
#include "../process/activation.h"
#include "mounts.h"

static const char *propagation_name(uint64_t propagation) {
        return propagation == MS_SHARED ? "shared" : propagation == MS_SLAVE ? "slave" : "unbindable";
}

static bool is_kernels_own(const char *type) {
        static const char *const types[] = { "proc",   "sysfs",  "tmpfs",  "devpts",
                                             "mqueue", "cgroup", "cgroup2" };

        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                if (streq(types[i], type))
                        return true;
        return false;
}

/* A namespace given by path may be another container's, where every path leads where that wants it to. */
static int check_foreign(const Spec *s, const SpecMount *m) {
        const char *what = m->idmap                              ? "idmap" :
                           m->source_nofollow                    ? "src-nofollow" :
                           m->copy_symlink                       ? "copy-symlink" :
                           !m->bind && !is_kernels_own(m->type) ? m->type :
                                                                  NULL;

        if (!s->ns[NS_MOUNT].path || m->remount || !what)
                return 0;
        return fail_text(EOPNOTSUPP,
                         "config.json: mounts: %s: %s: not supported in a mount namespace by path",
                         m->destination, what);
}

/**
 * root_tree_check - refuse what a container without a new mount namespace cannot have.
 *
 * Return: 0, or -EOPNOTSUPP with the field in the message.
 */
int root_tree_check(const Spec *s) {
        int r = 0;

        if (spec_has_new(s, NS_MOUNT))
                return 0;
        if (s->rootfs_propagation != 0 && s->rootfs_propagation != MS_PRIVATE)
                return fail_text(EOPNOTSUPP,
                                 "config.json: linux.rootfsPropagation: %s: needs a new mount namespace",
                                 propagation_name(s->rootfs_propagation));
        for (size_t i = 0; r >= 0 && i < s->n_mounts; i++) {
                const SpecMount *m = &s->mounts[i];

                if (m->propagation != 0 && m->propagation != MS_PRIVATE)
                        return fail_text(EOPNOTSUPP,
                                         "config.json: mounts: %s: %s: needs a new mount namespace",
                                         m->destination, propagation_name(m->propagation));
                r = check_foreign(s, m);
        }
        if (r >= 0 && root_tree_is_needed(s))
                r = root_tree_check_profile(s->process.apparmor);
        if (r < 0 || !s->ns[NS_MOUNT].path)
                return r;
        if (spec_has_new(s, NS_USER))
                return fail_text(
                                EOPNOTSUPP,
                                "config.json: linux.namespaces: a mount namespace by path cannot be joined "
                                "from a new user namespace");
        /* The program would be looked up there and run with our rights. */
        if (s->hooks[HOOK_CREATE_CONTAINER].n > 0)
                return fail_text(
                                EOPNOTSUPP,
                                "config.json: hooks.createContainer: not supported in a mount namespace by path");
        return 0;
}

/** root_tree_is_needed - whether anything is to be mounted; where nodes cannot be made they are bound. */
bool root_tree_is_needed(const Spec *s) {
        return s->n_mounts > 0 || s->readonly || (s->masked && s->masked[0]) ||
               (s->readonly_paths && s->readonly_paths[0]) || s->process.terminal ||
               s->ns[NS_USER].present || notify_wanted() || rootless_in_user_namespace();
}

/**
 * root_tree_check_profile - refuse an AppArmor profile in a detached tree: its rules are about paths of the
 * mount namespace, and there are none to what lies in the tree, so what they deny would be allowed.
 */
int root_tree_check_profile(const char *profile) {
        if (isempty(profile) || streq(profile, "unconfined"))
                return 0;
        return fail_text(
                        EOPNOTSUPP,
                        "process.apparmorProfile: \"%s\": needs a new mount namespace, or nothing to be mounted",
                        profile);
}

static int build_and_send(RootBuilder build, void *userdata, int channel_fd) {
        _cleanup_close_ int root = -EBADF, tree = -EBADF, peer = -EBADF;
        const char type = CHANNEL_READY;
        int fds[2], r;

        if (unshare(CLONE_NEWNS) < 0)
                return fail_errno(errno, "mount namespace for the container's mounts");
        root = build(userdata, &peer);
        if (root < 0)
                return root;
        tree = mount_clone(root, "", AT_EMPTY_PATH | AT_RECURSIVE);
        if (tree < 0)
                return fail_errno(tree, "detach the root file system");
        fds[0] = tree;
        fds[1] = peer;
        r = (int) send_with_fds(channel_fd, &type, sizeof(type), fds, peer >= 0 ? 2 : 1, MSG_NOSIGNAL);
        return r < 0 ? fail_errno(r, "hand the root file system over") : 0;
}

static int receive(int channel_fd, int *ret_peer) {
        char text[CHANNEL_TEXT_MAX];
        int fds[2] = { -EBADF, -EBADF };
        size_t n_fds = ELEMENTSOF(fds);
        ssize_t n = recv_with_fds(channel_fd, text, sizeof(text) - 1, fds, &n_fds, 0);

        if (n < 0)
                return fail_errno((int) n, "receive the root file system");
        if (n > 0 && text[0] == CHANNEL_READY && n_fds > 0) {
                if (n_fds > 1)
                        *ret_peer = fds[1];
                return fds[0];
        }
        text[n] = 0;
        return fail_text(ECHILD, "%s",
                         n > 0 && text[0] == CHANNEL_ERROR
                                         ? text + 1
                                         : "the helper for the container's mounts ended unexpectedly");
}

/**
 * root_tree_build - let @build make the root in a copy of our mount namespace.
 * @ret_peer: from @build; set only if there is one; owned by the caller.
 *
 * Return: the root of the detached tree, or -errno with a message.
 */
int root_tree_build(RootBuilder build, void *userdata, int *ret_peer) {
        _cleanup_close_ int ours = -EBADF, theirs = -EBADF;
        int ends[2], r;
        pid_t pid;

        r = channel_pair(ends);
        if (r < 0)
                return r;
        ours = ends[0];
        theirs = ends[1];
        pid = fork();
        if (pid < 0)
                return fail_errno(errno, "helper for the container's mounts");
        if (pid == 0) {
                ours = safe_close(ours);
                /* Where there is no pid namespace that ends with us. */
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                r = build_and_send(build, userdata, theirs);
                if (r < 0)
                        (void) channel_send(theirs, CHANNEL_ERROR,
                                            isempty(fail_message()) ? strerror(-r) : fail_message());
                _exit(r < 0);
        }
        theirs = safe_close(theirs);
        r = receive(ours, ret_peer);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return r;
}

/** root_tree_enter - make the directory @root_fd our root and working directory. */
int root_tree_enter(int root_fd) {
        if (fchdir(root_fd) < 0 || chroot(".") < 0)
                return fail_errno(errno, "change the root directory");
        return 0;
}
