/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

int private_proc_write(const char *file, const char *value);
