/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "layer-writer-internal.h"

/*
 * A whiteout hides what lower layers have under a name; what the same layer has under it stays, whichever
 * comes first in the archive (OCI image layer specification). With overlayfs: a file of this layer hides the
 * lower one anyway, a directory of this layer must become opaque.
 */
#define WHITEOUT_PREFIX ".wh."
#define WHITEOUT_META   ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

/** whiteout_set_opaque - let nothing of lower layers show in @dir_fd. Return: 0 or -errno. */
int whiteout_set_opaque(LayerWriter *w, const Member *m, int dir_fd) {
        if (fsetxattr(dir_fd, OPAQUE_XATTR, "y", 1, 0) < 0)
                return member_fail(w, m, negative_errno(), "cannot mark the directory as opaque");
        return 0;
}

static int set_opaque_at(LayerWriter *w, const Member *m, const char *name) {
        _cleanup_close_ int fd = openat(m->parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
                return member_fail(w, m, negative_errno(), "cannot open the directory");
        return whiteout_set_opaque(w, m, fd);
}

/** whiteout_add - see layer-writer-internal.h. */
int whiteout_add(LayerWriter *w, Member *m) {
        const char *hidden = startswith(m->name, WHITEOUT_PREFIX);
        struct stat st;
        int r;

        if (!hidden)
                return 0;
        if (streq(m->name, WHITEOUT_OPAQUE)) {
                r = set_opaque_at(w, m, ".");
                return r < 0 ? r : 1;
        }
        /* Book-keeping of an old storage driver, never content. */
        if (startswith(m->name, WHITEOUT_META))
                return 1;
        if (!hidden[0] || streq(hidden, ".") || streq(hidden, ".."))
                return member_fail(w, m, -EBADMSG, "the whiteout names no file");
        if (mknodat(m->parent_fd, hidden, S_IFCHR, makedev(0, 0)) >= 0)
                return 1;
        if (errno != EEXIST)
                return member_fail(w, m, negative_errno(), "cannot make the whiteout");
        if (fstatat(m->parent_fd, hidden, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return member_fail(w, m, negative_errno(), "cannot look at what is whited out");
        r = S_ISDIR(st.st_mode) ? set_opaque_at(w, m, hidden) : 0;
        return r < 0 ? r : 1;
}
