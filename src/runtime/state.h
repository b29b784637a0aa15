/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "../basic/json.h"
#include "../basic/macro.h"

/*
 * <root>/<id>/: status (ours; under the name that crun's has), config.json (the bundle's, as it was at
 * create), start.sock (while created), seccomp.bpf (for exec). The directory is locked (flock) by whoever
 * changes it.
 */
typedef enum ContainerStatus {
        STATUS_CREATING,
        STATUS_CREATED,
        STATUS_RUNNING,
        STATUS_PAUSED,
        STATUS_STOPPED,
        _STATUS_MAX,
} ContainerStatus;

typedef struct State {
        char *id;
        char *bundle, *rootfs, *created, *oci_version;
        char *cgroup; /* NULL: systemd has not made it yet */
        char *apparmor, *selinux, *personality; /* of the container, for exec; or NULL */
        char *scope;  /* the unit of the systemd cgroup driver, or NULL */
        pid_t pid;
        uint64_t pid_start;
        char *descriptors; /* what 0 to 2 of the payload led to when it was created, a JSON array; or NULL */
        bool any_hook, no_new_privs, made_cgroup;
        bool user_ns;
        bool root_tree;     /* its root is a detached tree: mounts/root-tree.c */
        bool shared_mounts; /* the mount namespace is not its own: its root is that of its first process only
                             */
        bool may_trace; /* CAP_SYS_PTRACE in our user namespace: exec-guard.c */
        bool keep_keyring; /* created with --no-new-keyring */
        bool scope_user; /* the unit is of the user's manager */
        json_object *annotations;
        json_object *memory_policy; /* linux.memoryPolicy, for exec; or NULL */
        int dir_fd;
} State;

#define STATE_INIT ((State) { .dir_fd = -EBADF })

void state_done(State *s);
#define _cleanup_state_ _cleanup_(state_done)

bool container_id_is_valid(const char *id);
int state_make(const char *root, const char *id, State *ret);
int state_load(const char *root, const char *id, bool lock, State *ret);
int state_save(const State *s);
int state_remove(const char *root, const char *id);
ContainerStatus state_status(const State *s);
const char *status_to_string(ContainerStatus status);
int state_to_oci(const State *s, ContainerStatus status, json_object **ret);
int state_add_owner(const State *s, json_object *o);
int state_note_descriptors(State *s, bool terminal);
int state_list(const char *root, char ***ret);

int process_start_time(pid_t pid, uint64_t *ret);
int state_pidfd(const State *s);
