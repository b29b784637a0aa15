/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "member-spool.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"
#include "member-name.h"
#include "report.h"
#include "sandbox.h"
#include "tar-stream.h"

#define MEMBERS_MAX  20000
#define LINKS_MAX    8
#define CHECK_EVERY  (32ULL * 1024 * 1024)
#define RESERVE_MAX  (64ULL * 1024 * 1024)
#define RESERVE_PART 50

/* --- the sandboxed half
 * ------------------------------------------------------------------------------------------ */

typedef struct Spooler {
        WorkerHttp *http;
        int report_fd;
        TarStream stream;
        unsigned n;
        uint64_t until_check;
        char error[8192];
} Spooler;

static int fail(Spooler *p, int error, const char *name, const char *what) {
        if (error == -ENOSPC || error == -EDQUOT)
                what = "no space left on device";
        (void) snprintf(p->error, sizeof(p->error), "member \"%.1024s\": %.3000s", strempty(name), what);
        return error;
}

static ssize_t read_request(void *userdata, void *data, size_t size) {
        return worker_http_read(userdata, data, size);
}

static int check_space(Spooler *p, const char *name, int fd, uint64_t more) {
        struct statvfs v;

        if (more < p->until_check) {
                p->until_check -= more;
                return 0;
        }
        if (fstatvfs(fd, &v) < 0)
                return fail(p, negative_errno(), name, strerror(errno));
        if ((uint64_t) v.f_bavail * v.f_frsize <
            MIN(RESERVE_MAX, (uint64_t) v.f_blocks * v.f_frsize / RESERVE_PART) + more)
                return fail(p, -ENOSPC, name, "");
        p->until_check = CHECK_EVERY;
        return 0;
}

static int copy_data(Spooler *p, const char *name, int fd, EVP_MD_CTX *md, uint64_t *ret_size) {
        uint64_t total = 0;
        const void *data;
        int64_t offset;
        size_t n;
        int r;

        while ((r = tar_stream_data(&p->stream, &data, &n, &offset)) > 0) {
                /* A hole would make the digest that of other bytes; archives of images have none. */
                if ((uint64_t) offset != total)
                        return fail(p, -EBADMSG, name, "sparse members are not allowed in an image archive");
                r = check_space(p, name, fd, n);
                if (r < 0)
                        return r;
                r = write_all(fd, data, n);
                if (r < 0)
                        return fail(p, r, name, strerror(-r));
                if (EVP_DigestUpdate(md, data, n) != 1)
                        return fail(p, -ENOMEM, name, "out of memory");
                total += n;
        }
        if (r == -EBADMSG)
                return fail(p, r, name, tar_stream_error(&p->stream));
        *ret_size = total;
        return r;
}

