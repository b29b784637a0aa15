/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image-filter.h"

#include <fnmatch.h>

#include "../basic/clock.h"
#include "../basic/json.h"
#include "../basic/str.h"

/** image_filter_done - free; safe on a zeroed filter. */
void image_filter_done(ImageFilter *f) {
        f->references = strv_free(f->references);
        f->labels = strv_free(f->labels);
}

static int resolve_created(ImageStore *s, const char *name, usec_t *ret, EngineError *reterr) {
        _cleanup_image_ Image *i = NULL;
        int r;

        r = image_resolve(s, name, &i);
        if (r < 0) {
                _cleanup_free_ char *text = image_error_text(name, r);

                return text ? error_set(reterr, r == -ENOTUNIQ ? -EINVAL : r, "%s", text) : -ENOMEM;
        }
        *ret = i->created;
        return 0;
}

static int parse_time(const char *value, usec_t *ret) {
        return parse_unix_time(value, ret) >= 0 ? 0 : parse_rfc3339(value, ret);
}

static int add_term(ImageFilter *f, ImageStore *s, const char *key, const char *value, EngineError *reterr) {
        usec_t t;
        int r;

        if (streq(key, "reference"))
                return strv_extend(&f->references, value);
        if (streq(key, "label"))
                return strv_extend(&f->labels, value);
        if (streq(key, "dangling")) {
                f->dangling = parse_bool(value);
                return f->dangling < 0 ? error_set(reterr, -EINVAL, "invalid filter 'dangling=[%s]'", value)
                                       : 0;
        }
        if (streq(key, "until")) {
                if (parse_time(value, &t) < 0)
                        return error_set(reterr, -EINVAL,
                                         "invalid filter 'until=%s': not a Unix or RFC 3339 time", value);
                f->before = MIN(f->before, t);
                return 0;
        }
        if (streq(key, "before") || streq(key, "since")) {
                r = resolve_created(s, value, &t, reterr);
                if (r < 0)
                        return r;
                if (key[0] == 'b')
                        f->before = MIN(f->before, t);
                else
                        f->after = MAX(f->after, t);
                return 0;
        }
        return error_set(reterr, -EINVAL, "invalid filter '%s'", key);
}

static int add_values(ImageFilter *f, ImageStore *s, const char *key, json_object *values,
                      EngineError *reterr) {
        int r = 0;

        if (json_object_is_type(values, json_type_array)) {
                for (size_t i = 0; r >= 0 && i < json_object_array_length(values); i++) {
                        json_object *v = json_object_array_get_idx(values, i);

                        r = json_object_is_type(v, json_type_string)
                                    ? add_term(f, s, key, json_object_get_string(v), reterr)
                                    : error_set(reterr, -EINVAL, "invalid filter");
                }
                return r;
        }
        if (!json_object_is_type(values, json_type_object))
                return error_set(reterr, -EINVAL, "invalid filter");
        json_object_object_foreach(values, value, enabled)
                if (r >= 0 && json_object_get_boolean(enabled))
                        r = add_term(f, s, key, value, reterr);
        return r;
}

/** image_filter_parse - NULL or empty @text lets everything through. Return: 0, -EINVAL, -ENOENT (before,
 * since), -ENOMEM. */
int image_filter_parse(ImageStore *s, const char *text, ImageFilter *ret, EngineError *reterr) {
        _cleanup_image_filter_ ImageFilter f = { .dangling = -1, .before = USEC_INFINITY };
        _cleanup_json_ json_object *o = NULL;
        int r = 0;

        if (!isempty(text)) {
                r = json_parse(text, strlen(text), &o);
                if (r == -ENOMEM)
                        return r;
                if (r < 0 || !json_object_is_type(o, json_type_object))
                        return error_set(reterr, -EINVAL, "invalid filter");
                r = 0;
                json_object_object_foreach(o, key, values)
                        if (r >= 0)
                                r = add_values(&f, s, key, values, reterr);
                if (r < 0)
                        return r;
        }
        *ret = f;
        f = (ImageFilter){};
        return 0;
}

static bool label_matches(json_object *labels, const char *term) {
        _cleanup_free_ char *key = strndup(term, strcspn(term, "="));
        const char *value, *eq = strchr(term, '=');

        value = key && labels ? json_string_or(labels, key, NULL) : NULL;
        return value && (!eq || streq(value, eq + 1));
}

/* The pattern may leave the tag or digest out. A star does not match a slash. */
static bool reference_matches(char *const *patterns, const char *name) {
        const char *slash = strrchr(name, '/'), *end = strpbrk(slash ? slash : name, "@:");
        _cleanup_free_ char *bare = end ? strndup(name, (size_t) (end - name)) : NULL;

        for (; patterns && *patterns; patterns++)
                if (fnmatch(*patterns, name, FNM_PATHNAME) == 0 ||
                    (bare && fnmatch(*patterns, bare, FNM_PATHNAME) == 0))
                        return true;
        return false;
}

static size_t keep_matching(char **names, char *const *patterns) {
        size_t kept = 0;

        for (char **p = names; p && *p; p++) {
                char *name = *p;

                *p = NULL;
                if (reference_matches(patterns, name))
                        names[kept++] = name;
                else
                        free(name);
        }
        return kept;
}

/** image_filter_match - see image-filter.h. */
bool image_filter_match(const ImageFilter *f, Image *i) {
        json_object *labels = json_get(i->config, "Labels");
        bool dangling = strv_length(i->repo_tags) == 0;

        if (f->dangling >= 0 && dangling != (f->dangling > 0))
                return false;
        if ((f->after > 0 && i->created <= f->after) ||
            (f->before != USEC_INFINITY && i->created >= f->before))
                return false;
        for (char **l = f->labels; l && *l; l++)
                if (!label_matches(labels, *l))
                        return false;
        if (f->references) {
                size_t n = keep_matching(i->repo_tags, f->references);

                n += keep_matching(i->repo_digests, f->references);
                if (n == 0)
                        return false;
        }
        return true;
}
