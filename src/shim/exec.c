/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "exec.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "../basic/clock.h"
#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/log.h"
#include "../basic/str.h"
#include "client.h"
#include "fd-role.h"
#include "notify.h"
#include "runtime-error.h"
#include "terminal.h"

/*
 * Life: the runtime is spawned (runtime_pid) -> it ends and has left a pid file -> the process ends -> its
 * output is read to the end, for at most DRAIN_MAX -> <id>.exit is written, the event sent, the clients are
 * closed when they have taken their bytes. A runtime that fails says why in its log; the client gets that as
 * output and 126 or 127 as status.
 */
#define DRAIN_MAX (2 * USEC_PER_SEC)
#define EXIT_INFO_WAIT USEC_PER_SEC
#define RUNTIME_MAX (60 * USEC_PER_SEC)

struct Exec {
        Exec *next;
        Shim *shim;
        char id[EXEC_ID_MAX + 1];
        unsigned slot;
        StdioSet stdio;
        pid_t runtime_pid;
        pid_t pid;
        Source process; /* pidfd */
        Source console;
        uint32_t height, width;
        bool exited;
        bool over;
        ExitStatus exit;
        Timer drain_timer;
        Timer info_timer;
        Timer runtime_timer;
        ReplyTo reply;
};

/** exec_next - the next one. */
Exec *exec_next(Exec *e) {
        return e->next;
}

/** exec_stdio - its stdio. */
StdioSet *exec_stdio(Exec *e) {
        return &e->stdio;
}

/** exec_slot - its place in the memory, -1 for the container itself (NULL). */
int exec_slot(const Exec *e) {
        return e ? (int) e->slot : -1;
}

/** exec_by_slot - Return: the exec or NULL. */
Exec *exec_by_slot(Shim *s, int slot) {
        for (Exec *e = s->execs; e; e = e->next)
                if ((int) e->slot == slot)
                        return e;
        return NULL;
}

/** exec_is_over - its end has been recorded. */
bool exec_is_over(const Exec *e) {
        return e->over;
}

/** exec_has_process - the runtime is done: what its stdio holds is the process's. */
bool exec_has_process(const Exec *e) {
        return e->pid > 0;
}

/** exec_any - some exec is not over, or a client still takes its last bytes. */
bool exec_any(const Shim *s) {
        return s->execs;
}

/** exec_any_running - some exec's end has not been recorded. */
bool exec_any_running(const Shim *s) {
        for (const Exec *e = s->execs; e; e = e->next)
                if (!e->over)
                        return true;
        return false;
}

static void group_name(const Exec *e, char ret[16]) {
        (void) snprintf(ret, 16, "x%u", e->slot);
}

/** exec_unstore_input - the fd store's copy of the stdin pipe would keep it open: store the group again
 * without it. */
void exec_unstore_input(Exec *e) {
        int fds[3];
        size_t n = 0;
        char name[16];

        if (e->process.fd < 0)
                return;
        group_name(e, name);
        (void) notify_unstore(name);
        fds[n++] = e->process.fd;
        for (unsigned i = 0; i < 2; i++)
                if (!e->stdio.streams[i].closed)
                        fds[n++] = e->stdio.streams[i].source.fd;
        (void) notify_store(name, "", fds, n);
}

static void exec_free(Exec *e) {
        Shim *s = e->shim;
        char name[16];

        for (Exec **p = &s->execs; *p; p = &(*p)->next)
                if (*p == e) {
                        *p = e->next;
                        break;
                }
        client_free_all(&e->stdio);
        timer_disarm(&s->loop, &e->drain_timer);
        timer_disarm(&s->loop, &e->info_timer);
        timer_disarm(&s->loop, &e->runtime_timer);
        for (unsigned i = 0; i < 2; i++)
                source_close(&s->loop, &e->stdio.streams[i].source);
        source_close(&s->loop, &e->stdio.in);
        source_close(&s->loop, &e->console);
        if (e->process.fd >= 0) {
                group_name(e, name);
                (void) notify_unstore(name);
        }
        source_close(&s->loop, &e->process);
        s->memory->execs[e->slot].used = false;
        free(e);
        if (s->status == SHIM_EXITED)
                shim_check_done(s);
        else if (s->status == SHIM_EXITING)
                shim_check_drained(s);
}

