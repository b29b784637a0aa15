/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command.h"
#include "for-each.h"

typedef struct RmOptions {
        bool force;
        bool volumes;
        bool link;
} RmOptions;

static const Flag rm_flags[] = {
        { "force", 'f', FLAG_BOOL, offsetof(RmOptions, force), NULL,
          "Kill the container first if it runs" },
        { "link", 'l', FLAG_BOOL, offsetof(RmOptions, link), NULL, "Remove a link, not a container" },
        { "volumes", 'v', FLAG_BOOL, offsetof(RmOptions, volumes), NULL,
          "Remove its anonymous volumes too" },
        {},
};

static int act(Client *c, const char *name, const void *userdata) {
        const RmOptions *o = userdata;
        _cleanup_buffer_ Buffer query = BUFFER_INIT(128);
        _cleanup_free_ char *target = NULL;
        int r = 0;

        if (o->force)
                r = query_add(&query, "force", "1");
        if (r >= 0 && o->link)
                r = query_add(&query, "link", "1");
        if (r >= 0 && o->volumes)
                r = query_add(&query, "v", "1");
        target = r < 0 ? NULL : target_printf("/containers/", name, query.data ? query.data : "");
        return target ? client_call(c, "DELETE", target, NULL, NULL) : -ENOMEM;
}

/* With -f a container that is not there is as good as removed. */
static int exec_rm(Client *c, void *options, char **args) {
        const RmOptions *o = options;
        int status = 0;

        for (; *args; args++) {
                char *one[] = { *args, NULL };

                if (for_each_name(c, one, act, o) != 0 && !(o->force && c->status == 404))
                        status = 1;
        }
        return status;
}

const Command command_rm = {
        .name = "rm",
        .alias = "container rm",
        .args = "CONTAINER [CONTAINER...]",
        .usage = "Remove containers",
        .flags = rm_flags,
        .options_size = sizeof(RmOptions),
        .args_min = 1,
        .args_max = ARGS_ANY,
        .exec = exec_rm,
};
