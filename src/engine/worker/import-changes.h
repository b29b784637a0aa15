/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "../../basic/macro.h"

/*
 * One `--change` of import: CMD ENTRYPOINT ENV EXPOSE LABEL STOPSIGNAL USER VOLUME WORKDIR as in a
 * Dockerfile, applied to the image's inner config. Return: 0, -EINVAL or -EOPNOTSUPP with @ret_error,
 * -ENOMEM.
 */
int import_change_apply(json_object *config, const char *change, char **ret_error);
