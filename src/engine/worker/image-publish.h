/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "archive-plan.h"
#include "layer-jobs.h"

/*
 * The last step of load and import: everything is unpacked and checked; now it appears. @replaced (may be
 * NULL) is called for a reference that named another image before. Return: 0, -EAGAIN if a layer that was
 * there is gone (unpack it too), -errno.
 */
typedef void (*replaced_t)(void *userdata, const char *canonical, const char *old_hex);
int image_publish(ImageStore *s, const ArchivePlan *p, LayerJobs *jobs, replaced_t replaced, void *userdata);