static void path_of(const Exec *e, const char *suffix, char *ret, size_t size) {
        (void) snprintf(ret, size, BERTH_RUN_CONTAINERS_DIR "/%s/exec/%s%s", e->shim->id, e->id, suffix);
}

static void write_exit_file(Exec *e) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024);
        char path[256];
        int r;

        if (e->exit.known)
                r = fields_putf(&b, '\n', "code", "%d", e->exit.code);
        else
                r = fields_put(&b, '\n', "code", "unknown");
        if (r >= 0)
                r = fields_putf(&b, '\n', "at", "%" PRIu64, now_realtime());
        if (r >= 0)
                r = fields_putf(&b, '\n', "pid", "%d", e->pid);
        path_of(e, ".exit", path, sizeof(path));
        if (r >= 0)
                r = write_file_at(AT_FDCWD, path, b.data, b.size, 0600, WRITE_REPLACE);
        if (r < 0)
                (void) log_error_errno(r, "Cannot write %s: %m", path);
}

static void send_exited(Exec *e) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024);
        int r = event_begin(&b, "exec-exited");

        if (r >= 0)
                r = fields_put(&b, '\n', "exec-id", e->id);
        if (r >= 0)
                r = e->exit.known ? fields_putf(&b, '\n', "code", "%d", e->exit.code) :
                                    fields_put(&b, '\n', "code", "unknown");
        if (r >= 0)
                event_send(e->shim, &b);
}

/** exec_check_done - call whenever one of the things an exec's end waits for has happened; may free it. */
void exec_check_done(Exec *e) {
        if (!e->exited || !stdio_set_closed(&e->stdio))
                return;
        if (!e->over) {
                e->over = true;
                timer_disarm(&e->shim->loop, &e->drain_timer);
                write_exit_file(e);
                send_exited(e);
        }
        client_check_done_all(&e->stdio);
        if (!client_any(&e->stdio))
                exec_free(e);
}

static void on_drain_timeout(Timer *t) {
        Exec *e = CONTAINER_OF(t, Exec, drain_timer);

        if (stdio_set_blocked(&e->stdio)) {
                timer_arm(&e->shim->loop, t, DRAIN_MAX, on_drain_timeout);
                return;
        }
        /* Something it started in the background holds its output open. */
        stdio_set_close(&e->stdio);
        exec_check_done(e);
}

static void exec_exited(Exec *e, ExitStatus status) {
        if (e->exited)
                return;
        e->exited = true;
        e->exit = status;
        timer_disarm(&e->shim->loop, &e->info_timer);
        (void) source_watch(&e->shim->loop, &e->process, 0);
        source_close(&e->shim->loop, &e->console);
        timer_arm(&e->shim->loop, &e->drain_timer, DRAIN_MAX, on_drain_timeout);
        stdio_set_drain(&e->stdio);
        exec_check_done(e);
}

static void on_info_timeout(Timer *t) {
        exec_exited(CONTAINER_OF(t, Exec, info_timer), EXIT_STATUS_UNKNOWN);
}

/* Only after a resume: the process is another's child now. */
static void on_process(Source *source, uint32_t revents) {
        Exec *e = CONTAINER_OF(source, Exec, process);
        ExitStatus status;
        int r = process_pidfd_exit_status(source->fd, &status);

        if (r == -EAGAIN) {
                (void) source_watch(&e->shim->loop, source, EPOLLHUP);
                if (!e->info_timer.armed)
                        timer_arm(&e->shim->loop, &e->info_timer, EXIT_INFO_WAIT, on_info_timeout);
                return;
        }
        exec_exited(e, r < 0 ? EXIT_STATUS_UNKNOWN : status);
}

static void exec_failed(Exec *e, const char *why) {
        char path[256];
        _cleanup_free_ char *text = NULL;
        _cleanup_free_ char *message = NULL;
        int code;

        path_of(e, ".log", path, sizeof(path));
        message = runtime_error_read(path);
        code = runtime_error_code(message ? message : why);
        text = str_concat("OCI runtime exec failed: ", message ? message : why,
                          e->stdio.tty ? "\r\n" : "\n");
        reply_send(e->shim, &e->reply,
                   code == 127   ? -ENOENT
                   : code == 126 ? -EACCES
                                 : -EIO,
                   message ? message : why);
        if (text)
                client_write_all(&e->stdio, 0, text, strlen(text));
        e->exit = (ExitStatus){ .known = true, .code = code == 128 ? 126 : code };
        e->exited = true;
        stdio_set_close(&e->stdio);
        source_close(&e->shim->loop, &e->console);
        exec_check_done(e);
}

