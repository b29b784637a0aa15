/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "system-info.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "../basic/clock.h"
#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/json.h"
#include "../basic/str.h"
#include "../shared/paths.h"
#include "container.h"
#include "image/image-store.h"

/* What does not depend on the machine. LiveRestoreEnabled: containers do not depend on the engine at all. */
static const char constant_facts[] =
        "{\"Driver\":\"overlay2\",\"SystemStatus\":null,\"Plugins\":{"
        "\"Volume\":[\"local\"],\"Network\":[\"bridge\",\"host\",\"null\"],"
        "\"Authorization\":null,\"Log\":[\"journald\"]},\"Debug\":false,"
        "\"OomKillDisable\":false,\"NGoroutines\":0,"
        "\"LoggingDriver\":\"journald\",\"CgroupDriver\":\"systemd\",\"NEventsListener\":0,"
        "\"OSType\":\"linux\",\"IndexServerAddress\":\"https://index.docker.io/v1/\","
        "\"RegistryConfig\":{\"InsecureRegistryCIDRs\":[],\"IndexConfigs\":{},\"Mirrors\":[]},"
        "\"GenericResources\":null,"
        "\"DockerRootDir\":\"" BERTH_STATE_DIR
        "\",\"HttpProxy\":\"\",\"HttpsProxy\":\"\",\"NoProxy\":\"\",\"Labels\":[],"
        "\"ExperimentalBuild\":false,\"ServerVersion\":\"" BERTH_VERSION
        "\",\"DefaultRuntime\":\"berth-runtime\","
        "\"Swarm\":{\"NodeID\":\"\",\"NodeAddr\":\"\",\"LocalNodeState\":\"inactive\","
        "\"ControlAvailable\":false,\"Error\":\"\","
        "\"RemoteManagers\":null},\"LiveRestoreEnabled\":true,"
        "\"Isolation\":\"\",\"InitBinary\":\"\","
        "\"ContainerdCommit\":{\"ID\":\"\"},\"RuncCommit\":{\"ID\":\"berth-runtime " BERTH_VERSION
        "\"},\"InitCommit\":{\"ID\":\"\"},"
        "\"SecurityOptions\":[\"name=seccomp,profile=builtin\",\"name=cgroupns\"],"
        "\"CDISpecDirs\":[],\"DefaultAddressPools\":[]}";

static int put_counts(Manager *m, json_object *o) {
        size_t position = 0, running = 0, paused = 0, total = 0;
        void *value;
        int r;

        while (hashmap_next(m->containers, &position, NULL, &value)) {
                const Container *c = value;

                total++;
                running += c->status == CONTAINER_RUNNING || c->status == CONTAINER_RESTARTING;
                paused += c->status == CONTAINER_PAUSED;
        }
        r = json_set_int(o, "Containers", (int64_t) total);
        if (r >= 0)
                r = json_set_int(o, "ContainersRunning", (int64_t) running);
        if (r >= 0)
                r = json_set_int(o, "ContainersPaused", (int64_t) paused);
        return r < 0 ? r : json_set_int(o, "ContainersStopped", (int64_t) (total - running - paused));
}

static int count_images(Manager *m, json_object *o) {
        _cleanup_image_list_ Image **images = NULL;
        int64_t n = 0;
        int r;

        r = image_list(m->images, &images);
        if (r < 0)
                return r;
        while (images[n])
                n++;
        return json_set_int(o, "Images", n);
}

static bool has_word(const char *text, const char *word) {
        size_t n = strlen(word);

        for (const char *p = strempty(text); *p;) {
                size_t length;

                p += strspn(p, " \n");
                length = strcspn(p, " \n");
                if (length == n && strncmp(p, word, n) == 0)
                        return true;
                p += length;
        }
        return false;
}

