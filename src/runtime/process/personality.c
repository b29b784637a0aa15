/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "personality.h"

#include <sys/personality.h>

#include "../../basic/str.h"
#include "../error.h"

static const struct {
        const char *name;
        unsigned long value;
} domains[] = { { "LINUX", PER_LINUX }, { "LINUX32", PER_LINUX32 } };

/**
 * personality_check - the execution domain that linux.personality asks for.
 * @ret_domain: borrowed; NULL if none.
 *
 * Return: 0, -EINVAL or -EOPNOTSUPP with the field in the message.
 */
int personality_check(const Spec *s, const char **ret_domain) {
        const char *name = NULL;
        json_object *flags;
        size_t n;
        int r;

        *ret_domain = NULL;
        if (!s->personality)
                return 0;
        if ((r = spec_string(s->personality, "linux.personality", "domain", &name)) < 0 ||
            (r = spec_array(s->personality, "linux.personality", "flags", &flags, &n)) < 0)
                return r;
        if (n > 0) /* the specification has none yet */
                return fail_text(EOPNOTSUPP, "config.json: linux.personality.flags: not supported");
        for (size_t i = 0; i < ELEMENTSOF(domains); i++)
                if (streq(strempty(name), domains[i].name)) {
                        *ret_domain = name;
                        return 0;
                }
        return fail_text(EINVAL, "config.json: linux.personality.domain: unknown \"%s\"", strempty(name));
}

/** personality_apply - of the calling process; NULL changes nothing. Return: 0, or -errno with a message. */
int personality_apply(const char *domain) {
        for (size_t i = 0; domain && i < ELEMENTSOF(domains); i++)
                if (streq(domain, domains[i].name) && personality(domains[i].value) < 0)
                        return fail_errno(errno, "set linux.personality");
        return 0;
}
