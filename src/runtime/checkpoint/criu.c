/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way to criu, which does all the work of a checkpoint and a restore. We start `criu swrk FD`: it serves
 * one request that it reads from that socket, tells us on it where it stands (and waits for our answer), and
 * ends. Unlike criu's command line this hands the restored process to us as our child, lets the state be
 * stored before the payload goes on, and passes the master of a terminal.
 *
 * criu's own log has the reasons of a failure; its last lines go into our message.
 */
#include "criu.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../basic/clock.h"
#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../channel.h"
#include "../error.h"
#include "../kernel-call.h"
#include "criu-message.h"
#include "protobuf.h"

/* Between two messages criu may have to write all memory of the container. Killing it in the middle of that
 * harms the container, so this is only for a criu that hangs. */
#define SILENCE_MAX_USEC (3600 * USEC_PER_SEC)
#define END_MAX_USEC (30 * USEC_PER_SEC)
/* When all is restored there is next to nothing left to do. But if memory that was to come later does not
 * come, criu waits for ever for a first process which waits for processes that only criu can let go. */
#define RELEASE_MAX_USEC (30 * USEC_PER_SEC)
#define EVENT_RESTORED "post-restore"
#define MESSAGE_MAX (64 * 1024)
#define ENDED "criu ended without an answer"
#define LOG_SIZE_MAX (64 * 1024 * 1024)

/* Descriptors in criu. It mounts below its working directory, so it must have opened that itself: ours may
 * be of another mount namespace. */
#define SOCKET_FD 3
#define IMAGES_FD 4
#define WORK_FD 5
#define INHERIT_FD 6
#define FREE_FD (INHERIT_FD + CRIU_INHERIT_MAX)

/** criu_done - release what the call owns. Descriptors are borrowed. */
void criu_done(CriuCall *c) {
        buffer_done(&c->options);
}

static void note(CriuCall *c, int r) {
        if (r < 0 && c->error == 0)
                c->error = r;
}

/** criu_add_number - an option that is a number or a truth. */
void criu_add_number(CriuCall *c, CriuOption option, uint64_t value) {
        note(c, pb_add_number(&c->options, option, value));
}

/** criu_add_text - an option that is a text; NULL: not given. */
void criu_add_text(CriuCall *c, CriuOption option, const char *text) {
        if (text)
                note(c, pb_add_text(&c->options, option, text));
}

/** criu_add_external - something that is not part of the checkpoint, in criu's notation. */
void criu_add_external(CriuCall *c, const char *fmt, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vasprintf(&text, fmt, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                note(c, -ENOMEM);
                return;
        }
        criu_add_text(c, CRIU_EXTERNAL, text);
}

/* Return: the number that @fd will have in criu, or -E2BIG, which is noted. */
static int add_descriptor(CriuCall *c, int fd) {
        if (c->n_inherit >= CRIU_INHERIT_MAX) {
                note(c, -E2BIG);
                return -E2BIG;
        }
        c->inherit[c->n_inherit] = fd;
        return INHERIT_FD + (int) c->n_inherit++;
}

/** criu_add_inherit - what @key was at the checkpoint is @fd (borrowed) now. */
void criu_add_inherit(CriuCall *c, int fd, const char *key) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(16 * 1024);
        int number, r;

        number = add_descriptor(c, fd);
        if (number < 0)
                return;
        r = pb_add_text(&b, 1, key);
        if (r >= 0)
                r = pb_add_number(&b, 2, (uint64_t) number);
        if (r >= 0)
                r = pb_add_bytes(&c->options, CRIU_INHERIT_FD, b.data, b.size);
        note(c, r);
}

/** criu_add_status_fd - criu writes a zero byte to @fd (borrowed) once it can be asked for pages. */
void criu_add_status_fd(CriuCall *c, int fd) {
        int number = add_descriptor(c, fd);

        if (number >= 0)
                criu_add_number(c, CRIU_STATUS_FD, (uint64_t) number);
}

/** criu_add_page_server - where pages go to, or, with lazy pages, where criu waits for who wants them. */
void criu_add_page_server(CriuCall *c, const char *address, unsigned port) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(16 * 1024);
        int r = pb_add_text(&b, 1, address);

        if (r >= 0)
                r = pb_add_number(&b, 2, port);
        if (r >= 0)
                r = pb_add_bytes(&c->options, CRIU_PAGE_SERVER, b.data, b.size);
        note(c, r);
}

/** criu_add_join - let the restored processes be in an existing namespace. */
void criu_add_join(CriuCall *c, const char *ns, const char *path) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(16 * 1024);
        int r = pb_add_text(&b, 1, ns);

        if (r >= 0)
                r = pb_add_text(&b, 2, path);
        if (r >= 0)
                r = pb_add_bytes(&c->options, CRIU_JOIN_NS, b.data, b.size);
        note(c, r);
}

