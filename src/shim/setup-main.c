/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/log.h"
#include "../basic/str.h"
#include "../shared/message.h"
#include "../shared/unit-name.h"
#include "setup.h"

/*
 * The helper of berth-shim: what needs libraries and ends. `berth-shim-setup ID` brings a container up
 * (docs/contracts.md section 4), `--remove PATH` takes a tree in the trash apart, `--is-shutting-down` and
 * `--scope-was-stopped` ask PID 1 and the journal. In the first form 0, 1 and 2 are the payload's stdio, 3
 * takes reports, 4 gives the go byte.
 */

/** setup_fail - see setup.h. */
int setup_fail(Setup *s, int error, int code, const char *fmt, ...) {
        va_list ap;
        size_t n;

        if (s->code != 0)
                return error;
        s->code = code;
        va_start(ap, fmt);
        (void) vsnprintf(s->message, sizeof(s->message), fmt, ap);
        va_end(ap);
        n = strlen(s->message);
        /* Runtimes' and users' errors say it all; ours name the system's reason as well. */
        if (error < 0 && code == 128 && error != -EIO && error != -EPROTO && n < sizeof(s->message))
                (void) snprintf(s->message + n, sizeof(s->message) - n, ": %s",
                                strempty(strerrordesc_np(-error)));
        return error;
}

static int report(const char *verb, const char *k1, const char *v1, const char *k2, const char *v2) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(FIELDS_TEXT_MAX);
        int r = fields_put(&b, '\n', "verb", verb);

        if (r >= 0 && k1)
                r = fields_put(&b, '\n', k1, v1);
        if (r >= 0 && k2)
                r = fields_put(&b, '\n', k2, v2);
        return r < 0 ? r : message_send(REPORT_FD, &b, NULL, 0);
}

static int report_number(const char *verb, const char *key, int number, const char *k2, const char *v2) {
        char text[16];

        (void) snprintf(text, sizeof(text), "%d", number);
        return report(verb, key, text, k2, v2);
}

static int load(Setup *s, const char *id) {
        char path[160];
        int r;

        memcpy(s->id, id, CONTAINER_ID_LENGTH + 1);
        (void) snprintf(s->run_dir, sizeof(s->run_dir), BERTH_RUN_CONTAINERS_DIR "/%s", id);
        (void) snprintf(path, sizeof(path), BERTH_CONTAINERS_DIR "/%s", id);
        s->dir_fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        if (s->dir_fd < 0)
                return negative_errno();
        r = fields_load_at(s->dir_fd, "shim.conf", &s->conf);
        if (r < 0)
                return setup_fail(s, r, 128, "Cannot read the container's shim.conf");
        s->runtime = fields_get(&s->conf, "runtime");
        if (isempty(s->runtime))
                s->runtime = "berth-runtime";
        s->tty = fields_get_bool(&s->conf, "tty");
        (void) mkdir(BERTH_RUNTIME_ROOT, 0700);
        return 0;
}

/* Return: 0 on the go byte, -ECANCELED when the shim closed the pipe. */
static int wait_for_go(void) {
        char byte;

        return read_all(GO_FD, &byte, 1) == 1 ? 0 : -ECANCELED;
}

static int create(Setup *s, Scope *scope, pid_t *ret) {
        char leftover[128];
        int r;

        r = rootfs_mount(s);
        if (r >= 0)
                r = network_prepare(s);
        if (r >= 0)
                r = network_write_hosts(s);
        if (r >= 0)
                r = scope_wait(s, scope);
        if (r >= 0)
                r = bundle_write(s);
        if (r < 0)
                return r;
        /* Left by a start that was killed; nothing of it runs, its scope is gone. */
        (void) snprintf(leftover, sizeof(leftover), BERTH_RUNTIME_ROOT "/%s", s->id);
        if (access(leftover, F_OK) == 0)
                runtime_delete_forced(s);
        r = runtime_create(s, ret);
        if (r == -EPROTO || r == -EIO || r == -ENOENT || r == -EACCES)
                runtime_delete_forced(s);
        return r;
}

