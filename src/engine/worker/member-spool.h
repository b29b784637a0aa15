/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../../basic/hashmap.h"
#include "worker.h"

/*
 * The members of an image archive, in any order: files are spooled under numbers into a private directory,
 * names and links stay here. Nothing in the archive names a file on disk.
 */
typedef struct SpoolMember {
        char *name; /* clean */
        char *link; /* clean name of another member, or NULL */
        uint64_t size;
        unsigned index;
        char sha256[65];
} SpoolMember;

typedef struct MemberSpool {
        int dir_fd;
        SpoolMember **items;
        size_t n, allocated;
        Hashmap *by_name;
} MemberSpool;
#define MEMBER_SPOOL_INIT ((MemberSpool){ .dir_fd = -EBADF })

void member_spool_done(MemberSpool *s);
#define _cleanup_member_spool_ _cleanup_(member_spool_done)

/* Spool the request's body into @dir_fd (consumed). Return: 0, -EPIPE (client left), or -errno with status
 * and text for it. */
int member_spool_fill(MemberSpool *s, WorkerHttp *http, int dir_fd, unsigned *ret_status, char **ret_error);

/* Follows links. NULL if there is no such file. */
const SpoolMember *member_spool_find(const MemberSpool *s, const char *name);
int member_spool_open(const MemberSpool *s, const SpoolMember *m);
int member_spool_read(const MemberSpool *s, const SpoolMember *m, size_t max, char **ret, size_t *ret_size);
