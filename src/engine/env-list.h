/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../basic/macro.h"

/* Environments as arrays of NAME=VALUE. @assignment of find may be a bare name. */
char **env_list_find(char **env, const char *assignment);
/* Lay @changes over @env: NAME=VALUE replaces in place or appends, a bare NAME removes. */
int env_list_apply(char ***env, char *const *changes);
