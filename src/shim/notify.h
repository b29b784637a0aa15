/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../basic/macro.h"

/* sd_notify(3) by hand: a few lines instead of a library. */
int notify_init(void);
int notify_send(const char *text);
int notify_store(const char *name, const char *more, const int *fds, size_t n_fds);
int notify_unstore(const char *name);

#define STORED_FDS_MAX 1024
typedef struct StoredFd {
        int fd;
        const char *name; /* into the process environment's copy */
} StoredFd;
int stored_fds_take(StoredFd **ret, size_t *ret_n);
