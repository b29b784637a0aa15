/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/str.h"
#include "cgroup/cgroup.h"
#include "error.h"
#include "kernel-call.h"

#define STATE_SIZE_MAX (4 * 1024 * 1024)
#define PASSWD_SIZE_MAX (16 * 1024 * 1024)
#define ID_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-."

static const char *const status_names[_STATUS_MAX] = {
        [STATUS_CREATING] = "creating", [STATUS_CREATED] = "created", [STATUS_RUNNING] = "running",
        [STATUS_PAUSED] = "paused",     [STATUS_STOPPED] = "stopped",
};

/** status_to_string - the word the OCI specification uses. */
const char *status_to_string(ContainerStatus status) {
        return status_names[status];
}

/** state_done - release everything, including the lock. */
void state_done(State *s) {
        free(s->id);
        free(s->bundle);
        free(s->rootfs);
        free(s->cgroup);
        free(s->apparmor);
        free(s->selinux);
        free(s->personality);
        free(s->scope);
        free(s->descriptors);
        free(s->created);
        free(s->oci_version);
        json_object_put(s->annotations);
        json_object_put(s->memory_policy);
        (void) safe_close(s->dir_fd);
        *s = STATE_INIT;
}

/** container_id_is_valid - what may become a directory name and a cgroup name. */
bool container_id_is_valid(const char *id) {
        size_t n = strlen(id);

        return n > 0 && n <= 200 && id[0] != '.' &&
               strspn(id, ID_CHARACTERS) == n;
}

/* In the words of runc and of crun: callers look for both. */
static int refuse_id(const char *id) {
        size_t n = strspn(id, ID_CHARACTERS);

        if (id[n])
                return fail_text(EINVAL, "invalid container ID format: \"%s\": invalid character \"%c\"", id,
                                 id[n]);
        return fail_text(EINVAL, "invalid container ID format: \"%s\"", id);
}

static int open_root(const char *root, bool create) {
        int fd, r;

        fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT && create) {
                r = mkdir_parents(root, 0700);
                if (r < 0)
                        return fail_errno(r, "create %s", root);
                fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        }
        return fd < 0 ? negative_errno() : fd;
}

/* Whoever can write here names the processes that we signal and the cgroups that we remove. */
static int check_owner(int dir_fd, const char *root, const char *id) {
        struct stat st;

        if (fstat(dir_fd, &st) < 0)
                return fail_errno(errno, "stat %s/%s", root, id);
        if ((st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & 022))
                return fail_text(EPERM, "%s/%s belongs to uid %u or others can write to it: not used", root,
                                 id, (unsigned) st.st_uid);
        return 0;
}

/**
 * state_make - make and lock the directory of a new container.
 *
 * Return: 0, -EEXIST for a name in use, or -errno; with a message.
 */
int state_make(const char *root, const char *id, State *ret) {
        _cleanup_close_ int root_fd = -EBADF, dir_fd = -EBADF;
        char *copy;

        if (!id)
                return fail_text(EINVAL, "no container id");
        if (!container_id_is_valid(id))
                return refuse_id(id);
        root_fd = open_root(root, true);
        if (root_fd < 0)
                return fail_errno(root_fd, "open %s", root);
        if (mkdirat(root_fd, id, 0700) < 0)
                return errno == EEXIST ? fail_text(EEXIST, "container with id \"%s\" already exists", id) :
                                         fail_errno(errno, "create %s/%s", root, id);
        dir_fd = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        copy = strdup(id);
        if (dir_fd < 0 || flock(dir_fd, LOCK_EX) < 0 || !copy) {
                int r = fail_errno(errno, "open %s/%s", root, id);

                free(copy);
                (void) unlinkat(root_fd, id, AT_REMOVEDIR);
                return r;
        }
        *ret = STATE_INIT;
        ret->id = copy;
        ret->dir_fd = TAKE_FD(dir_fd);
        return 0;
}

