/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "container.h"
#include "http-server.h"
#include "manager.h"

/* Each REST skin adds its routes; those of the engine itself are in system-http.h. */
int container_http_register(Manager *m);
int attach_http_register(Manager *m);
int exec_http_register(Manager *m);

/* The container an URL names; Docker's 404 text. */
int http_find_container(Manager *m, HttpRequest *req, Container **ret, EngineError *reterr);
int http_check_detach_keys(const char *keys, EngineError *reterr);
int http_parse_resize(HttpRequest *req, unsigned *ret_height, unsigned *ret_width, EngineError *reterr);
