/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "member-name.h"

#include <limits.h>

#define COMPONENTS_MAX 256

/** name_fault_text - continues a sentence: "the name ...". */
const char *name_fault_text(NameFault f) {
        switch (f) {
        case NAME_ABSOLUTE: return "is absolute";
        case NAME_DOTDOT: return "has a \"..\" component";
        case NAME_TOO_LONG: return "is too long";
        case NAME_TOO_DEEP: return "has too many components";
        default: return "is fine";
        }
}

static int fault(NameFault f, NameFault *ret) {
        *ret = f;
        return -EINVAL;
}

/** member_name_clean - see member-name.h; @ret is the caller's. */
int member_name_clean(const char *name, char **ret, NameFault *ret_fault) {
        _cleanup_free_ char *out = NULL;
        size_t used = 0, components = 0, total = strlen(name);

        if (total >= PATH_MAX)
                return fault(NAME_TOO_LONG, ret_fault);
        if (name[0] == '/')
                return fault(NAME_ABSOLUTE, ret_fault);
        out = malloc(total + 1);
        if (!out)
                return -ENOMEM;
        while (*name) {
                size_t n = strcspn(name, "/");

                if (n == 2 && name[0] == '.' && name[1] == '.')
                        return fault(NAME_DOTDOT, ret_fault);
                if (n > NAME_MAX)
                        return fault(NAME_TOO_LONG, ret_fault);
                if (n > 0 && !(n == 1 && name[0] == '.')) {
                        if (++components > COMPONENTS_MAX)
                                return fault(NAME_TOO_DEEP, ret_fault);
                        if (used > 0)
                                out[used++] = '/';
                        memcpy(out + used, name, n);
                        used += n;
                }
                name += n + (name[n] == '/');
        }
        out[used] = 0;
        *ret = TAKE_PTR(out);
        return 0;
}
