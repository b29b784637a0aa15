/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A tmpfs that is to be read-only is empty at first: what is mounted and made in it (podman's read-only
 * /dev) comes before the flag. Such mounts are kept by a descriptor of theirs, since a later one may cover
 * them.
 */
#include "late-readonly.h"

#include <fcntl.h>
#include <linux/mount.h>

#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "../error.h"
#include "mounts-legacy.h"
#include "mounts.h"

static bool is_late(const SpecMount *m) {
        return !m->bind && !m->remount && streq(m->type, "tmpfs") && (m->attr_set & MOUNT_ATTR_RDONLY);
}

/** late_readonly_attr - the flags of @m when it is mounted: all but what comes late. */
uint64_t late_readonly_attr(const SpecMount *m) {
        return m->attr_set & ~(uint64_t) (is_late(m) ? MOUNT_ATTR_RDONLY : 0);
}

/** late_readonly_add - remember @m, whose root @fd (borrowed) names, if it is one. Return: 0 or -errno. */
int late_readonly_add(LateReadonly *l, const SpecMount *m, int fd) {
        LateMount *grown;
        int copy;

        if (!is_late(m))
                return 0;
        grown = reallocarray(l->mounts, l->n + 1, sizeof(LateMount));
        if (!grown)
                return -ENOMEM;
        l->mounts = grown;
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (copy < 0)
                return fail_errno(errno, "mount on %s", m->destination);
        l->mounts[l->n++] = (LateMount) { copy, m->destination };
        return 0;
}

/** late_readonly_apply - make them read-only, now that all is in place. Return: 0, or -errno with a message.
 */
int late_readonly_apply(const LateReadonly *l) {
        for (size_t i = 0; i < l->n; i++) {
                int r = mount_set_attr(l->mounts[i].fd, MOUNT_ATTR_RDONLY, 0, false);

                if (r == -ENOSYS)
                        r = legacy_set_attr(l->mounts[i].fd, MOUNT_ATTR_RDONLY, 0);
                if (r < 0)
                        return fail_errno(r, "mount flags of %s", l->mounts[i].destination);
        }
        return 0;
}

/** late_readonly_done - forget them. */
void late_readonly_done(LateReadonly *l) {
        for (size_t i = 0; i < l->n; i++)
                (void) safe_close(l->mounts[i].fd);
        free(l->mounts);
        *l = (LateReadonly) {};
}
