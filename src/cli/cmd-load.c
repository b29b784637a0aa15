/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>

#include "../basic/fd.h"
#include "command.h"
#include "upload.h"

typedef struct LoadOptions {
        const char *input;
        const char *platform;
        bool quiet;
} LoadOptions;

static const Flag load_flags[] = {
        { "input", 'i', FLAG_STRING, offsetof(LoadOptions, input), NULL,
          "File to read in place of stdin" },
        { "platform", 0, FLAG_STRING, offsetof(LoadOptions, platform), NULL,
          "Platform to load, of an archive with several" },
        { "quiet", 'q', FLAG_BOOL, offsetof(LoadOptions, quiet), NULL, "Print only what was loaded" },
        {},
};

static int exec_load(Client *c, void *options, char **args) {
        const LoadOptions *o = options;
        _cleanup_buffer_ Buffer target = BUFFER_INIT(HTTP_HEAD_MAX);
        _cleanup_close_ int fd = -EBADF;
        int r = 0;

        if (o->input) {
                fd = open(o->input, O_RDONLY | O_CLOEXEC);
                if (fd < 0)
                        r = client_fail(c, negative_errno(), "open %s: %m", o->input);
        } else if (isatty(STDIN_FILENO))
                r = client_fail(c, -EINVAL, "requested load from stdin, but stdin is empty");
        if (r >= 0)
                r = buffer_append_str(&target, "/images/load");
        if (r >= 0 && (o->quiet || !isatty(STDOUT_FILENO)))
                r = query_add(&target, "quiet", "1");
        if (r >= 0 && o->platform)
                r = query_add(&target, "platform", o->platform);
        if (r >= 0)
                r = upload(c, target.data, o->input ? fd : STDIN_FILENO, o->input ? o->input : "stdin",
                           PROGRESS_STDOUT);
        return r < 0 ? command_fail(c, 1) : 0;
}

const Command command_load = {
        .name = "load",
        .alias = "image load",
        .args = "",
        .usage = "Read images from an archive",
        .flags = load_flags,
        .options_size = sizeof(LoadOptions),
        .exec = exec_load,
};
