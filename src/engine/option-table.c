/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The three tables below are the list of what `create` accepts: see option-table.h. Order is the order of
 * inspect.
 */
#include "option-table.h"

#include "../basic/json.h"
#include "../basic/str.h"

#define MASKED                                                                                 \
        "[\"/proc/asound\",\"/proc/acpi\",\"/proc/interrupts\",\"/proc/kcore\",\"/proc/keys\","     \
        "\"/proc/latency_stats\",\"/proc/timer_list\",\"/proc/timer_stats\",\"/proc/sched_debug\","  \
        "\"/proc/scsi\",\"/sys/firmware\",\"/sys/devices/virtual/powercap\"]"
#define READONLY "[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\",\"/proc/sysrq-trigger\"]"

const Option config_options[] = {
        { "Hostname", OPTION_STRING, .fallback = "\"\"" },
        { "Domainname", OPTION_STRING, .fallback = "\"\"" },
        { "User", OPTION_STRING, .fallback = "\"\"" },
        { "AttachStdin", OPTION_BOOL, .fallback = "false" },
        { "AttachStdout", OPTION_BOOL, .fallback = "false" },
        { "AttachStderr", OPTION_BOOL, .fallback = "false" },
        { "ExposedPorts", OPTION_OBJECT },
        { "Tty", OPTION_BOOL, .fallback = "false" },
        { "OpenStdin", OPTION_BOOL, .fallback = "false" },
        { "StdinOnce", OPTION_BOOL, .fallback = "false" },
        { "Env", OPTION_STRINGS, .fallback = "[]" },
        { "Cmd", OPTION_STRING_OR_LIST, .fallback = "null" },
        { "Healthcheck", OPTION_OBJECT },
        { "ArgsEscaped", OPTION_BOOL },
        { "Image", OPTION_STRING, .fallback = "\"\"" },
        { "Volumes", OPTION_OBJECT, .fallback = "null" },
        { "WorkingDir", OPTION_STRING, .fallback = "\"\"" },
        { "Entrypoint", OPTION_STRING_OR_LIST, .fallback = "null" },
        { "NetworkDisabled", OPTION_BOOL, .refused = true },
        { "MacAddress", OPTION_STRING, .refused = true },
        { "OnBuild", OPTION_STRINGS, .fallback = "null" },
        { "Labels", OPTION_STRING_MAP, .fallback = "{}" },
        { "StopSignal", OPTION_STRING },
        { "StopTimeout", OPTION_INT },
        { "Shell", OPTION_STRING_OR_LIST },
        {},
};

