/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

typedef struct Manager Manager;

#define BERTH_BUS_NAME       "org.berth1"
#define BERTH_BUS_PATH       "/org/berth1"
#define BERTH_BUS_CONTAINERS BERTH_BUS_PATH "/container"

/* Offers @m on its bus; the bus must be attached to its event loop. */
int dbus_init(Manager *m);
void dbus_done(Manager *m);