static int read_pid_file(const Exec *e, pid_t *ret) {
        _cleanup_free_ char *text = NULL;
        char path[256];
        uint64_t pid;
        size_t size;
        int r;

        path_of(e, ".pid", path, sizeof(path));
        r = read_file_at(AT_FDCWD, path, 64, &text, &size);
        if (r < 0)
                return r;
        (void) unlink(path);
        text[strcspn(text, "\n")] = 0;
        r = parse_u64(text, INT32_MAX, &pid);
        if (r >= 0)
                *ret = (pid_t) pid;
        return r;
}

static void remember(Exec *e) {
        ExecMemory *m = &e->shim->memory->execs[e->slot];
        int fds[4];
        size_t n = 0;
        char name[16];

        *m = (ExecMemory){ .tty = e->stdio.tty, .pid = e->pid };
        memcpy(m->id, e->id, sizeof(m->id));
        fds[n++] = e->process.fd;
        for (unsigned i = 0; i < 2; i++)
                if (!e->stdio.streams[i].closed) {
                        (void) fd_identify(e->stdio.streams[i].source.fd, &m->fds[FD_ROLE_OUT + i]);
                        fds[n++] = e->stdio.streams[i].source.fd;
                }
        if (e->stdio.in.fd >= 0 && !e->stdio.tty) {
                (void) fd_identify(e->stdio.in.fd, &m->fds[FD_ROLE_IN]);
                fds[n++] = e->stdio.in.fd;
        }
        m->used = true;
        group_name(e, name);
        (void) notify_store(name, "", fds, n);
}

static void send_started(Exec *e) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024);
        int r = event_begin(&b, "exec-started");

        if (r >= 0)
                r = fields_put(&b, '\n', "exec-id", e->id);
        if (r >= 0)
                r = fields_putf(&b, '\n', "pid", "%d", e->pid);
        if (r >= 0)
                event_send(e->shim, &b);
}

static void runtime_ended(Exec *e, int wait_status) {
        Shim *s = e->shim;
        char path[256];
        int status;

        e->runtime_pid = 0;
        timer_disarm(&s->loop, &e->runtime_timer);
        if (wait_status != 0 || read_pid_file(e, &e->pid) < 0) {
                exec_failed(e, "the runtime failed");
                return;
        }
        path_of(e, ".log", path, sizeof(path));
        (void) unlink(path);
        reply_send(s, &e->reply, 0, NULL);
        send_started(e);
        stdio_set_update(&e->stdio);
        if (process_recall(e->pid, &status)) {
                terminal_receive_pending(&e->console, &e->stdio);
                exec_exited(e, exit_status_from_wait(status));
                return;
        }
        e->process.fd = process_pidfd_open(e->pid);
        if (e->process.fd >= 0)
                remember(e);
        client_store_all(s);
}

/** exec_on_child - a child of the shim ended. Return: true if it was one of an exec's. */
bool exec_on_child(Shim *s, pid_t pid, int wait_status) {
        for (Exec *e = s->execs; e; e = e->next) {
                if (e->runtime_pid == pid) {
                        runtime_ended(e, wait_status);
                        return true;
                }
                if (e->pid == pid && !e->exited) {
                        exec_exited(e, exit_status_from_wait(wait_status));
                        return true;
                }
        }
        return false;
}

/**
 * exec_kill_runtimes - the container is to end: a runtime in the middle of an exec holds processes of its
 * pid namespace, and the kernel lets the first process go only after all others were reaped.
 */
void exec_kill_runtimes(Shim *s) {
        for (Exec *e = s->execs; e; e = e->next)
                if (e->runtime_pid > 0)
                        (void) kill(e->runtime_pid, SIGKILL);
}

