/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "detach-keys.h"

static int parse_key(const char *s, size_t n, uint8_t *ret) {
        if (n == 1) {
                *ret = (uint8_t) s[0];
                return 0;
        }
        if (n != 6 || strncmp(s, "ctrl-", 5) != 0)
                return -EINVAL;
        if (s[5] >= 'a' && s[5] <= 'z')
                *ret = (uint8_t) (s[5] - 'a' + 1);
        else if (s[5] >= '[' && s[5] <= '_')
                *ret = (uint8_t) (s[5] - '[' + 27);
        else if (s[5] == '@')
                *ret = 0;
        else
                return -EINVAL;
        return 0;
}

/**
 * detach_keys_parse - "ctrl-p,ctrl-q", "a,b,ctrl-[" ...; the empty text means no keys at all.
 *
 * Return: 0, -EINVAL, -E2BIG.
 */
int detach_keys_parse(const char *text, DetachKeys *ret) {
        DetachKeys d = {};
        int r;

        while (*text) {
                size_t n = strcspn(text, ",");

                if (n == 0 && text[0] == ',')
                        n = 1; /* the comma itself as a key */
                if (d.n >= DETACH_KEYS_MAX)
                        return -E2BIG;
                r = parse_key(text, n, &d.keys[d.n]);
                if (r < 0)
                        return r;
                d.n++;
                text += n;
                if (*text == ',' && text[1])
                        text++;
                else if (*text)
                        return -EINVAL;
        }
        *ret = d;
        return 0;
}

/* How much of the sequence is matched after @c arrived behind @matched matching bytes. */
static uint8_t advance(const DetachKeys *d, uint8_t c) {
        uint8_t m = d->matched;

        if (d->keys[m] == c)
                return (uint8_t) (m + 1);
        /* The longest beginning of the sequence that is an end of what was typed. */
        for (uint8_t k = m; k > 0; k--)
                if (d->keys[k - 1] == c && memcmp(d->keys, d->keys + (m - k + 1), (size_t) k - 1) == 0)
                        return k;
        return 0;
}

/**
 * detach_keys_filter - append to @out what may go to the payload; bytes that may be the sequence are held
 * back.
 *
 * Return: 1 when the sequence is complete (the rest of @data is dropped), 0, -E2BIG or -ENOMEM of @out.
 */
int detach_keys_filter(DetachKeys *d, const char *data, size_t size, Buffer *out) {
        int r;

        if (d->n == 0)
                return buffer_append(out, data, size);
        for (size_t i = 0; i < size; i++) {
                uint8_t before = d->matched, now = advance(d, (uint8_t) data[i]);

                if (now == d->n) {
                        d->matched = 0;
                        return 1;
                }
                /* before + 1 bytes were pending, now of them stay so. */
                r = buffer_append(out, d->keys, MIN((size_t) before, (size_t) before + 1 - now));
                if (r >= 0 && now == 0)
                        r = buffer_append(out, data + i, 1);
                if (r < 0)
                        return r;
                d->matched = now;
        }
        return 0;
}
