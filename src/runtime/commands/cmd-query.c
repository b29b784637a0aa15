/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* list: all containers below the root directory. What cannot be read is told, and does not hide the others.
 */
#include <getopt.h>
#include <stdio.h>

#include "../../basic/str.h"
#include "../error.h"
#include "../runtime-log.h"
#include "../state.h"
#include "command.h"

typedef enum Format { FORMAT_TABLE, FORMAT_JSON, FORMAT_QUIET } Format;

static int parse_format(int argc, char **argv, Format *ret) {
        static const struct option options[] = { { "format", required_argument, NULL, 'f' },
                                                 { "quiet", no_argument, NULL, 'q' }, {} };
        Format format = FORMAT_TABLE;
        bool quiet = false;
        int c;

        optind = 0;
        while ((c = getopt_long(argc, argv, "f:q", options, NULL)) >= 0) {
                if (c == 'q')
                        quiet = true;
                else if (c != 'f')
                        return command_bad_option(argv);
                else if (streq(optarg, "json"))
                        format = FORMAT_JSON;
                else if (streq(optarg, "table"))
                        format = FORMAT_TABLE;
                else
                        return fail_text(EINVAL, "--format \"%s\": expected table or json", optarg);
        }
        if (optind < argc)
                return command_usage(argv[0], "expected no arguments");
        *ret = quiet ? FORMAT_QUIET : format;
        return 0;
}

static int add_to_list(const char *root, const char *id, json_object *list) {
        _cleanup_state_ State s = STATE_INIT;
        json_object *o = NULL;
        int r;

        r = state_load(root, id, false, &s);
        if (r == -ENOENT) /* deleted meanwhile, or no directory */
                return 0;
        if (r >= 0)
                r = state_to_oci(&s, state_status(&s), &o);
        if (r >= 0)
                r = state_add_owner(&s, o);
        if (r == -ENOMEM) {
                json_object_put(o);
                return r;
        }
        if (r < 0) {
                json_object_put(o);
                runtime_warning("list: %s", fail_message());
                return 0;
        }
        return json_add(list, o);
}

#define COLUMNS 6

/* As wide as the widest, and three spaces between. */
static int print_table(json_object *list) {
        static const char *const heads[COLUMNS] = { "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER" };
        static const char *const keys[COLUMNS] = { "id", "pid", "status", "bundle", "created", "owner" };
        size_t n = json_object_array_length(list);
        int width[COLUMNS];

        for (size_t c = 0; c < COLUMNS; c++) {
                width[c] = 9;
                for (size_t i = 0; i < n; i++) {
                        json_object *v = json_get(json_object_array_get_idx(list, i), keys[c]);

                        width[c] = MAX(width[c], (int) strlen(strempty(json_object_get_string(v))));
                }
        }
        for (size_t row = 0; row <= n; row++)
                for (size_t c = 0; c < COLUMNS; c++) {
                        json_object *o = row > 0 ? json_object_array_get_idx(list, row - 1) : NULL;
                        const char *text = o ? strempty(json_object_get_string(json_get(o, keys[c])))
                                             : heads[c];

                        if (c + 1 < COLUMNS)
                                (void) printf("%-*s   ", width[c], text);
                        else
                                (void) puts(text);
                }
        return 0;
}

/** cmd_list - berth-runtime list. */
int cmd_list(const Globals *g, int argc, char **argv) {
        _cleanup_json_ json_object *list = json_object_new_array();
        _cleanup_strv_ char **ids = NULL;
        Format format = FORMAT_TABLE;
        int r;

        if (!list)
                return -ENOMEM;
        r = parse_format(argc, argv, &format);
        if (r >= 0)
                r = state_list(g->root, &ids);
        if (r < 0)
                return r;
        for (char **id = ids; *id; id++) {
                if (format == FORMAT_QUIET)
                        (void) puts(*id);
                else
                        r = add_to_list(g->root, *id, list);
                if (r < 0)
                        return r;
        }
        if (format == FORMAT_JSON)
                (void) puts(json_text(list));
        return format == FORMAT_TABLE ? print_table(list) : 0;
}
