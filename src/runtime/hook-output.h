/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../basic/buffer.h"

/* What a hook prints, for the message about its failure. */
typedef struct HookOutput {
        int ours[2], theirs[2]; /* ends of the pipes that are its stdout and stderr */
        Buffer text[2];
} HookOutput;

/* Files in place of the pipes, named by annotations; or -EBADF. */
typedef struct HookFiles {
        int fds[2];
} HookFiles;

#define HOOK_FILES_INIT ((HookFiles) { .fds = { -EBADF, -EBADF } })

int hook_files_open(const char *out, const char *err, HookFiles *ret);
void hook_files_done(HookFiles *f);
#define _cleanup_hook_files_ _cleanup_(hook_files_done)

int hook_output_open(HookOutput *ret);
int hook_output_use(const HookOutput *o, const HookFiles *files);
int hook_output_await(HookOutput *o, int pidfd, unsigned timeout);
const char *hook_output_describe(const HookOutput *o, char *buf, size_t size);
void hook_output_pass_on(const HookOutput *o);
void hook_output_done(HookOutput *o);
#define _cleanup_hook_output_ _cleanup_(hook_output_done)
