/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci-seccomp.h"

#include <sys/utsname.h>

#include "../basic/json.h"
#include "../basic/str.h"
#include "option-table.h"

/* uname(2)'s word, Docker's word (that of includes.arches), libseccomp's token. */
static const struct {
        const char *machine;
        const char *docker;
        const char *token;
} architectures[] = {
        { "x86_64", "amd64", "SCMP_ARCH_X86_64" },
        { "aarch64", "arm64", "SCMP_ARCH_AARCH64" },
        { "i386", "x86", "SCMP_ARCH_X86" },
        { "i686", "x86", "SCMP_ARCH_X86" },
        { "armv7l", "arm", "SCMP_ARCH_ARM" },
        { "ppc64le", "ppc64le", "SCMP_ARCH_PPC64LE" },
        { "s390x", "s390x", "SCMP_ARCH_S390X" },
        { "riscv64", "riscv64", "SCMP_ARCH_RISCV64" },
        { "loongarch64", "loong64", "SCMP_ARCH_LOONGARCH64" },
};

typedef struct Host {
        const char *docker;
        const char *token;
        unsigned major, minor;
        CapabilitySet capabilities;
} Host;

static int host_init(Host *h, CapabilitySet capabilities) {
        struct utsname uts;
        char *end;

        if (uname(&uts) < 0)
                return negative_errno();
        *h = (Host) { .docker = "", .token = "", .capabilities = capabilities };
        h->major = (unsigned) strtoul(uts.release, &end, 10);
        if (*end == '.')
                h->minor = (unsigned) strtoul(end + 1, NULL, 10);
        for (size_t i = 0; i < ELEMENTSOF(architectures); i++)
                if (streq(architectures[i].machine, uts.machine)) {
                        h->docker = architectures[i].docker;
                        h->token = architectures[i].token;
                }
        return 0;
}

static int bad_profile(EngineError *reterr, const char *why) {
        return error_set(reterr, -EINVAL, "Decoding seccomp profile failed: %s", why);
}

static bool strings_have(json_object *list, const char *s) {
        for (size_t i = 0; list && i < json_object_array_length(list); i++)
                if (streq(json_object_get_string(json_object_array_get_idx(list, i)) ?: "", s))
                        return true;
        return false;
}

/* Are all (or, without @all, is any) of the named capabilities there? A name unknown here is not. */
static bool have_caps(const Host *h, json_object *list, bool all) {
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                int cap = capability_from_string(json_object_get_string(json_object_array_get_idx(list, i))
                                                                 ?: "");
                bool have = cap >= 0 && (h->capabilities & (UINT64_C(1) << cap));

                if (have != all)
                        return have;
        }
        return all;
}

static bool kernel_at_least(const Host *h, const char *version) {
        char *end;
        unsigned long major = strtoul(version, &end, 10),
                      minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;

        return h->major > major || (h->major == major && h->minor >= minor);
}

/* Return: 1 if the rule applies here, 0 if not, -EINVAL for a malformed condition. */
static int rule_applies(const Host *h, json_object *rule) {
        json_object *includes, *excludes, *caps, *arches, *list;
        const char *kernel = "";

        if (json_get_object(rule, "includes", &includes) < 0 ||
            json_get_object(rule, "excludes", &excludes) < 0 || json_get_array(rule, "caps", &caps) < 0 ||
            json_get_array(rule, "arches", &arches) < 0)
                return -EINVAL;
        if (caps && !have_caps(h, caps, true))
                return 0;
        if (arches && json_object_array_length(arches) > 0 && !strings_have(arches, h->docker) &&
            !strings_have(arches, h->token))
                return 0;
        if (json_get_array(includes, "caps", &list) < 0)
                return -EINVAL;
        if (list && !have_caps(h, list, true))
                return 0;
        if (json_get_array(includes, "arches", &list) < 0)
                return -EINVAL;
        if (list && json_object_array_length(list) > 0 && !strings_have(list, h->docker))
                return 0;
        if (json_get_string(includes, "minKernel", &kernel) < 0)
                return -EINVAL;
        if (!isempty(kernel) && !kernel_at_least(h, kernel))
                return 0;
        if (json_get_array(excludes, "caps", &list) < 0)
                return -EINVAL;
        if (list && have_caps(h, list, false))
                return 0;
        if (json_get_array(excludes, "arches", &list) < 0)
                return -EINVAL;
        if (list && strings_have(list, h->docker))
                return 0;
        kernel = "";
        if (json_get_string(excludes, "minKernel", &kernel) < 0)
                return -EINVAL;
        return isempty(kernel) || !kernel_at_least(h, kernel);
}

static int copy_key(json_object *from, json_object *to, const char *key) {
        json_object *v = json_get(from, key);

        return v ? json_set(to, key, json_object_get(v)) : 0;
}

