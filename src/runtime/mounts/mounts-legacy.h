/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "mounts.h"

int mount_legacy(const MountContext *c, const SpecMount *m);
int mount_again(const MountContext *c, const SpecMount *m);

/* Building blocks, as those of mounts.h but for mounts that are attached from the beginning. */
int legacy_bind(int source_fd, int target_fd, bool recursive);
int legacy_new_fs(const char *type, const char *source, const char *data, uint64_t attr,
                  unsigned long sb_flags, int target_fd);
int legacy_set_attr(int fd, uint64_t set, uint64_t clear);
int legacy_set_propagation(int fd, uint64_t propagation, bool recursive);