static int spool_file(Spooler *p, const char *name, Buffer *b) {
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        _cleanup_close_ int fd = -EBADF;
        uint8_t digest[EVP_MAX_MD_SIZE];
        char hex[65], file[16];
        uint64_t size = 0;
        unsigned n = 0;
        int r;

        (void) snprintf(file, sizeof(file), "%u", p->n);
        fd = openat(AT_FDCWD, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
                r = fail(p, -ENOMEM, name, "out of memory");
        else if (fd < 0)
                r = fail(p, negative_errno(), name, strerror(errno));
        else
                r = copy_data(p, name, fd, md, &size);
        if (r >= 0 && EVP_DigestFinal_ex(md, digest, &n) != 1)
                r = fail(p, -ENOMEM, name, "out of memory");
        EVP_MD_CTX_free(md);
        if (r < 0)
                return r;
        hex_encode(digest, n, hex);
        r = fields_putf(b, '\n', "index", "%u", p->n);
        if (r >= 0)
                r = fields_putf(b, '\n', "size", "%" PRIu64, size);
        return r < 0 ? r : fields_put(b, '\n', "sha256", hex);
}

/* A symlink counts from its member's directory, a hard link from the archive's root. */
static int resolve_link(const char *name, const char *symlink, const char *hardlink, char **ret,
                        NameFault *ret_fault) {
        _cleanup_free_ char *joined = NULL;
        const char *slash = strrchr(name, '/'), *target = symlink;
        size_t depth = slash ? (size_t) (slash - name) : 0;

        if (hardlink)
                return member_name_clean(hardlink, ret, ret_fault);
        /* `../<id>/layer.tar` is how older archives share a layer. */
        while (startswith(target, "../") && depth > 0) {
                const char *up = memrchr(name, '/', depth);

                depth = up ? (size_t) (up - name) : 0;
                target += 3;
        }
        joined = str_printf("%.*s/%s", (int) depth, name, target);
        return joined ? member_name_clean(joined + (depth == 0), ret, ret_fault) : -ENOMEM;
}

static int spool_link(Spooler *p, const char *name, struct archive_entry *e, Buffer *b) {
        const char *hardlink = archive_entry_hardlink(e), *symlink = strempty(archive_entry_symlink(e));
        _cleanup_free_ char *target = NULL, *text = NULL;
        NameFault fault;
        int r;

        r = resolve_link(name, symlink, hardlink, &target, &fault);
        if (r == -EINVAL) {
                text = str_printf("link target \"%s\" %s", hardlink ?: symlink, name_fault_text(fault));
                return fail(p, -EBADMSG, name, text ?: "bad link target");
        }
        return r < 0 ? r : fields_put(b, '\n', "link", target);
}

static int spool_entry(Spooler *p, struct archive_entry *e) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(REPORT_MAX);
        const char *raw = archive_entry_pathname(e);
        _cleanup_free_ char *name = NULL;
        mode_t type = archive_entry_filetype(e);
        bool hardlink = archive_entry_hardlink(e) != NULL;
        NameFault fault;
        int r;

        if (!raw)
                return fail(p, -EBADMSG, "", "a member has no readable name");
        r = member_name_clean(raw, &name, &fault);
        if (r == -EINVAL) {
                _cleanup_free_ char *text = str_printf("the name %s", name_fault_text(fault));

                return fail(p, -EBADMSG, raw, text ?: "bad name");
        }
        if (r < 0)
                return r;
        if (!hardlink && !S_ISREG(type) && !S_ISLNK(type))
                return 0;
        if (++p->n > MEMBERS_MAX)
                return fail(p, -EBADMSG, raw, "the archive has too many members");
        r = fields_put(&b, '\n', "verb", "member");
        if (r >= 0)
                r = fields_put(&b, '\n', "name", name);
        if (r < 0)
                return r;
        r = hardlink || S_ISLNK(type) ? spool_link(p, name, e, &b) : spool_file(p, name, &b);
        return r < 0 ? r : report_send(p->report_fd, &b);
}

static int spool_all(Spooler *p) {
        struct archive_entry *e;
        int r;

        r = tar_stream_open(&p->stream, read_request, p->http, false);
        while (r >= 0 && (r = tar_stream_next(&p->stream, &e)) > 0) {
                r = spool_entry(p, e);
                if (r < 0)
                        return r;
        }
        /* The rest of the body is read, so that a bad end of it is noticed as well. */
        if (r >= 0)
                r = tar_stream_finish(&p->stream, NULL);
        return r;
}

static void spool_main(int report_fd, int input_fd, void *userdata) {
        Spooler p = { .http = userdata, .report_fd = report_fd };
        const char *text = p.error;
        int r;

        p.http->fd = input_fd;
        r = spool_all(&p);
        if (r >= 0) {
                _cleanup_buffer_ Buffer b = BUFFER_INIT(REPORT_MAX);

                if (fields_put(&b, '\n', "verb", "done") >= 0)
                        (void) report_send(report_fd, &b);
                return;
        }
        if (r == -ECONNRESET)
                text = "the request's body ends early";
        else if (!p.error[0])
                text = r == -EBADMSG ? tar_stream_error(&p.stream) : strerror(-r);
        (void) report_failed(report_fd, r == -EBADMSG || r == -ECONNRESET ? 400 : 500, text);
}

/* --- the parent's half
 * ------------------------------------------------------------------------------------------- */

static void member_free(SpoolMember *m) {
        free(m->name);
        free(m->link);
        free(m);
}

/** member_spool_done - free; the files are the staging directory's to remove. Safe on MEMBER_SPOOL_INIT. */
void member_spool_done(MemberSpool *s) {
        for (size_t i = 0; i < s->n; i++)
                member_free(s->items[i]);
        free(s->items);
        hashmap_free(s->by_name);
        (void) safe_close(s->dir_fd);
        *s = MEMBER_SPOOL_INIT;
}

