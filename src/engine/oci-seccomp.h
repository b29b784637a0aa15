/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "capability-set.h"
#include "error.h"

/*
 * linux.seccomp of an OCI spec from a profile: Docker's format (includes, excludes, archMap), ours of
 * data/seccomp.json (groups with caps and arches), and OCI's own, which is the common subset.
 */
int seccomp_expand(json_object *profile, CapabilitySet capabilities, json_object **ret, EngineError *reterr);
int seccomp_expand_text(const char *text, CapabilitySet capabilities, json_object **ret,
                        EngineError *reterr);
/* The default profile; read once, expanded once per capability set. New reference; NULL is stored when there
 * is none. */
int seccomp_default(CapabilitySet capabilities, json_object **ret, EngineError *reterr);
