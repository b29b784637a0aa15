/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../../../src/engine/container.h"
#include "../../../src/engine/image/image-store.h"

/* What the code under test asks of the rest of the engine: one image `busybox`, one container `peer`. */
#define FAKE_ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PEER_ID "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

extern const char *fake_image_config; /* JSON of Config of the image */
extern Container *fake_container;      /* found by any name that is its name or id */
