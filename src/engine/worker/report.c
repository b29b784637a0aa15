/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <sys/socket.h>

/** report_send - one datagram; waits while the parent is busy. Return: 0 or -errno. */
int report_send(int fd, Buffer *b) {
        ssize_t n;

        do
                n = send(fd, b->data, b->size, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n < 0 ? negative_errno() : 0;
}

/** report_failed - the last word of a child that gives up; @status is HTTP's. Return: 0 or -errno. */
int report_failed(int fd, unsigned status, const char *message) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(REPORT_MAX);
        int r;

        r = fields_put(&b, '\n', "verb", "failed");
        if (r >= 0)
                r = fields_putf(&b, '\n', "status", "%u", status);
        if (r >= 0)
                r = fields_put(&b, '\n', "message", message);
        return r < 0 ? r : report_send(fd, &b);
}

/** report_progress - how much input is used up. Return: 0 or -errno. */
int report_progress(int fd, uint64_t bytes) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(REPORT_MAX);
        int r;

        r = fields_put(&b, '\n', "verb", "progress");
        if (r >= 0)
                r = fields_putf(&b, '\n', "bytes", "%" PRIu64, bytes);
        return r < 0 ? r : report_send(fd, &b);
}

/** report_receive - see report.h. */
int report_receive(int fd, Fields *ret) {
        _cleanup_free_ char *text = malloc(REPORT_MAX + 1);
        ssize_t n;
        int r;

        if (!text)
                return -ENOMEM;
        do
                n = recv(fd, text, REPORT_MAX, 0);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
                return n == 0 || errno == ECONNRESET ? 0 : negative_errno();
        r = fields_parse(text, (size_t) n, '\n', ret);
        return r < 0 ? r : 1;
}
