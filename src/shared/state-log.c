/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state-log.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../basic/clock.h"
#include "../basic/crc32c.h"
#include "../basic/fd.h"
#include "../basic/file.h"

/*
 * One record is one line and one write() on an O_APPEND file, so the engine and the shim can both append. A
 * line that a crash cut short fails its checksum; the next record begins with a newline when the file does
 * not end in one, so a torn tail spoils nothing but itself.
 *
 * Only the last record of a type counts, so a log that has grown past STATE_LOG_COMPACT is replaced (rename)
 * by one with just those, in their order. Writers hold a lock on the file and look whether it is still the
 * one of that name.
 */
#define TYPES_MAX 32
#define STATE_LOG_TEMPORARY STATE_LOG_NAME ".new"

/** state_record_begin - start a record of @type with the time of now. Return: 0 or -errno of the buffer. */
int state_record_begin(Buffer *b, const char *type) {
        int r = fields_put(b, '\t', "type", type);

        return r < 0 ? r : fields_putf(b, '\t', "at", "%" PRIu64, now_realtime());
}

static int ends_in_newline(int fd) {
        off_t end = lseek(fd, 0, SEEK_END);
        char last;

        if (end < 0)
                return negative_errno();
        if (end == 0)
                return 1;
        if (pread(fd, &last, 1, end - 1) != 1)
                return negative_errno();
        return last == '\n';
}

static int parse_record(const char *line, size_t size, Fields *ret) {
        char hex[9];

        if (size < 10 || line[8] != '\t')
                return -EBADMSG;
        (void) snprintf(hex, sizeof(hex), "%08x", crc32c(line + 9, size - 9));
        if (memcmp(hex, line, 8) != 0)
                return -EBADMSG;
        return fields_parse(line + 9, size - 9, '\t', ret);
}

/* Return: whether @type is new in @seen (then noted there, owned). A type too many counts as new: nothing is
 * dropped. */
static bool first_of_type(char *seen[TYPES_MAX], const char *type) {
        for (size_t i = 0; i < TYPES_MAX; i++) {
                if (!seen[i]) {
                        seen[i] = strdup(type);
                        return true;
                }
                if (streq(seen[i], type))
                        return false;
        }
        return true;
}

/* Keep the lines of @text that count, from the last to the first; the result is in order again at the end of
 * @out. */
static size_t keep_last_of_each_type(const char *text, size_t size, char *out) {
        char *seen[TYPES_MAX] = {};
        size_t start = size;

        for (size_t end = size; end > 0;) {
                _cleanup_fields_ Fields f = {};
                const char *newline = end > 1 ? memrchr(text, '\n', end - 1) : NULL;
                size_t begin = newline ? (size_t) (newline - text) + 1 : 0;
                size_t n = end - begin - (text[end - 1] == '\n');

                if (parse_record(text + begin, n, &f) >= 0 && fields_get(&f, "type") &&
                    first_of_type(seen, fields_get(&f, "type"))) {
                        out[--start] = '\n';
                        start -= n;
                        memcpy(out + start, text + begin, n);
                }
                end = begin;
        }
        for (size_t i = 0; i < TYPES_MAX; i++)
                free(seen[i]);
        return start;
}

static int compact(int dir_fd) {
        _cleanup_free_ char *text = NULL, *kept = NULL;
        size_t size, start;
        int r;

        r = read_file_at(dir_fd, STATE_LOG_NAME, STATE_LOG_MAX + FIELDS_TEXT_MAX + 32, &text, &size);
        if (r < 0)
                return r;
        kept = malloc(size + 1); /* the last line may lack its newline */
        if (!kept)
                return -ENOMEM;
        start = keep_last_of_each_type(text, size, kept + 1);
        (void) unlinkat(dir_fd, STATE_LOG_TEMPORARY, 0);
        r = write_file_at(dir_fd, STATE_LOG_TEMPORARY, kept + 1 + start, size - start, 0600,
                          WRITE_SYNC | WRITE_EXCLUSIVE);
        if (r < 0)
                return r;
        if (renameat(dir_fd, STATE_LOG_TEMPORARY, dir_fd, STATE_LOG_NAME) < 0) {
                r = negative_errno();
                (void) unlinkat(dir_fd, STATE_LOG_TEMPORARY, 0);
                return r;
        }
        return fsync(dir_fd) < 0 ? negative_errno() : 0;
}

