/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../basic/clock.h"
#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/json.h"
#include "../basic/log.h"
#include "../basic/str.h"
#include "../shared/state-log.h"
#include "../shared/unit-name.h"
#include "container-config.h"
#include "container-internal.h"
#include "shim-link.h"
#include "units.h"

/*
 * A container is its directory (docs/contracts.md section 1); this object is an index of it plus what its
 * shim says. The `created` record is written last and makes the directory a container: one without it was
 * never created.
 */
#define CONFIG_MAX (16 * 1024 * 1024)

static const char *const status_names[_CONTAINER_STATUS_MAX] = {
        [CONTAINER_CREATED] = "created",       [CONTAINER_STARTING] = "created",
        [CONTAINER_RUNNING] = "running",       [CONTAINER_PAUSED] = "paused",
        [CONTAINER_RESTARTING] = "restarting", [CONTAINER_REMOVING] = "removing",
        [CONTAINER_EXITED] = "exited",         [CONTAINER_DEAD] = "dead",
};

/** container_status_to_string - Docker's word for the status. */
const char *container_status_to_string(ContainerStatus s) {
        return s >= 0 && s < _CONTAINER_STATUS_MAX ? status_names[s] : "dead";
}

/** container_is_up - has a live payload. */
bool container_is_up(const Container *c) {
        return c->status == CONTAINER_RUNNING || c->status == CONTAINER_PAUSED;
}

/** container_docker_exit_code - see container-internal.h. */
int container_docker_exit_code(const Container *c) {
        if (c->exit_code != EXIT_CODE_UNKNOWN)
                return c->exit_code;
        return c->ran ? 255 : 0;
}

/** container_load_config - see container.h. */
int container_load_config(Container *c, json_object **ret) {
        return json_load_at(c->dir_fd, "config.json", CONFIG_MAX, ret);
}

/** container_append - append one record with at most one field of its own. */
int container_append(Container *c, const char *type, const char *key, const char *value, bool sync) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(FIELDS_TEXT_MAX);
        int r;

        r = state_record_begin(&b, type);
        if (r >= 0 && key)
                r = fields_put(&b, '\t', key, value);
        return r < 0 ? r : state_log_append(c->dir_fd, &b, sync ? STATE_LOG_SYNC : 0);
}

static Container *container_new(Manager *m, const char *id) {
        Container *c = new0(Container, 1);

        if (!c)
                return NULL;
        c->manager = m;
        c->dir_fd = -EBADF;
        memcpy(c->id, id, CONTAINER_ID_LENGTH);
        return c;
}

/** container_free - forget the object (its files stay). Return: NULL. */
Container *container_free(Container *c) {
        if (!c)
                return NULL;
        (void) shim_link_free(c->link);
        shim_queue_flush(c, true);
        operations_fail_all(c, -ECANCELED);
        if (hashmap_get(c->manager->containers, c->id) == c)
                (void) hashmap_remove(c->manager->containers, c->id);
        if (c->name && hashmap_get(c->manager->names, c->name) == c)
                (void) hashmap_remove(c->manager->names, c->name);
        (void) sd_event_source_disable_unref(c->retry_source);
        (void) safe_close(c->dir_fd);
        free(c->name);
        free(c->image);
        free(c->image_id);
        free(c->error);
        free(c->job_failure);
        free(c);
        return NULL;
}

static int replace_string(char **slot, const char *value) {
        char *copy = strdup(strempty(value));

        if (!copy)
                return -ENOMEM;
        free(*slot);
        *slot = copy;
        return 0;
}

static int on_record(const Fields *f, void *userdata) {
        const char *type = strempty(fields_get(f, "type")), *code;
        usec_t at = (usec_t) fields_get_i64_or(f, "at", 0);
        Container *c = userdata;

        if (streq(type, "created")) {
                c->created_at = at;
                return replace_string(&c->name, fields_get(f, "name"));
        }
        if (streq(type, "name"))
                return replace_string(&c->name, fields_get(f, "name"));
        if (streq(type, "desired"))
                c->restart_count = 0;
        else if (streq(type, "started")) {
                c->ran = true;
                c->status = CONTAINER_RUNNING;
                c->started_at = at;
                c->finished_at = 0;
                c->exit_code = 0;
                c->oom_killed = false;
                c->error = mfree(c->error);
                c->pid = (uint64_t) fields_get_i64_or(f, "pid", 0);
                c->epoch = (uint64_t) fields_get_i64_or(f, "epoch", 0);
        } else if (streq(type, "exited")) {
                code = strempty(fields_get(f, "code"));
                c->status = CONTAINER_EXITED;
                c->finished_at = at;
                c->pid = 0;
                c->exit_code = streq(code, "unknown")
                                               ? EXIT_CODE_UNKNOWN
                                               : (int) fields_get_i64_or(f, "code", EXIT_CODE_UNKNOWN);
                c->oom_killed = fields_get_bool(f, "oom");
                c->restart_count = (uint64_t) fields_get_i64_or(f, "restarts", (int64_t) c->restart_count);
        } else if (streq(type, "start-failed")) {
                c->status = c->ran ? CONTAINER_EXITED : CONTAINER_CREATED;
                c->exit_code = (int) fields_get_i64_or(f, "code", 128);
                return replace_string(&c->error, fields_get(f, "message"));
        }
        return 0;
}

