/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "../basic/log.h"
#include "../basic/str.h"
#include "../shared/message.h"
#include "../shared/paths.h"
#include "daemon.h"

/*
 * Long enough that somebody who tries things out does not wait for us to start and load the rules each time.
 */
#define IDLE_SEC 600

static int usage(void) {
        printf("Usage: berth-netd [--networks=DIR] [--containers=DIR] [--rules=FILE] [--listen=SOCKET]\n"
               "                   [--idle-timeout=SEC]\n\n"
               "Networks of berth's containers. Started by systemd through berth-netd.socket; see berth-netd(8).\n\n"
               "  --networks=DIR    network descriptions and leases [%s]\n"
               "  --containers=DIR  where containers live [%s]\n"
               "  --rules=FILE      packet filter rules [%s]\n"
               "  --listen=SOCKET   listen here if systemd passed no socket\n"
               "  --idle-timeout=SEC  leave after this long without containers [%d]\n"
               "  --version         print the version\n",
               BERTH_NETWORKS_DIR, BERTH_CONTAINERS_DIR, BERTH_DATA_DIR "/berth.nft", IDLE_SEC);
        return EXIT_SUCCESS;
}

static int get_listen_fd(const char *path) {
        int n = sd_listen_fds(1);

        if (n < 0)
                return n;
        if (n >= 1)
                return SD_LISTEN_FDS_START;
        return path ? message_listen(path, 0600) : -ENOTCONN;
}

int main(int argc, char *argv[]) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'V' },
                { "networks", required_argument, NULL, 'n' },
                { "containers", required_argument, NULL, 'c' },
                { "rules", required_argument, NULL, 'r' },
                { "listen", required_argument, NULL, 'l' },
                { "idle-timeout", required_argument, NULL, 'i' },
                {},
        };
        DaemonOptions o = { .networks = BERTH_NETWORKS_DIR,
                            .containers = BERTH_CONTAINERS_DIR,
                            .rules = BERTH_DATA_DIR "/berth.nft" };
        const char *listen_path = NULL;
        uint64_t idle = IDLE_SEC;
        int c, fd;

        log_set_identifier("berth-netd");
        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'h': return usage();
                case 'V': puts("berth " BERTH_VERSION); return EXIT_SUCCESS;
                case 'n': o.networks = optarg; break;
                case 'c': o.containers = optarg; break;
                case 'r': o.rules = optarg; break;
                case 'l': listen_path = optarg; break;
                case 'i':
                        if (parse_u64(optarg, 1000000, &idle) < 0) {
                                log_error("--idle-timeout=%s is no number of seconds.", optarg);
                                return EXIT_FAILURE;
                        }
                        break;
                default: return EXIT_FAILURE;
                }
        if (optind < argc) {
                log_error("Unexpected argument: %s", argv[optind]);
                return EXIT_FAILURE;
        }
        o.idle_timeout = idle * USEC_PER_SEC;
        fd = get_listen_fd(listen_path);
        if (fd < 0) {
                (void) log_error_errno(fd, "No socket: start berth-netd.socket, or use --listen=: %m");
                return EXIT_FAILURE;
        }
        return daemon_run(fd, &o) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
