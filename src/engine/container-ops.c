/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <stdio.h>

#include "../basic/clock.h"
#include "../basic/file.h"
#include "../basic/log.h"
#include "../basic/str.h"
#include "container-internal.h"
#include "shim-link.h"
#include "units.h"
#include "worker-job.h"

/*
 * What is asked of a container. An operation ends by an event of its shim (or by the end of the start job),
 * never by the passing of time alone: the limits only keep a broken shim from holding a client for ever.
 */
#define OPERATIONS_MAX 64
#define START_TIMEOUT (90 * USEC_PER_SEC)
#define STOP_GRACE (30 * USEC_PER_SEC)

typedef enum OperationKind { OPERATION_START, OPERATION_STOP, OPERATION_REMOVE } OperationKind;

struct Operation {
        Operation *next;
        Container *container;
        OperationKind kind;
        ContainerDone done;
        void *userdata;
        sd_event_source *timer;
};

static void operation_finish(Operation *o, int error, EngineError *details) {
        Container *c = o->container;

        for (Operation **i = &c->operations; *i; i = &(*i)->next)
                if (*i == o) {
                        *i = o->next;
                        break;
                }
        (void) sd_event_source_disable_unref(o->timer);
        manager_release(c->manager);
        if (o->done)
                o->done(c, error, details, o->userdata);
        free(o);
}

/* Take back an operation that never came to be: its caller is told by the return value instead. */
static void operation_drop(Operation *o) {
        o->done = NULL;
        operation_finish(o, 0, NULL);
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        _cleanup_error_ EngineError e = {};
        Operation *o = userdata;

        (void) error_set(&e, -ETIMEDOUT, "container %s did not %s in time", o->container->name,
                         o->kind == OPERATION_START ? "start" : "stop");
        if (o->kind == OPERATION_START && o->container->status == CONTAINER_STARTING)
                o->container->status = o->container->ran ? CONTAINER_EXITED : CONTAINER_CREATED;
        operation_finish(o, -ETIMEDOUT, &e);
        return 0;
}

static int operation_new(Container *c, OperationKind kind, usec_t timeout, ContainerDone done,
                         void *userdata, Operation **ret) {
        size_t n = 0;
        Operation *o;
        int r;

        for (o = c->operations; o; o = o->next)
                n++;
        if (n >= OPERATIONS_MAX)
                return -EUSERS;
        o = new0(Operation, 1);
        if (!o)
                return -ENOMEM;
        *o = (Operation){
                .next = c->operations, .container = c, .kind = kind, .done = done, .userdata = userdata
        };
        if (timeout != USEC_INFINITY) {
                r = sd_event_add_time(c->manager->event, &o->timer, CLOCK_MONOTONIC,
                                      now_monotonic() + timeout, 0, on_timeout, o);
                if (r < 0) {
                        free(o);
                        return r;
                }
        }
        manager_hold(c->manager);
        c->operations = o;
        if (ret)
                *ret = o;
        return 0;
}

/* Each kind in the order asked; a callback may add operations, so look again after each. */
static void complete_kind(Container *c, OperationKind kind, int error, EngineError *details) {
        for (;;) {
                Operation *oldest = NULL;

                for (Operation *o = c->operations; o; o = o->next)
                        if (o->kind == kind)
                                oldest = o;
                if (!oldest)
                        return;
                operation_finish(oldest, error, details);
        }
}

static void operations_complete_start(Container *c, int error, EngineError *details) {
        complete_kind(c, OPERATION_START, error, details);
}

static void operations_complete_stop(Container *c) {
        complete_kind(c, OPERATION_STOP, 0, NULL);
}

/** operations_fail_all - the object goes away: removals have succeeded by that, the rest is told @error. */
void operations_fail_all(Container *c, int error) {
        complete_kind(c, OPERATION_REMOVE, 0, NULL);
        complete_kind(c, OPERATION_STOP, 0, NULL);
        complete_kind(c, OPERATION_START, error, NULL);
}

