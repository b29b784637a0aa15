/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "protobuf.h"

enum {
        WIRE_NUMBER = 0,
        WIRE_FIXED64 = 1,
        WIRE_BYTES = 2,
        WIRE_FIXED32 = 5,
};

static int add_varint(Buffer *b, uint64_t v) {
        unsigned char bytes[10];
        size_t n = 0;

        do {
                bytes[n] = (unsigned char) (v & 0x7f);
                v >>= 7;
                if (v != 0)
                        bytes[n] |= 0x80;
                n++;
        } while (v != 0);
        return buffer_append(b, bytes, n);
}

static int add_key(Buffer *b, unsigned field, unsigned wire) {
        return add_varint(b, (uint64_t) field << 3 | wire);
}

/** pb_add_number - a field that is a number, a truth or one of an enumeration. */
int pb_add_number(Buffer *b, unsigned field, uint64_t value) {
        int r = add_key(b, field, WIRE_NUMBER);

        return r < 0 ? r : add_varint(b, value);
}

/** pb_add_bytes - a field with a length: bytes, or an encoded message. */
int pb_add_bytes(Buffer *b, unsigned field, const void *data, size_t size) {
        int r = add_key(b, field, WIRE_BYTES);

        if (r >= 0)
                r = add_varint(b, size);
        return r < 0 || size == 0 ? r : buffer_append(b, data, size);
}

/** pb_add_text - a field of text. */
int pb_add_text(Buffer *b, unsigned field, const char *text) {
        return pb_add_bytes(b, field, text, strlen(text));
}

static int read_varint(PbReader *r, uint64_t *ret) {
        uint64_t v = 0;

        for (unsigned shift = 0; shift < 64; shift += 7) {
                unsigned char byte;

                if (r->p >= r->end)
                        return -EBADMSG;
                byte = (unsigned char) *r->p++;
                v |= (uint64_t) (byte & 0x7f) << shift;
                if (!(byte & 0x80)) {
                        *ret = v;
                        return 0;
                }
        }
        return -EBADMSG;
}

static int read_bytes(PbReader *r, uint64_t size, PbField *f) {
        if (size > (size_t) (r->end - r->p))
                return -EBADMSG;
        f->data = r->p;
        f->size = (size_t) size;
        r->p += size;
        return 0;
}

/**
 * pb_next - the next field of a message.
 *
 * Return: 1, 0 at the end, -EBADMSG when it is cut off or no message at all.
 */
int pb_next(PbReader *r, PbField *ret) {
        PbField f = {};
        uint64_t key, size;
        int q;

        if (r->p >= r->end)
                return 0;
        q = read_varint(r, &key);
        if (q < 0)
                return q;
        if (key >> 3 == 0 || key >> 3 > 0x1fffffff)
                return -EBADMSG;
        f.number = (unsigned) (key >> 3);
        switch (key & 7) {
        case WIRE_NUMBER:
                q = read_varint(r, &f.value);
                break;
        case WIRE_FIXED64:
                q = read_bytes(r, 8, &f);
                break;
        case WIRE_FIXED32:
                q = read_bytes(r, 4, &f);
                break;
        case WIRE_BYTES:
                q = read_varint(r, &size);
                if (q >= 0)
                        q = read_bytes(r, size, &f);
                break;
        default:
                return -EBADMSG;
        }
        if (q < 0)
                return q;
        *ret = f;
        return 1;
}
