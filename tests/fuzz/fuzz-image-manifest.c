/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>

#include "fuzz.h"
#include "basic/fd.h"
#include "basic/file.h"
#include "basic/str.h"
#include "engine/image/blob.h"
#include "engine/worker/archive-plan.h"

/*
 * Input: up to four texts with a NUL between them. The last ones become blobs first; @1, @2, @3 in a text
 * stand for the digest of the text with that number, so that the fuzzer gets past the digest checks. The
 * first is manifest.json or index.json.
 */
#define TEXTS 4

static int work_dir(void) {
        static int fd = -EBADF;
        char path[] = "/tmp/berth-fuzz-XXXXXX";

        if (fd >= 0)
                return fd;
        assert(mkdtemp(path));
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        /* The files need no names but below this fd. */
        return fd;
}

static char *expand(const char *text, char digests[TEXTS][65]) {
        Buffer b = BUFFER_INIT(1 << 20);

        assert(buffer_append_str(&b, "") == 0);
        for (; *text; text++) {
                bool reference = text[0] == '@' && text[1] >= '1' && text[1] < '0' + TEXTS;

                if (buffer_append(&b, reference ? digests[text[1] - '0'] : text, reference ? 64 : 1) < 0)
                        break;
                text += reference;
        }
        return buffer_take(&b);
}

static void add(MemberSpool *s, unsigned index, const char *name, const char *text, char digest[65]) {
        SpoolMember *m = new0(SpoolMember, 1);
        char file[16];

        (void) snprintf(file, sizeof(file), "%u", index);
        assert(sha256_hex(text, strlen(text), digest) == 0);
        assert(write_file_at(s->dir_fd, file, text, strlen(text), 0600, 0) == 0);
        *m = (SpoolMember){ .name = name ? strdup(name) : str_concat("blobs/sha256/", digest),
                            .size = strlen(text),
                            .index = index };
        memcpy(m->sha256, digest, 65);
        s->items = reallocarray(s->items, s->n + 1, sizeof(*s->items));
        s->items[s->n++] = m;
        (void) hashmap_remove(s->by_name, m->name);
        assert(hashmap_put(s->by_name, m->name, m) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_archive_plan_ ArchivePlan docker = {}, oci = {};
        _cleanup_member_spool_ MemberSpool s = MEMBER_SPOOL_INIT;
        _cleanup_free_ char *input = calloc(1, size + 1), *top = NULL;
        char digests[TEXTS][65] = {};
        const char *texts[TEXTS] = { "", "", "", "" };
        int r;

        memcpy(input, data, size);
        for (size_t i = 0, at = 0; i < TEXTS && at < size; i++) {
                texts[i] = input + at;
                at += strlen(texts[i]) + 1;
        }
        s.dir_fd = fcntl(work_dir(), F_DUPFD_CLOEXEC, 3);
        s.by_name = hashmap_new();
        for (unsigned i = TEXTS - 1; i > 0; i--) {
                _cleanup_free_ char *text = expand(texts[i], digests);

                add(&s, i, NULL, text, digests[i]);
        }
        top = expand(texts[0], digests);
        r = plan_docker(&docker, &s, top, strlen(top));
        assert(r != -EBADMSG || docker.error);
        r = plan_oci(&oci, &s, top, strlen(top), "amd64");
        assert(r != -EBADMSG || oci.error);
        for (size_t i = 0; r >= 0 && i < oci.n; i++)
                for (size_t k = 0; k < oci.images[i].n_layers; k++)
                        assert(oci.images[i].layers[k].member);
        return 0;
}
