/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "../basic/str.h"
#include "command.h"
#include "human.h"
#include "list-output.h"

typedef struct PsOptions {
        bool all;
        bool latest;
        bool no_trunc;
        bool quiet;
        bool size;
        int64_t last;
        const char *format;
        StringList filter;
} PsOptions;

static const PsOptions defaults = { .last = -1 };

static const Flag ps_flags[] = {
        { "all", 'a', FLAG_BOOL, offsetof(PsOptions, all), NULL, "List stopped containers too" },
        { "filter", 'f', FLAG_LIST, offsetof(PsOptions, filter), "filter",
          "List only what matches (NAME=VALUE)" },
        { "format", 0, FLAG_STRING, offsetof(PsOptions, format), NULL,
          "Form of the output: 'table' or 'json'" },
        { "last", 'n', FLAG_INT, offsetof(PsOptions, last), NULL,
          "List the N newest containers, stopped ones too" },
        { "latest", 'l', FLAG_BOOL, offsetof(PsOptions, latest), NULL,
          "List the newest container only, stopped or not" },
        { "no-trunc", 0, FLAG_BOOL, offsetof(PsOptions, no_trunc), NULL, "Cut nothing short" },
        { "quiet", 'q', FLAG_BOOL, offsetof(PsOptions, quiet), NULL, "Print ids only" },
        { "size", 's', FLAG_BOOL, offsetof(PsOptions, size), NULL,
          "Show how much each container has written" },
        {},
};

/* What the list says of one container, in words. */
typedef struct Row {
        char *id;
        char *command; /* quoted, cut unless --no-trunc */
        Buffer names;
        Buffer ports;
        Buffer mounts;
        Buffer networks;
        Buffer labels;
        char created[HUMAN_MAX];
        char running_for[HUMAN_MAX];
        char size[2 * HUMAN_MAX + 16];
} Row;

#define CELL_MAX (64 * 1024)

static void row_done(Row *r) {
        r->id = mfree(r->id);
        r->command = mfree(r->command);
        buffer_done(&r->names);
        buffer_done(&r->ports);
        buffer_done(&r->mounts);
        buffer_done(&r->networks);
        buffer_done(&r->labels);
}

static int add_item(Buffer *b, const char *separator, const char *item) {
        int r = b->size > 0 ? buffer_append_str(b, separator) : 0;

        return r < 0 ? r : buffer_append_str(b, item);
}

static int render_names(json_object *o, Buffer *b) {
        json_object *names;
        int r = 0;

        if (json_get_array(o, "Names", &names) <= 0)
                return 0;
        for (size_t i = 0; r >= 0 && i < json_object_array_length(names); i++) {
                const char *name = json_object_get_string(json_object_array_get_idx(names, i));

                r = add_item(b, ",", name[0] == '/' ? name + 1 : name);
        }
        return r;
}

static int render_ports(json_object *o, Buffer *b) {
        json_object *ports;
        int r = 0;

        if (json_get_array(o, "Ports", &ports) <= 0)
                return 0;
        for (size_t i = 0; r >= 0 && i < json_object_array_length(ports); i++) {
                json_object *p = json_object_array_get_idx(ports, i);
                const char *type = json_string_or(p, "Type", "tcp"), *ip = json_string_or(p, "IP", "");
                int64_t inner = 0, outer = 0;
                _cleanup_free_ char *text = NULL;

                (void) json_get_int(p, "PrivatePort", 0, 65535, &inner);
                (void) json_get_int(p, "PublicPort", 0, 65535, &outer);
                text = outer == 0         ? str_printf("%d/%s", (int) inner, type)
                       : strchr(ip, ':') ? str_printf("[%s]:%d->%d/%s", ip, (int) outer, (int) inner, type)
                                          : str_printf("%s:%d->%d/%s", ip, (int) outer, (int) inner, type);
                r = text ? add_item(b, ", ", text) : -ENOMEM;
        }
        return r;
}

static int render_mounts(json_object *o, bool no_trunc, Buffer *b) {
        json_object *mounts;
        int r = 0;

        if (json_get_array(o, "Mounts", &mounts) <= 0)
                return 0;
        for (size_t i = 0; r >= 0 && i < json_object_array_length(mounts); i++) {
                json_object *m = json_object_array_get_idx(mounts, i);
                const char *name = json_string_or(m, "Name", "");
                _cleanup_free_ char *cut = NULL;

                r = text_truncate(*name ? name : json_string_or(m, "Source", ""), no_trunc ? SIZE_MAX : 15,
                                  &cut);
                if (r >= 0)
                        r = add_item(b, ",", cut);
        }
        return r;
}

