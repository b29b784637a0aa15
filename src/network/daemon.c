/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon.h"

#include <signal.h>
#include <systemd/sd-daemon.h>

#include "../basic/clock.h"
#include "../basic/log.h"
#include "link.h"
#include "netd.h"
#include "server.h"

/*
 * The event loop around netd.c: clients, interfaces that go, packet filter rules that go, and the two clocks
 * (leave when idle, remove what a detached container left).
 */
#define REAP_USEC (1 * USEC_PER_SEC)

typedef struct Daemon {
        Netd netd;
        Server *server;
        sd_event *event;
        sd_event_source *idle_timer;
        sd_event_source *reap_timer;
        sd_event_source *rules_source;
        sd_event_source *links_source;
        struct mnl_socket *rules_watch;
        Rtnl links_watch;
        usec_t idle_timeout;
} Daemon;

static int on_idle_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Daemon *d = userdata;

        if (server_connections(d->server) > 0 || !netd_is_idle(&d->netd))
                return 0;
        log_debug("Idle, leaving.");
        return sd_event_exit(d->event, 0);
}

static void arm(sd_event_source *timer, usec_t usec) {
        int r;

        r = sd_event_source_set_time_relative(timer, usec);
        if (r >= 0)
                r = sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
        if (r < 0)
                log_warning_errno(r, "Failed to set a timer: %m");
}

static void on_idle(void *userdata) {
        Daemon *d = userdata;

        if (server_connections(d->server) == 0 && netd_is_idle(&d->netd))
                arm(d->idle_timer, d->idle_timeout);
}

static void arm_reaper(Daemon *d) {
        int enabled;

        if (d->netd.leaving && sd_event_source_get_enabled(d->reap_timer, &enabled) >= 0 &&
            enabled == SD_EVENT_OFF)
                arm(d->reap_timer, REAP_USEC);
}

static int on_reap_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Daemon *d = userdata;

        netd_reap(&d->netd);
        arm_reaper(d);
        on_idle(d);
        return 0;
}

static void link_gone(const char *name, unsigned master, void *userdata) {
        netd_link_gone(userdata, name);
}

static int on_links_changed(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Daemon *d = userdata;

        if (link_watch_read(&d->links_watch, link_gone, &d->netd) < 0)
                netd_check_links(&d->netd);
        on_idle(d);
        return 0;
}

static int on_rules_changed(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Daemon *d = userdata;

        if (firewall_watch_read(d->rules_watch) == 0 || !d->netd.ready || d->netd.firewall.owned)
                return 0;
        if (firewall_is_loaded(&d->netd.firewall) != 0)
                return 0;
        log_notice("Somebody removed the packet filter rules of the containers, restoring them.");
        (void) netd_restore(&d->netd);
        return 0;
}

static int on_request(const Message *request, Buffer *reply, int *ret_fd, void *userdata) {
        Daemon *d = userdata;
        int r;

        r = netd_handle(&d->netd, request, reply, ret_fd);
        arm_reaper(d);
        return r;
}

static int add_sources(Daemon *d) {
        int r;

        r = sd_event_add_signal(d->event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(d->event, NULL, SIGINT, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_time_relative(d->event, &d->idle_timer, CLOCK_MONOTONIC, d->idle_timeout,
                                               USEC_PER_SEC, on_idle_timer, d);
        if (r >= 0)
                r = sd_event_add_time_relative(d->event, &d->reap_timer, CLOCK_MONOTONIC, 0, 0,
                                               on_reap_timer, d);
        if (r >= 0)
                r = sd_event_source_set_enabled(d->reap_timer, SD_EVENT_OFF);
        if (r >= 0)
                r = firewall_watch_open(&d->rules_watch);
        if (r >= 0)
                r = sd_event_add_io(d->event, &d->rules_source, mnl_socket_get_fd(d->rules_watch), EPOLLIN,
                                    on_rules_changed, d);
        if (r >= 0)
                r = link_watch_open(&d->links_watch);
        if (r >= 0)
                r = sd_event_add_io(d->event, &d->links_source, mnl_socket_get_fd(d->links_watch.socket),
                                    EPOLLIN, on_links_changed, d);
        return r;
}

static int daemon_start(Daemon *d, int listen_fd) {
        sigset_t mask;
        int r;

        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigaddset(&mask, SIGINT);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return log_error_errno(-errno, "Failed to block signals: %m");
        r = sd_event_default(&d->event);
        if (r >= 0)
                r = add_sources(d);
        if (r >= 0)
                r = server_new(d->event, listen_fd, on_request, d, &d->server);
        if (r < 0)
                return log_error_errno(r, "Failed to set the event loop up: %m");
        server_set_idle_handler(d->server, on_idle);
        (void) sd_event_set_watchdog(d->event, true);
        return 0;
}

static void daemon_done(Daemon *d) {
        server_free(d->server);
        (void) sd_event_source_disable_unref(d->idle_timer);
        (void) sd_event_source_disable_unref(d->reap_timer);
        (void) sd_event_source_disable_unref(d->rules_source);
        (void) sd_event_source_disable_unref(d->links_source);
        if (d->rules_watch)
                (void) mnl_socket_close(d->rules_watch);
        rtnl_close(&d->links_watch);
        sd_event_unref(d->event);
        netd_close(&d->netd);
}

/**
 * daemon_run - serve until a signal or idleness ends it.
 * @listen_fd: consumed.
 *
 * Return: 0 or -errno; failures are logged.
 */
int daemon_run(int listen_fd, const DaemonOptions *o) {
        Daemon d = { .netd = NETD_INIT, .idle_timeout = o->idle_timeout };
        int r;

        /*
         * In this order: an interface that goes while netd_open() looks at them all is reported afterwards.
         */
        r = daemon_start(&d, listen_fd);
        if (r >= 0)
                r = netd_open(&d.netd, o->networks, o->containers, o->rules);
        if (r >= 0) {
                /* A failure here concerns the containers of before; new ones get an error of their own. */
                (void) netd_restore(&d.netd);
                (void) sd_notify(0, "READY=1");
                r = sd_event_loop(d.event);
                (void) sd_notify(0, "STOPPING=1");
        }
        daemon_done(&d);
        return r;
}
