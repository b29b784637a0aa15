/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../shared/fields.h"
#include "container.h"

/* Between container.c (the object), container-ops.c (what is asked of it) and shim-link.c (what its shim
 * says). */
void container_on_starting(Container *c);
void container_on_hello(Container *c, const Fields *state);
void container_on_event(Container *c, const Fields *event);
void container_on_link_lost(Container *c);

/* The code Docker's clients are told: 255 where it is unknown, 0 where it never ran. */
int container_docker_exit_code(const Container *c);

int container_append(Container *c, const char *type, const char *key, const char *value, bool sync);
int container_reconcile(Container *c);
int container_reread_end(Container *c);
/* Take the container out of the world: trash, name, maps. @c is gone afterwards. */
int container_discard(Container *c);

void operations_fail_all(Container *c, int error);
