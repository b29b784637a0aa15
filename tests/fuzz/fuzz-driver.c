/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "basic/fd.h"
#include "basic/file.h"
#include "fuzz.h"

/* Takes libFuzzer's place in ordinary builds: runs each file of a directory once. */
static int run_file(int dir_fd, const char *name) {
        _cleanup_free_ char *data = NULL, *exact = NULL;
        size_t size;
        int r;

        r = read_file_at(dir_fd, name, 16 * 1024 * 1024, &data, &size);
        if (r < 0)
                return r;
        /* Without the NUL behind it, so that a sanitizer sees a read past the end. */
        exact = malloc(size > 0 ? size : 1);
        if (!exact)
                return -ENOMEM;
        memcpy(exact, data, size);
        return LLVMFuzzerTestOneInput((const uint8_t *) exact, size);
}

int main(int argc, char *argv[]) {
        struct dirent *de;
        size_t n = 0;
        DIR *d;

        d = argc == 2 ? opendir(argv[1]) : NULL;
        if (!d) {
                fprintf(stderr, "Usage: %s CORPUS\n", argv[0]);
                return 2;
        }
        while ((de = readdir(d))) {
                if (de->d_name[0] == '.')
                        continue;
                if (run_file(dirfd(d), de->d_name) < 0) {
                        fprintf(stderr, "%s/%s failed\n", argv[1], de->d_name);
                        return 1;
                }
                n++;
        }
        (void) closedir(d);
        printf("%zu inputs\n", n);
        return n > 0 ? 0 : 1;
}