/* Open and lock the log that has the name now; a long one is compacted first. Return: the fd or -errno. */
static int open_locked(int dir_fd, StateLogFlags flags) {
        bool compacted = false;

        for (;;) {
                _cleanup_close_ int fd = -EBADF;
                struct stat named, opened;

                fd = openat(dir_fd, STATE_LOG_NAME,
                            O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW |
                                            (flags & STATE_LOG_CREATE ? O_CREAT | O_EXCL : 0),
                            0600);
                if (fd < 0)
                        return negative_errno();
                if (flags & STATE_LOG_CREATE)
                        return TAKE_FD(fd);
                if (flock(fd, LOCK_EX) < 0 || fstat(fd, &opened) < 0 ||
                    fstatat(dir_fd, STATE_LOG_NAME, &named, AT_SYMLINK_NOFOLLOW) < 0)
                        return negative_errno();
                if (named.st_ino != opened.st_ino || named.st_dev != opened.st_dev)
                        continue;
                if (opened.st_size <= STATE_LOG_COMPACT || compacted)
                        return TAKE_FD(fd);
                /* Tried once: a full disk must not keep a record out that still fits. */
                compacted = true;
                (void) compact(dir_fd);
        }
}

/**
 * state_log_append - append one record to STATE_LOG_NAME in @dir_fd.
 *
 * Return: 0, -EEXIST with STATE_LOG_CREATE, -ENOENT without the file, -EFBIG when the log is full, -ENOSPC,
 * -errno.
 */
int state_log_append(int dir_fd, const Buffer *record, StateLogFlags flags) {
        _cleanup_buffer_ Buffer line = BUFFER_INIT(FIELDS_TEXT_MAX + 16);
        _cleanup_close_ int fd = -EBADF;
        size_t size = record->size;
        ssize_t n;
        int r;

        if (size > 0 && record->data[size - 1] == '\t')
                size--;
        fd = open_locked(dir_fd, flags);
        if (fd < 0)
                return fd;
        r = ends_in_newline(fd);
        if (r < 0)
                return r;
        if (lseek(fd, 0, SEEK_CUR) > STATE_LOG_MAX)
                return -EFBIG;
        r = buffer_appendf(&line, "%s%08x\t", r ? "" : "\n", crc32c(record->data, size));
        if (r >= 0)
                r = buffer_append(&line, record->data, size);
        if (r >= 0)
                r = buffer_append(&line, "\n", 1);
        if (r < 0)
                return r;
        do
                n = write(fd, line.data, line.size);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return negative_errno();
        if ((size_t) n != line.size)
                return -ENOSPC;
        /* A file system that cannot do it, or has no room any more: then later records take their chance. */
        if (flags & STATE_LOG_RESERVE)
                (void) fallocate(fd, FALLOC_FL_KEEP_SIZE, lseek(fd, 0, SEEK_END), STATE_LOG_RESERVED);
        if ((flags & STATE_LOG_SYNC) && fdatasync(fd) < 0)
                return negative_errno();
        return 0;
}

/**
 * state_log_read - walk the valid records, skipping torn ones.
 *
 * Return: 0, -ENOENT without a log, -ENOMEM, or what @handler returned.
 */
int state_log_read(int dir_fd, StateRecordHandler handler, void *userdata) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = read_file_at(dir_fd, STATE_LOG_NAME, STATE_LOG_MAX + FIELDS_TEXT_MAX + 32, &text, &size);
        if (r < 0)
                return r;
        for (char *p = text, *end = text + size; p < end;) {
                _cleanup_fields_ Fields f = {};
                char *e = memchr(p, '\n', (size_t) (end - p));
                size_t n = e ? (size_t) (e - p) : (size_t) (end - p);

                r = parse_record(p, n, &f);
                if (r == -ENOMEM)
                        return r;
                if (r >= 0) {
                        r = handler(&f, userdata);
                        if (r < 0)
                                return r;
                }
                p += n + 1;
        }
        return 0;
}
