/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spec-fakes.h"

#include "../../../src/basic/json.h"
#include "../../../src/basic/str.h"
#include "../../../src/engine/container-internal.h"
#include "../../../src/engine/oci-seccomp.h"

const char *fake_image_config = "{}";
Container *fake_container;

Image *image_free(Image *i) {
        if (!i)
                return NULL;
        free(i->id);
        free(i->architecture);
        free(i->os);
        (void) strv_free(i->layers);
        json_object_put(i->config);
        free(i);
        return NULL;
}

int image_resolve(ImageStore *s, const char *name, Image **ret) {
        _cleanup_image_ Image *i = NULL;

        if (!streq(name, "busybox") && !streq(name, "sha256:aaaa"))
                return -ENOENT;
        i = new0(Image, 1);
        if (!i)
                return -ENOMEM;
        i->id = strdup("sha256:aaaa");
        i->architecture = strdup("amd64");
        i->os = strdup("linux");
        if (strv_extend(&i->layers, "1111") < 0 || strv_extend(&i->layers, "2222") < 0)
                return -ENOMEM;
        if (json_parse(fake_image_config, strlen(fake_image_config), &i->config) < 0)
                return -EUCLEAN;
        *ret = TAKE_PTR(i);
        return 0;
}

char *image_error_text(const char *name, int error) {
        return error == -ENOENT ? str_concat("No such image: ", name, ":latest")
                                : strdup("invalid reference format");
}

int manager_find_container(Manager *m, const char *name, Container **ret) {
        if (!fake_container || (!streq(name, fake_container->name) && !streq(name, fake_container->id)))
                return -ENOENT;
        *ret = fake_container;
        return 0;
}

const char *container_status_to_string(ContainerStatus s) {
        static const char *const names[] = { "created",    "created",  "running", "paused",
                                             "restarting", "removing", "exited",  "dead" };

        return names[s];
}

bool container_is_up(const Container *c) {
        return c->status == CONTAINER_RUNNING || c->status == CONTAINER_PAUSED;
}

int container_docker_exit_code(const Container *c) {
        return c->exit_code != EXIT_CODE_UNKNOWN ? c->exit_code : c->ran ? 255 : 0;
}

int container_load_config(Container *c, json_object **ret) {
        return json_load_at(c->dir_fd, "config.json", 1024 * 1024, ret);
}

int seccomp_default(CapabilitySet capabilities, json_object **ret, EngineError *reterr) {
        return json_parse("{\"defaultAction\":\"SCMP_ACT_ERRNO\"}", 34, ret);
}
