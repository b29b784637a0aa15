/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command.h"
#include "reference.h"

static int exec_tag(Client *c, void *options, char **args) {
        _cleanup_reference_ Reference ref = {};
        _cleanup_buffer_ Buffer query = BUFFER_INIT(HTTP_HEAD_MAX);
        _cleanup_free_ char *target = NULL;
        int r;

        r = reference_parse(args[1], &ref);
        if (r < 0)
                r = client_fail(c, r, "invalid reference format: %s", args[1]);
        if (r >= 0)
                r = buffer_append_str(&query, "/tag");
        if (r >= 0)
                r = query_add(&query, "repo", ref.name);
        if (r >= 0)
                r = query_add(&query, "tag", ref.tag ? ref.tag : "latest");
        target = r < 0 ? NULL : target_printf("/images/", args[0], query.data);
        if (r >= 0)
                r = target ? client_call(c, "POST", target, NULL, NULL) : -ENOMEM;
        return r < 0 ? command_fail(c, 1) : 0;
}

const Command command_tag = {
        .name = "tag",
        .alias = "image tag",
        .args = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
        .usage = "Give an image another name",
        .args_min = 2,
        .args_max = 2,
        .exec = exec_tag,
};
