/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "basic/fd.h"
#include "basic/file.h"
#include "basic/json.h"
#include "basic/str.h"
#include "engine/image/blob.h"
#include "engine/worker/worker.h"
#include "tar-builder.h"

/* The whole job, as berth-worker runs it: archive into a socket, answer out of it, store on disk before and
 * after. */
typedef struct Place {
        char path[64];
} Place;

static int set_up(void **state) {
        Place *p = new0(Place, 1);

        (void) snprintf(p->path, sizeof(p->path), "/var/tmp/berth-load-XXXXXX");
        *state = p;
        return mkdtemp(p->path) ? 0 : -1;
}

static int tear_down(void **state) {
        Place *p = *state;

        (void) remove_tree_at(AT_FDCWD, p->path);
        free(p);
        return 0;
}

static void need_root(void) {
        if (geteuid() != 0)
                skip();
}

static _Noreturn void feed(int fd, const char *data, size_t size) {
        (void) signal(SIGPIPE, SIG_IGN);
        (void) write_all(fd, data, size);
        _exit(0);
}

static _Noreturn void serve(const char *root, int fd, worker_job_t job, char *argv[], size_t size) {
        Worker w = { .root = root, .http = { .fd = -EBADF } };
        char framing[32];
        int n = 0;

        (void) signal(SIGPIPE, SIG_IGN);
        (void) snprintf(framing, sizeof(framing), "length:%zu", size);
        while (argv[n])
                n++;
        optind = 1;
        if (worker_http_open(&w.http, fd, -EBADF, framing) < 0)
                _exit(9);
        n = job(&w, n, argv);
        worker_http_done(&w.http);
        _exit(n < 0);
}

/* Return: exit status; the answer is the caller's. @sent: how much of @size the client really sends before
 * it closes. */
static int run(Place *p, worker_job_t job, char *argv[], const char *data, size_t size, size_t sent,
               char **ret_answer) {
        char *text = calloc(1, 65536);
        int fds[2], status, unused;
        pid_t worker, feeder;
        ssize_t n;

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        worker = fork();
        if (worker == 0) {
                (void) close(fds[0]);
                serve(p->path, fds[1], job, argv, size);
        }
        (void) close(fds[1]);
        feeder = fork();
        if (feeder == 0)
                feed(fds[0], data, sent);
        assert_int_equal(waitpid(feeder, &unused, 0), feeder);
        if (sent < size)
                (void) close(fds[0]);
        else {
                n = read_all(fds[0], text, 65535);
                assert_true(n >= 0);
                (void) close(fds[0]);
        }
        assert_int_equal(waitpid(worker, &status, 0), worker);
        assert_true(WIFEXITED(status));
        *ret_answer = text;
        return WEXITSTATUS(status);
}

static int load(Place *p, TarBuilder *b, char **ret_answer) {
        char *argv[] = { (char *) "load", NULL };
        int r;

        tar_end(b);
        r = run(p, worker_load, argv, b->data, b->used, b->used, ret_answer);
        free(b->data);
        return r;
}

/* Every path below the store, with sizes: what a failure must leave as it was. */
static void list_into(int dir_fd, const char *prefix, Buffer *b) {
        struct dirent **names;
        int n = scandirat(dir_fd, ".", &names, NULL, alphasort);

        for (int i = 0; i < n; i++) {
                const char *name = names[i]->d_name;
                struct stat st;

                if (!streq(name, ".") && !streq(name, "..") && !streq(name, ".lock") &&
                    fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) >= 0) {
                        assert_int_equal(buffer_appendf(b, "%s%s %o %lld\n", prefix, name, st.st_mode,
                                                        S_ISDIR(st.st_mode) ? 0LL : (long long) st.st_size),
                                         0);
                        if (S_ISDIR(st.st_mode)) {
                                _cleanup_free_ char *next = str_concat(prefix, name, "/");
                                _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY);

                                list_into(fd, next, b);
                        }
                }
                free(names[i]);
        }
        free(names);
}

static char *listing(Place *p) {
        _cleanup_close_ int fd = open(p->path, O_RDONLY | O_DIRECTORY);
        Buffer b = BUFFER_INIT(1 << 20);

        assert_int_equal(buffer_append_str(&b, ""), 0);
        list_into(fd, "", &b);
        return buffer_take(&b);
}

typedef struct Parts {
        TarBuilder layer;
        char hex[65];
        char config[4096];
        char config_hex[65];
} Parts;

