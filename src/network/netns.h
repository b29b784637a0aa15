/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rtnl.h"

int netns_create(int host_fd, int *ret_fd, Rtnl *ret_inside);
