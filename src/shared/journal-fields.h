/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* MESSAGE_IDs of the lifecycle entries; texts in catalog/berth.catalog. */
#define MESSAGE_ID_CONTAINER_STARTED "5d1c2f0e8b3f4c1e9f2a7c6d4e8b1a01"
#define MESSAGE_ID_CONTAINER_EXITED "5d1c2f0e8b3f4c1e9f2a7c6d4e8b1a02"
#define MESSAGE_ID_CONTAINER_START_FAILED "5d1c2f0e8b3f4c1e9f2a7c6d4e8b1a03"
#define MESSAGE_ID_CONTAINER_OOM "5d1c2f0e8b3f4c1e9f2a7c6d4e8b1a04"
#define MESSAGE_ID_CLIENT_DROPPED "5d1c2f0e8b3f4c1e9f2a7c6d4e8b1a05"
#define MESSAGE_ID_SHIM_RESUMED "5d1c2f0e8b3f4c1e9f2a7c6d4e8b1a06"

/* A line longer than this is split into partial entries (Docker's journald driver splits at the same
 * length). */
#define LOG_LINE_MAX (16 * 1024)
