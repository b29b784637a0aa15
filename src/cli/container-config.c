/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Flags of create and run → the body of POST /containers/create. Only what was asked for is sent: what is
 * absent takes the engine's default, which is the same for every client.
 */
#include <fcntl.h>
#include <strings.h>

#include "../basic/file.h"
#include "../basic/str.h"
#include "container-options.h"
#include "terminal.h"

#define SECCOMP_FILE_MAX (4 * 1024 * 1024)

static int set_list(json_object *o, const char *key, const StringList *l) {
        return l->n > 0 ? json_set(o, key, json_new_strv((char *const *) l->items)) : 0;
}

static int set_string(json_object *o, const char *key, const char *value) {
        return value ? json_set_str(o, key, value) : 0;
}

static int set_number(json_object *o, const char *key, int64_t value) {
        return value != INT64_MIN ? json_set_int(o, key, value) : 0;
}

static int set_flag(json_object *o, const char *key, bool value) {
        return value ? json_set_bool(o, key, true) : 0;
}

/* "k=v" items → object; @what names the flag in errors. */
static int set_map(Client *c, json_object *o, const char *key, const StringList *l, const char *what) {
        _cleanup_json_ json_object *map = NULL;
        int r = 0;

        if (l->n == 0)
                return 0;
        map = json_object_new_object();
        for (size_t i = 0; map && r >= 0 && i < l->n; i++) {
                const char *eq = strchr(l->items[i], '=');
                _cleanup_free_ char *name = eq ? strndup(l->items[i], (size_t) (eq - l->items[i])) : NULL;

                if (!eq || eq == l->items[i])
                        return client_fail(c, -EINVAL,
                                           "invalid argument \"%s\" for \"--%s\" flag: must be KEY=VALUE",
                                           l->items[i], what);
                r = name ? json_set_str(map, name, eq + 1) : -ENOMEM;
        }
        return r < 0 ? r : json_set(o, key, TAKE_PTR(map));
}

static int set_attach(Client *c, const ContainerOptions *o, json_object *config) {
        bool in = o->interactive && o->attach.n == 0, out = o->attach.n == 0, err = out;
        int r = 0;

        for (size_t i = 0; i < o->attach.n; i++) {
                bool *slot = strcasecmp(o->attach.items[i], "stdin") == 0    ? &in
                             : strcasecmp(o->attach.items[i], "stdout") == 0 ? &out
                             : strcasecmp(o->attach.items[i], "stderr") == 0 ? &err
                                                                             : NULL;
                if (!slot)
                        return client_fail(
                                        c, -EINVAL,
                                        "invalid argument \"%s\" for \"-a, --attach\" flag: valid streams are STDIN, "
                                        "STDOUT and STDERR",
                                        o->attach.items[i]);
                *slot = true;
        }
        if (o->detach)
                in = out = err = false;
        r = set_flag(config, "AttachStdin", in);
        if (r >= 0)
                r = set_flag(config, "AttachStdout", out);
        if (r >= 0)
                r = set_flag(config, "AttachStderr", err);
        if (r >= 0)
                r = set_flag(config, "Tty", o->tty);
        if (r >= 0)
                r = set_flag(config, "OpenStdin", o->interactive);
        return r < 0 ? r : set_flag(config, "StdinOnce", o->interactive && in);
}

static int set_health(const ContainerOptions *o, json_object *config) {
        _cleanup_json_ json_object *health = NULL;
        const char *const none[] = { "NONE", NULL }, *const shell[] = { "CMD-SHELL", o->health_cmd, NULL };
        const struct {
                const char *key;
                const char *value;
        } durations[] = {
                { "Interval", o->health_interval },
                { "Timeout", o->health_timeout },
                { "StartPeriod", o->health_start_period },
                { "StartInterval", o->health_start_interval },
        };
        int r = 0;

        health = json_object_new_object();
        if (!health)
                return -ENOMEM;
        if (o->no_healthcheck || o->health_cmd)
                r = json_set(health, "Test",
                             json_new_strv((char *const *) (o->no_healthcheck ? none : shell)));
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(durations); i++) {
                int64_t ns;

                if (!durations[i].value)
                        continue;
                r = duration_parse(durations[i].value, &ns);
                if (r >= 0)
                        r = json_set_int(health, durations[i].key, ns);
        }
        if (r >= 0)
                r = set_number(health, "Retries", o->health_retries);
        if (r < 0 || json_object_object_length(health) == 0)
                return r;
        return json_set(config, "Healthcheck", TAKE_PTR(health));
}

