/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include "runtime/error.h"
#include "runtime/cgroup/resources.h"

typedef struct Parsed {
        json_object *json;
        Resources r;
} Parsed;

static int parse_version(const char *text, const char *oci_version, Parsed *p) {
        *p = (Parsed) { .r = RESOURCES_INIT };
        assert_int_equal(json_parse(text, strlen(text), &p->json), 0);
        return resources_parse(p->json, oci_version, &p->r);
}

static void parsed_done(Parsed *p) {
        resources_done(&p->r);
        json_object_put(p->json);
}

#define PARSED(text)                                                    \
        _cleanup_(parsed_done) Parsed p = {};                           \
        if (parse_version(text, "1.2.0", &p) < 0)                       \
                fail_msg("%s", fail_message())

static void refused(const char *text, int error, const char *message) {
        _cleanup_(parsed_done) Parsed p = {};
        int r = parse_version(text, "1.2.0", &p);

        if (r != -error || !strstr(fail_message(), message))
                fail_msg("%s: %d \"%s\", expected %d \"%s\"", text, r, fail_message(), -error, message);
}

static void test_nothing(void **state) {
        PARSED("{}");

        assert_int_equal(p.r.memory_max, RESOURCE_UNSET);
        assert_int_equal(p.r.cpu_idle, RESOURCE_UNSET);
        assert_int_equal(p.r.pids_max, RESOURCE_UNSET);
        assert_null(p.r.unified);
        assert_int_equal(resources_parse(NULL, NULL, &p.r), 0);
}

static void test_memory(void **state) {
        {
                PARSED("{\"memory\":{\"limit\":100,\"swap\":150,\"reservation\":50,\"checkBeforeUpdate\":true}}");
                assert_int_equal(p.r.memory_max, 100);
                assert_int_equal(p.r.memory_swap_max, 50);
                assert_int_equal(p.r.memory_swap_total, 150);
                assert_int_equal(p.r.memory_low, 50);
                assert_true(p.r.memory_check);
        }
        {
                /* The same value for both: no swap. */
                PARSED("{\"memory\":{\"limit\":100,\"swap\":100}}");
                assert_int_equal(p.r.memory_swap_max, 0);
        }
        {
                PARSED("{\"memory\":{\"limit\":100,\"swap\":-1,\"reservation\":-1}}");
                assert_int_equal(p.r.memory_swap_max, RESOURCE_MAX);
                assert_int_equal(p.r.memory_low, RESOURCE_MAX);
        }
        {
                /* Zero is "not given". */
                PARSED("{\"memory\":{\"limit\":100,\"swap\":0,\"kernel\":0}}");
                assert_int_equal(p.r.memory_swap_max, RESOURCE_UNSET);
        }
        {
                PARSED("{\"memory\":{\"swap\":-1}}");
                assert_int_equal(p.r.memory_max, RESOURCE_UNSET);
                assert_int_equal(p.r.memory_swap_max, RESOURCE_MAX);
        }
        {
                PARSED("{\"memory\":{\"limit\":-1}}");
                assert_int_equal(p.r.memory_max, RESOURCE_MAX);
                assert_int_equal(p.r.memory_swap_max, RESOURCE_MAX);
        }
        {
                PARSED("{\"memory\":{\"limit\":9223372036854775807,\"disableOOMKiller\":false}}");
                assert_int_equal(p.r.memory_max, INT64_MAX);
        }
        refused("{\"memory\":{\"swap\":100}}", EINVAL, "without memory limit");
        refused("{\"memory\":{\"limit\":-1,\"swap\":100}}", EINVAL, "without memory limit");
        refused("{\"memory\":{\"limit\":101,\"swap\":100}}", EINVAL, "memory.swap");
        refused("{\"memory\":{\"limit\":-2}}", EINVAL, "memory.limit");
        refused("{\"memory\":{\"limit\":\"1\"}}", EINVAL, "memory.limit");
        refused("{\"memory\":{\"swappiness\":60}}", EOPNOTSUPP, "memory.swappiness");
        refused("{\"memory\":{\"disableOOMKiller\":true}}", EOPNOTSUPP, "memory.disableOOMKiller");
        refused("{\"memory\":7}", EINVAL, "memory");
}

