/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <stdio.h>

#include "runtime/error.h"
#include "runtime/systemd/systemd-properties.h"

#define UNLIMITED "18446744073709551615"

/* What comes out, one property in a line; lines of values are divided by '|'. */
static void check(Buffer *b, const char *input, const char *expected) {
        _cleanup_buffer_ Buffer seen = BUFFER_INIT(FIELDS_TEXT_MAX);
        _cleanup_fields_ Fields f = {};

        assert_int_equal(buffer_append(&seen, "", 0), 0);
        if (b->size > 0)
                assert_int_equal(fields_parse(b->data, b->size, '\n', &f), 0);
        for (size_t i = 0; i < f.n; i++) {
                _cleanup_scope_property_ ScopeProperty p = {};

                assert_int_equal(scope_property_parse(f.items[i].value, &p), 0);
                for (char *c = p.value; *c; c++)
                        if (*c == '\n')
                                *c = '|';
                assert_int_equal(buffer_appendf(&seen, "%s%s %s %s\n",
                                                streq(f.items[i].key, "property") ? "" : "optional ", p.name,
                                                p.type, p.value), 0);
        }
        if (!streq(seen.size > 0 ? seen.data : "", expected))
                fail_msg("%s gives\n%sinstead of\n%s", input, seen.size > 0 ? seen.data : "nothing ",
                         expected);
}

static void resources(const char *text, const char *expected) {
        _cleanup_resources_ Resources r = RESOURCES_INIT;
        _cleanup_buffer_ Buffer b = SCOPE_REQUEST_INIT;
        _cleanup_json_ json_object *o = NULL;

        assert_int_equal(json_parse(text, strlen(text), &o), 0);
        if (resources_parse(o, "1.2.0", &r) < 0)
                fail_msg("%s: %s", text, fail_message());
        assert_int_equal(systemd_put_resources(&b, &r), 0);
        check(&b, text, expected);
}

static void unified(const char *file, const char *value, const char *expected) {
        char text[512];

        (void) snprintf(text, sizeof(text), "{\"unified\":{\"%s\":\"%s\"}}", file, value);
        resources(text, expected);
}

static void test_resources(void **state) {
        resources("{}", "");
        resources("{\"memory\":{\"limit\":1048576,\"swap\":3145728,\"reservation\":524288}}",
                  "MemoryMax t 1048576\nMemoryLow t 524288\nMemorySwapMax t 2097152\n");
        resources("{\"memory\":{\"limit\":-1,\"swap\":-1}}",
                  "MemoryMax t " UNLIMITED "\nMemorySwapMax t " UNLIMITED "\n");
        resources("{\"memory\":{\"limit\":1048576,\"swap\":1048576}}",
                  "MemoryMax t 1048576\nMemorySwapMax t 0\n");
        resources("{\"pids\":{\"limit\":7}}", "TasksMax t 7\n");
        resources("{\"pids\":{\"limit\":-1}}", "TasksMax t " UNLIMITED "\n");
        resources("{\"cpu\":{\"cpus\":\"0-2,9\",\"mems\":\"0\"}}",
                  "AllowedCPUs ay 0702\nAllowedMemoryNodes ay 01\n");
        resources("{\"cpu\":{\"idle\":1}}", "CPUWeight t 0\n");
        resources("{\"cpu\":{\"idle\":0}}", "CPUWeight t " UNLIMITED "\n");
        resources("{\"cpu\":{\"burst\":10}, \"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":1}]}", "");
}

