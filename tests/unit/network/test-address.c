/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <arpa/inet.h>

#include "../../../src/network/address.h"

static void test_subnet_text(void **state) {
        static const char *const bad[] = { "",
                                           "172.17.0.0",
                                           "172.17.0.1/16",
                                           "172.17.0.0/33",
                                           "172.17.0/16",
                                           "a/8",
                                           "172.17.0.0/",
                                           "172.17.0.0/-1",
                                           "172.17.0.0/16 ",
                                           "::/0",
                                           "172.17.0.0/000000000000000000016" };
        char text[SUBNET_TEXT_MAX];
        Subnet s;

        assert_int_equal(subnet_parse("172.17.0.0/16", &s), 0);
        subnet_format(&s, text);
        assert_string_equal(text, "172.17.0.0/16");
        assert_int_equal(subnet_parse("0.0.0.0/0", &s), 0);
        assert_int_equal(subnet_parse("255.255.255.255/32", &s), 0);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(subnet_parse(bad[i], &s), -EINVAL);
}

static bool overlap(const char *a, const char *b) {
        Subnet x, y;

        assert_int_equal(subnet_parse(a, &x), 0);
        assert_int_equal(subnet_parse(b, &y), 0);
        assert_int_equal(subnet_overlaps(&x, &y), subnet_overlaps(&y, &x));
        return subnet_overlaps(&x, &y);
}

static void test_overlap(void **state) {
        assert_true(overlap("172.17.0.0/16", "172.17.3.4/30"));
        assert_true(overlap("172.17.0.0/16", "172.16.0.0/12"));
        assert_true(overlap("172.17.0.0/16", "172.17.0.0/16"));
        assert_true(overlap("10.0.0.1/32", "0.0.0.0/0"));
        assert_false(overlap("172.17.0.0/16", "172.18.0.0/16"));
        assert_false(overlap("192.168.16.0/20", "192.168.32.0/24"));
}

static void test_candidates_are_apart(void **state) {
        char text[SUBNET_TEXT_MAX];
        Subnet a, b;
        size_t n = 0;

        for (size_t i = 0; subnet_candidate(i, &a); i++, n++)
                for (size_t j = 0; j < i; j++) {
                        assert_true(subnet_candidate(j, &b));
                        assert_false(subnet_overlaps(&a, &b));
                }
        assert_int_equal(n, 31);
        assert_true(subnet_candidate(0, &a));
        subnet_format(&a, text);
        assert_string_equal(text, "172.17.0.0/16");
        assert_true(subnet_candidate(30, &a));
        subnet_format(&a, text);
        assert_string_equal(text, "192.168.240.0/20");
}

static void test_mac_follows_the_address(void **state) {
        uint8_t mac[MAC_SIZE];
        char text[MAC_TEXT_MAX];
        uint32_t a;

        assert_int_equal(address_parse("172.17.0.2", &a), 0);
        address_to_mac(a, mac);
        mac_format(mac, text);
        assert_string_equal(text, "02:42:ac:11:00:02");
}

static void test_ipv6(void **state) {
        struct in6_addr prefix, other, a;
        char text[INET6_ADDRSTRLEN];

        assert_int_equal(prefix6_random(&prefix), 0);
        assert_int_equal(prefix6_random(&other), 0);
        assert_int_equal(prefix.s6_addr[0], 0xfd);
        assert_memory_not_equal(&prefix, &other, sizeof(prefix));
        assert_int_equal(inet_pton(AF_INET6, "fd00:1:2:3::", &prefix), 1);
        prefix6_address(&prefix, 0xac110002, &a);
        assert_non_null(inet_ntop(AF_INET6, &a, text, sizeof(text)));
        assert_string_equal(text, "fd00:1:2:3::ac11:2");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_subnet_text),
                cmocka_unit_test(test_overlap),
                cmocka_unit_test(test_candidates_are_apart),
                cmocka_unit_test(test_mac_follows_the_address),
                cmocka_unit_test(test_ipv6),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
