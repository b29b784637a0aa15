/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "command.h"

typedef struct RmiOptions {
        bool force;
        bool no_prune;
} RmiOptions;

static const Flag rmi_flags[] = {
        { "force", 'f', FLAG_BOOL, offsetof(RmiOptions, force), NULL,
          "Remove the name even if a container uses the image" },
        { "no-prune", 0, FLAG_BOOL, offsetof(RmiOptions, no_prune), NULL, "Keep parents that have no name" },
        {},
};

static int remove_image(Client *c, const RmiOptions *o, const char *name) {
        _cleanup_buffer_ Buffer query = BUFFER_INIT(128);
        _cleanup_json_ json_object *list = NULL;
        _cleanup_free_ char *target = NULL;
        int r = 0;

        if (o->force)
                r = query_add(&query, "force", "1");
        if (r >= 0 && o->no_prune)
                r = query_add(&query, "noprune", "1");
        target = r < 0 ? NULL : target_printf("/images/", name, query.data ? query.data : "");
        r = target ? client_call(c, "DELETE", target, NULL, &list) : -ENOMEM;
        if (r < 0 || !list || !json_object_is_type(list, json_type_array))
                return r;
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                json_object *item = json_object_array_get_idx(list, i);
                const char *untagged = json_string_or(item, "Untagged", NULL),
                           *deleted = json_string_or(item, "Deleted", NULL);

                if (deleted)
                        printf("Deleted: %s\n", deleted);
                else if (untagged)
                        printf("Untagged: %s\n", untagged);
        }
        return 0;
}

static int exec_rmi(Client *c, void *options, char **args) {
        const RmiOptions *o = options;
        int status = 0;

        for (; *args; args++)
                if (remove_image(c, o, *args) < 0) {
                        /* With -f an image that is not there is as good as removed. */
                        bool fine = o->force && c->status == 404;

                        command_error(c);
                        status = fine ? status : 1;
                }
        return status;
}

const Command command_rmi = {
        .name = "rmi",
        .alias = "image rm",
        .args = "IMAGE [IMAGE...]",
        .usage = "Remove images",
        .flags = rmi_flags,
        .options_size = sizeof(RmiOptions),
        .args_min = 1,
        .args_max = ARGS_ANY,
        .exec = exec_rmi,
};
