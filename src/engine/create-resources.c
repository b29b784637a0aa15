/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Resource limits: checked with Docker's texts, then said as properties of the payload's scope. systemd
 * applies them, shows them, and lets the administrator change them; the runtime writes none.
 */
#include "../basic/json.h"
#include "../basic/str.h"
#include "../shared/fields.h"
#include "create.h"

#define MEMORY_MIN INT64_C(6291456)
#define CPU_PERIOD_DEFAULT INT64_C(100000)

static int64_t number(const CreateContext *c, const char *key) {
        int64_t n = 0;

        (void) json_get_int(c->host, key, INT64_MIN, INT64_MAX, &n);
        return n;
}

static int check_memory(const CreateContext *c, EngineError *reterr) {
        int64_t memory = number(c, "Memory"), swap = number(c, "MemorySwap"),
                reservation = number(c, "MemoryReservation");

        if (memory != 0 && memory < MEMORY_MIN)
                return error_set(reterr, -EINVAL, "Minimum memory limit allowed is 6MB");
        if (memory > 0 && swap > 0 && swap < memory)
                return error_set(reterr, -EINVAL,
                                 "Minimum memoryswap limit should be larger than memory limit, see usage");
        if (memory == 0 && swap > 0)
                return error_set(
                                reterr, -EINVAL,
                                "You should always set the Memory limit when using Memoryswap limit, see "
                                "usage");
        if (swap < -1)
                return error_set(reterr, -EINVAL, "invalid MemorySwap");
        if (reservation != 0 && reservation < MEMORY_MIN)
                return error_set(reterr, -EINVAL, "Minimum memory reservation allowed is 6MB");
        if (memory > 0 && reservation > 0 && memory < reservation)
                return error_set(
                                reterr, -EINVAL,
                                "Minimum memory limit can not be less than memory reservation limit, see "
                                "usage");
        /* As much swap again as memory, unless the user said. */
        if (memory > 0 && swap == 0 && memory <= INT64_MAX / 2)
                return json_set_int(c->host, "MemorySwap", memory * 2);
        return 0;
}

static int check_cpu(const CreateContext *c, EngineError *reterr) {
        int64_t nano = number(c, "NanoCpus"), period = number(c, "CpuPeriod"), quota = number(c, "CpuQuota");
        int64_t shares = number(c, "CpuShares");
        long n = nano != 0 ? sysconf(_SC_NPROCESSORS_ONLN) : 0;

        if (nano != 0 && period != 0)
                return error_set(reterr, -EINVAL,
                                 "Conflicting options: Nano CPUs and CPU Period cannot both be set.");
        if (nano != 0 && quota != 0)
                return error_set(reterr, -EINVAL,
                                 "Conflicting options: Nano CPUs and CPU Quota cannot both be set.");
        if (nano < 0 || (n > 0 && nano > n * INT64_C(1000000000)))
                return error_set(
                                reterr, -EINVAL,
                                "range of CPUs is from 0.01 to %ld.00, as there are only %ld CPUs available",
                                n, n);
        if (period != 0 && (period < 1000 || period > 1000000))
                return error_set(
                                reterr, -EINVAL,
                                "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s "
                                "(i.e. 1000000)");
        if (quota > 0 && quota < 1000)
                return error_set(reterr, -EINVAL, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
        if (quota < -1)
                return error_set(reterr, -EINVAL, "invalid CpuQuota");
        if (shares != 0 && (shares < 2 || shares > 262144))
                return error_set(reterr, -EINVAL, "CPU shares must be between 2 and 262144");
        return 0;
}

static int check_ulimits(const CreateContext *c, EngineError *reterr) {
        static const char *const names[] = {
                "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue",
                "nice", "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
        };
        json_object *list = json_get(c->host, "Ulimits");

        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                json_object *o = json_object_array_get_idx(list, i);
                const char *name = json_string_or(o, "Name", "");
                int64_t soft = 0, hard = 0;
                bool known = false;

                for (size_t j = 0; j < ELEMENTSOF(names); j++)
                        known = known || streq(names[j], name);
                if (!known)
                        return error_set(reterr, -EINVAL, "invalid ulimit type: %s", name);
                if (json_get_int(o, "Soft", -1, INT64_MAX, &soft) < 0 ||
                    json_get_int(o, "Hard", -1, INT64_MAX, &hard) < 0)
                        return error_set(reterr, -EINVAL, "invalid ulimit %s", name);
                if (hard >= 0 && (soft > hard || soft == -1))
                        return error_set(
                                        reterr, -EINVAL,
                                        "ulimit soft limit must be less than or equal to hard limit: %lld "
                                        "> %lld",
                                        (long long) soft, (long long) hard);
        }
        return 0;
}

