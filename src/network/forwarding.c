/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "forwarding.h"

#include <dirent.h>
#include <fcntl.h>

#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/log.h"
#include "../basic/str.h"

#define SYSCTL_IPV4_FORWARD "/proc/sys/net/ipv4/ip_forward"
#define SYSCTL_IPV6_CONF    "/proc/sys/net/ipv6/conf"

static int read_number_at(int dir_fd, const char *path, uint64_t *ret) {
        _cleanup_free_ char *text = NULL;
        int r = read_file_at(dir_fd, path, 64, &text, NULL);

        if (r < 0)
                return r;
        text[strcspn(text, "\n")] = 0;
        return parse_u64(text, UINT32_MAX, ret);
}

/**
 * forwarding_enable_ipv4 - make the host route IPv4, without which a container reaches no further than its
 * bridge.
 */
int forwarding_enable_ipv4(void) {
        uint64_t on;
        int r;

        r = read_number_at(AT_FDCWD, SYSCTL_IPV4_FORWARD, &on);
        if (r < 0 || on != 0)
                return r;
        r = write_string_at(AT_FDCWD, SYSCTL_IPV4_FORWARD, "1");
        if (r >= 0)
                log_notice("Switched net.ipv4.ip_forward on for the first container on a bridge network.");
        return r;
}

/*
 * A kernel that forwards IPv6 ignores router advertisements on interfaces with accept_ra=1: the host would
 * lose its own default route. With 2 it keeps listening.
 */
static int keep_listening_to_routers(int conf_fd) {
        _cleanup_close_ int fd = openat(conf_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent *de;
        DIR *d;

        if (fd < 0)
                return negative_errno();
        d = fdopendir(fd);
        if (!d)
                return negative_errno();
        TAKE_FD(fd);
        while ((de = readdir(d))) {
                _cleanup_free_ char *path = NULL;
                uint64_t value;

                if (de->d_name[0] == '.' || streq(de->d_name, "all"))
                        continue;
                path = str_concat(de->d_name, "/accept_ra");
                if (!path) {
                        (void) closedir(d);
                        return -ENOMEM;
                }
                if (read_number_at(conf_fd, path, &value) >= 0 && value == 1)
                        (void) write_string_at(conf_fd, path, "2");
        }
        (void) closedir(d);
        return 0;
}

/** forwarding_enable_ipv6 - the same for IPv6. Return: 0, -EOPNOTSUPP if the host has no IPv6, -errno. */
int forwarding_enable_ipv6(void) {
        _cleanup_close_ int fd = open(SYSCTL_IPV6_CONF, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        uint64_t on, off;
        int r;

        if (fd < 0)
                return -EOPNOTSUPP;
        if (read_number_at(fd, "default/disable_ipv6", &off) >= 0 && off != 0)
                return -EOPNOTSUPP;
        r = read_number_at(fd, "all/forwarding", &on);
        if (r < 0 || on != 0)
                return r;
        r = keep_listening_to_routers(fd);
        if (r >= 0)
                r = write_string_at(fd, "all/forwarding", "1");
        if (r >= 0)
                log_notice("Switched net.ipv6.conf.all.forwarding on for the first container on a bridge network.");
        return r;
}
