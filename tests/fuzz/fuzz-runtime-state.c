/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of a container's state directory: status, or, for inputs that begin with its magic, a saved
 * system call filter. They are root's own, but a full disk or an older version may have written them.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/file.h"
#include "fuzz.h"
#include "runtime/error.h"
#include "runtime/seccomp/seccomp-cache.h"
#include "runtime/state.h"

#define FILTER_MAGIC "berth-bpf-"

static char root[64];

static void remove_root(void) {
        char path[96];

        for (const char *const *name =
                             (const char *const[]){ "/c/status", "/c/seccomp.bpf", "/c", "", NULL };
             *name; name++) {
                (void) snprintf(path, sizeof(path), "%s%s", root, *name);
                (void) remove(path);
        }
}

static void make_root(void) {
        char path[96];

        (void) snprintf(root, sizeof(root), "%s/berth-fuzz-state-XXXXXX",
                        access("/dev/shm", W_OK) >= 0 ? "/dev/shm" : "/tmp");
        if (!mkdtemp(root))
                abort();
        (void) snprintf(path, sizeof(path), "%s/c", root);
        if (mkdir(path, 0700) < 0)
                abort();
        (void) atexit(remove_root);
}

static void load_filter(int dir_fd, const uint8_t *data, size_t size) {
        _cleanup_seccomp_ SeccompFilter f = {};

        if (write_file_at(dir_fd, "seccomp.bpf", data, size, 0600, 0) < 0)
                return;
        if (seccomp_load_saved(dir_fd, &f) >= 0)
                assert(f.n > 0 && f.n <= BPF_MAXINSNS && f.code);
        else
                assert(fail_message()[0]);
}

static void load_state(int dir_fd, const uint8_t *data, size_t size) {
        _cleanup_json_ json_object *oci = NULL;
        _cleanup_state_ State s = STATE_INIT;

        if (write_file_at(dir_fd, "status", data, size, 0600, 0) < 0)
                return;
        if (state_load(root, "c", false, &s) < 0) {
                assert(fail_message()[0]);
                return;
        }
        /* The pid may be anybody's: only its start time makes it ours. */
        s.pid = 0;
        assert(s.id && s.dir_fd >= 0);
        if (state_to_oci(&s, state_status(&s), &oci) >= 0)
                assert(json_get(oci, "id") && json_get(oci, "status"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_close_ int dir_fd = -EBADF;
        char path[96];

        if (!root[0])
                make_root();
        (void) snprintf(path, sizeof(path), "%s/c", root);
        dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0)
                return 0;
        if (size >= strlen(FILTER_MAGIC) && memcmp(data, FILTER_MAGIC, strlen(FILTER_MAGIC)) == 0)
                load_filter(dir_fd, data, size);
        else
                load_state(dir_fd, data, size);
        return 0;
}
