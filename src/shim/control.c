/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "control.h"

#include <stdio.h>
#include <sys/socket.h>

#include "../basic/fd.h"
#include "../basic/log.h"
#include "../basic/str.h"
#include "cgroup.h"
#include "client.h"
#include "exec.h"
#include "log-journal.h"
#include "stop.h"
#include "waiter.h"

/*
 * The messages of docs/contracts.md section 5, over connections to our shim.sock and the one we open to the
 * engine at start; both kinds are served alike. A peer that does not read its events is disconnected: it
 * asks again with hello.
 */
#define CONTROLS_MAX 64
#define ENGINE_WAIT (2 * USEC_PER_SEC)

struct Control {
        Control *next;
        Shim *shim;
        uint64_t number;
        Source source;
        bool subscribed;
        bool engine; /* parked requests come over it until its `go` */
};

static void control_free(Control *c) {
        Shim *s = c->shim;
        bool engine = c->engine;

        for (Control **p = &s->controls; *p; p = &(*p)->next)
                if (*p == c) {
                        *p = c->next;
                        break;
                }
        source_close(&s->loop, &c->source);
        free(c);
        if (engine) {
                s->go = true;
                shim_check_go(s);
        }
}

/** control_free_all - disconnect everybody. */
void control_free_all(Shim *s) {
        while (s->controls) {
                s->controls->engine = false;
                control_free(s->controls);
        }
}

/** event_begin - Return: 0 or -errno. */
int event_begin(Buffer *b, const char *event) {
        int r = fields_put(b, '\n', "verb", "event");

        return r < 0 ? r : fields_put(b, '\n', "event", event);
}

/** event_send - to every subscriber; one that cannot take it is cut off. */
void event_send(Shim *s, const Buffer *b) {
        for (Control *c = s->controls, *next; c; c = next) {
                next = c->next;
                if (c->subscribed && message_send(c->source.fd, b, NULL, 0) < 0)
                        control_free(c);
        }
}

/** event_simple - an event without fields. */
void event_simple(Shim *s, const char *event) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024);

        if (event_begin(&b, event) >= 0)
                event_send(s, &b);
}

/** reply_send - answer a request if its connection is still there. @message may be NULL. */
void reply_send(Shim *s, const ReplyTo *to, int error, const char *message) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(FIELDS_TEXT_MAX);

        for (Control *c = s->controls; c; c = c->next)
                if (c->number == to->control) {
                        if (message_put_reply(&b, to->seq, error, message) >= 0)
                                (void) message_send(c->source.fd, &b, NULL, 0);
                        return;
                }
}

static const char *status_text(const Shim *s) {
        static const char *const names[] = { "starting", "running", "paused", "running", "exited" };

        return names[s->status];
}

static void on_hello(Shim *s, Control *c, const ReplyTo *to) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024);
        int r;

        c->subscribed = true;
        r = message_put_reply(&b, to->seq, 0, NULL);
        if (r >= 0)
                r = fields_put(&b, '\n', "status", status_text(s));
        if (r >= 0)
                r = fields_putf(&b, '\n', "pid", "%d", s->memory->pid);
        if (r >= 0)
                r = fields_putf(&b, '\n', "started-at", "%" PRIu64, s->memory->started_at);
        if (r >= 0)
                r = fields_putf(&b, '\n', "epoch", "%" PRIu64, s->memory->epoch);
        if (r >= 0 && s->memory->cgroup[0])
                r = fields_put(&b, '\n', "cgroup", s->memory->cgroup);
        if (r >= 0 && s->will_restart)
                r = fields_put(&b, '\n', "restarting", "1");
        if (r >= 0)
                (void) message_send(c->source.fd, &b, NULL, 0);
}

static ClientFlags client_flags(const Fields *f) {
        return (fields_get_bool(f, "stdin") ? CLIENT_STDIN : 0) |
               (fields_get_bool(f, "stdout") ? CLIENT_STDOUT : 0) |
               (fields_get_bool(f, "stderr") ? CLIENT_STDERR : 0) |
               (fields_get_bool(f, "mux") ? CLIENT_MUX : 0);
}