static void on_runtime_timeout(Timer *t) {
        Exec *e = CONTAINER_OF(t, Exec, runtime_timer);

        log_warning("The runtime did not finish an exec in time, killing it.");
        if (e->runtime_pid > 0)
                (void) kill(e->runtime_pid, SIGKILL);
}

/** exec_end_all - the container is gone and its processes with it: do not wait for execs whose status never
 * came. */
void exec_end_all(Shim *s) {
        for (Exec *e = s->execs, *next; e; e = next) {
                next = e->next;
                if (!e->exited)
                        exec_exited(e, EXIT_STATUS_UNKNOWN);
        }
}

static void on_console(Source *source, uint32_t revents) {
        Exec *e = CONTAINER_OF(source, Exec, console);

        (void) terminal_receive(&e->shim->loop, source, &e->stdio);
        if (e->height > 0 && e->stdio.in.fd >= 0)
                (void) stdio_set_resize(&e->stdio, e->height, e->width);
}

static int spawn_runtime(Exec *e, const int fds[3]) {
        char process[256], pid_file[256], log[256], console[128];
        char *argv[24];
        size_t n = 0;

        path_of(e, ".json", process, sizeof(process));
        path_of(e, ".pid", pid_file, sizeof(pid_file));
        path_of(e, ".log", log, sizeof(log));
        (void) unlink(log);
        argv[n++] = (char *) e->shim->config.runtime;
        argv[n++] = (char *) "--root";
        argv[n++] = (char *) BERTH_RUNTIME_ROOT;
        argv[n++] = (char *) "--log";
        argv[n++] = log;
        argv[n++] = (char *) "--log-format";
        argv[n++] = (char *) "json";
        argv[n++] = (char *) "exec";
        argv[n++] = (char *) "--process";
        argv[n++] = process;
        argv[n++] = (char *) "--pid-file";
        argv[n++] = pid_file;
        argv[n++] = (char *) "--detach";
        if (e->stdio.tty) {
                (void) snprintf(console, sizeof(console), BERTH_RUN_CONTAINERS_DIR "/%s/x%u.sock",
                                e->shim->id, e->slot);
                argv[n++] = (char *) "--console-socket";
                argv[n++] = console;
        }
        argv[n++] = e->shim->id;
        argv[n] = NULL;
        timer_arm(&e->shim->loop, &e->runtime_timer, RUNTIME_MAX, on_runtime_timeout);
        return process_spawn(argv, fds, 3, &e->runtime_pid);
}

