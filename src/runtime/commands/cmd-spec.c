/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <getopt.h>

#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../error.h"
#include "command.h"

#define CAPS "[\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"]"

static const char template[] =
                "{\n"
                "  \"ociVersion\": \"1.2.0\",\n"
                "  \"process\": {\n"
                "    \"terminal\": true,\n"
                "    \"user\": { \"uid\": 0, \"gid\": 0 },\n"
                "    \"args\": [\"sh\"],\n"
                "    \"env\": [\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\", \"TERM=xterm\"],\n"
                "    \"cwd\": \"/\",\n"
                "    \"capabilities\": {\n"
                "      \"bounding\": " CAPS ",\n"
                "      \"effective\": " CAPS ",\n"
                "      \"permitted\": " CAPS "\n"
                "    },\n"
                "    \"rlimits\": [{ \"type\": \"RLIMIT_NOFILE\", \"hard\": 1024, \"soft\": 1024 }],\n"
                "    \"noNewPrivileges\": true\n"
                "  },\n"
                "  \"root\": { \"path\": \"rootfs\", \"readonly\": true },\n"
                "  \"hostname\": \"berth\",\n"
                "  \"mounts\": [\n"
                "    { \"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\", \"options\": [\"nosuid\", \"noexec\", \"nodev\"] },\n"
                "    { \"destination\": \"/dev\", \"type\": \"tmpfs\", \"source\": \"tmpfs\",\n"
                "      \"options\": [\"nosuid\", \"strictatime\", \"mode=755\", \"size=65536k\"] },\n"
                "    { \"destination\": \"/dev/pts\", \"type\": \"devpts\", \"source\": \"devpts\",\n"
                "      \"options\": [\"nosuid\", \"noexec\", \"newinstance\", \"ptmxmode=0666\", \"mode=0620\", \"gid=5\"] },\n"
                "    { \"destination\": \"/dev/shm\", \"type\": \"tmpfs\", \"source\": \"shm\",\n"
                "      \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"mode=1777\", \"size=65536k\"] },\n"
                "    { \"destination\": \"/dev/mqueue\", \"type\": \"mqueue\", \"source\": \"mqueue\", \"options\": [\"nosuid\", \"noexec\", \"nodev\"] },\n"
                "    { \"destination\": \"/sys\", \"type\": \"sysfs\", \"source\": \"sysfs\", \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"ro\"] },\n"
                "    { \"destination\": \"/sys/fs/cgroup\", \"type\": \"cgroup\", \"source\": \"cgroup\",\n"
                "      \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"relatime\", \"ro\"] }\n"
                "  ],\n"
                "  \"linux\": {\n"
                "    \"resources\": { \"devices\": [{ \"allow\": false, \"access\": \"rwm\" }] },\n"
                "    \"namespaces\": [{ \"type\": \"pid\" }, { \"type\": \"network\" }, { \"type\": \"ipc\" }, { \"type\": \"uts\" },\n"
                "                   { \"type\": \"mount\" }, { \"type\": \"cgroup\" }],\n"
                "    \"maskedPaths\": [\"/proc/acpi\", \"/proc/asound\", \"/proc/kcore\", \"/proc/keys\", \"/proc/latency_stats\",\n"
                "                    \"/proc/timer_list\", \"/proc/timer_stats\", \"/proc/sched_debug\", \"/proc/scsi\", \"/sys/firmware\"],\n"
                "    \"readonlyPaths\": [\"/proc/bus\", \"/proc/fs\", \"/proc/irq\", \"/proc/sys\", \"/proc/sysrq-trigger\"]\n"
                "  }\n"
                "}\n";

/* An ordinary user can map its own ids without help, and then has neither group 5 for terminals nor a
 * network namespace that it could connect to anything; without one sysfs is the host's. */
