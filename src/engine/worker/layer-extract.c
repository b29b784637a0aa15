/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layer-extract.h"

#include <fcntl.h>

#include "../../basic/clock.h"
#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "layer-writer.h"
#include "report.h"

#define PROGRESS_USEC (200 * USEC_PER_MSEC)

/** tar_source_fd - see layer-extract.h. */
ssize_t tar_source_fd(void *userdata, void *data, size_t size) {
        ssize_t n;

        do
                n = read((int) (intptr_t) userdata, data, size);
        while (n < 0 && errno == EINTR);
        return n < 0 ? negative_errno() : n;
}

static int set_error(char **ret_error, int error, const char *text) {
        *ret_error = strdup(text);
        return *ret_error ? error : -ENOMEM;
}

static int stream_error(char **ret_error, const TarStream *t, int error) {
        if (error == -EBADMSG)
                return set_error(ret_error, error, tar_stream_error(t));
        if (error == -ECONNRESET)
                return set_error(ret_error, error, "the request's body ends early");
        return set_error(ret_error, error, strerror(-error));
}

/**
 * layer_extract - unpack a whole layer.
 * @root_fd: empty directory. @ret_hex: diff-id. @ret_size: bytes of regular files.
 * @ret_error: set on failure (but for -ENOMEM), owned by the caller.
 *
 * Return: 0, -EBADMSG for a bad archive, -ENOSPC..., the source's error.
 */
int layer_extract(int root_fd, tar_source_t source, void *userdata,
                  void (*progress)(void *userdata, uint64_t bytes), void *progress_userdata,
                  char ret_hex[65], uint64_t *ret_size, char **ret_error) {
        _cleanup_layer_writer_ LayerWriter w = { .parent_fd = -EBADF };
        _cleanup_tar_stream_ TarStream t = {};
        usec_t next = now_monotonic() + PROGRESS_USEC;
        struct archive_entry *e;
        int r;

        r = layer_writer_init(&w, root_fd);
        if (r < 0)
                return r;
        r = tar_stream_open(&t, source, userdata, true);
        if (r < 0)
                return stream_error(ret_error, &t, r);
        while ((r = tar_stream_next(&t, &e)) > 0) {
                r = layer_writer_add(&w, &t, e);
                if (r < 0)
                        return set_error(ret_error, r, w.error);
                if (progress && now_monotonic() >= next) {
                        progress(progress_userdata, t.bytes_in);
                        next = now_monotonic() + PROGRESS_USEC;
                }
        }
        if (r >= 0)
                r = tar_stream_finish(&t, ret_hex);
        if (r < 0)
                return stream_error(ret_error, &t, r);
        r = layer_writer_finish(&w);
        if (r < 0)
                return set_error(ret_error, r, w.error);
        *ret_size = w.size;
        return 0;
}

static void tell_progress(void *userdata, uint64_t bytes) {
        (void) report_progress((int) (intptr_t) userdata, bytes);
}

static int tell_done(int report_fd, const char *hex, uint64_t size) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(REPORT_MAX);
        int r;

        r = fields_put(&b, '\n', "verb", "done");
        if (r >= 0)
                r = fields_put(&b, '\n', "diff-id", hex);
        if (r >= 0)
                r = fields_putf(&b, '\n', "size", "%" PRIu64, size);
        return r < 0 ? r : report_send(report_fd, &b);
}

/** layer_extract_main - see layer-extract.h; @userdata is a LayerInput. */
void layer_extract_main(int report_fd, int input_fd, void *userdata) {
        LayerInput *in = userdata;
        _cleanup_free_ char *error = NULL;
        _cleanup_close_ int root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char hex[65] = "";
        uint64_t size = 0;
        int r;

        if (in->fd_slot)
                *in->fd_slot = input_fd;
        if (root_fd < 0)
                r = negative_errno();
        else
                r = layer_extract(root_fd, in->source ?: tar_source_fd,
                                  in->source ? in->userdata : (void *) (intptr_t) input_fd,
                                  in->progress ? tell_progress : NULL, (void *) (intptr_t) report_fd, hex,
                                  &size, &error);
        if (r >= 0)
                (void) tell_done(report_fd, hex, size);
        else
                (void) report_failed(report_fd, r == -EBADMSG || r == -ECONNRESET ? 400 : 500,
                                     error ?: strerror(-r));
}