static int launch(Exec *e, bool with_stdin) {
        int child[3] = { -EBADF, -EBADF, -EBADF }, r;

        if (e->stdio.tty) {
                char name[16];

                (void) snprintf(name, sizeof(name), "x%u.sock", e->slot);
                r = terminal_listen(e->shim, name, &e->console, on_console);
                if (r >= 0)
                        e->stdio.streams[0].closed = false; /* it is still to come */
                for (unsigned i = 0; i < 3 && r >= 0; i++) {
                        child[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
                        if (child[i] < 0)
                                r = negative_errno();
                }
        } else
                r = stdio_set_make_pipes(&e->stdio, with_stdin, child);
        if (r >= 0)
                r = spawn_runtime(e, child);
        for (unsigned i = 0; i < 3; i++)
                (void) safe_close(child[i]);
        if (r >= 0)
                stdio_set_update(&e->stdio);
        return r;
}

static Exec *exec_new(Shim *s, const char *id, bool tty) {
        unsigned slot = 0;
        Exec *e;

        while (slot < EXECS_MAX && exec_by_slot(s, (int) slot))
                slot++;
        e = slot < EXECS_MAX ? new0(Exec, 1) : NULL;
        if (!e)
                return NULL;
        e->shim = s;
        e->slot = slot;
        (void) snprintf(e->id, sizeof(e->id), "%s", id);
        stdio_set_init(&e->stdio, s, e, tty);
        e->process = (Source){ .fd = -EBADF, .callback = on_process };
        e->console = SOURCE_INIT;
        e->next = s->execs;
        s->execs = e;
        return e;
}

static bool exec_id_is_valid(const char *id) {
        size_t n = strlen(id);

        return n > 0 && n <= EXEC_ID_MAX && strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz-") == n;
}

static ClientFlags flags_of(const Fields *f) {
        return (fields_get_bool(f, "stdin") ? CLIENT_STDIN : 0) |
               (fields_get_bool(f, "stdout") ? CLIENT_STDOUT : 0) |
               (fields_get_bool(f, "stderr") ? CLIENT_STDERR : 0) |
               (fields_get_bool(f, "mux") ? CLIENT_MUX : 0);
}

static int attach_client(Exec *e, Message *m, const DetachKeys *keys) {
        return client_new(&e->stdio, message_take_fd(m, 0), message_take_fd(m, 1), flags_of(&m->fields),
                          keys);
}

/**
 * exec_begin - start what exec/<id>.json describes.
 *
 * Return: 1 (the reply is sent when the runtime has done it, or failed), or -errno: -ESRCH when the
 * container does not run, -EBUSY while it is paused, -EUSERS beyond EXECS_MAX, -EINVAL.
 */
int exec_begin(Shim *s, Message *m, const ReplyTo *to) {
        const Fields *f = &m->fields;
        const char *id = strempty(fields_get(f, "exec-id")), *text = fields_get(f, "detach-keys");
        bool tty = fields_get_bool(f, "tty"), detach = fields_get_bool(f, "detach");
        DetachKeys keys;
        Exec *e;
        int r;

        if (!exec_id_is_valid(id) || (!detach && m->n_fds < 1))
                return -EINVAL;
        r = detach_keys_parse(isempty(text) ? DETACH_KEYS_DEFAULT : text, &keys);
        if (r < 0)
                return r;
        if (s->status != SHIM_RUNNING)
                return s->status == SHIM_PAUSED ? -EBUSY : -ESRCH;
        e = exec_new(s, id, tty);
        if (!e)
                return -EUSERS;
        e->reply = *to;
        e->height = (uint32_t) fields_get_i64_or(f, "height", 0);
        e->width = (uint32_t) fields_get_i64_or(f, "width", 0);
        r = launch(e, !detach && fields_get_bool(f, "stdin"));
        if (r >= 0 && !detach)
                r = attach_client(e, m, &keys);
        if (r < 0 && e->runtime_pid <= 0) {
                exec_free(e);
                return r;
        }
        return 1;
}

/** exec_resize - Return: 0, -ENOENT for an unknown exec, -ENOTTY, -errno. */
int exec_resize(Shim *s, const char *id, uint32_t height, uint32_t width) {
        for (Exec *e = s->execs; e; e = e->next) {
                if (!streq(e->id, id))
                        continue;
                e->height = height;
                e->width = width;
                if (e->stdio.tty && e->stdio.in.fd < 0 && !e->exited)
                        return 0; /* applied when the terminal arrives */
                return stdio_set_resize(&e->stdio, height, width);
        }
        return -ENOENT;
}

/** exec_restore - take the exec of @slot over from a killed shim; the @fds are consumed. Return: 0 or
 * -errno. */
int exec_restore(Shim *s, unsigned slot, const int *fds, size_t n_fds) {
        ExecMemory *m = &s->memory->execs[slot];
        Exec *e = exec_new(s, m->id, m->tty);

        if (!e) {
                for (size_t i = 0; i < n_fds; i++)
                        (void) safe_close(fds[i]);
                return -EUSERS;
        }
        e->slot = slot;
        e->pid = m->pid;
        for (size_t i = 0; i < n_fds; i++)
                switch (fd_role(fds[i], m->fds)) {
                case FD_ROLE_PIDFD:
                        e->process.fd = fds[i];
                        break;
                case FD_ROLE_PTY:
                        (void) stdio_set_adopt_terminal(&e->stdio, fds[i]);
                        break;
                case FD_ROLE_IN:
                        e->stdio.in.fd = fds[i];
                        break;
                case FD_ROLE_OUT:
                        stdio_set_adopt_stream(&e->stdio, 0, fds[i]);
                        break;
                case FD_ROLE_ERR:
                        stdio_set_adopt_stream(&e->stdio, 1, fds[i]);
                        break;
                default:
                        (void) safe_close(fds[i]);
                }
        stdio_set_update(&e->stdio);
        if (e->process.fd < 0) {
                exec_exited(e, EXIT_STATUS_UNKNOWN);
                return 0;
        }
        return source_watch(&s->loop, &e->process, EPOLLIN);
}
