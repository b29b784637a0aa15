/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "../basic/buffer.h"
#include "../basic/clock.h"
#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/str.h"
#include "../shared/unit-name.h"
#include "setup.h"

/*
 * The payload's scope. PID 1 is asked over its private socket: no broker in between, and JobRemoved comes
 * without a subscription. The request is sent first and its answer awaited last. The scope needs a process
 * from its first moment, a placeholder; before a controller is enabled below the scope that one has to be in
 * a leaf, so a second one is born there: in a leaf of its own, since runtimes refuse a cgroup that is in
 * use.
 */
#define CALL_TIMEOUT (25 * USEC_PER_SEC)
#define RETRY_MAX (10 * USEC_PER_MSEC)

struct Scope {
        sd_bus *bus;
        char unit[UNIT_NAME_SIZE];
        pid_t placeholder;
        char *placeholder_leaf;
        char *job;
        char *job_done;    /* a JobRemoved that came before the method's answer */
        char *job_result;
        int error;
        char *error_text;
        bool exists;
        bool waited;
};

static pid_t spawn_placeholder(int cgroup_fd) {
        struct clone_args a = { .exit_signal = SIGCHLD };
        pid_t parent = getpid(), pid;

        if (cgroup_fd >= 0) {
                a.flags = CLONE_INTO_CGROUP;
                a.cgroup = (uint64_t) cgroup_fd;
                pid = (pid_t) syscall(SYS_clone3, &a, sizeof(a));
        } else
                pid = fork();
        if (pid != 0)
                return pid;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(0);
        (void) close_range(0, ~0U, 0);
        for (;;)
                pause();
}

static void end_placeholder(pid_t *pid) {
        if (*pid <= 0)
                return;
        (void) kill(*pid, SIGKILL);
        (void) waitpid(*pid, NULL, 0);
        *pid = 0;
}

static int put_property(sd_bus_message *m, const char *text) {
        _cleanup_free_ char *copy = strdup(text);
        char *value, *type;
        uint64_t u;
        int r;

        if (!copy)
                return -ENOMEM;
        value = strchr(copy, '=');
        if (!value || value[1] == 0 || value[2] != ':')
                return -EINVAL;
        *value = 0;
        type = value + 1;
        value += 3;
        switch (type[0]) {
        case 's':
                return sd_bus_message_append(m, "(sv)", copy, "s", value);
        case 'b':
                return sd_bus_message_append(m, "(sv)", copy, "b",
                                             streq(value, "1") || streq(value, "true"));
        case 't':
        case 'u':
                r = parse_u64(value, type[0] == 'u' ? UINT32_MAX : UINT64_MAX, &u);
                if (r < 0)
                        return r;
                return type[0] == 't' ? sd_bus_message_append(m, "(sv)", copy, "t", u) :
                                        sd_bus_message_append(m, "(sv)", copy, "u", (uint32_t) u);
        default:
                return -EINVAL;
        }
}

static int put_properties(Setup *s, Scope *scope, sd_bus_message *m) {
        char service[UNIT_NAME_SIZE], short_id[CONTAINER_SHORT_ID_LENGTH + 1];
        int64_t timeout = fields_get_i64_or(&s->conf, "stop-timeout", 10);
        int sig = signal_from_string(strempty(fields_get(&s->conf, "stop-signal")));
        _cleanup_free_ char *description = NULL;
        int r;

        unit_name_shim(s->id, service);
        (void) snprintf(short_id, sizeof(short_id), "%.*s", CONTAINER_SHORT_ID_LENGTH, s->id);
        description = str_concat("Container ", strempty(fields_get(&s->conf, "name")), " (", short_id, ")");
        if (!description)
                return -ENOMEM;
        r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)(sv)", "Description", "s", description, "PIDs",
                                  "au", 1, (uint32_t) scope->placeholder, "Slice", "s", BERTH_SLICE,
                                  "Delegate", "b", 1, "CollectMode", "s", "inactive-or-failed", "KillSignal",
                                  "i", (int32_t) (sig > 0 ? sig : SIGTERM), "TimeoutStopUSec", "t",
                                  timeout < 0 ? UINT64_MAX
                                              : (uint64_t) timeout * USEC_PER_SEC + USEC_PER_SEC);
        /* At shutdown the shim is stopped first and stops the payload in Docker's way. */
        if (r >= 0)
                r = sd_bus_message_append(m, "(sv)", "Before", "as", 1, service);
        for (size_t i = 0; r >= 0; i++) {
                const char *p = fields_get_nth(&s->conf, "property", i);

                if (!p)
                        break;
                r = put_property(m, p);
                if (r == -EINVAL)
                        return setup_fail(s, r, 128, "Invalid unit property '%s' in shim.conf", p);
        }
        return r;
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        Scope *scope = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);
        const char *path;
        int r;

        if (e) {
                scope->exists = sd_bus_error_has_name(e, "org.freedesktop.systemd1.UnitExists");
                scope->error = -sd_bus_message_get_errno(m);
                scope->error_text = strdup(strempty(e->message));
                return 0;
        }
        r = sd_bus_message_read(m, "o", &path);
        if (r >= 0)
                scope->job = strdup(path);
        return r;
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        Scope *scope = userdata;
        const char *path, *unit, *result;
        uint32_t id;

        if (sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) < 0 || !streq(unit, scope->unit))
                return 0;
        free(scope->job_done);
        free(scope->job_result);
        scope->job_done = strdup(path);
        scope->job_result = strdup(result);
        return 0;
}

