/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "list-output.h"

#include <stdio.h>

#include "../basic/str.h"

/** filters_add - --filter k=v items as the query parameter filters={"k":{"v":true}}. */
int filters_add(Client *c, Buffer *query, const StringList *filters) {
        _cleanup_json_ json_object *o = NULL;
        int r = 0;

        if (filters->n == 0)
                return 0;
        o = json_object_new_object();
        for (size_t i = 0; o && r >= 0 && i < filters->n; i++) {
                const char *eq = strchr(filters->items[i], '=');
                _cleanup_free_ char *key =
                                eq ? strndup(filters->items[i], (size_t) (eq - filters->items[i])) : NULL;
                json_object *values;

                if (!eq || eq == filters->items[i])
                        return client_fail(c, -EINVAL, "invalid filter '%s': must be NAME=VALUE",
                                           filters->items[i]);
                if (!key)
                        return -ENOMEM;
                values = json_get(o, key);
                if (!values) {
                        values = json_object_new_object();
                        r = json_set(o, key, values);
                }
                if (r >= 0)
                        r = json_set_bool(values, eq + 1, true);
        }
        return r < 0 || !o ? -ENOMEM : query_add(query, "filters", json_text(o));
}

/** format_check - "", "table" and "json"; a template is refused rather than misread. */
int format_check(Client *c, const char *format, bool *ret_json) {
        *ret_json = false;
        if (isempty(format) || streq(format, "table"))
                return 0;
        if (!streq(format, "json") && !streq(format, "{{json .}}"))
                return client_fail(c, -EOPNOTSUPP, "--format '%s': only 'json' and 'table' are supported",
                                   format);
        *ret_json = true;
        return 0;
}

/** short_id - without "sha256:" and cut to 12 digits, unless @no_trunc. */
int short_id(const char *id, bool no_trunc, char **ret) {
        const char *rest = startswith(id, "sha256:");

        *ret = no_trunc ? strdup(id) : strndup(rest ? rest : id, 12);
        return *ret ? 0 : -ENOMEM;
}

/** print_json_line - one object on one line of stdout. */
void print_json_line(json_object *o) {
        printf("%s\n", json_text(o));
}
