/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "http-server.h"

/* Find the route of @req, fill in query, api_minor and args. -ENOENT / -EINVAL with the text for the client.
 */
int http_route(HttpServer *s, HttpRequest *req, const Route **ret, EngineError *reterr);
