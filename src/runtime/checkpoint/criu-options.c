/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options that checkpoint and restore share, and those that come from the container's configuration. */
#include <sched.h>
#include <unistd.h>

#include "../../basic/str.h"
#include "../error.h"
#include "checkpoint.h"

#define LOG_LEVEL 4
#define CONFIG_ANNOTATION "org.criu.config"

/* criu's own configuration file for calls like ours. What it says goes before what we say. */
static int add_configuration(CriuCall *c, const Spec *s) {
        /* Those of others are what administrators have. */
        static const char *const defaults[] = { "/etc/criu/berth-runtime.conf", "/etc/criu/crun.conf",
                                                "/etc/criu/runc.conf" };
        const char *path = s->annotations ? json_string_or(s->annotations, CONFIG_ANNOTATION, NULL) : NULL;
        int r;

        if (path && path[0] && access(path, R_OK) < 0)
                return fail_errno(errno, "config.json: annotations: " CONFIG_ANNOTATION ": %s", path);
        for (size_t i = 0; !path && i < ELEMENTSOF(defaults); i++)
                if (access(defaults[i], F_OK) >= 0)
                        path = defaults[i];
        if (isempty(path))
                return 0;
        r = criu_require(CRIU_FLOOR, path);
        criu_add_text(c, CRIU_CONFIG_FILE, path);
        return r;
}

static int add_rare(CriuCall *c, const CriuOptions *o) {
        const struct {
                CriuOption number;
                const char *name;
                bool given;
        } rare[] = { { CRIU_LAZY_PAGES, "--lazy-pages", o->lazy_pages },
                     { CRIU_TCP_CLOSE, "--tcp-close", o->tcp_close },
                     { CRIU_TCP_SKIP_IN_FLIGHT, "--tcp-skip-in-flight", o->tcp_skip_in_flight },
                     { CRIU_LINK_REMAP, "--link-remap", o->link_remap } };

        for (size_t i = 0; i < ELEMENTSOF(rare); i++)
                if (rare[i].given) {
                        int r = criu_require(CRIU_FLOOR, rare[i].name);

                        if (r < 0)
                                return r;
                        criu_add_number(c, rare[i].number, true);
                }
        return 0;
}

/** criu_add_common - the options that dump and restore share. Return: 0, or -errno with a message. */
int criu_add_common(CriuCall *c, const CriuOptions *o, const Spec *s, const ImageDir *d, const char *log) {
        int r;

        c->images_path = d->path;
        c->work_path = d->work_path;
        c->images_fd = d->fd;
        c->work_fd = d->work_fd;
        c->log = log;
        criu_add_text(c, CRIU_LOG_FILE, log);
        criu_add_number(c, CRIU_LOG_LEVEL, LOG_LEVEL);
        criu_add_number(c, CRIU_CGROUP_MODE, (uint64_t) o->cgroup_mode);
        criu_add_number(c, CRIU_TCP_ESTABLISHED, o->tcp_established);
        criu_add_number(c, CRIU_EXT_UNIX_SK, o->ext_unix_sk);
        criu_add_number(c, CRIU_SHELL_JOB, o->shell_job);
        criu_add_number(c, CRIU_FILE_LOCKS, o->file_locks);
        criu_add_number(c, CRIU_AUTO_DEDUP, o->auto_dedup);
        if (o->empty_network)
                criu_add_number(c, CRIU_EMPTY_NS, CLONE_NEWNET);
        /* A device is found again by its number if its path is not there. */
        criu_add_number(c, CRIU_EVASIVE_DEVICES, true);
        /* The other end of a container's terminal is always outside. That of another one is replaced in the
         * same way, unless it is to become the caller's. */
        criu_add_number(c, CRIU_ORPHAN_PTS_MASTER, s->process.terminal || !o->shell_job);
        r = add_rare(c, o);
        return r < 0 ? r : add_configuration(c, s);
}
