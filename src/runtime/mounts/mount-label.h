/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "mounts.h"

const char *mount_label_of(const MountContext *c, const SpecMount *m);
char *mount_data_with_label(const char *data, const char *label, const char *label_option);
bool mount_labels_queues(const Spec *s, const SpecMount *m);
int mount_label_queues(const Spec *s, int mount_fd);
int mount_data_split(const char *data, char ***ret);
