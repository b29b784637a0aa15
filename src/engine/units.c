/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "units.h"

#include "../basic/log.h"
#include "../basic/str.h"
#include "../shared/unit-name.h"

#define SYSTEMD_DESTINATION "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define BUS_TIMEOUT (30 * USEC_PER_SEC)

/*
 * A job is known by its object path only once StartUnit was answered; JobRemoved may come right behind it,
 * but never before it, since both travel the same connection in order.
 */
typedef struct UnitJob UnitJob;
struct UnitJob {
        UnitJob *next;
        Manager *manager;
        char id[CONTAINER_ID_LENGTH + 1];
        char *path; /* NULL until StartUnit was answered */
        UnitJobDone done;
        void *userdata;
        sd_bus_slot *slot;
};

static void job_finish(UnitJob *j, int error, const char *result) {
        for (UnitJob **i = &j->manager->jobs; *i; i = &(*i)->next)
                if (*i == j) {
                        *i = j->next;
                        break;
                }
        if (j->done)
                j->done(j->manager, j->id, error, result, j->userdata);
        (void) sd_bus_slot_unref(j->slot);
        free(j->path);
        free(j);
}

static int on_job_removed(sd_bus_message *msg, void *userdata, sd_bus_error *reterr) {
        const char *path, *unit, *result;
        Manager *m = userdata;

        if (sd_bus_message_read(msg, "uoss", NULL, &path, &unit, &result) < 0)
                return 0;
        for (UnitJob *j = m->jobs; j; j = j->next)
                if (streq_ptr(j->path, path)) {
                        job_finish(j, 0, result);
                        break;
                }
        return 0;
}

/**
 * units_init - see units.h. No Subscribe: PID 1 tells whoever queued a job how it ended anyway, and a
 * subscriber makes it send two dozen signals for every unit that comes and goes.
 */
int units_init(Manager *m) {
        return sd_bus_match_signal_async(m->bus, NULL, SYSTEMD_DESTINATION, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                         "JobRemoved", on_job_removed, NULL, m);
}

/** units_done - forget pending jobs; their callbacks are not called. */
void units_done(Manager *m) {
        while (m->jobs) {
                m->jobs->done = NULL;
                job_finish(m->jobs, -ECANCELED, NULL);
        }
}

static int on_start_reply(sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        UnitJob *j = userdata;
        const char *path;
        int r;

        if (e) {
                job_finish(j, -sd_bus_message_get_errno(reply), e->message);
                return 0;
        }
        r = sd_bus_message_read(reply, "o", &path);
        if (r >= 0) {
                j->path = strdup(path);
                r = j->path ? 0 : -ENOMEM;
        }
        if (r < 0)
                job_finish(j, r, NULL);
        return 0;
}

/** unit_start - see units.h. */
int unit_start(Manager *m, const char *id, UnitJobDone done, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        char unit[UNIT_NAME_SIZE];
        UnitJob *j;
        int r;

        unit_name_shim(id, unit);
        r = sd_bus_message_new_method_call(m->bus, &call, SYSTEMD_DESTINATION, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                           "StartUnit");
        if (r >= 0)
                r = sd_bus_message_append(call, "ss", unit, "replace");
        if (r < 0)
                return r;
        j = new0(UnitJob, 1);
        if (!j)
                return -ENOMEM;
        j->manager = m;
        memcpy(j->id, id, sizeof(j->id));
        j->done = done;
        j->userdata = userdata;
        r = sd_bus_call_async(m->bus, &j->slot, call, on_start_reply, j, BUS_TIMEOUT);
        if (r < 0) {
                free(j);
                return r;
        }
        j->next = m->jobs;
        m->jobs = j;
        return 0;
}

static int get_unit_property(Manager *m, const char *unit, const char *property, char **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *path = NULL;
        int r;

        r = sd_bus_path_encode(SYSTEMD_PATH "/unit", unit, &path);
        if (r < 0)
                return r;
        return sd_bus_get_property_string(m->bus, SYSTEMD_DESTINATION, path, "org.freedesktop.systemd1.Unit",
                                          property, &e, ret);
}

/** unit_is_alive - see units.h. */
int unit_is_alive(Manager *m, const char *id) {
        _cleanup_free_ char *state = NULL;
        char unit[UNIT_NAME_SIZE];
        int r;

        unit_name_shim(id, unit);
        r = get_unit_property(m, unit, "ActiveState", &state);
        if (r < 0)
                return r;
        return !streq(state, "inactive") && !streq(state, "failed");
}

/** unit_stop_scope - see units.h. */
int unit_stop_scope(Manager *m, const char *id) {
        char unit[UNIT_NAME_SIZE];

        unit_name_scope(id, unit);
        return sd_bus_call_method_async(m->bus, NULL, SYSTEMD_DESTINATION, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                        "StopUnit", NULL, NULL, "ss", unit, "replace");
}
