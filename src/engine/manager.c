/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manager.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../basic/clock.h"
#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/log.h"
#include "../basic/str.h"
#include "../shared/paths.h"
#include "../shared/unit-name.h"
#include "container-internal.h"
#include "exec.h"
#include "http-server.h"
#include "image/image-store.h"
#include "kick.h"
#include "shim-link.h"
#include "units.h"
#include "worker-job.h"

/** manager_new - an empty manager with an event loop; nothing is read or opened yet. */
int manager_new(Manager **ret) {
        _cleanup_(manager_freep) Manager *m = new0(Manager, 1);
        int r;

        if (!m)
                return -ENOMEM;
        m->engine_fd = m->containers_fd = -EBADF;
        m->idle_timeout = USEC_INFINITY;
        m->started_at = now_realtime();
        m->containers = hashmap_new();
        m->names = hashmap_new();
        m->execs = hashmap_new();
        if (!m->containers || !m->names || !m->execs)
                return -ENOMEM;
        r = sd_event_default(&m->event);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

static void free_containers(Manager *m) {
        void *c;
        size_t i = 0;

        while (hashmap_next(m->containers, &i, NULL, &c)) {
                (void) container_free(c);
                i = 0;
        }
}

/** manager_free - drop everything in memory; what runs goes on. Return: NULL. */
Manager *manager_free(Manager *m) {
        if (!m)
                return NULL;
        m->http = http_server_free(m->http);
        free_containers(m);
        units_done(m);
        m->kick = kick_free(m->kick);
        (void) hashmap_free(m->containers);
        (void) hashmap_free(m->names);
        (void) hashmap_free(m->execs);
        (void) image_store_close(m->images);
        (void) safe_close(m->engine_fd);
        (void) safe_close(m->containers_fd);
        (void) sd_event_source_disable_unref(m->idle_source);
        (void) sd_bus_flush_close_unref(m->bus);
        (void) sd_event_unref(m->event);
        free(m);
        return NULL;
}

static int on_idle(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;

        if (m->busy > 0)
                return 0;
        log_info("Idle for %" PRIu64 " s, leaving; the socket starts berthd again.",
                 m->idle_timeout / USEC_PER_SEC);
        return sd_event_exit(m->event, 0);
}

/** manager_hold - see manager.h. */
void manager_hold(Manager *m) {
        m->busy++;
        if (m->idle_source)
                (void) sd_event_source_set_enabled(m->idle_source, SD_EVENT_OFF);
}

/** manager_release - the other half of manager_hold(). */
void manager_release(Manager *m) {
        assert(m->busy > 0);
        m->busy--;
        if (m->busy > 0 || m->idle_timeout == USEC_INFINITY || !m->event)
                return;
        if (!m->idle_source) {
                if (sd_event_add_time(m->event, &m->idle_source, CLOCK_MONOTONIC,
                                      now_monotonic() + m->idle_timeout, 0, on_idle, m) < 0)
                        m->idle_source = NULL;
                return;
        }
        (void) sd_event_source_set_time(m->idle_source, now_monotonic() + m->idle_timeout);
        (void) sd_event_source_set_enabled(m->idle_source, SD_EVENT_ONESHOT);
}

/** manager_find_container - see manager.h. */
int manager_find_container(Manager *m, const char *name_or_id, Container **ret) {
        Container *c, *found = NULL;
        const char *id;
        void *value;
        size_t i = 0;

        if (name_or_id[0] == '/')
                name_or_id++;
        c = hashmap_get(m->containers, name_or_id);
        if (!c)
                c = hashmap_get(m->names, name_or_id);
        while (!c && !isempty(name_or_id) && hashmap_next(m->containers, &i, &id, &value)) {
                if (!startswith(id, name_or_id))
                        continue;
                if (found)
                        return -EEXIST;
                found = value;
        }
        if (!c)
                c = found;
        if (!c)
                return -ENOENT;
        *ret = c;
        return 0;
}

/** manager_empty_trash - see manager.h. */
void manager_empty_trash(Manager *m) {
        int r = worker_job_spawn(m, (const char *const[]){ "remove-tree", BERTH_TRASH_DIR, NULL });

        if (r < 0)
                (void) log_error_errno(r, "Cannot start a worker to empty %s: %m", BERTH_TRASH_DIR);
}

static int make_directories(void) {
        static const struct {
                const char *path;
                mode_t mode;
        } directories[] = {
                { BERTH_STATE_DIR, 0711 },  { BERTH_CONTAINERS_DIR, 0710 },
                { BERTH_NAMES_DIR, 0700 },  { BERTH_TRASH_DIR, 0700 },
                { BERTH_LAYERS_DIR, 0710 }, { BERTH_BLOBS_DIR, 0700 },
                { BERTH_IMAGES_DIR, 0700 }, { BERTH_REFS_DIR, 0700 },
                { BERTH_RUN_DIR, 0755 },    { BERTH_RUN_CONTAINERS_DIR, 0700 },
        };

        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                int r = mkdir_parents(directories[i].path, directories[i].mode);

                if (r < 0)
                        return log_error_errno(r, "Cannot make %s: %m", directories[i].path);
        }
        return 0;
}

