/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a cgroup has counted, in the shape that `runc events` gave it: nanoseconds, and swap with memory in
 * it, as version 1 had them. A file that is not there (no controller, an older kernel) leaves its values
 * out.
 */
#include "cgroup-stats.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"

#define FILE_MAX_SIZE (1024 * 1024)
#define CPUS_MAX 8192

/* "max" is the greatest number: no limit. */
static bool parse_value(const char *text, uint64_t *ret) {
        char word[24];
        size_t n = strcspn(text, " \n");

        if (n == 0 || n >= sizeof(word))
                return false;
        memcpy(word, text, n);
        word[n] = 0;
        if (streq(word, "max")) {
                *ret = UINT64_MAX;
                return true;
        }
        return parse_u64(word, UINT64_MAX, ret) >= 0;
}

static bool get_value(int cgroup, const char *file, uint64_t *ret) {
        _cleanup_free_ char *text = NULL;

        return read_file_at(cgroup, file, FILE_MAX_SIZE, &text, NULL) >= 0 && parse_value(text, ret);
}

/* Calls @f for each "KEY VALUE" line of a flat keyed file. */
typedef int (*KeyedFunction)(void *userdata, const char *key, uint64_t value);
static int for_each_key(int cgroup, const char *file, KeyedFunction f, void *userdata) {
        _cleanup_free_ char *text = NULL;
        int r = 0;

        if (read_file_at(cgroup, file, FILE_MAX_SIZE, &text, NULL) < 0)
                return 0;
        for (char *line = text; r >= 0 && *line;) {
                char *end = strchrnul(line, '\n'), *next = *end ? end + 1 : end, *space;
                uint64_t value;

                *end = 0;
                space = strchr(line, ' ');
                if (space && parse_value(space + 1, &value)) {
                        *space = 0;
                        r = f(userdata, line, value);
                }
                line = next;
        }
        return r;
}

static int set_u64(json_object *o, const char *key, uint64_t value) {
        return json_set(o, key, json_object_new_uint64(value));
}

static int add_key(void *userdata, const char *key, uint64_t value) {
        return set_u64(userdata, key, value);
}