/** criu_add_cgroup_root - the cgroup (version 2) that the restored processes are put below. */
void criu_add_cgroup_root(CriuCall *c, const char *path) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(16 * 1024);
        int r = pb_add_text(&b, 1, ""); /* the name of the version 2 hierarchy: others are not ours */

        if (r >= 0)
                r = pb_add_text(&b, 2, path);
        if (r >= 0)
                r = pb_add_bytes(&c->options, CRIU_CGROUP_ROOT, b.data, b.size);
        note(c, r);
}

/* First out of the way: a number may be taken by one that has its turn later. */
static int place_descriptors(const CriuCall *c, const int own[3]) {
        int fds[FREE_FD];
        size_t n = 3 + c->n_inherit;

        for (size_t i = 0; i < n; i++) {
                fds[i] = fcntl(i < 3 ? own[i] : c->inherit[i - 3], F_DUPFD_CLOEXEC, FREE_FD);
                if (fds[i] < 0)
                        return fail_errno(errno, "descriptors for criu");
        }
        if (sys_close_range(SOCKET_FD, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
                return fail_errno(errno, "close_range");
        for (size_t i = 0; i < n; i++)
                if (dup2(fds[i], SOCKET_FD + (int) i) < 0)
                        return fail_errno(errno, "descriptors for criu");
        return 0;
}

/* criu takes numbers of descriptors as those of whoever made the socket. So this process makes it, and sends
 * the other end to our parent. */
static int make_socket(int report_fd) {
        static const char mark = CHANNEL_GO;
        int ends[2], r;
        ssize_t n;

        r = channel_pair(ends);
        if (r < 0)
                return r;
        n = send_with_fds(report_fd, &mark, 1, &ends[1], 1, 0);
        (void) close(ends[1]);
        return n < 0 ? fail_errno((int) n, "socket for criu") : ends[0];
}

/* Whether what @path names now is what was looked at before. */
static int open_again(const char *path, int before) {
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct stat a, b;

        if (fd < 0 || before < 0)
                return fd < 0 ? fail_errno(errno, "open %s", path) : fd;
        if (fstat(fd, &a) < 0 || fstat(before, &b) < 0)
                return fail_errno(errno, "stat %s", path);
        return a.st_dev == b.st_dev && a.st_ino == b.st_ino ?
                       fd :
                       fail_text(ESTALE, "%s became another directory meanwhile", path);
}

static int open_own(const CriuCall *c, int report_fd, int own[3]) {
        const char *const paths[] = { c->images_path, c->work_path };
        const int before[] = { c->images_fd, c->work_fd };

        own[0] = make_socket(report_fd);
        for (size_t i = 0; own[0] >= 0 && i < ELEMENTSOF(paths); i++) {
                own[i + 1] = open_again(paths[i], before[i]);
                if (own[i + 1] < 0)
                        return own[i + 1];
        }
        return own[0] < 0 ? own[0] : 0;
}

static _Noreturn void become_criu(const CriuCall *c, const char *path, int parent_end, int report_fd) {
        char number[16];
        sigset_t none;
        int own[3], r;

        (void) close(parent_end);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        report_fd = fcntl(report_fd, F_DUPFD_CLOEXEC, FREE_FD);
        /* Nobody would end one that waits for others, with the container's memory to offer. */
        if (c->patient)
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        r = channel_expect(report_fd, CHANNEL_GO);
        if (r >= 0 && c->prepare)
                r = c->prepare(c->userdata);
        if (r >= 0)
                r = open_own(c, report_fd, own);
        if (r >= 0)
                r = place_descriptors(c, own);
        if (r >= 0) {
                (void) snprintf(number, sizeof(number), "%d", SOCKET_FD);
                (void) execl(path, "criu", "swrk", number, NULL);
                r = fail_errno(errno, "%s", path);
        }
        (void) channel_send(report_fd, CHANNEL_ERROR,
                            isempty(fail_message()) ? errno_words(r) : fail_message());
        _exit(1);
}

/* The socket comes first; then an error, or the end of file that says that the program runs. */
static int receive_socket(int report_fd, int *ret_socket) {
        _cleanup_close_ int fd = -EBADF;
        char text[CHANNEL_TEXT_MAX] = "";
        size_t n_fds = 1;
        ssize_t n;
        int r;

        n = recv_with_fds(report_fd, text, sizeof(text) - 1, &fd, &n_fds, 0);
        if (n <= 0 || n_fds == 0)
                fd = -EBADF;
        if (n < 0)
                return fail_errno((int) n, "start criu");
        if (text[0] == CHANNEL_ERROR)
                return fail_text(ECHILD, "start criu: %s", text + 1);
        if (fd < 0)
                return fail_text(ECHILD, "start criu: it ended at once");
        r = channel_receive(report_fd, text);
        if (r == CHANNEL_ERROR)
                return fail_text(ECHILD, "start criu: %s", text);
        if (r < 0)
                return fail_errno(r, "start criu");
        *ret_socket = TAKE_FD(fd);
        return 0;
}

/* Return: criu's pid, with *ret_socket connected to it; or -errno with a message. */
static int start(CriuCall *c, int *ret_socket) {
        _cleanup_close_ int report = -EBADF, theirs = -EBADF;
        _cleanup_free_ char *path = NULL;
        int ends[2], r;
        pid_t pid;

        r = criu_find(&path);
        if (r >= 0)
                r = channel_pair(ends);
        if (r < 0)
                return r;
        report = ends[0];
        theirs = ends[1];
        pid = fork();
        if (pid < 0)
                return fail_errno(errno, "fork for criu");
        if (pid == 0)
                become_criu(c, path, ends[0], theirs);
        theirs = safe_close(theirs);
        r = c->started ? c->started(c, pid) : 0;
        if (r >= 0)
                r = channel_send(report, CHANNEL_GO, NULL);
        if (r >= 0)
                r = receive_socket(report, ret_socket);
        if (r < 0) {
                (void) kill(pid, SIGKILL);
                while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                        ;
                return r;
        }
        return (int) pid;
}

/* @other may be -EBADF: its being readable ends the wait too. */
static int wait_readable(int fd, int other, usec_t limit) {
        struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = other, .events = POLLIN } };
        usec_t until = limit == USEC_INFINITY ? USEC_INFINITY : now_monotonic() + limit;

        for (;;) {
                usec_t now = now_monotonic();
                int n = poll(p, ELEMENTSOF(p),
                             until == USEC_INFINITY ? -1 :
                             now >= until           ? 0 :
                                                      (int) ((until - now) / USEC_PER_MSEC) + 1);

                if (n > 0)
                        return 0;
                if (n == 0)
                        return -ETIMEDOUT;
                if (errno != EINTR)
                        return negative_errno();
        }
}

