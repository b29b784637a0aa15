/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image-ref.h"

#include "../../basic/str.h"

/*
 * Grammar (the one of the OCI distribution project):
 *   reference  = name [":" tag] ["@" digest]
 *   name       = [domain "/"] component *("/" component)        at most 255 bytes
 *   domain     = (label *("." label) | "[" IPv6 "]") [":" port]
 *   component  = lower *((("_" | "." | "__" | 1*"-") lower)     lower = 1*(a-z | 0-9)
 *   tag        = word *127(word | "." | "-")
 * The first component is a domain only if it has a dot, a colon, an upper-case letter, or is "localhost".
 */
#define DEFAULT_DOMAIN  "docker.io"
#define LEGACY_DOMAIN   "index.docker.io"
#define DEFAULT_PATH    "library/"
#define NAME_LENGTH_MAX 255
#define TAG_LENGTH_MAX  128
#define SHA256_HEX      64

/** image_ref_done - free what a parse made; safe on a zeroed reference. */
void image_ref_done(ImageRef *r) {
        r->domain = mfree(r->domain);
        r->path = mfree(r->path);
        r->tag = mfree(r->tag);
        r->digest = mfree(r->digest);
}

static bool is_lower(char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_upper(char c) {
        return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c) {
        return is_lower(c) || is_upper(c);
}

static bool has_upper(const char *s, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (is_upper(s[i]))
                        return true;
        return false;
}

static bool label_is_valid(const char *s, size_t n) {
        if (n == 0 || !is_alnum(s[0]) || !is_alnum(s[n - 1]))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!is_alnum(s[i]) && s[i] != '-')
                        return false;
        return true;
}

static bool domain_is_valid(const char *s) {
        const char *port, *end;

        if (s[0] == '[') {
                size_t n = strspn(s + 1, "0123456789abcdefABCDEF:");

                if (n == 0 || s[n + 1] != ']')
                        return false;
                end = s + n + 2;
        } else {
                end = s + strcspn(s, ":");
                for (const char *p = s;;) {
                        const char *dot = memchr(p, '.', (size_t) (end - p));

                        if (!label_is_valid(p, (size_t) ((dot ?: end) - p)))
                                return false;
                        if (!dot)
                                break;
                        p = dot + 1;
                }
        }
        if (*end == 0)
                return true;
        port = end + 1;
        return *end == ':' && *port && strspn(port, "0123456789") == strlen(port);
}

/* One path component: runs of lower-case letters and digits, with one separator between two runs. */
static bool component_is_valid(const char *s, size_t n) {
        size_t i = 0;

        for (;;) {
                size_t run = i, sep;

                while (i < n && is_lower(s[i]))
                        i++;
                if (i == run)
                        return false;
                if (i == n)
                        return true;
                for (sep = i; i < n && s[i] == s[sep] && strchr("_.-", s[i]); i++)
                        ;
                if (i == sep || (s[sep] == '.' && i - sep > 1) || (s[sep] == '_' && i - sep > 2))
                        return false;
        }
}

static bool path_is_valid(const char *s) {
        for (;;) {
                const char *e = strchrnul(s, '/');

                if (!component_is_valid(s, (size_t) (e - s)))
                        return false;
                if (!*e)
                        return true;
                s = e + 1;
        }
}

static bool tag_is_valid(const char *s) {
        size_t n = strlen(s);

        if (n == 0 || n > TAG_LENGTH_MAX || (!is_alnum(s[0]) && s[0] != '_'))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!is_alnum(s[i]) && !strchr("_.-", s[i]))
                        return false;
        return true;
}

static int refuse(char **ret_error, char *text) {
        if (!text)
                return -ENOMEM;
        if (ret_error)
                *ret_error = text;
        else
                free(text);
        return -EINVAL;
}

static int check_digest(const char *digest, char **ret_error) {
        const char *hex = startswith(digest, "sha256:");

        if (!hex) {
                const char *colon = strchr(digest, ':');

                if (colon && colon > digest && hex_is_valid(colon + 1, strlen(colon + 1)) &&
                    strlen(colon + 1) >= 32)
                        return refuse(ret_error, strdup("unsupported digest algorithm"));
                return refuse(ret_error, strdup("invalid reference format"));
        }
        if (!hex_is_valid(hex, strlen(hex)) || !*hex)
                return refuse(ret_error, strdup("invalid reference format"));
        if (strlen(hex) != SHA256_HEX)
                return refuse(ret_error, strdup("invalid checksum digest length"));
        return 0;
}

/* Where the domain ends in @text; 0 if there is none. */
static size_t domain_length(const char *text) {
        const char *slash = strchr(text, '/');
        size_t n;

        if (!slash)
                return 0;
        n = (size_t) (slash - text);
        if (memchr(text, '.', n) || memchr(text, ':', n) || has_upper(text, n) ||
            (n == strlen("localhost") && startswith(text, "localhost")))
                return n;
        return 0;
}

