/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "../shared/user-db.h"
#include "error.h"

/*
 * The OCI process of an exec: the container's own process with what the caller asks for laid over it.
 * @container_process: `process` of oci.json. @identity: the resolved user.
 */
int exec_build_process(json_object *container_process, json_object *request, const UserIdentity *identity,
                       json_object **ret, EngineError *reterr);
/* Checks types and refuses what is not implemented; Cmd must be there. */
int exec_check_request(json_object *request, EngineError *reterr);
