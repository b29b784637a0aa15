/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `run` and `exec` without --detach: stay, pass signals and terminal bytes on, and end as the payload ends.
 */
#include "foreground.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "../basic/fd.h"
#include "error.h"
#include "process/activation.h"

typedef struct Relay {
        pid_t pid;
        int master, notify, signals;
        bool input_open, exited, restore;
        int status;
        struct termios saved;
} Relay;

static void passed_signals(sigset_t *ret) {
        (void) sigfillset(ret);
        /* What says that we ourselves are broken, and what cannot be caught, is not the payload's. */
        static const int own[] = { SIGSEGV, SIGBUS, SIGILL,  SIGFPE, SIGABRT,
                                   SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU };

        for (size_t i = 0; i < ELEMENTSOF(own); i++)
                (void) sigdelset(ret, own[i]);
}

/** foreground_block_signals - from now on signals wait for foreground_wait(). The payload's mask is reset
 * before it runs. */
int foreground_block_signals(void) {
        sigset_t set;

        passed_signals(&set);
        return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? fail_errno(errno, "sigprocmask") : 0;
}

/** foreground_receive_master - take the terminal master that the payload's set-up sent. Return: it, or
 * -errno. */
int foreground_receive_master(int socket_fd) {
        char name[64];
        size_t n = 1;
        ssize_t got;
        int fd;

        got = recv_with_fds(socket_fd, name, sizeof(name), &fd, &n, 0);
        if (got < 0)
                return fail_errno((int) got, "receive the terminal");
        return n == 1 ? fd : fail_text(EPROTO, "receive the terminal: nothing came");
}

/* Of whichever of ours is a terminal, else of the one that we belong to. */
static int get_size(struct winsize *ret) {
        _cleanup_close_ int tty = -EBADF;

        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (ioctl(fd, TIOCGWINSZ, ret) >= 0)
                        return 0;
        tty = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
        return tty < 0 || ioctl(tty, TIOCGWINSZ, ret) < 0 ? negative_errno() : 0;
}

/**
 * foreground_adapt_terminal - let the terminal of @p be what our caller needs: of the size of ours, unless
 * it asks for one, and, where our output is a file or a pipe, without the carriage returns that only a
 * terminal wants.
 */
void foreground_adapt_terminal(SpecProcess *p) {
        struct winsize ws;

        p->console_plain = p->terminal && !isatty(STDOUT_FILENO);
        if (!p->terminal || p->console_height > 0 || p->console_width > 0 || get_size(&ws) < 0)
                return;
        p->console_height = ws.ws_row;
        p->console_width = ws.ws_col;
}

static void copy_size(const Relay *l) {
        struct winsize ws;

        if (l->master >= 0 && get_size(&ws) >= 0)
                (void) ioctl(l->master, TIOCSWINSZ, &ws);
}

static void make_raw(Relay *l) {
        struct termios raw;

        if (l->master < 0 || tcgetattr(STDIN_FILENO, &l->saved) < 0)
                return;
        raw = l->saved;
        cfmakeraw(&raw);
        l->restore = tcsetattr(STDIN_FILENO, TCSANOW, &raw) >= 0;
}

static void reap(Relay *l) {
        for (;;) {
                int status;
                pid_t pid = waitpid(-1, &status, WNOHANG);

                if (pid < 0 && errno == EINTR)
                        continue;
                if (pid <= 0)
                        return;
                if (pid == l->pid) {
                        l->exited = true;
                        l->status = status;
                }
        }
}

static void handle_signals(Relay *l) {
        struct signalfd_siginfo si;

        while (read(l->signals, &si, sizeof(si)) == (ssize_t) sizeof(si)) {
                if (si.ssi_signo == SIGCHLD)
                        reap(l);
                else if (si.ssi_signo == SIGWINCH && l->master >= 0)
                        copy_size(l);
                else
                        (void) kill(l->pid, (int) si.ssi_signo);
        }
}

/* Return: false when the source is at its end. */
static bool copy_bytes(int from, int to) {
        char buf[16 * 1024];
        ssize_t n = read(from, buf, sizeof(buf));

        if (n < 0)
                return errno == EINTR || errno == EAGAIN;
        return n > 0 && write_all(to, buf, (size_t) n) >= 0;
}

static int relay_loop(Relay *l) {
        reap(l);
        while (!l->exited || l->master >= 0) {
                struct pollfd p[4] = {
                        { .fd = l->signals, .events = POLLIN },
                        { .fd = l->master, .events = POLLIN },
                        { .fd = l->master >= 0 && l->input_open ? STDIN_FILENO : -1, .events = POLLIN },
                        { .fd = l->notify, .events = POLLIN },
                };
                int n = poll(p, ELEMENTSOF(p), l->exited ? 0 : -1);

                if (n < 0 && errno != EINTR)
                        return fail_errno(errno, "poll");
                /* Other processes may hold the terminal open for ever: what is buffered at the end is
                 * enough. */
                if (n == 0 && l->exited)
                        return 0;
                if (p[0].revents)
                        handle_signals(l);
                /* We stay the service's main process. */
                if (p[3].revents && notify_receive(l->notify, 0))
                        l->notify = safe_close(l->notify);
                if (p[1].revents && !copy_bytes(l->master, STDOUT_FILENO))
                        l->master = safe_close(l->master);
                if (p[2].revents)
                        l->input_open = copy_bytes(STDIN_FILENO, l->master);
        }
        return 0;
}

/**
 * foreground_wait - serve the payload until it ends.
 * @master_fd: its terminal, consumed; or -EBADF.
 * @notify_fd: from notify_listen(), consumed; or -EBADF.
 *
 * Return: the exit status as a shell would give it (128 + signal), or -errno.
 */
int foreground_wait(pid_t pid, int master_fd, int notify_fd) {
        Relay l = { .pid = pid, .master = master_fd, .notify = notify_fd, .input_open = true };
        sigset_t set;
        int r;

        passed_signals(&set);
        l.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (l.signals < 0)
                return fail_errno(errno, "signalfd");
        copy_size(&l);
        make_raw(&l);
        r = relay_loop(&l);
        if (l.restore)
                (void) tcsetattr(STDIN_FILENO, TCSANOW, &l.saved);
        /* Who says something and ends at once is not heard in the loop. */
        if (l.notify >= 0)
                (void) notify_receive(l.notify, 0);
        (void) safe_close(l.signals);
        (void) safe_close(l.master);
        (void) safe_close(l.notify);
        if (r < 0)
                return r;
        return WIFSIGNALED(l.status) ? 128 + WTERMSIG(l.status) : WEXITSTATUS(l.status);
}