static void make_parts(Parts *x, const char *filter, const char *file) {
        TarBuilder plain;

        tar_begin(&plain, NULL);
        tar_file(&plain, file, "content");
        tar_end(&plain);
        assert_int_equal(sha256_hex(plain.data, plain.used, x->hex), 0);
        free(plain.data);
        tar_begin(&x->layer, filter);
        tar_file(&x->layer, file, "content");
        tar_end(&x->layer);
        (void) snprintf(x->config, sizeof(x->config),
                        "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{\"Cmd\":[\"x\"]},"
                        "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\"]}}",
                        x->hex);
        assert_int_equal(sha256_hex(x->config, strlen(x->config), x->config_hex), 0);
}

#define MANIFEST "[{\"Config\":\"%s.json\",\"RepoTags\":[\"x:1\",\"y:2\"],\"Layers\":[\"l/layer.tar\"]}]"

static void add_docker(TarBuilder *b, Parts *x) {
        _cleanup_free_ char *manifest = str_printf(MANIFEST, x->config_hex),
                            *name = str_concat(x->config_hex, ".json");

        tar_file(b, "manifest.json", manifest);
        tar_blob(b, "l/layer.tar", x->layer.data, x->layer.used);
        tar_file(b, name, x->config);
}

static void test_docker_archive(void **state) {
        static const char *const filters[] = { NULL, "gzip", "zstd", "xz", "bzip2" };

        need_root();
        for (size_t i = 0; i < ELEMENTSOF(filters); i++) {
                _cleanup_free_ char *answer = NULL, *ls = NULL, *wanted = NULL;
                TarBuilder b;
                Parts x;

                /* The layer one way, the archive around it another. */
                make_parts(&x, filters[i], "file");
                tar_begin(&b, filters[ELEMENTSOF(filters) - 1 - i]);
                add_docker(&b, &x);
                assert_int_equal(load(*state, &b, &answer), 0);
                assert_non_null(strstr(answer, "{\"stream\":\"Loaded image: x:1\\n\"}"));
                assert_non_null(strstr(answer, "{\"stream\":\"Loaded image: y:2\\n\"}"));
                ls = listing(*state);
                wanted = str_printf("layers/%s/file 100644 7\n", x.hex);
                assert_non_null(strstr(ls, wanted));
                assert_null(strstr(ls, ".new-"));
                free(x.layer.data);
        }
}

static void add_blob(TarBuilder *b, const char *data, size_t size, char hex[65]) {
        char name[128];

        assert_int_equal(sha256_hex(data, size, hex), 0);
        (void) snprintf(name, sizeof(name), "blobs/sha256/%s", hex);
        tar_blob(b, name, data, size);
}

/* @wrong: which statement is a lie: 0 none, 'm' manifest digest, 'l' layer size, 'c' config digest. */
static void add_oci(TarBuilder *b, Parts *x, bool nested, char wrong) {
        char config[65], layer[65], manifest[65], index[65];
        _cleanup_free_ char *m = NULL, *i = NULL, *top = NULL;

        add_blob(b, x->config, strlen(x->config), config);
        add_blob(b, x->layer.data, x->layer.used, layer);
        if (wrong == 'c')
                config[0] = config[0] == '0' ? '1' : '0';
        m = str_printf("{\"config\":{\"digest\":\"sha256:%s\",\"size\":%zu},\"layers\":[{\"digest\":\"sha256:%s\",\"size\":%zu}]}",
                       config, strlen(x->config), layer, x->layer.used + (wrong == 'l'));
        add_blob(b, m, strlen(m), manifest);
        if (wrong == 'm')
                manifest[0] = manifest[0] == '0' ? '1' : '0';
        i = str_printf("{\"manifests\":[{\"digest\":\"sha256:%s\",\"size\":5,\"platform\":{\"os\":\"windows\",\"architecture\":\"z\"}},"
                       "{\"digest\":\"sha256:%s\",\"size\":%zu}]}",
                       config, manifest, strlen(m));
        add_blob(b, i, strlen(i), index);
        top = str_printf(
                        "{\"manifests\":[{\"digest\":\"sha256:%s\",\"size\":%zu,\"annotations\":{"
                        "\"org.opencontainers.image.ref.name\":\"3\",\"io.containerd.image.name\":\"docker.io/library/oci:3\"}}]}",
                        nested ? index : manifest, nested ? strlen(i) : strlen(m));
        tar_file(b, "index.json", top);
}

