/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

int copy_up(int from_fd, int to_fd, const char *options, const char *name);
