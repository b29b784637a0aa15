/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stdio-set.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "../basic/fd.h"
#include "client.h"
#include "exec.h"
#include "log-journal.h"
#include "notify.h"
#include "shim.h"

/*
 * Output flows from the payload's pipe (or terminal) to the attached clients and, for the container's own
 * streams, to the journal. Nothing is queued for the journal: bytes stay where they were read until it has
 * taken them, and while it takes none the pipe is not read, so a full journal slows the payload down and
 * loses nothing.
 */
#define EXEC_READ_SIZE (16 * 1024)
#define TRIM_DELAY (3 * USEC_PER_SEC)

/** stdio_set_init - empty; nothing to free until fds are put in. */
void stdio_set_init(StdioSet *t, Shim *shim, Exec *exec, bool tty) {
        *t = (StdioSet){ .shim = shim, .exec = exec, .tty = tty, .in = SOURCE_INIT };
        for (unsigned i = 0; i < 2; i++)
                t->streams[i] = (Stream){ .source = SOURCE_INIT, .set = t, .index = i, .closed = true };
}

static void on_stream(Source *source, uint32_t revents);

static void put_stream(StdioSet *t, unsigned i, int fd) {
        t->streams[i].source.fd = fd;
        t->streams[i].source.callback = on_stream;
        t->streams[i].closed = false;
}

/** stdio_set_adopt_stream - take over the read end of an existing pipe. */
void stdio_set_adopt_stream(StdioSet *t, unsigned stream, int fd) {
        put_stream(t, stream, fd);
}

/**
 * stdio_set_make_pipes - pipes for a process without terminal.
 * @ret_child: the process's ends, the caller closes them after the spawn.
 *
 * Return: 0 or -errno.
 */
