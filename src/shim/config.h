/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../shared/fields.h"

typedef enum RestartPolicy {
        RESTART_NO,
        RESTART_ON_FAILURE,
        RESTART_ALWAYS,
        RESTART_UNLESS_STOPPED,
        _RESTART_INVALID = -EINVAL,
} RestartPolicy;

/* shim.conf; strings point into the fields. */
typedef struct Config {
        Fields fields;
        const char *name;
        const char *image;
        const char *tag;
        const char *runtime;
        const char *network;
        bool tty;
        bool stdin_open;
        bool stdin_once;
        bool auto_remove;
        RestartPolicy restart;
        uint64_t restart_max;
        int stop_signal;
        int64_t stop_timeout; /* s, -1: for ever */
        uint32_t height, width;
} Config;

/* What state.log says about the past. */
typedef struct History {
        char name[256];
        uint64_t epoch; /* of the last start, 0: never */
        bool running_desired;
        bool open_start; /* started without an exited */
        uint64_t restarts;
        uint64_t restart_delay; /* us, of the last restart */
} History;

int config_load(int dir_fd, Config *ret);
void config_done(Config *c);
int history_load(int dir_fd, History *ret);
RestartPolicy restart_policy_from_string(const char *s);