static int rule_to_oci(json_object *rule, json_object **ret, EngineError *reterr) {
        _cleanup_json_ json_object *out = json_object_new_object();
        json_object *names, *args;
        const char *name = NULL, *action = NULL;
        int r;

        if (!out)
                return -ENOMEM;
        if (json_get_array(rule, "names", &names) < 0 || json_get_string(rule, "name", &name) < 0 ||
            json_get_string(rule, "action", &action) <= 0 || json_get_array(rule, "args", &args) < 0)
                return bad_profile(reterr, "a rule is malformed");
        if (names && name)
                return bad_profile(reterr, "both 'name' and 'names' are specified for a rule");
        if (!startswith(action, "SCMP_ACT_"))
                return error_set(reterr, -EINVAL, "Decoding seccomp profile failed: invalid action %s",
                                 action);
        if (streq(action, "SCMP_ACT_NOTIFY"))
                return error_unsupported(reterr, "seccomp action SCMP_ACT_NOTIFY");
        if (names)
                r = json_set(out, "names", json_object_get(names));
        else if (name)
                r = json_set(out, "names", json_new_strv((char *const[]) { (char *) name, NULL }));
        else
                return bad_profile(reterr, "a rule names no system call");
        if (r >= 0)
                r = json_set_str(out, "action", action);
        if (r >= 0)
                r = copy_key(rule, out, "errnoRet");
        if (r >= 0 && args && json_object_array_length(args) > 0)
                r = json_set(out, "args", json_object_get(args));
        if (r < 0)
                return r;
        *ret = TAKE_PTR(out);
        return 0;
}

/* From archMap (an object per architecture, or ours: token -> list of further tokens) or a plain list. */
static int put_architectures(const Host *h, json_object *profile, json_object *out, EngineError *reterr) {
        json_object *map = json_get(profile, "archMap"), *plain = json_get(profile, "architectures"), *list,
                    *sub = NULL;
        int r;

        if (map && plain && !json_is_empty_value(map) && !json_is_empty_value(plain))
                return bad_profile(reterr, "both 'architectures' and 'archMap' are specified");
        if (!map)
                return plain ? json_set(out, "architectures", json_object_get(plain)) : 0;
        if (json_object_is_type(map, json_type_object))
                sub = json_get(map, h->token) ?: json_get(map, h->docker);
        else if (json_object_is_type(map, json_type_array)) {
                for (size_t i = 0; i < json_object_array_length(map); i++) {
                        json_object *entry = json_object_array_get_idx(map, i);

                        if (streq(json_string_or(entry, "architecture", ""), h->token))
                                sub = json_get(entry, "subArchitectures");
                }
        } else
                return bad_profile(reterr, "'archMap' is malformed");
        if (isempty(h->token))
                return 0;
        list = json_object_new_array();
        r = json_set(out, "architectures", list);
        if (r >= 0)
                r = json_add_str(list, h->token);
        if (sub && json_object_is_type(sub, json_type_array))
                for (size_t i = 0; r >= 0 && i < json_object_array_length(sub); i++)
                        r = json_add(list, json_object_get(json_object_array_get_idx(sub, i)));
        return r;
}

/**
 * seccomp_expand - @profile as linux.seccomp for a process with @capabilities on this machine.
 *
 * Return: 0, -EINVAL for a malformed profile, -EOPNOTSUPP, -ENOMEM.
 */
int seccomp_expand(json_object *profile, CapabilitySet capabilities, json_object **ret,
                   EngineError *reterr) {
        _cleanup_json_ json_object *out = json_object_new_object();
        json_object *rules, *list;
        const char *action = NULL;
        Host h;
        int r;

        if (!out)
                return -ENOMEM;
        r = host_init(&h, capabilities);
        if (r < 0)
                return r;
        if (json_get_string(profile, "defaultAction", &action) <= 0 || !startswith(action, "SCMP_ACT_"))
                return bad_profile(reterr, "defaultAction is missing");
        rules = json_get(profile, "syscalls") ?: json_get(profile, "groups");
        if (rules && !json_object_is_type(rules, json_type_array))
                return bad_profile(reterr, "'syscalls' must be an array");
        if (!json_is_empty_value(json_get(profile, "listenerPath")))
                return error_unsupported(reterr, "seccomp listenerPath");
        r = json_set_str(out, "defaultAction", action);
        if (r >= 0)
                r = copy_key(profile, out, "defaultErrnoRet");
        if (r >= 0)
                r = copy_key(profile, out, "flags");
        if (r >= 0)
                r = put_architectures(&h, profile, out, reterr);
        if (r < 0)
                return r;
        list = json_object_new_array();
        r = json_set(out, "syscalls", list);
        for (size_t i = 0; r >= 0 && rules && i < json_object_array_length(rules); i++) {
                json_object *rule = json_object_array_get_idx(rules, i), *oci = NULL;

                r = rule_applies(&h, rule);
                if (r == -EINVAL)
                        return bad_profile(reterr, "conditions of a rule are malformed");
                if (r <= 0)
                        continue;
                r = rule_to_oci(rule, &oci, reterr);
                if (r >= 0)
                        r = json_add(list, oci);
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(out);
        return 0;
}

/** seccomp_expand_text - seccomp_expand() of JSON text that a user sent. */
int seccomp_expand_text(const char *text, CapabilitySet capabilities, json_object **ret,
                        EngineError *reterr) {
        _cleanup_json_ json_object *profile = NULL;
        int r;

        r = json_parse(text, strlen(text), &profile);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || !json_object_is_type(profile, json_type_object))
                return bad_profile(reterr, "not a JSON object");
        return seccomp_expand(profile, capabilities, ret, reterr);
}
