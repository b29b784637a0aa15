/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tar-builder.h"

#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TAR_MAX (32 * 1024 * 1024)

void tar_begin(TarBuilder *b, const char *filter) {
        b->archive = archive_write_new();
        b->data = malloc(TAR_MAX);
        b->used = 0;
        assert(b->archive && b->data);
        assert(archive_write_set_format_pax(b->archive) == ARCHIVE_OK);
        if (filter)
                assert(archive_write_add_filter_by_name(b->archive, filter) == ARCHIVE_OK);
        assert(archive_write_open_memory(b->archive, b->data, TAR_MAX, &b->used) == ARCHIVE_OK);
}

static struct archive_entry *entry(const char *name, mode_t mode) {
        struct archive_entry *e = archive_entry_new();

        archive_entry_set_pathname(e, name);
        archive_entry_set_mode(e, mode);
        archive_entry_set_mtime(e, 1000000000, 0);
        return e;
}

static void put(TarBuilder *b, struct archive_entry *e, const void *content, size_t size) {
        archive_entry_set_size(e, (la_int64_t) size);
        assert(archive_write_header(b->archive, e) == ARCHIVE_OK);
        if (size > 0)
                assert(archive_write_data(b->archive, content, size) == (la_ssize_t) size);
        archive_entry_free(e);
}

void tar_blob(TarBuilder *b, const char *name, const void *content, size_t size) {
        put(b, entry(name, S_IFREG | 0644), content, size);
}

void tar_file(TarBuilder *b, const char *name, const char *content) {
        tar_blob(b, name, content, strlen(content));
}

void tar_special(TarBuilder *b, const char *name, mode_t type_and_mode, const char *symlink, unsigned major,
                 unsigned minor) {
        struct archive_entry *e = entry(name, type_and_mode);

        if (symlink)
                archive_entry_set_symlink(e, symlink);
        archive_entry_set_rdevmajor(e, major);
        archive_entry_set_rdevminor(e, minor);
        put(b, e, NULL, 0);
}

void tar_hardlink(TarBuilder *b, const char *name, const char *target) {
        struct archive_entry *e = entry(name, S_IFREG | 0644);

        archive_entry_set_hardlink(e, target);
        put(b, e, NULL, 0);
}

void tar_owned(TarBuilder *b, const char *name, mode_t mode, uid_t uid, gid_t gid, time_t mtime,
               const char *content) {
        struct archive_entry *e = entry(name, mode);

        archive_entry_set_uid(e, uid);
        archive_entry_set_gid(e, gid);
        archive_entry_set_mtime(e, mtime, 0);
        put(b, e, content, content ? strlen(content) : 0);
}

void tar_xattr(TarBuilder *b, const char *name, const char *key, const void *value, size_t size) {
        struct archive_entry *e = entry(name, S_IFREG | 0644);

        archive_entry_xattr_add_entry(e, key, value, size);
        put(b, e, NULL, 0);
}

void tar_end(TarBuilder *b) {
        assert(archive_write_close(b->archive) == ARCHIVE_OK);
        archive_write_free(b->archive);
}
