/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "basic/fd.h"
#include "basic/file.h"
#include "basic/json.h"
#include "basic/str.h"
#include "engine/image/blob.h"
#include "engine/image/layer.h"

typedef struct Place {
        char path[64];
        ImageStore *store;
} Place;

static int set_up(void **state) {
        Place *p = new0(Place, 1);

        (void) snprintf(p->path, sizeof(p->path), "/tmp/berth-store-XXXXXX");
        *state = p;
        return mkdtemp(p->path) ? image_store_open(p->path, &p->store) : -1;
}

static int tear_down(void **state) {
        Place *p = *state;

        image_store_close(p->store);
        (void) remove_tree_at(AT_FDCWD, p->path);
        free(p);
        return 0;
}

/* An image made by hand: layers named by a repeated digit. */
static void make_image(Place *p, const char *cmd, const char *layers, char hex[DIGEST_HEX + 1]) {
        ImageLayer l[8] = {};
        _cleanup_free_ char *config = NULL;
        size_t n = strlen(layers);

        for (size_t i = 0; i < n; i++) {
                memset(l[i].hex, layers[i], DIGEST_HEX);
                l[i].size = 100;
                assert_true(mkdirat(p->store->layers_fd, l[i].hex, 0755) >= 0 || errno == EEXIST);
        }
        config = str_printf(
                        "{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2024-01-02T03:04:05Z\",\"author\":\"me\","
                        "\"config\":{\"Cmd\":[\"%s\"],\"Labels\":{\"a\":\"b\"}},"
                        "\"history\":[{\"created_by\":\"one\"},{\"created_by\":\"two\",\"empty_layer\":true}]}",
                        cmd);
        assert_int_equal(sha256_hex(config, strlen(config), hex), 0);
        assert_int_equal(blob_write(p->store, hex, config, strlen(config)), 0);
        assert_int_equal(image_record_write(p->store, hex, l, n), 0);
}

static void tag(Place *p, const char *hex, const char *ref) {
        _cleanup_free_ char *id = str_concat(DIGEST_PREFIX, hex), *error = NULL;

        assert_int_equal(image_tag(p->store, id, ref, &error), 0);
}

static void test_resolve(void **state) {
        Place *p = *state;
        char hex[65], id[80];
        const char *names[] = {
                "x", "x:latest", "docker.io/library/x", hex, id, "r.example/y:1", NULL, NULL
        };
        char prefix[16], prefixed[32];

        make_image(p, "a", "12", hex);
        tag(p, hex, "x");
        tag(p, hex, "r.example/y:1");
        (void) snprintf(id, sizeof(id), DIGEST_PREFIX "%s", hex);
        (void) snprintf(prefix, sizeof(prefix), "%.12s", hex);
        (void) snprintf(prefixed, sizeof(prefixed), DIGEST_PREFIX "%.4s", hex);
        names[6] = prefix;
        names[7] = prefixed;
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_image_ Image *image = NULL;

                assert_int_equal(image_resolve(p->store, names[i], &image), 0);
                assert_string_equal(image->id, id);
                assert_int_equal(image->size, 200);
                assert_int_equal(strv_length(image->layers), 2);
                assert_string_equal(image->repo_tags[0], "x:latest");
                assert_string_equal(image->repo_tags[1], "r.example/y:1");
                assert_int_equal(image->created, 1704164645 * USEC_PER_SEC);
        }
}

static void expect_error(Place *p, const char *name, int error, const char *text) {
        _cleanup_free_ char *message = NULL;
        Image *image = NULL;

        assert_int_equal(image_resolve(p->store, name, &image), error);
        message = image_error_text(name, error);
        assert_string_equal(message, text);
}

