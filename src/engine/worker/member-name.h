/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../../basic/macro.h"

/* Names in archives: relative, no `..`, at most PATH_MAX bytes and 256 components. */
typedef enum NameFault {
        NAME_OK,
        NAME_ABSOLUTE,
        NAME_DOTDOT,
        NAME_TOO_LONG,
        NAME_TOO_DEEP,
} NameFault;

/* Drops empty and `.` components; the archive's root is "". Return: 0, -EINVAL with @ret_fault, -ENOMEM. */
int member_name_clean(const char *name, char **ret, NameFault *ret_fault);
const char *name_fault_text(NameFault f);
