/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>

#include "../basic/file.h"
#include "../basic/str.h"
#include "container-options.h"

#define ENV_FILE_MAX (16 * 1024 * 1024)

/**
 * env_add - "K=V" as it is, "K" with our own value.
 * @unset: what a variable that we do not have means: the bare name, which takes it from the image's, or
 * nothing.
 */
int env_add(Client *c, json_object *array, const char *item, bool unset) {
        _cleanup_free_ char *whole = NULL;
        const char *value;

        if (item[0] == '=' || !item[0])
                return client_fail(c, -EINVAL, "invalid environment variable: %s", item);
        if (strchr(item, '='))
                return json_add_str(array, item);
        value = getenv(item);
        if (!value)
                return unset ? json_add_str(array, item) : 0;
        whole = str_concat(item, "=", value);
        return whole ? json_add_str(array, whole) : -ENOMEM;
}

/* Calls @add for each line that is neither empty nor a comment. */
static int for_each_line(Client *c, const char *path, void *userdata,
                         int (*add)(Client *c, void *userdata, const char *path, char *line)) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = read_file_at(AT_FDCWD, path, ENV_FILE_MAX, &text, &size);
        if (r < 0)
                return client_fail(c, r, "open %s: %s", path, strerror(-r));
        for (char *line = text; line;) {
                char *end = strchr(line, '\n'), *next = end ? end + 1 : NULL;

                if (end)
                        *end = 0;
                line += strspn(line, " \t");
                if (end > line && end[-1] == '\r')
                        end[-1] = 0;
                if (*line && *line != '#') {
                        r = add(c, userdata, path, line);
                        if (r < 0)
                                return r;
                }
                line = next;
        }
        return 0;
}

static int add_env_line(Client *c, void *userdata, const char *path, char *line) {
        size_t name = strcspn(line, "=");

        if (name == 0)
                return client_fail(c, -EINVAL, "invalid env file (%s): no variable name on line '%s'", path,
                                   line);
        if (strcspn(line, " \t") < name)
                return client_fail(c, -EINVAL, "invalid env file (%s): variable '%.*s' contains whitespaces",
                                   path, (int) name, line);
        return env_add(c, userdata, line, false);
}

/** env_add_files - the variables of each file, in order. */
int env_add_files(Client *c, json_object *array, const StringList *files) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < files->n; i++)
                r = for_each_line(c, files->items[i], array, add_env_line);
        return r;
}

static int add_label(json_object *o, const char *item) {
        _cleanup_free_ char *key = strndup(item, strcspn(item, "="));
        const char *eq = strchr(item, '=');

        return key ? json_set_str(o, key, eq ? eq + 1 : "") : -ENOMEM;
}

static int add_label_line(Client *c, void *userdata, const char *path, char *line) {
        return add_label(userdata, line);
}

/** labels_new - {"key":"value"} of --label-file and --label, the latter win. */
int labels_new(Client *c, const StringList *labels, const StringList *files, json_object **ret) {
        _cleanup_json_ json_object *o = json_object_new_object();
        int r = o ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < files->n; i++)
                r = for_each_line(c, files->items[i], o, add_label_line);
        for (size_t i = 0; r >= 0 && i < labels->n; i++)
                r = add_label(o, labels->items[i]);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(o);
        return 0;
}