static int append(MemberSpool *s, SpoolMember *m) {
        SpoolMember **p;

        if (s->n == s->allocated) {
                size_t want = MAX(s->allocated * 2, (size_t) 64);

                p = reallocarray(s->items, want, sizeof(*p));
                if (!p)
                        return -ENOMEM;
                s->items = p;
                s->allocated = want;
        }
        s->items[s->n++] = m;
        return 0;
}

static int add_member(MemberSpool *s, const Fields *f) {
        SpoolMember *m = new0(SpoolMember, 1);
        const char *link = fields_get(f, "link"), *sha = strempty(fields_get(f, "sha256"));
        uint64_t index = 0;
        int r = 0;

        if (!m)
                return -ENOMEM;
        m->name = strdup(strempty(fields_get(f, "name")));
        m->link = link ? strdup(link) : NULL;
        if (!m->name || (link && !m->link))
                r = -ENOMEM;
        else if (!link && (fields_get_u64(f, "size", INT64_MAX, &m->size) < 0 ||
                           fields_get_u64(f, "index", MEMBERS_MAX, &index) < 0 || !hex_is_valid(sha, 64)))
                r = -EBADMSG;
        if (r >= 0) {
                m->index = (unsigned) index;
                if (!link)
                        memcpy(m->sha256, sha, sizeof(m->sha256));
                r = append(s, m);
        }
        if (r < 0) {
                member_free(m);
                return r;
        }
        /* Of several members with one name the last one counts, as with tar itself. */
        (void) hashmap_remove(s->by_name, m->name);
        return hashmap_put(s->by_name, m->name, m);
}

static int take_failure(const Fields *f, unsigned *ret_status, char **ret_error) {
        uint64_t status = 500;

        (void) fields_get_u64(f, "status", 599, &status);
        *ret_status = (unsigned) status;
        *ret_error = strdup(strempty(fields_get(f, "message")));
        return *ret_error ? -EBADMSG : -ENOMEM;
}

/* Return: 1 when done, 0 to go on, -errno. */
static int take_report(MemberSpool *s, int report_fd, unsigned *ret_status, char **ret_error) {
        _cleanup_fields_ Fields f = {};
        const char *verb;
        int r;

        r = report_receive(report_fd, &f);
        if (r < 0)
                return r;
        if (r == 0) {
                *ret_status = 500;
                *ret_error = strdup("the process that unpacks the archive died");
                return *ret_error ? -EIO : -ENOMEM;
        }
        verb = strempty(fields_get(&f, "verb"));
        if (streq(verb, "member"))
                return add_member(s, &f);
        if (streq(verb, "failed"))
                return take_failure(&f, ret_status, ret_error);
        return streq(verb, "done") ? 1 : 0;
}

/** member_spool_fill - see member-spool.h. */
int member_spool_fill(MemberSpool *s, WorkerHttp *http, int dir_fd, unsigned *ret_status, char **ret_error) {
        SandboxChild c = SANDBOX_CHILD_INIT;
        int r;

        s->dir_fd = dir_fd;
        s->by_name = hashmap_new();
        if (!s->by_name)
                return -ENOMEM;
        r = sandbox_spawn(dir_fd, http->fd, spool_main, http, &c);
        while (r == 0)
                r = take_report(s, c.report_fd, ret_status, ret_error);
        (void) sandbox_end(&c, r < 0);
        worker_http_body_taken(http, r > 0);
        if (r < 0 && worker_http_client_gone(http))
                return -EPIPE;
        return r < 0 ? r : 0;
}

/** member_spool_find - see member-spool.h. */
const SpoolMember *member_spool_find(const MemberSpool *s, const char *name) {
        const SpoolMember *m = hashmap_get(s->by_name, name);

        for (unsigned i = 0; m && m->link; i++)
                m = i < LINKS_MAX ? hashmap_get(s->by_name, m->link) : NULL;
        return m;
}

/** member_spool_open - the member's file for reading. Return: fd or -errno. */
int member_spool_open(const MemberSpool *s, const SpoolMember *m) {
        char file[16];
        int fd;

        (void) snprintf(file, sizeof(file), "%u", m->index);
        fd = openat(s->dir_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        return fd < 0 ? negative_errno() : fd;
}

/** member_spool_read - the member's bytes, NUL-terminated. Return: 0, -E2BIG beyond @max, -errno. */
int member_spool_read(const MemberSpool *s, const SpoolMember *m, size_t max, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = member_spool_open(s, m);

        return fd < 0 ? fd : read_fd(fd, max, ret, ret_size);
}
