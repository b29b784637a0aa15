/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "../../basic/str.h"
#include "layer-writer-internal.h"

/* UINT32_MAX is "no change" to chown. */
#define ID_MAX ((int64_t) UINT32_MAX - 1)

static int owner(LayerWriter *w, const Member *m, uid_t *ret_uid, gid_t *ret_gid) {
        int64_t uid = archive_entry_uid(m->entry), gid = archive_entry_gid(m->entry);

        if (uid < 0 || uid > ID_MAX || gid < 0 || gid > ID_MAX)
                return member_fail(w, m, -EBADMSG, "owner %lld:%lld is out of range", (long long) uid,
                                   (long long) gid);
        *ret_uid = (uid_t) uid;
        *ret_gid = (gid_t) gid;
        return 0;
}

static void member_times(const Member *m, struct timespec ret[2]) {
        ret[1] = (struct timespec){ archive_entry_mtime(m->entry), archive_entry_mtime_nsec(m->entry) };
        ret[0] = archive_entry_atime_is_set(m->entry)
                                 ? (struct timespec){ archive_entry_atime(m->entry),
                                                      archive_entry_atime_nsec(m->entry) }
                                 : ret[1];
}

typedef enum XattrRule { XATTR_SET, XATTR_SKIP, XATTR_REFUSE } XattrRule;

static XattrRule xattr_rule(const char *name) {
        /* What steers the overlay that the layer becomes part of must come from us. */
        if (startswith(name, "trusted.") || startswith(name, "user.overlay."))
                return XATTR_REFUSE;
        if (streq(name, "security.capability") || startswith(name, "user.") ||
            startswith(name, "system.posix_acl_"))
                return XATTR_SET;
        /* Labels (security.selinux, security.ima) belong to the host the image was made on. */
        return startswith(name, "security.") ? XATTR_SKIP : XATTR_REFUSE;
}

static int apply_xattrs(LayerWriter *w, const Member *m, int fd) {
        const char *name;
        const void *value;
        size_t size;

        (void) archive_entry_xattr_reset(m->entry);
        while (archive_entry_xattr_next(m->entry, &name, &value, &size) == ARCHIVE_OK) {
                XattrRule rule = name ? xattr_rule(name) : XATTR_REFUSE;

                if (rule == XATTR_REFUSE)
                        return member_fail(w, m, -EBADMSG, "extended attribute %s is not allowed in a layer",
                                           strempty(name));
                /* -EBADF: a symlink or node, which cannot have any of those we set. */
                if (rule == XATTR_SKIP || fd < 0)
                        continue;
                if (fsetxattr(fd, name, value, size, 0) < 0)
                        return member_fail(w, m, negative_errno(), "cannot set extended attribute %s", name);
        }
        return 0;
}

/** metadata_apply_fd - see layer-writer-internal.h. chown clears set-uid bits and file capabilities, so it
 * comes first. */
int metadata_apply_fd(LayerWriter *w, const Member *m, int fd, bool times) {
        struct timespec ts[2];
        uid_t uid = 0;
        gid_t gid = 0;
        int r;

        r = owner(w, m, &uid, &gid);
        if (r < 0)
                return r;
        if (fchown(fd, uid, gid) < 0)
                return member_fail(w, m, negative_errno(), "cannot set the owner");
        if (fchmod(fd, archive_entry_perm(m->entry)) < 0)
                return member_fail(w, m, negative_errno(), "cannot set the mode");
        r = apply_xattrs(w, m, fd);
        if (r < 0 || !times)
                return r;
        member_times(m, ts);
        if (futimens(fd, ts) < 0)
                return member_fail(w, m, negative_errno(), "cannot set the times");
        return 0;
}

/** metadata_apply_at - see layer-writer-internal.h. */
int metadata_apply_at(LayerWriter *w, const Member *m, bool with_mode) {
        struct timespec ts[2];
        uid_t uid = 0;
        gid_t gid = 0;
        int r;

        r = owner(w, m, &uid, &gid);
        if (r < 0)
                return r;
        if (fchownat(m->parent_fd, m->name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
                return member_fail(w, m, negative_errno(), "cannot set the owner");
        if (with_mode && fchmodat(m->parent_fd, m->name, archive_entry_perm(m->entry), 0) < 0)
                return member_fail(w, m, negative_errno(), "cannot set the mode");
        r = apply_xattrs(w, m, -EBADF);
        if (r < 0)
                return r;
        member_times(m, ts);
        if (utimensat(m->parent_fd, m->name, ts, AT_SYMLINK_NOFOLLOW) < 0)
                return member_fail(w, m, negative_errno(), "cannot set the times");
        return 0;
}
