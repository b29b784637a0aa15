/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An exec is its files (see exec.h): the engine writes .conf and .json and, when it hands the exec to the
 * shim, .started; the shim and the runtime write .pid and .exit. Nothing is kept in memory. Files of
 * finished execs go some minutes later, so that a client that asks for the exit code still finds it.
 */
#include "exec.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../basic/clock.h"
#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/hashmap.h"
#include "../basic/json.h"
#include "../basic/str.h"
#include "../shared/fields.h"
#include "exec-config.h"

#define EXIT_CODE_REFUSED 126
#define OCI_MAX (16 * 1024 * 1024)
#define EXEC_KEEP_USEC (5 * 60 * USEC_PER_SEC)
#define EXEC_COLLECT_USEC (30 * USEC_PER_SEC)

/** exec_free - Return: NULL. */
Exec *exec_free(Exec *e) {
        if (!e)
                return NULL;
        free(e->detach_keys);
        free(e->user);
        (void) strv_free(e->argv);
        free(e);
        return NULL;
}

/* O_PATH fd of the directory with a container's execs. */
static int open_directory(const char *container_id, bool create) {
        _cleanup_free_ char *path = str_concat(BERTH_RUN_CONTAINERS_DIR "/", container_id, "/exec");
        int fd;

        if (!path)
                return -ENOMEM;
        fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && errno == ENOENT && create) {
                int r = mkdir_parents(path, 0700);

                if (r < 0)
                        return r;
                fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        }
        return fd < 0 ? negative_errno() : fd;
}

static void file_name(const char *id, const char *suffix, char ret[CONTAINER_ID_LENGTH + 16]) {
        (void) snprintf(ret, CONTAINER_ID_LENGTH + 16, "%.*s%s", CONTAINER_ID_LENGTH, id, suffix);
}

static bool file_exists(int dir_fd, const char *id, const char *suffix) {
        char name[CONTAINER_ID_LENGTH + 16];

        file_name(id, suffix, name);
        return faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) >= 0;
}

static void remove_files(int dir_fd, const char *id) {
        /* .exit last: while it is there a next pass finds what this one could not remove. */
        static const char *const suffixes[] = { ".json", ".conf", ".started", ".pid", ".log", ".exit" };

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                char name[CONTAINER_ID_LENGTH + 16];

                file_name(id, suffixes[i], name);
                (void) unlinkat(dir_fd, name, 0);
        }
}

static void collect_finished(int dir_fd) {
        static usec_t last;
        usec_t now = now_realtime(), monotonic = now_monotonic();
        struct dirent *d;
        DIR *dir;
        int fd;

        if (last != 0 && monotonic < last + EXEC_COLLECT_USEC)
                return;
        last = monotonic;
        fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return;
        dir = fdopendir(fd);
        if (!dir) {
                safe_close(fd);
                return;
        }
        while ((d = readdir(dir))) {
                struct stat st;

                if (!endswith(d->d_name, ".exit") ||
                    strlen(d->d_name) != CONTAINER_ID_LENGTH + strlen(".exit"))
                        continue;
                if (fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) >= 0 &&
                    (usec_t) st.st_mtime * USEC_PER_SEC + EXEC_KEEP_USEC < now)
                        remove_files(dir_fd, d->d_name);
        }
        (void) closedir(dir);
}

static int fill(Exec *e, json_object *request) {
        const char *keys = json_string_or(request, "DetachKeys", ""),
                   *user = json_string_or(request, "User", "");
        int r;

        (void) json_get_bool(request, "Tty", &e->tty);
        (void) json_get_bool(request, "AttachStdin", &e->attach_stdin);
        (void) json_get_bool(request, "AttachStdout", &e->attach_stdout);
        (void) json_get_bool(request, "AttachStderr", &e->attach_stderr);
        (void) json_get_bool(request, "Privileged", &e->privileged);
        e->open_stdin = e->attach_stdin;
        e->detach_keys = strdup(keys);
        e->user = strdup(user);
        if (!e->detach_keys || !e->user)
                return -ENOMEM;
        r = json_get_strv(request, "Cmd", &e->argv);
        return r < 0 ? r : 0;
}

