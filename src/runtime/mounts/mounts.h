/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"
#include "late-readonly.h"

typedef struct MountContext {
        const Spec *spec;
        const char *bundle;
        int root_fd;
        const int *source_fds; /* per mount: a detached tree opened by the parent, or -EBADF; may be NULL */
        const char *cgroup_mount; /* where the host has cgroup2 */
        /* Called before what depends on the network namespace, and before a cgroup mount; may be NULL. */
        int (*before_network)(void *userdata), (*before_cgroup)(void *userdata);
        void *userdata;
        LateReadonly *late; /* what is to become read-only when all is in place */
} MountContext;

int mount_finish(const SpecMount *m, int fd);
int mount_data(const MountContext *c, const SpecMount *m, char **ret);
int mount_open_target(const MountContext *c, const SpecMount *m, bool covered);
int mounts_open_sources(const Spec *s, const char *bundle, int **ret);
int mounts_setup(const MountContext *c);

/* Building blocks, for whoever else mounts something. */
int mount_new_fs(const char *type, const char *source, const char *data, unsigned attr);
int mount_new_labeled(const char *type, const char *source, const char *data, const char *label,
                      const char *label_option, unsigned attr);
int mount_clone(int dir_fd, const char *path, unsigned flags);
int mount_attach(int mount_fd, int target_fd);
int mount_set_propagation(int fd, uint64_t propagation, bool recursive);
int mount_set_attr(int fd, uint64_t set, uint64_t clear, bool recursive);
