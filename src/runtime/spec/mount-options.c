/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mount-options.h"

#include "../../basic/str.h"
#include "../error.h"
#include "../kernel-call.h"
#include "../mounts/mount-idmap.h"

/* Mount attributes, recursive: without the "r" in front they are of this mount alone. */
static const struct {
        const char *name;
        uint64_t set, clear;
} attributes[] = {
        { "rro", MOUNT_ATTR_RDONLY, 0 },
        { "rrw", 0, MOUNT_ATTR_RDONLY },
        { "rnosuid", MOUNT_ATTR_NOSUID, 0 },
        { "rsuid", 0, MOUNT_ATTR_NOSUID },
        { "rnodev", MOUNT_ATTR_NODEV, 0 },
        { "rdev", 0, MOUNT_ATTR_NODEV },
        { "rnoexec", MOUNT_ATTR_NOEXEC, 0 },
        { "rexec", 0, MOUNT_ATTR_NOEXEC },
        { "rnosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0 },
        { "rsymfollow", 0, MOUNT_ATTR_NOSYMFOLLOW },
        { "rnodiratime", MOUNT_ATTR_NODIRATIME, 0 },
        { "rdiratime", 0, MOUNT_ATTR_NODIRATIME },
        { "rnoatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
        { "ratime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
        { "rrelatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
        { "rnorelatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
        { "rstrictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
        { "rnostrictatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
};

static const struct {
        const char *name;
        uint64_t flag;
} propagations[] = {
        { "rprivate", MS_PRIVATE },
        { "rshared", MS_SHARED },
        { "rslave", MS_SLAVE },
        { "runbindable", MS_UNBINDABLE },
};

/* Of the file system, not of the mount. */
static const struct {
        const char *name;
        unsigned long set, clear;
} sb_options[] = {
        { "sync", MS_SYNCHRONOUS, 0 },  { "async", 0, MS_SYNCHRONOUS }, { "dirsync", MS_DIRSYNC, 0 },
        { "lazytime", MS_LAZYTIME, 0 }, { "nolazytime", 0, MS_LAZYTIME }, { "mand", MS_MANDLOCK, 0 },
        { "nomand", 0, MS_MANDLOCK },   { "silent", MS_SILENT, 0 },      { "loud", 0, MS_SILENT },
        { "iversion", MS_I_VERSION, 0 }, { "noiversion", 0, MS_I_VERSION }, { "acl", MS_POSIXACL, 0 },
        { "noacl", 0, MS_POSIXACL },    { "defaults", 0, 0 },
};

static void apply_attribute(SpecMount *m, size_t i, bool recursive) {
        uint64_t *set = recursive ? &m->rec_attr_set : &m->attr_set;
        uint64_t *clear = recursive ? &m->rec_attr_clear : &m->attr_clear;

        *set = (*set & ~attributes[i].clear) | attributes[i].set;
        *clear = (*clear & ~attributes[i].set) | attributes[i].clear;
}

static bool apply_special(SpecMount *m, const char *option) {
        if (streq(option, "bind"))
                m->bind = true;
        else if (streq(option, "rbind"))
                m->bind = m->recursive = true;
        else if (streq(option, "tmpcopyup"))
                m->copy_up = true;
        else if (streq(option, "src-nofollow"))
                m->source_nofollow = true;
        else if (streq(option, "dest-nofollow"))
                m->dest_nofollow = true;
        else if (streq(option, "copy-symlink"))
                m->copy_symlink = true;
        else if (streq(option, "remount"))
                m->remount = true;
        else if (streq(option, "idmap"))
                m->idmap = true;
        else if (streq(option, "ridmap"))
                m->idmap = m->idmap_recursive = true;
        else
                return false;
        return true;
}

static int append_data(SpecMount *m, const char *option) {
        char *joined;

        joined = m->data ? str_concat(m->data, ",", option) : strdup(option);
        if (!joined)
                return -ENOMEM;
        free(m->data);
        m->data = joined;
        return 0;
}

/**
 * mount_option_apply - let one option of config.json take effect on @m; what is no mount option goes to the
 * file system.
 *
 * Return: 0, -EINVAL with the option in fail_message(), -ENOMEM.
 */
int mount_option_apply(SpecMount *m, const char *option) {
        const char *maps;

        for (size_t i = 0; i < ELEMENTSOF(attributes); i++) {
                bool recursive = streq(option, attributes[i].name);

                if (recursive || streq(option, attributes[i].name + 1)) {
                        apply_attribute(m, i, recursive);
                        return 0;
                }
        }
        for (size_t i = 0; i < ELEMENTSOF(propagations); i++) {
                bool recursive = streq(option, propagations[i].name);

                if (recursive || streq(option, propagations[i].name + 1)) {
                        m->propagation = propagations[i].flag;
                        m->propagation_recursive = recursive;
                        return 0;
                }
        }
        if (apply_special(m, option))
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(sb_options); i++)
                if (streq(option, sb_options[i].name)) {
                        m->sb_flags = (m->sb_flags & ~sb_options[i].clear) | sb_options[i].set;
                        return 0;
                }
        if ((maps = startswith(option, "idmap=")) || (maps = startswith(option, "ridmap="))) {
                m->idmap = true;
                m->idmap_recursive = option[0] == 'r';
                return mount_idmap_parse(m, maps);
        }
        return append_data(m, option);
}

/** mount_options_known - names of the options above, for `features`. Return: how many there are. */
size_t mount_options_known(const char **ret, size_t max) {
        static const char *const special[] = { "bind", "rbind", "tmpcopyup", "src-nofollow", "dest-nofollow",
                                               "copy-symlink", "remount", "idmap", "ridmap" };
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(attributes) && n + 1 < max; i++) {
                ret[n++] = attributes[i].name + 1;
                ret[n++] = attributes[i].name;
        }
        for (size_t i = 0; i < ELEMENTSOF(propagations) && n + 1 < max; i++) {
                ret[n++] = propagations[i].name + 1;
                ret[n++] = propagations[i].name;
        }
        for (size_t i = 0; i < ELEMENTSOF(sb_options) && n < max; i++)
                ret[n++] = sb_options[i].name;
        for (size_t i = 0; i < ELEMENTSOF(special) && n < max; i++)
                ret[n++] = special[i];
        return n;
}
