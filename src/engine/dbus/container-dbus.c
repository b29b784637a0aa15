/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../../basic/str.h"
#include "../../shared/unit-name.h"
#include "skin.h"

/**
 * container_bus_path - the object path of container @id, NULL on ENOMEM. An id needs no escaping: it is hex.
 */
char *container_bus_path(const char *id) {
        return str_concat(BERTH_BUS_CONTAINERS "/", id);
}

/** container_bus_find - sd-bus asks which container a path means. */
int container_bus_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                       void **ret_found, sd_bus_error *e) {
        Manager *m = userdata;
        const char *id = startswith(path, BERTH_BUS_CONTAINERS "/");
        Container *c = id ? hashmap_get(m->containers, id) : NULL;

        if (!c)
                return 0;
        *ret_found = c;
        return 1;
}

/** container_bus_enumerate - sd-bus asks for all paths, for introspection and GetManagedObjects. */
int container_bus_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                            sd_bus_error *e) {
        _cleanup_strv_ char **nodes = NULL;
        Manager *m = userdata;
        size_t position = 0, n = 0;
        const char *id;

        nodes = new0(char *, hashmap_size(m->containers) + 1);
        if (!nodes)
                return -ENOMEM;
        while (hashmap_next(m->containers, &position, &id, NULL)) {
                nodes[n] = container_bus_path(id);
                if (!nodes[n++])
                        return -ENOMEM;
        }
        *ret_nodes = TAKE_PTR(nodes);
        return 0;
}

/* @details is what the object said; the errno alone must do where it said nothing. */
static int set_error(sd_bus_error *e, int error, const EngineError *details) {
        EngineError plain = { .code = error < 0 ? -error : error };

        if (!details || !details->message)
                details = &plain;
        return sd_bus_error_set(e, error_dbus_name(details),
                                details->message ? details->message : strerrordesc_np(plain.code));
}

/* The caller may have left meanwhile: nobody is interested in whether the answer could be sent. */
static void on_done(Container *c, int error, EngineError *details, void *userdata) {
        __attribute__((__cleanup__(sd_bus_message_unrefp))) sd_bus_message *message = userdata;
        __attribute__((__cleanup__(sd_bus_error_free))) sd_bus_error e = SD_BUS_ERROR_NULL;

        if (error >= 0 || error == -EALREADY) {
                (void) sd_bus_reply_method_return(message, NULL);
                return;
        }
        (void) set_error(&e, error, details);
        (void) sd_bus_reply_method_error(message, &e);
}

/* What an asynchronous call returned. -EALREADY is success: what was asked for is so. */
static int conclude(int r, const EngineError *details, sd_bus_message *message, sd_bus_error *e) {
        if (r >= 0)
                return 1;
        (void) sd_bus_message_unref(message);
        if (r == -EALREADY)
                return sd_bus_reply_method_return(message, NULL);
        return set_error(e, r, details);
}

/** container_bus_start - start @c. Return: for sd-bus. */
int container_bus_start(Container *c, sd_bus_message *message, sd_bus_error *e) {
        _cleanup_error_ EngineError details = {};

        return conclude(container_start(c, on_done, sd_bus_message_ref(message), &details), &details,
                        message, e);
}

/**
 * container_bus_stop - stop @c. @timeout: seconds, -1 for ever, less for the container's own. Return: for
 * sd-bus.
 */
int container_bus_stop(Container *c, int32_t timeout, sd_bus_message *message, sd_bus_error *e) {
        _cleanup_error_ EngineError details = {};
        int64_t limit = timeout < -1 ? INT64_MIN : timeout;

        return conclude(container_stop(c, NULL, limit, on_done, sd_bus_message_ref(message), &details),
                        &details, message, e);
}

/** container_bus_kill - send @signal ("" for KILL) to @c. Return: for sd-bus. */
int container_bus_kill(Container *c, const char *signal, sd_bus_message *message, sd_bus_error *e) {
        _cleanup_error_ EngineError details = {};
        int r = container_kill(c, signal, &details);

        return r < 0 ? set_error(e, r, &details) : sd_bus_reply_method_return(message, NULL);
}

/**
 * container_bus_remove - remove @c; @force stops it first. Return: for sd-bus. @c may be gone afterwards.
 */
int container_bus_remove(Container *c, bool force, sd_bus_message *message, sd_bus_error *e) {
        _cleanup_error_ EngineError details = {};

        return conclude(container_remove(c, force, false, on_done, sd_bus_message_ref(message), &details),
                        &details, message, e);
}

static int method_start(sd_bus_message *message, void *userdata, sd_bus_error *e) {
        return container_bus_start(userdata, message, e);
}