static int set_config(Client *c, const ContainerOptions *o, char **args, json_object *config) {
        _cleanup_json_ json_object *env = json_object_new_array(), *labels = NULL;
        const char *const reset[] = { "", NULL }, *const entrypoint[] = { o->entrypoint, NULL };
        int r;

        r = json_set_str(config, "Image", args[0]);
        if (r >= 0 && args[1])
                r = json_set(config, "Cmd", json_new_strv(args + 1));
        if (r >= 0 && o->entrypoint)
                r = json_set(config, "Entrypoint",
                             json_new_strv((char *const *) (*o->entrypoint ? entrypoint : reset)));
        if (r >= 0)
                r = set_attach(c, o, config);
        if (r >= 0)
                r = env_add_files(c, env, &o->env_file);
        for (size_t i = 0; r >= 0 && i < o->env.n; i++)
                r = env_add(c, env, o->env.items[i], true);
        if (r >= 0 && json_object_array_length(env) > 0)
                r = json_set(config, "Env", TAKE_PTR(env));
        if (r >= 0 && (o->label.n > 0 || o->label_file.n > 0)) {
                r = labels_new(c, &o->label, &o->label_file, &labels);
                if (r >= 0)
                        r = json_set(config, "Labels", TAKE_PTR(labels));
        }
        if (r >= 0)
                r = set_string(config, "Hostname", o->hostname);
        if (r >= 0)
                r = set_string(config, "Domainname", o->domainname);
        if (r >= 0)
                r = set_string(config, "User", o->user);
        if (r >= 0)
                r = set_string(config, "WorkingDir", o->workdir);
        if (r >= 0)
                r = set_string(config, "StopSignal", o->stop_signal);
        if (r >= 0)
                r = set_number(config, "StopTimeout", o->stop_timeout);
        if (r >= 0) {
                r = set_health(o, config);
                if (r == -EINVAL)
                        return client_fail(
                                        c, r,
                                        "invalid health check: a duration such as 30s or 1m30s is needed");
        }
        return r;
}

static int add_security_option(Client *c, json_object *list, const char *option) {
        _cleanup_free_ char *text = NULL, *whole = NULL;
        _cleanup_json_ json_object *profile = NULL;
        const char *value = option + strcspn(option, "=:");
        size_t size;
        int r;

        if (!*value && !streq(option, "no-new-privileges"))
                return client_fail(c, -EINVAL, "invalid --security-opt: \"%s\"", option);
        if (*value)
                value++;
        if (!startswith(option, "seccomp") || streq(value, "unconfined") || streq(value, "builtin"))
                return json_add_str(list, option);
        /* The engine cannot read our files: the profile itself travels. */
        r = read_file_at(AT_FDCWD, value, SECCOMP_FILE_MAX, &text, &size);
        if (r < 0)
                return client_fail(c, r, "opening seccomp profile (%s) failed: %s", value, strerror(-r));
        r = json_parse(text, size, &profile);
        if (r < 0)
                return client_fail(c, r, "compacting json for seccomp profile (%s) failed", value);
        whole = str_concat("seccomp=", json_text(profile));
        return whole ? json_add_str(list, whole) : -ENOMEM;
}

static int set_restart(Client *c, const ContainerOptions *o, json_object *host) {
        const char *colon = strchrnul(o->restart, ':');
        _cleanup_free_ char *name = strndup(o->restart, (size_t) (colon - o->restart));
        json_object *policy = json_object_new_object();
        uint64_t count = 0;
        int r = json_set(host, "RestartPolicy", policy);

        if (*colon && parse_u64(colon + 1, INT32_MAX, &count) < 0)
                return client_fail(c, -EINVAL, "maximum retry count must be an integer");
        if (r >= 0)
                r = name ? json_set_str(policy, "Name", name) : -ENOMEM;
        return r < 0 ? r : json_set_int(policy, "MaximumRetryCount", (int64_t) count);
}

static int add_ulimit(Client *c, json_object *list, const char *spec) {
        const char *eq = strchr(spec, '='), *colon = eq ? strchr(eq, ':') : NULL;
        _cleanup_free_ char *name = eq ? strndup(spec, (size_t) (eq - spec)) : NULL;
        _cleanup_free_ char *soft_text = eq ? strndup(eq + 1, strcspn(eq + 1, ":")) : NULL;
        json_object *o;
        int64_t soft, hard;
        int r;

        if (!eq || parse_i64(soft_text, -1, INT64_MAX, &soft) < 0 ||
            parse_i64(colon ? colon + 1 : soft_text, -1, INT64_MAX, &hard) < 0 ||
            (hard >= 0 && (soft > hard || soft < 0)))
                return client_fail(
                                c, -EINVAL,
                                "invalid argument \"%s\" for \"--ulimit\" flag: NAME=SOFT[:HARD] is needed",
                                spec);
        o = json_object_new_object();
        r = json_add(list, o);
        if (r >= 0)
                r = json_set_str(o, "Name", name);
        if (r >= 0)
                r = json_set_int(o, "Hard", hard);
        return r < 0 ? r : json_set_int(o, "Soft", soft);
}

