/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A container under the systemd cgroup driver lives in a transient scope. PID 1 makes the cgroup and moves
 * the container's first process into it while that one is busy with its mounts; it waits for its cgroup
 * (CHANNEL_CGROUP) only before something shows it: its cgroup namespace, a cgroup mount, the hooks.
 *
 * What a unit has a property for is asked of systemd, so that it is there after a daemon-reload; then
 * everything is written to the cgroup's files as well, by the same code as the cgroupfs driver's: systemd
 * only logs what the kernel refuses, and knows only some of the files.
 */
#include "systemd-cgroup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../cgroup/cgroup-controllers.h"
#include "../cgroup/cgroup.h"
#include "../cgroup/resources.h"
#include "../error.h"
#include "../runtime-log.h"
#include "systemd-name.h"
#include "systemd-properties.h"

#define DESCRIPTION_MAX 256
#define SUBGROUP_ANNOTATION "run.oci.systemd.subgroup"
#define DESCRIPTION_ANNOTATION "org.systemd.property.Description"

/* In a user namespace of an ordinary user the system's directory belongs to nobody we know. */
static bool manager_is_users(void) {
        struct stat st;

        return stat("/run/systemd", &st) >= 0 ? st.st_uid != geteuid() : geteuid() != 0;
}

/** systemd_scope_prepare - start the helper, before it is known whether there will be a container to ask
 * for. Whoever calls this calls scope_helper_forget() at the end. */
int systemd_scope_prepare(void) {
        ScopeHelper h = {};
        int r = scope_helper_start(manager_is_users(), &h);

        if (r >= 0)
                scope_helper_park(&h);
        return r;
}

/**
 * systemd_scope_begin - take the helper, or start it.
 * @keep: park it when the container is created: this process will end the container too.
 */
int systemd_scope_begin(SystemdScope *x, bool keep) {
        x->used = true;
        x->keep = keep;
        x->user = manager_is_users();
        return scope_helper_start(x->user, &x->helper);
}

/* What somebody has left frozen where the scope's cgroup will be is no place to start in. */
static int check_place(const ScopeName *n, bool user) {
        _cleanup_free_ char *below = NULL, *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        unsigned uid = (unsigned) geteuid();
        int r = scope_name_cgroup(n->slice, n->unit, &below);

        if (r < 0)
                return r;
        path = user ? str_printf("/user.slice/user-%u.slice/user@%u.service%s", uid, uid, below)
                    : TAKE_PTR(below);
        if (!path)
                return -ENOMEM;
        fd = cgroup_open(path);
        if (fd >= 0 && cgroup_is_frozen(fd) > 0)
                return fail_text(EBUSY, "container's cgroup unexpectedly frozen: %s", path);
        return 0;
}

/** systemd_scope_name - decide the unit's name and put it into @st: a killed create is deleted by it. */
int systemd_scope_name(SystemdScope *x, const Spec *s, State *st) {
        _cleanup_scope_name_ ScopeName n = {};
        int r;

        r = scope_name_parse(s->cgroups_path, st->id, x->user, &n);
        if (r >= 0)
                r = check_place(&n, x->user);
        if (r < 0)
                return r;
        st->scope_user = x->user;
        st->scope = TAKE_PTR(n.unit);
        x->slice = TAKE_PTR(n.slice);
        return 0;
}

static void describe(const State *st, char ret[DESCRIPTION_MAX]) {
        (void) snprintf(ret, DESCRIPTION_MAX, "berth-runtime container %s", st->id);
}

/*
 * No default dependencies: whoever manages the container stops it at shutdown. Delegated, so that the
 * payload may have cgroups of its own and systemd does not touch what is below.
 */
