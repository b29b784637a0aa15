/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <malloc.h>
#include <stdio.h>

#include "../basic/log.h"
#include "../basic/str.h"
#include "../shared/unit-name.h"
#include "shim.h"

static int usage(FILE *f) {
        (void) fprintf(f,
                       "Usage: berth-shim ID\n\n"
                       "Runs one container of berth; started by systemd as berth@ID.service. "
                          "See berth-shim(8).\n");
        return f == stdout ? 0 : 2;
}

int main(int argc, char *argv[]) {
        /* Static: it lives as long as the process and is never taken apart, which is no leak. */
        static Shim *s;
        int r;

        log_set_identifier("berth-shim");
        if (argc == 2 && streq(argv[1], "--help"))
                return usage(stdout);
        if (argc != 2 || !container_id_is_valid(argv[1]))
                return usage(stderr);
        /* What is freed goes back to the kernel: there may be hundreds of us. */
        (void) mallopt(M_TRIM_THRESHOLD, 32 * 1024);
        (void) mallopt(M_TOP_PAD, 4 * 1024);
        (void) mallopt(M_MMAP_THRESHOLD, 32 * 1024);
        r = shim_new(argv[1], &s);
        if (r < 0) {
                (void) log_error_errno(r, "Cannot load container %s: %m", argv[1]);
                return 1;
        }
        r = shim_run(s);
        if (r < 0) {
                (void) log_error_errno(r, "Cannot run container %s: %m", argv[1]);
                return 1;
        }
        return r;
}
