/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client.h"
#include "flags.h"

/* Everything that `create` and `run` take. INT64_MIN marks a number that was not given. */
typedef struct ContainerOptions {
        StringList add_host, attach, cap_add, cap_drop, device, device_cgroup_rule, dns, dns_option,
                dns_search, env, env_file, expose, group_add, label, label_file, link, log_opt,
                mount, network_alias, publish, security_opt, storage_opt, sysctl, tmpfs, ulimit,
                volume, volumes_from, annotation;
        const char *cgroup_parent, *cgroupns, *cidfile, *cpuset_cpus, *cpuset_mems, *detach_keys,
                *domainname, *entrypoint, *hostname, *ip, *ip6, *ipc, *log_driver, *mac_address,
                *name, *network, *pid, *platform, *pull, *restart, *runtime, *stop_signal, *user,
                *userns, *uts, *volume_driver, *workdir, *health_cmd, *health_interval,
                *health_timeout, *health_start_period, *health_start_interval;
        int64_t blkio_weight, cpu_period, cpu_quota, cpu_shares, cpus, memory, memory_reservation,
                memory_swap, memory_swappiness, oom_score_adj, pids_limit, shm_size, stop_timeout,
                health_retries;
        bool init, interactive, no_healthcheck, oom_kill_disable, privileged, publish_all, quiet, read_only,
                        rm, tty;
        /* run only */
        bool detach, sig_proxy;
} ContainerOptions;

extern const ContainerOptions container_options_default;
#define RUN_ONLY_FLAGS 3
extern const Flag run_flags[];

int container_config_new(Client *c, const ContainerOptions *o, char **args, json_object **ret);

/* env-file.c */
int env_add(Client *c, json_object *array, const char *item, bool unset);
int env_add_files(Client *c, json_object *array, const StringList *files);
int labels_new(Client *c, const StringList *labels, const StringList *files, json_object **ret);

/* mount-spec.c */
int mounts_apply(Client *c, const ContainerOptions *o, json_object *config, json_object *host);

/* port-spec.c */
int ports_apply(Client *c, const ContainerOptions *o, json_object *config, json_object *host);
