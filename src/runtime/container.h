/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "hooks.h"
#include "namespaces/namespace-fds.h"
#include "namespaces/rootless.h"
#include "seccomp/seccomp-notify.h"
#include "spec/spec.h"
#include "state.h"

typedef struct CreateOptions {
        const char *root, *id, *bundle, *config, *pid_file, *console_socket, *pidfd_socket;
        bool no_pivot, no_new_keyring;
        bool systemd_cgroup; /* the cgroup is a scope of systemd */
        bool no_cgroup;      /* the container stays in the caller's */
        bool stays;          /* the caller will delete the container too */
        unsigned preserve_fds, listen_fds; /* the latter are among the former */
        RootlessMode rootless;
        int console_fd; /* a connected socket that stands for console_socket, or -EBADF */
        bool start;     /* do not wait for `start`: container_started() is called instead of it */
} CreateOptions;

/* config.json of a bundle and its text. */
typedef struct Bundle {
        Spec spec;
        char *text;
        size_t size;
} Bundle;

void bundle_done(Bundle *b);
#define _cleanup_bundle_ _cleanup_(bundle_done)

/* Everything the container's first process needs; it has a copy of it from its parent's memory. */
typedef struct InitContext {
        const CreateOptions *options;
        Spec *spec;
        State *state;
        const SeccompFilter *filter;
        SeccompAgent *agent;
        HookFiles hook_files; /* of the hooks that it runs itself */
        const char *cgroup_mount, *rootfs;
        const int *source_fds;
        int channel_fd, listen_fd, console_fd;
        int nodes_fd;   /* from device_nodes_make() */
        int cgroup_fd;  /* where it is born, or -EBADF */
        int helper_fd;  /* the parent's, not the child's */
        int mount_ns_fd; /* the mount namespace given by path, or -EBADF */
        bool closed_to_user; /* who has made it may not look up its namespaces */
        NamespaceFds namespaces; /* then, once it is in them */
        bool moved;     /* it is moved to its cgroup meanwhile: CHANNEL_CGROUP */
        bool in_network; /* its network namespace is entered, or there is nothing to enter */
        bool in_cgroup; /* it is where it belongs and its cgroup namespace is made */
} InitContext;

int bundle_load(const char *path, const char *config, Bundle *ret);

/* Between container_create() with CreateOptions.start and container_started(). */
typedef struct StartLink {
        int channel_fd;
        int notify_fd; /* the payload tells here that it is ready; -EBADF: nobody wants to know */
} StartLink;

#define START_LINK_INIT ((StartLink) { -EBADF, -EBADF })

void start_link_done(StartLink *l);
#define _cleanup_start_link_ _cleanup_(start_link_done)

int container_create(const CreateOptions *o, Bundle *bundle, State *ret, StartLink *ret_link);
int container_connect(const State *s);
int container_config(const State *s, Spec *ret);
int container_start(const char *root, const char *id);
int container_started(const State *s, const StartLink *link);
int container_await_ready(const State *s, int notify_fd);
int container_delete(const char *root, const char *id, bool force);
int container_kill(const char *root, const char *id, int sig, bool all);

/* The child's side. Returns only on failure, with a message. */
int init_run(InitContext *c);
int write_pid_file(const char *path, pid_t pid);
