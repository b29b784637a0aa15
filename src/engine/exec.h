/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "container.h"

/*
 * One exec of a container. Kept on disk as /run/berth/containers/<id>/exec/<execid>.conf (fields), .json
 * (OCI process, for the runtime) and .exit (written by the shim), so that an engine restart between create,
 * start and inspect loses nothing.
 */
typedef struct Exec {
        char id[CONTAINER_ID_LENGTH + 1];
        char container_id[CONTAINER_ID_LENGTH + 1];
        bool tty, open_stdin, attach_stdin, attach_stdout, attach_stderr, privileged;
        char *detach_keys;
        char *user;
        char **argv;
} Exec;

Exec *exec_free(Exec *e);
DEFINE_CLEANUP_FUNC(Exec *, exec_free)

/* Validates Docker's ExecConfig, writes .conf and .json. */
int exec_create(Container *c, json_object *request, Exec **ret, EngineError *reterr);
/* By full exec id, from disk. -ENOENT. */
int exec_load(Manager *m, const char *exec_id, Exec **ret);
/* Is there an .exit or was it started? */
int exec_get_state(const Exec *e, bool *ret_started, bool *ret_running, int *ret_exit_code,
                   uint64_t *ret_pid);
int exec_mark_started(const Exec *e, const Container *c);
int exec_mark_refused(const char *container_id, const char *exec_id);
int exec_to_inspect(Manager *m, const Exec *e, json_object **ret, EngineError *reterr);