static int put_conf(const Exec *e, Buffer *b) {
        const struct {
                const char *key;
                bool value;
        } flags[] = {
                { "tty", e->tty },
                { "stdin", e->attach_stdin },
                { "stdout", e->attach_stdout },
                { "stderr", e->attach_stderr },
                { "privileged", e->privileged },
        };
        int r = fields_put(b, '\n', "id", e->id);

        if (r >= 0)
                r = fields_put(b, '\n', "container", e->container_id);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(flags); i++)
                r = fields_put(b, '\n', flags[i].key, flags[i].value ? "1" : "0");
        if (r >= 0)
                r = fields_put(b, '\n', "detach-keys", e->detach_keys);
        return r >= 0 ? fields_put(b, '\n', "user", e->user) : r;
}

/* The user is looked up in the root that the container's first process sees, as it is now. */
static int resolve_identity(Container *c, const Exec *e, UserIdentity *ret, EngineError *reterr) {
        _cleanup_fields_ Fields conf = {};
        _cleanup_strv_ char **groups = NULL;
        _cleanup_close_ int root_fd = -EBADF;
        _cleanup_free_ char *text = NULL;
        const char *group;
        char path[64];
        int r;

        r = fields_load_at(c->dir_fd, "shim.conf", &conf);
        if (r < 0)
                return error_set_status(reterr, r, 500, "cannot read shim.conf of container %s: %s", c->id,
                                        strerrordesc_np(-r));
        for (size_t i = 0; (group = fields_get_nth(&conf, "group-add", i)); i++) {
                r = strv_extend(&groups, group);
                if (r < 0)
                        return r;
        }
        (void) snprintf(path, sizeof(path), "/proc/%llu/root", (unsigned long long) c->pid);
        root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root_fd < 0) {
                if (errno == ENOENT || errno == ESRCH)
                        return error_set(reterr, -ESRCH, "container %s is not running", c->id);
                r = negative_errno();
                return error_set_status(reterr, r, 500, "cannot open the root of container %s: %s", c->id,
                                        strerrordesc_np(-r));
        }
        r = user_identity_resolve(root_fd, isempty(e->user) ? fields_get(&conf, "user") : e->user, groups,
                                  ret, &text);
        if (r == -ENOENT)
                return error_set(reterr, -EINVAL, "%s", strempty(text));
        if (r < 0)
                return error_set_status(reterr, r, 500, "cannot resolve user %s: %s", e->user,
                                        strerrordesc_np(-r));
        return 0;
}

static int write_files(const Exec *e, json_object *process, EngineError *reterr) {
        _cleanup_close_ int dir_fd = open_directory(e->container_id, true);
        _cleanup_buffer_ Buffer b = BUFFER_INIT(FIELDS_TEXT_MAX);
        const char *text = json_text(process);
        char name[CONTAINER_ID_LENGTH + 16];
        int r = dir_fd;

        if (r >= 0) {
                collect_finished(dir_fd);
                r = put_conf(e, &b);
        }
        if (r >= 0) {
                file_name(e->id, ".json", name);
                r = text ? write_file_at(dir_fd, name, text, strlen(text), 0600, WRITE_EXCLUSIVE) : -ENOMEM;
        }
        if (r >= 0) {
                file_name(e->id, ".conf", name);
                r = write_file_at(dir_fd, name, b.data, b.size, 0600, WRITE_EXCLUSIVE);
        }
        if (r < 0) {
                if (dir_fd >= 0)
                        remove_files(dir_fd, e->id);
                return error_set_status(reterr, r, r == -E2BIG ? 400 : 500, "cannot store the exec: %s",
                                        strerrordesc_np(-r));
        }
        return 0;
}

/**
 * exec_create - see exec.h. The caller has seen that @c is running.
 *
 * Return: 0; -EINVAL (request, unknown user), -ESRCH (just ended), -ENOMEM, other -errno; all with a text.
 */
int exec_create(Container *c, json_object *request, Exec **ret, EngineError *reterr) {
        _cleanup_json_ json_object *oci = NULL, *process = NULL;
        _cleanup_user_identity_ UserIdentity identity = {};
        _cleanup_(exec_freep) Exec *e = NULL;
        int r;

        r = exec_check_request(request, reterr);
        if (r < 0)
                return r;
        e = new0(Exec, 1);
        if (!e)
                return error_fill(reterr, -ENOMEM);
        memcpy(e->container_id, c->id, sizeof(e->container_id));
        r = random_hex(CONTAINER_ID_LENGTH / 2, e->id);
        if (r >= 0)
                r = fill(e, request);
        if (r >= 0)
                r = resolve_identity(c, e, &identity, reterr);
        if (r < 0)
                return error_fill(reterr, r);
        r = json_load_at(c->dir_fd, "oci.json", OCI_MAX, &oci);
        if (r < 0)
                return error_set_status(reterr, r, 500, "cannot read oci.json of container %s: %s", c->id,
                                        strerrordesc_np(-r));
        r = exec_build_process(json_get(oci, "process"), request, &identity, &process, reterr);
        if (r >= 0)
                r = write_files(e, process, reterr);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(e);
        return 0;
}

