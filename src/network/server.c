/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include "../basic/log.h"

#define CONNECTIONS_MAX 512

typedef struct Connection Connection;

struct Connection {
        Server *server;
        Connection *next, **link;
        sd_event_source *source;
        int fd;
        Buffer reply; /* not empty: waits for the client to take it */
        int reply_fd;
};

struct Server {
        sd_event *event;
        sd_event_source *source;
        int fd;
        ServerHandler handler;
        ServerIdleHandler idle;
        void *userdata;
        Connection *connections;
        size_t n_connections;
};

static void connection_free(Connection *c) {
        Server *s = c->server;

        *c->link = c->next;
        if (c->next)
                c->next->link = c->link;
        s->n_connections--;
        (void) sd_event_source_disable_unref(c->source);
        (void) safe_close(c->fd);
        (void) safe_close(c->reply_fd);
        buffer_done(&c->reply);
        free(c);
}

static void connection_drop(Connection *c) {
        Server *s = c->server;

        connection_free(c);
        if (s->n_connections == 0 && s->idle)
                s->idle(s->userdata);
}

/* Return: 0 when the reply has left or waits for room, -errno if the client is to be dropped. */
static int flush_reply(Connection *c) {
        int r;

        r = message_send(c->fd, &c->reply, &c->reply_fd, c->reply_fd >= 0 ? 1 : 0);
        if (r == -EAGAIN)
                return sd_event_source_set_io_events(c->source, EPOLLOUT);
        if (r < 0)
                return r;
        c->reply_fd = safe_close(c->reply_fd);
        buffer_done(&c->reply);
        c->reply = BUFFER_INIT(FIELDS_TEXT_MAX);
        return sd_event_source_set_io_events(c->source, EPOLLIN);
}

static int serve_one(Connection *c) {
        _cleanup_message_ Message m = MESSAGE_INIT;
        int r;

        r = message_receive(c->fd, &m);
        if (r == -EAGAIN)
                return 0;
        if (r == 0)
                return -ECONNRESET;
        if (r < 0)
                return r;
        r = c->server->handler(&m, &c->reply, &c->reply_fd, c->server->userdata);
        if (r < 0)
                return r;
        return flush_reply(c);
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Connection *c = userdata;
        int r = 0;

        if (events & EPOLLOUT)
                r = flush_reply(c);
        else if (events & EPOLLIN)
                r = serve_one(c);
        else if (events & (EPOLLHUP | EPOLLERR))
                r = -ECONNRESET;
        if (r < 0) {
                if (r != -ECONNRESET && r != -EPIPE)
                        log_warning_errno(r, "Dropping a client: %m");
                connection_drop(c);
        }
        return 0;
}

static int connection_new(Server *s, int fd) {
        Connection *c = new0(Connection, 1);
        int r;

        if (!c) {
                (void) safe_close(fd);
                return -ENOMEM;
        }
        *c = (Connection){
                .server = s, .fd = fd, .reply = BUFFER_INIT(FIELDS_TEXT_MAX), .reply_fd = -EBADF
        };
        c->next = s->connections;
        c->link = &s->connections;
        if (c->next)
                c->next->link = &c->next;
        s->connections = c;
        s->n_connections++;
        r = sd_event_add_io(s->event, &c->source, fd, EPOLLIN, on_connection, c);
        if (r < 0)
                connection_free(c);
        return r;
}

static int on_listen(sd_event_source *source, int listen_fd, uint32_t events, void *userdata) {
        Server *s = userdata;
        struct ucred peer = {};
        socklen_t size = sizeof(peer);
        int fd, r;

        fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
                if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                        log_warning_errno(-errno, "Failed to accept a client: %m");
                return 0;
        }
        /* The mode of the socket says so already; a namespace descriptor is worth a second look. */
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != 0 ||
            s->n_connections >= CONNECTIONS_MAX) {
                log_warning("Refusing a client (uid %u, %zu connections).", (unsigned) peer.uid,
                            s->n_connections);
                (void) safe_close(fd);
                return 0;
        }
        r = connection_new(s, fd);
        if (r < 0)
                log_warning_errno(r, "Failed to serve a client: %m");
        return 0;
}

/**
 * server_new - serve @listen_fd (consumed on success) on @event.
 * @handler: called for each request with @userdata.
 */
int server_new(sd_event *event, int listen_fd, ServerHandler handler, void *userdata, Server **ret) {
        Server *s = new0(Server, 1);
        int r;

        if (!s)
                return -ENOMEM;
        *s = (Server){
                .event = sd_event_ref(event), .fd = -EBADF, .handler = handler, .userdata = userdata
        };
        r = fd_set_nonblock(listen_fd, true);
        if (r >= 0)
                r = sd_event_add_io(event, &s->source, listen_fd, EPOLLIN, on_listen, s);
        if (r < 0) {
                server_free(s);
                return r;
        }
        s->fd = listen_fd;
        *ret = s;
        return 0;
}

/** server_free - drop all clients and close the socket. Return: NULL. */
Server *server_free(Server *s) {
        if (!s)
                return NULL;
        while (s->connections)
                connection_free(s->connections);
        (void) sd_event_source_disable_unref(s->source);
        (void) safe_close(s->fd);
        sd_event_unref(s->event);
        return mfree(s);
}

/**
 * server_set_idle_handler - @handler is called with the server's userdata whenever the last client has gone.
 */
void server_set_idle_handler(Server *s, ServerIdleHandler handler) {
        s->idle = handler;
}

/** server_connections - how many clients there are. */
size_t server_connections(const Server *s) {
        return s->n_connections;
}