const Option host_options[] = {
        { "Binds", OPTION_STRINGS, .fallback = "null" },
        { "ContainerIDFile", OPTION_STRING, .fallback = "\"\"" },
        { "LogConfig", OPTION_OBJECT, .fallback = "{\"Type\":\"journald\",\"Config\":{}}" },
        { "NetworkMode", OPTION_STRING, .fallback = "\"bridge\"" },
        { "PortBindings", OPTION_OBJECT, .refused = true, .fallback = "{}" },
        { "RestartPolicy", OPTION_OBJECT, .fallback = "{\"Name\":\"no\",\"MaximumRetryCount\":0}" },
        { "AutoRemove", OPTION_BOOL, .fallback = "false" },
        { "VolumeDriver", OPTION_STRING, .refused = true, .fallback = "\"\"", .neutral = "\"local\"" },
        { "VolumesFrom", OPTION_STRINGS, .refused = true, .fallback = "null" },
        { "Mounts", OPTION_ARRAY },
        { "ConsoleSize", OPTION_ARRAY, .fallback = "[0,0]" },
        { "Annotations", OPTION_STRING_MAP },
        { "CapAdd", OPTION_STRINGS, .fallback = "null" },
        { "CapDrop", OPTION_STRINGS, .fallback = "null" },
        { "CgroupnsMode", OPTION_STRING, .fallback = "\"private\"" },
        { "Dns", OPTION_STRINGS, .fallback = "[]" },
        { "DnsOptions", OPTION_STRINGS, .fallback = "[]" },
        { "DnsSearch", OPTION_STRINGS, .fallback = "[]" },
        { "ExtraHosts", OPTION_STRINGS, .fallback = "null" },
        { "GroupAdd", OPTION_STRINGS, .fallback = "null" },
        { "IpcMode", OPTION_STRING, .fallback = "\"private\"" },
        { "Cgroup", OPTION_STRING, .refused = true, .fallback = "\"\"" },
        { "Links", OPTION_STRINGS, .refused = true, .fallback = "null" },
        { "OomScoreAdj", OPTION_INT, .fallback = "0" },
        { "PidMode", OPTION_STRING, .fallback = "\"\"" },
        { "Privileged", OPTION_BOOL, .fallback = "false" },
        { "PublishAllPorts", OPTION_BOOL, .refused = true, .fallback = "false" },
        { "ReadonlyRootfs", OPTION_BOOL, .fallback = "false" },
        { "SecurityOpt", OPTION_STRINGS, .fallback = "null" },
        { "StorageOpt", OPTION_STRING_MAP, .refused = true },
        { "Tmpfs", OPTION_STRING_MAP },
        { "UTSMode", OPTION_STRING, .fallback = "\"\"" },
        { "UsernsMode", OPTION_STRING, .fallback = "\"\"" },
        { "ShmSize", OPTION_INT, .fallback = "67108864" },
        { "Sysctls", OPTION_STRING_MAP },
        { "Runtime", OPTION_STRING, .fallback = "\"berth-runtime\"" },
        { "Isolation", OPTION_STRING, .refused = true, .fallback = "\"\"", .neutral = "\"default\"" },
        { "CpuShares", OPTION_INT, .fallback = "0" },
        { "Memory", OPTION_INT, .fallback = "0" },
        { "NanoCpus", OPTION_INT, .fallback = "0" },
        { "CgroupParent", OPTION_STRING, .refused = true, .fallback = "\"\"" },
        { "BlkioWeight", OPTION_INT, .fallback = "0" },
        { "BlkioWeightDevice", OPTION_ARRAY, .refused = true, .fallback = "[]" },
        { "BlkioDeviceReadBps", OPTION_ARRAY, .refused = true, .fallback = "[]" },
        { "BlkioDeviceWriteBps", OPTION_ARRAY, .refused = true, .fallback = "[]" },
        { "BlkioDeviceReadIOps", OPTION_ARRAY, .refused = true, .fallback = "[]" },
        { "BlkioDeviceWriteIOps", OPTION_ARRAY, .refused = true, .fallback = "[]" },
        { "CpuPeriod", OPTION_INT, .fallback = "0" },
        { "CpuQuota", OPTION_INT, .fallback = "0" },
        { "CpuRealtimePeriod", OPTION_INT, .refused = true, .fallback = "0" },
        { "CpuRealtimeRuntime", OPTION_INT, .refused = true, .fallback = "0" },
        { "CpusetCpus", OPTION_STRING, .refused = true, .fallback = "\"\"" },
        { "CpusetMems", OPTION_STRING, .refused = true, .fallback = "\"\"" },
        { "Devices", OPTION_ARRAY, .fallback = "[]" },
        { "DeviceCgroupRules", OPTION_STRINGS, .fallback = "null" },
        { "DeviceRequests", OPTION_ARRAY, .refused = true, .fallback = "null" },
        { "KernelMemory", OPTION_INT, .refused = true },
        { "KernelMemoryTCP", OPTION_INT, .refused = true },
        { "MemoryReservation", OPTION_INT, .fallback = "0" },
        { "MemorySwap", OPTION_INT, .fallback = "0" },
        { "MemorySwappiness", OPTION_INT, .refused = true, .fallback = "null", .neutral = "-1" },
        { "OomKillDisable", OPTION_BOOL, .refused = true, .fallback = "null" },
        { "Init", OPTION_BOOL, .refused = true },
        { "PidsLimit", OPTION_INT, .fallback = "null" },
        { "Ulimits", OPTION_ARRAY, .fallback = "[]" },
        { "CpuCount", OPTION_INT, .refused = true, .fallback = "0" },
        { "CpuPercent", OPTION_INT, .refused = true, .fallback = "0" },
        { "IOMaximumIOps", OPTION_INT, .refused = true, .fallback = "0" },
        { "IOMaximumBandwidth", OPTION_INT, .refused = true, .fallback = "0" },
        { "MaskedPaths", OPTION_STRINGS, .fallback = MASKED },
        { "ReadonlyPaths", OPTION_STRINGS, .fallback = READONLY },
        {},
};

const Option endpoint_options[] = {
        { "IPAMConfig", OPTION_OBJECT, .refused = true, .fallback = "null" },
        { "Links", OPTION_STRINGS, .refused = true, .fallback = "null" },
        { "Aliases", OPTION_STRINGS, .fallback = "null" },
        { "MacAddress", OPTION_STRING, .refused = true, .fallback = "\"\"" },
        { "DriverOpts", OPTION_STRING_MAP, .refused = true, .fallback = "null" },
        { "GwPriority", OPTION_INT, .refused = true, .fallback = "0" },
        { "NetworkID", OPTION_STRING, .fallback = "\"\"" },
        { "EndpointID", OPTION_STRING, .fallback = "\"\"" },
        { "Gateway", OPTION_STRING, .fallback = "\"\"" },
        { "IPAddress", OPTION_STRING, .fallback = "\"\"" },
        { "IPPrefixLen", OPTION_INT, .fallback = "0" },
        { "IPv6Gateway", OPTION_STRING, .fallback = "\"\"" },
        { "GlobalIPv6Address", OPTION_STRING, .fallback = "\"\"" },
        { "GlobalIPv6PrefixLen", OPTION_INT, .fallback = "0" },
        { "DNSNames", OPTION_STRINGS, .fallback = "null" },
        {},
};

