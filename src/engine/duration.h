/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../basic/macro.h"

#define DURATION_MAX 48

/* "2 seconds", "About a minute", "3 weeks": Docker's words. */
void duration_to_human(usec_t d, char ret[DURATION_MAX]);
