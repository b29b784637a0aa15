/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../basic/macro.h"

/*
 * The text of the first failure. A runtime call is one short thread of control that ends at its first error,
 * so one slot per process is enough; the child that becomes the payload sends its slot to the parent.
 */
int fail_errno(int error, const char *fmt, ...) _printf_(2, 3);
int fail_text(int error, const char *fmt, ...) _printf_(2, 3);
const char *fail_message(void);
const char *errno_words(int error);
