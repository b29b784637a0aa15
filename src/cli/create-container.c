/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "create-container.h"

#include <fcntl.h>
#include <stdio.h>

#include "../basic/file.h"
#include "../basic/str.h"
#include "progress.h"
#include "reference.h"

/** image_pull - ask the engine to fetch @image; progress goes to stderr. */
int image_pull(Client *c, const char *image, bool quiet) {
        _cleanup_reference_ Reference ref = {};
        _cleanup_buffer_ Buffer target = BUFFER_INIT(HTTP_HEAD_MAX);
        _cleanup_connection_ Connection conn = CONNECTION_INIT;
        Request rq = { .method = "POST" };
        int r;

        r = reference_parse(image, &ref);
        if (r < 0)
                return client_fail(c, r, "invalid reference format: %s", image);
        r = buffer_append_str(&target, "/images/create");
        if (r >= 0)
                r = query_add(&target, "fromImage", ref.name);
        if (r >= 0)
                r = query_add(&target, "tag", ref.tag ? ref.tag : "latest");
        if (r >= 0)
                r = connection_open(c, &conn);
        rq.target = target.data;
        if (r >= 0)
                r = request_send(c, &conn, &rq);
        return r < 0 ? r : progress_receive(c, &conn, quiet ? PROGRESS_SILENT : PROGRESS_STDERR, NULL);
}

static int write_cidfile(Client *c, const char *path, const char *id) {
        int r = write_file_at(AT_FDCWD, path, id, strlen(id), 0644, WRITE_EXCLUSIVE);

        return r < 0 ? client_fail(c, r, "failed to write the container ID to %s: %s", path, strerror(-r))
                     : 0;
}

static int call_create(Client *c, const ContainerOptions *o, json_object *body, json_object **ret) {
        _cleanup_buffer_ Buffer target = BUFFER_INIT(HTTP_HEAD_MAX);
        int r = buffer_append_str(&target, "/containers/create");

        if (r >= 0 && o->name)
                r = query_add(&target, "name", o->name);
        if (r >= 0 && o->platform)
                r = query_add(&target, "platform", o->platform);
        return r < 0 ? r : client_call(c, "POST", target.data, body, ret);
}

/* The user typed "busybox"; the message of docker, which tests look for, has the tag. */
static int pull_missing(Client *c, const ContainerOptions *o, const char *image) {
        bool tagged = strchr(image, '@') || strchr(strrchr(image, '/') ? strrchr(image, '/') : image, ':');

        fprintf(stderr, "Unable to find image '%s%s' locally\n", image, tagged ? "" : ":latest");
        return image_pull(c, image, o->quiet);
}

/**
 * container_create - POST /containers/create, with what --pull and --cidfile ask for.
 * @args: image, then the command.
 * @ret_id: the new id, to be freed.
 *
 * Return: 0, or an error with Client.error set.
 */
int container_create(Client *c, const ContainerOptions *o, char **args, char **ret_id) {
        _cleanup_json_ json_object *body = NULL, *reply = NULL;
        const char *pull = isempty(o->pull) ? "missing" : o->pull;
        json_object *warnings;
        const char *id;
        int r;

        if (!streq(pull, "missing") && !streq(pull, "always") && !streq(pull, "never"))
                return client_fail(
                                c, -EINVAL,
                                "invalid pull option: '%s': must be one of \"always\", \"missing\" or \"never\"",
                                pull);
        if (o->cidfile && access(o->cidfile, F_OK) >= 0)
                return client_fail(
                                c, -EEXIST,
                                "container ID file found, make sure the other container isn't running or delete %s",
                                o->cidfile);
        r = container_config_new(c, o, args, &body);
        if (r >= 0 && streq(pull, "always"))
                r = image_pull(c, args[0], o->quiet);
        if (r < 0)
                return r;
        r = call_create(c, o, body, &reply);
        if (r == -ENOENT && streq(pull, "missing") && c->status == 404 && c->error &&
            strstr(c->error, "No such image")) {
                r = pull_missing(c, o, args[0]);
                if (r >= 0)
                        r = call_create(c, o, body, &reply);
        }
        if (r < 0)
                return r;
        if (json_get_array(reply, "Warnings", &warnings) > 0)
                for (size_t i = 0; i < json_object_array_length(warnings); i++)
                        fprintf(stderr, "WARNING: %s\n",
                                json_object_get_string(json_object_array_get_idx(warnings, i)));
        id = json_string_or(reply, "Id", NULL);
        if (!id)
                return client_fail(c, -EBADMSG, "berth at %s answered without an id", c->host);
        if (o->cidfile) {
                r = write_cidfile(c, o->cidfile, id);
                if (r < 0)
                        return r;
        }
        *ret_id = strdup(id);
        return *ret_id ? 0 : -ENOMEM;
}
