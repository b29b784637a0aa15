/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* descriptors.json of a checkpoint, which may come from another host. */
#include "fuzz.h"
#include "runtime/checkpoint/image-dir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_stdio_names_ StdioNames n = {};
        char *text = malloc(size + 1);
        int r;

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = 0;
        r = stdio_names_parse(text, size, &n);
        free(text);
        assert(r == 0 || r == -EBADMSG || r == -ENOMEM);
        for (size_t i = 0; i < STDIO_NAMES; i++)
                if (n.names[i]) {
                        assert(r == 0 && strlen(n.names[i]) <= STDIO_NAME_MAX);
                        assert(strncmp(n.names[i], "pipe:[", 6) == 0 ||
                               strncmp(n.names[i], "socket:[", 8) == 0 ||
                               strncmp(n.names[i], "file[", 5) == 0 ||
                               strncmp(n.names[i], "tty[", 4) == 0);
                }
        return 0;
}
