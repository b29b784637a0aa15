/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "create.h"

/* The `mounts` array of the OCI spec: Docker's defaults, the container's own files, the user's mounts. Sorts
 * c->mounts. */
int oci_mounts(CreateContext *c, json_object **ret);
/* Name of the private directory of the @n-th of c->directories, below the container's directory. */
char *oci_private_directory(size_t n);
