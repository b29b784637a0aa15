/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "capability-set.h"
#include "container-config.h"
#include "image/image-store.h"
#include "mount-spec.h"

/*
 * What the steps of container_plan() share while one request is worked on. JSON members are borrowed from
 * the plan's config.json, except where said otherwise.
 */
typedef struct CreateContext {
        Manager *manager;
        const char *id;
        const char *name;
        const Image *image;
        json_object *config; /* Config as inspect shows it */
        json_object *host;   /* HostConfig as inspect shows it */
        json_object *warnings;
        char **argv;     /* owned: Entrypoint + Cmd */
        char **env;      /* owned: what the process gets */
        char *network;   /* owned: none, host, bridge, container:<id> */
        char *runtime;   /* owned: path of the OCI runtime */
        char *seccomp;   /* owned: text of a profile; NULL for the default */
        bool seccomp_unconfined;
        bool no_new_privileges;
        bool privileged;
        bool tty;
        CapabilitySet capabilities;
        MountSpecs mounts;
        char **directories; /* owned: paths in the container that get a private directory */
} CreateContext;

void create_context_done(CreateContext *c);
#define _cleanup_create_ _cleanup_(create_context_done)

/* create-merge.c: image configuration laid under the user's. */
int create_merge_image(CreateContext *c, EngineError *reterr);
int create_build_env(CreateContext *c);
/* create-validate.c: what Docker refuses with 400 and what berth refuses with 501; normalises defaults. */
int create_validate(CreateContext *c, json_object *networking, EngineError *reterr);
/* create-resources.c */
int create_validate_resources(CreateContext *c, EngineError *reterr);
int create_put_scope_properties(const CreateContext *c, Buffer *shim_conf);
/* create-security.c */
int create_parse_security(CreateContext *c, EngineError *reterr);
/* create-runtime.c */
int create_find_runtime(CreateContext *c, EngineError *reterr);
/* container-files.c */
int create_check_files(const CreateContext *c, EngineError *reterr);
int create_hosts(const CreateContext *c, char **ret);
int create_resolv_conf(const CreateContext *c, char **ret);
/* shim-conf-write.c */
int create_shim_conf(const CreateContext *c, Buffer *ret);
/* oci-spec.c */
int create_oci_spec(CreateContext *c, json_object **ret, EngineError *reterr);