static int load_from(const char *container_id, const char *exec_id, Exec **ret) {
        _cleanup_close_ int dir_fd = open_directory(container_id, false);
        _cleanup_(exec_freep) Exec *e = NULL;
        _cleanup_json_ json_object *process = NULL;
        _cleanup_fields_ Fields f = {};
        char name[CONTAINER_ID_LENGTH + 16];
        int r;

        if (dir_fd < 0)
                return dir_fd;
        file_name(exec_id, ".conf", name);
        r = fields_load_at(dir_fd, name, &f);
        if (r < 0)
                return r;
        e = new0(Exec, 1);
        if (!e)
                return -ENOMEM;
        memcpy(e->id, exec_id, CONTAINER_ID_LENGTH);
        memcpy(e->container_id, container_id, CONTAINER_ID_LENGTH);
        e->tty = fields_get_bool(&f, "tty");
        e->attach_stdin = e->open_stdin = fields_get_bool(&f, "stdin");
        e->attach_stdout = fields_get_bool(&f, "stdout");
        e->attach_stderr = fields_get_bool(&f, "stderr");
        e->privileged = fields_get_bool(&f, "privileged");
        e->detach_keys = strdup(strempty(fields_get(&f, "detach-keys")));
        e->user = strdup(strempty(fields_get(&f, "user")));
        if (!e->detach_keys || !e->user)
                return -ENOMEM;
        file_name(exec_id, ".json", name);
        r = json_load_at(dir_fd, name, OCI_MAX, &process);
        if (r >= 0)
                r = json_get_strv(process, "args", &e->argv);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(e);
        return 0;
}

/** exec_load - see exec.h. Return: 0, -ENOENT, -EINVAL for what is no id, other -errno. */
int exec_load(Manager *m, const char *exec_id, Exec **ret) {
        const char *container_id;
        size_t position = 0;
        void *value;

        if (strlen(exec_id) != CONTAINER_ID_LENGTH || !hex_is_valid(exec_id, CONTAINER_ID_LENGTH))
                return -EINVAL;
        while (hashmap_next(m->containers, &position, &container_id, &value)) {
                int r = load_from(container_id, exec_id, ret);

                if (r != -ENOENT)
                        return r;
        }
        return -ENOENT;
}

static uint64_t read_pid_file(int dir_fd, const char *id) {
        _cleanup_free_ char *text = NULL;
        char name[CONTAINER_ID_LENGTH + 16];
        uint64_t pid;

        file_name(id, ".pid", name);
        if (read_file_at(dir_fd, name, 64, &text, NULL) < 0)
                return 0;
        text[strcspn(text, "\n")] = 0;
        return parse_u64(text, INT32_MAX, &pid) >= 0 ? pid : 0;
}

/** exec_get_state - see exec.h. @ret_exit_code is EXIT_CODE_UNKNOWN when nobody knows it. Return: 0 or
 * -errno. */
int exec_get_state(const Exec *e, bool *ret_started, bool *ret_running, int *ret_exit_code,
                   uint64_t *ret_pid) {
        _cleanup_close_ int dir_fd = open_directory(e->container_id, false);
        _cleanup_fields_ Fields f = {};
        char name[CONTAINER_ID_LENGTH + 16];
        uint64_t code, pid = 0;
        int r;

        if (dir_fd < 0)
                return dir_fd;
        file_name(e->id, ".exit", name);
        r = fields_load_at(dir_fd, name, &f);
        if (r < 0 && r != -ENOENT)
                return r;
        if (r == -ENOENT) {
                *ret_started = *ret_running = file_exists(dir_fd, e->id, ".started");
                *ret_exit_code = 0;
                *ret_pid = *ret_started ? read_pid_file(dir_fd, e->id) : 0;
                return 0;
        }
        (void) fields_get_u64(&f, "pid", INT32_MAX, &pid);
        *ret_started = true;
        *ret_running = false;
        *ret_exit_code = fields_get_u64(&f, "code", 255, &code) < 0 ? EXIT_CODE_UNKNOWN : (int) code;
        *ret_pid = pid;
        return 0;
}

/** exec_mark_started - from now on it runs or has run, in this run of @c. Return: 0, -EEXIST when it was so
 * before, -errno. */