static int on_attach(Shim *s, Message *m) {
        const char *keys = fields_get(&m->fields, "detach-keys");
        DetachKeys d;
        int r;

        if (m->n_fds < 1)
                return -EINVAL;
        r = detach_keys_parse(isempty(keys) ? DETACH_KEYS_DEFAULT : keys, &d);
        if (r < 0)
                return r;
        if (s->status >= SHIM_EXITED)
                return -ESRCH;
        return client_new(&s->stdio, message_take_fd(m, 0), message_take_fd(m, 1), client_flags(&m->fields),
                          &d);
}

static int on_wait(Shim *s, Message *m) {
        WaitCondition condition = wait_condition_from_string(fields_get(&m->fields, "condition"));

        if (m->n_fds < 1 || condition < 0)
                return -EINVAL;
        return waiter_new(s, message_take_fd(m, 0), condition);
}

static int size_of(const Fields *f, uint32_t *height, uint32_t *width) {
        uint64_t h, w;

        if (fields_get_u64(f, "height", UINT16_MAX, &h) < 0 ||
            fields_get_u64(f, "width", UINT16_MAX, &w) < 0)
                return -EINVAL;
        *height = (uint32_t) h;
        *width = (uint32_t) w;
        return 0;
}

static int on_resize(Shim *s, Message *m) {
        int r = size_of(&m->fields, &s->memory->height, &s->memory->width);

        if (r < 0)
                return r;
        if (!s->stdio.tty)
                return -ENOTTY;
        r = stdio_set_resize(&s->stdio, s->memory->height, s->memory->width);
        return r == -ENOTTY && s->status == SHIM_STARTING ? 0 : r;
}

static int on_kill(Shim *s, Message *m) {
        int sig = signal_from_string(strempty(fields_get(&m->fields, "signal")));

        return sig <= 0 ? -EINVAL : stop_kill(s, sig);
}

static int on_stop(Shim *s, Message *m) {
        const char *name = fields_get(&m->fields, "signal");
        int sig = isempty(name) ? s->config.stop_signal : signal_from_string(name);

        if (sig <= 0)
                return -EINVAL;
        if (s->status >= SHIM_EXITED && !s->will_restart)
                return -ESRCH;
        stop_wanted(s);
        stop_begin(s, sig, fields_get_i64_or(&m->fields, "timeout", s->config.stop_timeout));
        return 0;
}

static int on_pause(Shim *s, bool on) {
        int r;

        if (s->status != (on ? SHIM_RUNNING : SHIM_PAUSED))
                return s->status == SHIM_RUNNING || s->status == SHIM_PAUSED ? -EALREADY : -ESRCH;
        r = cgroup_freeze(s->cgroup_fd, on);
        if (r < 0)
                return r;
        s->status = on ? SHIM_PAUSED : SHIM_RUNNING;
        s->memory->status = (uint8_t) s->status;
        event_simple(s, on ? "paused" : "unpaused");
        return 0;
}

static int on_rename(Shim *s, Message *m) {
        const char *name = strempty(fields_get(&m->fields, "name"));

        if (!name[0] || strlen(name) >= sizeof(s->memory->name))
                return -EINVAL;
        (void) snprintf(s->memory->name, sizeof(s->memory->name), "%s", name);
        journal_identity_changed();
        return 0;
}

static int on_exec_resize(Shim *s, Message *m) {
        uint32_t h, w;
        int r = size_of(&m->fields, &h, &w);

        return r < 0 ? r : exec_resize(s, strempty(fields_get(&m->fields, "exec-id")), h, w);
}

/* Return: what to reply, or 1 when the reply comes later. */
static int dispatch(Shim *s, Control *c, Message *m, const ReplyTo *to) {
        const char *verb = message_verb(m);

        if (streq(verb, "attach"))
                return on_attach(s, m);
        if (streq(verb, "wait"))
                return on_wait(s, m);
        if (streq(verb, "resize"))
                return on_resize(s, m);
        if (streq(verb, "kill"))
                return on_kill(s, m);
        if (streq(verb, "stop"))
                return on_stop(s, m);
        if (streq(verb, "pause") || streq(verb, "unpause"))
                return on_pause(s, verb[0] == 'p');
        if (streq(verb, "rename"))
                return on_rename(s, m);
        if (streq(verb, "exec"))
                return exec_begin(s, m, to);
        if (streq(verb, "exec-resize"))
                return on_exec_resize(s, m);
        return -EOPNOTSUPP;
}

