/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager.h"

/* Routes of the engine itself: _ping, version, info. */
int system_http_register(Manager *m);
/* Names everything of the API that is not there yet. Add it last: the first route that matches wins. */
int unsupported_http_register(Manager *m);
int image_http_register(Manager *m);
int logs_http_register(Manager *m);
