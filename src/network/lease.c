/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lease.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/log.h"
#include "../basic/str.h"
#include "../shared/fields.h"

/*
 * Who has which address of one network. The truth is a directory with one file per address in use, named by
 * the address and made with O_EXCL, so that two holders of one address cannot exist whatever dies when;
 * memory only holds an index of it. A file that was torn by a power cut names no valid container and is
 * dropped when the table is opened: its container, if there still is one, asks again when it starts.
 * docs/contracts.md section 8.
 */

#define LEASE_FILE_MAX 4096

static Lease *lease_free(Lease *l) {
        if (!l)
                return NULL;
        free(l->name);
        return mfree(l);
}
DEFINE_CLEANUP_FUNC(Lease *, lease_free)

static size_t table_size(const LeaseTable *t) {
        return (size_t) 1 << (32 - t->subnet.prefix);
}

static void mark(LeaseTable *t, uint32_t address, bool used) {
        size_t i = address - t->subnet.base;

        if (used)
                t->used[i / 8] |= (uint8_t) (1u << (i % 8));
        else
                t->used[i / 8] &= (uint8_t) ~(1u << (i % 8));
}

static bool is_marked(const LeaseTable *t, size_t i) {
        return t->used[i / 8] & (1u << (i % 8));
}

static int set_text(char *dst, size_t size, const char *src) {
        size_t n = strlen(src);

        if (n >= size)
                return -ENAMETOOLONG;
        memcpy(dst, src, n + 1);
        return 0;
}

static int lease_parse(const char *file, const Fields *f, Lease **ret) {
        _cleanup_(lease_freep) Lease *l = new0(Lease, 1);
        const char *id = strempty(fields_get(f, "container"));
        const char *endpoint = strempty(fields_get(f, "endpoint"));

        if (!l)
                return -ENOMEM;
        if (!container_id_is_valid(id) || !hex_is_valid(endpoint, ENDPOINT_LENGTH))
                return -EBADMSG;
        if (!startswith(strempty(fields_get(f, "link")), LEASE_LINK_PREFIX))
                return -EBADMSG;
        if (address_parse(file, &l->address) < 0)
                return -EBADMSG;
        if (set_text(l->container, sizeof(l->container), id) < 0 ||
            set_text(l->endpoint, sizeof(l->endpoint), endpoint) < 0 ||
            set_text(l->link, sizeof(l->link), fields_get(f, "link")) < 0)
                return -EBADMSG;
        l->name = strdup(strempty(fields_get(f, "name")));
        if (!l->name)
                return -ENOMEM;
        *ret = TAKE_PTR(l);
        return 0;
}

static int lease_write(LeaseTable *t, const Lease *l, WriteFlags flags) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(LEASE_FILE_MAX);
        char file[INET_ADDRSTRLEN];
        int r;

        r = fields_put(&b, '\n', "container", l->container);
        if (r >= 0)
                r = fields_put(&b, '\n', "endpoint", l->endpoint);
        if (r >= 0)
                r = fields_put(&b, '\n', "name", l->name);
        if (r >= 0)
                r = fields_put(&b, '\n', "link", l->link);
        if (r < 0)
                return r;
        address_format(l->address, file);
        return write_file_at(t->dir_fd, file, b.data, b.size, 0600, flags);
}

/* Return: 0 also for a file that is no lease; it is removed. */
static int load_one(LeaseTable *t, const char *file) {
        _cleanup_(lease_freep) Lease *l = NULL;
        _cleanup_fields_ Fields f = {};
        int r;

        r = fields_load_at(t->dir_fd, file, &f);
        if (r >= 0)
                r = lease_parse(file, &f, &l);
        if (r == -ENOMEM)
                return r;
        if (r >= 0 && (!subnet_contains(&t->subnet, l->address) || hashmap_get(t->by_id, l->container)))
                r = -EBADMSG;
        if (r < 0) {
                log_warning_errno(r, "Dropping unusable address lease %s: %m", file);
                (void) unlinkat(t->dir_fd, file, 0);
                return 0;
        }
        r = hashmap_put(t->by_id, l->container, l);
        if (r < 0)
                return r;
        mark(t, l->address, true);
        TAKE_PTR(l);
        return 0;
}

/**
 * lease_table_open - index the leases below @dir_fd.
 * @dir_fd: borrowed (it is duplicated).
 * @gateway: address that is never given out, besides the first and the last of @subnet.
 */
int lease_table_open(int dir_fd, const Subnet *subnet, uint32_t gateway, LeaseTable *ret) {
        _cleanup_lease_table_ LeaseTable t = { .dir_fd = -EBADF, .subnet = *subnet, .gateway = gateway };
        _cleanup_close_ int fd = -EBADF;
        struct dirent *de;
        DIR *d;
        int r = 0;

        if (subnet->prefix < 8 || subnet->prefix > 30)
                return -EINVAL;
        t.dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
        fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (t.dir_fd < 0 || fd < 0)
                return negative_errno();
        t.used = calloc(1, (table_size(&t) + 7) / 8);
        t.by_id = hashmap_new();
        if (!t.used || !t.by_id)
                return -ENOMEM;
        mark(&t, subnet->base, true);
        mark(&t, subnet->base + (uint32_t) table_size(&t) - 1, true);
        mark(&t, gateway, true);

        d = fdopendir(fd);
        if (!d)
                return negative_errno();
        TAKE_FD(fd);
        while (r >= 0 && (errno = 0, de = readdir(d)))
                if (de->d_name[0] != '.')
                        r = load_one(&t, de->d_name);
        if (r >= 0 && errno != 0)
                r = negative_errno();
        (void) closedir(d);
        if (r < 0)
                return r;
        *ret = t;
        t = LEASE_TABLE_INIT;
        return 0;
}

