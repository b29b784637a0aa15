/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../container.h"
#include "criu.h"

/* What checkpoint and restore have in common. */
typedef struct CriuOptions {
        const char *image_path, *work_path;
        bool tcp_established, ext_unix_sk, shell_job, file_locks, auto_dedup, empty_network;
        CriuCgroupMode cgroup_mode;
        CriuNetworkLock network_lock;
} CriuOptions;

typedef struct CheckpointOptions {
        const char *root, *id, *parent_path;
        CriuOptions criu;
        bool leave_running, pre_dump;
} CheckpointOptions;

typedef struct RestoreOptions {
        CreateOptions create;
        CriuOptions criu;
        const char *lsm_profile, *lsm_mount_context;
} RestoreOptions;

int container_checkpoint(const CheckpointOptions *o);
int container_restore(const RestoreOptions *o, Bundle *bundle, State *ret);

/* Names in an image directory, and keys of what is given from outside again. */
#define CRIU_STDIO_FILE "descriptors.json"
#define CRIU_INVENTORY "inventory.img"
#define CRIU_NET_KEY "extRootNetNS"
#define CRIU_PID_KEY "extRootPidNS"

int criu_check_spec(const Spec *s);
void criu_add_common(CriuCall *c, const CriuOptions *o, const char *log);
