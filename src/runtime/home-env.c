/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "home-env.h"

#include "../basic/str.h"
#include "environment.h"
#include "process.h"

/** home_env_add - each variable once, and HOME as the container's passwd says unless it is given. */
int home_env_add(SpecProcess *p) {
        _cleanup_free_ char *home = NULL;
        char *entry;
        const char **env;
        size_t n = 0;
        int r;

        r = environment_unify(p);
        if (r < 0)
                return r;
        for (; p->env[n]; n++)
                if (startswith(p->env[n], "HOME="))
                        return 0;
        r = process_find_home(p->uid, &home);
        if (r < 0)
                return r;
        entry = str_concat("HOME=", home);
        env = entry ? reallocarray(p->env, n + 2, sizeof(char *)) : NULL;
        if (!env) {
                free(entry);
                return -ENOMEM;
        }
        env[n] = entry;
        env[n + 1] = NULL;
        p->env = env;
        return 0;
}
