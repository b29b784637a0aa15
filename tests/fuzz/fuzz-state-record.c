/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/file.h"
#include "fuzz.h"
#include "shared/state-log.h"

static int count(const Fields *f, void *userdata) {
        size_t *n = userdata;

        (*n)++;
        return 0;
}

/* Whatever lies in the file, a record that is appended behind it counts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(FIELDS_TEXT_MAX);
        char directory[] = "/tmp/berth-fuzz-XXXXXX";
        size_t before = 0, after = 0;
        int dir_fd;

        if (!mkdtemp(directory))
                return 0;
        dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd >= 0 && write_file_at(dir_fd, STATE_LOG_NAME, data, size, 0600, 0) >= 0 &&
            state_log_read(dir_fd, count, &before) >= 0 && state_record_begin(&b, "exited") >= 0 &&
            state_log_append(dir_fd, &b, 0) >= 0 && state_log_read(dir_fd, count, &after) >= 0)
                assert(after == before + 1);
        (void) unlinkat(dir_fd, STATE_LOG_NAME, 0);
        (void) safe_close(dir_fd);
        (void) rmdir(directory);
        return 0;
}