/* The object is still in use up the stack: mark it, discard_if_removing() follows. */
static void on_remove_stopped(Container *c, int error, EngineError *details, void *userdata) {
        if (error < 0)
                complete_kind(c, OPERATION_REMOVE, error, details);
        else if (!c->auto_remove) /* else the shim's `removed` ends the operation */
                c->status = CONTAINER_REMOVING;
}

static void discard_if_removing(Container *c) {
        int r;

        if (c->status != CONTAINER_REMOVING)
                return;
        r = container_discard(c);
        if (r < 0) {
                c->status = CONTAINER_DEAD;
                complete_kind(c, OPERATION_REMOVE, r, NULL);
        }
}

/* What waited for the end is told; a removal that waited for it follows. May free @c. */
static void payload_ended(Container *c) {
        operations_complete_stop(c);
        discard_if_removing(c);
}

static void start_failed(Container *c, int code, const char *message) {
        _cleanup_error_ EngineError e = {};
        int error = code == 126 || code == 127 ? -EINVAL : -EIO;

        c->status = c->ran ? CONTAINER_EXITED : CONTAINER_CREATED;
        c->exit_code = code;
        free(c->error);
        c->error = strdup(message);
        (void) error_set(&e, error, "failed to start container %s: %s", c->name, message);
        operations_complete_start(c, error, &e);
        shim_queue_flush(c, false);
}

/* The shim is gone and did not say why. */
static void start_lost(Container *c) {
        _cleanup_free_ char *text = TAKE_PTR(c->job_failure);

        start_failed(c, 128, strempty(text));
        if (c->auto_remove)
                c->status = CONTAINER_REMOVING;
        payload_ended(c);
}

static void on_start_job(Manager *m, const char *id, int error, const char *result, void *userdata) {
        Container *c = hashmap_get(m->containers, id);

        if (!c || c->status != CONTAINER_STARTING)
                return;
        if (error == 0 && streq_ptr(result, "done"))
                return; /* the shim's own `started` follows on its connection */
        free(c->job_failure);
        c->job_failure = str_printf(
                        "the start job of its unit ended with \"%s\"; see: journalctl -u berth@%s.service",
                        result ? result : strerrordesc_np(-error), id);
        /* With a connection the shim's own words may still be on their way; its end of file comes behind
         * them. */
        if (!c->link)
                start_lost(c);
}

/** container_start - see container.h. */
int container_start(Container *c, ContainerDone done, void *userdata, EngineError *reterr) {
        int r;

        if (c->status == CONTAINER_PAUSED)
                return error_set(reterr, -EBUSY, "cannot start a paused container, try unpause instead");
        if (c->status == CONTAINER_RUNNING)
                return -EALREADY;
        if (c->status == CONTAINER_REMOVING)
                return error_set(reterr, -EBUSY, "container %s is marked for removal and cannot be started",
                                 c->name);
        if (c->status != CONTAINER_STARTING) {
                r = container_append(c, "desired", "state", "running", false);
                if (r < 0)
                        return error_set(reterr, r, "cannot store the wanted state: %s",
                                         strerrordesc_np(-r));
                c->restart_count = 0;
                r = unit_start(c->manager, c->id, on_start_job, NULL);
                if (r < 0)
                        return error_set(reterr, r, "cannot ask systemd to start the container: %s",
                                         strerrordesc_np(-r));
        }
        r = operation_new(c, OPERATION_START, START_TIMEOUT, done, userdata, NULL);
        if (r < 0)
                return r;
        c->job_failure = mfree(c->job_failure);
        c->status = CONTAINER_STARTING;
        return 0;
}

static int put_signal(Buffer *b, const char *signal, EngineError *reterr) {
        int sig;

        if (isempty(signal))
                return 0;
        sig = signal_from_string(signal);
        if (sig < 0)
                return error_set(reterr, -EINVAL, "invalid signal: %s", signal);
        return fields_putf(b, '\n', "signal", "%d", sig);
}

