/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "env-list.h"

#include "../basic/str.h"

/** env_list_find - where @assignment's name is set, NULL if nowhere. */
char **env_list_find(char **env, const char *assignment) {
        size_t n = strcspn(assignment, "=");

        for (char **e = env; e && *e; e++)
                if (strcspn(*e, "=") == n && memcmp(*e, assignment, n) == 0)
                        return e;
        return NULL;
}

/** env_list_apply - see env-list.h. Return: 0 or -ENOMEM. */
int env_list_apply(char ***env, char *const *changes) {
        for (; changes && *changes; changes++) {
                char **old = env_list_find(*env, *changes), *text;

                if (!strchr(*changes, '=')) {
                        if (old) {
                                free(*old);
                                for (; *old; old++)
                                        old[0] = old[1];
                        }
                        continue;
                }
                text = strdup(*changes);
                if (!text)
                        return -ENOMEM;
                if (old) {
                        free(*old);
                        *old = text;
                } else if (strv_consume(env, text) < 0)
                        return -ENOMEM;
        }
        return 0;
}
