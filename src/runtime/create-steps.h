/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "container.h"
#include "namespaces/net-devices.h"
#include "systemd/systemd-cgroup.h"

/* The steps of a create that a restore takes too. */

/* What has been made so far and must go if the rest fails. */
typedef struct Undo {
        const char *root, *id, *cgroup;
        unsigned cgroup_made;
        pid_t pid;
        int pidfd;
        bool state;
        const char *pid_file;
        NetDevices *net_devices; /* that were moved, or NULL */
        SystemdScope scope;
        const State *st; /* of the scope */
} Undo;

void undo_run(Undo *u);
int create_check(const Spec *s, const CreateOptions *o);
int create_fill_state(const Spec *s, const CreateOptions *o, State *st);
int create_cgroup(const Spec *s, State *st, Undo *u);
int create_limit_cgroup(int fd, const Spec *s, const State *st);
