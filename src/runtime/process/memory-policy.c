/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * linux.memoryPolicy: on which NUMA nodes the payload's memory shall lie. The policy belongs to a thread and
 * is inherited by fork and execve, so that it is set once, in the container's cgroup, whose cpuset bounds
 * the nodes, and again by each exec.
 */
#include "memory-policy.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "../../basic/str.h"
#include "../error.h"
#include "../spec/spec.h"

/* Far more than any kernel has, which then refuses the ones it does not have. */
#define NODE_MAX  4095
#define WORD_BITS (8 * sizeof(unsigned long))

/* In the order of the kernel's numbers. */
const char *const memory_policy_modes[MEMORY_POLICY_MODES] = {
        "MPOL_DEFAULT", "MPOL_PREFERRED",      "MPOL_BIND",                "MPOL_INTERLEAVE",
        "MPOL_LOCAL",   "MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE",
};
const char *const memory_policy_flags[MEMORY_POLICY_FLAGS] = { "MPOL_F_NUMA_BALANCING",
                                                               "MPOL_F_RELATIVE_NODES",
                                                               "MPOL_F_STATIC_NODES" };
#define FIRST_FLAG_BIT 13
#define MODE_DEFAULT   0
#define MODE_LOCAL     4

typedef struct Policy {
        int mode; /* with the flags */
        unsigned long nodes[(NODE_MAX + 1) / WORD_BITS];
} Policy;

static int find(const char *const *names, size_t n, const char *name) {
        for (size_t i = 0; i < n; i++)
                if (streq(names[i], strempty(name)))
                        return (int) i;
        return -EINVAL;
}

/* "0-3,7". Return: how many nodes, or -EINVAL. */
static int parse_nodes(const char *list, Policy *ret) {
        _cleanup_strv_ char **parts = NULL;
        int count = 0, r;

        r = strv_split(list, ',', &parts);
        if (r < 0)
                return r;
        for (char **p = parts; *p; p++) {
                char *dash = strchr(*p, '-');
                uint64_t first, last;

                if (dash)
                        *dash = 0;
                if (parse_u64(*p, NODE_MAX, &first) < 0)
                        return -EINVAL;
                last = first;
                if (dash && (parse_u64(dash + 1, NODE_MAX, &last) < 0 || last < first))
                        return -EINVAL;
                for (uint64_t n = first; n <= last; n++) {
                        unsigned long bit = 1UL << n % WORD_BITS;

                        count += !(ret->nodes[n / WORD_BITS] & bit);
                        ret->nodes[n / WORD_BITS] |= bit;
                }
        }
        return count;
}

static int parse(json_object *o, Policy *ret) {
        _cleanup_free_ const char **flags = NULL;
        const char *mode = NULL, *nodes = NULL;
        int r, count = 0, number;

        if ((r = spec_string(o, "linux.memoryPolicy", "mode", &mode)) < 0 ||
            (r = spec_string(o, "linux.memoryPolicy", "nodes", &nodes)) < 0 ||
            (r = spec_strv(o, "linux.memoryPolicy", "flags", &flags)) < 0)
                return r;
        number = find(memory_policy_modes, MEMORY_POLICY_MODES, mode);
        if (number < 0)
                return fail_text(EINVAL,
                                 "config.json: linux.memoryPolicy: invalid memory policy mode \"%s\"",
                                 strempty(mode));
        ret->mode = number;
        for (size_t i = 0; flags && flags[i]; i++) {
                int bit = find(memory_policy_flags, MEMORY_POLICY_FLAGS, flags[i]);

                if (bit < 0)
                        return fail_text(
                                        EINVAL,
                                        "config.json: linux.memoryPolicy: invalid memory policy flag \"%s\"",
                                        flags[i]);
                ret->mode |= 1 << (FIRST_FLAG_BIT + bit);
        }
        if (!isempty(nodes))
                count = parse_nodes(nodes, ret);
        if (count < 0)
                return count == -ENOMEM
                                       ? count
                                       : fail_text(EINVAL,
                                                   "config.json: linux.memoryPolicy: invalid memory policy nodes \"%s\"",
                                                   nodes);
        /* The kernel takes an empty set here only. */
        if ((number == MODE_DEFAULT || number == MODE_LOCAL) && count > 0)
                return fail_text(EINVAL,
                                 "config.json: linux.memoryPolicy: the %s mode requires 0 nodes but got %d",
                                 mode, count);
        return 0;
}

/** memory_policy_check - whether linux.memoryPolicy is well-formed; the rest is the kernel's to say. */
int memory_policy_check(json_object *policy) {
        Policy p = {};

        return policy ? parse(policy, &p) : 0;
}

/** memory_policy_apply - of the calling process and what it becomes; NULL changes nothing. Return: 0, or
 * -errno with a message. */
int memory_policy_apply(json_object *policy) {
        Policy p = {};
        int r;

        if (!policy)
                return 0;
        r = parse(policy, &p);
        if (r < 0)
                return r;
        /* The kernel takes one bit less than it is told. */
        if (syscall(SYS_set_mempolicy, p.mode, p.nodes, NODE_MAX + 2UL) < 0)
                return fail_errno(errno, "set linux.memoryPolicy: set_mempolicy %s",
                                  json_string_or(policy, "mode", ""));
        return 0;
}
