/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "../shared/fields.h"
#include "../shared/paths.h"

/* berth-shim-setup: brings one container up and exits; see setup-main.c. */
typedef struct Setup {
        char id[CONTAINER_ID_LENGTH + 1];
        Fields conf;
        const char *runtime;
        bool tty;
        char run_dir[128]; /* /run/berth/containers/ID */
        int dir_fd;        /* /var/lib/berth/containers/ID */
        int root_fd;       /* the mounted root */
        int netns_fd;
        bool netns_private; /* an empty one of its own */
        bool netns_host;
        char *address; /* for the hosts file, NULL without netd */
        char *cgroup;  /* of the payload */
        char message[512];
        int code;
} Setup;

#define REPORT_FD 3
#define GO_FD 4

/* Notes what to tell the user; the first one counts. Return: @error. */
int setup_fail(Setup *s, int error, int code, const char *fmt, ...) _printf_(4, 5);

/* setup-scope.c */
typedef struct Scope Scope;
int scope_request(Setup *s, Scope **ret);
int scope_wait(Setup *s, Scope *scope);
void scope_release_placeholder(Scope *scope);
void scope_abort(Setup *s, Scope *scope);
Scope *scope_free(Scope *scope);
int host_is_shutting_down(void);

/* setup-journal.c */
int scope_was_stopped(const char *id, const char *since_text);

/* setup-rootfs.c */
int rootfs_mount(Setup *s);

/* setup-user.c */
typedef struct UserIds {
        uid_t uid;
        gid_t gid;
        gid_t *groups;
        size_t n_groups;
        char *home;
} UserIds;
int user_resolve(Setup *s, const char *user, UserIds *ret);
void user_ids_done(UserIds *u);

/* setup-network.c */
int network_prepare(Setup *s);
int network_write_hosts(Setup *s);

/* setup-bundle.c */
int bundle_write(Setup *s);

/* setup-runtime.c */
int runtime_create(Setup *s, pid_t *ret);
int runtime_start(Setup *s);
void runtime_delete_forced(Setup *s);