static void test_cpu_quota(void **state) {
        resources("{\"cpu\":{\"quota\":50000,\"period\":100000}}",
                  "CPUQuotaPeriodUSec t 100000\nCPUQuotaPerSecUSec t 500000\n");
        resources("{\"cpu\":{\"quota\":50000}}", "CPUQuotaPerSecUSec t 500000\n");
        resources("{\"cpu\":{\"quota\":-1,\"period\":50000}}",
                  "CPUQuotaPeriodUSec t 50000\nCPUQuotaPerSecUSec t " UNLIMITED "\n");
        resources("{\"cpu\":{\"period\":50000}}", "CPUQuotaPeriodUSec t 50000\n");
        /* Never less than what was asked for: 33.3 percent and a hair are 34. */
        resources("{\"cpu\":{\"quota\":33333,\"period\":100000}}",
                  "CPUQuotaPeriodUSec t 100000\nCPUQuotaPerSecUSec t 340000\n");
        resources("{\"cpu\":{\"quota\":1,\"period\":1000000}}",
                  "CPUQuotaPeriodUSec t 1000000\nCPUQuotaPerSecUSec t 10000\n");
        /* Past all sense: for the kernel to say. */
        resources("{\"cpu\":{\"quota\":9223372036854775807,\"period\":100000}}",
                  "CPUQuotaPeriodUSec t 100000\n");
}

static void test_io(void **state) {
        resources("{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":10},{\"major\":8,\"minor\":16,"
                  "\"weight\":1000}]}}",
                  "IODeviceWeight a(st) /dev/block/8:0 1|/dev/block/8:16 10000\n");
        resources("{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":100},{\"major\":8,"
                  "\"minor\":1,\"rate\":0}],\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":5}]}}",
                  "IOReadBandwidthMax a(st) /dev/block/8:0 100|/dev/block/8:1 " UNLIMITED
                  "\nIOWriteIOPSMax a(st) /dev/block/8:0 5\n");
}

static void test_unified(void **state) {
        unified("memory.max", "max", "MemoryMax t " UNLIMITED "\n");
        unified("memory.high", "1M", "MemoryHigh t 1048576\n");
        unified("memory.min", "4096", "MemoryMin t 4096\n");
        unified("memory.low", "1g", "MemoryLow t 1073741824\n");
        unified("memory.swap.max", "0", "MemorySwapMax t 0\n");
        unified("pids.max", "5", "TasksMax t 5\n");
        unified("cpu.weight", "77", "CPUWeight t 77\n");
        unified("cpu.max", "max", "CPUQuotaPerSecUSec t " UNLIMITED "\n");
        unified("cpu.max", "20000 50000", "CPUQuotaPeriodUSec t 50000\nCPUQuotaPerSecUSec t 400000\n");
        unified("cpuset.cpus", "1", "AllowedCPUs ay 02\n");
        unified("cpuset.mems", "0-1", "AllowedMemoryNodes ay 03\n");
        unified("io.weight", "default 50", "IOWeight t 50\n");
        unified("io.weight", "60", "IOWeight t 60\n");
        unified("io.weight", "8:0 70", "IODeviceWeight a(st) /dev/block/8:0 70\n");
        unified("io.max", "8:0 rbps=1 wbps=max riops=3\\n8:16 wiops=4",
                "IOReadBandwidthMax a(st) /dev/block/8:0 1\nIOWriteBandwidthMax a(st) /dev/block/8:0 " UNLIMITED
                "\nIOReadIOPSMax a(st) /dev/block/8:0 3\nIOWriteIOPSMax a(st) /dev/block/8:16 4\n");
        unified("hugetlb.2MB.max", "5", "");
        unified("memory.oom.group", "1", "optional OOMPolicy s kill\n");
        unified("memory.oom.group", "0", "");
        unified("memory.zswap.max", "0", "optional MemoryZSwapMax t 0\n");
        unified("memory.zswap.max", "max", "optional MemoryZSwapMax t " UNLIMITED "\n");
        /* Unified wins over the same in other words. */
        resources("{\"memory\":{\"limit\":4096},\"unified\":{\"memory.max\":\"8192\"}}",
                  "MemoryMax t 8192\n");
}

