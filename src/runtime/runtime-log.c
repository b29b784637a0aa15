/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime-log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "../basic/buffer.h"
#include "../basic/clock.h"
#include "../basic/fd.h"

static int log_fd = -EBADF;
static bool log_json, log_debug, log_is_stderr;

/**
 * runtime_log_open - where lines go from now on. Without @path they go to stderr: as plain text, but with
 * @debug as the lines of a log file, and also when stderr has become the payload's terminal.
 *
 * Return: 0 or -errno of opening @path.
 */
int runtime_log_open(const char *path, bool json, bool debug) {
        log_json = json;
        log_debug = debug;
        if (isempty(path)) {
                if (!debug)
                        return 0;
                log_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
                log_is_stderr = log_fd >= 0;
                return log_fd < 0 ? negative_errno() : 0;
        }
        log_fd = fd_move_above_stdio(open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640));
        return log_fd < 0 ? negative_errno() : 0;
}

/** runtime_debugging - whether debug lines are wanted, for those that take work to make. */
bool runtime_debugging(void) {
        return log_debug;
}

/** runtime_log_descriptor - the open log file, or -EBADF. */
int runtime_log_descriptor(void) {
        return log_fd;
}

static int append_escaped(Buffer *b, const char *s) {
        for (const unsigned char *p = (const unsigned char *) s; *p; p++) {
                int r;

                if (*p == '"' || *p == '\\')
                        r = buffer_appendf(b, "\\%c", *p);
                else if (*p < 0x20 || *p == 0x7f)
                        r = buffer_appendf(b, "\\u%04x", *p);
                else
                        r = buffer_append(b, p, 1);
                if (r < 0)
                        return r;
        }
        return 0;
}

/** runtime_log - one line at @level ("error", "warning", "debug"), whole, in one write. */
void runtime_log(const char *level, const char *fmt, ...) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(16 * 1024);
        char text[2048], at[RFC3339_MAX];
        va_list ap;

        if (streq(level, "debug") && !log_debug)
                return;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        if (log_fd < 0 || (!log_is_stderr && streq(level, "error")))
                (void) dprintf(STDERR_FILENO, "%s%s\n", streq(level, "error") ? "" : "warning: ", text);
        if (log_fd < 0)
                return;
        format_rfc3339(now_realtime(), at);
        if (log_json) {
                if (buffer_appendf(&b, "{\"level\":\"%s\",\"msg\":\"", level) < 0 ||
                    append_escaped(&b, text) < 0 || buffer_appendf(&b, "\",\"time\":\"%s\"}\n", at) < 0)
                        return;
        } else if (buffer_appendf(&b, "time=\"%s\" level=%s msg=\"", at, level) < 0 ||
                   append_escaped(&b, text) < 0 || buffer_append_str(&b, "\"\n") < 0)
                return;
        (void) write_all(log_fd, b.data, b.size);
}