static void test_resolve_errors(void **state) {
        Place *p = *state;
        char hex[65];

        make_image(p, "a", "1", hex);
        expect_error(p, "nosuch", -ENOENT, "No such image: nosuch:latest");
        expect_error(p, "a/b:c", -ENOENT, "No such image: a/b:c");
        expect_error(p, "BAD!", -EINVAL,
                     "invalid reference format: repository name (library/BAD!) must be lowercase");
        expect_error(p, "", -EINVAL, "invalid reference format");
        expect_error(p, "../../etc/passwd", -EINVAL, "invalid reference format");
        expect_error(p, "sha256:0000000000000000000000000000000000000000000000000000000000000000", -ENOENT,
                     "No such image: sha256:0000000000000000000000000000000000000000000000000000000000000000");
}

static void test_ambiguous(void **state) {
        Place *p = *state;
        Image *image = NULL;
        char hex[65], first[65] = "", prefix[3] = "";

        /* 257 images cannot all begin with different bytes. */
        for (unsigned i = 0; i < 257 && !prefix[0]; i++) {
                _cleanup_image_ Image *other = NULL;
                char cmd[16], two[3];

                (void) snprintf(cmd, sizeof(cmd), "c%u", i);
                make_image(p, cmd, "1", hex);
                (void) snprintf(two, sizeof(two), "%.2s", hex);
                if (image_resolve(p->store, two, &other) == -ENOTUNIQ)
                        memcpy(prefix, two, 3);
        }
        assert_string_not_equal(prefix, first);
        assert_int_equal(image_resolve(p->store, prefix, &image), -ENOTUNIQ);
        assert_int_equal(image_resolve(p->store, hex, &image), 0);
        image_free(image);
}

static void test_damaged(void **state) {
        Place *p = *state;
        _cleanup_json_ json_object *records = NULL;
        _cleanup_free_ char *error = NULL, *id = NULL;
        Image *image = NULL, **list;
        char hex[65];

        make_image(p, "a", "1", hex);
        tag(p, hex, "x");
        assert_int_equal(write_file_at(p->store->blobs_fd, hex, "{}", 2, 0600, WRITE_REPLACE), 0);
        assert_int_equal(image_resolve(p->store, "x", &image), -EUCLEAN);
        assert_int_equal(image_list(p->store, &list), 0);
        assert_null(list[0]);
        image_list_free(list);
        assert_int_equal(image_remove(p->store, "x", false, NULL, NULL, &records, &error), -EUCLEAN);
        assert_int_equal(image_remove(p->store, "x", true, NULL, NULL, &records, &id), 1);
        assert_int_equal(image_resolve(p->store, "x", &image), -ENOENT);
}

static char used_id[65];
static bool used_running;

static bool in_use(const char *image_id, bool running, const char **ret, void *userdata) {
        if (!used_id[0] || (running && !used_running))
                return false;
        *ret = used_id;
        return true;
}

static int rm(Place *p, const char *name, bool force, char **ret_text) {
        _cleanup_json_ json_object *records = NULL;
        char *error = NULL;
        int r;

        free(*ret_text);
        r = image_remove(p->store, name, force, in_use, NULL, &records, &error);
        *ret_text = r < 0 ? error : strdup(json_text(records));
        assert_non_null(*ret_text);
        return r;
}

static void test_remove_last_ref(void **state) {
        Place *p = *state;
        _cleanup_json_ json_object *records = NULL;
        _cleanup_free_ char *text = NULL, *wanted = NULL;
        char hex[65], other[65];

        used_id[0] = 0;
        make_image(p, "a", "12", hex);
        make_image(p, "b", "13", other);
        tag(p, hex, "x:1");
        tag(p, hex, "x:2");
        assert_int_equal(rm(p, "x:1", false, &text), 0);
        assert_string_equal(text, "[{\"Untagged\":\"x:1\"}]");
        assert_int_equal(rm(p, "x:2", false, &text), 1);
        wanted = str_printf("[{\"Untagged\":\"x:2\"},{\"Deleted\":\"sha256:%s\"},{\"Deleted\":\"sha256:",
                            hex);
        assert_non_null(strstr(text, wanted));
        /* Layer 1 is the other image's as well, so there is one layer record. */
        records = json_tokener_parse(text);
        assert_int_equal(json_object_array_length(records), 3);
        assert_int_equal(rm(p, "x:2", false, &text), -ENOENT);
        assert_string_equal(text, "No such image: x:2");
}

