/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "environment.h"

#include "../runtime-log.h"

static uint32_t hash_name(const char *name, size_t length) {
        uint32_t h = 2166136261U;

        for (size_t i = 0; i < length; i++)
                h = (h ^ (unsigned char) name[i]) * 16777619U;
        return h;
}

/**
 * environment_unify - let each variable be there once, with the value given last: getenv() of the payload
 * would find the first. What is no NAME=VALUE is left out.
 *
 * Return: 0 or -ENOMEM.
 */
int environment_unify(SpecProcess *p) {
        _cleanup_free_ size_t *table = NULL;
        size_t n = 0, size = 16, kept = 0;

        while (p->env[n])
                n++;
        while (size < 2 * n)
                size *= 2;
        /* Position in p->env plus one, by the hash of the name. */
        table = new0(size_t, size);
        if (!table)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                const char *entry = p->env[i];
                size_t length = strcspn(entry, "="), slot = hash_name(entry, length) & (size - 1);

                if (length == 0 || entry[length] != '=') {
                        runtime_warning("process.env: \"%.64s\" is no NAME=VALUE and left out", entry);
                        continue;
                }
                while (table[slot] > 0 && strncmp(p->env[table[slot] - 1], entry, length + 1) != 0)
                        slot = (slot + 1) & (size - 1);
                if (table[slot] == 0)
                        table[slot] = ++kept;
                p->env[table[slot] - 1] = entry;
        }
        p->env[kept] = NULL;
        return 0;
}

/** environment_append - add @entry, which is borrowed. Return: 0 or -ENOMEM. */
int environment_append(SpecProcess *p, const char *entry) {
        const char **env;
        size_t n = 0;

        while (p->env && p->env[n])
                n++;
        env = reallocarray(p->env, n + 2, sizeof(char *));
        if (!env)
                return -ENOMEM;
        env[n] = entry;
        env[n + 1] = NULL;
        p->env = env;
        return 0;
}
