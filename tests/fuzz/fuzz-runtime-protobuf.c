/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What criu sends: any message, read and written again, and its answers as we understand them. */
#include "fuzz.h"
#include "runtime/checkpoint/criu-message.h"
#include "runtime/checkpoint/protobuf.h"

/* What can be read says the same when it is written again. Fixed sizes come as bytes, which we never write.
 */
static void read_all(const char *data, size_t size) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024 * 1024);
        PbReader r = { data, data + size };
        PbField f;
        int q;

        while ((q = pb_next(&r, &f)) > 0) {
                PbReader again;
                PbField g = {};
                size_t start = b.size;

                assert(f.number >= 1 && f.number <= 0x1fffffff && r.p <= data + size);
                if (f.data)
                        assert(f.data >= data && f.size <= (size_t) (data + size - f.data));
                q = f.data ? pb_add_bytes(&b, f.number, f.data, f.size) :
                             pb_add_number(&b, f.number, f.value);
                if (q < 0)
                        return; /* more than the buffer takes */
                again = (PbReader) { b.data + start, b.data + b.size };
                q = pb_next(&again, &g);
                assert(q == 1 && again.p == again.end && g.number == f.number && g.value == f.value);
                assert(!g.data == !f.data && g.size == f.size);
                assert(f.size == 0 || memcmp(f.data, g.data, f.size) == 0);
        }
        assert(q == 0 || q == -EBADMSG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CriuResponse a;
        int r;

        read_all((const char *) data, size);
        r = criu_response_parse((const char *) data, size, &a);
        assert(r == 0 || r == -EBADMSG);
        if (r == 0) {
                assert(a.pid >= 0 && memchr(a.event, 0, sizeof(a.event)));
                assert(a.version <= CRIU_VERSION_OF(99, 100, 0));
        }
        return 0;
}
