/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "container.h"

/* NetworkSettings of inspect and of the list. The addresses are those that the running container was given.
 */
int network_put_settings(Container *c, json_object *config, json_object *out);
int network_put_summary(Container *c, json_object *config, json_object *out);
