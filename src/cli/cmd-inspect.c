/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "../basic/str.h"
#include "command.h"

typedef struct InspectOptions {
        const char *format;
        const char *type;
        bool size;
} InspectOptions;

static const Flag inspect_flags[] = {
        { "format", 'f', FLAG_STRING, offsetof(InspectOptions, format), NULL,
          "Form of the output: 'json' puts each object on one line" },
        { "size", 's', FLAG_BOOL, offsetof(InspectOptions, size), NULL,
          "Tell the sizes of containers too" },
        { "type", 0, FLAG_STRING, offsetof(InspectOptions, type), NULL,
          "Look among these only: container or image" },
        {},
};

static int inspect(Client *c, const InspectOptions *o, const char *name, json_object **ret) {
        _cleanup_free_ char *container =
                        target_printf("/containers/", name, o->size ? "/json?size=1" : "/json");
        _cleanup_free_ char *image = target_printf("/images/", name, "/json");
        int r = -ENOENT;

        if (!container || !image)
                return -ENOMEM;
        if (isempty(o->type) || streq(o->type, "container")) {
                r = client_call(c, "GET", container, NULL, ret);
                if (r >= 0 || c->status != 404 || !isempty(o->type))
                        return r;
        }
        r = client_call(c, "GET", image, NULL, ret);
        if (r < 0 && c->status == 404 && isempty(o->type))
                return client_fail(c, r, "Error: No such object: %s", name);
        return r;
}

static void print_value(json_object *o, int indent);

/* Scripts compare with docker: four spaces a level, empty ones on one line. */
static void print_object(json_object *o, int indent) {
        bool first = true;

        json_object_object_foreach(o, key, value) {
                _cleanup_json_ json_object *name = json_object_new_string(key);

                printf("%s%*s%s: ", first ? "\n" : ",\n", indent + 4, "", name ? json_text(name) : "");
                print_value(value, indent + 4);
                first = false;
        }
        if (!first)
                printf("\n%*s", indent, "");
}

static void print_value(json_object *o, int indent) {
        size_t n;

        if (json_object_is_type(o, json_type_object)) {
                printf("{");
                print_object(o, indent);
                printf("}");
                return;
        }
        if (!json_object_is_type(o, json_type_array)) {
                fputs(o ? json_text(o) : "null", stdout);
                return;
        }
        n = json_object_array_length(o);
        printf("[");
        for (size_t i = 0; i < n; i++) {
                printf("%s%*s", i == 0 ? "\n" : ",\n", indent + 4, "");
                print_value(json_object_array_get_idx(o, i), indent + 4);
        }
        if (n > 0)
                printf("\n%*s", indent, "");
        printf("]");
}

static int exec_inspect(Client *c, void *options, char **args) {
        const InspectOptions *o = options;
        _cleanup_json_ json_object *list = json_object_new_array();
        bool lines = o->format && (streq(o->format, "json") || streq(o->format, "{{json .}}"));
        int r = list ? 0 : -ENOMEM, status = 0;

        if (!isempty(o->format) && !lines)
                r = client_fail(c, -EOPNOTSUPP, "--format '%s': templates are not supported, only 'json'",
                                o->format);
        else if (!isempty(o->type) && !streq(o->type, "container") && !streq(o->type, "image"))
                r = client_fail(c, -EINVAL, "\"%s\" is not a valid value for --type: 'container' or 'image'",
                                o->type);
        if (r < 0)
                return command_fail(c, 1);
        for (; *args; args++) {
                json_object *one = NULL;

                r = inspect(c, o, *args, &one);
                if (r >= 0)
                        r = json_add(list, one);
                if (r < 0)
                        status = command_fail(c, 1);
        }
        if (!lines) {
                print_value(list, 0);
                printf("\n");
                return status;
        }
        for (size_t i = 0; i < json_object_array_length(list); i++)
                printf("%s\n", json_text(json_object_array_get_idx(list, i)));
        return status;
}

const Command command_inspect = {
        .name = "inspect",
        .alias = "container inspect",
        .args = "NAME|ID [NAME|ID...]",
        .usage = "Print all that is known about containers and images",
        .flags = inspect_flags,
        .options_size = sizeof(InspectOptions),
        .args_min = 1,
        .args_max = ARGS_ANY,
        .exec = exec_inspect,
};
