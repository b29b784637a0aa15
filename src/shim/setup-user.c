/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../basic/str.h"
#include "../shared/user-db.h"
#include "setup.h"

/** user_ids_done - free it. */
void user_ids_done(UserIds *u) {
        u->groups = mfree(u->groups);
        u->home = mfree(u->home);
}

/**
 * user_resolve - look @user (may be empty: root) and shim.conf's `group-add` up in the container's root.
 *
 * Return: 0 or -errno with the user's message noted (-ENOENT: no such user or group).
 */
int user_resolve(Setup *s, const char *user, UserIds *ret) {
        _cleanup_user_identity_ UserIdentity u = {};
        _cleanup_strv_ char **groups = NULL;
        _cleanup_free_ char *text = NULL;
        const char *group;
        int r = 0;

        for (size_t i = 0; r >= 0 && (group = fields_get_nth(&s->conf, "group-add", i)); i++)
                r = strv_extend(&groups, group);
        if (r >= 0)
                r = user_identity_resolve(s->root_fd, user, groups, &u, &text);
        if (r == -ENOENT && text)
                return setup_fail(s, r, 126, "%s", text);
        if (r < 0)
                return r;
        *ret = (UserIds){ .uid = u.uid,
                          .gid = u.gid,
                          .groups = TAKE_PTR(u.groups),
                          .n_groups = u.n_groups,
                          .home = TAKE_PTR(u.home) };
        return 0;
}
