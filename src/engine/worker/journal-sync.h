/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../../basic/macro.h"

/* Ask journald to take in everything it has been sent and to make it visible. */
int journal_synchronize(usec_t timeout);
