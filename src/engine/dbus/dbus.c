/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dbus.h"

#include "../../basic/log.h"
#include "skin.h"

/*
 * Without the name REST goes on: it is denied only where the policy file is not installed (or not yet read
 * by the bus).
 */
static int on_name(sd_bus_message *reply, void *userdata, sd_bus_error *e) {
        if (sd_bus_message_is_method_error(reply, NULL))
                log_error("Cannot own " BERTH_BUS_NAME " on the bus, only the REST API is there: %s",
                          sd_bus_message_get_error(reply)->message);
        return 0;
}

static sd_bus_slot **next_slot(DbusSkin *s) {
        assert(s->n_slots < ELEMENTSOF(s->slots));
        return &s->slots[s->n_slots++];
}

static int add_objects(DbusSkin *s) {
        Manager *m = s->manager;
        sd_bus *bus = m->bus;
        int r;

        r = sd_bus_add_filter(bus, next_slot(s), authorizer_filter, s->authorizer);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, next_slot(s), BERTH_BUS_PATH, MANAGER_INTERFACE,
                                             manager_vtable, m);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(bus, next_slot(s), BERTH_BUS_CONTAINERS, CONTAINER_INTERFACE,
                                               container_vtable, container_bus_find, m);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(bus, next_slot(s), BERTH_BUS_CONTAINERS,
                                               container_bus_enumerate, m);
        if (r >= 0)
                r = sd_bus_add_object_manager(bus, next_slot(s), BERTH_BUS_PATH);
        if (r >= 0)
                r = sd_bus_request_name_async(bus, next_slot(s), BERTH_BUS_NAME, 0, on_name, m);
        return r;
}

/**
 * dbus_init - offer @m as org.berth1. The name is asked for without waiting.
 *
 * Return: 0 or -errno; then nothing is offered.
 */
int dbus_init(Manager *m) {
        DbusSkin *s = new0(DbusSkin, 1);
        int r;

        if (!s)
                return -ENOMEM;
        s->manager = m;
        m->dbus = s;
        r = authorizer_new(m, &s->authorizer);
        if (r >= 0)
                r = watcher_new(m, &s->watcher);
        if (r >= 0)
                r = add_objects(s);
        if (r < 0)
                dbus_done(m);
        return r;
}

/** dbus_done - take everything from the bus, before the manager's containers and its bus go. */
void dbus_done(Manager *m) {
        DbusSkin *s = m->dbus;

        if (!s)
                return;
        for (size_t i = 0; i < s->n_slots; i++)
                (void) sd_bus_slot_unref(s->slots[i]);
        s->watcher = watcher_free(s->watcher);
        s->authorizer = authorizer_free(s->authorizer);
        m->dbus = mfree(s);
}
