/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../cgroup/resources.h"
#include "scope-request.h"

/* What of the OCI configuration a systemd unit has properties for. */
int systemd_put_resources(Buffer *b, const Resources *r);
int systemd_put_devices(Buffer *b, json_object *resources, bool update);
int systemd_put_annotations(Buffer *b, json_object *annotations);
