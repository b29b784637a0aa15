/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "../container.h"
#include "../manager.h"
#include "dbus.h"

/* Between the files of this skin. */
#define MANAGER_INTERFACE   "org.berth1.Manager"
#define CONTAINER_INTERFACE "org.berth1.Container"

typedef struct Authorizer Authorizer;
typedef struct Watcher Watcher;

/* Manager.dbus. */
typedef struct DbusSkin {
        Manager *manager;
        Authorizer *authorizer;
        Watcher *watcher;
        sd_bus_slot *slots[6];
        size_t n_slots;
} DbusSkin;

extern const sd_bus_vtable manager_vtable[];
extern const sd_bus_vtable container_vtable[];
int container_bus_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                       void **ret_found, sd_bus_error *e);
int container_bus_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                            sd_bus_error *e);
char *container_bus_path(const char *id);

/*
 * The same calls by name (Manager) and by path (Container); @message is answered when the operation has
 * ended.
 */
int container_bus_start(Container *c, sd_bus_message *message, sd_bus_error *e);
int container_bus_stop(Container *c, int32_t timeout, sd_bus_message *message, sd_bus_error *e);
int container_bus_kill(Container *c, const char *signal, sd_bus_message *message, sd_bus_error *e);
int container_bus_remove(Container *c, bool force, sd_bus_message *message, sd_bus_error *e);

/* Sees every call before it is dispatched and lets through what the caller may do. */
int authorizer_new(Manager *m, Authorizer **ret);
Authorizer *authorizer_free(Authorizer *a);
int authorizer_filter(sd_bus_message *message, void *userdata, sd_bus_error *e);

/* Compares the containers with what was last told and emits signals for what changed. */
int watcher_new(Manager *m, Watcher **ret);
Watcher *watcher_free(Watcher *w);