static int render_maps(json_object *o, Row *row) {
        json_object *networks = json_get(json_get(o, "NetworkSettings"), "Networks"),
                    *labels = json_get(o, "Labels");
        int r = 0;

        if (networks && json_object_is_type(networks, json_type_object)) {
                json_object_object_foreach(networks, name, network) {
                        (void) network;
                        if (r >= 0)
                                r = add_item(&row->networks, ",", name);
                }
        }
        if (labels && json_object_is_type(labels, json_type_object)) {
                json_object_object_foreach(labels, key, value) {
                        _cleanup_free_ char *text =
                                        str_concat(key, "=", strempty(json_object_get_string(value)));

                        if (r >= 0)
                                r = text ? add_item(&row->labels, ",", text) : -ENOMEM;
                }
        }
        return r;
}

static int render_command(json_object *o, bool no_trunc, char **ret) {
        _cleanup_free_ char *cut = NULL;
        _cleanup_buffer_ Buffer b = BUFFER_INIT(CELL_MAX * 4);
        int r;

        r = text_truncate(json_string_or(o, "Command", ""), no_trunc ? SIZE_MAX : 20, &cut);
        if (r >= 0)
                r = buffer_append_str(&b, "\"");
        for (const char *p = cut; r >= 0 && *p; p++)
                r = *p == '"' || *p == '\\' ? buffer_appendf(&b, "\\%c", *p)
                    : *p == '\n'            ? buffer_append_str(&b, "\\n")
                    : *p == '\t'            ? buffer_append_str(&b, "\\t")
                    : *p == '\r'            ? buffer_append_str(&b, "\\r")
                    : (unsigned char) *p < 0x20 || *p == 0x7f
                                    ? buffer_appendf(&b, "\\x%02x", (unsigned char) *p)
                                    : buffer_append(&b, p, 1);
        if (r >= 0)
                r = buffer_append_str(&b, "\"");
        if (r < 0)
                return r;
        *ret = buffer_take(&b);
        return 0;
}

static void render_size(json_object *o, Row *row) {
        char rw[HUMAN_MAX], root[HUMAN_MAX];
        int64_t bytes = 0, all = 0;

        (void) json_get_int(o, "SizeRw", 0, INT64_MAX, &bytes);
        (void) json_get_int(o, "SizeRootFs", 0, INT64_MAX, &all);
        human_size(bytes, 3, rw);
        human_size(all, 3, root);
        if (all > 0)
                (void) snprintf(row->size, sizeof(row->size), "%s (virtual %s)", rw, root);
        else
                (void) snprintf(row->size, sizeof(row->size), "%s", rw);
}

static int row_render(json_object *o, bool no_trunc, Row *row) {
        int64_t created = 0;
        int r;

        *row = (Row){ .names = BUFFER_INIT(CELL_MAX),
                      .ports = BUFFER_INIT(CELL_MAX),
                      .mounts = BUFFER_INIT(CELL_MAX),
                      .networks = BUFFER_INIT(CELL_MAX),
                      .labels = BUFFER_INIT(1024 * 1024) };
        (void) json_get_int(o, "Created", 0, INT64_MAX, &created);
        human_ago(created, (int64_t) time(NULL), row->running_for);
        human_date(created, row->created);
        render_size(o, row);
        r = short_id(json_string_or(o, "Id", ""), no_trunc, &row->id);
        if (r >= 0)
                r = render_command(o, no_trunc, &row->command);
        if (r >= 0)
                r = render_names(o, &row->names);
        if (r >= 0)
                r = render_ports(o, &row->ports);
        if (r >= 0)
                r = render_mounts(o, no_trunc, &row->mounts);
        return r < 0 ? r : render_maps(o, row);
}

static int64_t count_volumes(json_object *o) {
        json_object *mounts;
        int64_t n = 0;

        if (json_get_array(o, "Mounts", &mounts) > 0)
                for (size_t i = 0; i < json_object_array_length(mounts); i++)
                        n += streq(json_string_or(json_object_array_get_idx(mounts, i), "Type", ""),
                                   "volume");
        return n;
}

