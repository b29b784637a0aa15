/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "error.h"

/*
 * Device nodes (linux.devices) and what the device controller allows (linux.resources.devices) for
 * HostConfig's Devices, DeviceCgroupRules and Privileged.
 */
int oci_devices(json_object *host_config, bool privileged, json_object **ret_nodes, json_object **ret_rules,
                EngineError *reterr);