/** container_stop - see container.h. @timeout: seconds, -1 for ever, INT64_MIN for the container's own. */
int container_stop(Container *c, const char *signal, int64_t timeout, ContainerDone done, void *userdata,
                   EngineError *reterr) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT(4096);
        usec_t limit = USEC_INFINITY;
        Operation *o;
        int r;

        r = put_signal(&text, signal, reterr);
        if (r < 0)
                return r;
        if (!container_is_up(c) && c->status != CONTAINER_RESTARTING && c->status != CONTAINER_STARTING)
                return -EALREADY;
        if (timeout != INT64_MIN)
                r = fields_putf(&text, '\n', "timeout", "%" PRId64, timeout);
        if (r >= 0)
                r = container_append(c, "desired", "state", "stopped", false);
        if (r < 0)
                return error_set(reterr, r, "cannot store the wanted state: %s", strerrordesc_np(-r));
        if (timeout >= 0 && timeout < INT32_MAX)
                limit = (usec_t) timeout * USEC_PER_SEC + STOP_GRACE;
        r = operation_new(c, OPERATION_STOP, limit, done, userdata, &o);
        if (r < 0)
                return r;
        r = shim_send(c, "stop", &text, NULL, 0, NULL, NULL);
        if (r < 0)
                operation_drop(o);
        return r;
}

typedef struct Restart {
        ContainerDone done;
        void *userdata;
} Restart;

static void on_restart_stopped(Container *c, int error, EngineError *details, void *userdata) {
        _cleanup_error_ EngineError e = {};
        _cleanup_free_ Restart *x = userdata;

        if (error == 0)
                error = container_start(c, x->done, x->userdata, &e);
        if (error < 0)
                x->done(c, error, e.message ? &e : details, x->userdata);
}

/** container_restart - stop (if it runs) and start. */
int container_restart(Container *c, const char *signal, int64_t timeout, ContainerDone done, void *userdata,
                      EngineError *reterr) {
        Restart *x;
        int r;

        x = new0(Restart, 1);
        if (!x)
                return -ENOMEM;
        *x = (Restart){ done, userdata };
        r = container_stop(c, signal, timeout, on_restart_stopped, x, reterr);
        if (r >= 0)
                return 0;
        free(x);
        return r == -EALREADY ? container_start(c, done, userdata, reterr) : r;
}

/** container_kill - send a signal to the payload's init. Return: 0, -ESRCH when it does not run, -EINVAL. */
int container_kill(Container *c, const char *signal, EngineError *reterr) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT(4096);
        int sig = signal_from_string(isempty(signal) ? "KILL" : signal), r;

        if (sig < 0)
                return error_set(reterr, -EINVAL, "cannot kill container: %s: invalid signal: %s", c->name,
                                 signal);
        if (!container_is_up(c))
                return error_set(reterr, -ESRCH, "cannot kill container: %s: container %s is not running",
                                 c->name, c->id);
        r = fields_putf(&text, '\n', "signal", "%d", sig);
        if (r < 0)
                return r;
        if (sig == SIGKILL) {
                r = container_append(c, "desired", "state", "stopped", false);
                if (r < 0)
                        return error_set(reterr, r, "cannot store the wanted state: %s",
                                         strerrordesc_np(-r));
        }
        return shim_send(c, "kill", &text, NULL, 0, NULL, NULL);
}

typedef struct Pause {
        ContainerDone done;
        void *userdata;
        bool pause;
} Pause;

static void on_pause_reply(Container *c, int error, const Fields *reply, void *userdata) {
        _cleanup_free_ Pause *x = userdata;
        _cleanup_error_ EngineError e = {};

        if (error == 0)
                c->status = x->pause ? CONTAINER_PAUSED : CONTAINER_RUNNING;
        else
                (void) error_set(&e, error, "cannot %s container %s: %s", x->pause ? "pause" : "unpause",
                                 c->name,
                                 reply ? strempty(fields_get(reply, "message")) : strerrordesc_np(-error));
        x->done(c, error, &e, x->userdata);
}

