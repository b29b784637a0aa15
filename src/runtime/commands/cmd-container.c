/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* start, state, kill, delete, pause, resume: commands on one existing container. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "../cgroup/cgroup.h"
#include "../container.h"
#include "../error.h"
#include "command.h"

static int only_id(int argc, char **argv, const char **ret) {
        static const struct option none[] = { {} };

        optind = 0;
        if (getopt_long(argc, argv, "", none, NULL) >= 0)
                return command_bad_option(argv);
        return command_single_id(argc, argv, optind, ret);
}

/** cmd_start - berth-runtime start. */
int cmd_start(const Globals *g, int argc, char **argv) {
        const char *id;
        int r = only_id(argc, argv, &id);

        return r < 0 ? r : container_start(g->root, id);
}

/** cmd_state - berth-runtime state. */
int cmd_state(const Globals *g, int argc, char **argv) {
        _cleanup_state_ State s = STATE_INIT;
        _cleanup_json_ json_object *o = NULL;
        const char *id;
        int r;

        r = only_id(argc, argv, &id);
        if (r >= 0)
                r = state_load(g->root, id, false, &s);
        if (r >= 0)
                r = state_to_oci(&s, state_status(&s), &o);
        if (r >= 0)
                r = state_add_owner(&s, o);
        /* As crun has it: who made a container with systemd's help asks for its scope. */
        if (r >= 0 && s.scope)
                r = json_set_str(o, "systemd-scope", s.scope);
        if (r < 0)
                return r;
        (void) puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                                      JSON_C_TO_STRING_NOSLASHESCAPE));
        return 0;
}

typedef struct KillOptions {
        int sig;
        bool all;
} KillOptions;

static int kill_one(const Globals *g, const char *id, const void *userdata) {
        const KillOptions *o = userdata;

        return container_kill(g->root, id, o->sig, o->all);
}

/** cmd_kill - berth-runtime kill [--all] [--regex] ID [SIGNAL]. */
int cmd_kill(const Globals *g, int argc, char **argv) {
        static const struct option options[] = { { "all", no_argument, NULL, 'a' },
                                                 { "regex", no_argument, NULL, 'r' },
                                                 {} };
        bool regex = false;
        KillOptions o = {};
        int c;

        optind = 0;
        while ((c = getopt_long(argc, argv, "ar", options, NULL)) >= 0) {
                if (c != 'a' && c != 'r')
                        return command_bad_option(argv);
                o.all = o.all || c == 'a';
                regex = regex || c == 'r';
        }
        if (argc - optind < 1 || argc - optind > 2)
                return command_usage(argv[0], "expected a container id and at most one signal");
        o.sig = argc - optind < 2                ? SIGTERM :
                streq(argv[optind + 1], "0") ? 0 : /* only asks whether there is somebody */
                                                   signal_from_string(argv[optind + 1]);
        if (o.sig < 0)
                return fail_text(EINVAL, "unknown signal \"%s\"", argv[optind + 1]);
        return regex ? command_for_matching(g, argv[optind], kill_one, &o) : kill_one(g, argv[optind], &o);
}

static int delete_one(const Globals *g, const char *id, const void *force) {
        return container_delete(g->root, id, *(const bool *) force);
}

/** cmd_delete - berth-runtime delete [--force] [--regex] ID. */
int cmd_delete(const Globals *g, int argc, char **argv) {
        static const struct option options[] = { { "force", no_argument, NULL, 'f' },
                                                 { "regex", no_argument, NULL, 'r' },
                                                 {} };
        bool force = false, regex = false;
        const char *id;
        int c, r;

        optind = 0;
        while ((c = getopt_long(argc, argv, "fr", options, NULL)) >= 0) {
                if (c != 'f' && c != 'r')
                        return command_bad_option(argv);
                force = force || c == 'f';
                regex = regex || c == 'r';
        }
        r = command_single_id(argc, argv, optind, &id);
        if (r < 0)
                return r;
        return regex ? command_for_matching(g, id, delete_one, &force) : delete_one(g, id, &force);
}

static int set_frozen(const Globals *g, int argc, char **argv, bool freeze) {
        _cleanup_state_ State s = STATE_INIT;
        _cleanup_close_ int cgroup = -EBADF;
        ContainerStatus status;
        const char *id;
        int r;

        r = only_id(argc, argv, &id);
        if (r >= 0)
                r = state_load(g->root, id, true, &s);
        if (r < 0)
                return r;
        status = state_status(&s);
        if (status == STATUS_CREATING || status == STATUS_STOPPED)
                return fail_text(ESRCH, "cannot %s: container not running: \"%s\" is %s", argv[0], id,
                                 status_to_string(status));
        if (!freeze && status != STATUS_PAUSED)
                return fail_text(EINVAL, "cannot resume: container not paused: \"%s\" is %s", id,
                                 status_to_string(status));
        cgroup = cgroup_open(s.cgroup);
        return cgroup < 0 ? cgroup : cgroup_freeze(cgroup, freeze);
}

/** cmd_pause - berth-runtime pause. */
int cmd_pause(const Globals *g, int argc, char **argv) {
        return set_frozen(g, argc, argv, true);
}

/** cmd_resume - berth-runtime resume. */
int cmd_resume(const Globals *g, int argc, char **argv) {
        return set_frozen(g, argc, argv, false);
}
