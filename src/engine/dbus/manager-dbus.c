/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../../basic/str.h"
#include "../http-server.h"
#include "skin.h"

static int get_count(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *e) {
        Manager *m = userdata;

        return sd_bus_message_append(reply, "u", (uint32_t) hashmap_size(m->containers));
}

static int get_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *e) {
        char api[16];

        (void) snprintf(api, sizeof(api), "1.%d", API_MINOR_MAX);
        return sd_bus_message_append(reply, "s", streq(property, "Version") ? BERTH_VERSION : api);
}

static int find_named(Manager *m, const char *name, Container **ret, sd_bus_error *e) {
        int r = manager_find_container(m, name, ret);

        if (r == -EEXIST)
                return sd_bus_error_setf(e, "org.berth1.Error.InvalidArgument",
                                         "More than one container's id begins with %s", name);
        if (r < 0)
                return sd_bus_error_setf(e, "org.berth1.Error.NotFound", "No such container: %s", name);
        return 0;
}

static int append_container(sd_bus_message *reply, const Container *c) {
        _cleanup_free_ char *path = container_bus_path(c->id);

        if (!path)
                return -ENOMEM;
        return sd_bus_message_append(reply, "(sssso)", c->id, c->name, strempty(c->image),
                                     container_status_to_string(c->status), path);
}

static int method_list(sd_bus_message *message, void *userdata, sd_bus_error *e) {
        __attribute__((__cleanup__(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
        Manager *m = userdata;
        size_t position = 0;
        void *c;
        int r;

        r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(sssso)");
        while (r >= 0 && hashmap_next(m->containers, &position, NULL, &c))
                r = append_container(reply, c);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int method_get(sd_bus_message *message, void *userdata, sd_bus_error *e) {
        _cleanup_free_ char *path = NULL;
        const char *name;
        Container *c;
        int r;

        r = sd_bus_message_read(message, "s", &name);
        if (r >= 0)
                r = find_named(userdata, name, &c, e);
        if (r < 0)
                return r;
        path = container_bus_path(c->id);
        return path ? sd_bus_reply_method_return(message, "o", path) : -ENOMEM;
}

static int method_start(sd_bus_message *message, void *userdata, sd_bus_error *e) {
        const char *name;
        Container *c;
        int r;

        r = sd_bus_message_read(message, "s", &name);
        if (r >= 0)
                r = find_named(userdata, name, &c, e);
        return r < 0 ? r : container_bus_start(c, message, e);
}

static int method_stop(sd_bus_message *message, void *userdata, sd_bus_error *e) {
        const char *name;
        int32_t timeout;
        Container *c;
        int r;

        r = sd_bus_message_read(message, "si", &name, &timeout);
        if (r >= 0)
                r = find_named(userdata, name, &c, e);
        return r < 0 ? r : container_bus_stop(c, timeout, message, e);
}

static int method_kill(sd_bus_message *message, void *userdata, sd_bus_error *e) {
        const char *name, *signal;
        Container *c;
        int r;

        r = sd_bus_message_read(message, "ss", &name, &signal);
        if (r >= 0)
                r = find_named(userdata, name, &c, e);
        return r < 0 ? r : container_bus_kill(c, signal, message, e);
}

static int method_remove(sd_bus_message *message, void *userdata, sd_bus_error *e) {
        const char *name;
        Container *c;
        int force, r;

        r = sd_bus_message_read(message, "sb", &name, &force);
        if (r >= 0)
                r = find_named(userdata, name, &c, e);
        return r < 0 ? r : container_bus_remove(c, force, message, e);
}

#define ANYBODY SD_BUS_VTABLE_UNPRIVILEGED /* the authorizer has decided before */

const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Version", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("ApiVersion", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Containers", "u", get_count, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_METHOD_WITH_ARGS("ListContainers", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(sssso)", containers),
                                method_list, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("GetContainer", SD_BUS_ARGS("s", name), SD_BUS_RESULT("o", path), method_get,
                                ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("StartContainer", SD_BUS_ARGS("s", name), SD_BUS_NO_RESULT, method_start,
                                ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("StopContainer", SD_BUS_ARGS("s", name, "i", timeout), SD_BUS_NO_RESULT,
                                method_stop, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("KillContainer", SD_BUS_ARGS("s", name, "s", signal), SD_BUS_NO_RESULT,
                                method_kill, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("RemoveContainer", SD_BUS_ARGS("s", name, "b", force), SD_BUS_NO_RESULT,
                                method_remove, ANYBODY),
        SD_BUS_SIGNAL_WITH_ARGS("ContainerNew", SD_BUS_ARGS("s", id, "o", path), 0),
        SD_BUS_SIGNAL_WITH_ARGS("ContainerRemoved", SD_BUS_ARGS("s", id, "o", path), 0),
        SD_BUS_VTABLE_END,
};