static void test_oci(void **state) {
        need_root();
        for (int nested = 0; nested < 2; nested++) {
                _cleanup_free_ char *answer = NULL;
                TarBuilder b;
                Parts x;

                make_parts(&x, "gzip", nested ? "one" : "two");
                tar_begin(&b, NULL);
                add_oci(&b, &x, nested, 0);
                assert_int_equal(load(*state, &b, &answer), 0);
                assert_non_null(strstr(answer, "Loaded image: oci:3"));
                /* The second time the name moves. */
                assert_true(!nested ==
                            !strstr(answer,
                                    "The image oci:3 already exists, renaming the old one with ID sha256:"));
                free(x.layer.data);
        }
}

static void expect_failure(Place *p, TarBuilder *b, const char *text) {
        _cleanup_free_ char *before = listing(p), *after = NULL, *answer = NULL;

        assert_int_equal(load(p, b, &answer), 1);
        if (!strstr(answer, "HTTP/1.1 400 Bad Request\r\n") || !strstr(answer, text))
                fail_msg("\"%s\" is not in \"%s\"", text, answer);
        after = listing(p);
        assert_string_equal(after, before);
}

/* So that the directories exist and there is something to lose. */
static void good_one_first(Place *p) {
        _cleanup_free_ char *answer = NULL;
        TarBuilder b;
        Parts x;

        make_parts(&x, NULL, "good");
        tar_begin(&b, NULL);
        add_docker(&b, &x);
        assert_int_equal(load(p, &b, &answer), 0);
        free(x.layer.data);
}

static void test_wrong_digests(void **state) {
        static const struct {
                char wrong;
                const char *text;
        } cases[] = {
                { 'm', "is not in the archive" },
                { 'c', "is not in the archive" },
                { 'l', "size mismatch: blobs/sha256/" },
        };
        _cleanup_free_ char *name = NULL;
        TarBuilder b;
        Parts x;

        need_root();
        good_one_first(*state);
        make_parts(&x, NULL, "file");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                tar_begin(&b, NULL);
                add_oci(&b, &x, false, cases[i].wrong);
                expect_failure(*state, &b, cases[i].text);
        }
        /* A blob that is not what its name says. */
        tar_begin(&b, NULL);
        add_oci(&b, &x, false, 0);
        name = str_concat("blobs/sha256/", x.config_hex);
        tar_file(&b, name, "{}");
        expect_failure(*state, &b, "digest mismatch: blobs/sha256/");
        /* A configuration that is not what its name says. */
        tar_begin(&b, NULL);
        add_docker(&b, &x);
        free(name);
        name = str_concat(x.config_hex, ".json");
        tar_file(&b, name, "{}");
        expect_failure(*state, &b, "digest mismatch: ");
        /* A layer that is not what the configuration says. */
        tar_begin(&b, NULL);
        add_docker(&b, &x);
        x.layer.data[600] ^= 1;
        tar_blob(&b, "l/layer.tar", x.layer.data, x.layer.used);
        expect_failure(*state, &b, "digest mismatch: layer sha256:");
        free(x.layer.data);
}

static void test_bad_manifests(void **state) {
        static const char *const cases[][2] = {
                { "", "not a JSON array" },
                { "{", "not a JSON array" },
                { "{}", "not a JSON array" },
                { "[]", "the archive holds no image" },
                { "[1]", "Config is missing" },
                { "[{}]", "Config is missing" },
                { "[{\"Config\":\"c.json\",\"Layers\":[1]}]", "no list of strings" },
                { "[{\"Config\":\"../c.json\",\"Layers\":[]}]", "has a \\\"..\\\" component" },
                { "[{\"Config\":\"none\",\"Layers\":[]}]", "is not in the archive" },
                { "[{\"Config\":\"c.json\",\"Layers\":[\"x\"]}]",
                  "layers length mismatch: expected 1, got 0" },
                { "[{\"Config\":\"c.json\",\"RepoTags\":[\"BAD!\"],\"Layers\":[]}]", "must be lowercase" },
                { "[{\"Config\":\"win.json\",\"Layers\":[]}]", "cannot load windows image on linux" },
                { "[{\"Config\":\"env.json\",\"Layers\":[]}]", "config.Env is no list of strings" },
        };

        need_root();
        good_one_first(*state);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                TarBuilder b;

                tar_begin(&b, NULL);
                tar_file(&b, "manifest.json", cases[i][0]);
                tar_file(&b, "c.json", "{\"rootfs\":{}}");
                tar_file(&b, "win.json", "{\"os\":\"windows\"}");
                tar_file(&b, "env.json", "{\"config\":{\"Env\":[1]}}");
                expect_failure(*state, &b, cases[i][1]);
        }
}

