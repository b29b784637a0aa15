/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../basic/macro.h"

/* What an OCI runtime's JSON log says about its failure. */
char *runtime_error_read(const char *log_path);
int runtime_error_code(const char *message);