static int add_host_entry(Client *c, json_object *list, const char *spec) {
        size_t n = strcspn(spec, "=:");
        _cleanup_free_ char *copy = strdup(spec);

        if (!copy)
                return -ENOMEM;
        if (n == 0 || !spec[n] || !spec[n + 1])
                return client_fail(
                                c, -EINVAL,
                                "invalid argument \"%s\" for \"--add-host\" flag: bad format for add-host",
                                spec);
        copy[n] = ':';
        return json_add_str(list, copy);
}

/* "net_admin" and "CAP_NET_ADMIN" are the same to users, the engine is sent one spelling. */
static int add_capability(Client *c, json_object *list, const char *name) {
        _cleanup_free_ char *upper = strncasecmp(name, "CAP_", 4) == 0 || strcasecmp(name, "ALL") == 0 ?
                                             strdup(name) :
                                             str_concat("CAP_", name);

        for (char *p = upper; p && *p; p++)
                *p = *p >= 'a' && *p <= 'z' ? (char) (*p - 'a' + 'A') : *p;
        return upper ? json_add_str(list, upper) : -ENOMEM;
}

static int add_device(Client *c, json_object *list, const char *spec) {
        _cleanup_strv_ char **parts = NULL;
        json_object *o = json_object_new_object();
        const char *inner, *mode = "rwm";
        size_t n;
        int r;

        r = json_add(list, o);
        if (r >= 0)
                r = strv_split(spec, ':', &parts);
        if (r < 0)
                return r;
        n = strv_length(parts);
        if (n == 0 || n > 3)
                return client_fail(c, -EINVAL, "invalid device specification: %s", spec);
        inner = parts[0];
        if (n == 2 && strspn(parts[1], "rwm") == strlen(parts[1]))
                mode = parts[1];
        else if (n >= 2)
                inner = parts[1];
        if (n == 3)
                mode = parts[2];
        r = json_set_str(o, "PathOnHost", parts[0]);
        if (r >= 0)
                r = json_set_str(o, "PathInContainer", inner);
        return r < 0 ? r : json_set_str(o, "CgroupPermissions", mode);
}

/* A list of the results of @add for every item; nothing if there are none. */
static int set_each(Client *c, json_object *host, const char *key, const StringList *l,
                    int (*add)(Client *c, json_object *list, const char *item)) {
        _cleanup_json_ json_object *list = NULL;
        int r = 0;

        if (l->n == 0)
                return 0;
        list = json_object_new_array();
        if (!list)
                return -ENOMEM;
        for (size_t i = 0; r >= 0 && i < l->n; i++)
                r = add(c, list, l->items[i]);
        return r < 0 ? r : json_set(host, key, TAKE_PTR(list));
}

static int set_resources(const ContainerOptions *o, json_object *host) {
        const struct {
                const char *key;
                int64_t value;
        } numbers[] = {
                { "Memory", o->memory },
                { "MemoryReservation", o->memory_reservation },
                { "MemorySwap", o->memory_swap },
                { "MemorySwappiness", o->memory_swappiness },
                { "NanoCpus", o->cpus },
                { "CpuShares", o->cpu_shares },
                { "CpuPeriod", o->cpu_period },
                { "CpuQuota", o->cpu_quota },
                { "PidsLimit", o->pids_limit },
                { "BlkioWeight", o->blkio_weight },
                { "OomScoreAdj", o->oom_score_adj },
                { "ShmSize", o->shm_size },
        };
        const struct {
                const char *key;
                const char *value;
        } strings[] = {
                { "CpusetCpus", o->cpuset_cpus },
                { "CpusetMems", o->cpuset_mems },
                { "CgroupParent", o->cgroup_parent },
                { "CgroupnsMode", o->cgroupns },
                { "IpcMode", o->ipc },
                { "PidMode", o->pid },
                { "UTSMode", o->uts },
                { "UsernsMode", o->userns },
                { "NetworkMode", o->network },
                { "Runtime", o->runtime },
                { "VolumeDriver", o->volume_driver },
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(numbers); i++)
                r = set_number(host, numbers[i].key, numbers[i].value);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(strings); i++)
                r = set_string(host, strings[i].key, strings[i].value);
        return r < 0 ? r : set_flag(host, "OomKillDisable", o->oom_kill_disable);
}

static int set_console_size(const ContainerOptions *o, json_object *host) {
        unsigned rows, columns;
        json_object *size;
        int r;

        if (!o->tty || terminal_size(&rows, &columns) < 0)
                return 0;
        size = json_object_new_array();
        r = json_set(host, "ConsoleSize", size);
        if (r >= 0)
                r = json_add(size, json_object_new_int64(rows));
        return r < 0 ? r : json_add(size, json_object_new_int64(columns));
}

