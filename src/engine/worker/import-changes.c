/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "import-changes.h"

#include <strings.h>

#include "../../basic/json.h"
#include "../../basic/str.h"

typedef struct Change {
        json_object *config;
        const char *name; /* the instruction, as the table spells it */
        const char *rest;
        char **ret_error;
} Change;

static int bad(Change *c, const char *why) {
        *c->ret_error = str_printf("change \"%s %.512s\": %s", c->name, c->rest, why);
        return *c->ret_error ? -EINVAL : -ENOMEM;
}

/* Splits at white space outside of quotes and takes the quotes and backslashes away. */
static int split_words(Change *c, char ***ret) {
        _cleanup_strv_ char **words = new0(char *, 1);
        _cleanup_free_ char *word = malloc(strlen(c->rest) + 1);
        const char *p = c->rest;

        if (!words || !word)
                return -ENOMEM;
        for (;;) {
                size_t n = 0;
                char quote = 0;

                p += strspn(p, " \t");
                if (!*p)
                        break;
                for (; *p && (quote || !strchr(" \t", *p)); p++) {
                        if (*p == '\\' && p[1] && quote != '\'')
                                word[n++] = *++p;
                        else if (*p == quote)
                                quote = 0;
                        else if (!quote && (*p == '"' || *p == '\''))
                                quote = *p;
                        else
                                word[n++] = *p;
                }
                if (quote)
                        return bad(c, "a quote is not closed");
                word[n] = 0;
                if (strv_extend(&words, word) < 0)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(words);
        return 0;
}

/* ["a", "b"], or NULL for the plain form. */
static int parse_list(Change *c, json_object **ret) {
        json_object *o = NULL;

        *ret = NULL;
        if (c->rest[0] != '[' || json_parse(c->rest, strlen(c->rest), &o) < 0)
                return 0;
        for (size_t i = 0; json_object_is_type(o, json_type_array) && i < json_object_array_length(o); i++)
                if (!json_object_is_type(json_object_array_get_idx(o, i), json_type_string)) {
                        json_object_put(o);
                        return bad(c, "the list may hold strings only");
                }
        *ret = o;
        return 0;
}

static int set_command(Change *c, const char *key) {
        json_object *list;
        int r;

        r = parse_list(c, &list);
        if (r < 0)
                return r;
        if (list)
                return json_set(c->config, key, list);
        list = json_object_new_array();
        r = json_set(c->config, key, list);
        if (r < 0 || !*c->rest)
                return r;
        r = json_add_str(list, "/bin/sh");
        if (r >= 0)
                r = json_add_str(list, "-c");
        return r < 0 ? r : json_add_str(list, c->rest);
}

static int change_cmd(Change *c) {
        return set_command(c, "Cmd");
}

static int change_entrypoint(Change *c) {
        return set_command(c, "Entrypoint");
}

/* NAME=value replaces an earlier NAME=. */
static int put_env(json_object *list, const char *assignment) {
        size_t n = strcspn(assignment, "=") + 1;
        json_object *s = json_object_new_string(assignment);

        if (!s)
                return -ENOMEM;
        for (size_t i = 0; i < json_object_array_length(list); i++)
                if (strncmp(json_object_get_string(json_object_array_get_idx(list, i)), assignment, n) ==
                    0) {
                        if (json_object_array_put_idx(list, i, s) < 0) {
                                json_object_put(s);
                                return -ENOMEM;
                        }
                        return 0;
                }
        return json_add(list, s);
}

static json_object *child(json_object *o, const char *key, bool array) {
        json_object *v = json_get(o, key);

        if (v)
                return v;
        v = array ? json_object_new_array() : json_object_new_object();
        return json_set(o, key, v) < 0 ? NULL : v;
}

/* KEY=value ... or the old form KEY rest-of-line. Calls @put with each KEY=value. */
static int each_assignment(Change *c, json_object *into,
                           int (*put)(json_object *into, const char *assignment)) {
        _cleanup_strv_ char **words = NULL;
        int r;

        if (!into)
                return -ENOMEM;
        r = split_words(c, &words);
        if (r < 0)
                return r;
        if (!words[0])
                return bad(c, "a value is missing");
        if (!strchr(words[0], '=')) {
                size_t n = strcspn(c->rest, " \t");
                _cleanup_free_ char *one = str_printf("%.*s=%s", (int) n, c->rest,
                                                      c->rest + n + strspn(c->rest + n, " \t"));

                if (!words[1])
                        return bad(c, "a value is missing");
                return one ? put(into, one) : -ENOMEM;
        }
        for (char **w = words; r >= 0 && *w; w++) {
                if (!strchr(*w, '=') || **w == '=')
                        return bad(c, "every word must be NAME=value");
                r = put(into, *w);
        }
        return r;
}

static int change_env(Change *c) {
        return each_assignment(c, child(c->config, "Env", true), put_env);
}

static int put_label(json_object *labels, const char *assignment) {
        size_t n = strcspn(assignment, "=");
        _cleanup_free_ char *key = strndup(assignment, n);

        return key ? json_set_str(labels, key, assignment + n + 1) : -ENOMEM;
}

static int change_label(Change *c) {
        return each_assignment(c, child(c->config, "Labels", false), put_label);
}

static int put_port(Change *c, json_object *ports, const char *word) {
        _cleanup_free_ char *key = NULL, *number = strndup(word, strcspn(word, "/"));
        const char *protocol = strchr(word, '/');
        uint64_t port;

        if (!number)
                return -ENOMEM;
        if (parse_u64(number, 65535, &port) < 0 || port == 0 ||
            (protocol && !streq(protocol, "/tcp") && !streq(protocol, "/udp") && !streq(protocol, "/sctp")))
                return bad(c,
                           "a port is a number, or a number with /tcp, /udp or /sctp; ranges are not supported");
        key = str_printf("%u%s", (unsigned) port, protocol ?: "/tcp");
        return key ? json_set(ports, key, json_object_new_object()) : -ENOMEM;
}

static int change_expose(Change *c) {
        json_object *ports = child(c->config, "ExposedPorts", false);
        _cleanup_strv_ char **words = NULL;
        int r;

        r = ports ? split_words(c, &words) : -ENOMEM;
        for (char **w = words; r >= 0 && *w; w++)
                r = put_port(c, ports, *w);
        return r;
}

static int change_volume(Change *c) {
        json_object *volumes = child(c->config, "Volumes", false);
        _cleanup_json_ json_object *list = NULL;
        _cleanup_strv_ char **words = NULL;
        int r;

        r = volumes ? parse_list(c, &list) : -ENOMEM;
        if (r < 0)
                return r;
        for (size_t i = 0; list && r >= 0 && i < json_object_array_length(list); i++)
                r = json_set(volumes, json_object_get_string(json_object_array_get_idx(list, i)),
                             json_object_new_object());
        if (list || r < 0)
                return r;
        r = split_words(c, &words);
        for (char **w = words; r >= 0 && *w; w++)
                r = json_set(volumes, *w, json_object_new_object());
        return r;
}

static int set_text(Change *c, const char *key) {
        return *c->rest ? json_set_str(c->config, key, c->rest) : bad(c, "a value is missing");
}

static int change_user(Change *c) {
        return set_text(c, "User");
}

static int change_stopsignal(Change *c) {
        return signal_from_string(c->rest) > 0 ? set_text(c, "StopSignal") : bad(c, "no such signal");
}

/* A relative one counts from the one before. */
static int change_workdir(Change *c) {
        const char *before = json_string_or(c->config, "WorkingDir", "");
        _cleanup_free_ char *joined = NULL;

        if (c->rest[0] == '/' || !*c->rest)
                return set_text(c, "WorkingDir");
        joined = str_concat(streq(before, "/") ? "" : before, "/", c->rest);
        return joined ? json_set_str(c->config, "WorkingDir", joined) : -ENOMEM;
}

static const struct {
        const char *name;
        int (*apply)(Change *c);
} instructions[] = {
        { "CMD", change_cmd },         { "ENTRYPOINT", change_entrypoint },
        { "ENV", change_env },         { "EXPOSE", change_expose },
        { "LABEL", change_label },     { "STOPSIGNAL", change_stopsignal },
        { "USER", change_user },       { "VOLUME", change_volume },
        { "WORKDIR", change_workdir },
};

/** import_change_apply - see import-changes.h. */
int import_change_apply(json_object *config, const char *change, char **ret_error) {
        Change c = { .config = config, .ret_error = ret_error };
        size_t n;

        change += strspn(change, " \t");
        n = strcspn(change, " \t");
        c.rest = change + n + strspn(change + n, " \t");
        for (size_t i = 0; i < ELEMENTSOF(instructions); i++)
                if (strlen(instructions[i].name) == n && strncasecmp(instructions[i].name, change, n) == 0) {
                        c.name = instructions[i].name;
                        return instructions[i].apply(&c);
                }
        *ret_error = str_printf("%.*s is not a valid change command", (int) MIN(n, (size_t) 64), change);
        if (!*ret_error)
                return -ENOMEM;
        return (n == 7 && strncasecmp(change, "ONBUILD", n) == 0) ||
                                               (n == 11 && strncasecmp(change, "HEALTHCHECK", n) == 0)
                               ? -EOPNOTSUPP
                               : -EINVAL;
}
