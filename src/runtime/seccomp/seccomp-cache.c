/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compiled filters, kept by the hash of what they were compiled from: building one takes milliseconds,
 * loading a fraction of one. <root>/.seccomp-cache/<sha256>; a container links the one it uses as
 * seccomp.bpf, for exec. A file is used only if it is root's own, complete, and says by its own hash that it
 * is intact; anything else is built anew.
 */
#include "seccomp-cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../../basic/buffer.h"
#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../error.h"
#include "../runtime-log.h"
#include "sha256.h"

#define CACHE_MAGIC "berth-bpf-6"
#define CACHE_FILTER_MAX (BPF_MAXINSNS * sizeof(struct sock_filter))

typedef struct CacheHeader {
        char magic[12];
        uint32_t flags;
        uint32_t notify; /* SeccompNotify */
        uint32_t n;
        uint64_t checksum;
} CacheHeader;

/* Against damage, not against an attacker: who can write here is root. FNV-1a by instruction, as short as
 * reading the file. */
static uint64_t checksum(const struct sock_filter *code, size_t n) {
        uint64_t h = 0xcbf29ce484222325ULL;

        for (size_t i = 0; i < n; i++) {
                uint64_t word;

                memcpy(&word, &code[i], sizeof(word));
                h = (h ^ word) * 0x100000001b3ULL;
                h ^= h >> 29;
        }
        return h;
}

static int read_filter(int fd, SeccompFilter *ret) {
        _cleanup_free_ struct sock_filter *code = NULL;
        CacheHeader h;
        struct stat st;
        size_t size;

        if (fstat(fd, &st) < 0)
                return negative_errno();
        if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
                return -EPERM;
        if (read_all(fd, &h, sizeof(h)) != (ssize_t) sizeof(h) ||
            memcmp(h.magic, CACHE_MAGIC, sizeof(h.magic)) != 0 || h.n == 0 || h.n > BPF_MAXINSNS ||
            h.notify >= _SECCOMP_NOTIFY_MAX)
                return -EBADMSG;
        size = h.n * sizeof(struct sock_filter);
        code = malloc(size);
        if (!code)
                return -ENOMEM;
        if (read_all(fd, code, size) != (ssize_t) size || checksum(code, h.n) != h.checksum)
                return -EBADMSG;
        *ret = (SeccompFilter){
                .code = TAKE_PTR(code), .n = h.n, .flags = h.flags, .notify = (SeccompNotify) h.notify
        };
        return 0;
}

static int write_filter(int dir_fd, const char *name, const SeccompFilter *f) {
        size_t size = f->n * sizeof(struct sock_filter);
        CacheHeader h = { .magic = CACHE_MAGIC,
                          .flags = f->flags,
                          .notify = f->notify,
                          .n = (uint32_t) f->n,
                          .checksum = checksum(f->code, f->n) };
        _cleanup_buffer_ Buffer b = BUFFER_INIT(CACHE_FILTER_MAX + sizeof(h));
        int r;

        r = buffer_append(&b, &h, sizeof(h));
        if (r >= 0)
                r = buffer_append(&b, f->code, size);
        return r < 0 ? r : write_file_at(dir_fd, name, b.data, b.size, 0600, WRITE_REPLACE);
}

static int open_cache(const char *root) {
        _cleanup_free_ char *path = str_concat(root, "/.seccomp-cache");
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        if (!path)
                return -ENOMEM;
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return negative_errno();
        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return negative_errno();
        return st.st_uid == geteuid() && !(st.st_mode & 022) ? TAKE_FD(fd) : -EPERM;
}

/* The kernel's release is part of the key: what libseccomp makes of a profile may depend on it. */
static int cache_name(json_object *seccomp, char ret[SHA256_HEX_SIZE]) {
        const char *text = json_text(seccomp);
        struct utsname u;
        _cleanup_free_ char *key = NULL;

        if (!text)
                return -ENOMEM;
        if (uname(&u) < 0)
                return negative_errno();
        key = str_concat(CACHE_MAGIC, "\n", u.machine, "\n", u.release, "\n", text);
        if (!key)
                return -ENOMEM;
        sha256_hex(key, strlen(key), ret);
        return 0;
}

static int find_or_compile(int cache_fd, const char *name, json_object *seccomp, SeccompFilter *ret) {
        _cleanup_close_ int fd =
                        cache_fd < 0 ? -EBADF : openat(cache_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        int r;

        if (fd >= 0 && read_filter(fd, ret) >= 0)
                return 0;
        r = seccomp_compile(seccomp, ret);
        /* Without the cache the container starts all the same. */
        if (r >= 0 && cache_fd >= 0 && ret->n > 0)
                (void) write_filter(cache_fd, name, ret);
        return r;
}

/**
 * seccomp_prepare - the filter of linux.seccomp, from the cache or compiled, and saved for the container's
 * execs.
 * @seccomp: may be NULL: no filter.
 */
int seccomp_prepare(const char *root, int container_fd, json_object *seccomp, SeccompFilter *ret) {
        _cleanup_seccomp_ SeccompFilter f = {};
        _cleanup_close_ int cache_fd = -EBADF;
        char name[SHA256_HEX_SIZE];
        int r;

        if (!seccomp)
                return 0;
        r = cache_name(seccomp, name);
        if (r < 0)
                return fail_errno(r, "seccomp cache");
        cache_fd = open_cache(root);
        r = find_or_compile(cache_fd, name, seccomp, &f);
        if (r < 0)
                return r;
        if (f.n > 0 && (cache_fd < 0 || linkat(cache_fd, name, container_fd, "seccomp.bpf", 0) < 0)) {
                r = write_filter(container_fd, "seccomp.bpf", &f);
                if (r < 0)
                        return fail_errno(r, "save the seccomp filter");
        }
        runtime_debug("seccomp filter flags: %u", seccomp_filter_flags(&f));
        *ret = f;
        f = (SeccompFilter) {};
        return 0;
}

/** seccomp_load_saved - the filter a container was created with, for exec; empty if it has none. */
int seccomp_load_saved(int container_fd, SeccompFilter *ret) {
        _cleanup_close_ int fd = openat(container_fd, "seccomp.bpf", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        int r;

        if (fd < 0)
                return errno == ENOENT ? 0 : fail_errno(errno, "open the seccomp filter");
        r = read_filter(fd, ret);
        return r < 0 ? fail_errno(r, "read the seccomp filter") : 0;
}