static int set_log(Client *c, const ContainerOptions *o, json_object *host) {
        json_object *log;
        int r;

        if (!o->log_driver && o->log_opt.n == 0)
                return 0;
        log = json_object_new_object();
        r = json_set(host, "LogConfig", log);
        if (r >= 0)
                r = set_string(log, "Type", o->log_driver);
        return r < 0 ? r : set_map(c, log, "Config", &o->log_opt, "log-opt");
}

static int set_host_config(Client *c, const ContainerOptions *o, json_object *host) {
        const struct {
                const char *key;
                const StringList *list;
        } lists[] = {
                { "Dns", &o->dns },              { "DnsOptions", &o->dns_option },
                { "DnsSearch", &o->dns_search }, { "GroupAdd", &o->group_add },
                { "Links", &o->link },           { "DeviceCgroupRules", &o->device_cgroup_rule },
        };
        int r;

        if (o->rm && o->restart && !streq(o->restart, "no") && !streq(o->restart, ""))
                return client_fail(c, -EINVAL,
                                   "conflicting options: cannot specify both --restart and --rm");
        r = set_resources(o, host);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(lists); i++)
                r = set_list(host, lists[i].key, lists[i].list);
        if (r >= 0)
                r = set_each(c, host, "CapAdd", &o->cap_add, add_capability);
        if (r >= 0)
                r = set_each(c, host, "CapDrop", &o->cap_drop, add_capability);
        if (r >= 0)
                r = set_each(c, host, "ExtraHosts", &o->add_host, add_host_entry);
        if (r >= 0)
                r = set_each(c, host, "Ulimits", &o->ulimit, add_ulimit);
        if (r >= 0)
                r = set_each(c, host, "Devices", &o->device, add_device);
        if (r >= 0)
                r = set_each(c, host, "SecurityOpt", &o->security_opt, add_security_option);
        if (r >= 0)
                r = set_map(c, host, "Sysctls", &o->sysctl, "sysctl");
        if (r >= 0)
                r = set_map(c, host, "StorageOpt", &o->storage_opt, "storage-opt");
        if (r >= 0)
                r = set_map(c, host, "Annotations", &o->annotation, "annotation");
        if (r >= 0)
                r = set_log(c, o, host);
        if (r >= 0 && o->restart)
                r = set_restart(c, o, host);
        if (r >= 0)
                r = set_flag(host, "AutoRemove", o->rm);
        if (r >= 0)
                r = set_flag(host, "Privileged", o->privileged);
        if (r >= 0)
                r = set_flag(host, "ReadonlyRootfs", o->read_only);
        if (r >= 0)
                r = set_flag(host, "Init", o->init);
        return r < 0 ? r : set_console_size(o, host);
}

static int set_endpoint(const ContainerOptions *o, json_object *body) {
        json_object *networking, *endpoints, *endpoint, *ipam;
        int r;

        if (!o->ip && !o->ip6 && !o->mac_address && o->network_alias.n == 0)
                return 0;
        networking = json_object_new_object();
        r = json_set(body, "NetworkingConfig", networking);
        endpoints = json_object_new_object();
        if (r >= 0)
                r = json_set(networking, "EndpointsConfig", endpoints);
        endpoint = json_object_new_object();
        if (r >= 0)
                r = json_set(endpoints, o->network ? o->network : "default", endpoint);
        if (r >= 0)
                r = set_list(endpoint, "Aliases", &o->network_alias);
        if (r >= 0)
                r = set_string(endpoint, "MacAddress", o->mac_address);
        if (r < 0 || (!o->ip && !o->ip6))
                return r;
        ipam = json_object_new_object();
        r = json_set(endpoint, "IPAMConfig", ipam);
        if (r >= 0)
                r = set_string(ipam, "IPv4Address", o->ip);
        return r < 0 ? r : set_string(ipam, "IPv6Address", o->ip6);
}

/**
 * container_config_new - the body of POST /containers/create.
 * @args: image, then the command.
 *
 * Return: 0, or an error with Client.error set.
 */
int container_config_new(Client *c, const ContainerOptions *o, char **args, json_object **ret) {
        _cleanup_json_ json_object *body = json_object_new_object();
        json_object *host = json_object_new_object();
        int r;

        r = body ? json_set(body, "HostConfig", host) : -ENOMEM;
        if (r >= 0)
                r = set_config(c, o, args, body);
        if (r >= 0)
                r = set_host_config(c, o, host);
        if (r >= 0)
                r = mounts_apply(c, o, body, host);
        if (r >= 0)
                r = ports_apply(c, o, body, host);
        if (r >= 0)
                r = set_endpoint(o, body);
        if (r < 0)
                return r == -ENOMEM ? client_fail(c, r, "out of memory") : r;
        *ret = TAKE_PTR(body);
        return 0;
}
