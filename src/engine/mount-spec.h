/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "error.h"

typedef enum MountType {
        MOUNT_BIND,
        MOUNT_VOLUME,
        MOUNT_TMPFS,
        _MOUNT_TYPE_MAX,
        _MOUNT_TYPE_INVALID = -EINVAL,
} MountType;

/* One mount a user asked for, whichever of Docker's notations it came in. */
typedef struct MountSpec {
        MountType type;
        char *source; /* host path; the volume's _data for a volume; NULL for tmpfs */
        char *name;   /* volume name */
        char *destination;
        char *mode;        /* as written behind the second colon, for inspect */
        char *propagation; /* rprivate, ... */
        char *tmpfs_options;
        bool writable;
        bool recursive;
        bool create_source; /* a missing host directory is made */
        bool nocopy;
        bool from_tmpfs_map; /* HostConfig.Tmpfs: not in inspect's Mounts */
} MountSpec;

typedef struct MountSpecs {
        MountSpec *items;
        size_t n;
} MountSpecs;

#define MOUNT_SPECS_MAX 1024

void mount_specs_done(MountSpecs *m);
#define _cleanup_mount_specs_ _cleanup_(mount_specs_done)

const char *mount_type_to_string(MountType t);
bool volume_name_is_valid(const char *name);
/* Is there a volume directory with something in it? */
bool volume_has_files(const char *data_path);
char *path_clean(const char *path);

/* HostConfig's Binds, Mounts and Tmpfs. Looks at the host's files, changes nothing. */
int mount_specs_parse(json_object *host_config, MountSpecs *ret, EngineError *reterr);
const MountSpec *mount_specs_find(const MountSpecs *m, const char *destination);
/* Makes missing host directories and volumes. */
int mount_specs_realize(const MountSpecs *m, EngineError *reterr);
/* inspect's Mounts. */
int mount_specs_to_json(const MountSpecs *m, json_object **ret);
/* As OCI mounts, appended to @mounts, parents before children. */
int mount_specs_to_oci(MountSpecs *m, json_object *mounts);