/** lease_table_done - forget the index; the files stay. */
void lease_table_done(LeaseTable *t) {
        size_t position = 0;
        const char *id;
        void *l;

        if (t->by_id)
                while (hashmap_next(t->by_id, &position, &id, &l))
                        lease_free(l);
        t->by_id = hashmap_free(t->by_id);
        t->used = mfree(t->used);
        t->dir_fd = safe_close(t->dir_fd);
}

/** lease_get - the lease of @container, or NULL. Owned by the table. */
Lease *lease_get(const LeaseTable *t, const char *container) {
        return hashmap_get(t->by_id, container);
}

/** lease_by_link - the lease whose host-side interface is @link, or NULL. */
Lease *lease_by_link(const LeaseTable *t, const char *link) {
        size_t position = 0;
        const char *id;
        void *l;

        while (hashmap_next(t->by_id, &position, &id, &l))
                if (streq(((Lease *) l)->link, link))
                        return l;
        return NULL;
}

/*
 * "ve" and eight digits of the id; the rare container whose digits are taken uses the next eight of its own.
 */
static int choose_link(const LeaseTable *t, Lease *l) {
        for (size_t i = 0; i + 8 <= CONTAINER_ID_LENGTH; i += 8) {
                (void) snprintf(l->link, sizeof(l->link), LEASE_LINK_PREFIX "%.8s", l->container + i);
                if (!lease_by_link(t, l->link))
                        return 0;
        }
        return -EEXIST;
}

static int take_first_free(LeaseTable *t, Lease *l) {
        for (size_t i = 0, n = table_size(t); i < n; i++) {
                int r;

                if (is_marked(t, i))
                        continue;
                l->address = t->subnet.base + (uint32_t) i;
                r = lease_write(t, l, WRITE_EXCLUSIVE);
                if (r >= 0 || r == -EEXIST)
                        mark(t, l->address, true);
                if (r != -EEXIST)
                        return r;
        }
        return -EADDRNOTAVAIL;
}

/**
 * lease_acquire - the lease of @container, made with the lowest free address if it has none.
 * @name: host name, for those who list leases.
 *
 * Return: 1 for a new lease, 0 for the one it had, -EADDRNOTAVAIL when all addresses are taken, -errno.
 */
int lease_acquire(LeaseTable *t, const char *container, const char *name, Lease **ret) {
        _cleanup_(lease_freep) Lease *l = NULL;
        int r;

        *ret = lease_get(t, container);
        if (*ret)
                return 0;
        l = new0(Lease, 1);
        if (!l)
                return -ENOMEM;
        if (strlen(name) > LEASE_NAME_MAX)
                return -ENAMETOOLONG;
        r = set_text(l->container, sizeof(l->container), container);
        if (r >= 0)
                r = random_hex(ENDPOINT_LENGTH / 2, l->endpoint);
        if (r >= 0)
                r = choose_link(t, l);
        if (r < 0)
                return r;
        l->name = strdup(name);
        if (!l->name)
                return -ENOMEM;
        r = take_first_free(t, l);
        if (r < 0)
                return r;
        r = hashmap_put(t->by_id, l->container, l);
        if (r < 0) {
                char file[INET_ADDRSTRLEN];

                address_format(l->address, file);
                (void) unlinkat(t->dir_fd, file, 0);
                mark(t, l->address, false);
                return r;
        }
        *ret = TAKE_PTR(l);
        return 1;
}

/** lease_release - free the address; @l is consumed. */
void lease_release(LeaseTable *t, Lease *l) {
        char file[INET_ADDRSTRLEN];

        address_format(l->address, file);
        if (unlinkat(t->dir_fd, file, 0) < 0 && errno != ENOENT) {
                /*
                 * The file is the truth: an address whose file stays is not free. It goes at the next sweep.
                 */
                log_warning_errno(-errno, "Failed to remove address lease %s: %m", file);
        } else
                mark(t, l->address, false);
        (void) hashmap_remove(t->by_id, l->container);
        lease_free(l);
}

/**
 * lease_sweep - free the leases of containers that have no directory below @containers_fd.
 *
 * Return: how many were freed.
 */
size_t lease_sweep(LeaseTable *t, int containers_fd) {
        size_t n = 0;

        for (bool again = true; again;) {
                size_t position = 0;
                const char *id;
                void *l;

                again = false;
                while (hashmap_next(t->by_id, &position, &id, &l)) {
                        if (faccessat(containers_fd, id, F_OK, AT_SYMLINK_NOFOLLOW) >= 0 || errno != ENOENT)
                                continue;
                        lease_release(t, l);
                        n++;
                        again = true;
                        break;
                }
        }
        return n;
}