/**
 * container_reread_end - take the end of the run over from the log, for when its event did not reach us.
 *
 * Return: 1 if the log has it, 0 if not, -errno.
 */
int container_reread_end(Container *c) {
        Container now = { .manager = c->manager };
        int r = state_log_read(c->dir_fd, on_record, &now);

        if (r >= 0)
                r = now.ran && now.status == CONTAINER_EXITED && now.epoch >= c->epoch;
        if (r > 0) {
                c->status = CONTAINER_EXITED;
                c->pid = 0;
                c->epoch = now.epoch;
                c->started_at = now.started_at;
                c->finished_at = now.finished_at;
                c->exit_code = now.exit_code;
                c->oom_killed = now.oom_killed;
                c->restart_count = now.restart_count;
        }
        free(now.name);
        free(now.error);
        return r;
}

static int load_shim_conf(Container *c) {
        _cleanup_fields_ Fields f = {};
        int r;

        r = fields_load_at(c->dir_fd, "shim.conf", &f);
        if (r < 0)
                return r;
        c->tty = fields_get_bool(&f, "tty");
        c->open_stdin = fields_get_bool(&f, "stdin");
        c->stdin_once = fields_get_bool(&f, "stdin-once");
        c->auto_remove = fields_get_bool(&f, "auto-remove");
        r = replace_string(&c->image, fields_get(&f, "image"));
        return r < 0 ? r : replace_string(&c->image_id, fields_get(&f, "image-id"));
}

static int register_container(Container *c) {
        int r = hashmap_put(c->manager->containers, c->id, c);

        return r < 0 ? r : hashmap_put(c->manager->names, c->name, c);
}

static int link_name(const char *name, const char *id) {
        _cleanup_free_ char *path = str_concat(BERTH_NAMES_DIR "/", name);

        if (!path)
                return -ENOMEM;
        return symlink(id, path) < 0 ? negative_errno() : 0;
}

static void unlink_name(const char *name, const char *id) {
        _cleanup_free_ char *path = str_concat(BERTH_NAMES_DIR "/", name);
        char target[CONTAINER_ID_LENGTH + 1] = "";

        if (path && readlink(path, target, CONTAINER_ID_LENGTH) == CONTAINER_ID_LENGTH && streq(target, id))
                (void) unlink(path);
}

/**
 * container_load - read a container from its directory and register it.
 *
 * Return: 0, -ENODATA for a directory that never became a container, -errno.
 */
