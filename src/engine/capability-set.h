/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "error.h"

/* A set of Linux capabilities, one bit each; limited to what the running kernel knows. */
typedef uint64_t CapabilitySet;

int capability_from_string(const char *s); /* with or without CAP_, any case; -EINVAL */
const char *capability_to_string(int cap);  /* CAP_...; NULL above what is known here */
CapabilitySet capability_set_all(void);
CapabilitySet capability_set_default(void);
/* Docker's CapAdd and CapDrop applied to the default set. */
int capability_set_tweak(json_object *add, json_object *drop, bool privileged, CapabilitySet *ret,
                         EngineError *reterr);
json_object *capability_set_to_json(CapabilitySet set);
