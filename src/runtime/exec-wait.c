/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exec --exec-wait-fifo: the new process stands before its program until somebody opens the named pipe for
 * reading. An open for writing would wait for that, but where the process waits, inside the container and
 * under its filter, no path of the host can be opened any more. So the pipe is opened outside for both
 * directions, which does not block, and a watch tells of whoever opens or reads it.
 */
#include "exec-wait.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../basic/fd.h"
#include "error.h"

/**
 * exec_wait_open - open the named pipe @path, which the caller has made. Called outside of the container.
 * @ret: exec_wait_done().
 *
 * Return: 0, or -errno with a message.
 */
int exec_wait_open(const char *path, ExecWait *ret) {
        _cleanup_close_ int found = open(path, O_PATH | O_CLOEXEC);
        char link[64];
        bool has_reader;
        struct stat st;

        if (found < 0 || fstat(found, &st) < 0)
                return fail_errno(errno, "failed to open exec wait fifo %s", path);
        if (!S_ISFIFO(st.st_mode))
                return fail_text(EINVAL, "exec wait fifo: %s is not a fifo", path);
        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
        ret->fifo = open(link, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        has_reader = ret->fifo >= 0;
        /* Not for writing alone, also then: one that leaves would end us by SIGPIPE. */
        (void) safe_close(ret->fifo);
        ret->fifo = open(link, O_RDWR | O_CLOEXEC | O_NOCTTY);
        if (ret->fifo < 0)
                return fail_errno(errno, "failed to open exec wait fifo %s", path);
        if (has_reader)
                return 0;
        ret->watch = inotify_init1(IN_CLOEXEC);
        if (ret->watch < 0 || inotify_add_watch(ret->watch, link, IN_OPEN | IN_ACCESS) < 0)
                return fail_errno(errno, "watch exec wait fifo %s", path);
        return 0;
}

/**
 * exec_wait_reader - wait until the pipe has a reader, who gets one byte. Does no more than the filter of
 * any program allows: read, write and close.
 * @channel_fd: closed first, which tells the parent that the process has come this far.
 *
 * Return: 0, or -errno with a message.
 */
int exec_wait_reader(const ExecWait *w, int channel_fd) {
        char events[sizeof(struct inotify_event) + NAME_MAX + 1];
        ssize_t n;

        if (w->fifo < 0)
                return 0;
        (void) close(channel_fd);
        /* Also for one that opened it before the watch was there: the read is seen. */
        if (write(w->fifo, "0", 1) < 0 && errno != EAGAIN)
                return fail_errno(errno, "write to exec wait fifo");
        if (w->watch < 0)
                return 0;
        do
                n = read(w->watch, events, sizeof(events));
        while (n < 0 && errno == EINTR);
        return n < 0 ? fail_errno(errno, "wait for the reader of exec wait fifo") : 0;
}

/** exec_wait_done - close what is open. */
void exec_wait_done(ExecWait *w) {
        w->fifo = safe_close(w->fifo);
        w->watch = safe_close(w->watch);
}