static void test_what_is_malformed_is_left_to_the_kernel(void **state) {
        static const char *const values[] = { "",    "-1",   "x",    "1x",   "1 2",  "99999999999999999999",
                                              "1kk", "0x10", " 5",   "9223372036854775808", "16777216t" };

        for (size_t i = 0; i < ELEMENTSOF(values); i++)
                unified("memory.max", values[i], "");
        unified("memory.max", "0", "");
        unified("pids.max", "0", "");
        unified("pids.max", "1k", "");
        unified("cpu.weight", "0", "");
        unified("cpu.weight", "10001", "");
        unified("cpu.max", "x 5", "");
        unified("cpu.max", "5 x", "");
        unified("cpu.max", "", "");
        unified("cpuset.cpus", "", "");
        unified("cpuset.cpus", "3-1", "");
        unified("cpuset.cpus", "1-", "");
        unified("cpuset.cpus", "-1", "");
        unified("cpuset.cpus", "1,,2", "");
        unified("cpuset.cpus", "0-99999999", "");
        unified("cpuset.cpus", "8192", "");
        unified("io.max", "8:0", "");
        unified("io.max", "8:0 rbps=x rbp=1", "");
        unified("io.max", "nothing", "");
}

static void devices(const char *rules, bool update, const char *expected) {
        _cleanup_buffer_ Buffer b = SCOPE_REQUEST_INIT;
        _cleanup_json_ json_object *o = NULL;
        char text[2048];

        (void) snprintf(text, sizeof(text), "{\"devices\":[%s]}", rules);
        assert_int_equal(json_parse(text, strlen(text), &o), 0);
        if (systemd_put_devices(&b, o, update) < 0)
                fail_msg("%s: %s", rules, fail_message());
        check(&b, rules, expected);
}

#define ALWAYS                                                                                             \
        "char-* m|block-* m|/dev/char/1:3 rwm|/dev/char/1:5 rwm|/dev/char/1:7 rwm|/dev/char/1:8 rwm|"      \
        "/dev/char/1:9 rwm|/dev/char/5:0 rwm|/dev/char/5:2 rwm|char-136 rwm\n"
#define DENY_ALL "{\"allow\":false,\"access\":\"rwm\"}"
#define ALLOW_ALL "{\"allow\":true,\"access\":\"rwm\"}"

static void test_devices(void **state) {
        devices("", false, "");
        devices(DENY_ALL, false, "DevicePolicy s strict\nDeviceAllow a(ss) " ALWAYS);
        devices(ALLOW_ALL, false, "DevicePolicy s auto\n");
        devices(DENY_ALL ",{\"allow\":true,\"type\":\"b\",\"major\":8,\"minor\":1,\"access\":\"r\"}", false,
                "DevicePolicy s strict\nDeviceAllow a(ss) /dev/block/8:1 r|" ALWAYS);
        devices(DENY_ALL ",{\"allow\":true,\"type\":\"c\",\"major\":10,\"access\":\"rw\"}", false,
                "DevicePolicy s strict\nDeviceAllow a(ss) char-10 rw|" ALWAYS);
        devices(DENY_ALL ",{\"allow\":true,\"type\":\"c\",\"minor\":7,\"access\":\"rw\"}", false,
                "DevicePolicy s strict\nDeviceAllow a(ss) char-* rw|" ALWAYS);
        devices(DENY_ALL ",{\"allow\":true,\"type\":\"a\",\"major\":8,\"minor\":1,\"access\":\"w\"}", false,
                "DevicePolicy s strict\nDeviceAllow a(ss) /dev/char/8:1 w|/dev/block/8:1 w|" ALWAYS);
        /* What comes before the rule for everything does not count; denials are the filter's. */
        devices("{\"allow\":true,\"type\":\"b\",\"major\":8,\"minor\":1,\"access\":\"r\"}," DENY_ALL, false,
                "DevicePolicy s strict\nDeviceAllow a(ss) " ALWAYS);
        devices(ALLOW_ALL ",{\"allow\":false,\"type\":\"b\",\"major\":8,\"access\":\"rwm\"}", false,
                "DevicePolicy s auto\n");
        devices(ALLOW_ALL, true, "DeviceAllow a(ss) \nDevicePolicy s auto\n");
        devices(DENY_ALL, true, "DeviceAllow a(ss) \nDevicePolicy s strict\nDeviceAllow a(ss) " ALWAYS);
}

static int annotate(const char *key, const char *value, Buffer *b) {
        _cleanup_json_ json_object *o = json_object_new_object();

        assert_int_equal(json_set_str(o, key, value), 0);
        return systemd_put_annotations(b, o);
}

