/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Forced into every translation unit: the compiler refuses calls that are unbounded, locale dependent, or
 * wait blindly. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#undef alloca
#pragma GCC poison strcpy strcat sprintf vsprintf strtok strtok_r atoi atol atoll gets popen alloca usleep