static void scope_freep(Scope **scope) {
        *scope = scope_free(*scope);
}

static int bring_up(Setup *s) {
        _cleanup_(scope_freep) Scope *scope = NULL;
        pid_t pid = 0;
        int r;

        r = scope_request(s, &scope);
        if (r >= 0)
                r = create(s, scope, &pid);
        if (r < 0) {
                scope_abort(s, scope);
                return r;
        }
        scope_release_placeholder(scope);
        r = report_number("created", "pid", pid, "cgroup", s->cgroup);
        if (r >= 0)
                r = wait_for_go();
        if (r >= 0)
                r = runtime_start(s);
        if (r < 0) {
                runtime_delete_forced(s);
                scope_abort(s, scope);
                return r;
        }
        return report("started", NULL, NULL, NULL, NULL);
}

static void detach_network(Setup *s) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024);
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (!streq_ptr(fields_get(&s->conf, "network"), "bridge"))
                return;
        fd = message_connect(BERTH_NETD_SOCKET, false);
        if (fd < 0)
                return;
        r = fields_put(&b, '\n', "verb", "detach");
        if (r >= 0)
                r = fields_put(&b, '\n', "seq", "1");
        if (r >= 0)
                r = fields_put(&b, '\n', "container", s->id);
        if (r >= 0)
                (void) message_send(fd, &b, NULL, 0);
}

static void setup_done(Setup *s) {
        fields_done(&s->conf);
        (void) safe_close(s->dir_fd);
        (void) safe_close(s->root_fd);
        (void) safe_close(s->netns_fd);
        free(s->address);
        free(s->cgroup);
}

static int run_setup(const char *id) {
        Setup s = { .dir_fd = -EBADF, .root_fd = -EBADF, .netns_fd = -EBADF };
        int r;

        (void) fd_set_cloexec(REPORT_FD, true);
        (void) fd_set_cloexec(GO_FD, true);
        r = load(&s, id);
        if (r >= 0)
                r = bring_up(&s);
        if (r < 0) {
                if (s.code == 0)
                        (void) setup_fail(&s, r, 128, "Cannot start the container");
                detach_network(&s);
                (void) report_number("failed", "code", s.code, "message", s.message);
        }
        setup_done(&s);
        return r < 0 ? 1 : 0;
}

/* Only what lies in the trash, so that a mistake elsewhere cannot cost data. */
static int run_remove(const char *path) {
        const char *name = startswith(path, BERTH_TRASH_DIR "/");
        int r;

        if (!name || !*name || name[0] == '.' || strchr(name, '/')) {
                log_error("Not in the trash: %s", path);
                return 2;
        }
        r = remove_tree_at(AT_FDCWD, path);
        if (r < 0 && r != -ENOENT)
                (void) log_error_errno(r, "Cannot remove %s: %m", path);
        return r < 0 && r != -ENOENT ? 1 : 0;
}

static int usage(FILE *f) {
        (void) fprintf(f,
                       "Usage: berth-shim-setup ID | --remove PATH | --is-shutting-down | "
                          "--scope-was-stopped ID SINCE\n\n"
                       "Helper of berth-shim; see berth-shim(8).\n");
        return f == stdout ? 0 : 2;
}

int main(int argc, char *argv[]) {
        log_set_identifier("berth-shim-setup");
        if (argc == 2 && streq(argv[1], "--help"))
                return usage(stdout);
        if (argc == 2 && streq(argv[1], "--is-shutting-down"))
                return host_is_shutting_down() > 0 ? 0 : 1;
        if (argc == 4 && streq(argv[1], "--scope-was-stopped") && container_id_is_valid(argv[2]))
                return scope_was_stopped(argv[2], argv[3]) > 0 ? 0 : 1;
        if (argc == 3 && streq(argv[1], "--remove"))
                return run_remove(argv[2]);
        if (argc != 2 || !container_id_is_valid(argv[1]))
                return usage(stderr);
        return run_setup(argv[1]);
}