/** state_save - write status: readers see the old or the new one. */
int state_save(const State *s) {
        _cleanup_json_ json_object *o = json_object_new_object();
        const char *text;
        int r;

        if (!o || json_set_str(o, "ociVersion", s->oci_version) < 0 || json_set_str(o, "id", s->id) < 0 ||
            json_set_int(o, "pid", s->pid) < 0 || json_set_int(o, "pidStart", (int64_t) s->pid_start) < 0 ||
            json_set_str(o, "bundle", s->bundle) < 0 || json_set_str(o, "rootfs", s->rootfs) < 0 ||
            (s->cgroup && json_set_str(o, "cgroup", s->cgroup) < 0) ||
            (s->apparmor && json_set_str(o, "apparmorProfile", s->apparmor) < 0) ||
            (s->selinux && json_set_str(o, "selinuxLabel", s->selinux) < 0) ||
            (s->personality && json_set_str(o, "personality", s->personality) < 0) ||
            (s->scope && json_set_str(o, "scope", s->scope) < 0) ||
            (s->descriptors && json_set_str(o, "external_descriptors", s->descriptors) < 0) ||
            json_set_bool(o, "scopeUser", s->scope_user) < 0 || json_set_str(o, "created", s->created) < 0 ||
            json_set_bool(o, "hooks", s->any_hook) < 0 ||
            json_set_bool(o, "noNewPrivileges", s->no_new_privs) < 0 ||
            json_set_bool(o, "madeCgroup", s->made_cgroup) < 0 ||
            json_set_bool(o, "userNamespace", s->user_ns) < 0 ||
            json_set_bool(o, "sharedMounts", s->shared_mounts) < 0 ||
            json_set_bool(o, "rootTree", s->root_tree) < 0 ||
            json_set_bool(o, "mayTrace", s->may_trace) < 0 ||
            json_set_bool(o, "keepKeyring", s->keep_keyring) < 0)
                return -ENOMEM;
        if (s->annotations && json_set(o, "annotations", json_object_get(s->annotations)) < 0)
                return -ENOMEM;
        if (s->memory_policy && json_set(o, "memoryPolicy", json_object_get(s->memory_policy)) < 0)
                return -ENOMEM;
        text = json_text(o);
        if (!text)
                return -ENOMEM;
        r = write_file_at(s->dir_fd, "status", text, strlen(text), 0600, s->pid > 0 ? WRITE_REPLACE : 0);
        return r < 0 ? fail_errno(r, "write state of %s", s->id) : 0;
}

static char *dup_key(json_object *o, const char *key) {
        const char *v = json_string_or(o, key, NULL);

        return v ? strdup(v) : NULL;
}

static void state_fill(State *s, json_object *o) {
        int64_t pid = 0, start = 0;

        s->bundle = dup_key(o, "bundle");
        s->rootfs = dup_key(o, "rootfs");
        s->cgroup = dup_key(o, "cgroup");
        s->apparmor = dup_key(o, "apparmorProfile");
        s->selinux = dup_key(o, "selinuxLabel");
        s->personality = dup_key(o, "personality");
        s->scope = dup_key(o, "scope");
        s->descriptors = dup_key(o, "external_descriptors");
        s->created = dup_key(o, "created");
        s->oci_version = dup_key(o, "ociVersion");
        (void) json_get_int(o, "pid", 0, INT32_MAX, &pid);
        (void) json_get_int(o, "pidStart", 0, INT64_MAX, &start);
        (void) json_get_bool(o, "hooks", &s->any_hook);
        (void) json_get_bool(o, "noNewPrivileges", &s->no_new_privs);
        (void) json_get_bool(o, "madeCgroup", &s->made_cgroup);
        (void) json_get_bool(o, "userNamespace", &s->user_ns);
        (void) json_get_bool(o, "sharedMounts", &s->shared_mounts);
        (void) json_get_bool(o, "rootTree", &s->root_tree);
        (void) json_get_bool(o, "mayTrace", &s->may_trace);
        (void) json_get_bool(o, "keepKeyring", &s->keep_keyring);
        (void) json_get_bool(o, "scopeUser", &s->scope_user);
        s->pid = (pid_t) pid;
        s->pid_start = (uint64_t) start;
        s->annotations = json_object_get(json_get(o, "annotations"));
        s->memory_policy = json_object_get(json_get(o, "memoryPolicy"));
}

/* Whatever may lie there, a pipe as little as a huge file holds up who lists all containers. */
static int load_file(int dir_fd, json_object **ret) {
        /* The second is what older versions wrote, whose containers may still run. */
        static const char *const names[] = { "status", "state.json" };
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *text = NULL;
        struct stat st;
        size_t size;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(names) && fd < 0; i++) {
                fd = openat(dir_fd, names[i], O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
                if (fd < 0 && errno != ENOENT)
                        break;
        }
        if (fd < 0 || fstat(fd, &st) < 0)
                return negative_errno();
        if (!S_ISREG(st.st_mode))
                return -EBADMSG;
        r = read_fd(fd, STATE_SIZE_MAX, &text, &size);
        return r < 0 ? r : json_parse(text, size, ret);
}