/* The unified hierarchy, or where a hybrid host keeps it: there it has no controllers. */
static char *read_controllers(void) {
        char *text = NULL;

        if (read_file_at(AT_FDCWD, "/sys/fs/cgroup/cgroup.controllers", 4096, &text, NULL) < 0)
                (void) read_file_at(AT_FDCWD, "/sys/fs/cgroup/unified/cgroup.controllers", 4096, &text,
                                    NULL);
        return text;
}

static int put_limits(json_object *o) {
        static const struct {
                const char *controller, *fields[3], *warning;
        } table[] = {
                { "memory", { "MemoryLimit", "SwapLimit" }, "WARNING: No memory limit support" },
                { "cpu", { "CpuCfsPeriod", "CpuCfsQuota", "CPUShares" }, "WARNING: No cpu limit support" },
                { "cpuset", { "CPUSet" }, "WARNING: No cpuset support" },
                { "pids", { "PidsLimit" }, "WARNING: No pids limit support" },
                { "io", {}, "WARNING: No blkio limit support" },
        };
        _cleanup_json_ json_object *warnings = json_object_new_array();
        _cleanup_free_ char *controllers = NULL;
        int r;

        if (!warnings)
                return -ENOMEM;
        controllers = read_controllers();
        r = json_set_str(o, "CgroupVersion", "2");
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(table); i++) {
                bool have = has_word(controllers, table[i].controller);

                for (size_t k = 0; r >= 0 && k < ELEMENTSOF(table[i].fields) && table[i].fields[k]; k++)
                        r = json_set_bool(o, table[i].fields[k], have);
                if (r >= 0 && !have)
                        r = json_add_str(warnings, table[i].warning);
        }
        return r < 0 ? r : json_set(o, "Warnings", json_object_get(warnings));
}

/* PRETTY_NAME of os-release, without its quotes. */
static char *operating_system(void) {
        _cleanup_free_ char *text = NULL;
        const char *p, *e;

        if (read_file_at(AT_FDCWD, "/etc/os-release", 64 * 1024, &text, NULL) < 0)
                return strdup("Linux");
        p = startswith(text, "PRETTY_NAME=") ? text : strstr(text, "\nPRETTY_NAME=");
        if (!p)
                return strdup("Linux");
        p = strchr(p, '=') + 1;
        if (*p == '"' || *p == '\'') {
                p++;
                e = strchrnul(p, p[-1]);
        } else
                e = strchrnul(p, '\n');
        return strndup(p, (size_t) (e - p));
}

static int64_t count_fds(void) {
        _cleanup_close_ int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int64_t n = 0;
        DIR *d;

        d = fd >= 0 ? fdopendir(fd) : NULL;
        if (!d)
                return -1;
        fd = -EBADF;
        while (readdir(d))
                n++;
        (void) closedir(d);
        return n - 3; /* . .. and the directory itself */
}

static int put_id(json_object *o) {
        /* Not the machine id itself, which is to be kept private. */
        static const sd_id128_t app = { .bytes = { 0x6b, 0x1c, 0x2e, 0x5f, 0x0d, 0x97, 0x4a, 0x13, 0x8e,
                                                   0x62, 0xb4, 0x3d, 0x70, 0xf9, 0x21, 0xc8 } };
        char text[SD_ID128_UUID_STRING_MAX] = "";
        sd_id128_t id;

        if (sd_id128_get_machine_app_specific(app, &id) >= 0)
                (void) sd_id128_to_uuid_string(id, text);
        return json_set_str(o, "ID", text);
}