static int print_json(json_object *o, const Row *row) {
        _cleanup_json_ json_object *line = json_object_new_object();
        char volumes[32];
        const struct {
                const char *key;
                const char *value;
        } pairs[] = {
                { "Command", row->command },
                { "CreatedAt", row->created },
                { "ID", row->id },
                { "Image", json_string_or(o, "Image", "") },
                { "Labels", strempty(row->labels.data) },
                { "LocalVolumes", volumes },
                { "Mounts", strempty(row->mounts.data) },
                { "Names", strempty(row->names.data) },
                { "Networks", strempty(row->networks.data) },
                { "Ports", strempty(row->ports.data) },
                { "RunningFor", row->running_for },
                { "Size", row->size },
                { "State", json_string_or(o, "State", "") },
                { "Status", json_string_or(o, "Status", "") },
        };
        int r = line ? 0 : -ENOMEM;

        (void) snprintf(volumes, sizeof(volumes), "%" PRId64, count_volumes(o));
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(pairs); i++)
                r = json_set_str(line, pairs[i].key, pairs[i].value);
        if (r >= 0)
                print_json_line(line);
        return r;
}

static int add_row(Table *t, const PsOptions *o, json_object *container, const Row *row) {
        const char *const cells[] = { row->id,
                                      json_string_or(container, "Image", ""),
                                      row->command,
                                      row->running_for,
                                      json_string_or(container, "Status", ""),
                                      strempty(row->ports.data),
                                      strempty(row->names.data),
                                      row->size };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(cells) - (o->size ? 0 : 1); i++)
                r = table_add(t, cells[i]);
        return r;
}

static int print_all(const PsOptions *o, json_object *list, bool as_json) {
        static const char *const titles[] = { "CONTAINER ID", "IMAGE", "COMMAND", "CREATED",
                                              "STATUS",       "PORTS", "NAMES",   "SIZE" };
        _cleanup_table_ Table t = { .n_columns = ELEMENTSOF(titles) - (o->size ? 0 : 1) };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < t.n_columns; i++)
                r = table_add(&t, titles[i]);
        for (size_t i = 0; r >= 0 && i < json_object_array_length(list); i++) {
                json_object *container = json_object_array_get_idx(list, i);
                Row row = {};

                r = row_render(container, o->no_trunc, &row);
                if (r >= 0 && as_json)
                        r = print_json(container, &row);
                else if (r >= 0 && o->quiet)
                        printf("%s\n", row.id);
                else if (r >= 0)
                        r = add_row(&t, o, container, &row);
                row_done(&row);
        }
        return r < 0 || as_json || o->quiet ? r : table_print(&t);
}

static int exec_ps(Client *c, void *options, char **args) {
        const PsOptions *o = options;
        _cleanup_buffer_ Buffer target = BUFFER_INIT(HTTP_HEAD_MAX);
        _cleanup_json_ json_object *list = NULL;
        int64_t last = o->latest ? 1 : o->last;
        bool as_json;
        char n[32];
        int r;

        r = format_check(c, o->format, &as_json);
        if (r >= 0)
                r = buffer_append_str(&target, "/containers/json");
        if (r >= 0 && o->all)
                r = query_add(&target, "all", "1");
        if (r >= 0 && last > 0) {
                (void) snprintf(n, sizeof(n), "%" PRId64, last);
                r = query_add(&target, "limit", n);
        }
        if (r >= 0 && o->size)
                r = query_add(&target, "size", "1");
        if (r >= 0)
                r = filters_add(c, &target, &o->filter);
        if (r >= 0)
                r = client_call(c, "GET", target.data, NULL, &list);
        if (r >= 0 && !json_object_is_type(list, json_type_array))
                r = client_fail(c, -EBADMSG, "berth at %s answered without a list", c->host);
        if (r >= 0)
                r = print_all(o, list, as_json);
        return r < 0 ? command_fail(c, 1) : 0;
}

const Command command_ps = {
        .name = "ps",
        .alias = "container ls",
        .args = "",
        .usage = "List containers",
        .flags = ps_flags,
        .options_size = sizeof(PsOptions),
        .options = &defaults,
        .exec = exec_ps,
};
