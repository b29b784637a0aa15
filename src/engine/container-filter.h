/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "container.h"
#include "error.h"

typedef enum ContainerFilterKey {
        FILTER_ID,
        FILTER_NAME,
        FILTER_LABEL,
        FILTER_STATUS,
        FILTER_EXITED,
        FILTER_ANCESTOR,
        FILTER_BEFORE,
        FILTER_SINCE,
        FILTER_HEALTH,
        FILTER_NETWORK,
        FILTER_VOLUME,
        FILTER_IS_TASK,
        FILTER_EXPOSE,
        FILTER_PUBLISH,
        FILTER_ISOLATION,
        _FILTER_MAX,
        _FILTER_INVALID = -EINVAL,
} ContainerFilterKey;

/* Values of one key are alternatives, except labels: all of them must be there. Keys add up. */
typedef struct ContainerFilter {
        char **values[_FILTER_MAX];
        usec_t before; /* created before this, 0: not asked */
        usec_t since;
        char *before_id; /* ties of the clock */
        char *since_id;
        char **ancestor_layers; /* one joined list of layers per value of ancestor, "" when it is no image */
        char **ancestor_ids;
} ContainerFilter;

void container_filter_done(ContainerFilter *f);
#define _cleanup_container_filter_ _cleanup_(container_filter_done)

/* @text: Docker's JSON in either notation, NULL or "" for none. */
int container_filter_parse(Manager *m, const char *text, ContainerFilter *ret, EngineError *reterr);
/* What can be said without reading files; then what needs config.json. */
bool container_filter_match_state(const ContainerFilter *f, Container *c);
bool container_filter_match_config(const ContainerFilter *f, Container *c, json_object *config);
