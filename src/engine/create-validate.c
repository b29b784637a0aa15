/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks of a create request that are neither about resources nor about security: names, modes, network,
 * restart policy. The texts are Docker's where clients show or match them.
 */
#include <sys/utsname.h>

#include "../basic/json.h"
#include "../basic/str.h"
#include "create.h"
#include "option-table.h"

#define GROUPS_MAX 128

static int check_restart_policy(const CreateContext *c, EngineError *reterr) {
        json_object *policy = json_get(c->host, "RestartPolicy");
        const char *name = json_string_or(policy, "Name", "");
        bool auto_remove = false;
        int64_t count = 0;

        if (json_get_int(policy, "MaximumRetryCount", INT32_MIN, INT32_MAX, &count) < 0)
                return error_set(
                                reterr, -EINVAL,
                                "invalid JSON: HostConfig.RestartPolicy.MaximumRetryCount must be an "
                                "integer");
        if (!isempty(name) && !streq(name, "no") && !streq(name, "always") && !streq(name, "on-failure") &&
            !streq(name, "unless-stopped"))
                return error_set(
                                reterr, -EINVAL,
                                "invalid restart policy: unknown policy '%s'; use one of 'no', 'always', "
                                "'on-failure', or "
                                "'unless-stopped'",
                                name);
        if (!streq(name, "on-failure") && count > 0)
                return error_set(
                                reterr, -EINVAL,
                                "invalid restart policy: maximum retry count can only be used with "
                                "'on-failure'");
        if (count < 0)
                return error_set(reterr, -EINVAL,
                                 "invalid restart policy: maximum retry count cannot be negative");
        (void) json_get_bool(c->host, "AutoRemove", &auto_remove);
        if (auto_remove && !isempty(name) && !streq(name, "no"))
                return error_set(reterr, -EINVAL, "can't create 'AutoRemove' container with restart policy");
        if (isempty(name)) {
                json_object *fixed = json_object_new_object();
                int r = json_set(c->host, "RestartPolicy", fixed);

                if (r >= 0)
                        r = json_set_str(fixed, "Name", "no");
                if (r >= 0)
                        r = json_set_int(fixed, "MaximumRetryCount", 0);
                return r;
        }
        return 0;
}

static int check_log_config(const CreateContext *c, EngineError *reterr) {
        json_object *log = json_get(c->host, "LogConfig"), *fixed;
        const char *type = json_string_or(log, "Type", "");
        int r;

        if (!isempty(type) && !streq(type, "journald")) {
                _cleanup_free_ char *name = str_concat("log driver ", type);

                return error_unsupported(reterr, name ?: type);
        }
        if (!json_is_empty_value(json_get(log, "Config")))
                return error_unsupported(reterr, "HostConfig.LogConfig.Config");
        fixed = json_object_new_object();
        r = json_set(c->host, "LogConfig", fixed);
        if (r >= 0)
                r = json_set_str(fixed, "Type", "journald");
        if (r >= 0)
                r = json_set(fixed, "Config", json_object_new_object());
        return r;
}

static int find_peer(CreateContext *c, const char *option, const char *wanted, Container **ret,
                     EngineError *reterr) {
        int r;

        if (isempty(wanted))
                return error_set(reterr, -EINVAL, "invalid %s: container:", option);
        r = manager_find_container(c->manager, wanted, ret);
        if (r == -ENOENT)
                return error_set(reterr, r, "No such container: %s", wanted);
        if (r < 0)
                return error_set(reterr, r, "container %s is ambiguous", wanted);
        return 0;
}

static int check_network(CreateContext *c, EngineError *reterr) {
        const char *mode = json_string_or(c->host, "NetworkMode", ""), *peer_name;
        Container *peer;
        int r;

        if (isempty(mode) || streq(mode, "default"))
                mode = "bridge";
        peer_name = startswith(mode, "container:");
        if (peer_name) {
                r = find_peer(c, "NetworkMode", peer_name, &peer, reterr);
                if (r < 0)
                        return r;
                if (!isempty(json_string_or(c->config, "Hostname", "")))
                        return error_set(reterr, -EINVAL,
                                         "conflicting options: hostname and the network mode");
                if (!json_is_empty_value(json_get(c->host, "ExtraHosts")))
                        return error_set(
                                        reterr, -EINVAL,
                                        "conflicting options: custom host-to-IP mapping and the network "
                                        "mode");
                if (!json_is_empty_value(json_get(c->host, "Dns")))
                        return error_set(reterr, -EINVAL, "conflicting options: dns and the network mode");
                c->network = str_concat("container:", peer->id);
        } else if (streq(mode, "none") || streq(mode, "host") || streq(mode, "bridge"))
                c->network = strdup(mode);
        else
                return error_set(reterr, -ENOENT, "network %s not found", mode);
        if (!c->network)
                return -ENOMEM;
        return json_set_str(c->host, "NetworkMode", c->network);
}

