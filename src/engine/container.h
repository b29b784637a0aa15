/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "../basic/macro.h"
#include "../shared/paths.h"
#include "error.h"
#include "manager.h"

typedef struct ShimLink ShimLink;
typedef struct Operation Operation;
typedef struct ParkedClient ParkedClient;

typedef enum ContainerStatus {
        CONTAINER_CREATED,
        CONTAINER_STARTING, /* shown as `created` until the shim says started */
        CONTAINER_RUNNING,
        CONTAINER_PAUSED,
        CONTAINER_RESTARTING,
        CONTAINER_REMOVING,
        CONTAINER_EXITED,
        CONTAINER_DEAD,
        _CONTAINER_STATUS_MAX,
        _CONTAINER_STATUS_INVALID = -EINVAL,
} ContainerStatus;

#define EXIT_CODE_UNKNOWN (-1)

/* How an asynchronous operation ended: @error is 0 or -errno, @details the text for the user (borrowed). */
typedef void (*ContainerDone)(Container *c, int error, EngineError *details, void *userdata);

struct Container {
        Manager *manager;
        char id[CONTAINER_ID_LENGTH + 1];
        char *name;
        char *image;    /* as the user wrote it */
        char *image_id; /* sha256:... */
        usec_t created_at;
        bool tty, open_stdin, stdin_once, auto_remove;

        ContainerStatus status;
        uint64_t pid; /* 0 when not running */
        usec_t started_at, finished_at;
        int exit_code; /* EXIT_CODE_UNKNOWN is possible after `exited` */
        bool oom_killed;
        bool ran; /* has a `started` record */
        char *error; /* why the last start failed */
        char *job_failure; /* what PID 1 said of the start, until the shim's own words are in */
        uint64_t restart_count;
        uint64_t epoch;

        int dir_fd; /* O_PATH|O_DIRECTORY of its directory */
        ShimLink *link;
        bool link_ready; /* the shim can take messages */
        Operation *operations; /* start, stop, remove in flight: container-ops.c */
        ParkedClient *parked;  /* messages and clients that wait for a shim: shim-link.c */
        sd_event_source *retry_source;
        unsigned retries;
};

const char *container_status_to_string(ContainerStatus s);
bool container_is_up(const Container *c); /* running or paused: has a live payload */

/* config.json as stored (Docker's shape, see container-config.h); new reference. */
int container_load_config(Container *c, json_object **ret);

int container_create(Manager *m, const char *name, const char *platform, json_object *request,
                     Container **ret, json_object **ret_warnings, EngineError *reterr);
int container_load(Manager *m, const char *id, Container **ret);
Container *container_free(Container *c);
DEFINE_CLEANUP_FUNC(Container *, container_free)

/*
 * Asynchronous: 0 means @done will be called (possibly before the call returns), a negative errno that it
 * will not. -EALREADY: already so (HTTP 304).
 */
int container_start(Container *c, ContainerDone done, void *userdata, EngineError *reterr);
int container_stop(Container *c, const char *signal, int64_t timeout, ContainerDone done, void *userdata,
                   EngineError *reterr);
int container_restart(Container *c, const char *signal, int64_t timeout, ContainerDone done, void *userdata,
                      EngineError *reterr);
int container_remove(Container *c, bool force, bool volumes, ContainerDone done, void *userdata,
                     EngineError *reterr);
int container_kill(Container *c, const char *signal, EngineError *reterr);
int container_pause(Container *c, bool pause, ContainerDone done, void *userdata, EngineError *reterr);
int container_rename(Container *c, const char *name, EngineError *reterr);
int container_resize(Container *c, unsigned height, unsigned width, EngineError *reterr);
