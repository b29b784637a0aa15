/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include "../../../src/network/server.h"

typedef struct Fixture {
        sd_event *event;
        Server *server;
        char path[64];
        unsigned requests, idle;
} Fixture;

static int answer(const Message *request, Buffer *reply, int *ret_fd, void *userdata) {
        Fixture *f = userdata;

        f->requests++;
        if (streq(message_verb(request), "drop"))
                return -ECONNRESET;
        if (streq(message_verb(request), "fd"))
                *ret_fd = dup(STDOUT_FILENO);
        assert_int_equal(message_put_reply(reply, fields_get(&request->fields, "seq"), 0, NULL), 0);
        for (unsigned i = 0; streq(message_verb(request), "big") && i < 30; i++)
                assert_int_equal(fields_putf(reply, '\n', "filler", "%01000u", i), 0);
        return 0;
}

static void on_idle(void *userdata) {
        ((Fixture *) userdata)->idle++;
}

static int setup(void **state) {
        Fixture *f = new0(Fixture, 1);
        int fd;

        if (getuid() != 0) {
                *state = NULL;
                free(f);
                return 0;
        }
        (void) snprintf(f->path, sizeof(f->path), "/tmp/test-server-%d.sock", (int) getpid());
        assert_int_equal(sd_event_new(&f->event), 0);
        fd = message_listen(f->path, 0600);
        assert_true(fd >= 0);
        assert_int_equal(server_new(f->event, fd, answer, f, &f->server), 0);
        server_set_idle_handler(f->server, on_idle);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        if (!f)
                return 0;
        server_free(f->server);
        sd_event_unref(f->event);
        (void) unlink(f->path);
        free(f);
        return 0;
}

static void turn(Fixture *f) {
        while (sd_event_run(f->event, 0) > 0)
                ;
}

static int request(int fd, const char *text) {
        Buffer b = { .data = (char *) text, .size = strlen(text) };

        return message_send(fd, &b, NULL, 0);
}

static void test_replies_and_descriptors(void **state) {
        _cleanup_message_ Message m = MESSAGE_INIT;
        Fixture *f = *state;
        int fd;

        if (!f)
                skip();
        fd = message_connect(f->path, true);
        assert_true(fd >= 0);
        assert_int_equal(request(fd, "verb=fd\nseq=9\n"), 0);
        turn(f);
        assert_int_equal(message_receive(fd, &m), 1);
        assert_string_equal(fields_get(&m.fields, "seq"), "9");
        assert_int_equal(m.n_fds, 1);
        (void) safe_close(fd);
        turn(f);
        assert_int_equal(server_connections(f->server), 0);
        assert_int_equal(f->idle, 1);
}

static void test_bad_clients_are_dropped(void **state) {
        static const char *const bad[] = { "x", "verb=drop\n", "=\n" };
        Fixture *f = *state;

        if (!f)
                skip();
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                Message m = MESSAGE_INIT;
                int fd = message_connect(f->path, true);

                assert_true(fd >= 0);
                assert_int_equal(request(fd, bad[i]), 0);
                turn(f);
                assert_int_equal(message_receive(fd, &m), 0);
                (void) safe_close(fd);
        }
        assert_int_equal(server_connections(f->server), 0);
}

static void test_one_reply_waits_at_most(void **state) {
        Fixture *f = *state;
        unsigned sent = 0, answered = 0;
        int fd, r;

        if (!f)
                skip();
        fd = message_connect(f->path, true);
        assert_true(fd >= 0);
        for (unsigned i = 0; i < 2000; i++) {
                r = request(fd, "verb=big\nseq=1\n");
                if (r == -EAGAIN)
                        break;
                assert_int_equal(r, 0);
                sent++;
                turn(f);
        }
        /* The client's requests pile up in the socket, not in the server. */
        assert_true(f->requests < sent);
        for (;;) {
                _cleanup_message_ Message m = MESSAGE_INIT;

                turn(f);
                r = message_receive(fd, &m);
                if (r <= 0)
                        break;
                answered++;
        }
        assert_int_equal(r, -EAGAIN);
        assert_int_equal(answered, sent);
        (void) safe_close(fd);
        turn(f);
        assert_int_equal(server_connections(f->server), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_replies_and_descriptors, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bad_clients_are_dropped, setup, teardown),
                cmocka_unit_test_setup_teardown(test_one_reply_waits_at_most, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