/* The one endpoint a client may send belongs to the network that NetworkMode names. */
static int check_endpoints(const CreateContext *c, json_object *networking, EngineError *reterr) {
        json_object *endpoints;

        if (json_get_object(networking, "EndpointsConfig", &endpoints) < 0)
                return error_set(reterr, -EINVAL,
                                 "invalid JSON: NetworkingConfig.EndpointsConfig must be an object");
        if (!endpoints)
                return 0;
        if (json_object_object_length(endpoints) > 1)
                return error_unsupported(reterr,
                                         "more than one network in NetworkingConfig.EndpointsConfig");
        json_object_object_foreach(endpoints, name, endpoint) {
                _cleanup_json_ json_object *checked = NULL;
                int r;

                if (!streq(streq(name, "default") ? "bridge" : name, c->network)) {
                        if (streq(name, "none") || streq(name, "host") || streq(name, "bridge") ||
                            streq(name, "default"))
                                return error_set(
                                                reterr, -EINVAL,
                                                "conflicting options: cannot attach to network %s with "
                                                "network mode %s",
                                                name, c->network);
                        if (!startswith(name, "container:"))
                                return error_set(reterr, -ENOENT, "network %s not found", name);
                }
                r = options_merge(endpoint_options, "NetworkingConfig.EndpointsConfig", endpoint, &checked,
                                  reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_one_of(const CreateContext *c, const char *key, const char *const *allowed,
                        const char *fallback, EngineError *reterr) {
        const char *v = json_string_or(c->host, key, "");

        if (isempty(v))
                return fallback ? json_set_str(c->host, key, fallback) : 0;
        if (startswith(v, "container:") || streq(v, "shareable")) {
                _cleanup_free_ char *name = str_concat("HostConfig.", key, "=", v);

                return error_unsupported(reterr, name ?: key);
        }
        for (; *allowed; allowed++)
                if (streq(v, *allowed))
                        return 0;
        return error_set(reterr, -EINVAL, "invalid %s: %s", key, v);
}

static int check_modes(const CreateContext *c, EngineError *reterr) {
        static const char *const host_only[] = { "host", NULL };
        static const char *const cgroupns[] = { "private", "host", NULL };
        static const char *const ipc[] = { "private", "host", "none", NULL };
        int r;

        r = check_one_of(c, "PidMode", host_only, NULL, reterr);
        if (r >= 0)
                r = check_one_of(c, "UTSMode", host_only, NULL, reterr);
        if (r >= 0)
                r = check_one_of(c, "UsernsMode", host_only, NULL, reterr);
        if (r >= 0)
                r = check_one_of(c, "CgroupnsMode", cgroupns, c->privileged ? "host" : "private", reterr);
        if (r >= 0)
                r = check_one_of(c, "IpcMode", ipc, "private", reterr);
        return r;
}

static bool hostname_is_valid(const char *s) {
        size_t n = strlen(s);

        /* The kernel's limit; what the characters mean is for the container's own programs. */
        return n <= 63 && !strpbrk(s, " \t\r\n/");
}

static int check_hostname(const CreateContext *c, EngineError *reterr) {
        const char *hostname = json_string_or(c->config, "Hostname", "");
        const char *domain = json_string_or(c->config, "Domainname", "");
        bool host_uts = streq(json_string_or(c->host, "UTSMode", ""), "host");
        struct utsname uts;
        char id[CONTAINER_SHORT_ID_LENGTH + 1];

        if (!hostname_is_valid(hostname))
                return error_set(reterr, -EINVAL, "invalid hostname: %s", hostname);
        if (strlen(domain) > 64 || strpbrk(domain, " \t\r\n/"))
                return error_set(reterr, -EINVAL, "invalid domainname: %s", domain);
        if (host_uts && !isempty(hostname))
                return error_set(reterr, -EINVAL, "conflicting options: hostname and the UTS mode");
        if (host_uts && !isempty(domain))
                return error_set(reterr, -EINVAL, "conflicting options: domainname and the UTS mode");
        if (!isempty(hostname))
                return 0;
        if ((host_uts || streq(c->network, "host")) && uname(&uts) >= 0)
                return json_set_str(c->config, "Hostname", uts.nodename);
        memcpy(id, c->id, CONTAINER_SHORT_ID_LENGTH);
        id[CONTAINER_SHORT_ID_LENGTH] = 0;
        return json_set_str(c->config, "Hostname", id);
}

static int check_process(const CreateContext *c, EngineError *reterr) {
        const char *dir = json_string_or(c->config, "WorkingDir", ""),
                   *sig = json_string_or(c->config, "StopSignal", "");
        json_object *size = json_get(c->host, "ConsoleSize");
        json_object *env = json_get(c->config, "Env");
        int64_t timeout = 0;

        for (size_t i = 0; env && i < json_object_array_length(env); i++) {
                const char *e = json_object_get_string(json_object_array_get_idx(env, i));

                if (isempty(e) || e[0] == '=')
                        return error_set(reterr, -EINVAL, "invalid environment variable: %s", e);
        }
        if (!isempty(dir) && dir[0] != '/')
                return error_set(reterr, -EINVAL,
                                 "the working directory '%s' is invalid, it needs to be an absolute path",
                                 dir);
        if (!isempty(dir)) {
                _cleanup_free_ char *clean = path_clean(dir);
                int r = clean ? json_set_str(c->config, "WorkingDir", clean) : -ENOMEM;

                if (r < 0)
                        return r;
        }
        if (!isempty(sig) && signal_from_string(sig) < 0)
                return error_set(reterr, -EINVAL, "invalid signal: %s", sig);
        if (json_get_int(c->config, "StopTimeout", -1, INT32_MAX, &timeout) < 0)
                return error_set(reterr, -EINVAL, "invalid StopTimeout");
        if (size && json_object_array_length(size) != 2 && json_object_array_length(size) != 0)
                return error_set(reterr, -EINVAL, "invalid HostConfig.ConsoleSize");
        for (size_t i = 0; size && i < json_object_array_length(size); i++) {
                json_object *n = json_object_array_get_idx(size, i);

                if (!json_object_is_type(n, json_type_int) || json_object_get_int64(n) < 0 ||
                    json_object_get_int64(n) > UINT16_MAX)
                        return error_set(reterr, -EINVAL, "invalid HostConfig.ConsoleSize");
        }
        return 0;
}

static int check_ports(const CreateContext *c, EngineError *reterr) {
        json_object *ports = json_get(c->config, "ExposedPorts");

        if (!ports)
                return 0;
        json_object_object_foreach(ports, key, value) {
                uint64_t first, last;
                char text[32];
                char *slash, *dash;

                (void) value;
                if (strlen(key) >= sizeof(text))
                        return error_set(reterr, -EINVAL, "invalid port specification: \"%s\"", key);
                memcpy(text, key, strlen(key) + 1);
                slash = strchr(text, '/');
                if (slash)
                        *slash++ = 0;
                dash = strchr(text, '-');
                if (dash)
                        *dash++ = 0;
                if (parse_u64(text, 65535, &first) < 0 || parse_u64(dash ?: text, 65535, &last) < 0 ||
                    last < first ||
                    (slash && !streq(slash, "tcp") && !streq(slash, "udp") && !streq(slash, "sctp")))
                        return error_set(reterr, -EINVAL, "invalid port specification: \"%s\"", key);
        }
        return 0;
}

/* shim.conf has one line for each, and a limit of lines. */
static int check_groups(const CreateContext *c, EngineError *reterr) {
        json_object *groups = json_get(c->host, "GroupAdd");

        for (size_t i = 0; groups && i < json_object_array_length(groups); i++)
                if (isempty(json_object_get_string(json_object_array_get_idx(groups, i))))
                        return error_set(reterr, -EINVAL, "invalid HostConfig.GroupAdd: empty group");
        if (groups && json_object_array_length(groups) > GROUPS_MAX)
                return error_set(reterr, -EINVAL, "invalid HostConfig.GroupAdd: more than %d groups",
                                 GROUPS_MAX);
        return 0;
}

/** create_validate - see create.h. Return: 0, -EINVAL, -ENOENT, -EOPNOTSUPP, -ENOMEM, each with a text. */
int create_validate(CreateContext *c, json_object *networking, EngineError *reterr) {
        int r;

        r = check_process(c, reterr);
        if (r >= 0)
                r = check_restart_policy(c, reterr);
        if (r >= 0)
                r = check_log_config(c, reterr);
        if (r >= 0)
                r = check_network(c, reterr);
        if (r >= 0)
                r = check_endpoints(c, networking, reterr);
        if (r >= 0)
                r = check_modes(c, reterr);
        if (r >= 0)
                r = check_hostname(c, reterr);
        if (r >= 0)
                r = check_ports(c, reterr);
        if (r >= 0)
                r = check_groups(c, reterr);
        if (r >= 0)
                r = create_check_files(c, reterr);
        return r;
}