static int method_stop(sd_bus_message *message, void *userdata, sd_bus_error *e) {
        int32_t timeout;
        int r = sd_bus_message_read(message, "i", &timeout);

        return r < 0 ? r : container_bus_stop(userdata, timeout, message, e);
}

static int method_kill(sd_bus_message *message, void *userdata, sd_bus_error *e) {
        const char *signal;
        int r = sd_bus_message_read(message, "s", &signal);

        return r < 0 ? r : container_bus_kill(userdata, signal, message, e);
}

static int method_remove(sd_bus_message *message, void *userdata, sd_bus_error *e) {
        int force, r = sd_bus_message_read(message, "b", &force);

        return r < 0 ? r : container_bus_remove(userdata, force, message, e);
}

static int get_string(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *e) {
        const Container *c = userdata;
        char unit[UNIT_NAME_SIZE];
        const char *value = unit;

        if (streq(property, "Id"))
                value = c->id;
        else if (streq(property, "Name"))
                value = c->name;
        else if (streq(property, "Image"))
                value = c->image;
        else if (streq(property, "ImageId"))
                value = c->image_id;
        else if (streq(property, "State"))
                value = container_status_to_string(c->status);
        else if (streq(property, "ScopeUnit"))
                unit_name_scope(c->id, unit);
        else
                unit_name_shim(c->id, unit);
        return sd_bus_message_append(reply, "s", strempty(value));
}

static int get_time(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *e) {
        const Container *c = userdata;
        usec_t t = c->finished_at;

        if (streq(property, "CreatedAt"))
                t = c->created_at;
        else if (streq(property, "StartedAt"))
                t = c->started_at;
        return sd_bus_message_append(reply, "t", (uint64_t) t);
}

static int get_pid(sd_bus *bus, const char *path, const char *interface, const char *property,
                   sd_bus_message *reply, void *userdata, sd_bus_error *e) {
        const Container *c = userdata;

        return sd_bus_message_append(reply, "u", (uint32_t) c->pid);
}

/* Of something that has not ended, or whose end nobody saw, the code is unknown; it is never guessed. */
static int get_exit_code(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *e) {
        const Container *c = userdata;
        bool ended = c->ran && !container_is_up(c) && c->status != CONTAINER_STARTING;

        return sd_bus_message_append(reply, "i", (int32_t) (ended ? c->exit_code : EXIT_CODE_UNKNOWN));
}

static int get_oom(sd_bus *bus, const char *path, const char *interface, const char *property,
                   sd_bus_message *reply, void *userdata, sd_bus_error *e) {
        const Container *c = userdata;

        return sd_bus_message_append(reply, "b", (int) c->oom_killed);
}

#define CONST   SD_BUS_VTABLE_PROPERTY_CONST
#define CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define ANYBODY SD_BUS_VTABLE_UNPRIVILEGED /* the authorizer has decided before */

const sd_bus_vtable container_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Id", "s", get_string, 0, CONST),
        SD_BUS_PROPERTY("Name", "s", get_string, 0, CHANGES),
        SD_BUS_PROPERTY("Image", "s", get_string, 0, CONST),
        SD_BUS_PROPERTY("ImageId", "s", get_string, 0, CONST),
        SD_BUS_PROPERTY("State", "s", get_string, 0, CHANGES),
        SD_BUS_PROPERTY("Pid", "u", get_pid, 0, CHANGES),
        SD_BUS_PROPERTY("ExitCode", "i", get_exit_code, 0, CHANGES),
        SD_BUS_PROPERTY("OOMKilled", "b", get_oom, 0, CHANGES),
        SD_BUS_PROPERTY("CreatedAt", "t", get_time, 0, CONST),
        SD_BUS_PROPERTY("StartedAt", "t", get_time, 0, CHANGES),
        SD_BUS_PROPERTY("FinishedAt", "t", get_time, 0, CHANGES),
        SD_BUS_PROPERTY("ScopeUnit", "s", get_string, 0, CONST),
        SD_BUS_PROPERTY("ServiceUnit", "s", get_string, 0, CONST),
        SD_BUS_METHOD_WITH_ARGS("Start", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_start, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("Stop", SD_BUS_ARGS("i", timeout), SD_BUS_NO_RESULT, method_stop, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("Kill", SD_BUS_ARGS("s", signal), SD_BUS_NO_RESULT, method_kill, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("Remove", SD_BUS_ARGS("b", force), SD_BUS_NO_RESULT, method_remove, ANYBODY),
        SD_BUS_VTABLE_END,
};
