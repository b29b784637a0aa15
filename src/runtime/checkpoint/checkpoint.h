/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../container.h"
#include "criu.h"
#include "image-dir.h"

/* What checkpoint and restore have in common. */
typedef struct CriuOptions {
        const char *image_path, *work_path;
        bool tcp_established, tcp_close, tcp_skip_in_flight, ext_unix_sk, shell_job, file_locks, link_remap,
                        auto_dedup, empty_network, lazy_pages;
        CriuCgroupMode cgroup_mode;
        CriuNetworkLock network_lock;
} CriuOptions;

typedef struct CheckpointOptions {
        const char *root, *id, *parent_path;
        CriuOptions criu;
        bool leave_running, pre_dump;
        const char *page_address; /* of a page server, or NULL */
        unsigned page_port;
        int status_fd; /* borrowed, or -EBADF */
} CheckpointOptions;

typedef struct RestoreOptions {
        CreateOptions create;
        CriuOptions criu;
        const char *lsm_profile, *lsm_mount_context;
} RestoreOptions;

int container_checkpoint(const CheckpointOptions *o);
int container_restore(const RestoreOptions *o, Bundle *bundle, State *ret);

/* Keys of what is given from outside again. */
#define CRIU_NET_KEY "extRootNetNS"
#define CRIU_PID_KEY "extRootPidNS"

int criu_check_spec(const Spec *s);
int criu_add_common(CriuCall *c, const CriuOptions *o, const Spec *s, const ImageDir *d, const char *log);