static int open_bus(sd_bus **ret) {
        sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_address(bus, "unix:path=/run/systemd/private");
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0) {
                sd_bus_unref(bus);
                return sd_bus_open_system(ret);
        }
        *ret = bus;
        return 0;
}

static int send_request(Setup *s, Scope *scope) {
        sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(scope->bus, &m, "org.freedesktop.systemd1",
                                           "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
                                           "StartTransientUnit");
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", scope->unit, "fail");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sv)");
        if (r >= 0)
                r = put_properties(s, scope, m);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_append(m, "a(sa(sv))", 0);
        if (r >= 0)
                r = sd_bus_call_async(scope->bus, NULL, m, on_reply, scope, CALL_TIMEOUT);
        sd_bus_message_unref(m);
        return r;
}

/* Let the connection make progress without waiting: authentication and the request leave while mounts are
 * made. */
static void push(sd_bus *bus) {
        while (sd_bus_process(bus, NULL) > 0)
                ;
}

/** scope_request - ask PID 1 for the scope; scope_wait() gets the answer. Return: 0 or -errno. */
int scope_request(Setup *s, Scope **ret) {
        Scope *scope = new0(Scope, 1);
        int r;

        if (!scope)
                return -ENOMEM;
        unit_name_scope(s->id, scope->unit);
        scope->placeholder = spawn_placeholder(-EBADF);
        if (scope->placeholder < 0) {
                r = negative_errno();
                free(scope);
                return r;
        }
        *ret = scope;
        r = open_bus(&scope->bus);
        if (r >= 0)
                r = sd_bus_match_signal(scope->bus, NULL, NULL, "/org/freedesktop/systemd1",
                                        "org.freedesktop.systemd1.Manager", "JobRemoved", on_job_removed,
                                        scope);
        if (r >= 0)
                r = send_request(s, scope);
        if (r < 0)
                return setup_fail(s, r, 128, "Cannot ask systemd for %s", scope->unit);
        push(scope->bus);
        return 0;
}

static bool job_is_over(const Scope *scope) {
        return scope->error < 0 || (scope->job && streq_ptr(scope->job, scope->job_done));
}

static int wait_job(Setup *s, Scope *scope) {
        usec_t end = now_monotonic() + CALL_TIMEOUT;

        while (!job_is_over(scope)) {
                int r = sd_bus_process(scope->bus, NULL);

                if (r == 0) {
                        usec_t now = now_monotonic();

                        if (now >= end)
                                return setup_fail(s, -ETIMEDOUT, 128, "systemd did not start %s in time",
                                                  scope->unit);
                        r = sd_bus_wait(scope->bus, end - now);
                }
                if (r < 0)
                        return setup_fail(s, r, 128, "The connection to systemd broke while starting %s",
                                          scope->unit);
        }
        return 0;
}

/*
 * A shim that was killed during a start leaves its scope behind, and after a restart the last one may still
 * be on its way out. Nobody else can own it: empty it, then ask again whenever PID 1 has told us something,
 * until it has been collected.
 */
