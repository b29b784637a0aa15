/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "../../basic/buffer.h"
#include "criu-message.h"

/* Field numbers of criu's criu_opts message, those that we use. */
typedef enum CriuOption {
        CRIU_IMAGES_FD = 1,
        CRIU_PID = 2,
        CRIU_LEAVE_RUNNING = 3,
        CRIU_EXT_UNIX_SK = 4,
        CRIU_TCP_ESTABLISHED = 5,
        CRIU_EVASIVE_DEVICES = 6,
        CRIU_SHELL_JOB = 7,
        CRIU_FILE_LOCKS = 8,
        CRIU_LOG_LEVEL = 9,
        CRIU_LOG_FILE = 10,
        CRIU_PAGE_SERVER = 11,
        CRIU_NOTIFY = 12,
        CRIU_ROOT = 13,
        CRIU_PARENT_IMAGES = 14,
        CRIU_TRACK_MEMORY = 15,
        CRIU_AUTO_DEDUP = 16,
        CRIU_WORK_FD = 17,
        CRIU_LINK_REMAP = 18,
        CRIU_CGROUP_ROOT = 25,
        CRIU_RESTORE_SIBLING = 26,
        CRIU_INHERIT_FD = 27,
        CRIU_CGROUP_MODE = 34,
        CRIU_EXTERNAL = 37,
        CRIU_EMPTY_NS = 38,
        CRIU_JOIN_NS = 39,
        CRIU_FREEZE_CGROUP = 44,
        CRIU_TCP_SKIP_IN_FLIGHT = 46,
        CRIU_LAZY_PAGES = 48,
        CRIU_STATUS_FD = 49,
        CRIU_ORPHAN_PTS_MASTER = 50,
        CRIU_CONFIG_FILE = 51,
        CRIU_TCP_CLOSE = 52,
        CRIU_LSM_PROFILE = 53,
        CRIU_LSM_MOUNT_CONTEXT = 63,
        CRIU_NETWORK_LOCK = 64,
} CriuOption;

typedef enum CriuRequest {
        CRIU_DUMP = 1,
        CRIU_RESTORE = 2,
        CRIU_PRE_DUMP = 4,
        CRIU_VERSION = 10,
} CriuRequest;

typedef enum CriuCgroupMode {
        CRIU_CGROUP_IGNORE = 0,
        CRIU_CGROUP_SOFT = 3,
        CRIU_CGROUP_FULL = 4,
        CRIU_CGROUP_STRICT = 5,
        _CRIU_CGROUP_INVALID = -EINVAL,
} CriuCgroupMode;

/* How criu keeps packets away from a network namespace while it looks at it. */
typedef enum CriuNetworkLock {
        CRIU_LOCK_AUTO = 0, /* iptables, criu's default, unless they are not there */
        CRIU_LOCK_IPTABLES = 1,
        CRIU_LOCK_NFTABLES = 2,
        CRIU_LOCK_SKIP = 3,
        _CRIU_LOCK_INVALID = -EINVAL,
} CriuNetworkLock;

#define CRIU_INHERIT_MAX 16

/* Older ones skip, without a word, an option that they do not know. The rarer options need at least this
 * one, the oldest that is in a supported distribution. */
#define CRIU_FLOOR CRIU_VERSION_OF(3, 16, 1)

/*
 * One request to criu: fill it with the criu_add_ functions, then criu_perform() it. Errors of the former
 * are kept and reported by the latter, so nobody has to look at each.
 */
typedef struct CriuCall {
        Buffer options;
        int error; /* the first of criu_add_ */
        const char *images_path, *work_path;
        int images_fd, work_fd; /* what they have to be (borrowed), or -EBADF */
        const char *log; /* name of criu's log in work_path */
        int inherit[CRIU_INHERIT_MAX];
        size_t n_inherit;
        bool patient; /* others decide how long it takes */

        /* Called when the process that becomes criu waits to go on, before the request is made; it may add
         * options, but no descriptors. May be NULL. */
        int (*started)(struct CriuCall *c, pid_t pid);
        /* Called in the process that becomes criu, before it opens its directories; may be NULL. Return: 0,
         * or -errno with a message. */
        int (*prepare)(void *userdata);
        /* Called at the points where criu waits for us; @fd is what came with it or -EBADF, borrowed. A
         * failure makes criu give up and undo. May be NULL. */
        int (*notify)(void *userdata, const char *event, pid_t pid, int fd);
        void *userdata;
} CriuCall;

#define CRIU_CALL_INIT \
        ((CriuCall){ .options = BUFFER_INIT(4 * 1024 * 1024), .images_fd = -EBADF, .work_fd = -EBADF })

void criu_done(CriuCall *c);
#define _cleanup_criu_ _cleanup_(criu_done)

void criu_add_number(CriuCall *c, CriuOption option, uint64_t value);
void criu_add_text(CriuCall *c, CriuOption option, const char *text);
void criu_add_external(CriuCall *c, const char *fmt, ...) _printf_(2, 3);
void criu_add_inherit(CriuCall *c, int fd, const char *key);
void criu_add_join(CriuCall *c, const char *ns, const char *path);
void criu_add_status_fd(CriuCall *c, int fd);
void criu_add_page_server(CriuCall *c, const char *address, unsigned port);
void criu_add_cgroup_root(CriuCall *c, const char *path);
int criu_perform(CriuCall *c, CriuRequest type, CriuResponse *ret);

/* criu-ability.c */
void criu_use(const char *program);
int criu_find(char **ret);
int criu_require(unsigned version, const char *what);
int criu_add_network_lock(CriuCall *c, CriuNetworkLock lock, bool dump);