/** json_is_empty_value - null, false, 0, "", [], or {}: a value by which a client asks for nothing. */
bool json_is_empty_value(json_object *v) {
        switch (json_object_get_type(v)) {
        case json_type_null:
                return true;
        case json_type_boolean:
                return !json_object_get_boolean(v);
        case json_type_int:
                return json_object_get_int64(v) == 0;
        case json_type_double:
                return json_object_get_double(v) == 0;
        case json_type_string:
                return json_object_get_string_len(v) == 0;
        case json_type_array:
                return json_object_array_length(v) == 0;
        case json_type_object:
                return json_object_object_length(v) == 0;
        }
        return false;
}

static bool is_plain_string(json_object *v) {
        return json_object_is_type(v, json_type_string) &&
               strlen(json_object_get_string(v)) == (size_t) json_object_get_string_len(v);
}

static bool is_strings(json_object *v) {
        if (!json_object_is_type(v, json_type_array))
                return false;
        for (size_t i = 0; i < json_object_array_length(v); i++)
                if (!is_plain_string(json_object_array_get_idx(v, i)))
                        return false;
        return true;
}

static const char *type_mismatch(OptionType type, json_object *v) {
        switch (type) {
        case OPTION_BOOL:
                return json_object_is_type(v, json_type_boolean) ? NULL : "a boolean";
        case OPTION_INT:
                return json_object_is_type(v, json_type_int) ? NULL : "an integer";
        case OPTION_STRING:
                return is_plain_string(v) ? NULL : "a string";
        case OPTION_STRINGS:
                return is_strings(v) ? NULL : "an array of strings";
        case OPTION_STRING_OR_LIST:
                return is_plain_string(v) || is_strings(v) ? NULL : "a string or an array of strings";
        case OPTION_ARRAY:
                return json_object_is_type(v, json_type_array) ? NULL : "an array";
        case OPTION_OBJECT:
                return json_object_is_type(v, json_type_object) ? NULL : "an object";
        case OPTION_STRING_MAP:
                if (!json_object_is_type(v, json_type_object))
                        return "an object of strings";
                json_object_object_foreach(v, key, item) {
                        (void) key;
                        if (!is_plain_string(item))
                                return "an object of strings";
                }
                return NULL;
        }
        return "valid";
}

static int put_fallback(json_object *out, const Option *o) {
        json_object *v;
        int r;

        if (!o->fallback)
                return 0;
        if (streq(o->fallback, "null"))
                return json_set_null(out, o->name);
        r = json_parse(o->fallback, strlen(o->fallback), &v);
        return r < 0 ? r : json_set(out, o->name, v);
}

static int put_value(json_object *out, const Option *o, json_object *v) {
        if (o->type == OPTION_STRING_OR_LIST && json_object_is_type(v, json_type_string)) {
                json_object *list = json_object_new_array();

                if (!list || json_add(list, json_object_get(v)) < 0) {
                        json_object_put(list);
                        return -ENOMEM;
                }
                return json_set(out, o->name, list);
        }
        return json_set(out, o->name, json_object_get(v));
}

/**
 * options_merge - check @user against @table and lay it over the defaults.
 *
 * Values are shared with @user, not copied: replace them, do not change them.
 * Return: 0, -EINVAL for a wrong type, -EOPNOTSUPP for a refused field, -ENOMEM.
 */
int options_merge(const Option *table, const char *prefix, json_object *user, json_object **ret,
                  EngineError *reterr) {
        _cleanup_json_ json_object *out = json_object_new_object();
        int r;

        if (!out)
                return -ENOMEM;
        for (const Option *o = table; o->name; o++) {
                json_object *v = json_get(user, o->name);
                const char *wanted;

                if (!v) {
                        r = put_fallback(out, o);
                        if (r < 0)
                                return r;
                        continue;
                }
                wanted = type_mismatch(o->type, v);
                if (wanted)
                        return error_set(reterr, -EINVAL, "invalid JSON: %s.%s must be %s", prefix, o->name,
                                         wanted);
                if (o->refused) {
                        if (!json_is_empty_value(v) && !(o->neutral && streq(json_text(v), o->neutral))) {
                                _cleanup_free_ char *name = str_concat(prefix, ".", o->name);

                                return error_unsupported(reterr, name ?: o->name);
                        }
                        r = put_fallback(out, o);
                } else
                        r = put_value(out, o, v);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(out);
        return 0;
}
