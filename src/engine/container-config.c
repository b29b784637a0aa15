/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * container_plan(): Docker's create request to the contents of a container's files. The steps, each in a
 * file of its own: the tables of known options (option-table.c), mounts (mount-spec.c), checks (create-*.c),
 * the image's configuration (create-merge.c), the OCI spec (oci-*.c), shim.conf (shim-conf-write.c), small
 * files (container-files.c).
 *
 * Nothing is written before everything has been checked; what is made then on the host is only what the user
 * asked for (missing bind sources, named volumes), as Docker does.
 *
 * config.json: Id, Platform, Image (id), Path, Args, Config, HostConfig, NetworkingConfig, Mounts, all as
 * inspect shows them.
 */
#include "container-config.h"

#include <fcntl.h>

#include "../basic/file.h"
#include "../basic/json.h"
#include "../basic/str.h"
#include "../shared/fields.h"
#include "create.h"
#include "image-path.h"
#include "oci-mounts.h"
#include "option-table.h"

/** container_plan_done - free all of a plan. */
void container_plan_done(ContainerPlan *p) {
        free(p->image);
        free(p->image_id);
        json_object_put(p->config);
        json_object_put(p->oci);
        buffer_done(&p->shim_conf);
        free(p->hostname);
        free(p->hosts);
        free(p->resolv_conf);
        json_object_put(p->warnings);
        (void) strv_free(p->directories);
        *p = (ContainerPlan){};
}

/** create_context_done - free what the context owns. */
void create_context_done(CreateContext *c) {
        (void) strv_free(c->argv);
        (void) strv_free(c->env);
        free(c->network);
        free(c->runtime);
        free(c->seccomp);
        mount_specs_done(&c->mounts);
        (void) strv_free(c->directories);
}

/* A body with nothing but HostConfig in it has no container configuration. */
static bool has_config(json_object *request) {
        json_object_object_foreach(request, key, value) {
                (void) value;
                if (!streq(key, "HostConfig") && !streq(key, "NetworkingConfig"))
                        return true;
        }
        return false;
}

static int check_platform(const Image *image, const char *name, const char *platform, EngineError *reterr) {
        _cleanup_strv_ char **parts = NULL;
        const char *os = "linux", *arch = NULL;
        size_t n;
        int r;

        if (isempty(platform))
                return 0;
        r = strv_split(platform, '/', &parts);
        if (r < 0)
                return r;
        n = strv_length(parts);
        if (n == 0 || n > 3)
                return error_set(reterr, -EINVAL, "\"%s\" is an invalid OS/architecture", platform);
        if (n > 1) {
                os = parts[0];
                arch = parts[1];
        } else if (streq(parts[0], "linux") || streq(parts[0], "windows"))
                os = parts[0];
        else
                arch = parts[0];
        if (streq_ptr(image->os, os) && (!arch || streq_ptr(image->architecture, arch)))
                return 0;
        return error_set(
                        reterr, -ENOENT,
                        "image with reference %s was found but its platform (%s/%s) does not match the "
                        "specified platform (%s)",
                        name, strempty(image->os), strempty(image->architecture), platform);
}

static int find_image(Manager *m, const char *name, const char *platform, Image **ret, EngineError *reterr) {
        _cleanup_image_ Image *image = NULL;
        int r;

        r = isempty(name) ? -EINVAL : image_resolve(m->images, name, &image);
        if (r < 0) {
                _cleanup_free_ char *text = image_error_text(name, r);

                return text ? error_set(reterr, r, "%s", text) : r;
        }
        r = check_platform(image, name, platform, reterr);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(image);
        return 0;
}

static int merge_options(CreateContext *c, json_object *request, ContainerPlan *plan, EngineError *reterr) {
        json_object *host, *o;
        int r;

        if (!json_object_is_type(request, json_type_object) || !has_config(request))
                return error_set(reterr, -EINVAL, "config cannot be empty in order to create a container");
        if (json_get_object(request, "HostConfig", &host) < 0)
                return error_set(reterr, -EINVAL, "invalid JSON: HostConfig must be an object");
        plan->config = json_object_new_object();
        if (!plan->config)
                return -ENOMEM;
        r = options_merge(config_options, "Config", request, &o, reterr);
        if (r < 0)
                return r;
        c->config = o;
        r = json_set(plan->config, "Config", o);
        if (r < 0)
                return r;
        r = options_merge(host_options, "HostConfig", host, &o, reterr);
        if (r < 0)
                return r;
        c->host = o;
        (void) json_get_bool(c->config, "Tty", &c->tty);
        (void) json_get_bool(c->host, "Privileged", &c->privileged);
        return json_set(plan->config, "HostConfig", o);
}

