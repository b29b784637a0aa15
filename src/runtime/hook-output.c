/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stdout and stderr of a hook. They are read while it runs, since a full pipe would stop it, but its end is
 * the end of its process: what it leaves in the background may keep the pipes open and is not waited for.
 */
#include "hook-output.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "../basic/clock.h"
#include "../basic/fd.h"
#include "../basic/str.h"
#include "error.h"

#define KEPT_MAX (16 * 1024)

static const char *const stream_names[2] = { "stdout", "stderr" };

/** hook_output_open - the pipes. @ret: valid for hook_output_done() also on failure. */
int hook_output_open(HookOutput *ret) {
        *ret = (HookOutput) { .ours = { -EBADF, -EBADF }, .theirs = { -EBADF, -EBADF },
                              .text = { BUFFER_INIT(KEPT_MAX), BUFFER_INIT(KEPT_MAX) } };
        for (unsigned i = 0; i < 2; i++) {
                int ends[2];

                if (pipe2(ends, O_CLOEXEC) < 0)
                        return fail_errno(errno, "pipe");
                ret->ours[i] = ends[0];
                ret->theirs[i] = ends[1];
                if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
                        return fail_errno(errno, "pipe");
        }
        return 0;
}

/** hook_output_use - make them, or the files, stdout and stderr of the calling process. */
int hook_output_use(const HookOutput *o, const HookFiles *files) {
        for (int i = 0; i < 2; i++)
                if (dup2(files->fds[i] >= 0 ? files->fds[i] : o->theirs[i], STDOUT_FILENO + i) < 0)
                        return negative_errno();
        return 0;
}

/* What goes beyond the buffer is read and forgotten. */
static void collect(HookOutput *o, unsigned i) {
        char buf[4096];
        ssize_t n;

        while ((n = read(o->ours[i], buf, sizeof(buf))) > 0)
                (void) buffer_append(&o->text[i], buf, MIN((size_t) n, KEPT_MAX - o->text[i].size));
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
                o->ours[i] = safe_close(o->ours[i]);
}

/**
 * hook_output_await - wait for the end of the process behind @pidfd, which has the other ends.
 * @timeout: seconds, 0 for none.
 *
 * Return: 1 when it ended, 0 when the time is up, -errno.
 */
int hook_output_await(HookOutput *o, int pidfd, unsigned timeout) {
        usec_t until = now_monotonic() + timeout * USEC_PER_SEC;

        o->theirs[0] = safe_close(o->theirs[0]);
        o->theirs[1] = safe_close(o->theirs[1]);
        for (;;) {
                struct pollfd p[3] = { { .fd = pidfd, .events = POLLIN },
                                       { .fd = o->ours[0], .events = POLLIN },
                                       { .fd = o->ours[1], .events = POLLIN } };
                usec_t now = now_monotonic();
                int ms = timeout == 0 ? -1 : now >= until ? 0 : (int) ((until - now) / USEC_PER_MSEC) + 1;
                int n = poll(p, ELEMENTSOF(p), ms);

                if (n < 0 && errno != EINTR)
                        return negative_errno();
                if (n < 0)
                        continue;
                for (unsigned i = 0; i < 2; i++)
                        if (p[i + 1].revents)
                                collect(o, i);
                if (n == 0 || p[0].revents)
                        return n > 0;
        }
}

/** hook_output_describe - ", stdout: ..., stderr: ..." as far as there is any. Return: @buf. */
const char *hook_output_describe(const HookOutput *o, char *buf, size_t size) {
        size_t used = 0;

        buf[0] = 0;
        for (unsigned i = 0; i < 2; i++) {
                const char *text = strempty(o->text[i].data);
                size_t n = strlen(text);
                int w;

                while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
                        n--;
                if (n == 0)
                        continue;
                /* The beginning of each. */
                w = snprintf(buf + used, size - used, ", %s: %.*s", stream_names[i],
                             (int) MIN(n, size / 2 - 16), text);
                used += MIN((size_t) MAX(w, 0), size - used - 1);
        }
        return buf;
}

/** hook_output_pass_on - the warnings of a hook that did not fail, to our stderr; what it wrote to stdout is
 * not the payload's output. */
void hook_output_pass_on(const HookOutput *o) {
        if (o->text[1].size > 0)
                (void) write_all(STDERR_FILENO, o->text[1].data, o->text[1].size);
}

/** hook_output_done - release. */
void hook_output_done(HookOutput *o) {
        for (unsigned i = 0; i < 2; i++) {
                (void) safe_close(o->ours[i]);
                (void) safe_close(o->theirs[i]);
                buffer_done(&o->text[i]);
        }
}

/**
 * hook_files_open - open the files that hooks write to.
 * @out, @err: paths, or NULL.
 * @ret: release with hook_files_done(), also on failure.
 *
 * Return: 0, or -errno with the annotation in the message.
 */
int hook_files_open(const char *out, const char *err, HookFiles *ret) {
        const char *const paths[2] = { out, err };

        *ret = HOOK_FILES_INIT;
        for (unsigned i = 0; i < 2; i++) {
                if (!paths[i])
                        continue;
                ret->fds[i] = open(paths[i], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
                if (ret->fds[i] < 0)
                        return fail_errno(errno, "config.json: annotations: run.oci.hooks.%s: open %s",
                                          stream_names[i], paths[i]);
        }
        return 0;
}

/** hook_files_done - close them. */
void hook_files_done(HookFiles *f) {
        (void) safe_close(f->fds[0]);
        (void) safe_close(f->fds[1]);
        *f = HOOK_FILES_INIT;
}
