/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "../basic/log.h"
#include "../basic/str.h"
#include "dbus/dbus.h"
#include "http-server.h"
#include "manager.h"
#include "skins.h"
#include "system-http.h"

#define IDLE_TIMEOUT_DEFAULT (60 * USEC_PER_SEC)

static int help(void) {
        printf("berthd [OPTIONS...]\n\n"
               "The engine of berth: Docker Engine API and D-Bus over the containers of this host.\n"
               "It is started by berth.socket or by the bus name org.berth1; see berthd(8).\n\n"
               "  -h --help              Show this help\n"
               "     --version           Show the version\n"
               "     --idle-timeout=SEC  Leave after this many seconds without work (default 60; 0: never)\n"
               "     --debug             Log more\n");
        return 0;
}

/* Return: 1 to go on, 0 when all is said, -errno. */
static int parse_argv(int argc, char *argv[], usec_t *ret_idle) {
        enum { ARG_VERSION = 0x100, ARG_IDLE, ARG_DEBUG };
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, ARG_VERSION },
                { "idle-timeout", required_argument, NULL, ARG_IDLE },
                { "debug", no_argument, NULL, ARG_DEBUG },
                {},
        };
        uint64_t seconds;
        int o;

        while ((o = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (o) {
                case 'h':
                        return help();
                case ARG_VERSION:
                        puts("berthd " BERTH_VERSION);
                        return 0;
                case ARG_IDLE:
                        if (parse_u64(optarg, 1000000, &seconds) < 0)
                                return log_error_errno(EINVAL, "--idle-timeout=%s is no number of seconds",
                                                       optarg);
                        *ret_idle = seconds > 0 ? seconds * USEC_PER_SEC : USEC_INFINITY;
                        break;
                case ARG_DEBUG:
                        log_set_max_level(LOG_DEBUG);
                        break;
                default:
                        return -EINVAL;
                }
        if (optind < argc)
                return log_error_errno(EINVAL, "unexpected argument: %s", argv[optind]);
        return 1;
}

static int serve(Manager *m) {
        int n, r;

        n = sd_listen_fds(true);
        if (n != 1 || sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 1, NULL, 0) <= 0)
                return log_error_errno(
                                EINVAL,
                                "berthd needs its listening socket from berth.socket; use systemctl start berth.socket");
        r = http_server_new(m, SD_LISTEN_FDS_START, &m->http);
        if (r >= 0)
                r = container_http_register(m);
        if (r >= 0)
                r = attach_http_register(m);
        if (r >= 0)
                r = exec_http_register(m);
        if (r >= 0)
                r = logs_http_register(m);
        if (r >= 0)
                r = image_http_register(m);
        if (r >= 0)
                r = system_http_register(m);
        if (r >= 0)
                r = unsupported_http_register(m);
        return r < 0 ? log_error_errno(r, "Cannot serve the API: %m") : 0;
}

static int run(int argc, char *argv[]) {
        _cleanup_(manager_freep) Manager *m = NULL;
        usec_t idle = IDLE_TIMEOUT_DEFAULT;
        sigset_t mask;
        int r;

        r = parse_argv(argc, argv, &idle);
        if (r <= 0)
                return r;
        (void) umask(0022);
        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigaddset(&mask, SIGINT);
        (void) sigaddset(&mask, SIGCHLD);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);
        (void) signal(SIGPIPE, SIG_IGN);
        r = manager_new(&m);
        if (r >= 0)
                r = sd_event_add_signal(m->event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(m->event, NULL, SIGINT, NULL, NULL);
        if (r < 0)
                return log_error_errno(r, "Cannot set up: %m");
        r = manager_startup(m);
        if (r >= 0)
                r = serve(m);
        if (r < 0)
                return r;
        r = dbus_init(m);
        if (r < 0)
                return log_error_errno(r, "Cannot offer org.berth1 on the bus: %m");
        m->idle_timeout = idle;
        manager_hold(m);
        manager_release(m); /* starts the idle clock */
        (void) sd_notify(0, "READY=1");
        r = sd_event_loop(m->event);
        (void) sd_notify(0, "STOPPING=1");
        dbus_done(m);
        return r;
}

int main(int argc, char *argv[]) {
        log_set_identifier("berthd");
        return run(argc, argv) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