/** container_pause - freeze or thaw the payload. */
int container_pause(Container *c, bool pause, ContainerDone done, void *userdata, EngineError *reterr) {
        Pause *x;
        int r;

        if (!container_is_up(c))
                return error_set(reterr, -ESRCH, "container %s is not running", c->id);
        if (pause && c->status == CONTAINER_PAUSED)
                return error_set(reterr, -EBUSY, "container %s is already paused", c->id);
        if (!pause && c->status != CONTAINER_PAUSED)
                return error_set_status(reterr, -EINVAL, 500, "Container %s is not paused", c->id);
        x = new0(Pause, 1);
        if (!x)
                return -ENOMEM;
        *x = (Pause){ done, userdata, pause };
        r = shim_send(c, pause ? "pause" : "unpause", NULL, NULL, 0, on_pause_reply, x);
        if (r < 0)
                free(x);
        return r;
}

/** container_resize - tell the terminal its size. */
int container_resize(Container *c, unsigned height, unsigned width, EngineError *reterr) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT(4096);
        int r;

        if (!container_is_up(c))
                return error_set(reterr, -ESRCH, "container %s is not running", c->id);
        r = fields_putf(&text, '\n', "height", "%u", height);
        if (r >= 0)
                r = fields_putf(&text, '\n', "width", "%u", width);
        return r < 0 ? r : shim_send(c, "resize", &text, NULL, 0, NULL, NULL);
}

/** container_remove - see container.h. Anonymous volumes live in the container's directory, so @volumes
 * changes nothing. */
int container_remove(Container *c, bool force, bool volumes, ContainerDone done, void *userdata,
                     EngineError *reterr) {
        bool busy = container_is_up(c) || c->status == CONTAINER_STARTING ||
                    c->status == CONTAINER_RESTARTING;
        Operation *o;
        int r;

        if (busy && !force)
                return error_set(
                                reterr, -EBUSY,
                                "cannot remove container \"%s\": container is %s: stop the container before removing or "
                                "force remove",
                                c->name,
                                c->status == CONTAINER_STARTING ? "starting"
                                                                : container_status_to_string(c->status));
        r = operation_new(c, OPERATION_REMOVE, USEC_INFINITY, done, userdata, &o);
        if (r < 0)
                return r;
        /* Either way the operation is completed by container_free(), behind which @c is gone. */
        r = busy ? container_stop(c, "KILL", 0, on_remove_stopped, NULL, reterr) : container_discard(c);
        if (r < 0)
                operation_drop(o);
        return r;
}

/** container_on_starting - its shim has come up and asks for parked clients. */
void container_on_starting(Container *c) {
        c->retry_source = sd_event_source_disable_unref(c->retry_source);
        c->retries = 0;
        if (!container_is_up(c))
                c->status = CONTAINER_STARTING;
}

/** container_on_hello - the shim's answer after a reconnect: the present state. May free @c. */
void container_on_hello(Container *c, const Fields *state) {
        const char *status = strempty(fields_get(state, "status"));

        c->retries = 0;
        if (streq(status, "running") || streq(status, "paused")) {
                c->status = streq(status, "paused") ? CONTAINER_PAUSED : CONTAINER_RUNNING;
                c->ran = true;
                c->pid = (uint64_t) fields_get_i64_or(state, "pid", (int64_t) c->pid);
                c->epoch = (uint64_t) fields_get_i64_or(state, "epoch", (int64_t) c->epoch);
                c->started_at = (usec_t) fields_get_i64_or(state, "started-at", (int64_t) c->started_at);
                operations_complete_start(c, 0, NULL);
        } else if (streq(status, "starting"))
                c->status = CONTAINER_STARTING;
        else if (fields_get_bool(state, "restarting"))
                c->status = CONTAINER_RESTARTING;
        else if (streq(status, "exited") && container_is_up(c) && container_reread_end(c) > 0)
                payload_ended(c);
}

