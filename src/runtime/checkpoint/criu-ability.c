/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where criu is and what the one that is installed can do. It skips options that are newer than itself
 * without a word, so what it cannot do has to be refused by us. Asking for its version starts one more
 * process: only those options cost it that not everybody uses.
 */
#include <stdio.h>
#include <unistd.h>

#include "../../basic/str.h"
#include "../error.h"
#include "criu.h"

/* In PATH, then where distributions put it. Return: an owned path, NULL if there is none (or no memory). */
static char *find_program(const char *name) {
        static const char fallback[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        const char *const lists[] = { strempty(getenv("PATH")), fallback };

        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                for (const char *p = lists[i]; *p;) {
                        const char *end = strchrnul(p, ':');
                        _cleanup_free_ char *path = str_printf("%.*s/%s", (int) (end - p), p, name);

                        if (path && path[0] == '/' && end > p && access(path, X_OK) >= 0)
                                return TAKE_PTR(path);
                        p = *end ? end + 1 : end;
                }
        return NULL;
}

static const char *program = "criu";

/** criu_use - take another one (borrowed): a path, or a name that is looked up on PATH. */
void criu_use(const char *name) {
        program = name;
}

/**
 * criu_find - where criu is.
 * @ret: owned by the caller.
 *
 * Return: 0, or -ENOENT with a message.
 */
int criu_find(char **ret) {
        char *path = NULL;

        if (!strchr(program, '/'))
                path = find_program(program);
        else if (access(program, X_OK) < 0)
                return fail_errno(errno, "--criu %s", program);
        else
                path = strdup(program);
        if (!path)
                return fail_text(ENOENT,
                                 "%s is not on PATH: checkpoint and restore need the package criu", program);
        *ret = path;
        return 0;
}

static int ask_version(unsigned *ret) {
        static unsigned known; /* it does not change while we run */
        CriuResponse a = {};

        if (known == 0) {
                _cleanup_criu_ CriuCall c = CRIU_CALL_INIT;
                int r;

                c.images_path = c.work_path = "/";
                r = criu_perform(&c, CRIU_VERSION, &a);
                if (r < 0)
                        return r;
                if (a.version == 0)
                        return fail_text(EPROTO, "criu did not say which version it is");
                known = a.version;
        }
        *ret = known;
        return 0;
}

/**
 * criu_require - refuse @what, an option as the user knows it, unless criu is as new as @version.
 *
 * Return: 0, -EOPNOTSUPP, or -errno; with a message.
 */
int criu_require(unsigned version, const char *what) {
        unsigned installed;
        int r = ask_version(&installed);

        if (r < 0 || installed >= version)
                return r;
        return fail_text(EOPNOTSUPP, "%s needs criu %u.%u.%u, but criu %u.%u.%u is installed", what,
                         version / 10000, version / 100 % 100, version % 100, installed / 10000,
                         installed / 100 % 100, installed % 100);
}

/* Without iptables, criu's default, only nftables are left; but criu 3 forgets to unlock with them what it
 * restores. */
static int default_lock(CriuNetworkLock *ret) {
        _cleanup_free_ char *iptables = find_program("ip6tables-restore");
        unsigned version;
        int r;

        *ret = CRIU_LOCK_AUTO;
        if (iptables)
                return 0;
        r = ask_version(&version);
        if (r < 0)
                return r;
        if (version < CRIU_VERSION_OF(4, 0, 0))
                return fail_text(ENOENT, "checkpoint: criu %u needs iptables, which are not installed",
                                 version / 10000);
        *ret = CRIU_LOCK_NFTABLES;
        return 0;
}

/**
 * criu_add_network_lock - the way to lock the network.
 * @dump: a restore takes what the checkpoint took unless it is told otherwise.
 *
 * Return: 0, or -errno with a message.
 */
int criu_add_network_lock(CriuCall *c, CriuNetworkLock lock, bool dump) {
        int r = 0;

        if (lock == CRIU_LOCK_NFTABLES)
                r = criu_require(CRIU_VERSION_OF(3, 17, 0), "--network-lock nftables");
        else if (lock == CRIU_LOCK_SKIP)
                r = criu_require(CRIU_VERSION_OF(3, 19, 0), "--network-lock skip");
        else if (lock == CRIU_LOCK_AUTO && dump)
                r = default_lock(&lock);
        if (r >= 0 && lock != CRIU_LOCK_AUTO)
                criu_add_number(c, CRIU_NETWORK_LOCK, lock);
        return r;
}