static void handle(Shim *s, Control *c, Message *m) {
        ReplyTo to = { .control = c->number };
        const char *verb = message_verb(m);
        int r;

        (void) snprintf(to.seq, sizeof(to.seq), "%s", strempty(fields_get(&m->fields, "seq")));
        if (streq(verb, "reply") || streq(verb, "event"))
                return;
        if (streq(verb, "go")) {
                c->engine = false;
                s->go = true;
                shim_check_go(s);
                return;
        }
        if (streq(verb, "hello")) {
                on_hello(s, c, &to);
                return;
        }
        r = dispatch(s, c, m, &to);
        if (r <= 0)
                reply_send(s, &to, r, r == -EOPNOTSUPP ? "The shim does not know this request." : NULL);
}

static void on_control(Source *source, uint32_t revents) {
        Control *c = CONTAINER_OF(source, Control, source);
        _cleanup_message_ Message m = MESSAGE_INIT;
        Shim *s = c->shim;
        int r;

        r = message_receive(source->fd, &m);
        if (r == -EAGAIN || r == -EBADMSG || r == -E2BIG)
                return;
        if (r <= 0) {
                control_free(c);
                if (s->status == SHIM_EXITED)
                        shim_check_done(s);
                return;
        }
        handle(s, c, &m);
}

static int control_add(Shim *s, int fd, bool engine) {
        static uint64_t last_number;
        Control *c;
        size_t n = 0;

        for (c = s->controls; c; c = c->next)
                n++;
        c = n < CONTROLS_MAX ? new0(Control, 1) : NULL;
        if (!c) {
                (void) safe_close(fd);
                return n < CONTROLS_MAX ? -ENOMEM : -EUSERS;
        }
        *c = (Control){ .next = s->controls,
                        .shim = s,
                        .number = ++last_number,
                        .engine = engine,
                        .subscribed = engine,
                        .source = { .fd = fd, .callback = on_control } };
        s->controls = c;
        return source_watch(&s->loop, &c->source, EPOLLIN);
}

static void on_listener(Source *source, uint32_t revents) {
        Shim *s = CONTAINER_OF(source, Shim, listener);
        int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0)
                (void) control_add(s, fd, false);
}

/** control_restore_listener - go on with a listener (consumed) that exists. Return: 0 or -errno. */
int control_restore_listener(Shim *s, int fd) {
        s->listener = (Source){ .fd = fd, .callback = on_listener };
        return source_watch(&s->loop, &s->listener, EPOLLIN);
}

/** control_listen - bind shim.sock. Return: 0 or -errno. */
int control_listen(Shim *s) {
        _cleanup_free_ char *path = str_concat(BERTH_RUN_CONTAINERS_DIR "/", s->id, "/shim.sock");
        int fd;

        if (!path)
                return -ENOMEM;
        fd = message_listen(path, 0600);
        return fd < 0 ? fd : control_restore_listener(s, fd);
}

static void on_go_timeout(Timer *t) {
        Shim *s = CONTAINER_OF(t, Shim, go_timer);

        log_warning("The engine did not answer, starting without it.");
        s->go = true;
        shim_check_go(s);
}

/** control_connect_engine - see control.h. */
void control_connect_engine(Shim *s) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024);
        int fd = message_connect(BERTH_ENGINE_SOCKET, true), r;

        if (fd < 0) {
                s->go = true;
                return;
        }
        r = fields_put(&b, '\n', "verb", "starting");
        if (r >= 0)
                r = fields_put(&b, '\n', "id", s->id);
        if (r >= 0)
                r = message_send(fd, &b, NULL, 0);
        if (r < 0) {
                (void) safe_close(fd);
                s->go = true;
                return;
        }
        timer_arm(&s->loop, &s->go_timer, ENGINE_WAIT, on_go_timeout);
        if (control_add(s, fd, true) < 0)
                s->go = true;
}