int stdio_set_make_pipes(StdioSet *t, bool with_stdin, int ret_child[3]) {
        int p[2];

        for (unsigned i = 0; i < 2; i++) {
                if (pipe2(p, O_CLOEXEC) < 0)
                        return negative_errno();
                (void) fd_set_nonblock(p[0], true);
                put_stream(t, i, p[0]);
                ret_child[1 + i] = p[1];
        }
        if (with_stdin) {
                if (pipe2(p, O_CLOEXEC) < 0)
                        return negative_errno();
                (void) fd_set_nonblock(p[1], true);
                t->in.fd = p[1];
                ret_child[0] = p[0];
        } else {
                ret_child[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
                if (ret_child[0] < 0)
                        return negative_errno();
        }
        return 0;
}

/** stdio_set_adopt_terminal - take the master side (consumed also on failure). Return: 0 or -errno. */
int stdio_set_adopt_terminal(StdioSet *t, int fd) {
        int in = fcntl(fd, F_DUPFD_CLOEXEC, 3); /* epoll wants two fds for two directions */

        if (in < 0) {
                int r = negative_errno();

                (void) safe_close(fd);
                return r;
        }
        (void) fd_set_nonblock(fd, true);
        put_stream(t, 0, fd);
        t->in.fd = in;
        stdio_set_update(t);
        client_resume_all_input(t);
        return 0;
}

/** stdio_set_closed - all output has been read. */
bool stdio_set_closed(const StdioSet *t) {
        return t->streams[0].closed && t->streams[1].closed;
}

/** stdio_set_blocked - output is not read because somebody must take what is there first. */
bool stdio_set_blocked(const StdioSet *t) {
        return (!t->exec && t->shim->journal_blocked) || client_any_full(t);
}

/*
 * The runtime has the process's stdio before the process has: what is there when the start fails is the
 * runtime's own, which is no output, and is never read.
 */
static bool may_read(const StdioSet *t) {
        return (t->exec ? exec_has_process(t->exec) : t->shim->started) && !stdio_set_blocked(t);
}

/** stdio_set_update - read, or do not, as the journal and the clients allow. */
void stdio_set_update(StdioSet *t) {
        uint32_t events = may_read(t) ? EPOLLIN : 0;

        for (unsigned i = 0; i < 2; i++)
                if (!t->streams[i].closed)
                        (void) source_watch(&t->shim->loop, &t->streams[i].source, events);
}

static void close_stream(Stream *st) {
        StdioSet *t = st->set;

        if (st->closed)
                return;
        st->closed = true;
        source_close(&t->shim->loop, &st->source);
        if (!t->exec) {
                t->shim->memory->streams[st->index].closed = true;
                stdio_set_flush_journal(t);
        }
}

/** stdio_set_flush_journal - see stdio-set.h. */
void stdio_set_flush_journal(StdioSet *t) {
        Shim *s = t->shim;
        bool was = s->journal_blocked;

        if (t->exec)
                return;
        for (unsigned i = 0; i < 2 && !s->journal_blocked; i++)
                journal_flush_stream(s, i);
        if (was != s->journal_blocked)
                stdio_set_update(t);
}

static void on_trim(Timer *timer) {
        Shim *s = CONTAINER_OF(timer, Shim, trim_timer);
        size_t a, b;

        (void) stream_memory_data(s->memory, 0, &a);
        (void) stream_memory_data(s->memory, 1, &b);
        if (a == 0 && b == 0)
                memory_trim(s->memory_fd);
        else
                timer_arm(&s->loop, timer, TRIM_DELAY, on_trim);
}

/* Return: bytes read, 0 at the end, -EAGAIN, -ENOBUFS while the journal has to take something first. */
static ssize_t read_main(Stream *st) {
        StdioSet *t = st->set;
        Memory *m = t->shim->memory;
        size_t room;
        char *p = stream_memory_begin_read(m, st->index, &room);
        ssize_t n = room > 0 ? read(st->source.fd, p, room) : -1;
        int e = room > 0 ? errno : ENOBUFS;

        stream_memory_end_read(m, st->index, n > 0 ? (size_t) n : 0);
        if (n < 0)
                return -e;
        if (n > 0) {
                if (!t->shim->trim_timer.armed)
                        timer_arm(&t->shim->loop, &t->shim->trim_timer, TRIM_DELAY, on_trim);
                client_write_all(t, st->index, p, (size_t) n);
                stdio_set_flush_journal(t);
        }
        return n;
}

static ssize_t read_exec(Stream *st) {
        char buf[EXEC_READ_SIZE];
        ssize_t n = read(st->source.fd, buf, sizeof(buf));

        if (n < 0)
                return negative_errno();
        if (n > 0)
                client_write_all(st->set, st->index, buf, (size_t) n);
        return n;
}

static ssize_t read_once(Stream *st) {
        ssize_t n;

        do
                n = st->set->exec ? read_exec(st) : read_main(st);
        while (n == -EINTR);
        /* EIO: the last slave side of a terminal was closed. */
        if (n == 0 || (n < 0 && n != -EAGAIN && n != -ENOBUFS)) {
                close_stream(st);
                return 0;
        }
        return n;
}

static void on_stream(Source *source, uint32_t revents) {
        Stream *st = CONTAINER_OF(source, Stream, source);
        StdioSet *t = st->set;
        Shim *s = t->shim;
        Exec *exec = t->exec;

        (void) read_once(st);
        stdio_set_update(t);
        if (exec)
                exec_check_done(exec);
        else if (s->status == SHIM_EXITING)
                shim_check_drained(s);
}

/** stdio_set_drain - the process is gone: read what is there now, as far as the takers let us. */
void stdio_set_drain(StdioSet *t) {
        for (unsigned i = 0; i < 2; i++)
                while (!t->streams[i].closed && may_read(t) && read_once(&t->streams[i]) > 0)
                        ;
        stdio_set_update(t);
}

/** stdio_set_close - drop all ends; what was not read is lost, so only after a drain or its time-out. */
void stdio_set_close(StdioSet *t) {
        for (unsigned i = 0; i < 2; i++)
                close_stream(&t->streams[i]);
        source_close(&t->shim->loop, &t->in);
}

static void on_input_ready(Source *source, uint32_t revents) {
        StdioSet *t = CONTAINER_OF(source, StdioSet, in);

        (void) source_watch(&t->shim->loop, source, 0);
        client_resume_all_input(t);
}

/**
 * stdio_set_write - give bytes to the process's stdin.
 *
 * Return: bytes taken, 0 when it takes none now (client_resume_all_input() is called when it does), -EPIPE
 * when it never will again, -ENOTCONN when there is no stdin (yet).
 */
ssize_t stdio_set_write(StdioSet *t, const void *data, size_t size) {
        ssize_t n;

        if (t->in.fd < 0)
                return t->tty && !stdio_set_closed(t) ? 0 : -ENOTCONN;
        n = write(t->in.fd, data, size);
        if (n >= 0)
                return n;
        if (errno == EAGAIN || errno == EINTR) {
                t->in.callback = on_input_ready;
                (void) source_watch(&t->shim->loop, &t->in, EPOLLOUT);
                return 0;
        }
        source_close(&t->shim->loop, &t->in);
        return -EPIPE;
}

/** stdio_set_close_input - end of file for the process. The fd store holds a copy of the pipe, which must go
 * as well. */
void stdio_set_close_input(StdioSet *t) {
        if (t->in.fd < 0 || t->tty)
                return;
        source_close(&t->shim->loop, &t->in);
        if (!t->exec) {
                t->shim->memory->input_closed = true;
                (void) notify_unstore("in");
        } else
                exec_unstore_input(t->exec);
}

/** stdio_set_resize - set the terminal's size. Return: 0, -ENOTTY, -errno. */
int stdio_set_resize(StdioSet *t, uint32_t height, uint32_t width) {
        struct winsize w = { .ws_row = (unsigned short) height, .ws_col = (unsigned short) width };

        if (!t->tty || t->in.fd < 0)
                return -ENOTTY;
        return ioctl(t->in.fd, TIOCSWINSZ, &w) < 0 ? negative_errno() : 0;
}
