/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "home-env.h"

#include "../../basic/str.h"
#include "environment.h"
#include "process.h"

/** home_env_add - each variable once, and HOME as the container's passwd says unless it has a value. */
int home_env_add(SpecProcess *p) {
        _cleanup_free_ char *home = NULL;
        size_t n = 0, given = SIZE_MAX;
        char *entry;
        int r;

        r = environment_unify(p);
        if (r < 0)
                return r;
        for (; p->env[n]; n++)
                if (startswith(p->env[n], "HOME="))
                        given = n;
        if (given < n && p->env[given][strlen("HOME=")])
                return 0;
        r = process_find_home(p->uid, &home);
        if (r < 0)
                return r;
        entry = str_concat("HOME=", home);
        if (!entry)
                return -ENOMEM;
        if (given < n)
                p->env[given] = entry;
        else
                r = environment_append(p, entry);
        if (r < 0)
                free(entry);
        return r;
}
