/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "../basic/macro.h"

/*
 * Users and groups of another root: etc/passwd and etc/group below a directory fd, opened so that no symlink
 * leads out of it. The same rules for a container's first process and for its execs.
 */
#define USER_GROUPS_MAX 65536

typedef struct UserIdentity {
        uint32_t uid;
        uint32_t gid;
        uint32_t *groups; /* supplementary */
        size_t n_groups;
        char *home; /* of the passwd entry, else "/" */
} UserIdentity;

void user_identity_done(UserIdentity *u);
#define _cleanup_user_identity_ _cleanup_(user_identity_done)

/*
 * @spec: "", NAME, UID, NAME:GROUP, UID:GID ... @extra_groups: names or numbers, may be NULL. -ENOENT and
 * -EINVAL leave the text for the user in @ret_error (owned).
 */
int user_identity_resolve(int root_fd, const char *spec, char *const *extra_groups, UserIdentity *ret,
                          char **ret_error);