/* What a crash in the middle of create or remove left behind: directories without a `created` record, names
 * without a directory. */
static void drop_dangling_names(Manager *m) {
        DIR *d = opendir(BERTH_NAMES_DIR);
        struct dirent *de;

        if (!d)
                return;
        while ((de = readdir(d))) {
                char id[CONTAINER_ID_LENGTH + 1] = "";
                Container *c;

                if (readlinkat(dirfd(d), de->d_name, id, CONTAINER_ID_LENGTH) != CONTAINER_ID_LENGTH)
                        continue;
                c = hashmap_get(m->containers, id);
                if (!c || !streq(c->name, de->d_name))
                        (void) unlinkat(dirfd(d), de->d_name, 0);
        }
        (void) closedir(d);
}

static int load_container(Manager *m, const char *id) {
        Container *c;
        int r;

        r = container_load(m, id, &c);
        if (r == -ENODATA) {
                log_warning("Removing %s/%s: its creation was never finished.", BERTH_CONTAINERS_DIR, id);
                return remove_tree_at(m->containers_fd, id);
        }
        if (r < 0)
                return log_error_errno(r, "Cannot load container %s: %m", id);
        r = container_reconcile(c);
        if (r < 0)
                return log_error_errno(r, "Cannot find out whether container %s runs: %m", c->name);
        if (c->auto_remove && c->status == CONTAINER_EXITED && !c->link)
                return container_discard(c);
        return 0;
}

static int load_containers(Manager *m) {
        struct dirent *de;
        bool trash = false;
        DIR *d;

        m->containers_fd = open(BERTH_CONTAINERS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (m->containers_fd < 0)
                return negative_errno();
        d = opendir(BERTH_CONTAINERS_DIR);
        if (!d)
                return negative_errno();
        while ((de = readdir(d)))
                if (container_id_is_valid(de->d_name))
                        (void) load_container(m, de->d_name);
        (void) closedir(d);
        drop_dangling_names(m);
        d = opendir(BERTH_TRASH_DIR);
        while (d && (de = readdir(d)))
                trash = trash || de->d_name[0] != '.';
        if (d)
                (void) closedir(d);
        if (trash)
                manager_empty_trash(m);
        return 0;
}

/** manager_startup - connect to the bus, rebuild the indexes from disk, find out what runs. */
int manager_startup(Manager *m) {
        int r;

        r = make_directories();
        if (r < 0)
                return r;
        r = image_store_open(BERTH_STATE_DIR, &m->images);
        if (r < 0)
                return log_error_errno(r, "Cannot open the image store in %s: %m", BERTH_STATE_DIR);
        r = sd_bus_open_system(&m->bus);
        if (r < 0)
                return log_error_errno(r, "Cannot connect to the system bus: %m");
        r = sd_bus_attach_event(m->bus, m->event, 0);
        if (r >= 0)
                r = units_init(m);
        if (r < 0)
                return log_error_errno(r, "Cannot talk to systemd: %m");
        r = shim_link_listen(m);
        if (r < 0)
                return log_error_errno(r, "Cannot listen on %s: %m", BERTH_ENGINE_SOCKET);
        r = load_containers(m);
        if (r < 0)
                return log_error_errno(r, "Cannot read %s: %m", BERTH_CONTAINERS_DIR);
        r = kick_new(&m->kick);
        if (r < 0)
                (void) log_warning_errno(r,
                                         "Starts of single containers will be slower: no kick thread: %m");
        return 0;
}
