/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tar-stream.h"

#include "../../basic/str.h"

#define SOURCE_SIZE (256 * 1024)

static la_ssize_t read_source(struct archive *a, void *userdata, const void **ret) {
        TarStream *t = userdata;
        ssize_t n;

        if (t->source_error < 0)
                return ARCHIVE_FATAL;
        n = t->source(t->userdata, t->buffer, SOURCE_SIZE);
        if (n < 0) {
                t->source_error = (int) n;
                archive_set_error(a, (int) -n, "%s", strerror((int) -n));
                return ARCHIVE_FATAL;
        }
        t->bytes_in += (uint64_t) n;
        *ret = t->buffer;
        return n;
}

static la_ssize_t read_inflated(struct archive *a, void *userdata, const void **ret) {
        TarStream *t = userdata;
        la_int64_t offset;
        size_t n = 0;
        int r;

        if (t->empty)
                return 0;
        /* A zero-sized block would be the end of the input to the reader above. */
        do
                r = archive_read_data_block(t->inflate, ret, &n, &offset);
        while (r == ARCHIVE_OK && n == 0);
        if (r == ARCHIVE_EOF)
                return 0;
        if (r != ARCHIVE_OK) {
                archive_set_error(a, EBADMSG, "%s", strempty(archive_error_string(t->inflate)));
                return ARCHIVE_FATAL;
        }
        if (t->md && EVP_DigestUpdate(t->md, *ret, n) != 1) {
                archive_set_error(a, ENOMEM, "out of memory");
                return ARCHIVE_FATAL;
        }
        return (la_ssize_t) n;
}

static int fail(TarStream *t) {
        return t->source_error < 0 ? t->source_error : -EBADMSG;
}

static int open_inflate(TarStream *t) {
        struct archive *a = t->inflate;
        struct archive_entry *e;
        int r;

        /* Named one by one: "all" includes filters that run other programs. */
        if (archive_read_support_filter_gzip(a) < ARCHIVE_WARN ||
            archive_read_support_filter_bzip2(a) < ARCHIVE_WARN ||
            archive_read_support_filter_xz(a) < ARCHIVE_WARN ||
            archive_read_support_filter_zstd(a) < ARCHIVE_WARN ||
            archive_read_support_format_raw(a) < ARCHIVE_WARN ||
            archive_read_support_format_empty(a) < ARCHIVE_WARN)
                return -EOPNOTSUPP;
        if (archive_read_open(a, t, NULL, read_source, NULL) < ARCHIVE_WARN)
                return fail(t);
        r = archive_read_next_header(a, &e);
        t->empty = r == ARCHIVE_EOF;
        return r < ARCHIVE_WARN ? fail(t) : 0;
}

static int open_tar(TarStream *t) {
        struct archive *a = t->tar;

        if (archive_read_support_format_tar(a) < ARCHIVE_WARN ||
            archive_read_support_format_empty(a) < ARCHIVE_WARN)
                return -EOPNOTSUPP;
        return archive_read_open(a, t, NULL, read_inflated, NULL) < ARCHIVE_WARN ? fail(t) : 0;
}

/**
 * tar_stream_open - start reading.
 * @digest: compute the SHA-256 of the uncompressed bytes.
 *
 * Free with tar_stream_done() also after a failure, once tar_stream_error() was asked. Return: 0, -EBADMSG,
 * -ENOMEM, the source's error.
 */
int tar_stream_open(TarStream *t, tar_source_t source, void *userdata, bool digest) {
        int r;

        *t = (TarStream){ .source = source, .userdata = userdata };
        t->inflate = archive_read_new();
        t->tar = archive_read_new();
        t->buffer = malloc(SOURCE_SIZE);
        if (!t->inflate || !t->tar || !t->buffer)
                return -ENOMEM;
        if (digest) {
                t->md = EVP_MD_CTX_new();
                if (!t->md || EVP_DigestInit_ex(t->md, EVP_sha256(), NULL) != 1)
                        return -ENOMEM;
        }
        r = open_inflate(t);
        return r < 0 ? r : open_tar(t);
}

/** tar_stream_done - free; safe on a zeroed stream. */
void tar_stream_done(TarStream *t) {
        (void) archive_read_free(t->tar);
        (void) archive_read_free(t->inflate);
        EVP_MD_CTX_free(t->md);
        t->buffer = mfree(t->buffer);
        t->tar = t->inflate = NULL;
        t->md = NULL;
}

/** tar_stream_error - what is wrong with the bytes, after -EBADMSG; borrowed. */
const char *tar_stream_error(const TarStream *t) {
        const char *text = t->tar ? archive_error_string(t->tar) : NULL;

        if (isempty(text) && t->inflate)
                text = archive_error_string(t->inflate);
        if (isempty(text))
                return "damaged archive";
        return startswith(text, "Unrecognized archive") ? "not a tar archive" : text;
}

/** tar_stream_next - see tar-stream.h. */
int tar_stream_next(TarStream *t, struct archive_entry **ret) {
        int r = archive_read_next_header(t->tar, ret);

        if (r == ARCHIVE_EOF)
                return 0;
        /* Warnings are about charsets of names and the like; the entry is there. */
        return r < ARCHIVE_WARN ? fail(t) : 1;
}

/** tar_stream_data - see tar-stream.h. */
int tar_stream_data(TarStream *t, const void **ret, size_t *ret_size, int64_t *ret_offset) {
        la_int64_t offset;
        int r = archive_read_data_block(t->tar, ret, ret_size, &offset);

        if (r == ARCHIVE_EOF)
                return 0;
        if (r < ARCHIVE_WARN)
                return fail(t);
        *ret_offset = offset;
        return 1;
}

/** tar_stream_finish - see tar-stream.h. Return: 0, -EBADMSG, -ENOMEM, the source's error. */
int tar_stream_finish(TarStream *t, char *ret_hex) {
        uint8_t digest[EVP_MAX_MD_SIZE];
        const void *data;
        la_int64_t offset;
        unsigned n = 0;
        size_t size;
        int r = ARCHIVE_EOF;

        /* The tar reader may stop short of the padding at the end, which is part of what is hashed. */
        while (!t->empty && (r = archive_read_data_block(t->inflate, &data, &size, &offset)) == ARCHIVE_OK)
                if (t->md && size > 0 && EVP_DigestUpdate(t->md, data, size) != 1)
                        return -ENOMEM;
        if (r != ARCHIVE_EOF)
                return fail(t);
        if (!t->md || !ret_hex)
                return 0;
        if (EVP_DigestFinal_ex(t->md, digest, &n) != 1)
                return -ENOMEM;
        hex_encode(digest, n, ret_hex);
        return 0;
}
