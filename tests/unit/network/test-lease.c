/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "../../../src/basic/fd.h"
#include "../../../src/basic/file.h"
#include "../../../src/network/lease.h"

typedef struct Fixture {
        char path[64];
        int fd;
        Subnet subnet;
        uint32_t gateway;
} Fixture;

static int setup(void **state) {
        Fixture *f = new0(Fixture, 1);

        assert_non_null(f);
        (void) snprintf(f->path, sizeof(f->path), "/tmp/test-lease.XXXXXX");
        assert_non_null(mkdtemp(f->path));
        f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(f->fd >= 0);
        assert_int_equal(subnet_parse("10.1.2.0/29", &f->subnet), 0);
        f->gateway = f->subnet.base + 1;
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        (void) safe_close(f->fd);
        (void) remove_tree_at(AT_FDCWD, f->path);
        free(f);
        return 0;
}

/* An id of 64 times the same digit, and another one that differs in the last only. */
static const char *id_of(unsigned n) {
        static char id[CONTAINER_ID_LENGTH + 1];

        memset(id, "0123456789abcdef"[n % 16], CONTAINER_ID_LENGTH);
        id[CONTAINER_ID_LENGTH] = 0;
        return id;
}

static void open_table(Fixture *f, LeaseTable *t) {
        assert_int_equal(lease_table_open(f->fd, &f->subnet, f->gateway, t), 0);
}

static void test_lowest_free_and_exhaustion(void **state) {
        _cleanup_lease_table_ LeaseTable t = LEASE_TABLE_INIT;
        Fixture *f = *state;
        Lease *l;

        open_table(f, &t);
        /* Of eight addresses the first, the last and the gateway are never given out. */
        for (unsigned i = 0; i < 5; i++) {
                assert_int_equal(lease_acquire(&t, id_of(i), "n", &l), 1);
                assert_int_equal(l->address, f->subnet.base + 2 + i);
        }
        assert_int_equal(lease_acquire(&t, id_of(5), "n", &l), -EADDRNOTAVAIL);
        lease_release(&t, lease_get(&t, id_of(2)));
        assert_null(lease_get(&t, id_of(2)));
        assert_int_equal(lease_acquire(&t, id_of(5), "n", &l), 1);
        assert_int_equal(l->address, f->subnet.base + 4);
}

static void test_same_container_same_lease(void **state) {
        _cleanup_lease_table_ LeaseTable t = LEASE_TABLE_INIT;
        Lease *a, *b;

        open_table(*state, &t);
        assert_int_equal(lease_acquire(&t, id_of(1), "web", &a), 1);
        assert_int_equal(lease_acquire(&t, id_of(1), "web", &b), 0);
        assert_ptr_equal(a, b);
}

static void test_survives_reopening(void **state) {
        char endpoint[ENDPOINT_LENGTH + 1];
        LeaseTable t = LEASE_TABLE_INIT;
        Lease *l;

        open_table(*state, &t);
        assert_int_equal(lease_acquire(&t, id_of(1), "a\nname=b", &l), 1);
        memcpy(endpoint, l->endpoint, sizeof(endpoint));
        lease_table_done(&t);
        open_table(*state, &t);
        l = lease_get(&t, id_of(1));
        assert_non_null(l);
        assert_string_equal(l->endpoint, endpoint);
        assert_string_equal(l->name, "a\nname=b");
        assert_string_equal(l->link, "ve11111111");
        assert_ptr_equal(lease_by_link(&t, "ve11111111"), l);
        lease_table_done(&t);
}

static void test_bad_files_are_dropped(void **state) {
        _cleanup_lease_table_ LeaseTable t = LEASE_TABLE_INIT;
        static const char *const names[] = { "10.1.2.3", "10.1.2.4", "10.9.9.9", "x" };
        char text[512];
        Fixture *f = *state;
        int n;

        assert_int_equal(write_file_at(f->fd, names[0], "", 0, 0600, 0), 0);
        assert_int_equal(write_file_at(f->fd, names[1], "container=../..\n", 16, 0600, 0), 0);
        n = snprintf(text, sizeof(text), "container=%s\nlink=ve1\nname=\nendpoint=", id_of(3));
        n += snprintf(text + n, sizeof(text) - (size_t) n, "%s\n", id_of(4));
        assert_int_equal(write_file_at(f->fd, names[2], text, (size_t) n, 0600, 0), 0);
        assert_int_equal(write_file_at(f->fd, names[3], text, (size_t) n, 0600, 0), 0);
        open_table(f, &t);
        assert_int_equal(hashmap_size(t.by_id), 0);
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                assert_int_equal(faccessat(f->fd, names[i], F_OK, 0), -1);
}

static void test_file_of_another_holder_wins(void **state) {
        _cleanup_lease_table_ LeaseTable t = LEASE_TABLE_INIT;
        Fixture *f = *state;
        Lease *l;

        open_table(f, &t);
        assert_int_equal(write_file_at(f->fd, "10.1.2.2", "x", 1, 0600, 0), 0);
        assert_int_equal(lease_acquire(&t, id_of(1), "", &l), 1);
        assert_int_equal(l->address, f->subnet.base + 3);
}

static void test_link_names_do_not_collide(void **state) {
        _cleanup_lease_table_ LeaseTable t = LEASE_TABLE_INIT;
        char a[CONTAINER_ID_LENGTH + 1], b[CONTAINER_ID_LENGTH + 1];
        Lease *l;

        open_table(*state, &t);
        memcpy(a, id_of(1), sizeof(a));
        memcpy(b, id_of(2), sizeof(b));
        memcpy(b, a, 8);
        assert_int_equal(lease_acquire(&t, a, "", &l), 1);
        assert_string_equal(l->link, "ve11111111");
        assert_int_equal(lease_acquire(&t, b, "", &l), 1);
        assert_string_equal(l->link, "ve22222222");
}

static void test_sweep(void **state) {
        _cleanup_lease_table_ LeaseTable t = LEASE_TABLE_INIT;
        Fixture *f = *state;
        _cleanup_close_ int containers = -EBADF;
        Lease *l;

        assert_int_equal(mkdirat(f->fd, ".c", 0700), 0);
        containers = openat(f->fd, ".c", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        open_table(f, &t);
        for (unsigned i = 0; i < 4; i++)
                assert_int_equal(lease_acquire(&t, id_of(i), "", &l), 1);
        assert_int_equal(mkdirat(containers, id_of(2), 0700), 0);
        assert_int_equal(lease_sweep(&t, containers), 3);
        assert_non_null(lease_get(&t, id_of(2)));
        assert_int_equal(hashmap_size(t.by_id), 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_lowest_free_and_exhaustion, setup, teardown),
                cmocka_unit_test_setup_teardown(test_same_container_same_lease, setup, teardown),
                cmocka_unit_test_setup_teardown(test_survives_reopening, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bad_files_are_dropped, setup, teardown),
                cmocka_unit_test_setup_teardown(test_file_of_another_holder_wins, setup, teardown),
                cmocka_unit_test_setup_teardown(test_link_names_do_not_collide, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sweep, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
