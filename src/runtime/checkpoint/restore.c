/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `restore`: the host's side is made as by `create` (state directory, cgroup with limits and device filter),
 * the container's side by criu, which works in a mount namespace of its own where the root file system is a
 * mount: so the host never sees one. Before criu lets the restored processes go, their pid is stored.
 */
#include "checkpoint.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../cgroup/cgroup.h"
#include "../create-steps.h"
#include "../error.h"
#include "../hooks.h"
#include "../kernel-call.h"
#include "../mounts/mounts.h"
#include "../mounts/rootfs.h"
#include "../process/terminal.h"
#include "../seccomp/seccomp-cache.h"
#include "criu-mounts.h"
#include "image-label.h"

#define RESTORE_LOG "restore.log"

typedef struct Restore {
        const RestoreOptions *options;
        Bundle *bundle;
        State *state;
        Undo *undo;
        ImageDir images;
        int cgroup_fd, console_fd, net_fd, pid_ns_fd;
        bool terminal_sent;
} Restore;

static void restore_close(Restore *x) {
        image_dir_done(&x->images);
        (void) safe_close(x->cgroup_fd);
        (void) safe_close(x->net_fd);
        (void) safe_close(x->pid_ns_fd);
        if (x->options->create.console_socket)
                (void) safe_close(x->console_fd);
}

/*
 * criu always pivots, which needs a root that is mounted on something: that of an initial RAM disk is not.
 * So it is covered by a copy of itself. Only that mount is made private before, or the host would be covered
 * too.
 */
static int cover_root(void) {
        _cleanup_close_ int tree = -EBADF, target = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        char here[PATH_MAX];
        int r;

        if (target < 0 || !getcwd(here, sizeof(here)))
                return fail_errno(errno, "restore: --no-pivot: working directory");
        tree = mount_clone(AT_FDCWD, "/", AT_RECURSIVE);
        if (tree < 0)
                return fail_errno(tree, "restore: --no-pivot: copy /");
        if (sys_mount(NULL, "/", NULL, MS_SLAVE, NULL) < 0)
                return fail_errno(errno, "restore: --no-pivot: propagation of /");
        r = mount_attach(tree, target);
        if (r < 0)
                return fail_errno(r, "restore: --no-pivot: mount the copy of /");
        if (fchdir(tree) < 0 || chroot(".") < 0 || chdir(here) < 0)
                return fail_errno(errno, "restore: --no-pivot: enter the copy of /");
        return 0;
}