/* Privileged containers see all of /proc and /sys unless they ask otherwise. */
static int default_paths(const CreateContext *c, json_object *request) {
        static const char *const keys[] = { "MaskedPaths", "ReadonlyPaths" };

        for (size_t i = 0; c->privileged && i < ELEMENTSOF(keys); i++) {
                int r = json_get(json_get(request, "HostConfig"), keys[i]) ? 0
                                                                           : json_set_null(c->host, keys[i]);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int validate(CreateContext *c, json_object *request, EngineError *reterr) {
        json_object *networking;
        int r;

        if (json_get_object(request, "NetworkingConfig", &networking) < 0)
                return error_set(reterr, -EINVAL, "invalid JSON: NetworkingConfig must be an object");
        r = create_validate(c, networking, reterr);
        if (r >= 0)
                r = create_validate_resources(c, reterr);
        if (r >= 0)
                r = create_parse_security(c, reterr);
        if (r >= 0)
                r = create_find_runtime(c, reterr);
        if (r >= 0)
                r = default_paths(c, request);
        return r >= 0 ? mount_specs_parse(c->host, &c->mounts, reterr) : r;
}

static bool controller_is_missing(const char *controllers, const char *name) {
        return controllers && !strstr(controllers, name);
}

/* systemd takes and shows a limit whose controller the kernel does not have; the user should know. */
static int warn_controllers(const CreateContext *c) {
        static const struct {
                const char *keys[3];
                const char *controller;
                const char *text;
        } all[] = {
                { { "Memory", "MemoryReservation" },
                  "memory",
                  "The memory controller is not available in cgroup v2 here. The memory limit has no "
                  "effect." },
                { { "NanoCpus", "CpuQuota", "CpuShares" },
                  "cpu",
                  "The cpu controller is not available in cgroup v2 here. The CPU limit has no effect." },
                { { "PidsLimit" },
                  "pids",
                  "The pids controller is not available in cgroup v2 here. The PIDs limit has no effect." },
                { { "BlkioWeight" },
                  "io",
                  "The io controller is not available in cgroup v2 here. The weight has no effect." },
        };
        _cleanup_free_ char *controllers = NULL;

        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                bool wanted = false;

                for (size_t k = 0; k < ELEMENTSOF(all[i].keys) && all[i].keys[k]; k++)
                        wanted = wanted || !json_is_empty_value(json_get(c->host, all[i].keys[k]));
                if (!wanted)
                        continue;
                if (!controllers && read_file_at(AT_FDCWD, "/sys/fs/cgroup/cgroup.controllers", 4096,
                                                 &controllers, NULL) < 0)
                        return 0;
                if (controller_is_missing(controllers, all[i].controller) &&
                    json_add_str(c->warnings, all[i].text) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/*
 * An anonymous volume is private to its container and goes with it, and so does the container's upper layer:
 * where the image has the directory, that is the volume. Where it has none, a directory of the container's
 * is bound there.
 */
static int place_private_directories(CreateContext *c, EngineError *reterr) {
        bool readonly = false;
        size_t n = 0;

        (void) json_get_bool(c->host, "ReadonlyRootfs", &readonly);
        for (char **d = c->directories; d && *d; d++) {
                ImagePathKind kind;
                int r = image_path_kind(c->image, *d, &kind);

                if (r < 0)
                        return error_set_status(reterr, r, 500, "cannot look %s up in the image: %s", *d,
                                                strerrordesc_np(-r));
                if (kind == IMAGE_PATH_OTHER)
                        return error_set(reterr, -EINVAL, "volume target %s is not a directory in the image",
                                         *d);
                if (readonly && kind == IMAGE_PATH_DIR)
                        return error_unsupported(reterr,
                                                 "an anonymous volume over files of a read-only image");
                if (kind == IMAGE_PATH_ABSENT || readonly)
                        c->directories[n++] = *d;
                else
                        free(*d);
        }
        if (c->directories)
                c->directories[n] = NULL;
        return 0;
}

/* Docker fills a new volume with what the image has at its place; berth says so where it would have to. */
static int check_volume_contents(const CreateContext *c, EngineError *reterr) {
        for (size_t i = 0; i < c->mounts.n; i++) {
                const MountSpec *s = &c->mounts.items[i];
                ImagePathKind kind;
                int r;

                if (s->type != MOUNT_VOLUME || s->nocopy || volume_has_files(s->source))
                        continue;
                r = image_path_kind(c->image, s->destination, &kind);
                if (r < 0)
                        return error_set_status(reterr, r, 500, "cannot look %s up in the image: %s",
                                                s->destination, strerrordesc_np(-r));
                if (kind == IMAGE_PATH_DIR)
                        return error_set(
                                        reterr, -EOPNOTSUPP,
                                        "copying the image's files at %s into the new volume %s is not "
                                        "supported by this "
                                        "version of berth; use the option nocopy",
                                        s->destination, s->name);
        }
        return 0;
}

static int plan_directories(const CreateContext *c, ContainerPlan *plan) {
        int r = 0;

        if (strv_length(c->directories) > 0)
                r = strv_extend(&plan->directories, "volumes");
        for (size_t i = 0; r >= 0 && c->directories && c->directories[i]; i++)
                r = strv_consume(&plan->directories, oci_private_directory(i));
        return r;
}

static int finish_config(const CreateContext *c, json_object *request, json_object *config) {
        json_object *mounts, *networking = json_get(request, "NetworkingConfig");
        int r;

        r = mount_specs_to_json(&c->mounts, &mounts);
        if (r >= 0)
                r = json_set(config, "Mounts", mounts);
        if (r >= 0)
                r = json_set_str(config, "Id", c->id);
        if (r >= 0)
                r = json_set_str(config, "Platform", "linux");
        if (r >= 0)
                r = json_set_str(config, "Image", c->image->id);
        if (r >= 0)
                r = json_set_str(config, "Path", c->argv[0]);
        if (r >= 0)
                r = json_set(config, "Args", json_new_strv(c->argv + 1));
        if (r >= 0 && networking)
                r = json_set(config, "NetworkingConfig", json_object_get(networking));
        return r;
}

static int write_texts(CreateContext *c, ContainerPlan *plan) {
        int r;

        plan->image = strdup(json_string_or(c->config, "Image", ""));
        plan->image_id = strdup(c->image->id);
        plan->hostname = str_concat(json_string_or(c->config, "Hostname", ""), "\n");
        if (!plan->image || !plan->image_id || !plan->hostname)
                return -ENOMEM;
        plan->tty = c->tty;
        (void) json_get_bool(c->config, "OpenStdin", &plan->open_stdin);
        (void) json_get_bool(c->config, "StdinOnce", &plan->stdin_once);
        (void) json_get_bool(c->host, "AutoRemove", &plan->auto_remove);
        plan->shim_conf = BUFFER_INIT(FIELDS_TEXT_MAX);
        r = create_shim_conf(c, &plan->shim_conf);
        if (r >= 0)
                r = create_hosts(c, &plan->hosts);
        if (r >= 0)
                r = create_resolv_conf(c, &plan->resolv_conf);
        return r >= 0 ? plan_directories(c, plan) : r;
}

static int build(CreateContext *c, json_object *request, const char *platform, ContainerPlan *plan,
                 EngineError *reterr) {
        _cleanup_image_ Image *image = NULL;
        int r;

        r = merge_options(c, request, plan, reterr);
        if (r >= 0)
                r = validate(c, request, reterr);
        if (r >= 0)
                r = find_image(c->manager, json_string_or(c->config, "Image", ""), platform, &image, reterr);
        if (r < 0)
                return r;
        c->image = image;
        r = create_merge_image(c, reterr);
        if (r >= 0)
                r = place_private_directories(c, reterr);
        if (r >= 0)
                r = check_volume_contents(c, reterr);
        if (r >= 0)
                r = create_build_env(c);
        if (r >= 0)
                r = create_oci_spec(c, &plan->oci, reterr);
        if (r >= 0)
                r = finish_config(c, request, plan->config);
        if (r >= 0)
                r = write_texts(c, plan);
        if (r >= 0)
                r = warn_controllers(c);
        if (r >= 0)
                r = mount_specs_realize(&c->mounts, reterr);
        c->image = NULL;
        return r;
}

/**
 * container_plan - see container-config.h. @request and the strings are borrowed; @ret is to be freed by
 * container_plan_done(). @platform may be NULL.
 *
 * Return: 0; -EINVAL, -ENOENT (image, network, peer), -EOPNOTSUPP with the option's name, -ENOMEM, each with
 * a text.
 */
int container_plan(Manager *m, const char *id, const char *name, const char *platform, json_object *request,
                   ContainerPlan *ret, EngineError *reterr) {
        _cleanup_create_ CreateContext c = { .manager = m, .id = id, .name = name };
        _cleanup_plan_ ContainerPlan plan = {};
        int r;

        plan.warnings = c.warnings = json_object_new_array();
        if (!plan.warnings)
                return error_fill(reterr, -ENOMEM);
        r = build(&c, request, platform, &plan, reterr);
        if (r == -E2BIG)
                return error_set_status(reterr, r, 400, "the container's configuration is too large");
        if (r < 0)
                return error_fill(reterr, r);
        *ret = plan;
        plan = (ContainerPlan){};
        return 0;
}
