/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hashmap.h"

#include <sys/random.h>

/*
 * Open addressing with linear probing and backward-shift deletion (no tombstones). The hash is keyed with
 * random bytes, since names come from users.
 */
typedef struct Slot {
        const char *key;
        void *value;
} Slot;

struct Hashmap {
        Slot *slots;
        size_t n_slots; /* a power of two */
        size_t n_used;
        uint64_t seed;
};

/** hashmap_new - an empty map, NULL on ENOMEM. */
Hashmap *hashmap_new(void) {
        Hashmap *h = new0(Hashmap, 1);

        if (!h)
                return NULL;
        if (getrandom(&h->seed, sizeof(h->seed), GRND_NONBLOCK) != sizeof(h->seed))
                h->seed = (uint64_t) (uintptr_t) h;
        return h;
}

/** hashmap_free - free the map, not keys or values. Return: NULL. */
Hashmap *hashmap_free(Hashmap *h) {
        if (h)
                free(h->slots);
        free(h);
        return NULL;
}

static size_t home_of(const Hashmap *h, const char *key) {
        uint64_t x = h->seed ^ UINT64_C(0xcbf29ce484222325);

        for (; *key; key++)
                x = (x ^ (uint8_t) *key) * UINT64_C(0x100000001b3);
        x ^= x >> 29;
        x *= UINT64_C(0xbf58476d1ce4e5b9);
        x ^= x >> 32;
        return (size_t) x & (h->n_slots - 1);
}

static Slot *find(const Hashmap *h, const char *key) {
        size_t i = home_of(h, key);

        while (h->slots[i].key && !streq(h->slots[i].key, key))
                i = (i + 1) & (h->n_slots - 1);
        return &h->slots[i];
}

static int grow(Hashmap *h) {
        size_t n_old = h->n_slots;
        Slot *old = h->slots, *slots;

        slots = new0(Slot, n_old > 0 ? n_old * 2 : 16);
        if (!slots)
                return -ENOMEM;
        h->slots = slots;
        h->n_slots = n_old > 0 ? n_old * 2 : 16;
        for (size_t i = 0; i < n_old; i++)
                if (old[i].key)
                        *find(h, old[i].key) = old[i];
        free(old);
        return 0;
}

/** hashmap_put - add an entry. Return: 0, -EEXIST (nothing changed), -ENOMEM. */
int hashmap_put(Hashmap *h, const char *key, void *value) {
        Slot *s;
        int r;

        if ((h->n_used + 1) * 4 > h->n_slots * 3) {
                r = grow(h);
                if (r < 0)
                        return r;
        }
        s = find(h, key);
        if (s->key)
                return -EEXIST;
        *s = (Slot){ key, value };
        h->n_used++;
        return 0;
}

/** hashmap_get - the value, or NULL. */
void *hashmap_get(const Hashmap *h, const char *key) {
        return h && h->n_slots > 0 ? find(h, key)->value : NULL;
}

/** hashmap_remove - take an entry out. Return: its value, or NULL. */
void *hashmap_remove(Hashmap *h, const char *key) {
        size_t hole, i;
        void *value;
        Slot *s;

        if (h->n_slots == 0)
                return NULL;
        s = find(h, key);
        if (!s->key)
                return NULL;
        value = s->value;
        hole = (size_t) (s - h->slots);
        for (i = (hole + 1) & (h->n_slots - 1); h->slots[i].key; i = (i + 1) & (h->n_slots - 1)) {
                size_t home = home_of(h, h->slots[i].key);

                /* Movable only if its home is not between the hole and itself (cyclically). */
                if (((i - home) & (h->n_slots - 1)) >= ((i - hole) & (h->n_slots - 1))) {
                        h->slots[hole] = h->slots[i];
                        hole = i;
                }
        }
        h->slots[hole] = (Slot){};
        h->n_used--;
        return value;
}

/** hashmap_size - number of entries. */
size_t hashmap_size(const Hashmap *h) {
        return h ? h->n_used : 0;
}

/** hashmap_next - see hashmap.h. Either out pointer may be NULL. */
bool hashmap_next(const Hashmap *h, size_t *position, const char **ret_key, void **ret_value) {
        for (; h && *position < h->n_slots; (*position)++) {
                const Slot *s = &h->slots[*position];

                if (!s->key)
                        continue;
                if (ret_key)
                        *ret_key = s->key;
                if (ret_value)
                        *ret_value = s->value;
                (*position)++;
                return true;
        }
        return false;
}
