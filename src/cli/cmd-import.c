/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>

#include "../basic/fd.h"
#include "../basic/str.h"
#include "command.h"
#include "upload.h"

typedef struct ImportOptions {
        StringList change;
        const char *message;
        const char *platform;
} ImportOptions;

static const Flag import_flags[] = {
        { "change", 'c', FLAG_LIST, offsetof(ImportOptions, change), NULL,
          "Setting of the new image, written as in a Dockerfile" },
        { "message", 'm', FLAG_STRING, offsetof(ImportOptions, message), NULL,
          "Comment for the history" },
        { "platform", 0, FLAG_STRING, offsetof(ImportOptions, platform), NULL,
          "Platform that the image is for" },
        {},
};

static int make_target(const ImportOptions *o, char **args, Buffer *b) {
        int r = buffer_append_str(b, "/images/create?fromSrc=-");

        for (size_t i = 0; r >= 0 && i < o->change.n; i++)
                r = query_add(b, "changes", o->change.items[i]);
        if (r >= 0 && o->message)
                r = query_add(b, "message", o->message);
        if (r >= 0 && o->platform)
                r = query_add(b, "platform", o->platform);
        return r < 0 || !args[1] ? r : query_add(b, "repo", args[1]);
}

static int exec_import(Client *c, void *options, char **args) {
        _cleanup_buffer_ Buffer target = BUFFER_INIT(HTTP_HEAD_MAX);
        _cleanup_close_ int fd = -EBADF;
        bool from_stdin = streq(args[0], "-");
        int r;

        if (startswith(args[0], "http://") || startswith(args[0], "https://")) {
                (void) client_fail(c, -EOPNOTSUPP, "import from a URL is not supported: fetch %s first",
                                   args[0]);
                return command_fail(c, 1);
        }
        r = make_target(options, args, &target);
        if (r >= 0 && !from_stdin) {
                fd = open(args[0], O_RDONLY | O_CLOEXEC);
                if (fd < 0)
                        r = client_fail(c, negative_errno(), "open %s: %m", args[0]);
        }
        if (r >= 0)
                r = upload(c, target.data, from_stdin ? STDIN_FILENO : fd, from_stdin ? "stdin" : args[0],
                           PROGRESS_STDOUT);
        return r < 0 ? command_fail(c, 1) : 0;
}

const Command command_import = {
        .name = "import",
        .alias = "image import",
        .args = "FILE|- [REPOSITORY[:TAG]]",
        .usage = "Make an image out of a tar archive of a root file system",
        .flags = import_flags,
        .options_size = sizeof(ImportOptions),
        .args_min = 1,
        .args_max = 2,
        .exec = exec_import,
};
