/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "../basic/hashmap.h"
#include "../basic/macro.h"

typedef struct Container Container;
typedef struct HttpServer HttpServer;
typedef struct ImageStore ImageStore;
typedef struct Manager Manager;
typedef struct WorkerJob WorkerJob;

/*
 * The one object of berthd: everything hangs off it. Containers are what lies in BERTH_CONTAINERS_DIR; the
 * two maps are indexes that a restart rebuilds.
 */
struct Manager {
        sd_event *event;
        sd_bus *bus; /* the system bus: PID 1, polkit, our own name */
        HttpServer *http;
        ImageStore *images;

        Hashmap *containers; /* id -> Container */
        Hashmap *names;      /* name -> Container */
        Hashmap *execs;      /* exec id -> Exec */
        struct UnitJob *jobs; /* see units.c */
        struct Kick *kick;
        int engine_fd;          /* listener of BERTH_ENGINE_SOCKET */
        int containers_fd;      /* O_PATH of BERTH_CONTAINERS_DIR */
        sd_event_source *idle_source;
        usec_t idle_timeout;
        unsigned busy; /* things that forbid leaving when idle */
        unsigned n_workers; /* berth-worker children, see worker-job.c */
        WorkerJob *internal_jobs;
        usec_t started_at;
        void *dbus; /* skin's own, see dbus/ */
};

int manager_new(Manager **ret);
Manager *manager_free(Manager *m);
DEFINE_CLEANUP_FUNC(Manager *, manager_free)
int manager_startup(Manager *m);

/* By name, full id or unique id prefix, like Docker. Return: 0, -ENOENT, -EEXIST for an ambiguous prefix. */
int manager_find_container(Manager *m, const char *name_or_id, Container **ret);

/* While held, the engine does not leave when idle. */
void manager_hold(Manager *m);
void manager_release(Manager *m);

/* Start a worker that removes what lies in the trash. */
void manager_empty_trash(Manager *m);
