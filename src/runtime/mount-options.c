/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mount-options.h"

#include "../basic/str.h"
#include "error.h"
#include "kernel-call.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

/* Mount attributes: "r" in front of a name makes it recursive. */
static const struct {
        const char *name;
        uint64_t set, clear;
} attributes[] = {
        { "ro", MOUNT_ATTR_RDONLY, 0 },
        { "rw", 0, MOUNT_ATTR_RDONLY },
        { "nosuid", MOUNT_ATTR_NOSUID, 0 },
        { "suid", 0, MOUNT_ATTR_NOSUID },
        { "nodev", MOUNT_ATTR_NODEV, 0 },
        { "dev", 0, MOUNT_ATTR_NODEV },
        { "noexec", MOUNT_ATTR_NOEXEC, 0 },
        { "exec", 0, MOUNT_ATTR_NOEXEC },
        { "nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0 },
        { "symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW },
        { "nodiratime", MOUNT_ATTR_NODIRATIME, 0 },
        { "diratime", 0, MOUNT_ATTR_NODIRATIME },
        { "noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
        { "atime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
        { "relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
        { "norelatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
        { "strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
        { "nostrictatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
};

static const struct {
        const char *name;
        uint64_t flag;
} propagations[] = {
        { "private", MS_PRIVATE },
        { "shared", MS_SHARED },
        { "slave", MS_SLAVE },
        { "unbindable", MS_UNBINDABLE },
};

/* No meaning for a mount that is made anew, or defaults of the kernel. */
static const char *const without_effect[] = { "defaults", "async", "nomand", "loud", "silent", "nolazytime",
                                              "noiversion", "remount" };

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
 * Return: 0, -EOPNOTSUPP with the option in fail_message(), -ENOMEM.
 */
int mount_option_apply(SpecMount *m, const char *option) {
        for (size_t i = 0; i < ELEMENTSOF(attributes); i++) {
                bool recursive = option[0] == 'r' && streq(option + 1, attributes[i].name);

                if (recursive || streq(option, attributes[i].name)) {
                        apply_attribute(m, i, recursive);
                        return 0;
                }
        }
        for (size_t i = 0; i < ELEMENTSOF(propagations); i++) {
                bool recursive = option[0] == 'r' && streq(option + 1, propagations[i].name);

                if (recursive || streq(option, propagations[i].name)) {
                        m->propagation = propagations[i].flag;
                        m->propagation_recursive = recursive;
                        return 0;
                }
        }
        if (apply_special(m, option))
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(without_effect); i++)
                if (streq(option, without_effect[i]))
                        return 0;
        if (streq(option, "copy-symlink"))
                return fail_text(EOPNOTSUPP, "config.json: mounts: %s: option \"%s\" is not supported",
                                 m->destination, option);
        return append_data(m, option);
}

/** mount_options_known - names of the options above, for `features`. Return: how many there are. */
size_t mount_options_known(const char **ret, size_t max) {
        static const char *const special[] = { "bind", "rbind", "tmpcopyup", "src-nofollow", "dest-nofollow",
                                               "idmap", "ridmap" };
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(attributes) && n < max; i++)
                ret[n++] = attributes[i].name;
        for (size_t i = 0; i < ELEMENTSOF(propagations) && n < max; i++)
                ret[n++] = propagations[i].name;
        for (size_t i = 0; i < ELEMENTSOF(without_effect) && n < max; i++)
                ret[n++] = without_effect[i];
        for (size_t i = 0; i < ELEMENTSOF(special) && n < max; i++)
                ret[n++] = special[i];
        return n;
}