/* In the process that becomes criu. */
static int prepare_criu(void *userdata) {
        const Restore *x = userdata;
        const Spec *s = &x->bundle->spec;
        int fd, r;

        /* criu leaves cgroups alone then: all that it makes is where it is itself. */
        if (x->options->criu.cgroup_mode == CRIU_CGROUP_IGNORE && spec_has_new(s, NS_CGROUP) &&
            unshare(CLONE_NEWCGROUP) < 0)
                return fail_errno(errno, "new cgroup namespace");
        /* criu before 4 does not restore it, but what it makes inherits it. */
        if (s->process.no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return fail_errno(errno, "no_new_privs");
        if (unshare(CLONE_NEWNS) < 0)
                return fail_errno(errno, "new mount namespace");
        r = x->options->create.no_pivot ? cover_root() : 0;
        if (r < 0)
                return r;
        fd = rootfs_prepare(s, x->state->rootfs);
        if (fd < 0)
                return fd;
        /* criu takes this mount as it is for the root. */
        r = mount_set_attr(fd, s->readonly ? MOUNT_ATTR_RDONLY : 0, 0, false);
        (void) close(fd);
        return r < 0 ? fail_errno(r, "read-only root file system") : 0;
}

static int make_cgroup(Restore *x, pid_t pid) {
        Spec *s = &x->bundle->spec;
        char number[16];
        int r;

        if (!x->undo->scope.used) {
                x->cgroup_fd = create_cgroup(s, x->state, x->undo);
                if (x->cgroup_fd < 0)
                        return x->cgroup_fd;
                (void) snprintf(number, sizeof(number), "%d", (int) pid);
                r = write_string_at(x->cgroup_fd, "cgroup.procs", number);
                return r < 0 ? fail_errno(r, "enter cgroup %s", x->state->cgroup) : 0;
        }
        r = systemd_scope_request(&x->undo->scope, s, x->state, pid);
        if (r < 0)
                return r;
        x->cgroup_fd = systemd_scope_enter(&x->undo->scope, s, x->state, pid);
        return x->cgroup_fd < 0 ? x->cgroup_fd : create_limit_cgroup(x->cgroup_fd, s, x->state);
}

/* criu itself is in the container's cgroup too: a scope needs a first process, and what criu uses counts. */
static int enter_cgroup(CriuCall *c, pid_t pid) {
        Restore *x = c->userdata;
        const char *cgroup_mount;
        int r;

        r = make_cgroup(x, pid);
        if (r >= 0)
                r = cgroup_find_mount(&cgroup_mount);
        if (r < 0)
                return r;
        if (x->options->criu.cgroup_mode != CRIU_CGROUP_IGNORE)
                criu_add_cgroup_root(c, x->state->cgroup);
        criu_mounts_restore_cgroup(c, &x->bundle->spec, x->state, cgroup_mount);
        return 0;
}

static int run_hooks(Restore *x, pid_t pid) {
        const Spec *s = &x->bundle->spec;
        int r;

        x->state->pid = pid;
        r = hooks_run(s, HOOK_PRESTART, x->state, STATUS_CREATED);
        return r < 0 ? r : hooks_run(s, HOOK_CREATE_RUNTIME, x->state, STATUS_CREATED);
}

/* All is restored and stands still. From here on a killed restore can be deleted. */
static int store(Restore *x, pid_t pid) {
        const CreateOptions *o = &x->options->create;
        int r;

        if (x->console_fd >= 0 && !x->terminal_sent)
                return fail_text(ENOTTY, "config.json: process.terminal: the checkpoint has no terminal");
        x->undo->pid = pid;
        x->state->pid = pid;
        r = process_start_time(pid, &x->state->pid_start);
        if (r < 0)
                return fail_errno(r, "start time of %d", (int) pid);
        if (o->pid_file) {
                x->undo->pid_file = o->pid_file;
                r = write_pid_file(o->pid_file, pid);
                if (r < 0)
                        return r;
        }
        return state_save(x->state);
}

/* The last moment before the processes go on, which criu lets them whatever it is answered: so all goes that
 * is in the cgroup, and criu is in it. */
static int check_label(const Restore *x) {
        int r = restored_label_check(x->undo->pid, &x->bundle->spec.process);

        if (r < 0) {
                (void) kill(x->undo->pid, SIGKILL);
                (void) cgroup_kill(x->cgroup_fd);
        }
        return r;
}

static int on_notify(void *userdata, const char *event, pid_t pid, int fd) {
        Restore *x = userdata;
        int r;

        if (pid == 0 && (streq(event, "setup-namespaces") || streq(event, "post-restore")))
                return fail_text(EPROTO, "criu named no process at %s", event);
        if (streq(event, "setup-namespaces"))
                return run_hooks(x, pid);
        if (streq(event, "post-restore"))
                return store(x, pid);
        if (streq(event, "pre-resume") && x->undo->pid > 0)
                return check_label(x);
        if (!streq(event, "orphan-pts-master") || x->console_fd < 0 || x->terminal_sent)
                return 0;
        if (fd < 0)
                return fail_text(EPROTO, "criu sent no terminal");
        r = terminal_send(x->console_fd, fd);
        x->terminal_sent = r >= 0;
        return r;
}

/* What the first process had as stdin, stdout and stderr and that came from outside is ours now. */
static int inherit_stdio(CriuCall *c, const ImageDir *d) {
        _cleanup_stdio_names_ StdioNames n = {};
        int r = stdio_names_load(d, &n);

        for (int fd = 0; r >= 0 && fd < STDIO_NAMES; fd++) {
                if (!n.names[fd])
                        continue;
                if (startswith(n.names[fd], "file[") && lseek(fd, 0, SEEK_CUR) < 0 && errno == ESPIPE)
                        return fail_text(
                                        ESPIPE,
                                        "restore: descriptor %d was a file or /dev/null and has to be one again",
                                        fd);
                criu_add_inherit(c, fd, n.names[fd]);
        }
        return r;
}

static int open_namespace(CriuCall *c, const SpecNamespace *ns, const char *key, int *ret_fd) {
        if (!ns->path)
                return 0;
        *ret_fd = open(ns->path, O_RDONLY | O_CLOEXEC);
        if (*ret_fd < 0)
                return fail_errno(errno, "open namespace %s", ns->path);
        criu_add_inherit(c, *ret_fd, key);
        return 0;
}

static int add_namespaces(CriuCall *c, Restore *x) {
        const Spec *s = &x->bundle->spec;
        int r;

        r = open_namespace(c, &s->ns[NS_NET], CRIU_NET_KEY, &x->net_fd);
        if (r >= 0)
                r = open_namespace(c, &s->ns[NS_PID], CRIU_PID_KEY, &x->pid_ns_fd);
        if (s->ns[NS_IPC].path)
                criu_add_join(c, "ipc", s->ns[NS_IPC].path);
        if (s->ns[NS_UTS].path)
                criu_add_join(c, "uts", s->ns[NS_UTS].path);
        if (s->ns[NS_TIME].path)
                criu_add_join(c, "time", s->ns[NS_TIME].path);
        return r;
}

static int run_criu(Restore *x) {
        _cleanup_criu_ CriuCall c = CRIU_CALL_INIT;
        const RestoreOptions *o = x->options;
        CriuResponse answer = {};
        int r;

        c.started = enter_cgroup;
        c.prepare = prepare_criu;
        c.notify = on_notify;
        c.userdata = x;
        r = criu_add_common(&c, &o->criu, &x->bundle->spec, &x->images, RESTORE_LOG);
        if (r >= 0)
                r = criu_add_network_lock(&c, o->criu.network_lock, false);
        if (r >= 0 && o->lsm_profile)
                r = criu_require(CRIU_FLOOR, "--lsm-profile");
        if (r >= 0 && o->lsm_mount_context)
                r = criu_require(CRIU_FLOOR, "--lsm-mount-context");
        if (r < 0)
                return r;
        criu_add_text(&c, CRIU_ROOT, x->state->rootfs);
        criu_add_number(&c, CRIU_NOTIFY, true);
        criu_add_number(&c, CRIU_RESTORE_SIBLING, true);
        criu_add_text(&c, CRIU_LSM_PROFILE, o->lsm_profile);
        criu_add_text(&c, CRIU_LSM_MOUNT_CONTEXT, o->lsm_mount_context);
        r = inherit_stdio(&c, &x->images);
        if (r >= 0)
                r = criu_mounts_restore(&c, &x->bundle->spec, x->state);
        if (r >= 0)
                r = add_namespaces(&c, x);
        if (r >= 0)
                r = criu_perform(&c, CRIU_RESTORE, &answer);
        if (r >= 0 && answer.pid != x->state->pid)
                return fail_text(EPROTO, "criu restored process %d but announced %d", (int) answer.pid,
                                 (int) x->state->pid);
        return r;
}

static int restore_in(Restore *x) {
        _cleanup_seccomp_ SeccompFilter filter = {};
        const CreateOptions *o = &x->options->create;
        Spec *s = &x->bundle->spec;
        State *st = x->state;
        int r;

        r = state_save(st);
        if (r < 0)
                return r;
        r = write_file_at(st->dir_fd, "config.json", x->bundle->text, x->bundle->size, 0600, 0);
        if (r < 0)
                return fail_errno(r, "store config.json");
        /* criu restores the filters of the processes: this one is for exec. */
        r = seccomp_prepare(o->root, st->dir_fd, s->seccomp, &filter);
        if (r < 0)
                return r;
        if (o->console_socket) {
                x->console_fd = terminal_connect(o->console_socket);
                if (x->console_fd < 0)
                        return x->console_fd;
        }
        return run_criu(x);
}

/* criu may have made cgroups below ours, and one that died may have left processes there. */
static void undo_restore(Restore *x) {
        _cleanup_free_ char *parent = NULL;
        char *slash;

        if (x->cgroup_fd >= 0)
                (void) cgroup_kill(x->cgroup_fd);
        if (x->undo->pid > 0)
                while (waitpid(x->undo->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        x->undo->pid = 0;
        if (x->undo->cgroup_made > 0 && cgroup_remove(x->state->cgroup) >= 0) {
                parent = strdup(x->state->cgroup);
                slash = parent ? strrchr(parent, '/') : NULL;
                if (slash)
                        *slash = 0;
                x->undo->cgroup = parent;
                x->undo->cgroup_made = slash ? x->undo->cgroup_made - 1 : 0;
        }
        undo_run(x->undo);
}

/*
 * Processes of a user namespace open images while they already are in it, where root of the host's directory
 * counts for nothing: they get the right to search it, by their group, and no other.
 */
static int admit_user_namespace(const Restore *x) {
        const Spec *s = &x->bundle->spec;
        struct stat sb;

        for (size_t i = 0; i < s->n_gid_maps; i++) {
                const SpecIdMap *m = &s->gid_maps[i];

                if (m->inside != 0 || m->size == 0)
                        continue;
                if (fstat(x->images.fd, &sb) < 0 || fchown(x->images.fd, (uid_t) -1, m->outside) < 0 ||
                    fchmod(x->images.fd, (sb.st_mode & 07707) | S_IXGRP) < 0)
                        return fail_errno(errno, "access of the user namespace to %s",
                                          x->options->criu.image_path);
        }
        return 0;
}

static int open_images(Restore *x) {
        const CriuOptions *o = &x->options->criu;
        int r;

        r = image_dir_open(o->image_path, o->work_path, RESTORE_LOG, &x->images);
        if (r >= 0)
                r = image_label_check(&x->images, &x->bundle->spec.process);
        if (r >= 0 && o->lazy_pages)
                r = image_dir_await_pages(&x->images);
        return r < 0 ? r : admit_user_namespace(x);
}

static int check(Restore *x) {
        const RestoreOptions *o = x->options;
        _cleanup_free_ char *path = NULL;
        int r;

        r = create_check(&x->bundle->spec, &o->create);
        if (r >= 0)
                r = criu_check_spec(&x->bundle->spec);
        if (r >= 0)
                r = criu_find(&path);
        return r < 0 ? r : open_images(x);
}

/**
 * container_restore - make a container again from a checkpoint.
 * @bundle: config.json, loaded; borrowed.
 * @ret: its state, locked; release with state_done(). The first process is a child of the caller and runs.
 *
 * Return: 0, or -errno with a message and nothing left behind.
 */
int container_restore(const RestoreOptions *o, Bundle *bundle, State *ret) {
        _cleanup_state_ State st = STATE_INIT;
        Undo u = { .root = o->create.root, .id = o->create.id, .pidfd = -EBADF, .st = &st };
        Restore x = { .options = o, .bundle = bundle, .state = &st, .undo = &u, .images = IMAGE_DIR_INIT,
                      .cgroup_fd = -EBADF, .console_fd = o->create.console_fd, .net_fd = -EBADF,
                      .pid_ns_fd = -EBADF };
        int r;

        r = check(&x);
        if (r >= 0 && o->create.systemd_cgroup)
                r = systemd_scope_begin(&u.scope, false);
        if (r >= 0 && (r = state_make(o->create.root, o->create.id, &st)) >= 0) {
                u.state = true;
                r = create_fill_state(&bundle->spec, &o->create, &st);
                if (r >= 0)
                        spec_mounts_enter_root(&bundle->spec, st.rootfs);
                if (r >= 0 && u.scope.used)
                        r = systemd_scope_name(&u.scope, &bundle->spec, &st);
                if (r >= 0)
                        r = restore_in(&x);
        }
        if (r < 0) {
                _cleanup_free_ char *message = strdup(fail_message());

                undo_restore(&x);
                (void) fail_text(r, "%s", strempty(message));
        }
        systemd_scope_done(&u.scope);
        restore_close(&x);
        if (r < 0)
                return r;
        *ret = st;
        st = STATE_INIT;
        return 0;
}