int exec_mark_started(const Exec *e, const Container *c) {
        _cleanup_close_ int dir_fd = open_directory(e->container_id, false);
        char name[CONTAINER_ID_LENGTH + 16], epoch[32];

        if (dir_fd < 0)
                return dir_fd;
        file_name(e->id, ".started", name);
        (void) snprintf(epoch, sizeof(epoch), "%" PRIu64, c->epoch);
        return write_file_at(dir_fd, name, epoch, strlen(epoch), 0600, WRITE_EXCLUSIVE);
}

/** exec_mark_refused - the shim has not even tried: nobody else will say how it ended. Return: 0 or -errno.
 */
int exec_mark_refused(const char *container_id, const char *exec_id) {
        _cleanup_close_ int dir_fd = open_directory(container_id, false);
        _cleanup_free_ char *text = str_printf("code=%d\nat=%" PRIu64 "\npid=0\n", EXIT_CODE_REFUSED,
                                               now_realtime());
        char name[CONTAINER_ID_LENGTH + 16];

        if (dir_fd < 0)
                return dir_fd;
        if (!text)
                return -ENOMEM;
        file_name(exec_id, ".exit", name);
        return write_file_at(dir_fd, name, text, strlen(text), 0600, WRITE_EXCLUSIVE);
}

/* Its container has ended, with its shim perhaps, and it cannot be running whatever is not recorded. */
static bool is_abandoned(Manager *m, const Exec *e) {
        Container *c = hashmap_get(m->containers, e->container_id);
        _cleanup_close_ int dir_fd = open_directory(e->container_id, false);
        _cleanup_free_ char *text = NULL;
        char name[CONTAINER_ID_LENGTH + 16];
        uint64_t epoch;

        if (!c || !container_is_up(c))
                return true;
        file_name(e->id, ".started", name);
        return dir_fd >= 0 && read_file_at(dir_fd, name, 64, &text, NULL) >= 0 &&
               parse_u64(text, UINT64_MAX, &epoch) >= 0 && epoch != c->epoch;
}

static int put_process(const Exec *e, json_object *out) {
        json_object *o = json_object_new_object();
        int r = json_set(out, "ProcessConfig", o);

        if (r >= 0)
                r = json_set_bool(o, "tty", e->tty);
        if (r >= 0)
                r = json_set_str(o, "entrypoint", e->argv && e->argv[0] ? e->argv[0] : "");
        if (r >= 0)
                r = json_set(o, "arguments", json_new_strv(e->argv && e->argv[0] ? e->argv + 1 : NULL));
        if (r >= 0)
                r = json_set_bool(o, "privileged", e->privileged);
        return r >= 0 && !isempty(e->user) ? json_set_str(o, "user", e->user) : r;
}

/** exec_to_inspect - Docker's ExecInspectResponse, new reference. Return: 0 or -errno. */
int exec_to_inspect(Manager *m, const Exec *e, json_object **ret, EngineError *reterr) {
        _cleanup_json_ json_object *o = json_object_new_object();
        bool started = false, running = false;
        uint64_t pid = 0;
        int code = 0, r;

        if (!o)
                return error_fill(reterr, -ENOMEM);
        r = exec_get_state(e, &started, &running, &code, &pid);
        if (r >= 0 && running && is_abandoned(m, e)) {
                running = false;
                code = EXIT_CODE_UNKNOWN;
        }
        if (r >= 0)
                r = json_set_str(o, "ID", e->id);
        if (r >= 0)
                r = json_set_bool(o, "Running", running);
        /* An end nobody saw is no success. */
        if (r >= 0)
                r = running || !started
                                    ? json_set_null(o, "ExitCode")
                                    : json_set_int(o, "ExitCode", code == EXIT_CODE_UNKNOWN ? 255 : code);
        if (r >= 0)
                r = put_process(e, o);
        if (r >= 0)
                r = json_set_bool(o, "OpenStdin", e->open_stdin);
        if (r >= 0)
                r = json_set_bool(o, "OpenStderr", e->attach_stderr);
        if (r >= 0)
                r = json_set_bool(o, "OpenStdout", e->attach_stdout);
        if (r >= 0)
                r = json_set_bool(o, "CanRemove", false);
        if (r >= 0)
                r = json_set_str(o, "ContainerID", e->container_id);
        if (r >= 0)
                r = json_set_str(o, "DetachKeys", e->detach_keys);
        if (r >= 0)
                r = json_set_int(o, "Pid", (int64_t) pid);
        if (r < 0)
                return error_fill(reterr, r);
        *ret = TAKE_PTR(o);
        return 0;
}