static void test_remove_by_id(void **state) {
        Place *p = *state;
        _cleanup_free_ char *text = NULL;
        char hex[65];

        used_id[0] = 0;
        make_image(p, "a", "1", hex);
        tag(p, hex, "x");
        tag(p, hex, "y");
        assert_int_equal(rm(p, hex, false, &text), -EBUSY);
        assert_non_null(strstr(text, "(must be forced) - image is referenced in multiple repositories"));
        assert_int_equal(rm(p, hex, true, &text), 1);
        assert_non_null(strstr(text,
                               "{\"Untagged\":\"x:latest\"},{\"Untagged\":\"y:latest\"},{\"Deleted\":"));
}

static void test_remove_used(void **state) {
        Place *p = *state;
        _cleanup_free_ char *text = NULL, *wanted = NULL;
        char hex[65];

        make_image(p, "a", "1", hex);
        tag(p, hex, "busybox");
        memset(used_id, '6', 64);
        used_running = false;
        assert_int_equal(rm(p, "busybox:latest", false, &text), -EBUSY);
        wanted = str_printf(
                        "conflict: unable to remove repository reference \"busybox:latest\" (must force) - container "
                        "666666666666 is using its referenced image %.12s",
                        hex);
        assert_string_equal(text, wanted);
        assert_int_equal(rm(p, hex, false, &text), -EBUSY);
        assert_non_null(strstr(text,
                               "(must be forced) - image is being used by stopped container 666666666666"));
        used_running = true;
        assert_int_equal(rm(p, hex, true, &text), -EBUSY);
        assert_non_null(strstr(
                        text, "(cannot be forced) - image is being used by running container 666666666666"));
        /* By force the name goes, the running container keeps the image. */
        assert_int_equal(rm(p, "busybox", true, &text), 0);
        assert_string_equal(text, "[{\"Untagged\":\"busybox:latest\"}]");
        assert_true(image_exists(p->store, hex));
        used_running = false;
        assert_int_equal(rm(p, hex, true, &text), 1);
}

static void test_collect(void **state) {
        Place *p = *state;
        char hex[65], layer[65] = "";
        _cleanup_free_ char *text = NULL;

        used_id[0] = 0;
        make_image(p, "a", "12", hex);
        make_image(p, "b", "13", hex);
        tag(p, hex, "b");
        assert_int_equal(layer_collect(p->store), 0);
        memset(layer, '2', 64);
        assert_true(layer_exists(p->store, layer));
        /* Image b goes; a container uses its layer 3 still. */
        assert_int_equal(mkdirat(p->store->root_fd, "containers", 0700), 0);
        assert_int_equal(mkdirat(p->store->root_fd, "containers/c", 0700), 0);
        memset(layer, '3', 64);
        text = str_printf("id=c\nlower=%s\n", layer);
        assert_int_equal(write_file_at(p->store->root_fd, "containers/c/shim.conf", text, strlen(text), 0600,
                                       0),
                         0);
        assert_int_equal(rm(p, "b", true, &text), 1);
        assert_int_equal(layer_collect(p->store), 0);
        assert_true(layer_exists(p->store, layer));
        assert_int_equal(unlinkat(p->store->root_fd, "containers/c/shim.conf", 0), 0);
        /* What cannot be read keeps everything. */
        assert_int_equal(write_file_at(p->store->root_fd, "containers/c/shim.conf", "\x01", 1, 0600, 0), 0);
        assert_true(layer_collect(p->store) < 0);
        assert_true(layer_exists(p->store, layer));
        assert_int_equal(unlinkat(p->store->root_fd, "containers/c/shim.conf", 0), 0);
        assert_int_equal(layer_collect(p->store), 0);
        assert_false(layer_exists(p->store, layer));
        memset(layer, '1', 64);
        assert_true(layer_exists(p->store, layer));
        assert_int_equal(faccessat(p->store->blobs_fd, hex, F_OK, 0), -1);
}