static void annotation(const char *name, const char *value, const char *expected) {
        _cleanup_buffer_ Buffer b = SCOPE_REQUEST_INIT;
        char key[128];

        (void) snprintf(key, sizeof(key), "org.systemd.property.%s", name);
        if (annotate(key, value, &b) < 0)
                fail_msg("%s %s: %s", name, value, fail_message());
        check(&b, value, expected);
}

static void annotation_refused(const char *name, const char *value) {
        _cleanup_buffer_ Buffer b = SCOPE_REQUEST_INIT;
        char key[128];

        (void) snprintf(key, sizeof(key), "org.systemd.property.%s", name);
        assert_int_equal(annotate(key, value, &b), -EINVAL);
        assert_int_equal(b.size, 0);
        if (!strstr(fail_message(), key))
                fail_msg("\"%s\" does not name %s", fail_message(), key);
}

static void test_annotations(void **state) {
        _cleanup_buffer_ Buffer b = SCOPE_REQUEST_INIT;

        assert_int_equal(annotate("org.other.property", "x", &b), 0);
        assert_int_equal(systemd_put_annotations(&b, NULL), 0);
        assert_int_equal(b.size, 0);
        annotation("TimeoutStopUSec", "uint64 123456789", "TimeoutStopUSec t 123456789\n");
        annotation("TimeoutStopSec", "uint64 12", "TimeoutStopUSec t 12000000\n");
        annotation("TimeoutStopSec", "1.5", "TimeoutStopUSec t 1500000\n");
        annotation("CollectMode", "'inactive-or-failed'", "CollectMode s inactive-or-failed\n");
        annotation("Description", "\"it's a \\\"box\\\"\"", "Description s it's a \"box\"\n");
        annotation("KillSignal", "37", "KillSignal i 37\n");
        annotation("OOMScoreAdjust", "-0x10", "OOMScoreAdjust i -16\n");
        annotation("SendSIGHUP", " true ", "SendSIGHUP b 1\n");
        annotation("SendSIGHUP", "boolean false", "SendSIGHUP b 0\n");
        annotation("Wants", "['a.service', 'b.service']", "Wants as a.service|b.service\n");
        annotation("Wants", "@as []", "Wants as \n");
        annotation("Numbers", "[uint32 1, 2]", "Numbers au 1|2\n");
        annotation("Number", "@x -9223372036854775808", "Number x -9223372036854775808\n");
        annotation("Number", "uint64 18446744073709551615", "Number t 18446744073709551615\n");
        annotation("Number", "@y 255", "Number y 255\n");
        annotation("Number", "double 2", "Number d 2\n");
}

static void test_bad_annotations(void **state) {
        static const char *const bad[] = {
                "",         "x",          "'a",          "'a' b",   "uint64",   "uint64 -1",
                "uint64 x", "2147483648", "-2147483649", "@y 256",  "@z 1",     "@s",
                "1 2",      "[",          "[]",          "[1,",     "[1 2]",    "[1,'a']",
                "['a','']", "['a\\nb']",  "('a', 1)",    "<1>",     "{}",       "@a(ss) []",
                "[[1]]",    "uint64 'a'", "string 1",    "0x",      "@ay [1]",  "99999999999999999999",
                "1e",       "@as 'a'",    "'\\q'",       "trueish", "@n 32768",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                annotation_refused("Number", bad[i]);
        annotation_refused("PIDs", "[uint32 1]");
        annotation_refused("Slice", "'x.slice'");
        annotation_refused("Delegate", "false");
        annotation_refused("ab", "1");
        annotation_refused("name", "1");
        annotation_refused("Na me", "1");
        annotation_refused("TimeoutSec", "'a'");
        annotation_refused("TimeoutSec", "-1");
        annotation_refused("TimeoutSec", "uint64 18446744073709551615");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_resources),
                cmocka_unit_test(test_cpu_quota),
                cmocka_unit_test(test_io),
                cmocka_unit_test(test_unified),
                cmocka_unit_test(test_what_is_malformed_is_left_to_the_kernel),
                cmocka_unit_test(test_devices),
                cmocka_unit_test(test_annotations),
                cmocka_unit_test(test_bad_annotations),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