static int put_basics(Buffer *b, const SystemdScope *x, const State *st, pid_t pid) {
        static const char *const on[] = { "Delegate", "CPUAccounting", "MemoryAccounting", "IOAccounting",
                                          "TasksAccounting" };
        char description[DESCRIPTION_MAX];
        int r;

        describe(st, description);
        if ((r = scope_request_put(b, "Description", "s", description)) < 0 ||
            (r = scope_request_put(b, "Slice", "s", x->slice)) < 0 ||
            (r = scope_request_put(b, "DefaultDependencies", "b", "0")) < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(on); i++)
                if ((r = scope_request_put(b, on[i], "b", "1")) < 0)
                        return r;
        return scope_request_putf(b, "PIDs", "au", "%d", (int) pid);
}

static int put_limits(Buffer *b, const Spec *s) {
        _cleanup_resources_ Resources resources = RESOURCES_INIT;
        int r;

        r = resources_parse(s->resources, s->oci_version, &resources);
        if (r >= 0)
                r = systemd_put_resources(b, &resources);
        return r < 0 ? r : systemd_put_devices(b, s->resources, false);
}

static int request_failed(int error, const State *st) {
        return error == -E2BIG ? fail_text(error, "too many properties for %s", st->scope) : error;
}

/** systemd_scope_request - ask for the scope around @pid; systemd_scope_enter() awaits it. */
int systemd_scope_request(SystemdScope *x, const Spec *s, const State *st, pid_t pid) {
        _cleanup_buffer_ Buffer b = SCOPE_REQUEST_INIT;
        int r;

        r = scope_request_begin(&b, SCOPE_VERB_START, st->scope);
        if (r >= 0)
                r = put_basics(&b, x, st, pid);
        if (r >= 0)
                r = put_limits(&b, s);
        /* Last: they may change what is above. */
        if (r >= 0)
                r = systemd_put_annotations(&b, s->annotations);
        if (r < 0)
                return request_failed(r, st);
        x->made = true;
        return scope_helper_send(&x->helper, &b);
}

/* systemd hands on those that it knows. If the slice has others (hugetlb, rdma), its containers have them
 * too, as under the other driver. */