static void test_staging(void **state) {
        Place *p = *state;
        _cleanup_staging_ Staging live = STAGING_INIT, next = STAGING_INIT;
        struct stat st;

        assert_int_equal(staging_open(p->store, &live), 0);
        assert_int_equal(mkdirat(p->store->layers_fd, ".new-dead", 0700), 0);
        assert_int_equal(mkdirat(p->store->layers_fd, ".new-dead/x", 0700), 0);
        assert_int_equal(staging_open(p->store, &next), 0);
        assert_int_equal(fstatat(p->store->layers_fd, ".new-dead", &st, 0), -1);
        assert_int_equal(fstatat(p->store->layers_fd, live.name, &st, 0), 0);
}

static void test_tag_errors(void **state) {
        Place *p = *state;
        _cleanup_free_ char *error = NULL, *id = NULL, *second = NULL;
        char hex[65];

        make_image(p, "a", "1", hex);
        id = str_concat(DIGEST_PREFIX, hex);
        assert_int_equal(image_tag(p->store, id, "BAD!", &error), -EINVAL);
        assert_string_equal(error,
                            "invalid reference format: repository name (library/BAD!) must be lowercase");
        hex[0] = hex[0] == '0' ? '1' : '0';
        free(id);
        id = str_concat(DIGEST_PREFIX, hex);
        assert_int_equal(image_tag(p->store, id, "x", &second), -ENOENT);
}

static void test_json(void **state) {
        Place *p = *state;
        _cleanup_json_ json_object *inspect = NULL, *summary = NULL, *history = NULL;
        _cleanup_image_ Image *i = NULL;
        char hex[65];

        make_image(p, "a", "12", hex);
        tag(p, hex, "x");
        assert_int_equal(image_resolve(p->store, "x", &i), 0);
        assert_int_equal(image_to_inspect_json(p->store, i, &inspect), 0);
        assert_string_equal(json_string_or(inspect, "Id", ""), i->id);
        assert_string_equal(json_string_or(inspect, "Architecture", ""), "amd64");
        assert_string_equal(json_string_or(inspect, "Author", ""), "me");
        assert_string_equal(json_text(json_get(inspect, "RepoTags")), "[\"x:latest\"]");
        assert_string_equal(json_text(json_get(inspect, "RepoDigests")), "[]");
        assert_string_equal(json_text(json_get(json_get(inspect, "Config"), "Cmd")), "[\"a\"]");
        assert_int_equal(json_object_array_length(json_get(json_get(inspect, "RootFS"), "Layers")), 2);
        assert_int_equal(image_to_summary_json(i, &summary), 0);
        assert_int_equal(json_object_get_int64(json_get(summary, "Created")), 1704164645);
        assert_int_equal(json_object_get_int64(json_get(summary, "Size")), 200);
        assert_string_equal(json_text(json_get(summary, "Labels")), "{\"a\":\"b\"}");
        assert_int_equal(image_to_history_json(p->store, i, &history), 0);
        assert_int_equal(json_object_array_length(history), 2);
        assert_string_equal(json_string_or(json_object_array_get_idx(history, 0), "CreatedBy", ""), "two");
        assert_int_equal(json_object_get_int64(json_get(json_object_array_get_idx(history, 1), "Size")),
                         100);
}

#define t(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                t(resolve),         t(resolve_errors), t(ambiguous),   t(damaged),
                t(remove_last_ref), t(remove_by_id),   t(remove_used), t(collect),
                t(staging),         t(tag_errors),     t(json),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
