/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime-log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "../basic/buffer.h"
#include "../basic/clock.h"
#include "../basic/fd.h"
#include "../basic/str.h"

/* One line is one datagram there. */
#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define SYSLOG_SOCKET "/dev/log"
#define SYSLOG_FACILITY_USER (1 << 3)

static enum { LOG_TO_FILE, LOG_TO_JOURNAL, LOG_TO_SYSLOG } log_kind;
static const char *log_identifier;
static int log_fd = -EBADF;
static bool log_json, log_debug, log_is_stderr, log_errors_only;

static int connect_to(const char *path) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        (void) snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
        if (fd < 0 || connect(fd, (struct sockaddr *) &sa, sizeof(sa)) < 0)
                return negative_errno();
        return TAKE_FD(fd);
}

static int open_file(const char *path) {
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);

        return fd < 0 ? negative_errno() : fd;
}

static int open_log(const char *where) {
        const char *rest;

        if (!(rest = startswith(where, "journald:")) && !(rest = startswith(where, "syslog:")))
                return open_file((rest = startswith(where, "file:")) ? rest : where);
        log_kind = where[0] == 'j' ? LOG_TO_JOURNAL : LOG_TO_SYSLOG;
        log_identifier = isempty(rest) ? "berth-runtime" : rest;
        return connect_to(log_kind == LOG_TO_JOURNAL ? JOURNAL_SOCKET : SYSLOG_SOCKET);
}

/**
 * runtime_log_open - where lines go from now on.
 * @where: a path, also behind "file:"; "journald:ID" or "syslog:ID"; borrowed. NULL is stderr: as plain
 * text, but with @debug as the lines of a log file, and also when stderr has become the payload's terminal.
 *
 * Return: 0 or -errno of opening it.
 */
int runtime_log_open(const char *where, bool json, bool debug) {
        log_json = json;
        log_debug = debug;
        if (isempty(where)) {
                if (!debug)
                        return 0;
                log_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
                log_is_stderr = log_fd >= 0;
                return log_fd < 0 ? negative_errno() : 0;
        }
        log_fd = fd_move_above_stdio(open_log(where));
        return log_fd < 0 ? log_fd : 0;
}

/** runtime_log_errors_only - keep warnings back. */
void runtime_log_errors_only(void) {
        log_errors_only = true;
}

/** runtime_debugging - whether debug lines are wanted, for those that take work to make. */
bool runtime_debugging(void) {
        return log_debug;
}

/** runtime_log_descriptor - the open log file, or -EBADF. */
int runtime_log_descriptor(void) {
        return log_fd;
}

/* @quoted: it stands between quotation marks. */
static int append_escaped(Buffer *b, const char *s, bool quoted) {
        for (const unsigned char *p = (const unsigned char *) s; *p; p++) {
                int r;

                if (quoted && (*p == '"' || *p == '\\'))
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

static int priority_of(const char *level) {
        return streq(level, "error") ? LOG_ERR : streq(level, "warning") ? LOG_WARNING : LOG_DEBUG;
}

/* A newline of somebody else's would begin a field, or a line, of its own. */
static int format_for_socket(Buffer *b, const char *level, const char *text) {
        int priority = priority_of(level), r;

        if (log_kind == LOG_TO_SYSLOG)
                r = buffer_appendf(b, "<%d>%s[%d]: ", SYSLOG_FACILITY_USER | priority, log_identifier,
                                   (int) getpid());
        else
                r = buffer_appendf(b, "PRIORITY=%d\nSYSLOG_IDENTIFIER=%.*s\nMESSAGE=", priority,
                                   (int) strcspn(log_identifier, "\n"), log_identifier);
        if (r >= 0)
                r = append_escaped(b, text, false);
        return r < 0 || log_kind == LOG_TO_SYSLOG ? r : buffer_append_str(b, "\n");
}

/** runtime_log - one line at @level ("error", "warning", "debug"), whole, in one write. */
void runtime_log(const char *level, const char *fmt, ...) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(16 * 1024);
        char text[2048], at[RFC3339_MAX];
        va_list ap;

        if ((streq(level, "debug") && !log_debug) || (log_errors_only && !streq(level, "error")))
                return;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        if (log_fd < 0 || (!log_is_stderr && streq(level, "error")))
                (void) dprintf(STDERR_FILENO, "%s%s\n", streq(level, "error") ? "" : "warning: ", text);
        if (log_fd < 0)
                return;
        format_rfc3339(now_realtime(), at);
        if (log_kind != LOG_TO_FILE) {
                if (format_for_socket(&b, level, text) < 0)
                        return;
        } else if (log_json) {
                if (buffer_appendf(&b, "{\"level\":\"%s\",\"msg\":\"", level) < 0 ||
                    append_escaped(&b, text, true) < 0 ||
                    buffer_appendf(&b, "\",\"time\":\"%s\"}\n", at) < 0)
                        return;
        } else if (buffer_appendf(&b, "time=\"%s\" level=%s msg=\"", at, level) < 0 ||
                   append_escaped(&b, text, true) < 0 || buffer_append_str(&b, "\"\n") < 0)
                return;
        (void) write_all(log_fd, b.data, b.size);
}