static int replace_leftover(Setup *s, Scope *scope) {
        _cleanup_free_ char *path = str_concat("/sys/fs/cgroup/berth.slice/", scope->unit, "/cgroup.kill");
        usec_t end = now_monotonic() + CALL_TIMEOUT;
        int r;

        if (!path)
                return -ENOMEM;
        (void) write_string_at(AT_FDCWD, path, "1");
        /* One whose only process was killed before PID 1 could move it is empty from the start and never
         * ends by itself. */
        (void) sd_bus_call_method(scope->bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                  "org.freedesktop.systemd1.Manager", "StopUnit", NULL, NULL, "ss",
                                  scope->unit, "replace");
        while (scope->exists && now_monotonic() < end) {
                r = sd_bus_wait(scope->bus, RETRY_MAX);
                if (r < 0)
                        return r;
                scope->exists = false;
                scope->error = 0;
                scope->error_text = mfree(scope->error_text);
                scope->job_done = mfree(scope->job_done);
                r = send_request(s, scope);
                if (r >= 0)
                        r = wait_job(s, scope);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_cgroup(pid_t pid, char **ret) {
        _cleanup_free_ char *text = NULL;
        char path[64], *p;
        size_t size;
        int r;

        (void) snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
        r = read_file_at(AT_FDCWD, path, 16384, &text, &size);
        if (r < 0)
                return r;
        p = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
        if (!p)
                return -EOPNOTSUPP;
        p = strstr(p, "0::") + 3;
        p[strcspn(p, "\n")] = 0;
        *ret = strdup(p);
        return *ret ? 0 : -ENOMEM;
}

/* Memory, to learn from the payload's own counters that it was killed for want of memory, and pids for its
 * statistics; the runtime asks for others when it needs them. */
static int enable_controllers(const char *top, const char *available) {
        _cleanup_free_ char *file = str_concat(top, "/cgroup.subtree_control");
        const char *const wanted[] = { "memory", "pids" };
        _cleanup_buffer_ Buffer b = BUFFER_INIT(64);
        int r = file ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(wanted); i++) {
                const char *p = strstr(available, wanted[i]);

                if (p && (p == available || p[-1] == ' ') && strchr(" \n", p[strlen(wanted[i])]))
                        r = buffer_appendf(&b, "+%s ", wanted[i]);
        }
        return r < 0 || b.size == 0 ? r : write_string_at(AT_FDCWD, file, b.data);
}

/* @cgroup: the scope's. The payload's is left to the runtime, which is born into what it has made itself. */
static int move_to_leaf(Scope *scope, const char *cgroup) {
        _cleanup_free_ char *top = str_concat("/sys/fs/cgroup", cgroup), *controllers = NULL, *file = NULL;
        _cleanup_close_ int fd = -EBADF;
        pid_t second;
        size_t size;

        file = top ? str_concat(top, "/cgroup.controllers") : NULL;
        scope->placeholder_leaf = top ? str_concat(top, "/starting") : NULL;
        if (!file || !scope->placeholder_leaf)
                return -ENOMEM;
        if (read_file_at(AT_FDCWD, file, 4096, &controllers, &size) < 0 || size <= 1)
                return 0; /* no controllers to enable: it may stay where it is */
        if (mkdir(scope->placeholder_leaf, 0755) < 0 && errno != EEXIST)
                return negative_errno();
        fd = open(scope->placeholder_leaf, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return negative_errno();
        second = spawn_placeholder(fd);
        if (second < 0)
                return negative_errno();
        end_placeholder(&scope->placeholder);
        scope->placeholder = second;
        return enable_controllers(top, controllers);
}

/** scope_wait - until the placeholder is in the scope. Sets @s->cgroup. Return: 0 or -errno. */
int scope_wait(Setup *s, Scope *scope) {
        _cleanup_free_ char *cgroup = NULL;
        int r;

        scope->waited = true;
        r = wait_job(s, scope);
        if (r >= 0 && scope->exists)
                r = replace_leftover(s, scope);
        if (r < 0)
                return r;
        if (scope->error < 0)
                return setup_fail(s, scope->error, 128, "systemd refused %s: %s", scope->unit,
                                  strempty(scope->error_text));
        if (!streq_ptr(scope->job_result, "done"))
                return setup_fail(s, -EIO, 128, "systemd could not start %s: %s", scope->unit,
                                  strempty(scope->job_result));
        r = read_cgroup(scope->placeholder, &cgroup);
        if (r < 0)
                return r;
        s->cgroup = str_concat(cgroup, "/payload");
        if (!s->cgroup)
                return -ENOMEM;
        r = move_to_leaf(scope, cgroup);
        return r < 0 ? setup_fail(s, r, 128, "Cannot prepare the cgroup %s", s->cgroup) : 0;
}

/** scope_release_placeholder - the payload is in the scope now. */
void scope_release_placeholder(Scope *scope) {
        end_placeholder(&scope->placeholder);
}

/**
 * scope_abort - a start failed: an empty scope ends by itself. One whose process had ended before PID 1
 * could move it never would, so PID 1 may finish first.
 */
void scope_abort(Setup *s, Scope *scope) {
        if (!scope)
                return;
        if (!scope->waited && scope->bus)
                (void) wait_job(s, scope);
        if (s->cgroup) {
                _cleanup_free_ char *path = str_concat("/sys/fs/cgroup", s->cgroup, "/cgroup.kill");

                if (path)
                        (void) write_string_at(AT_FDCWD, path, "1");
        }
        end_placeholder(&scope->placeholder);
}

/** scope_free - forget the scope, which goes on. Return: NULL. */
Scope *scope_free(Scope *scope) {
        if (!scope)
                return NULL;
        end_placeholder(&scope->placeholder);
        /* Not on the way of a start; what it leaves goes with the scope. */
        if (scope->placeholder_leaf)
                (void) rmdir(scope->placeholder_leaf);
        free(scope->placeholder_leaf);
        (void) sd_bus_unref(scope->bus);
        free(scope->job);
        free(scope->job_done);
        free(scope->job_result);
        free(scope->error_text);
        free(scope);
        return NULL;
}

/** host_is_shutting_down - Return: 1, 0, -errno if PID 1 does not say. */
int host_is_shutting_down(void) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        char *state = NULL;
        sd_bus *bus = NULL;
        int r;

        r = open_bus(&bus);
        if (r < 0)
                return r;
        (void) sd_bus_set_method_call_timeout(bus, 2 * USEC_PER_SEC);
        r = sd_bus_get_property_string(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                       "org.freedesktop.systemd1.Manager", "SystemState", &e, &state);
        if (r >= 0)
                r = streq(state, "stopping");
        free(state);
        sd_bus_error_free(&e);
        sd_bus_unref(bus);
        return r;
}
