/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../../basic/clock.h"
#include "../../basic/log.h"
#include "../../basic/str.h"
#include "skin.h"

/*
 * Signals. The object model does not know that D-Bus exists, so after each turn of the event loop the
 * containers are compared with what was last told. That is a few nanoseconds for each container, and at most
 * once in INTERVAL: under load several changes become one signal, as PropertiesChanged allows.
 */
#define INTERVAL (10 * USEC_PER_MSEC)

typedef struct Seen {
        char id[CONTAINER_ID_LENGTH + 1];
        char *name;
        ContainerStatus status;
        uint64_t pid;
        usec_t started_at, finished_at;
        int exit_code;
        bool oom_killed;
        uint64_t generation;
} Seen;

struct Watcher {
        Manager *manager;
        Hashmap *seen; /* id -> Seen */
        uint64_t generation;
        usec_t last;
        sd_event_source *post, *timer;
};

static Seen *seen_free(Seen *s) {
        if (s)
                free(s->name);
        return mfree(s);
}
DEFINE_CLEANUP_FUNC(Seen *, seen_free)

static void emit(Watcher *w, const char *signal, const char *id) {
        _cleanup_free_ char *path = container_bus_path(id);

        if (!path)
                return;
        (void) sd_bus_emit_signal(w->manager->bus, BERTH_BUS_PATH, MANAGER_INTERFACE, signal, "so", id,
                                  path);
        if (streq(signal, "ContainerNew"))
                (void) sd_bus_emit_interfaces_added(w->manager->bus, path, CONTAINER_INTERFACE, NULL);
        else
                (void) sd_bus_emit_interfaces_removed(w->manager->bus, path, CONTAINER_INTERFACE, NULL);
        (void) sd_bus_emit_properties_changed(w->manager->bus, BERTH_BUS_PATH, MANAGER_INTERFACE,
                                              "Containers", NULL);
}

static int see_new(Watcher *w, const Container *c, Seen **ret) {
        _cleanup_(seen_freep) Seen *s = new0(Seen, 1);
        int r;

        if (!s)
                return -ENOMEM;
        *s = (Seen){ .status = c->status,
                     .pid = c->pid,
                     .started_at = c->started_at,
                     .finished_at = c->finished_at,
                     .exit_code = c->exit_code,
                     .oom_killed = c->oom_killed };
        memcpy(s->id, c->id, sizeof(s->id));
        s->name = strdup(c->name);
        if (!s->name)
                return -ENOMEM;
        r = hashmap_put(w->seen, s->id, s);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

#define NOTE(field, property)                     \
        if (s->field != c->field) {               \
                s->field = c->field;              \
                names[n++] = (char *) (property); \
        }

static void compare(Watcher *w, const Container *c, Seen *s) {
        _cleanup_free_ char *path = NULL;
        char *names[10], *copy;
        size_t n = 0;

        /* `ExitCode` is hidden while the container runs, so it changes with the state. */
        if (s->status != c->status)
                names[n++] = (char *) "ExitCode";
        else
                NOTE(exit_code, "ExitCode");
        s->exit_code = c->exit_code;
        NOTE(status, "State");
        NOTE(pid, "Pid");
        NOTE(started_at, "StartedAt");
        NOTE(finished_at, "FinishedAt");
        NOTE(oom_killed, "OOMKilled");
        if (!streq(s->name, c->name) && (copy = strdup(c->name))) {
                free(s->name);
                s->name = copy;
                names[n++] = (char *) "Name";
        }
        names[n] = NULL;
        if (n == 0)
                return;
        path = container_bus_path(c->id);
        if (path)
                (void) sd_bus_emit_properties_changed_strv(w->manager->bus, path, CONTAINER_INTERFACE,
                                                           names);
}

static void drop_missing(Watcher *w) {
        for (bool again = true; again && hashmap_size(w->seen) > hashmap_size(w->manager->containers);) {
                size_t position = 0;
                void *value;

                again = false;
                while (hashmap_next(w->seen, &position, NULL, &value)) {
                        Seen *s = value;

                        if (s->generation == w->generation)
                                continue;
                        (void) hashmap_remove(w->seen, s->id);
                        emit(w, "ContainerRemoved", s->id);
                        seen_free(s);
                        again = true;
                        break;
                }
        }
}

static void look(Watcher *w, bool silent) {
        size_t position = 0;
        void *value;

        w->generation++;
        w->last = now_monotonic();
        while (hashmap_next(w->manager->containers, &position, NULL, &value)) {
                Container *c = value;
                Seen *s = hashmap_get(w->seen, c->id);

                if (s)
                        compare(w, c, s);
                else if (see_new(w, c, &s) < 0)
                        continue; /* tried again the next time */
                else if (!silent)
                        emit(w, "ContainerNew", c->id);
                s->generation = w->generation;
        }
        drop_missing(w);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        look(userdata, false);
        return 0;
}

static int on_post(sd_event_source *source, void *userdata) {
        Watcher *w = userdata;
        int enabled;

        if (now_monotonic() >= w->last + INTERVAL) {
                look(w, false);
                return 0;
        }
        if (sd_event_source_get_enabled(w->timer, &enabled) >= 0 && enabled == SD_EVENT_OFF) {
                (void) sd_event_source_set_time(w->timer, w->last + INTERVAL);
                (void) sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
        }
        return 0;
}

/** watcher_new - from now on changes are told; the containers of now are taken as known. @m: borrowed. */
int watcher_new(Manager *m, Watcher **ret) {
        Watcher *w = new0(Watcher, 1);
        int r;

        if (!w)
                return -ENOMEM;
        w->manager = m;
        w->seen = hashmap_new();
        r = w->seen ? sd_event_add_post(m->event, &w->post, on_post, w) : -ENOMEM;
        if (r >= 0)
                r = sd_event_add_time(m->event, &w->timer, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, on_timer, w);
        if (r >= 0)
                r = sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
        if (r < 0) {
                watcher_free(w);
                return r;
        }
        look(w, true);
        *ret = w;
        return 0;
}

/** watcher_free - no more signals. Return: NULL. */
Watcher *watcher_free(Watcher *w) {
        size_t position = 0;
        void *s;

        if (!w)
                return NULL;
        while (w->seen && hashmap_next(w->seen, &position, NULL, &s))
                seen_free(s);
        (void) hashmap_free(w->seen);
        (void) sd_event_source_disable_unref(w->post);
        (void) sd_event_source_disable_unref(w->timer);
        return mfree(w);
}
