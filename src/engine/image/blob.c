/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "blob.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include "../../basic/file.h"
#include "../../basic/json.h"
#include "../../basic/str.h"

/** sha256_hex - digest of @data as 64 digits and NUL. Return: 0 or -ENOMEM. */
int sha256_hex(const void *data, size_t size, char ret[DIGEST_HEX + 1]) {
        uint8_t digest[EVP_MAX_MD_SIZE];
        unsigned n = 0;

        if (EVP_Digest(data, size, digest, &n, EVP_sha256(), NULL) != 1 || n * 2 != DIGEST_HEX)
                return -ENOMEM;
        hex_encode(digest, n, ret);
        return 0;
}

/** blob_write - store @data under its digest @hex, durable on return. What is there already is right by its
 * name. */
int blob_write(ImageStore *s, const char *hex, const void *data, size_t size) {
        struct stat st;

        if (fstatat(s->blobs_fd, hex, &st, AT_SYMLINK_NOFOLLOW) >= 0 && (uint64_t) st.st_size == size)
                return 0;
        return write_file_at(s->blobs_fd, hex, data, size, 0600, WRITE_REPLACE | WRITE_SYNC);
}

/** blob_load_json - see blob.h. */
int blob_load_json(ImageStore *s, const char *hex, json_object **ret) {
        _cleanup_free_ char *text = NULL;
        char digest[DIGEST_HEX + 1];
        size_t size;
        int r;

        r = read_file_at(s->blobs_fd, hex, IMAGE_JSON_MAX, &text, &size);
        if (r >= 0)
                r = sha256_hex(text, size, digest);
        if (r < 0)
                return r;
        if (!streq(digest, hex))
                return -EUCLEAN;
        r = json_parse(text, size, ret);
        return r == -ENOMEM ? r : r < 0 ? -EUCLEAN : 0;
}
