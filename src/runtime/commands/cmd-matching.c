/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --regex of kill and delete: one command for all containers with a fitting name. */
#include <regex.h>

#include "../../basic/str.h"
#include "../error.h"
#include "../runtime-log.h"
#include "../state.h"
#include "command.h"

/**
 * command_for_matching - do @one to each container whose id @pattern, an extended regular expression, is
 * found in. What fails is told, and the rest is still done.
 *
 * Return: 0, also when there is none; the last failure with a message.
 */
int command_for_matching(const Globals *g, const char *pattern, CommandForOne one, const void *userdata) {
        _cleanup_strv_ char **ids = NULL;
        _cleanup_free_ char *last = NULL;
        regex_t regex;
        int r, failure = 0;

        if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
                return fail_text(EINVAL, "--regex \"%s\": not a regular expression", pattern);
        r = state_list(g->root, &ids);
        for (char **id = ids; r >= 0 && *id; id++) {
                int q = regexec(&regex, *id, 0, NULL, 0) == 0 ? one(g, *id, userdata) : 0;

                if (q >= 0)
                        continue;
                /* The last one is told by who called us. */
                if (last)
                        runtime_warning("%s", last);
                free(last);
                last = strdup(fail_message());
                failure = q;
        }
        regfree(&regex);
        if (r < 0 || failure >= 0)
                return r;
        return fail_text(failure, "%s", strempty(last));
}
