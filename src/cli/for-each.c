/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "for-each.h"

#include <stdio.h>

#include "command.h"

/**
 * for_each_name - act on each of @args, print its name when done, its error when not.
 *
 * Return: the exit status: 0, or 1 if one failed.
 */
int for_each_name(Client *c, char **args, int (*act)(Client *c, const char *name, const void *userdata),
                  const void *userdata) {
        int status = 0;

        for (; *args; args++) {
                int r = act(c, *args, userdata);

                if (r < 0)
                        status = command_fail(c, 1);
                else
                        printf("%s\n", *args);
                /* One at a time: stopping takes a while, and the user watches. */
                (void) fflush(stdout);
        }
        return status;
}

/** container_post - POST /containers/@name/@verb; @query ("?k=v") may be NULL or empty. */
int container_post(Client *c, const char *name, const char *verb, const Buffer *query) {
        _cleanup_buffer_ Buffer rest = BUFFER_INIT(HTTP_HEAD_MAX);
        _cleanup_free_ char *target = NULL;

        if (buffer_appendf(&rest, "/%s%s", verb, query && query->data ? query->data : "") < 0)
                return -ENOMEM;
        target = target_printf("/containers/", name, rest.data);
        return target ? client_call(c, "POST", target, NULL, NULL) : -ENOMEM;
}
