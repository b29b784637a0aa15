/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <time.h>

#include "../basic/str.h"
#include "command.h"
#include "human.h"
#include "list-output.h"

typedef struct ImagesOptions {
        bool all;
        bool digests;
        bool no_trunc;
        bool quiet;
        const char *format;
        StringList filter;
} ImagesOptions;

static const Flag images_flags[] = {
        { "all", 'a', FLAG_BOOL, offsetof(ImagesOptions, all), NULL,
          "List intermediate images too" },
        { "digests", 0, FLAG_BOOL, offsetof(ImagesOptions, digests), NULL, "Show digests" },
        { "filter", 'f', FLAG_LIST, offsetof(ImagesOptions, filter), "filter",
          "List only what matches (NAME=VALUE)" },
        { "format", 0, FLAG_STRING, offsetof(ImagesOptions, format), NULL,
          "Form of the output: 'table' or 'json'" },
        { "no-trunc", 0, FLAG_BOOL, offsetof(ImagesOptions, no_trunc), NULL, "Cut nothing short" },
        { "quiet", 'q', FLAG_BOOL, offsetof(ImagesOptions, quiet), NULL, "Print ids only" },
        {},
};

#define NONE "<none>"

typedef struct Row {
        const char *repository;
        const char *tag;
        const char *digest;
        const char *id;
        char since[HUMAN_MAX];
        char date[HUMAN_MAX];
        char size[HUMAN_MAX];
} Row;

typedef struct Listing {
        const ImagesOptions *options;
        bool as_json;
        Table table;
} Listing;

static int print_json(const Row *row) {
        _cleanup_json_ json_object *o = json_object_new_object();
        const struct {
                const char *key;
                const char *value;
        } pairs[] = {
                { "Containers", "N/A" },    { "CreatedAt", row->date }, { "CreatedSince", row->since },
                { "Digest", row->digest },  { "ID", row->id },          { "Repository", row->repository },
                { "SharedSize", "N/A" },    { "Size", row->size },      { "Tag", row->tag },
                { "UniqueSize", "N/A" },    { "VirtualSize", row->size },
        };
        int r = o ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(pairs); i++)
                r = json_set_str(o, pairs[i].key, pairs[i].value);
        if (r >= 0)
                print_json_line(o);
        return r;
}

static int add_row(Listing *l, const Row *row) {
        const char *const cells[] = {
                row->repository, row->tag, row->digest, row->id, row->since, row->size
        };
        int r = 0;

        if (l->as_json)
                return print_json(row);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(cells); i++)
                if (i != 2 || l->options->digests)
                        r = table_add(&l->table, cells[i]);
        return r;
}

/* The digest that belongs to a repository, of the image's "repository@digest" list. */
static const char *digest_of(json_object *image, const char *repository) {
        json_object *digests;

        if (json_get_array(image, "RepoDigests", &digests) <= 0)
                return NONE;
        for (size_t i = 0; i < json_object_array_length(digests); i++) {
                const char *s = json_object_get_string(json_object_array_get_idx(digests, i)),
                           *at = strchr(s, '@');

                if (at && (size_t) (at - s) == strlen(repository) && startswith(s, repository))
                        return at + 1;
        }
        return NONE;
}

static int add_tagged(Listing *l, json_object *image, Row *row, const char *name) {
        const char *slash = strrchr(name, '/'), *colon = strrchr(slash ? slash : name, ':');
        _cleanup_free_ char *repository = colon ? strndup(name, (size_t) (colon - name)) : strdup(name);

        if (!repository)
                return -ENOMEM;
        row->repository = repository;
        row->tag = colon ? colon + 1 : NONE;
        row->digest = digest_of(image, repository);
        return add_row(l, row);
}

static int add_untagged(Listing *l, json_object *image, Row *row) {
        json_object *digests;
        const char *name = NONE "@" NONE, *at;
        _cleanup_free_ char *repository = NULL;

        if (json_get_array(image, "RepoDigests", &digests) > 0 && json_object_array_length(digests) > 0)
                name = json_object_get_string(json_object_array_get_idx(digests, 0));
        at = strchrnul(name, '@');
        repository = strndup(name, (size_t) (at - name));
        if (!repository)
                return -ENOMEM;
        row->repository = repository;
        row->tag = NONE;
        row->digest = *at ? at + 1 : NONE;
        return add_row(l, row);
}

static int add_image(Listing *l, json_object *image) {
        _cleanup_free_ char *id = NULL;
        int64_t created = 0, size = 0;
        json_object *tags;
        Row row = {};
        size_t n = 0;
        int r;

        r = short_id(json_string_or(image, "Id", ""), l->options->no_trunc, &id);
        if (r < 0)
                return r;
        if (l->options->quiet && !l->as_json) {
                printf("%s\n", id);
                return 0;
        }
        (void) json_get_int(image, "Created", 0, INT64_MAX, &created);
        (void) json_get_int(image, "Size", 0, INT64_MAX, &size);
        row.id = id;
        human_ago(created, (int64_t) time(NULL), row.since);
        human_date(created, row.date);
        human_size(size, 3, row.size);
        if (json_get_array(image, "RepoTags", &tags) > 0)
                n = json_object_array_length(tags);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = add_tagged(l, image, &row, json_object_get_string(json_object_array_get_idx(tags, i)));
        return n > 0 ? r : add_untagged(l, image, &row);
}

static int print_all(const ImagesOptions *o, json_object *list, bool as_json) {
        static const char *const titles[] = { "REPOSITORY", "TAG", "DIGEST", "IMAGE ID", "CREATED", "SIZE" };
        Listing l = { .options = o, .as_json = as_json, .table = { .n_columns = o->digests ? 6 : 5 } };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(titles); i++)
                if (i != 2 || o->digests)
                        r = table_add(&l.table, titles[i]);
        for (size_t i = 0; r >= 0 && i < json_object_array_length(list); i++)
                r = add_image(&l, json_object_array_get_idx(list, i));
        if (r >= 0 && !as_json && !o->quiet)
                r = table_print(&l.table);
        table_done(&l.table);
        return r;
}

static int exec_images(Client *c, void *options, char **args) {
        ImagesOptions *o = options;
        _cleanup_buffer_ Buffer target = BUFFER_INIT(HTTP_HEAD_MAX);
        _cleanup_free_ char *reference = NULL;
        _cleanup_json_ json_object *list = NULL;
        bool as_json;
        int r;

        r = format_check(c, o->format, &as_json);
        if (r >= 0)
                r = buffer_append_str(&target, "/images/json");
        if (r >= 0 && o->all)
                r = query_add(&target, "all", "1");
        if (r >= 0 && args[0]) {
                reference = str_concat("reference=", args[0]);
                r = reference ? string_list_add(&o->filter, reference) : -ENOMEM;
        }
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

const Command command_images = {
        .name = "images",
        .alias = "image ls",
        .args = "[REPOSITORY[:TAG]]",
        .usage = "List images",
        .flags = images_flags,
        .options_size = sizeof(ImagesOptions),
        .args_max = 1,
        .exec = exec_images,
};
