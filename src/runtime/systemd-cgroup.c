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

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../basic/str.h"
#include "cgroup.h"
#include "error.h"
#include "systemd-name.h"

#define DESCRIPTION_MAX 256

/* In a user namespace of an ordinary user the system's directory belongs to nobody we know. */
static bool manager_is_users(void) {
        struct stat st;

        return stat("/run/systemd", &st) >= 0 ? st.st_uid != geteuid() : geteuid() != 0;
}

/** systemd_scope_begin - start the helper, before there is anything to ask. */
int systemd_scope_begin(SystemdScope *x) {
        x->used = true;
        x->user = manager_is_users();
        return scope_helper_start(x->user, &x->helper);
}

/** systemd_scope_name - decide the unit's name and put it into @st: a killed create is deleted by it. */
int systemd_scope_name(SystemdScope *x, const Spec *s, State *st) {
        _cleanup_scope_name_ ScopeName n = {};
        int r;

        r = scope_name_parse(s->cgroups_path, st->id, x->user, &n);
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
            (r = scope_request_put(b, "DefaultDependencies", "b", "0")) < 0 ||
            (r = scope_request_put(b, "CollectMode", "s", "inactive-or-failed")) < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(on); i++)
                if ((r = scope_request_put(b, on[i], "b", "1")) < 0)
                        return r;
        return scope_request_putf(b, "PIDs", "au", "%d", (int) pid);
}

/** systemd_scope_request - ask for the scope around @pid; systemd_scope_enter() awaits it. */
int systemd_scope_request(SystemdScope *x, const Spec *s, const State *st, pid_t pid) {
        _cleanup_buffer_ Buffer b = SCOPE_REQUEST_INIT;
        int r;

        r = scope_request_begin(&b, SCOPE_VERB_START, st->scope);
        if (r >= 0)
                r = put_basics(&b, x, st, pid);
        if (r < 0)
                return r == -E2BIG ? fail_text(r, "too many properties for %s", st->scope) : r;
        x->made = true;
        return scope_helper_send(&x->helper, &b);
}

/**
 * systemd_scope_enter - wait until @pid is in its scope, and store the cgroup in @st.
 *
 * Return: a descriptor of the cgroup, or -errno with a message.
 */
int systemd_scope_enter(SystemdScope *x, const Spec *s, State *st, pid_t pid) {
        _cleanup_free_ char *path = NULL;
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
        st->cgroup = TAKE_PTR(path);
        return cgroup_open(st->cgroup);
}

static int stop_unit(ScopeHelper *h, const State *st) {
        _cleanup_buffer_ Buffer b = SCOPE_REQUEST_INIT;
        char description[DESCRIPTION_MAX];
        int r;

        r = scope_request_begin(&b, SCOPE_VERB_STOP, st->scope);
        /* A create that was killed may not have come to the point where the unit's name was known to be
         * free. */
        if (r >= 0 && !st->cgroup) {
                describe(st, description);
                r = fields_put(&b, '\n', "description", description);
        }
        if (r >= 0)
                r = scope_helper_send(h, &b);
        return r < 0 ? r : scope_helper_wait(h, st->scope);
}

/** systemd_scope_undo - take the scope of a failed create away; its processes are dead. Keeps
 * fail_message(). */
void systemd_scope_undo(SystemdScope *x, const State *st) {
        _cleanup_free_ char *message = NULL;

        if (!x->made || x->helper.pid <= 0)
                return;
        message = strdup(fail_message());
        (void) stop_unit(&x->helper, st);
        (void) fail_text(EIO, "%s", strempty(message));
}

/** systemd_scope_done - end the helper. */
void systemd_scope_done(SystemdScope *x) {
        scope_helper_end(&x->helper);
        x->slice = mfree(x->slice);
}

/* With the cgroup gone the unit is gone too: PID 1 removes them in one go. */
static bool scope_is_gone(const State *st) {
        int fd = st->cgroup ? cgroup_open(st->cgroup) : -EBADF;

        if (fd >= 0)
                (void) close(fd);
        return fd == -ENOENT;
}

/** systemd_scope_remove - end the scope of a container whose processes are dead. */
int systemd_scope_remove(const State *st) {
        _cleanup_scope_helper_ ScopeHelper h = {};
        int r;

        if (scope_is_gone(st))
                return 0;
        r = scope_helper_start(st->scope_user, &h);
        return r < 0 ? r : stop_unit(&h, st);
}