/* A new object in @o. Return: it, NULL on ENOMEM. */
static json_object *new_in(json_object *o, const char *key) {
        json_object *child = json_object_new_object();

        return json_set(o, key, child) < 0 ? NULL : child;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0": numbers stay as the kernel wrote them. */
static int add_pressure_line(json_object *psi, char *line) {
        char *word = line + strcspn(line, " ");
        json_object *o;
        int r = 0;

        if (!*word)
                return 0;
        *word++ = 0;
        o = new_in(psi, line);
        if (!o)
                return -ENOMEM;
        while (r >= 0 && *word) {
                char *end = word + strcspn(word, " "), *next = *end ? end + 1 : end, *value;

                *end = 0;
                value = strchr(word, '=');
                if (value) {
                        *value++ = 0;
                        r = json_set(o, word,
                                     streq(word, "total")
                                                     ? json_object_new_uint64(strtoull(value, NULL, 10))
                                                     : json_object_new_double_s(strtod(value, NULL), value));
                }
                word = next;
        }
        return r;
}

static int add_pressure(int cgroup, const char *file, json_object *o) {
        _cleanup_free_ char *text = NULL;
        json_object *psi;
        int r = 0;

        /* Without pressure accounting the file cannot be read. */
        if (read_file_at(cgroup, file, FILE_MAX_SIZE, &text, NULL) < 0)
                return 0;
        psi = new_in(o, "psi");
        if (!psi)
                return -ENOMEM;
        for (char *line = text; r >= 0 && *line;) {
                char *end = strchrnul(line, '\n'), *next = *end ? end + 1 : end;

                *end = 0;
                r = add_pressure_line(psi, line);
                line = next;
        }
        return r;
}

typedef struct CpuTarget {
        json_object *usage, *throttling;
} CpuTarget;

static int add_cpu_key(void *userdata, const char *key, uint64_t value) {
        const CpuTarget *t = userdata;

        return streq(key, "usage_usec")     ? set_u64(t->usage, "total", value * 1000) :
               streq(key, "user_usec")      ? set_u64(t->usage, "user", value * 1000) :
               streq(key, "system_usec")    ? set_u64(t->usage, "kernel", value * 1000) :
               streq(key, "nr_periods")     ? set_u64(t->throttling, "periods", value) :
               streq(key, "nr_throttled")   ? set_u64(t->throttling, "throttledPeriods", value) :
               streq(key, "throttled_usec") ? set_u64(t->throttling, "throttledTime", value * 1000) :
                                              0;
}

static int add_cpu(int cgroup, json_object *data) {
        json_object *cpu = new_in(data, "cpu");
        CpuTarget t = {};
        int r;

        if (cpu) {
                t.usage = new_in(cpu, "usage");
                t.throttling = new_in(cpu, "throttling");
        }
        if (!t.usage || !t.throttling)
                return -ENOMEM;
        r = for_each_key(cgroup, "cpu.stat", add_cpu_key, &t);
        return r < 0 ? r : add_pressure(cgroup, "cpu.pressure", cpu);
}

/* "0-2,7" as [0,1,2,7]. */
static int add_list(int cgroup, const char *file, json_object *o, const char *key) {
        _cleanup_free_ char *text = NULL;
        json_object *list;
        size_t n = 0;
        int r;

        if (read_file_at(cgroup, file, FILE_MAX_SIZE, &text, NULL) < 0)
                return 0;
        list = json_object_new_array();
        r = json_set(o, key, list);
        for (char *p = text; r >= 0 && *p >= '0' && *p <= '9';) {
                unsigned long first = strtoul(p, &p, 10), last = *p == '-' ? strtoul(p + 1, &p, 10) : first;

                for (; r >= 0 && first <= last && n < CPUS_MAX; first++, n++)
                        r = json_add(list, json_object_new_int64((int64_t) first));
                p += *p == ',';
        }
        return r;
}

static int add_cpuset(int cgroup, json_object *data) {
        json_object *cpuset = new_in(data, "cpuset");
        int r;

        if (!cpuset)
                return -ENOMEM;
        r = add_list(cgroup, "cpuset.cpus.effective", cpuset, "cpus");
        return r < 0 ? r : add_list(cgroup, "cpuset.mems.effective", cpuset, "mems");
}

typedef struct MemoryUse {
        uint64_t limit, usage, peak, failures;
        bool has_limit, has_usage, has_peak;
} MemoryUse;

static int add_memory_use(json_object *memory, const char *key, const MemoryUse *u) {
        json_object *o = new_in(memory, key);

        if (!o || (u->has_limit && set_u64(o, "limit", u->limit) < 0) ||
            (u->has_usage && set_u64(o, "usage", u->usage) < 0) ||
            (u->has_peak && set_u64(o, "max", u->peak) < 0) || set_u64(o, "failcnt", u->failures) < 0)
                return -ENOMEM;
        return 0;
}

static int get_failures(void *userdata, const char *key, uint64_t value) {
        if (streq(key, "max"))
                *(uint64_t *) userdata = value;
        return 0;
}

static MemoryUse read_memory_use(int cgroup, const char *prefix) {
        MemoryUse u = {};
        char file[64];

        (void) snprintf(file, sizeof(file), "%s.max", prefix);
        u.has_limit = get_value(cgroup, file, &u.limit);
        (void) snprintf(file, sizeof(file), "%s.current", prefix);
        u.has_usage = get_value(cgroup, file, &u.usage);
        (void) snprintf(file, sizeof(file), "%s.peak", prefix);
        u.has_peak = get_value(cgroup, file, &u.peak);
        (void) snprintf(file, sizeof(file), "%s.events", prefix);
        (void) for_each_key(cgroup, file, get_failures, &u.failures);
        return u;
}

static int get_cache(void *userdata, const char *key, uint64_t value) {
        return streq(key, "file") ? set_u64(userdata, "cache", value) : 0;
}

/* Only what has happened: callers look for the word "oom" among the lines. */
static int add_event_count(void *userdata, const char *key, uint64_t value) {
        return value > 0 ? set_u64(userdata, key, value) : 0;
}

static int add_memory(int cgroup, json_object *data) {
        json_object *memory = new_in(data, "memory"), *raw, *events;
        MemoryUse own = read_memory_use(cgroup, "memory"), swap = read_memory_use(cgroup, "memory.swap");
        MemoryUse both = { .has_limit = own.has_limit && swap.has_limit,
                           .has_usage = own.has_usage && swap.has_usage, .failures = swap.failures };
        int r;

        if (!memory)
                return -ENOMEM;
        both.usage = own.usage + swap.usage;
        if (__builtin_add_overflow(own.limit, swap.limit, &both.limit))
                both.limit = UINT64_MAX;
        r = for_each_key(cgroup, "memory.stat", get_cache, memory);
        if (r >= 0)
                r = add_memory_use(memory, "usage", &own);
        if (r >= 0)
                r = add_memory_use(memory, "swap", &both);
        if (r < 0)
                return r;
        raw = new_in(memory, "raw");
        events = new_in(memory, "event_count");
        if (!raw || !events)
                return -ENOMEM;
        r = for_each_key(cgroup, "memory.stat", add_key, raw);
        if (r >= 0)
                r = for_each_key(cgroup, "memory.events", add_event_count, events);
        return r < 0 ? r : add_pressure(cgroup, "memory.pressure", memory);
}

static int add_pids(int cgroup, json_object *data) {
        json_object *pids = new_in(data, "pids");
        uint64_t n;

        if (!pids || (get_value(cgroup, "pids.current", &n) && set_u64(pids, "current", n) < 0))
                return -ENOMEM;
        /* No limit is left out. */
        if (get_value(cgroup, "pids.max", &n) && n != UINT64_MAX)
                return set_u64(pids, "limit", n);
        return 0;
}

static int add_io_entry(json_object *list, unsigned major, unsigned minor, const char *op, uint64_t value) {
        json_object *e = json_object_new_object();

        if (json_add(list, e) < 0 || set_u64(e, "major", major) < 0 || set_u64(e, "minor", minor) < 0 ||
            json_set_str(e, "op", op) < 0)
                return -ENOMEM;
        return set_u64(e, "value", value);
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6". */
static int add_io_line(const char *line, json_object *bytes, json_object *operations) {
        static const struct {
                const char *key, *op;
                bool bytes;
        } keys[] = { { " rbytes=", "Read", true },    { " wbytes=", "Write", true },
                     { " dbytes=", "Discard", true }, { " rios=", "Read", false },
                     { " wios=", "Write", false },    { " dios=", "Discard", false } };
        unsigned major, minor;

        if (sscanf(line, "%u:%u ", &major, &minor) != 2)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                const char *value = strstr(line, keys[i].key);
                int r;

                if (!value)
                        continue;
                r = add_io_entry(keys[i].bytes ? bytes : operations, major, minor, keys[i].op,
                                 strtoull(value + strlen(keys[i].key), NULL, 10));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_io(int cgroup, json_object *data) {
        json_object *blkio = new_in(data, "blkio"), *bytes, *operations;
        _cleanup_free_ char *text = NULL;
        int r;

        if (!blkio)
                return -ENOMEM;
        if (read_file_at(cgroup, "io.stat", FILE_MAX_SIZE, &text, NULL) < 0)
                text = NULL;
        bytes = json_object_new_array();
        r = json_set(blkio, "ioServiceBytesRecursive", bytes);
        operations = json_object_new_array();
        if (json_set(blkio, "ioServicedRecursive", operations) < 0 || r < 0)
                return -ENOMEM;
        for (char *line = text; line && r >= 0 && *line;) {
                char *end = strchrnul(line, '\n'), *next = *end ? end + 1 : end;

                *end = 0;
                r = add_io_line(line, bytes, operations);
                line = next;
        }
        return r < 0 ? r : add_pressure(cgroup, "io.pressure", blkio);
}

static int add_hugetlb_size(int cgroup, const char *size, json_object *hugetlb) {
        json_object *o = new_in(hugetlb, size);
        uint64_t usage, failures = 0;
        char file[128];

        if (!o)
                return -ENOMEM;
        (void) snprintf(file, sizeof(file), "hugetlb.%.32s.current", size);
        if (get_value(cgroup, file, &usage) && set_u64(o, "usage", usage) < 0)
                return -ENOMEM;
        (void) snprintf(file, sizeof(file), "hugetlb.%.32s.events", size);
        (void) for_each_key(cgroup, file, get_failures, &failures);
        return set_u64(o, "failcnt", failures);
}

static int add_hugetlb(int cgroup, json_object *data) {
        json_object *hugetlb = new_in(data, "hugetlb");
        struct dirent *de;
        int fd, r = 0;
        DIR *d;

        if (!hugetlb)
                return -ENOMEM;
        fd = openat(cgroup, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        d = fd >= 0 ? fdopendir(fd) : NULL;
        if (!d) {
                (void) safe_close(fd);
                return 0;
        }
        while (r >= 0 && (de = readdir(d))) {
                const char *size = startswith(de->d_name, "hugetlb."),
                           *end = size ? endswith(size, ".max") : NULL;
                char text[32];

                if (!end || memchr(size, '.', (size_t) (end - size)) ||
                    (size_t) (end - size) >= sizeof(text))
                        continue;
                (void) snprintf(text, sizeof(text), "%.*s", (int) (end - size), size);
                r = add_hugetlb_size(cgroup, text, hugetlb);
        }
        (void) closedir(d);
        return r;
}

/* "mlx5_0 hca_handle=2 hca_object=max", in the words of config.json; a limit of "max" is left out. */
static int add_rdma_file(int cgroup, const char *file, json_object *rdma, const char *key) {
        _cleanup_free_ char *text = NULL;
        json_object *list;
        int r;

        if (read_file_at(cgroup, file, FILE_MAX_SIZE, &text, NULL) < 0 || !*text)
                return 0;
        list = json_object_new_array();
        r = json_set(rdma, key, list);
        for (char *line = text; r >= 0 && *line;) {
                char *end = strchrnul(line, '\n'), *next = *end ? end + 1 : end, *p;
                json_object *e = json_object_new_object();
                uint64_t n;

                *end = 0;
                r = json_add(list, e);
                p = strstr(line, " hca_handle=");
                if (r >= 0 && p && parse_value(p + 12, &n) && n != UINT64_MAX)
                        r = set_u64(e, "hcaHandles", n);
                p = strstr(line, " hca_object=");
                if (r >= 0 && p && parse_value(p + 12, &n) && n != UINT64_MAX)
                        r = set_u64(e, "hcaObjects", n);
                line[strcspn(line, " ")] = 0;
                if (r >= 0)
                        r = json_set_str(e, "device", line);
                line = next;
        }
        return r;
}

static int add_rdma(int cgroup, json_object *data) {
        json_object *rdma = new_in(data, "rdma");
        int r;

        if (!rdma)
                return -ENOMEM;
        r = add_rdma_file(cgroup, "rdma.current", rdma, "rdmaCurrent");
        return r < 0 ? r : add_rdma_file(cgroup, "rdma.max", rdma, "rdmaLimit");
}

/** cgroup_stats - everything counted, as JSON. @ret: owned by the caller. Return: 0 or -ENOMEM. */
int cgroup_stats(int cgroup_fd, json_object **ret) {
        _cleanup_json_ json_object *data = json_object_new_object();
        int r;

        if (!data)
                return -ENOMEM;
        if ((r = add_cpu(cgroup_fd, data)) < 0 || (r = add_cpuset(cgroup_fd, data)) < 0 ||
            (r = add_memory(cgroup_fd, data)) < 0 || (r = add_pids(cgroup_fd, data)) < 0 ||
            (r = add_io(cgroup_fd, data)) < 0 || (r = add_hugetlb(cgroup_fd, data)) < 0 ||
            (r = add_rdma(cgroup_fd, data)) < 0)
                return r;
        *ret = TAKE_PTR(data);
        return 0;
}

static int get_oom_kills(void *userdata, const char *key, uint64_t value) {
        if (streq(key, "oom_kill"))
                *(uint64_t *) userdata = value;
        return 0;
}

/** cgroup_oom_kills - how many processes ran out of memory. Return: 0, also without the controller. */
int cgroup_oom_kills(int cgroup_fd, uint64_t *ret) {
        *ret = 0;
        return for_each_key(cgroup_fd, "memory.events", get_oom_kills, ret);
}
