/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "../basic/buffer.h"
#include "container.h"

/*
 * The pure part of `create`: Docker's request in, the contents of the container's files out. Validates
 * everything, names the offending option, refuses what is not implemented (EOPNOTSUPP).
 */
typedef struct ContainerPlan {
        char *image;    /* as the user wrote it */
        char *image_id;
        bool tty, open_stdin, stdin_once, auto_remove;
        json_object *config; /* config.json */
        json_object *oci;    /* oci.json */
        Buffer shim_conf;    /* shim.conf */
        char *hostname;      /* files of the same name */
        char *hosts;
        char *resolv_conf;
        json_object *warnings; /* array of strings */
        char **directories;    /* to be made below the container's directory, in this order */
} ContainerPlan;

void container_plan_done(ContainerPlan *p);
#define _cleanup_plan_ _cleanup_(container_plan_done)

int container_plan(Manager *m, const char *id, const char *name, const char *platform, json_object *request,
                   ContainerPlan *ret, EngineError *reterr);

/* Docker's JSON of a container. */
int container_to_inspect(Container *c, bool size, json_object **ret, EngineError *reterr);
int container_to_summary(Container *c, bool size, json_object **ret, EngineError *reterr);
/* GET /containers/json: all, limit, size, filters (both notations). */
int container_list_json(Manager *m, bool all, int64_t limit, bool size, const char *filters,
                        json_object **ret, EngineError *reterr);