static void test_weights(void **state) {
        static const struct {
                int64_t shares, weight;
        } cases[] = { { 1, 1 },      { 2, 1 },      { 3, 2 },        { 100, 17 },       { 512, 59 },
                      { 1024, 100 }, { 2048, 174 }, { 10000, 627 },  { 262143, 10000 }, { 262144, 10000 },
                      { INT64_MAX, 10000 } };
        int64_t last = 0;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_int_equal(resources_shares_to_weight(cases[i].shares), cases[i].weight);
        for (int64_t s = 0; s <= 262144; s += 7) {
                int64_t w = resources_shares_to_weight(s);

                assert_true(w >= last && w >= 1 && w <= 10000);
                last = w;
        }
        assert_int_equal(resources_blkio_to_weight(10), 1);
        assert_int_equal(resources_blkio_to_weight(750), 7475);
        assert_int_equal(resources_blkio_to_weight(1000), 10000);
}

static void test_cpu(void **state) {
        {
                PARSED("{\"cpu\":{\"shares\":1024,\"quota\":-1,\"period\":5000,\"burst\":0,\"idle\":1,"
                       "\"cpus\":\"0-1,3\",\"mems\":\"0\"}}");
                assert_int_equal(p.r.cpu_weight, 100);
                assert_int_equal(p.r.cpu_quota, RESOURCE_MAX);
                assert_int_equal(p.r.cpu_period, 5000);
                assert_int_equal(p.r.cpu_burst, 0);
                assert_int_equal(p.r.cpu_idle, 1);
                assert_string_equal(p.r.cpus, "0-1,3");
                assert_string_equal(p.r.mems, "0");
        }
        {
                PARSED("{\"cpu\":{\"shares\":0,\"quota\":0,\"cpus\":\"\",\"realtimeRuntime\":0}}");
                assert_int_equal(p.r.cpu_weight, RESOURCE_UNSET);
                assert_int_equal(p.r.cpu_quota, RESOURCE_UNSET);
                assert_int_equal(p.r.cpu_period, RESOURCE_UNSET);
                assert_int_equal(p.r.cpu_burst, RESOURCE_UNSET);
                assert_null(p.r.cpus);
        }
        refused("{\"cpu\":{\"realtimeRuntime\":950000}}", EOPNOTSUPP, "cpu.realtimeRuntime");
        refused("{\"cpu\":{\"realtimePeriod\":1}}", EOPNOTSUPP, "cpu.realtimePeriod");
        refused("{\"cpu\":{\"idle\":2}}", EINVAL, "cpu.idle");
        refused("{\"cpu\":{\"cpus\":\"a\"}}", EINVAL, "cpu.cpus");
        refused("{\"cpu\":{\"shares\":-1}}", EINVAL, "cpu.shares");
}

static void test_pids(void **state) {
        static const struct {
                const char *text, *version;
                int64_t expected;
        } cases[] = { { "{\"pids\":{\"limit\":7}}", "1.0.2", 7 },
                      { "{\"pids\":{\"limit\":-1}}", "1.0.2", RESOURCE_MAX },
                      { "{\"pids\":{\"limit\":-5}}", "1.3.0", RESOURCE_MAX },
                      { "{\"pids\":{\"limit\":0}}", "1.2.1", RESOURCE_MAX },
                      { "{\"pids\":{\"limit\":0}}", NULL, RESOURCE_MAX },
                      { "{\"pids\":{\"limit\":0}}", "1.3.0", 1 },
                      { "{\"pids\":{}}", "1.3.0", RESOURCE_UNSET } };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(parsed_done) Parsed p = {};

                assert_int_equal(parse_version(cases[i].text, cases[i].version, &p), 0);
                assert_int_equal(p.r.pids_max, cases[i].expected);
        }
}

