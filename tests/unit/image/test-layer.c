/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <fcntl.h>
#include <locale.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "basic/fd.h"
#include "basic/file.h"
#include "basic/str.h"
#include "engine/worker/layer-extract.h"
#include "tar-builder.h"

typedef struct Place {
        char path[64];
        int outer_fd; /* holds root/ and a witness file that must never change */
        int fd;       /* root/ */
        TarBuilder tar;
        char hex[65];
        uint64_t size;
        char *error;
} Place;

static int set_up(void **state) {
        Place *p = new0(Place, 1);

        /* Not /tmp: that may be a tmpfs without the extended attributes. */
        (void) snprintf(p->path, sizeof(p->path), "/var/tmp/berth-layer-XXXXXX");
        if (!mkdtemp(p->path))
                return -1;
        p->outer_fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (mkdirat(p->outer_fd, "root", 0755) < 0 ||
            write_file_at(p->outer_fd, "witness", "w", 1, 0600, 0) < 0)
                return -1;
        p->fd = openat(p->outer_fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        tar_begin(&p->tar, NULL);
        *state = p;
        return p->fd < 0;
}

static int tear_down(void **state) {
        Place *p = *state;
        _cleanup_free_ char *witness = NULL;
        struct stat st;
        int r = 0;

        if (read_file_at(p->outer_fd, "witness", 100, &witness, NULL) < 0 || !streq(witness, "w") ||
            fstatat(p->outer_fd, "witness", &st, 0) < 0 || st.st_nlink != 1 ||
            st.st_mode != (S_IFREG | 0600))
                r = -1;
        (void) safe_close(p->fd);
        (void) safe_close(p->outer_fd);
        (void) remove_tree_at(AT_FDCWD, p->path);
        free(p->tar.data);
        free(p->error);
        free(p);
        return r;
}

typedef struct Memory {
        const char *data;
        size_t size;
} Memory;

static ssize_t read_memory(void *userdata, void *data, size_t size) {
        Memory *m = userdata;
        size_t n = MIN(MIN(size, m->size), (size_t) 1000);

        memcpy(data, m->data, n);
        m->data += n;
        m->size -= n;
        return (ssize_t) n;
}

static int extract(Place *p) {
        Memory m;

        tar_end(&p->tar);
        m = (Memory){ p->tar.data, p->tar.used };
        return layer_extract(p->fd, read_memory, &m, NULL, NULL, p->hex, &p->size, &p->error);
}

static void need_root(void) {
        if (geteuid() != 0)
                skip();
}

static void refused(Place *p, const char *text) {
        int r;

        need_root();
        r = extract(p);
        assert_int_equal(r, -EBADMSG);
        assert_non_null(p->error);
        if (!strstr(p->error, text))
                fail_msg("\"%s\" is not in \"%s\"", text, p->error);
}

static void look(Place *p, const char *name, struct stat *st) {
        if (fstatat(p->fd, name, st, AT_SYMLINK_NOFOLLOW) < 0)
                fail_msg("%s: %s", name, strerror(errno));
}

static bool is_whiteout(Place *p, const char *name) {
        struct stat st;

        look(p, name, &st);
        return S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

static bool is_opaque(Place *p, const char *name) {
        _cleanup_close_ int fd = openat(p->fd, name, O_RDONLY | O_DIRECTORY);
        char value[8];

        assert_true(fd >= 0);
        return fgetxattr(fd, "trusted.overlay.opaque", value, sizeof(value)) == 1 && value[0] == 'y';
}

static void test_kinds(void **state) {
        Place *p = *state;
        struct stat st;
        char target[32] = "";

        need_root();
        tar_owned(&p->tar, "./", S_IFDIR | 0751, 5, 6, 999, NULL);
        tar_owned(&p->tar, "d", S_IFDIR | 01777, 1, 2, 12345, NULL);
        tar_owned(&p->tar, "d/suid", S_IFREG | 06755, 1000, 1001, 777, "hello");
        tar_owned(&p->tar, "no/parents/here", S_IFREG | 0400, 0, 0, 1, "x");
        tar_special(&p->tar, "d/link", S_IFLNK | 0777, "/etc/passwd", 0, 0);
        tar_special(&p->tar, "d/fifo", S_IFIFO | 0640, NULL, 0, 0);
        tar_special(&p->tar, "d/null", S_IFCHR | 0666, NULL, 1, 3);
        tar_special(&p->tar, "d/disk", S_IFBLK | 0660, NULL, 8, 1);
        tar_hardlink(&p->tar, "hard", "./d/suid");
        assert_int_equal(extract(p), 0);
        assert_int_equal(p->size, 6);
        look(p, ".", &st);
        assert_int_equal(st.st_mode, S_IFDIR | 0751);
        assert_int_equal(st.st_uid, 5);
        assert_int_equal(st.st_mtime, 999);
        look(p, "d", &st);
        assert_int_equal(st.st_mode, S_IFDIR | 01777);
        assert_int_equal(st.st_mtime, 12345);
        look(p, "d/suid", &st);
        assert_int_equal(st.st_mode, S_IFREG | 06755);
        assert_int_equal(st.st_uid, 1000);
        assert_int_equal(st.st_gid, 1001);
        assert_int_equal(st.st_mtime, 777);
        assert_int_equal(st.st_nlink, 2);
        look(p, "no/parents", &st);
        assert_int_equal(st.st_mode, S_IFDIR | 0755);
        look(p, "d/fifo", &st);
        assert_int_equal(st.st_mode, S_IFIFO | 0640);
        look(p, "d/null", &st);
        assert_int_equal(st.st_mode, S_IFCHR | 0666);
        assert_int_equal(st.st_rdev, makedev(1, 3));
        look(p, "d/disk", &st);
        assert_int_equal(st.st_mode, S_IFBLK | 0660);
        assert_int_equal(readlinkat(p->fd, "d/link", target, sizeof(target) - 1), 11);
        assert_string_equal(target, "/etc/passwd");
}

static void test_digest_is_of_uncompressed(void **state) {
        Place *p = *state;
        char plain[65];
        size_t plain_size;

        need_root();
        tar_file(&p->tar, "a", "same");
        assert_int_equal(extract(p), 0);
        memcpy(plain, p->hex, sizeof(plain));
        plain_size = p->tar.used;
        for (unsigned i = 0; i < 4; i++) {
                static const char *const filters[] = { "gzip", "zstd", "xz", "bzip2" };

                free(p->tar.data);
                tar_begin(&p->tar, filters[i]);
                tar_file(&p->tar, "a", "same");
                assert_int_equal(extract(p), 0);
                assert_true(p->tar.used < plain_size);
                assert_string_equal(p->hex, plain);
        }
}

static void test_duplicates(void **state) {
        Place *p = *state;
        _cleanup_free_ char *text = NULL;
        struct stat st;

        need_root();
        tar_file(&p->tar, "a", "first");
        tar_file(&p->tar, "a", "second");
        tar_file(&p->tar, "d/x", "gone");
        tar_file(&p->tar, "d", "a file now");
        tar_file(&p->tar, "e", "a file");
        tar_special(&p->tar, "e", S_IFDIR | 0700, NULL, 0, 0);
        tar_file(&p->tar, "e/x", "x");
        tar_special(&p->tar, "e", S_IFDIR | 0711, NULL, 0, 0);
        assert_int_equal(extract(p), 0);
        assert_int_equal(read_file_at(p->fd, "a", 100, &text, NULL), 0);
        assert_string_equal(text, "second");
        look(p, "d", &st);
        assert_true(S_ISREG(st.st_mode));
        look(p, "e/x", &st);
        look(p, "e", &st);
        assert_int_equal(st.st_mode, S_IFDIR | 0711);
}

static void test_whiteouts(void **state) {
        Place *p = *state;
        struct stat st;

        need_root();
        tar_file(&p->tar, "d/.wh.gone", "");
        tar_file(&p->tar, "o/.wh..wh..opq", "");
        tar_file(&p->tar, ".wh..wh.plnk", "");
        /* The same name hidden and made again, in both orders. */
        tar_file(&p->tar, ".wh.back", "");
        tar_special(&p->tar, "back", S_IFDIR | 0755, NULL, 0, 0);
        tar_special(&p->tar, "front", S_IFDIR | 0755, NULL, 0, 0);
        tar_file(&p->tar, ".wh.front", "");
        tar_file(&p->tar, "file", "x");
        tar_file(&p->tar, ".wh.file", "");
        tar_file(&p->tar, ".wh.late", "");
        tar_file(&p->tar, "late", "x");
        assert_int_equal(extract(p), 0);
        assert_true(is_whiteout(p, "d/gone"));
        assert_true(is_opaque(p, "o"));
        assert_false(is_opaque(p, "d"));
        assert_true(is_opaque(p, "back"));
        assert_true(is_opaque(p, "front"));
        look(p, "file", &st);
        assert_true(S_ISREG(st.st_mode));
        look(p, "late", &st);
        assert_true(S_ISREG(st.st_mode));
        assert_int_equal(faccessat(p->fd, ".wh..wh.plnk", F_OK, 0), -1);
        assert_int_equal(faccessat(p->fd, "d/.wh.gone", F_OK, 0), -1);
}

static void test_sparse(void **state) {
        Place *p = *state;
        struct archive_entry *e = archive_entry_new();
        struct stat st;

        need_root();
        archive_entry_set_pathname(e, "sparse");
        archive_entry_set_mode(e, S_IFREG | 0644);
        archive_entry_set_size(e, 64 << 20);
        archive_entry_sparse_add_entry(e, 0, 4096);
        assert_int_equal(archive_write_header(p->tar.archive, e), ARCHIVE_OK);
        for (unsigned i = 0; i < 64; i++) {
                _cleanup_free_ char *mega = calloc(1, 1 << 20);

                mega[0] = 'x';
                assert_true(archive_write_data(p->tar.archive, mega, 1 << 20) >= 0);
        }
        archive_entry_free(e);
        assert_int_equal(extract(p), 0);
        look(p, "sparse", &st);
        assert_int_equal(st.st_size, 64 << 20);
        assert_true(st.st_blocks * 512 < 1 << 20);
}

static void test_xattrs(void **state) {
        /* VFS_CAP_REVISION_2 with CAP_NET_RAW. */
        static const uint8_t cap[20] = { 0, 0, 0, 2, 0, 0x20 };
        Place *p = *state;
        _cleanup_close_ int fd = -EBADF;
        uint8_t value[64];

        need_root();
        tar_xattr(&p->tar, "cap", "security.capability", cap, sizeof(cap));
        tar_xattr(&p->tar, "user", "user.note", "hello", 5);
        tar_xattr(&p->tar, "label", "security.selinux", "x", 1);
        assert_int_equal(extract(p), 0);
        fd = openat(p->fd, "cap", O_RDONLY);
        assert_int_equal(fgetxattr(fd, "security.capability", value, sizeof(value)), 20);
        assert_memory_equal(value, cap, sizeof(cap));
        (void) close(fd);
        fd = openat(p->fd, "user", O_RDONLY);
        assert_int_equal(fgetxattr(fd, "user.note", value, sizeof(value)), 5);
}

static void test_trusted_xattr(void **state) {
        tar_xattr(&((Place *) *state)->tar, "x", "trusted.overlay.redirect", "/etc", 4);
        refused(*state, "member \"x\": extended attribute trusted.overlay.redirect is not allowed");
}

static void test_dotdot(void **state) {
        tar_file(&((Place *) *state)->tar, "a/../../witness", "evil");
        refused(*state, "member \"a/../../witness\": the name has a \"..\" component");
}

static void test_absolute(void **state) {
        tar_file(&((Place *) *state)->tar, "/witness", "evil");
        refused(*state, "member \"/witness\": the name is absolute");
}

static void test_through_symlink(void **state) {
        Place *p = *state;

        tar_special(&p->tar, "up", S_IFLNK | 0777, "..", 0, 0);
        tar_file(&p->tar, "up/witness", "evil");
        refused(p, "member \"up/witness\": its path leaves the layer through a symlink");
}

static void test_through_absolute_symlink(void **state) {
        Place *p = *state;

        tar_special(&p->tar, "abs", S_IFLNK | 0777, p->path, 0, 0);
        tar_file(&p->tar, "abs/witness", "evil");
        refused(p, "leaves the layer through a symlink");
}

static void test_through_symlink_chain(void **state) {
        Place *p = *state;

        tar_special(&p->tar, "d", S_IFDIR | 0755, NULL, 0, 0);
        tar_special(&p->tar, "d/one", S_IFLNK | 0777, "../two", 0, 0);
        tar_special(&p->tar, "two", S_IFLNK | 0777, "d/../..", 0, 0);
        tar_special(&p->tar, "d/one/new", S_IFDIR | 0755, NULL, 0, 0);
        refused(p, "leaves the layer through a symlink");
}

static void test_symlink_inside(void **state) {
        Place *p = *state;
        struct stat st;

        need_root();
        tar_special(&p->tar, "usr/bin", S_IFDIR | 0755, NULL, 0, 0);
        tar_special(&p->tar, "bin", S_IFLNK | 0777, "usr/bin", 0, 0);
        tar_file(&p->tar, "bin/tool", "x");
        assert_int_equal(extract(p), 0);
        look(p, "usr/bin/tool", &st);
}

static void test_symlink_loop(void **state) {
        Place *p = *state;

        tar_special(&p->tar, "a", S_IFLNK | 0777, "b", 0, 0);
        tar_special(&p->tar, "b", S_IFLNK | 0777, "a", 0, 0);
        tar_file(&p->tar, "a/x", "x");
        refused(p, "loop of symlinks");
}

static void test_file_as_directory(void **state) {
        Place *p = *state;

        tar_file(&p->tar, "f", "x");
        tar_file(&p->tar, "f/x", "x");
        refused(p, "a component of its path is not a directory");
}

static void test_write_through_final_symlink(void **state) {
        Place *p = *state;
        struct stat st;

        need_root();
        tar_special(&p->tar, "w", S_IFLNK | 0777, "../witness", 0, 0);
        tar_file(&p->tar, "w", "evil");
        assert_int_equal(extract(p), 0);
        look(p, "w", &st);
        assert_true(S_ISREG(st.st_mode));
}

static void test_hardlink_dotdot(void **state) {
        tar_hardlink(&((Place *) *state)->tar, "h", "../witness");
        refused(*state, "hard link target \"../witness\" has a \"..\" component");
}

static void test_hardlink_absolute(void **state) {
        tar_hardlink(&((Place *) *state)->tar, "h", "/etc/passwd");
        refused(*state, "hard link target \"/etc/passwd\" is absolute");
}

static void test_hardlink_missing(void **state) {
        tar_hardlink(&((Place *) *state)->tar, "h", "nowhere/x");
        refused(*state, "hard link target \"nowhere/x\" is not in the layer");
}

static void test_hardlink_through_symlink(void **state) {
        Place *p = *state;

        tar_special(&p->tar, "up", S_IFLNK | 0777, "..", 0, 0);
        tar_hardlink(&p->tar, "h", "up/witness");
        refused(p, "hard link target \"up/witness\" leaves the layer through a symlink");
}

static void test_hardlink_to_directory(void **state) {
        Place *p = *state;

        tar_special(&p->tar, "d", S_IFDIR | 0755, NULL, 0, 0);
        tar_hardlink(&p->tar, "h", "d");
        refused(p, "is a directory");
}

/* A hard link to a symlink must link the symlink, and writing to it must not write through it. */
static void test_hardlink_to_symlink(void **state) {
        Place *p = *state;
        struct stat st;

        need_root();
        tar_special(&p->tar, "s", S_IFLNK | 0777, "../witness", 0, 0);
        tar_hardlink(&p->tar, "h", "s");
        tar_file(&p->tar, "h", "evil");
        assert_int_equal(extract(p), 0);
        look(p, "h", &st);
        assert_true(S_ISREG(st.st_mode));
}

static void test_whiteout_names(void **state) {
        tar_file(&((Place *) *state)->tar, "d/.wh...", "");
        refused(*state, "the whiteout names no file");
}

static void test_whiteout_empty(void **state) {
        tar_file(&((Place *) *state)->tar, ".wh.", "");
        refused(*state, "the whiteout names no file");
}

static void test_truncated(void **state) {
        Place *p = *state;
        _cleanup_free_ char *big = calloc(1, 100001);
        Memory m;

        memset(big, 'x', 100000);
        tar_file(&p->tar, "big", big);
        tar_end(&p->tar);
        m = (Memory){ p->tar.data, 50000 };
        assert_int_equal(layer_extract(p->fd, read_memory, &m, NULL, NULL, p->hex, &p->size, &p->error),
                         -EBADMSG);
        assert_non_null(strstr(p->error, "member \"big\""));
}

static void test_truncated_gzip(void **state) {
        Place *p = *state;
        Memory m;

        tar_end(&p->tar);
        free(p->tar.data);
        tar_begin(&p->tar, "gzip");
        tar_file(&p->tar, "a", "content");
        tar_end(&p->tar);
        m = (Memory){ p->tar.data, p->tar.used - 12 };
        assert_int_equal(layer_extract(p->fd, read_memory, &m, NULL, NULL, p->hex, &p->size, &p->error),
                         -EBADMSG);
}

static void test_garbage(void **state) {
        Place *p = *state;
        char junk[4096];
        Memory m = { junk, sizeof(junk) };

        tar_end(&p->tar);
        memset(junk, 'J', sizeof(junk));
        assert_int_equal(layer_extract(p->fd, read_memory, &m, NULL, NULL, p->hex, &p->size, &p->error),
                         -EBADMSG);
        assert_string_equal(p->error, "not a tar archive");
}

static void test_empty(void **state) {
        Place *p = *state;
        Memory m = { "", 0 };

        tar_end(&p->tar);
        assert_int_equal(layer_extract(p->fd, read_memory, &m, NULL, NULL, p->hex, &p->size, &p->error), 0);
        assert_string_equal(p->hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_long_names(void **state) {
        Place *p = *state;
        char name[1024] = "";
        struct stat st;

        need_root();
        for (unsigned i = 0; i < 5; i++) {
                size_t n = strlen(name);

                memset(name + n, 'a' + (int) i, 180);
                name[n + 180] = i < 4 ? '/' : 0;
        }
        tar_file(&p->tar, name, "x");
        tar_file(&p->tar, "caf\xc3\xa9/\xe2\x82\xac", "x");
        assert_int_equal(extract(p), 0);
        look(p, name, &st);
        look(p, "caf\xc3\xa9/\xe2\x82\xac", &st);
}

#define t(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                t(kinds),
                t(digest_is_of_uncompressed),
                t(duplicates),
                t(whiteouts),
                t(sparse),
                t(xattrs),
                t(trusted_xattr),
                t(dotdot),
                t(absolute),
                t(through_symlink),
                t(through_absolute_symlink),
                t(through_symlink_chain),
                t(symlink_inside),
                t(symlink_loop),
                t(file_as_directory),
                t(write_through_final_symlink),
                t(hardlink_dotdot),
                t(hardlink_absolute),
                t(hardlink_missing),
                t(hardlink_through_symlink),
                t(hardlink_to_directory),
                t(hardlink_to_symlink),
                t(whiteout_names),
                t(whiteout_empty),
                t(truncated),
                t(truncated_gzip),
                t(garbage),
                t(empty),
                t(long_names),
        };

        (void) setlocale(LC_CTYPE, "C.UTF-8");
        return cmocka_run_group_tests(tests, NULL, NULL);
}