/**
 * state_load - the state of an existing container. A create that was killed before it wrote anything gives a
 * state with nothing but the id, which can still be deleted.
 * @lock: wait for and keep the lock until state_done().
 *
 * Return: 0, -ENOENT for an unknown id, or -errno; with a message.
 */
int state_load(const char *root, const char *id, bool lock, State *ret) {
        _cleanup_json_ json_object *o = NULL;
        _cleanup_close_ int root_fd = -EBADF;
        _cleanup_state_ State s = STATE_INIT;
        int r;

        if (!container_id_is_valid(id))
                return refuse_id(id);
        root_fd = open_root(root, false);
        s.dir_fd = root_fd < 0 ? root_fd
                               : openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (s.dir_fd < 0) {
                s.dir_fd = -EBADF;
                return fail_text(ENOENT, "container \"%s\" does not exist", id);
        }
        r = check_owner(s.dir_fd, root, id);
        if (r < 0)
                return r;
        while (lock && flock(s.dir_fd, LOCK_EX) < 0)
                if (errno != EINTR)
                        return fail_errno(errno, "lock container \"%s\"", id);
        s.id = strdup(id);
        if (!s.id)
                return -ENOMEM;
        r = load_file(s.dir_fd, &o);
        if (r < 0 && r != -ENOENT && r != -ENODATA)
                return fail_errno(r, "read state of %s", id);
        if (r >= 0)
                state_fill(&s, o);
        *ret = s;
        s = STATE_INIT;
        return 0;
}

/** state_remove - the directory of a container and what is in it. */
int state_remove(const char *root, const char *id) {
        _cleanup_close_ int root_fd = open_root(root, false);
        int r;

        if (root_fd < 0)
                return root_fd == -ENOENT ? 0 : fail_errno(root_fd, "open %s", root);
        r = remove_tree_at(root_fd, id);
        return r < 0 ? fail_errno(r, "remove %s/%s", root, id) : 0;
}

/* The fields of /proc/PID/stat behind the command name, which may contain anything. */
static int read_stat(pid_t pid, char *ret_state, uint64_t *ret_start) {
        _cleanup_free_ char *text = NULL;
        char path[64], *p;
        int r;

        (void) snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
        r = read_file_at(AT_FDCWD, path, 16 * 1024, &text, NULL);
        if (r < 0)
                return r;
        p = strrchr(text, ')');
        if (!p || p[1] != ' ')
                return -EBADMSG;
        *ret_state = p[2];
        p += 2;
        for (unsigned i = 0; i < 19; i++) {
                p = strchr(p, ' ');
                if (!p)
                        return -EBADMSG;
                p++;
        }
        *ret_start = strtoull(p, NULL, 10);
        return 0;
}

/** process_start_time - when @pid was started, in ticks: with the pid it names a process for good. */
int process_start_time(pid_t pid, uint64_t *ret) {
        char state;

        return read_stat(pid, &state, ret);
}

static bool init_is_alive(const State *s) {
        uint64_t start;
        char state;

        if (s->pid <= 0 || read_stat(s->pid, &state, &start) < 0)
                return false;
        return start == s->pid_start && state != 'Z' && state != 'X';
}

/**
 * state_pidfd - a pidfd of the container's init that is certainly that process.
 *
 * Return: the descriptor, or -ESRCH.
 */
int state_pidfd(const State *s) {
        _cleanup_close_ int fd = -EBADF;

        if (s->pid <= 0)
                return -ESRCH;
        fd = sys_pidfd_open(s->pid);
        if (fd < 0)
                return negative_errno();
        /* Checked after the open: from here on the pid cannot be reused behind the descriptor. */
        return init_is_alive(s) ? TAKE_FD(fd) : -ESRCH;
}

/** state_status - what the container is doing, asked of the kernel. */
ContainerStatus state_status(const State *s) {
        _cleanup_close_ int cgroup = -EBADF;

        if (s->pid <= 0)
                return STATUS_CREATING;
        if (!init_is_alive(s))
                return STATUS_STOPPED;
        /* Paused before it was started, it could not start. */
        cgroup = s->cgroup ? cgroup_open(s->cgroup) : -EBADF;
        if (cgroup >= 0 && cgroup_is_frozen(cgroup) > 0)
                return STATUS_PAUSED;
        return faccessat(s->dir_fd, "start.sock", F_OK, 0) >= 0 ? STATUS_CREATED : STATUS_RUNNING;
}