static void on_exited(Container *c, const Fields *event) {
        const char *code = strempty(fields_get(event, "code"));

        c->status = CONTAINER_EXITED;
        if (fields_get_bool(event, "restarting")) {
                c->status = CONTAINER_RESTARTING;
                c->restart_count++;
        }
        c->pid = 0;
        c->exit_code = streq(code, "unknown") ? EXIT_CODE_UNKNOWN
                                              : (int) fields_get_i64_or(event, "code", EXIT_CODE_UNKNOWN);
        c->oom_killed = fields_get_bool(event, "oom");
        c->finished_at = (usec_t) fields_get_i64_or(event, "at", (int64_t) now_realtime());
}

/** container_on_event - what the shim reports. May free @c. */
void container_on_event(Container *c, const Fields *event) {
        const char *kind = strempty(fields_get(event, "event"));

        if (streq(kind, "started")) {
                c->status = CONTAINER_RUNNING;
                c->ran = true;
                c->pid = (uint64_t) fields_get_i64_or(event, "pid", 0);
                c->epoch = (uint64_t) fields_get_i64_or(event, "epoch", (int64_t) c->epoch);
                c->started_at = (usec_t) fields_get_i64_or(event, "at", (int64_t) now_realtime());
                c->finished_at = 0;
                c->exit_code = 0;
                c->oom_killed = false;
                c->error = mfree(c->error);
                operations_complete_start(c, 0, NULL);
        } else if (streq(kind, "start-failed")) {
                start_failed(c, (int) fields_get_i64_or(event, "code", 128),
                             strempty(fields_get(event, "message")));
                payload_ended(c);
        } else if (streq(kind, "exited")) {
                on_exited(c, event);
                if (c->status == CONTAINER_EXITED)
                        payload_ended(c);
        } else if (streq(kind, "restart-cancelled")) {
                c->status = CONTAINER_EXITED;
                payload_ended(c);
        } else if (streq(kind, "paused"))
                c->status = CONTAINER_PAUSED;
        else if (streq(kind, "unpaused"))
                c->status = CONTAINER_RUNNING;
        else if (streq(kind, "removed"))
                (void) container_discard(c);
}

#define RETRY_FIRST (20 * USEC_PER_MSEC)
#define RETRY_LAST (1 * USEC_PER_SEC)

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        Container *c = userdata;
        int r;

        c->retry_source = sd_event_source_disable_unref(c->retry_source);
        if (c->link)
                return 0;
        r = container_reconcile(c);
        if (r < 0)
                (void) log_error_errno(r, "Cannot find out what became of container %s: %m", c->name);
        if (c->status != CONTAINER_EXITED)
                return 0;
        shim_queue_flush(c, false);
        if (c->auto_remove)
                c->status = CONTAINER_REMOVING;
        payload_ended(c);
        return 0;
}

/**
 * container_on_link_lost - the shim closed its connection. After an exit that is the normal end; while the
 * payload runs the shim was killed and systemd brings it back, so look again until it answers or its unit is
 * gone. May free @c.
 */
void container_on_link_lost(Container *c) {
        usec_t delay;

        if (!container_is_up(c) && c->status != CONTAINER_STARTING && c->status != CONTAINER_RESTARTING) {
                shim_queue_flush(c, false);
                if (c->auto_remove && (c->error || c->status == CONTAINER_EXITED))
                        (void) container_discard(c);
                return;
        }
        if (c->status == CONTAINER_STARTING && c->job_failure) {
                start_lost(c);
                return;
        }
        if (c->retry_source)
                return;
        delay = MIN(RETRY_FIRST << MIN(c->retries, 6u), RETRY_LAST);
        c->retries++;
        if (sd_event_add_time(c->manager->event, &c->retry_source, CLOCK_MONOTONIC, now_monotonic() + delay,
                              0, on_retry, c) < 0)
                (void) log_oom();
}