int container_load(Manager *m, const char *id, Container **ret) {
        _cleanup_(container_freep) Container *c = container_new(m, id);
        int r;

        if (!c)
                return -ENOMEM;
        c->dir_fd = openat(m->containers_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (c->dir_fd < 0)
                return negative_errno();
        r = state_log_read(c->dir_fd, on_record, c);
        if (r < 0 && r != -ENOENT)
                return r;
        if (!c->name)
                return -ENODATA;
        r = load_shim_conf(c);
        if (r < 0)
                return r;
        /* The record is the truth for the name; the link is its reservation and is made good. */
        r = link_name(c->name, c->id);
        if (r < 0 && r != -EEXIST)
                return r;
        r = register_container(c);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

static int write_plan(int dir_fd, const ContainerPlan *p, WriteFlags flags) {
        const struct {
                const char *name, *text;
                size_t size;
                mode_t mode;
        } files[] = {
                { "config.json", json_text(p->config), 0, 0600 },
                { "oci.json", json_text(p->oci), 0, 0600 },
                { "shim.conf", p->shim_conf.data, p->shim_conf.size, 0600 },
                { "hostname", p->hostname, 0, 0644 },
                { "hosts", p->hosts, 0, 0644 },
                { "resolv.conf", p->resolv_conf, 0, 0644 },
        };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                const char *text = strempty(files[i].text);

                r = write_file_at(dir_fd, files[i].name, text,
                                  files[i].size > 0 ? files[i].size : strlen(text), files[i].mode,
                                  flags | WRITE_EXCLUSIVE);
                if (r < 0)
                        return r;
        }
        if (mkdirat(dir_fd, "upper", 0755) < 0 || mkdirat(dir_fd, "work", 0700) < 0)
                return negative_errno();
        for (char **d = p->directories; d && *d; d++)
                if (mkdirat(dir_fd, *d, 0755) < 0)
                        return negative_errno();
        return 0;
}

/* Runs under the name's reservation: whoever fails takes the directory and the link away again. */
static int write_directory(Container *c, const ContainerPlan *plan) {
        _cleanup_buffer_ Buffer record = BUFFER_INIT(4096);
        /* What is removed at its exit need not survive a power cut. */
        bool sync = !plan->auto_remove;
        int r;

        if (mkdirat(c->manager->containers_fd, c->id, 0700) < 0)
                return negative_errno();
        c->dir_fd = openat(c->manager->containers_fd, c->id,
                           O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (c->dir_fd < 0)
                return negative_errno();
        r = write_plan(c->dir_fd, plan, sync ? WRITE_SYNC : 0);
        if (r >= 0)
                r = state_record_begin(&record, "created");
        if (r >= 0)
                r = fields_put(&record, '\t', "name", c->name);
        if (r >= 0)
                r = state_log_append(c->dir_fd, &record, STATE_LOG_CREATE | (sync ? STATE_LOG_SYNC : 0));
        if (r >= 0 && sync && (fsync(c->dir_fd) < 0 || fsync(c->manager->containers_fd) < 0))
                r = negative_errno();
        return r;
}

static const char *const adjectives[] = { "able",  "brisk", "calm",    "deft",  "eager", "fair",
                                          "glad",  "hardy", "ideal",   "jolly", "keen",  "loyal",
                                          "merry", "neat",  "open",    "proud", "quick", "ready",
                                          "sound", "tidy",  "upright", "vivid", "warm",  "young" };
static const char *const vessels[] = { "barge",  "brig",   "canoe",   "clipper", "cutter", "dhow",
                                       "dinghy", "ferry",  "frigate", "galley",  "junk",   "kayak",
                                       "ketch",  "lugger", "packet",  "pinnace", "punt",   "schooner",
                                       "skiff",  "sloop",  "trawler", "tug",     "xebec",  "yawl" };

static char *random_name(void) {
        uint32_t x;
        char hex[9];

        if (random_hex(4, hex) < 0)
                return NULL;
        x = (uint32_t) strtoul(hex, NULL, 16);
        return str_printf("%s_%s_%s", adjectives[x % ELEMENTSOF(adjectives)],
                          vessels[x / 64 % ELEMENTSOF(vessels)], hex + 4);
}

static int reserve_name(Container *c, const char *name, EngineError *reterr) {
        Container *other;
        int r;

        if (!isempty(name)) {
                if (name[0] == '/')
                        name++;
                if (!container_name_is_valid(name))
                        return error_set(
                                        reterr, -EINVAL,
                                        "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
                                        name);
                other = hashmap_get(c->manager->names, name);
                r = other ? -EEXIST : link_name(name, c->id);
                if (r == -EEXIST)
                        return error_set(
                                        reterr, r,
                                        "Conflict. The container name \"/%s\" is already in use by container \"%s\". You have to "
                                        "remove (or rename) that container to be able to reuse that name.",
                                        name, other ? other->id : "being removed");
                if (r < 0)
                        return error_set(reterr, r, "cannot reserve the name %s: %s", name,
                                         strerrordesc_np(-r));
                return replace_string(&c->name, name);
        }
        for (unsigned tries = 0; tries < 16; tries++) {
                _cleanup_free_ char *candidate = random_name();

                if (!candidate)
                        return -ENOMEM;
                r = hashmap_get(c->manager->names, candidate) ? -EEXIST : link_name(candidate, c->id);
                if (r == -EEXIST)
                        continue;
                if (r < 0)
                        return error_set(reterr, r, "cannot reserve a name: %s", strerrordesc_np(-r));
                return replace_string(&c->name, candidate);
        }
        return -EEXIST;
}

static int adopt_plan(Container *c, ContainerPlan *plan) {
        c->image = TAKE_PTR(plan->image);
        c->image_id = TAKE_PTR(plan->image_id);
        c->tty = plan->tty;
        c->open_stdin = plan->open_stdin;
        c->stdin_once = plan->stdin_once;
        c->auto_remove = plan->auto_remove;
        c->created_at = now_realtime();
        return register_container(c);
}

/**
 * container_create - everything of `docker create`: validate, reserve the name, write the directory,
 * register.
 * @name: NULL or "" for one of ours. @ret_warnings: new reference, array of strings.
 *
 * Return: 0, or -errno with @reterr; then nothing is left behind.
 */
int container_create(Manager *m, const char *name, const char *platform, json_object *request,
                     Container **ret, json_object **ret_warnings, EngineError *reterr) {
        _cleanup_(container_freep) Container *c = NULL;
        _cleanup_plan_ ContainerPlan plan = {};
        char id[CONTAINER_ID_LENGTH + 1];
        int r;

        r = random_hex(CONTAINER_ID_LENGTH / 2, id);
        if (r < 0)
                return r;
        c = container_new(m, id);
        if (!c)
                return -ENOMEM;
        r = reserve_name(c, name, reterr);
        if (r < 0)
                return r;
        r = container_plan(m, id, c->name, platform, request, &plan, reterr);
        if (r >= 0) {
                r = write_directory(c, &plan);
                if (r < 0)
                        (void) error_set(reterr, r, "cannot write the container's files: %s",
                                         strerrordesc_np(-r));
        }
        if (r >= 0)
                r = adopt_plan(c, &plan);
        if (r < 0) {
                unlink_name(c->name, c->id);
                (void) remove_tree_at(m->containers_fd, c->id);
                return r;
        }
        *ret_warnings = TAKE_PTR(plan.warnings);
        *ret = TAKE_PTR(c);
        return 0;
}

/** container_rename - give another name; the old one is free afterwards. */
int container_rename(Container *c, const char *name, EngineError *reterr) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT(4096);
        _cleanup_free_ char *old = NULL;
        int r;

        if (isempty(name))
                return error_set(reterr, -EINVAL, "Neither old nor new names may be empty");
        if (name[0] == '/')
                name++;
        if (streq(name, c->name))
                return error_set(reterr, -EINVAL,
                                 "Renaming a container with the same name as its current name");
        old = strdup(c->name);
        if (!old)
                return -ENOMEM;
        /* The map borrows the name as its key, so the entry goes before the name does. */
        (void) hashmap_remove(c->manager->names, c->name);
        r = reserve_name(c, name, reterr);
        if (r >= 0) {
                r = container_append(c, "name", "name", c->name, true);
                if (r < 0) {
                        (void) error_set(reterr, r, "cannot store the new name: %s", strerrordesc_np(-r));
                        unlink_name(c->name, c->id);
                        free(c->name);
                        c->name = TAKE_PTR(old);
                }
        }
        if (hashmap_put(c->manager->names, c->name, c) < 0)
                (void) log_oom();
        if (r < 0)
                return r;
        unlink_name(old, c->id);
        if (container_is_up(c) && fields_put(&text, '\n', "name", c->name) >= 0)
                (void) shim_send(c, "rename", &text, NULL, 0, NULL, NULL);
        return 0;
}

/* A few small files in memory; not worth a worker. */
static void drop_run_directory(const Container *c) {
        _cleanup_close_ int fd = open(BERTH_RUN_CONTAINERS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd >= 0)
                (void) remove_tree_at(fd, c->id);
}

/**
 * container_discard - see container-internal.h. The rename is the removal; the tree goes in its own time.
 *
 * Return: 0, or -errno when the directory could not be moved away (the container stays).
 */
int container_discard(Container *c) {
        _cleanup_free_ char *target = NULL;
        Manager *m = c->manager;
        char suffix[9];
        int r;

        r = random_hex(4, suffix);
        if (r < 0)
                return r;
        target = str_concat(BERTH_TRASH_DIR "/", c->id, "-", suffix);
        if (!target)
                return -ENOMEM;
        if (renameat(m->containers_fd, c->id, AT_FDCWD, target) >= 0)
                manager_empty_trash(m);
        else if (errno != ENOENT)
                return negative_errno();
        unlink_name(c->name, c->id);
        drop_run_directory(c);
        (void) container_free(c);
        return 0;
}

/**
 * container_reconcile - after a load: is what the log calls running really there?
 *
 * Return: 0 with status and link set, -errno.
 */
int container_reconcile(Container *c) {
        int r;

        r = shim_link_connect(c);
        if (r >= 0 || (!container_is_up(c) && c->status != CONTAINER_RESTARTING))
                return 0;
        r = unit_is_alive(c->manager, c->id);
        if (r < 0)
                return r;
        if (r > 0) {
                container_on_link_lost(c);
                return 0;
        }
        if (c->status == CONTAINER_RESTARTING) {
                c->status = CONTAINER_EXITED;
                return 0;
        }
        (void) unit_stop_scope(c->manager, c->id);
        if (container_reread_end(c) > 0)
                return 0;
        c->status = CONTAINER_EXITED;
        c->exit_code = EXIT_CODE_UNKNOWN;
        c->finished_at = now_realtime();
        c->pid = 0;
        log_warning("Container %s (%s) ended while nobody watched; its exit status is unknown.", c->name,
                    c->id);
        return container_append(c, "exited", "code", "unknown", true);
}