/* Splits @rest = path[:tag][@digest] in place. */
static void split_rest(char *rest, char **ret_tag, char **ret_digest) {
        char *at = strchr(rest, '@'), *colon;

        *ret_digest = NULL;
        if (at) {
                *at = 0;
                *ret_digest = at + 1;
        }
        colon = strchr(rest, ':');
        *ret_tag = colon ? colon + 1 : NULL;
        if (colon)
                *colon = 0;
}

static int fill(ImageRef *r, const char *text, size_t domain, char *rest, char **ret_error) {
        char *tag, *digest;
        const char *prefix = "";
        int k;

        r->domain = domain > 0 ? strndup(text, domain) : strdup(DEFAULT_DOMAIN);
        if (!r->domain)
                return -ENOMEM;
        if (streq(r->domain, LEGACY_DOMAIN)) {
                free(r->domain);
                r->domain = strdup(DEFAULT_DOMAIN);
                if (!r->domain)
                        return -ENOMEM;
        }
        if (streq(r->domain, DEFAULT_DOMAIN) && !strchr(rest, '/'))
                prefix = DEFAULT_PATH;
        split_rest(rest, &tag, &digest);
        r->path = str_concat(prefix, rest);
        if (!r->path)
                return -ENOMEM;
        if (has_upper(rest, strlen(rest)))
                return refuse(ret_error,
                              str_printf("invalid reference format: repository name (%s) must be lowercase",
                                         r->path));
        if (!domain_is_valid(r->domain) || !path_is_valid(r->path) || (tag && !tag_is_valid(tag)))
                return refuse(ret_error, strdup("invalid reference format"));
        if (strlen(r->domain) + 1 + strlen(r->path) > NAME_LENGTH_MAX)
                return refuse(ret_error, strdup("repository name must not be more than 255 characters"));
        if (digest) {
                k = check_digest(digest, ret_error);
                if (k < 0)
                        return k;
        }
        r->tag = tag ? strdup(tag) : NULL;
        r->digest = digest ? strdup(digest) : NULL;
        return (tag && !r->tag) || (digest && !r->digest) ? -ENOMEM : 0;
}

/**
 * image_ref_parse - parse and normalise a reference; no tag is added.
 * @ret_error: text for the user, only set with -EINVAL; may be NULL.
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int image_ref_parse(const char *text, ImageRef *ret, char **ret_error) {
        _cleanup_image_ref_ ImageRef ref = {};
        _cleanup_free_ char *rest = NULL;
        size_t domain;
        int r;

        if (strlen(text) == SHA256_HEX && hex_is_valid(text, SHA256_HEX))
                return refuse(ret_error,
                              str_printf("invalid repository name (%s), cannot specify 64-byte hexadecimal "
                                         "strings",
                                         text));
        domain = domain_length(text);
        rest = strdup(domain > 0 ? text + domain + 1 : text);
        if (!rest)
                return -ENOMEM;
        r = fill(&ref, text, domain, rest, ret_error);
        if (r < 0)
                return r;
        *ret = ref;
        ref = (ImageRef){};
        return 0;
}

/** image_ref_default_tag - add `latest` unless there is a tag or a digest. Return: 0 or -ENOMEM. */
int image_ref_default_tag(ImageRef *r) {
        if (r->tag || r->digest)
                return 0;
        r->tag = strdup("latest");
        return r->tag ? 0 : -ENOMEM;
}

static char *with_suffix(const ImageRef *r, const char *name) {
        return str_concat(name, r->tag ? ":" : "", strempty(r->tag), r->digest ? "@" : "",
                          strempty(r->digest));
}

/** image_ref_canonical - domain/path[:tag][@digest]; owned, NULL on ENOMEM. */
char *image_ref_canonical(const ImageRef *r) {
        _cleanup_free_ char *name = str_concat(r->domain, "/", r->path);

        return name ? with_suffix(r, name) : NULL;
}

/** image_ref_familiar_name - the name as people write it, without tag and digest; owned, NULL on ENOMEM. */
char *image_ref_familiar_name(const ImageRef *r) {
        const char *rest;

        if (!streq(r->domain, DEFAULT_DOMAIN))
                return str_concat(r->domain, "/", r->path);
        rest = startswith(r->path, DEFAULT_PATH);
        return strdup(rest && !strchr(rest, '/') ? rest : r->path);
}

/** image_ref_familiar - the reference as people write it; owned, NULL on ENOMEM. */
char *image_ref_familiar(const ImageRef *r) {
        _cleanup_free_ char *name = image_ref_familiar_name(r);

        return name ? with_suffix(r, name) : NULL;
}