static int put_machine(json_object *o) {
        _cleanup_free_ char *os = operating_system(), *forwarding = NULL;
        char at[RFC3339_MAX];
        struct utsname u;
        struct sysinfo si = {};
        int r;

        if (!os)
                return -ENOMEM;
        (void) uname(&u);
        (void) sysinfo(&si);
        format_rfc3339(now_realtime(), at);
        (void) read_file_at(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", 16, &forwarding, NULL);
        r = put_id(o);
        if (r >= 0)
                r = json_set_str(o, "Name", u.nodename);
        if (r >= 0)
                r = json_set_str(o, "KernelVersion", u.release);
        if (r >= 0)
                r = json_set_str(o, "Architecture", u.machine);
        if (r >= 0)
                r = json_set_str(o, "OperatingSystem", os);
        if (r >= 0)
                r = json_set_str(o, "OSVersion", "");
        if (r >= 0)
                r = json_set_str(o, "SystemTime", at);
        if (r >= 0)
                r = json_set_int(o, "NCPU", sysconf(_SC_NPROCESSORS_ONLN));
        if (r >= 0)
                r = json_set_int(o, "MemTotal", (int64_t) si.totalram * si.mem_unit);
        if (r >= 0)
                r = json_set_int(o, "NFd", count_fds());
        return r < 0 ? r : json_set_bool(o, "IPv4Forwarding", forwarding && forwarding[0] == '1');
}

static const char *file_system_name(const char *path) {
        static const struct {
                unsigned long magic;
                const char *name;
        } table[] = {
                { 0xef53, "extfs" },         { 0x58465342, "xfs" },      { 0x9123683e, "btrfs" },
                { 0x01021994, "tmpfs" },     { 0x2fc12fc1, "zfs" },      { 0xf2f52010, "f2fs" },
                { 0x794c7630, "overlayfs" }, { 0xca451a4e, "bcachefs" },
        };
        struct statfs s;

        if (statfs(path, &s) >= 0)
                for (size_t i = 0; i < ELEMENTSOF(table); i++)
                        if ((unsigned long) s.f_type == table[i].magic)
                                return table[i].name;
        return "unknown";
}

static int put_driver_status(json_object *o) {
        _cleanup_json_ json_object *list = json_object_new_array();
        char *pair[] = { (char *) "Backing Filesystem", (char *) file_system_name(BERTH_STATE_DIR), NULL };
        int r;

        if (!list)
                return -ENOMEM;
        r = json_add(list, json_new_strv(pair));
        return r < 0 ? r : json_set(o, "DriverStatus", json_object_get(list));
}

static int add_runtime(json_object *runtimes, const char *name, const char *path) {
        _cleanup_json_ json_object *o = json_object_new_object();
        int r;

        if (access(path, X_OK) < 0)
                return 0;
        if (!o)
                return -ENOMEM;
        r = json_set_str(o, "path", path);
        return r < 0 ? r : json_set(runtimes, name, json_object_get(o));
}

static int put_runtimes(json_object *o) {
        static const char *const peers[] = { "crun", "runc", "youki", "runsc" };
        static const char *const directories[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                                   "/usr/bin" };
        _cleanup_json_ json_object *runtimes = json_object_new_object();
        int r;

        if (!runtimes)
                return -ENOMEM;
        r = add_runtime(runtimes, "berth-runtime", BERTH_BINDIR "/berth-runtime");
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(peers); i++)
                for (size_t k = 0; r >= 0 && k < ELEMENTSOF(directories) && !json_get(runtimes, peers[i]);
                     k++) {
                        _cleanup_free_ char *path = str_concat(directories[k], "/", peers[i]);

                        r = path ? add_runtime(runtimes, peers[i], path) : -ENOMEM;
                }
        return r < 0 ? r : json_set(o, "Runtimes", json_object_get(runtimes));
}

/** system_info_json - Docker's SystemInfo. @ret: a new reference. Return: 0 or -errno. */
int system_info_json(Manager *m, json_object **ret) {
        _cleanup_json_ json_object *o = NULL;
        int r;

        r = json_parse(constant_facts, sizeof(constant_facts) - 1, &o);
        if (r >= 0)
                r = put_counts(m, o);
        if (r >= 0)
                r = count_images(m, o);
        if (r >= 0)
                r = put_limits(o);
        if (r >= 0)
                r = put_machine(o);
        if (r >= 0)
                r = put_driver_status(o);
        if (r >= 0)
                r = put_runtimes(o);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(o);
        return 0;
}
