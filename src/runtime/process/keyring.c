/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyring.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../error.h"
#include "label.h"

/**
 * keyring_leave - leave the session keyring of our caller, whose keys are not the payload's, for a new one.
 * It has no name: one with a name would be joined if it is there already, and any container of the same user
 * can make keyrings with the names of others. Its SELinux label is that of @p.
 *
 * Return: 0, also where the kernel has no keys, a filter refuses, or the user has too many; or -errno with a
 * message.
 */
int keyring_leave(const SpecProcess *p) {
        int r = label_apply_to_keys(p);

        if (r < 0)
                return r;
        if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0) < 0 && errno != ENOSYS &&
            errno != EPERM && errno != EDQUOT)
                return fail_errno(errno, "new session keyring");
        return 0;
}