static int send_request(int fd, CriuRequest type, const Buffer *options) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(4 * 1024 * 1024);
        int r = pb_add_number(&b, REQUEST_TYPE, type);

        if (r >= 0)
                r = pb_add_bytes(&b, REQUEST_OPTIONS, options->data, options->size);
        if (r >= 0 && send(fd, b.data, b.size, MSG_NOSIGNAL) < 0)
                r = negative_errno();
        if (r == -EPIPE || r == -ECONNRESET)
                return fail_text(EPIPE, ENDED);
        return r < 0 ? fail_errno(r, "send the request to criu") : 0;
}

static int answer_notify(const CriuCall *c, int fd, const CriuResponse *a, int passed_fd) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(64);
        int r = c->notify ? c->notify(c->userdata, a->event, a->pid, passed_fd) : 0, q;

        q = pb_add_number(&b, REQUEST_TYPE, CRIU_TYPE_NOTIFY);
        if (q >= 0)
                q = pb_add_number(&b, REQUEST_NOTIFY_SUCCESS, r >= 0);
        if (q >= 0 && send(fd, b.data, b.size, MSG_NOSIGNAL) < 0)
                q = negative_errno();
        if (r < 0)
                return r;
        if (q == -EPIPE || q == -ECONNRESET)
                return fail_text(EPIPE, ENDED);
        return q < 0 ? fail_errno(q, "answer criu") : 0;
}

/* A request that criu works on. */
typedef struct Serving {
        const CriuCall *call;
        int fd, pidfd;
        CriuRequest type;
        int failed; /* the first notification that did, remembered while criu undoes what it did */
        bool restored;
        CriuResponse last;
} Serving;

static usec_t silence_max(const Serving *s) {
        return s->restored ? RELEASE_MAX_USEC : s->call->patient ? USEC_INFINITY : SILENCE_MAX_USEC;
}

