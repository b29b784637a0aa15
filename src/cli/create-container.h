/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "container-options.h"

int container_create(Client *c, const ContainerOptions *o, char **args, char **ret_id);
int image_pull(Client *c, const char *image, bool quiet);
