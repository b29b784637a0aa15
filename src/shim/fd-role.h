/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "memory.h"

/* After a restart descriptors come back from the fd store in no order: inodes tell which is which. */
int fd_identify(int fd, FdIdentity *ret);
FdRole fd_role(int fd, const FdIdentity known[]);
