/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>
#include <sys/types.h>

#include "../../shared/http.h"

/*
 * The client's connection, taken over from the engine with the request's body still to be read and no byte
 * of the response written. One request, then the connection is closed.
 */
typedef struct WorkerHttp {
        int fd; /* client socket, -EBADF for a job without client */
        HttpBody body;
        char *buffer; /* bytes read and not yet decoded */
        size_t start, end;
        bool expect_continue;
        bool http10; /* no chunked coding in the response */
        bool begun;  /* the head is out */
        bool ended;
        bool gone;    /* the client left */
        unsigned api; /* minor version: 50 for 1.50 */
} WorkerHttp;

void worker_http_done(WorkerHttp *h);

/* @framing: chunked, length:N, none. @early_fd: memfd of bytes already read, or -EBADF. */
int worker_http_open(WorkerHttp *h, int client_fd, int early_fd, const char *framing);

/* Request body. Return: bytes, 0 at its end, -ECONNRESET if the client left before, -EBADMSG for bad
 * framing. */
ssize_t worker_http_read(WorkerHttp *h, void *data, size_t size);

/* A child read the body, to its end if @complete; this process knows no more where it is. */
void worker_http_body_taken(WorkerHttp *h, bool complete);

/* Response. begin writes the head (chunked unless HTTP/1.0); @content_type may be NULL. All give -EPIPE once
 * the client left. */
int worker_http_begin(WorkerHttp *h, unsigned status, const char *content_type);
int worker_http_write(WorkerHttp *h, const void *data, size_t size);
int worker_http_line(WorkerHttp *h,
                     json_object *line); /* begins with 200 application/json when needed; consumes @line */
int worker_http_end(WorkerHttp *h);

/* {"message": ...} with @status, or an errorDetail line if the response has begun; ends it. */
int worker_http_error(WorkerHttp *h, unsigned status, const char *message);

/* Does poll say that the client closed both directions? (A half-close is no leaving.) */
bool worker_http_client_gone(WorkerHttp *h);
