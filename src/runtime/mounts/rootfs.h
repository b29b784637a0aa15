/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

int rootfs_open(const Spec *s, const char *path);
int rootfs_prepare(const Spec *s, const char *path);
int rootfs_protect(const Spec *s, int root_fd, int null_fd);
int rootfs_enter(const Spec *s, int root_fd, const char *path, bool pivot);