static void enable_foreign_controllers(int scope_fd) {
        _cleanup_close_ int slice = openat(scope_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (slice >= 0)
                cgroup_enable_available(slice);
}

/* As crun has it: a cgroup below the scope for the process, which leaves the scope's own free of any. */
static int enter_subgroup(const Spec *s, int scope_fd, pid_t pid) {
        const char *name = s->annotations ? json_string_or(s->annotations, SUBGROUP_ANNOTATION, "") : "";
        _cleanup_close_ int fd = -EBADF;
        char text[16];
        int r;

        if (isempty(name))
                return 0;
        if (strlen(name) > NAME_MAX || strchr(name, '/') || name[0] == '.' || startswith(name, "cgroup."))
                return fail_text(EINVAL, "config.json: annotations: " SUBGROUP_ANNOTATION
                                         ": \"%s\" is not the name of a cgroup", name);
        if (mkdirat(scope_fd, name, 0755) >= 0)
                fd = openat(scope_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return fail_errno(errno, "create cgroup %s in the scope", name);
        (void) snprintf(text, sizeof(text), "%d", (int) pid);
        r = write_string_at(fd, "cgroup.procs", text);
        return r < 0 ? fail_errno(r, "move process %s to cgroup %s in the scope", text, name) : 0;
}

/**
 * systemd_scope_enter - wait until @pid is in its scope, and store the cgroup in @st.
 *
 * Return: a descriptor of the cgroup, or -errno with a message.
 */
int systemd_scope_enter(SystemdScope *x, const Spec *s, State *st, pid_t pid) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        const char *last;
        int r;

        r = scope_helper_wait(&x->helper, st->scope);
        if (r < 0) {
                /* Then it is somebody else's. */
                if (r == -EEXIST)
                        x->made = false;
                return r;
        }
        r = cgroup_of_pid(pid, &path);
        if (r < 0)
                return r;
        last = strrchr(path, '/');
        if (!last || !streq(last + 1, st->scope))
                return fail_text(EIO, "systemd did not move process %d to %s: it is in %s", (int) pid,
                                 st->scope, path);
        if (!x->keep)
                scope_helper_kill(&x->helper);
        st->cgroup = TAKE_PTR(path);
        fd = cgroup_open(st->cgroup);
        if (fd < 0)
                return fd;
        enable_foreign_controllers(fd);
        r = enter_subgroup(s, fd, pid);
        return r < 0 ? r : TAKE_FD(fd);
}

static const char *subgroup_of(const State *st) {
        return st->scope && st->annotations ? json_string_or(st->annotations, SUBGROUP_ANNOTATION, "") : "";
}

/** systemd_scope_open_inner - the cgroup for further processes of any container: its own, or the one below
 * its scope. Return: a descriptor, or -errno with a message. */
int systemd_scope_open_inner(const State *st) {
        const char *name = subgroup_of(st);
        _cleanup_free_ char *path = NULL;

        if (isempty(name))
                return cgroup_open(st->cgroup);
        path = str_concat(st->cgroup, "/", name);
        return path ? cgroup_open(path) : -ENOMEM;
}

/* How much of two cgroup paths is the same, in whole names. */
static size_t common_length(const char *a, const char *b) {
        size_t same = 0, i = 0;

        for (; a[i] && a[i] == b[i]; i++)
                if (a[i] == '/')
                        same = i;
        return (!a[i] || a[i] == '/') && (!b[i] || b[i] == '/') ? i : same;
}

/* The kernel's rule for a move: cgroup.procs of the nearest cgroup above both must be writable. */
static int may_move_to(const char *path) {
        _cleanup_free_ char *own = NULL, *above = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = cgroup_of_pid(getpid(), &own);
        if (r < 0)
                return r;
        above = str_printf("%.*s", (int) MAX(common_length(own, path), (size_t) 1), path);
        if (!above)
                return -ENOMEM;
        fd = above[1] ? cgroup_open(above) : cgroup_open_mount();
        return fd >= 0 && faccessat(fd, "cgroup.procs", W_OK, AT_EACCESS) >= 0;
}

/**
 * systemd_scope_prepare_attach - start the helper if a process that we make cannot be put into the
 * container's scope by ourselves; in a login session that is so. Called while we are in no namespace of the
 * container.
 *
 * Return: 1 when systemd_scope_attach() is to be used, 0 when not, or -errno with a message.
 */
int systemd_scope_prepare_attach(const State *st, ScopeHelper *ret) {
        int r;

        if (!st->scope || !st->scope_user || !st->cgroup)
                return 0;
        r = may_move_to(st->cgroup);
        if (r != 0)
                return r < 0 ? r : 0;
        r = scope_helper_start(true, ret);
        return r < 0 ? r : 1;
}

/** systemd_scope_attach - have a process moved to the container's cgroup. */
int systemd_scope_attach(ScopeHelper *h, const State *st, pid_t pid) {
        const char *name = subgroup_of(st);
        _cleanup_buffer_ Buffer b = SCOPE_REQUEST_INIT;
        int r;

        r = scope_request_begin(&b, SCOPE_VERB_ATTACH, st->scope);
        if (r >= 0)
                r = fields_putf(&b, '\n', "subgroup", "%s%s", isempty(name) ? "" : "/", name);
        if (r >= 0)
                r = fields_putf(&b, '\n', "pid", "%d", (int) pid);
        return r < 0 ? r : scope_helper_call(h, &b, st->scope);
}

static bool annotated(const State *st, const char *key) {
        return st->annotations && json_get(st->annotations, key);
}

/* @failed: it may be there only because it has failed, which is to be forgotten before anybody looks. */
static int stop_unit(ScopeHelper *h, const State *st, bool failed) {
        _cleanup_buffer_ Buffer b = SCOPE_REQUEST_INIT;
        char description[DESCRIPTION_MAX];
        int r;

        r = scope_request_begin(&b, SCOPE_VERB_STOP, st->scope);
        /* A create that was killed may not have come to the point where the unit's name was known to be
         * free. */
        if (r >= 0 && !st->cgroup && !annotated(st, DESCRIPTION_ANNOTATION)) {
                describe(st, description);
                r = fields_put(&b, '\n', "description", description);
        }
        if (r >= 0)
                r = fields_put(&b, '\n', "reset", failed ? "1" : "0");
        return r < 0 ? r : scope_helper_call(h, &b, st->scope);
}

/** systemd_scope_undo - take the scope of a failed create away; its processes are dead. Keeps
 * fail_message(). */
void systemd_scope_undo(SystemdScope *x, const State *st) {
        _cleanup_free_ char *message = NULL;

        if (!x->made)
                return;
        message = strdup(fail_message());
        /* Another helper: this one may have been ended already. */
        (void) systemd_scope_remove(st);
        (void) fail_text(EIO, "%s", strempty(message));
}

/** systemd_scope_done - end the helper, or park it for the end of the container. */
void systemd_scope_done(SystemdScope *x) {
        if (x->keep && x->helper.pid > 0)
                scope_helper_park(&x->helper);
        else
                scope_helper_end(&x->helper);
        x->slice = mfree(x->slice);
}

/* A unit that has failed stays until somebody says that it has been seen, and with it its file. Where the
 * files are not to be seen nothing is known. */
static bool unit_is_loaded(const State *st) {
        _cleanup_free_ char *directory = NULL, *file = NULL;
        const char *runtime = st->scope_user ? getenv("XDG_RUNTIME_DIR") : "/run";

        directory = runtime ? str_concat(runtime, "/systemd/transient") :
                              str_printf("/run/user/%u/systemd/transient", (unsigned) geteuid());
        file = directory ? str_concat(directory, "/", st->scope) : NULL;
        return !file || access(file, F_OK) >= 0 || errno != ENOENT || access(directory, F_OK) < 0;
}

/* PID 1 removes the cgroup when the last process has ended, and the unit too unless it has failed. */
static bool scope_is_gone(const State *st) {
        int fd = st->cgroup ? cgroup_open(st->cgroup) : -EBADF;

        if (fd >= 0)
                (void) close(fd);
        return fd == -ENOENT;
}

/** systemd_scope_remove - end the scope of a container whose processes are dead. A manager that is gone, and
 * with it the scope's cgroup, keeps no container: what it may still know of the scope is only a warning. */
int systemd_scope_remove(const State *st) {
        _cleanup_scope_helper_ ScopeHelper h = {};
        bool gone = scope_is_gone(st);
        int r;

        if (gone && !unit_is_loaded(st))
                return 0;
        r = scope_helper_start(st->scope_user, &h);
        r = r < 0 ? r : stop_unit(&h, st, gone);
        if (r >= 0 || !gone)
                return r;
        runtime_warning("%s", fail_message());
        return 0;
}

/**
 * systemd_scope_update - change the properties of a running container's scope, and wait until systemd has
 * written them to the cgroup.
 * @r: what changes.
 * @devices: linux.resources with the new device rules; NULL: they stay.
 */
int systemd_scope_update(const State *st, const Resources *r, json_object *devices) {
        _cleanup_scope_helper_ ScopeHelper h = {};
        _cleanup_buffer_ Buffer b = SCOPE_REQUEST_INIT;
        size_t before;
        int q;

        q = scope_request_begin(&b, SCOPE_VERB_SET, st->scope);
        before = b.size;
        if (q >= 0)
                q = systemd_put_resources(&b, r);
        if (q >= 0 && devices)
                q = systemd_put_devices(&b, devices, true);
        if (q < 0)
                return request_failed(q, st);
        if (b.size == before)
                return 0;
        q = scope_helper_start(st->scope_user, &h);
        return q < 0 ? q : scope_helper_call(&h, &b, st->scope);
}
