/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <openssl/evp.h>
#include <sys/types.h>

#include "../../basic/macro.h"

/*
 * A tar, compressed or not (gzip, bzip2, xz, zstd), read once from front to back: decompressed by one
 * libarchive reader, hashed, and parsed by a second one. So the digest is that of the uncompressed bytes,
 * all of them.
 */
typedef ssize_t (*tar_source_t)(void *userdata, void *data, size_t size);

typedef struct TarStream {
        tar_source_t source;
        void *userdata;
        struct archive *inflate;
        struct archive *tar;
        EVP_MD_CTX *md; /* NULL: no digest wanted */
        char *buffer;
        uint64_t bytes_in; /* compressed bytes taken from the source */
        int source_error;  /* first -errno of the source */
        bool empty;        /* no uncompressed byte at all */
} TarStream;

int tar_stream_open(TarStream *t, tar_source_t source, void *userdata, bool digest);
void tar_stream_done(TarStream *t);
#define _cleanup_tar_stream_ _cleanup_(tar_stream_done)

/* Return: 1 with an entry (borrowed until the next call), 0 at the end, -EBADMSG with tar_stream_error(), or
 * the source's error. */
int tar_stream_next(TarStream *t, struct archive_entry **ret);
/* Next piece of the entry's data. Return: as above; 0 at its end. */
int tar_stream_data(TarStream *t, const void **ret, size_t *ret_size, int64_t *ret_offset);
/* Reads what is left; @ret_hex: 65 bytes, may be NULL without digest. */
int tar_stream_finish(TarStream *t, char *ret_hex);
const char *tar_stream_error(const TarStream *t);