static int change_mounts(json_object *mounts) {
        for (size_t i = 0; i < json_object_array_length(mounts); i++) {
                json_object *m = json_object_array_get_idx(mounts, i), *options = json_get(m, "options");
                int r = 0;

                for (size_t k = json_object_array_length(options); k > 0; k--)
                        if (startswith(json_object_get_string(json_object_array_get_idx(options, k - 1)),
                                       "gid="))
                                r = json_object_array_del_idx(options, k - 1, 1);
                if (r >= 0 && streq(json_string_or(m, "destination", ""), "/sys")) {
                        r = json_set_str(m, "type", "none");
                        if (r >= 0)
                                r = json_set_str(m, "source", "/sys");
                        if (r >= 0)
                                r = json_add_str(options, "rbind");
                }
                if (r < 0)
                        return r;
        }
        return 0;
}

static int change_namespaces(json_object *namespaces) {
        for (size_t i = 0; i < json_object_array_length(namespaces); i++) {
                json_object *n = json_object_array_get_idx(namespaces, i);

                if (streq(json_string_or(n, "type", ""), "network"))
                        return json_set_str(n, "type", "user");
        }
        return -EINVAL;
}

static int add_own_id(json_object *linux_object, const char *key, unsigned id) {
        json_object *map = json_object_new_object(), *maps = json_object_new_array();
        int r;

        r = json_set(linux_object, key, maps);
        if (r >= 0)
                r = json_add(maps, map);
        if (r >= 0)
                r = json_set_int(map, "containerID", 0);
        if (r >= 0)
                r = json_set_int(map, "hostID", id);
        return r < 0 ? r : json_set_int(map, "size", 1);
}

/* @ret: owned by the caller. */
static int rootless_text(char **ret) {
        _cleanup_json_ json_object *o = NULL;
        json_object *linux_object;
        int r;

        r = json_parse(template, strlen(template), &o);
        if (r < 0)
                return r;
        linux_object = json_get(o, "linux");
        json_object_object_del(linux_object, "resources");
        if ((r = change_mounts(json_get(o, "mounts"))) < 0 ||
            (r = change_namespaces(json_get(linux_object, "namespaces"))) < 0 ||
            (r = add_own_id(linux_object, "uidMappings", geteuid())) < 0 ||
            (r = add_own_id(linux_object, "gidMappings", getegid())) < 0)
                return r;
        *ret = str_concat(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
                                                                    JSON_C_TO_STRING_NOSLASHESCAPE),
                          "\n");
        return *ret ? 0 : -ENOMEM;
}

/** cmd_spec - berth-runtime spec [--bundle DIR] [--file PATH] [--rootless]: write a config.json to start
 * from. */
int cmd_spec(const Globals *g, int argc, char **argv) {
        static const struct option options[] = { { "bundle", required_argument, NULL, 'b' },
                                                 { "file", required_argument, NULL, 'f' },
                                                 { "rootless", no_argument, NULL, 'r' }, {} };
        _cleanup_free_ char *path = NULL, *rootless_config = NULL;
        const char *bundle = ".", *file = "config.json", *text = template;
        bool rootless = false;
        int c, r;

        optind = 1;
        while ((c = getopt_long(argc, argv, "+b:f:", options, NULL)) >= 0) {
                if (c == 'r')
                        rootless = true;
                else if (c == 'b')
                        bundle = optarg;
                else if (c == 'f')
                        file = optarg;
                else
                        return command_bad_option(argv);
        }
        if (optind < argc)
                return command_usage(argv[0], "unexpected argument");
        path = file[0] == '/' ? strdup(file) : str_concat(bundle, "/", file);
        if (!path)
                return -ENOMEM;
        if (rootless) {
                r = rootless_text(&rootless_config);
                if (r < 0)
                        return fail_errno(r, "make a config.json");
                text = rootless_config;
        }
        r = write_file_at(AT_FDCWD, path, text, strlen(text), 0644, WRITE_EXCLUSIVE);
        return r < 0 ? fail_errno(r, "write %s", path) : 0;
}
