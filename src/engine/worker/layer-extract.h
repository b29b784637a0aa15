/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tar-stream.h"

/* The sandboxed half of unpacking a layer: runs in sandbox_spawn(), the layer's directory is the root. */
typedef struct LayerInput {
        tar_source_t source; /* NULL: read the input fd */
        void *userdata;
        int *fd_slot; /* with a source of its own: told the child's number of the input fd */
        bool progress;
} LayerInput;

void layer_extract_main(int report_fd, int input_fd, void *userdata);

/* Unpack into @root_fd, in this process. @error: text for -errno, owned by the caller. */
int layer_extract(int root_fd, tar_source_t source, void *userdata,
                  void (*progress)(void *userdata, uint64_t bytes), void *progress_userdata,
                  char ret_hex[65], uint64_t *ret_size, char **ret_error);
/* read(2) for tar_stream_open(); @userdata is the fd cast to a pointer. */
ssize_t tar_source_fd(void *userdata, void *data, size_t size);
