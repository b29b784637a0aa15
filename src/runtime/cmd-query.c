/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* list and ps. */
#include <getopt.h>
#include <stdio.h>

#include "../basic/fd.h"
#include "../basic/str.h"
#include "cgroup.h"
#include "command.h"
#include "error.h"
#include "pid-namespace.h"
#include "state.h"

typedef enum Format { FORMAT_TABLE, FORMAT_JSON } Format;

static int parse_format(int argc, char **argv, Format *ret, bool *ret_quiet) {
        static const struct option options[] = { { "format", required_argument, NULL, 'f' },
                                                 { "quiet", no_argument, NULL, 'q' }, {} };
        int c;

        *ret = FORMAT_TABLE;
        optind = 1;
        while ((c = getopt_long(argc, argv, ret_quiet ? "+f:q" : "+f:", options, NULL)) >= 0) {
                if (c == 'q' && ret_quiet)
                        *ret_quiet = true;
                else if (c != 'f')
                        return command_usage(argv[0], NULL);
                else if (streq(optarg, "json"))
                        *ret = FORMAT_JSON;
                else if (!streq(optarg, "table"))
                        return fail_text(EINVAL, "--format \"%s\": expected table or json", optarg);
        }
        return 0;
}

static int add_to_list(const char *root, const char *id, json_object *list) {
        _cleanup_state_ State s = STATE_INIT;
        json_object *o;
        int r;

        r = state_load(root, id, false, &s);
        if (r == -ENOENT) /* deleted meanwhile */
                return 0;
        if (r >= 0)
                r = state_to_oci(&s, state_status(&s), &o);
        return r < 0 ? r : json_add(list, o);
}

/** cmd_list - berth-runtime list. */
int cmd_list(const Globals *g, int argc, char **argv) {
        _cleanup_json_ json_object *list = json_object_new_array();
        _cleanup_strv_ char **ids = NULL;
        bool quiet = false;
        Format format;
        int r;

        r = parse_format(argc, argv, &format, &quiet);
        if (r >= 0)
                r = state_list(g->root, &ids);
        for (char **id = ids; r >= 0 && *id; id++)
                r = add_to_list(g->root, *id, list);
        if (r < 0)
                return r;
        if (format == FORMAT_JSON && !quiet) {
                (void) puts(json_text(list));
                return 0;
        }
        if (!quiet)
                (void) printf("%-12s %-10s %-10s %-40s %s\n", "ID", "PID", "STATUS", "BUNDLE", "CREATED");
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                json_object *o = json_object_array_get_idx(list, i);

                if (quiet)
                        (void) puts(json_string_or(o, "id", ""));
                else
                        (void) printf("%-12s %-10d %-10s %-40s %s\n", json_string_or(o, "id", ""),
                                      json_object_get_int(json_get(o, "pid")),
                                      json_string_or(o, "status", ""), json_string_or(o, "bundle", ""),
                                      json_string_or(o, "created", ""));
        }
        return 0;
}

/** cmd_ps - berth-runtime ps: the host pids of a container's processes. */
int cmd_ps(const Globals *g, int argc, char **argv) {
        _cleanup_state_ State s = STATE_INIT;
        _cleanup_close_ int cgroup = -EBADF;
        _cleanup_free_ pid_t *pids = NULL;
        Format format;
        size_t n;
        int r;

        r = parse_format(argc, argv, &format, NULL);
        if (r < 0)
                return r;
        if (optind >= argc)
                return command_usage(argv[0], "expected a container id");
        if (optind + 1 < argc)
                return fail_text(EOPNOTSUPP, "ps: options of ps(1) are not supported");
        r = state_load(g->root, argv[optind], false, &s);
        if (r < 0)
                return r;
        if (state_status(&s) == STATUS_STOPPED)
                return fail_text(ESRCH, "container \"%s\" is not running", s.id);
        if (s.cgroup) {
                cgroup = cgroup_open(s.cgroup);
                if (cgroup < 0)
                        return cgroup;
                r = cgroup_pids(cgroup, &pids, &n);
                if (r < 0)
                        return fail_errno(r, "processes of container \"%s\"", s.id);
        } else {
                r = pid_namespace_pids(s.pid, &pids, &n);
                if (r < 0)
                        return r;
        }
        (void) fputs(format == FORMAT_JSON ? "[" : "PID\n", stdout);
        for (size_t i = 0; i < n; i++)
                (void) printf(format == FORMAT_JSON ? "%s%d" : "%s%d\n",
                              format == FORMAT_JSON && i > 0 ? "," : "", (int) pids[i]);
        (void) fputs(format == FORMAT_JSON ? "]\n" : "", stdout);
        return 0;
}