static void test_io(void **state) {
        PARSED("{\"blockIO\":{\"weight\":750,\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":10},"
               "{\"major\":8,\"minor\":16,\"weight\":0}],\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":0}],"
               "\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":1,\"rate\":30}]}}");

        assert_int_equal(p.r.io_weight, 7475);
        assert_int_equal(p.r.io_bfq_weight, 750);
        assert_int_equal(p.r.n_io_weights, 1);
        assert_int_equal(p.r.io_weights[0].weight, 1);
        assert_int_equal(p.r.io_weights[0].bfq_weight, 10);
        assert_int_equal(p.r.n_io_limits, 2);
        assert_int_equal(p.r.io_limits[0].rate, RATE_RBPS);
        assert_int_equal(p.r.io_limits[0].value, RESOURCE_MAX);
        assert_int_equal(p.r.io_limits[1].minor, 1);
        assert_string_equal(resource_rate_names[p.r.io_limits[1].rate], "wiops");
        assert_int_equal(p.r.io_limits[1].value, 30);
        refused("{\"blockIO\":{\"leafWeight\":10}}", EOPNOTSUPP, "leafWeight");
        refused("{\"blockIO\":{\"weightDevice\":[{\"major\":1,\"minor\":1}]}}", EINVAL,
                "blockIO.weightDevice: expected weight or leafWeight");
        refused("{\"blockIO\":{\"weightDevice\":[{\"major\":1,\"minor\":1,\"leafWeight\":10}]}}", EOPNOTSUPP,
                "leafWeight");
        refused("{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"rate\":1}]}}", EINVAL, "minor");
        refused("{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":1}]}}", EINVAL, "rate");
        refused("{\"blockIO\":{\"throttleReadBpsDevice\":[7]}}", EINVAL, "throttleReadBpsDevice");
        refused("{\"blockIO\":{\"weight\":1001}}", EINVAL, "weight");
}

static void test_hugetlb_rdma(void **state) {
        PARSED("{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304},{\"pageSize\":\"1GB\","
               "\"limit\":0}],\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3},\"b\":{\"hcaObjects\":0}}}");

        assert_int_equal(p.r.n_hugetlb, 2);
        assert_string_equal(p.r.hugetlb[0].page_size, "2MB");
        assert_int_equal(p.r.hugetlb[0].limit, 4194304);
        assert_int_equal(p.r.n_rdma, 2);
        assert_int_equal(p.r.rdma[0].handles, 3);
        assert_int_equal(p.r.rdma[0].objects, RESOURCE_UNSET);
        assert_int_equal(p.r.rdma[1].objects, 0);
        refused("{\"hugepageLimits\":[{\"pageSize\":\"../2MB\",\"limit\":1}]}", EINVAL, "pageSize");
        refused("{\"hugepageLimits\":[{\"pageSize\":\"2MBX\",\"limit\":1}]}", EINVAL, "pageSize");
        refused("{\"hugepageLimits\":[{\"limit\":1}]}", EINVAL, "pageSize");
        refused("{\"hugepageLimits\":[{\"pageSize\":\"2MB\"}]}", EINVAL, "limit");
        refused("{\"rdma\":{\"a b\":{\"hcaHandles\":3}}}", EINVAL, "rdma");
        refused("{\"rdma\":{\"a\":{}}}", EINVAL, "rdma.a");
        refused("{\"rdma\":{\"a\":3}}", EINVAL, "rdma.a");
}

static void test_unified_network(void **state) {
        PARSED("{\"unified\":{\"memory.high\":\"10\",\"hugetlb.2MB.max\":\"0\"},\"network\":{\"classID\":0,"
               "\"priorities\":[]}}");

        assert_int_equal(json_object_object_length(p.r.unified), 2);
        refused("{\"unified\":{\"../memory.high\":\"1\"}}", EINVAL, "no slashes");
        refused("{\"unified\":{\"a/b.c\":\"1\"}}", EINVAL, "no slashes");
        refused("{\"unified\":{\"memory\":\"1\"}}", EINVAL, "CONTROLLER.PARAMETER");
        refused("{\"unified\":{\"..\":\"1\"}}", EINVAL, "CONTROLLER.PARAMETER");
        refused("{\"unified\":{\"memory.\":\"1\"}}", EINVAL, "CONTROLLER.PARAMETER");
        refused("{\"unified\":{\"cgroup.procs\":\"1\"}}", EINVAL, "cgroup.procs");
        refused("{\"unified\":{\"memory.high\":1}}", EINVAL, "memory.high");
        refused("{\"network\":{\"classID\":1}}", EOPNOTSUPP, "network.classID");
        refused("{\"network\":{\"priorities\":[{\"name\":\"lo\",\"priority\":1}]}}", EOPNOTSUPP,
                "network.priorities");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing), cmocka_unit_test(test_memory),
                cmocka_unit_test(test_weights), cmocka_unit_test(test_cpu),
                cmocka_unit_test(test_pids),    cmocka_unit_test(test_io),
                cmocka_unit_test(test_hugetlb_rdma), cmocka_unit_test(test_unified_network),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
