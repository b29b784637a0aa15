/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "macro.h"

int safe_close(int fd);

static inline void closep(int *fd) {
        (void) safe_close(*fd);
}
#define _cleanup_close_ _cleanup_(closep)

int fd_set_nonblock(int fd, bool on);
int fd_set_cloexec(int fd, bool on);
int write_all(int fd, const void *data, size_t size);
ssize_t read_all(int fd, void *data, size_t size);
int fd_move_above_stdio(int fd);
int memfd_new_with(const char *name, const void *data, size_t size);

/* One datagram or stream chunk with file descriptors (SCM_RIGHTS). */
#define FD_PASS_MAX 16
ssize_t send_with_fds(int sock, const void *data, size_t size, const int *fds, size_t n_fds, int flags);
ssize_t recv_with_fds(int sock, void *data, size_t size, int *fds, size_t *n_fds, int flags);
