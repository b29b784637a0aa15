/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <getopt.h>

#include "../basic/file.h"
#include "../basic/str.h"
#include "command.h"
#include "error.h"

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

/** cmd_spec - berth-runtime spec [--bundle DIR]: write a config.json to start from. */
int cmd_spec(const Globals *g, int argc, char **argv) {
        static const struct option options[] = { { "bundle", required_argument, NULL, 'b' },
                                                 { "rootless", no_argument, NULL, 'r' }, {} };
        const char *bundle = ".";
        _cleanup_free_ char *path = NULL;
        int c, r;

        optind = 1;
        while ((c = getopt_long(argc, argv, "+b:", options, NULL)) >= 0) {
                if (c == 'r')
                        return fail_text(EOPNOTSUPP, "spec --rootless is not supported");
                if (c != 'b')
                        return command_usage(argv[0], NULL);
                bundle = optarg;
        }
        path = str_concat(bundle, "/config.json");
        if (!path)
                return -ENOMEM;
        r = write_file_at(AT_FDCWD, path, template, strlen(template), 0644, WRITE_EXCLUSIVE);
        return r < 0 ? fail_errno(r, "write %s", path) : 0;
}