/** create_validate_resources - check HostConfig's limits, fill MemorySwap and ShmSize. Return: 0, -EINVAL,
 * -ENOMEM. */
int create_validate_resources(CreateContext *c, EngineError *reterr) {
        int64_t weight = number(c, "BlkioWeight"), score = number(c, "OomScoreAdj"),
                shm = number(c, "ShmSize");
        int r;

        r = check_memory(c, reterr);
        if (r >= 0)
                r = check_cpu(c, reterr);
        if (r >= 0)
                r = check_ulimits(c, reterr);
        if (r < 0)
                return r;
        if (weight != 0 && (weight < 10 || weight > 1000))
                return error_set(reterr, -EINVAL, "Range of blkio weight is from 10 to 1000");
        if (score < -1000 || score > 1000)
                return error_set(reterr, -EINVAL,
                                 "Invalid value %lld, range for oom score adj is [-1000, 1000]",
                                 (long long) score);
        if (shm < 0)
                return error_set(reterr, -EINVAL, "SHM size can not be less than 0");
        if (shm == 0) {
                r = json_set_int(c->host, "ShmSize", 64 * 1024 * 1024);
                if (r < 0)
                        return r;
        }
        /* The command line client sends 0 for "not said". */
        return number(c, "PidsLimit") == 0 ? json_set_null(c->host, "PidsLimit") : 0;
}

static int put(Buffer *b, const char *name, uint64_t value) {
        return fields_putf(b, '\n', "property", "%s=t:%llu", name, (unsigned long long) value);
}

static int put_memory(const CreateContext *c, Buffer *b) {
        int64_t memory = number(c, "Memory"), swap = number(c, "MemorySwap"),
                reservation = number(c, "MemoryReservation");
        int r = 0;

        if (memory > 0)
                r = put(b, "MemoryMax", (uint64_t) memory);
        /* Docker's number is memory and swap together. */
        if (r >= 0 && swap == -1)
                r = put(b, "MemorySwapMax", UINT64_MAX);
        else if (r >= 0 && memory > 0 && swap >= memory)
                r = put(b, "MemorySwapMax", (uint64_t) (swap - memory));
        if (r >= 0 && reservation > 0)
                r = put(b, "MemoryLow", (uint64_t) reservation);
        return r;
}

static int put_cpu(const CreateContext *c, Buffer *b) {
        int64_t nano = number(c, "NanoCpus"), period = number(c, "CpuPeriod"), quota = number(c, "CpuQuota");
        int64_t shares = number(c, "CpuShares");
        int r = 0;

        if (nano > 0)
                r = put(b, "CPUQuotaPerSecUSec", MAX((uint64_t) nano / 1000, UINT64_C(1)));
        else if (quota > 0)
                r = put(b, "CPUQuotaPerSecUSec",
                        (uint64_t) ((__int128) quota * 1000000 /
                                    (period > 0 ? period : CPU_PERIOD_DEFAULT)));
        if (r >= 0 && period > 0)
                r = put(b, "CPUQuotaPeriodUSec", (uint64_t) period);
        /* 2..262144 onto 1..10000 */
        if (r >= 0 && shares > 0)
                r = put(b, "CPUWeight", 1 + (uint64_t) (shares - 2) * 9999 / 262142);
        return r;
}

/** create_put_scope_properties - the `property` lines of shim.conf. Return: 0, -E2BIG, -ENOMEM. */
int create_put_scope_properties(const CreateContext *c, Buffer *shim_conf) {
        int64_t pids = number(c, "PidsLimit"), weight = number(c, "BlkioWeight");
        int r;

        r = put_memory(c, shim_conf);
        if (r >= 0)
                r = put_cpu(c, shim_conf);
        /* Said even when unlimited: systemd's DefaultTasksMax= is a limit of its own. */
        if (r >= 0)
                r = put(shim_conf, "TasksMax", pids > 0 ? (uint64_t) pids : UINT64_MAX);
        /* 10..1000 onto 1..10000 */
        if (r >= 0 && weight > 0)
                r = put(shim_conf, "IOWeight", 1 + (uint64_t) (weight - 10) * 9999 / 990);
        return r;
}