/* One message of criu. Return: 1 when the request is done, 0 to go on, -errno. */
static int serve_one(Serving *s) {
        _cleanup_free_ char *data = malloc(MESSAGE_MAX);
        _cleanup_close_ int passed = -EBADF;
        CriuResponse *a = &s->last;
        size_t n_fds = 1;
        ssize_t n;
        int r;

        if (!data)
                return -ENOMEM;
        r = wait_readable(s->fd, s->pidfd, silence_max(s));
        if (r < 0)
                return s->failed < 0 ? s->failed : fail_errno(r, "wait for criu");
        /* Half restored processes may hold criu's end open when criu itself is gone. */
        n = recv_with_fds(s->fd, data, MESSAGE_MAX, &passed, &n_fds, MSG_DONTWAIT);
        if (n == -EAGAIN || n == -ECONNRESET)
                n = 0;
        if (n_fds == 0)
                passed = -EBADF;
        if (s->failed < 0 && n <= 0)
                return s->failed;
        if (n < 0)
                return fail_errno((int) n, "receive from criu");
        if (n == 0)
                return fail_text(EPIPE, ENDED);
        r = criu_response_parse(data, (size_t) n, a);
        if (r < 0 || s->failed < 0)
                return r < 0 ? fail_errno(r, "answer of criu") : s->failed;
        if (a->type == CRIU_TYPE_NOTIFY) {
                s->restored = s->restored || streq(a->event, EVENT_RESTORED);
                s->failed = answer_notify(s->call, s->fd, a, passed);
                return 0;
        }
        if (!a->success)
                return fail_text(EIO, "criu failed");
        if (a->type != (uint64_t) s->type)
                return fail_text(EPROTO, "criu sent an answer of type %u", (unsigned) a->type);
        return 1;
}

static const char *find_word(const char *line, const char *end, const char *word) {
        return memmem(line, (size_t) (end - line), word, strlen(word));
}

/* "(00.112) Error (criu/mount.c:12): text": what is behind the time, if the line is an error that says
 * something. The last line of a failed log only says that it failed, others come with every failure. */
static const char *error_of_line(const char *line, const char *end) {
        static const char *const nothing[] = { " FAILED.", "RLIMIT_NOFILE", "cgroupd: recv req error" };
        const char *p = find_word(line, end, ") Can't connect to server ");

        if (p)
                return p + 2;
        p = find_word(line, end, "Error (");
        for (size_t i = 0; p && i < ELEMENTSOF(nothing); i++)
                if (find_word(p, end, nothing[i]))
                        return NULL;
        return p ? p + 6 : NULL;
}

/* Adds the last two errors of criu's log to the message: the later is often only a consequence. */
static int explain(const CriuCall *c, int error) {
        _cleanup_free_ char *text = NULL, *path = NULL, *first = strdup(fail_message());
        const char *last[2] = {}, *ends[2] = {};
        size_t size;

        path = str_concat(c->work_path, "/", c->log);
        if (!first || !path || read_file_at(AT_FDCWD, path, LOG_SIZE_MAX, &text, &size) < 0)
                return error;
        for (const char *p = text; *p;) {
                const char *end = strchrnul(p, '\n'), *e = error_of_line(p, end);

                if (e) {
                        last[0] = last[1];
                        ends[0] = ends[1];
                        last[1] = e;
                        ends[1] = end;
                }
                p = *end ? end + 1 : end;
        }
        if (!last[1])
                return fail_text(error, "%s, see %s", first, path);
        return fail_text(error, "%s, see %s: %.*s%s%.*s", first, path,
                         last[0] ? (int) (ends[0] - last[0]) : 0, strempty(last[0]), last[0] ? "; " : "",
                         (int) (ends[1] - last[1]), last[1]);
}

static void end_criu(pid_t pid, int pidfd, bool hangs) {
        if (hangs || wait_readable(pidfd, -EBADF, END_MAX_USEC) < 0)
                (void) kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

/**
 * criu_perform - let criu do what was asked for.
 * @ret: its last answer, with the restored process, a child of ours; may be NULL.
 *
 * Return: 0, or -errno with a message that has criu's reason.
 */
int criu_perform(CriuCall *c, CriuRequest type, CriuResponse *ret) {
        _cleanup_close_ int fd = -EBADF, pidfd = -EBADF;
        Serving s = { .call = c, .type = type };
        pid_t pid;
        int r;

        criu_add_number(c, CRIU_IMAGES_FD, IMAGES_FD);
        criu_add_number(c, CRIU_WORK_FD, WORK_FD);
        if (c->error < 0)
                return fail_errno(c->error, "options for criu");
        pid = r = start(c, &fd);
        if (r < 0)
                return r;
        pidfd = sys_pidfd_open(pid);
        r = pidfd < 0 ? fail_errno(errno, "pidfd of criu") : send_request(fd, type, &c->options);
        s.fd = fd;
        s.pidfd = pidfd;
        if (r >= 0)
                while ((r = serve_one(&s)) == 0)
                        ;
        fd = safe_close(fd);
        end_criu(pid, pidfd, r == -ETIMEDOUT && s.failed >= 0);
        if (r >= 0) {
                if (ret)
                        *ret = s.last;
                return 0;
        }
        return s.failed < 0 || !c->log ? r : explain(c, r);
}