/** state_to_oci - the state object of the specification, as `state` prints it and hooks get it. */
int state_to_oci(const State *s, ContainerStatus status, json_object **ret) {
        _cleanup_json_ json_object *o = json_object_new_object();
        bool alive = status == STATUS_CREATED || status == STATUS_RUNNING || status == STATUS_PAUSED ||
                     status == STATUS_CREATING;

        if (!o || json_set_str(o, "ociVersion", s->oci_version ? s->oci_version : "1.0.2") < 0 ||
            json_set_str(o, "id", s->id) < 0 || json_set_int(o, "pid", alive ? s->pid : 0) < 0 ||
            json_set_str(o, "status", status_to_string(status)) < 0 ||
            json_set_str(o, "bundle", strempty(s->bundle)) < 0 ||
            json_set_str(o, "rootfs", strempty(s->rootfs)) < 0 ||
            json_set_str(o, "created", strempty(s->created)) < 0 || json_set_str(o, "owner", "") < 0)
                return -ENOMEM;
        if (s->annotations && json_set(o, "annotations", json_object_get(s->annotations)) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(o);
        return 0;
}

/* The line of @uid in the host's /etc/passwd; glibc's own look-up needs shared objects. */
static int name_of_uid(uid_t uid, char **ret) {
        _cleanup_free_ char *text = NULL, *field = NULL;

        field = str_printf(":%u:", (unsigned) uid);
        if (!field)
                return -ENOMEM;
        if (read_file_at(AT_FDCWD, "/etc/passwd", PASSWD_SIZE_MAX, &text, NULL) < 0)
                text = NULL;
        for (const char *line = text; line && *line;) {
                const char *end = strchrnul(line, '\n'), *name = memchr(line, ':', (size_t) (end - line));
                const char *id = name ? memchr(name + 1, ':', (size_t) (end - name - 1)) : NULL;

                if (id && name > line && startswith(id, field)) {
                        *ret = strndup(line, (size_t) (name - line));
                        return *ret ? 0 : -ENOMEM;
                }
                line = *end ? end + 1 : end;
        }
        *ret = str_printf("%u", (unsigned) uid);
        return *ret ? 0 : -ENOMEM;
}

/** state_add_owner - who made the container, by name, for people. Return: 0 or -errno with a message. */
int state_add_owner(const State *s, json_object *o) {
        static char *name; /* of the last uid: one look-up for a whole list */
        static uid_t uid;
        struct stat st;
        int r;

        if (fstat(s->dir_fd, &st) < 0)
                return fail_errno(errno, "state of %s", s->id);
        if (!name || st.st_uid != uid) {
                free(name);
                name = NULL;
                r = name_of_uid(st.st_uid, &name);
                if (r < 0)
                        return r;
                uid = st.st_uid;
        }
        return json_set_str(o, "owner", name);
}

/**
 * state_note_descriptors - what our 0 to 2, which the payload inherits, lead to; as crun's state file has it
 * for those who take a container to somewhere else.
 * @terminal: they become its terminal instead, and nothing of outside is left.
 */
int state_note_descriptors(State *s, bool terminal) {
        _cleanup_json_ json_object *a = json_object_new_array();
        const char *text;
        int r = 0;

        for (int fd = 0; r >= 0 && fd < 3 && !terminal; fd++) {
                char path[32], target[PATH_MAX];
                ssize_t n;

                (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
                n = readlink(path, target, sizeof(target) - 1);
                if (n < 0)
                        return fail_errno(errno, "read %s", path);
                target[n] = 0;
                r = json_add_str(a, target);
        }
        text = a && r >= 0 ? json_text(a) : NULL;
        s->descriptors = text ? strdup(text) : NULL;
        return s->descriptors ? 0 : -ENOMEM;
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/** state_list - ids of all containers below @root, sorted; an absent root has none. */
int state_list(const char *root, char ***ret) {
        _cleanup_strv_ char **ids = new0(char *, 1);
        struct dirent *de;
        int r = 0;
        DIR *d;

        if (!ids)
                return -ENOMEM;
        d = opendir(root);
        if (!d && errno != ENOENT)
                return fail_errno(errno, "open %s", root);
        while (d && r >= 0 && (de = readdir(d)))
                if ((de->d_type == DT_DIR || de->d_type == DT_UNKNOWN) && container_id_is_valid(de->d_name))
                        r = strv_extend(&ids, de->d_name);
        if (d)
                (void) closedir(d);
        if (r < 0)
                return r;
        qsort(ids, strv_length(ids), sizeof(char *), compare_strings);
        *ret = TAKE_PTR(ids);
        return 0;
}