static void test_hostile_outer(void **state) {
        TarBuilder b;

        need_root();
        good_one_first(*state);
        tar_begin(&b, NULL);
        tar_file(&b, "../../evil", "x");
        expect_failure(*state, &b, "member \\\"../../evil\\\": the name has a \\\"..\\\" component");
        tar_begin(&b, NULL);
        tar_file(&b, "/evil", "x");
        expect_failure(*state, &b, "member \\\"/evil\\\": the name is absolute");
        tar_begin(&b, NULL);
        tar_special(&b, "manifest.json", S_IFLNK | 0777, "../../../etc/passwd", 0, 0);
        expect_failure(*state, &b, "link target");
        tar_begin(&b, NULL);
        tar_special(&b, "manifest.json", S_IFLNK | 0777, "manifest.json", 0, 0);
        expect_failure(*state, &b, "not an image archive");
}

static void test_shared_layer_by_link(void **state) {
        _cleanup_free_ char *answer = NULL, *manifest = NULL;
        TarBuilder b;
        Parts x;

        need_root();
        make_parts(&x, NULL, "file");
        manifest = str_printf("[{\"Config\":\"c.json\",\"RepoTags\":null,\"Layers\":[\"a/layer.tar\"]}]");
        tar_begin(&b, NULL);
        tar_special(&b, "a/layer.tar", S_IFLNK | 0777, "../l/layer.tar", 0, 0);
        tar_file(&b, "c.json", x.config);
        tar_file(&b, "manifest.json", manifest);
        tar_blob(&b, "l/layer.tar", x.layer.data, x.layer.used);
        assert_int_equal(load(*state, &b, &answer), 0);
        assert_non_null(strstr(answer, "Loaded image ID: sha256:"));
        free(x.layer.data);
}

static void test_client_leaves(void **state) {
        char *argv[] = { (char *) "load", NULL };
        _cleanup_free_ char *before = NULL, *after = NULL;
        TarBuilder b;
        Parts x;

        need_root();
        good_one_first(*state);
        before = listing(*state);
        make_parts(&x, NULL, "file");
        tar_begin(&b, NULL);
        add_docker(&b, &x);
        tar_end(&b);
        for (size_t sent = 0; sent < b.used; sent += 700) {
                _cleanup_free_ char *answer = NULL;

                assert_int_equal(run(*state, worker_load, argv, b.data, b.used, sent, &answer), 1);
        }
        after = listing(*state);
        assert_string_equal(after, before);
        free(x.layer.data);
        free(b.data);
}

static void test_import(void **state) {
        char *argv[] = { (char *) "import",
                         (char *) "--ref",
                         (char *) "imp:7",
                         (char *) "--message=hi",
                         (char *) "--change",
                         (char *) "ENV A=b",
                         NULL };
        char *bad[] = { (char *) "import", (char *) "--change", (char *) "RUN x", NULL };
        _cleanup_free_ char *answer = NULL, *refusal = NULL, *trunc = NULL, *before = NULL, *after = NULL;
        _cleanup_json_ json_object *inspect = NULL;
        _cleanup_image_store_ ImageStore *s = NULL;
        _cleanup_image_ Image *i = NULL;
        Parts x;

        need_root();
        make_parts(&x, "zstd", "file");
        assert_int_equal(run(*state, worker_import, argv, x.layer.data, x.layer.used, x.layer.used, &answer),
                         0);
        assert_non_null(strstr(answer, "{\"status\":\"sha256:"));
        assert_int_equal(image_store_open(((Place *) *state)->path, &s), 0);
        assert_int_equal(image_resolve(s, "imp:7", &i), 0);
        assert_string_equal(i->layers[0], x.hex);
        assert_int_equal(image_to_inspect_json(s, i, &inspect), 0);
        assert_string_equal(json_string_or(inspect, "Comment", ""), "hi");
        assert_string_equal(json_text(json_get(inspect, "Config")), "{\"Env\":[\"A=b\"]}");
        before = listing(*state);
        assert_int_equal(run(*state, worker_import, bad, x.layer.data, x.layer.used, x.layer.used, &refusal),
                         1);
        assert_non_null(strstr(refusal, "RUN is not a valid change command"));
        assert_int_equal(run(*state, worker_import, argv, x.layer.data, x.layer.used / 2, x.layer.used / 2,
                             &trunc),
                         1);
        assert_non_null(strstr(trunc, "HTTP/1.1 400"));
        after = listing(*state);
        assert_string_equal(before, after);
        free(x.layer.data);
}

#define t(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                t(docker_archive), t(oci),           t(wrong_digests),
                t(bad_manifests),  t(hostile_outer), t(shared_layer_by_link),
                t(client_leaves),  t(import),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
