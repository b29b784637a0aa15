/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Docker has three notations for mounts (Binds, Mounts, Tmpfs); all become MountSpecs here and nothing
 * behind this file knows which it was. A volume is a directory BERTH_STATE_DIR/volumes/NAME/_data and
 * nothing else.
 */
#include "mount-spec.h"

#include <ctype.h>
#include <dirent.h>
#include <sys/stat.h>


#include "../basic/file.h"
#include "../basic/json.h"
#include "../basic/str.h"
#include "../shared/paths.h"
#include "option-table.h"

static const char *const type_names[_MOUNT_TYPE_MAX] = {
        [MOUNT_BIND] = "bind",
        [MOUNT_VOLUME] = "volume",
        [MOUNT_TMPFS] = "tmpfs",
};

/** mount_type_to_string - Docker's word for it. */
const char *mount_type_to_string(MountType t) {
        return type_names[t];
}

static void mount_spec_done(MountSpec *s) {
        free(s->source);
        free(s->name);
        free(s->destination);
        free(s->mode);
        free(s->propagation);
        free(s->tmpfs_options);
}

/** mount_specs_done - free all. */
void mount_specs_done(MountSpecs *m) {
        for (size_t i = 0; i < m->n; i++)
                mount_spec_done(&m->items[i]);
        m->items = mfree(m->items);
        m->n = 0;
}

/** volume_name_is_valid - [a-zA-Z0-9][a-zA-Z0-9_.-]+, at most a file name long. */
bool volume_name_is_valid(const char *name) {
        size_t n = strlen(name);

        if (n < 2 || n > 255 || !isalnum((unsigned char) name[0]))
                return false;
        for (size_t i = 1; i < n; i++)
                if (!isalnum((unsigned char) name[i]) && !strchr("_.-", name[i]))
                        return false;
        return true;
}

/** volume_has_files - see mount-spec.h. What cannot be read counts as filled: it is not berth's to refuse.
 */
bool volume_has_files(const char *data_path) {
        DIR *d = opendir(data_path);
        bool found = !d && errno != ENOENT;
        struct dirent *e;

        while (d && !found && (e = readdir(d)))
                found = !streq(e->d_name, ".") && !streq(e->d_name, "..");
        if (d)
                (void) closedir(d);
        return found;
}

/** path_clean - absolute @path without `.`, `..`, double and trailing slashes, as text only. Return: new
 * string or NULL. */
char *path_clean(const char *path) {
        char *out = malloc(strlen(path) + 2);
        size_t n = 0;

        if (!out)
                return NULL;
        for (const char *p = path; *p;) {
                size_t size = strcspn(p, "/");

                if (size == 2 && memcmp(p, "..", 2) == 0) {
                        while (n > 0 && out[--n] != '/')
                                ;
                } else if (size > 0 && !(size == 1 && *p == '.')) {
                        out[n++] = '/';
                        memcpy(out + n, p, size);
                        n += size;
                }
                p += size + (p[size] == '/');
        }
        if (n == 0)
                out[n++] = '/';
        out[n] = 0;
        return out;
}

/** mount_specs_find - the mount at @destination, NULL if none. */
const MountSpec *mount_specs_find(const MountSpecs *m, const char *destination) {
        for (size_t i = 0; i < m->n; i++)
                if (streq(m->items[i].destination, destination))
                        return &m->items[i];
        return NULL;
}

/* Takes the contents of @s over, also on failure. */
static int add_spec(MountSpecs *m, MountSpec *s, EngineError *reterr) {
        MountSpec *p;

        if (mount_specs_find(m, s->destination)) {
                int r = error_set(reterr, -EINVAL, "Duplicate mount point: %s", s->destination);

                mount_spec_done(s);
                return r;
        }
        p = m->n < MOUNT_SPECS_MAX ? reallocarray(m->items, m->n + 1, sizeof(MountSpec)) : NULL;
        if (!p) {
                mount_spec_done(s);
                return m->n < MOUNT_SPECS_MAX ? -ENOMEM : error_set(reterr, -EINVAL, "too many mounts");
        }
        m->items = p;
        m->items[m->n++] = *s;
        return 0;
}

static int config_error(EngineError *reterr, const char *type, const char *text) {
        return error_set(reterr, -EINVAL, "invalid mount config for type \"%s\": %s", type, text);
}

/* Stores the cleaned @target in @s. */
static int set_destination(MountSpec *s, const char *type, const char *target, EngineError *reterr) {
        if (isempty(target))
                return config_error(reterr, type, "field Target must not be empty");
        if (target[0] != '/')
                return error_set(
                                reterr, -EINVAL,
                                "invalid mount config for type \"%s\": invalid mount path: '%s' mount "
                                "path must be absolute",
                                type, target);
        s->destination = path_clean(target);
        if (!s->destination)
                return -ENOMEM;
        if (streq(s->destination, "/"))
                return config_error(reterr, type, "invalid specification: destination can't be '/'");
        return 0;
}

static int set_volume(MountSpec *s, const char *name, EngineError *reterr) {
        if (!volume_name_is_valid(name))
                return error_set(
                                reterr, -EINVAL,
                                "create %s: \"%s\" includes invalid characters for a local volume name, "
                                "only "
                                "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a "
                                "host directory, "
                                "use absolute path",
                                name, name);
        s->type = MOUNT_VOLUME;
        s->name = strdup(name);
        s->source = str_concat(BERTH_VOLUMES_DIR "/", name, "/_data");
        return s->name && s->source ? 0 : -ENOMEM;
}

/*
 * The shim's mount namespace receives mounts from the host but does not send any back, so a `shared` mount
 * could not do what its name says.
 */
static int set_propagation(MountSpec *s, const char *word, EngineError *reterr) {
        if (streq(word, "shared") || streq(word, "rshared"))
                return error_unsupported(reterr, "mount propagation shared");
        free(s->propagation);
        s->propagation = strdup(word);
        return s->propagation ? 0 : -ENOMEM;
}

static bool is_propagation(const char *word) {
        static const char *const words[] = { "private", "rprivate", "slave", "rslave", "shared", "rshared" };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (streq(words[i], word))
                        return true;
        return false;
}

static int check_selinux(const char *word, EngineError *reterr) {
        if (access("/sys/fs/selinux/enforce", F_OK) < 0)
                return 0;
        return error_unsupported(reterr, word[0] == 'z' ? "mount option z" : "mount option Z");
}

/* Return: 0, -EINVAL without a text for a word that is no mode. */
static int apply_mode_word(MountSpec *s, const char *word, unsigned *seen, EngineError *reterr) {
        unsigned bit;
        int r = 0;

        if (streq(word, "ro") || streq(word, "rw")) {
                bit = 1;
                s->writable = word[1] == 'w';
        } else if (streq(word, "z") || streq(word, "Z")) {
                bit = 2;
                r = check_selinux(word, reterr);
        } else if (streq(word, "nocopy")) {
                bit = 4;
                s->nocopy = true;
        } else if (streq(word, "consistent") || streq(word, "cached") || streq(word, "delegated"))
                bit = 8; /* means something on macOS only, Docker accepts it here too */
        else if (is_propagation(word)) {
                bit = 16;
                r = set_propagation(s, word, reterr);
        } else
                return -EINVAL;
        if (*seen & bit)
                return -EINVAL;
        *seen |= bit;
        return r;
}

static int apply_mode(MountSpec *s, const char *mode, EngineError *reterr) {
        _cleanup_strv_ char **words = NULL;
        unsigned seen = 0;
        int r;

        r = strv_split(mode, ',', &words);
        if (r < 0)
                return r;
        for (char **w = words; *w; w++) {
                r = apply_mode_word(s, *w, &seen, reterr);
                if (r == -EINVAL)
                        return error_set(reterr, -EINVAL, "invalid mode: %s", mode);
                if (r < 0)
                        return r;
        }
        s->mode = strdup(mode);
        return s->mode ? 0 : -ENOMEM;
}

static int fill_bind(MountSpec *s, const char *raw, const char *source, const char *target,
                     EngineError *reterr) {
        _cleanup_error_ EngineError e = {};
        int r;

        r = set_destination(s, source[0] == '/' ? "bind" : "volume", target, &e);
        if (r == -EINVAL)
                return error_set(reterr, r, "invalid volume specification: '%s': %s", raw, e.message);
        if (r < 0)
                return r;
        if (source[0] != '/')
                return set_volume(s, source, reterr);
        s->type = MOUNT_BIND;
        s->source = path_clean(source);
        return s->source ? 0 : -ENOMEM;
}

/* SOURCE:TARGET[:MODE] */
static int parse_bind(MountSpecs *m, const char *raw, EngineError *reterr) {
        _cleanup_free_ char *copy = strdup(raw);
        MountSpec s = { .writable = true, .recursive = true, .create_source = true };
        char *parts[3] = {};
        size_t n = 0;
        int r;

        if (!copy)
                return -ENOMEM;
        for (char *p = copy; p; n++) {
                char *colon = strchr(p, ':');

                if (n == ELEMENTSOF(parts))
                        return error_set(reterr, -EINVAL, "invalid volume specification: '%s'", raw);
                parts[n] = p;
                if (colon)
                        *colon = 0;
                p = colon ? colon + 1 : NULL;
        }
        if (isempty(parts[0]) || (n > 1 && isempty(parts[1])))
                return error_set(reterr, -EINVAL, "invalid volume specification: '%s'", raw);
        if (n == 1)
                return error_unsupported(reterr, "HostConfig.Binds without a source");
        r = fill_bind(&s, raw, parts[0], parts[1], reterr);
        if (r >= 0)
                r = apply_mode(&s, strempty(parts[2]), reterr);
        if (r >= 0 && s.type == MOUNT_VOLUME && s.propagation)
                r = error_set(reterr, -EINVAL, "invalid volume specification: '%s'", raw);
        if (r >= 0 && s.type == MOUNT_BIND && !s.propagation && !(s.propagation = strdup("rprivate")))
                r = -ENOMEM;
        if (r < 0) {
                mount_spec_done(&s);
                return r;
        }
        return add_spec(m, &s, reterr);
}

static int append_option(char **options, const char *word) {
        char *joined = isempty(*options) ? strdup(word) : str_concat(*options, ",", word);

        if (!joined)
                return -ENOMEM;
        free(*options);
        *options = joined;
        return 0;
}

static bool tmpfs_option_is_known(const char *word) {
        static const char *const flags[] = {
                "exec",     "noexec",     "suid",        "nosuid",        "dev",
                "nodev",    "ro",         "rw",          "sync",          "async",
                "dirsync",  "atime",      "noatime",     "diratime",      "nodiratime",
                "relatime", "norelatime", "strictatime", "nostrictatime",
        };
        static const char *const values[] = { "size=", "mode=", "uid=", "gid=", "nr_inodes=", "nr_blocks=" };

        for (size_t i = 0; i < ELEMENTSOF(flags); i++)
                if (streq(flags[i], word))
                        return true;
        for (size_t i = 0; i < ELEMENTSOF(values); i++) {
                const char *v = startswith(word, values[i]);

                if (!isempty(v))
                        return true;
        }
        return false;
}

/* Docker starts from noexec,nosuid,nodev; what the user says wins. */
static int set_tmpfs_options(MountSpec *s, const char *text, EngineError *reterr) {
        static const char *const pairs[][2] = { { "noexec", "exec" },
                                                { "nosuid", "suid" },
                                                { "nodev", "dev" } };
        _cleanup_strv_ char **words = NULL;
        int r;

        r = strv_split(text, ',', &words);
        if (r < 0)
                return r;
        for (char **w = words; *w; w++) {
                if (is_propagation(*w)) {
                        r = set_propagation(s, *w, reterr);
                        if (r < 0)
                                return r;
                        continue;
                }
                if (!tmpfs_option_is_known(*w))
                        return error_set(reterr, -EINVAL, "Invalid tmpfs option [\"%s\"]", *w);
                if (streq(*w, "ro"))
                        s->writable = false;
        }
        for (size_t i = 0; i < ELEMENTSOF(pairs); i++) {
                bool said = false;

                for (char **w = words; *w; w++)
                        said = said || streq(*w, pairs[i][0]) || streq(*w, pairs[i][1]);
                if (!said && append_option(&s->tmpfs_options, pairs[i][0]) < 0)
                        return -ENOMEM;
        }
        for (char **w = words; *w; w++)
                if (!is_propagation(*w) && append_option(&s->tmpfs_options, *w) < 0)
                        return -ENOMEM;
        return 0;
}

static int parse_tmpfs_map(MountSpecs *m, json_object *map, EngineError *reterr) {
        if (!map)
                return 0;
        json_object_object_foreach(map, target, options) {
                MountSpec s = { .type = MOUNT_TMPFS, .writable = true, .from_tmpfs_map = true };
                int r;

                r = set_destination(&s, "tmpfs", target, reterr);
                if (r >= 0)
                        r = set_tmpfs_options(&s, json_object_get_string(options), reterr);
                if (r < 0) {
                        mount_spec_done(&s);
                        return r;
                }
                r = add_spec(m, &s, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_no_fields(json_object *o, const char *const *names, size_t n, EngineError *reterr) {
        for (size_t i = 0; i < n; i++)
                if (!json_is_empty_value(json_get(o, names[i]))) {
                        _cleanup_free_ char *name = str_concat("HostConfig.Mounts[].", names[i]);

                        return error_unsupported(reterr, name ?: names[i]);
                }
        return 0;
}

static int parse_bind_object(MountSpec *s, json_object *o, const char *source, EngineError *reterr) {
        json_object *options = NULL;
        bool non_recursive = false;
        struct stat st;
        int r;

        if (json_get(o, "VolumeOptions"))
                return config_error(reterr, "bind", "field VolumeOptions must not be specified");
        if (isempty(source))
                return config_error(reterr, "bind", "field Source must not be empty");
        if (source[0] != '/')
                return error_set(
                                reterr, -EINVAL,
                                "invalid mount config for type \"bind\": invalid mount path: '%s' mount "
                                "path must be absolute",
                                source);
        if (json_get_object(o, "BindOptions", &options) < 0 ||
            json_get_bool(options, "NonRecursive", &non_recursive) < 0 ||
            json_get_bool(options, "CreateMountpoint", &s->create_source) < 0)
                return config_error(reterr, "bind", "field BindOptions is malformed");
        s->recursive = !non_recursive;
        s->source = path_clean(source);
        if (!s->source)
                return -ENOMEM;
        if (!s->create_source && stat(s->source, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
                return error_set(
                                reterr, -EINVAL,
                                "invalid mount config for type \"bind\": bind source path does not exist: "
                                "%s",
                                source);
        source = json_string_or(options, "Propagation", "");
        if (!isempty(source) && !is_propagation(source))
                return error_set(reterr, -EINVAL,
                                 "invalid mount config for type \"bind\": invalid propagation mode: %s",
                                 source);
        r = set_propagation(s, isempty(source) ? "rprivate" : source, reterr);
        if (r < 0)
                return r;
        return check_no_fields(options, (const char *const[]) { "ReadOnlyNonRecursive" }, 1, reterr);
}

static int parse_volume_object(MountSpec *s, json_object *o, const char *source, EngineError *reterr) {
        json_object *options = NULL, *driver = NULL;
        const char *name;

        if (json_get(o, "BindOptions"))
                return config_error(reterr, "volume", "field BindOptions must not be specified");
        if (isempty(source))
                return error_unsupported(reterr, "HostConfig.Mounts[].Source of an anonymous volume");
        if (json_get_object(o, "VolumeOptions", &options) < 0 ||
            json_get_bool(options, "NoCopy", &s->nocopy) < 0 ||
            json_get_object(options, "DriverConfig", &driver) < 0)
                return config_error(reterr, "volume", "field VolumeOptions is malformed");
        name = json_string_or(driver, "Name", "");
        if ((!isempty(name) && !streq(name, "local")) || !json_is_empty_value(json_get(driver, "Options")))
                return error_unsupported(reterr, "HostConfig.Mounts[].VolumeOptions.DriverConfig");
        if (set_volume(s, source, reterr) < 0)
                return -EINVAL;
        return check_no_fields(options, (const char *const[]) { "Labels", "Subpath" }, 2, reterr);
}

static int parse_tmpfs_object(MountSpec *s, json_object *o, const char *source, EngineError *reterr) {
        _cleanup_free_ char *text = NULL, *size_word = NULL;
        json_object *options = NULL, *list = NULL;
        int64_t size = 0, mode = 0;

        if (!isempty(source))
                return config_error(reterr, "tmpfs", "field Source must not be specified");
        if (json_get(o, "BindOptions") || json_get(o, "VolumeOptions"))
                return config_error(reterr, "tmpfs", "field BindOptions must not be specified");
        if (json_get_object(o, "TmpfsOptions", &options) < 0 ||
            json_get_int(options, "SizeBytes", 0, INT64_MAX, &size) < 0 ||
            json_get_int(options, "Mode", 0, 07777, &mode) < 0 ||
            json_get_array(options, "Options", &list) < 0)
                return config_error(reterr, "tmpfs", "field TmpfsOptions is malformed");
        text = strdup(s->writable ? "" : "ro");
        if (!text)
                return -ENOMEM;
        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                json_object *pair = json_object_array_get_idx(list, i);
                _cleanup_free_ char *word = NULL;
                size_t n = json_object_is_type(pair, json_type_array) ? json_object_array_length(pair) : 0;

                if (n < 1 || n > 2)
                        return config_error(reterr, "tmpfs", "field TmpfsOptions is malformed");
                word = str_concat(json_object_get_string(json_object_array_get_idx(pair, 0)) ?: "",
                                  n == 2 ? "=" : "",
                                  n == 2 ? json_object_get_string(json_object_array_get_idx(pair, 1)) ?: ""
                                         : "");
                if (!word || append_option(&text, word) < 0)
                        return -ENOMEM;
        }
        if (size > 0) {
                size_word = str_printf("size=%lld", (long long) size);
                if (!size_word || append_option(&text, size_word) < 0)
                        return -ENOMEM;
        }
        if (mode > 0) {
                _cleanup_free_ char *mode_word = str_printf("mode=%llo", (unsigned long long) mode);

                if (!mode_word || append_option(&text, mode_word) < 0)
                        return -ENOMEM;
        }
        return set_tmpfs_options(s, text, reterr);
}

static int fill_from_object(MountSpec *s, json_object *o, EngineError *reterr) {
        const char *type = json_string_or(o, "Type", ""), *source = json_string_or(o, "Source", "");
        bool read_only = false;
        int r;

        if (!json_object_is_type(o, json_type_object) || json_get_bool(o, "ReadOnly", &read_only) < 0)
                return error_set(reterr, -EINVAL,
                                 "invalid JSON: HostConfig.Mounts must be an array of objects");
        s->writable = !read_only;
        for (s->type = 0; s->type < _MOUNT_TYPE_MAX; s->type++)
                if (streq(type_names[s->type], type))
                        break;
        if (streq(type, "image") || streq(type, "npipe") || streq(type, "cluster")) {
                _cleanup_free_ char *name = str_concat("mount type ", type);

                return error_unsupported(reterr, name ?: type);
        }
        if (s->type == _MOUNT_TYPE_MAX)
                return error_set(reterr, -EINVAL, "mount type unknown: \"%s\"", type);
        r = set_destination(s, type, json_string_or(o, "Target", ""), reterr);
        if (r < 0)
                return r;
        s->mode = strdup("");
        if (!s->mode)
                return -ENOMEM;
        if (s->type == MOUNT_BIND)
                return parse_bind_object(s, o, source, reterr);
        if (s->type == MOUNT_VOLUME)
                return parse_volume_object(s, o, source, reterr);
        return parse_tmpfs_object(s, o, source, reterr);
}

static int parse_objects(MountSpecs *m, json_object *list, EngineError *reterr) {
        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                MountSpec s = { .recursive = true };
                int r = fill_from_object(&s, json_object_array_get_idx(list, i), reterr);

                if (r < 0) {
                        mount_spec_done(&s);
                        return r;
                }
                r = add_spec(m, &s, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

/** mount_specs_parse - see mount-spec.h. @host_config has passed options_merge(). Return: 0, -EINVAL,
 * -EOPNOTSUPP, -ENOMEM. */
int mount_specs_parse(json_object *host_config, MountSpecs *ret, EngineError *reterr) {
        _cleanup_mount_specs_ MountSpecs m = {};
        json_object *binds = json_get(host_config, "Binds");
        int r;

        for (size_t i = 0; binds && i < json_object_array_length(binds); i++) {
                r = parse_bind(&m, json_object_get_string(json_object_array_get_idx(binds, i)), reterr);
                if (r < 0)
                        return r;
        }
        r = parse_objects(&m, json_get(host_config, "Mounts"), reterr);
        if (r < 0)
                return r;
        r = parse_tmpfs_map(&m, json_get(host_config, "Tmpfs"), reterr);
        if (r < 0)
                return r;
        *ret = m;
        m = (MountSpecs){};
        return 0;
}

/** mount_specs_realize - see mount-spec.h. Return: 0 or -errno with a text. */
int mount_specs_realize(const MountSpecs *m, EngineError *reterr) {
        for (size_t i = 0; i < m->n; i++) {
                const MountSpec *s = &m->items[i];
                int r;

                if (s->type == MOUNT_TMPFS || (s->type == MOUNT_BIND && !s->create_source) ||
                    access(s->source, F_OK) >= 0)
                        continue;
                r = mkdir_parents(s->source, 0755);
                if (r < 0)
                        return error_set_status(reterr, r, 500,
                                                "error while creating mount source path '%s': %s", s->source,
                                                strerrordesc_np(-r));
        }
        return 0;
}

static int spec_to_json(const MountSpec *s, json_object **ret) {
        _cleanup_json_ json_object *o = json_object_new_object();
        int r;

        if (!o)
                return -ENOMEM;
        r = json_set_str(o, "Type", type_names[s->type]);
        if (r >= 0 && s->name)
                r = json_set_str(o, "Name", s->name);
        if (r >= 0)
                r = json_set_str(o, "Source", strempty(s->source));
        if (r >= 0)
                r = json_set_str(o, "Destination", s->destination);
        if (r >= 0 && s->name)
                r = json_set_str(o, "Driver", "local");
        if (r >= 0)
                r = json_set_str(o, "Mode", strempty(s->mode));
        if (r >= 0)
                r = json_set_bool(o, "RW", s->writable);
        if (r >= 0)
                r = json_set_str(o, "Propagation", s->type == MOUNT_BIND ? strempty(s->propagation) : "");
        if (r < 0)
                return r;
        *ret = TAKE_PTR(o);
        return 0;
}

/** mount_specs_to_json - new array for inspect. */
int mount_specs_to_json(const MountSpecs *m, json_object **ret) {
        _cleanup_json_ json_object *a = json_object_new_array();
        int r;

        if (!a)
                return -ENOMEM;
        for (size_t i = 0; i < m->n; i++) {
                json_object *o;

                if (m->items[i].from_tmpfs_map)
                        continue;
                r = spec_to_json(&m->items[i], &o);
                if (r < 0)
                        return r;
                r = json_add(a, o);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(a);
        return 0;
}

static int spec_options(const MountSpec *s, json_object **ret) {
        _cleanup_strv_ char **words = NULL;
        json_object *a;
        int r;

        r = strv_split(strempty(s->tmpfs_options), ',', &words);
        if (r >= 0 && s->type != MOUNT_TMPFS)
                r = strv_extend(&words, s->recursive ? "rbind" : "bind");
        if (r >= 0)
                r = strv_extend(&words, s->propagation ?: "rprivate");
        /* Both: a runtime without recursive attributes ignores the second word at worst, never the first. */
        if (r >= 0 && s->type != MOUNT_TMPFS && !s->writable)
                r = strv_extend(&words, "ro");
        if (r >= 0 && s->type != MOUNT_TMPFS && !s->writable && s->recursive)
                r = strv_extend(&words, "rro");
        if (r < 0)
                return r;
        a = json_new_strv(words);
        if (!a)
                return -ENOMEM;
        *ret = a;
        return 0;
}

static size_t path_depth(const char *path) {
        size_t n = 0;

        for (; *path; path++)
                n += *path == '/';
        return n;
}

static int compare_depth(const void *a, const void *b) {
        const MountSpec *x = a, *y = b;
        size_t i = path_depth(x->destination), j = path_depth(y->destination);

        return i != j ? (i < j ? -1 : 1) : strcmp(x->destination, y->destination);
}

/** mount_specs_to_oci - see mount-spec.h; sorts @m. Return: 0 or -ENOMEM. */
int mount_specs_to_oci(MountSpecs *m, json_object *mounts) {
        if (m->n > 0)
                qsort(m->items, m->n, sizeof(MountSpec), compare_depth);
        for (size_t i = 0; i < m->n; i++) {
                const MountSpec *s = &m->items[i];
                bool tmpfs = s->type == MOUNT_TMPFS;
                json_object *o = json_object_new_object(), *options = NULL;
                int r = json_add(mounts, o);

                if (r >= 0)
                        r = json_set_str(o, "destination", s->destination);
                if (r >= 0)
                        r = json_set_str(o, "type", tmpfs ? "tmpfs" : "bind");
                if (r >= 0)
                        r = json_set_str(o, "source", tmpfs ? "tmpfs" : s->source);
                if (r >= 0)
                        r = spec_options(s, &options);
                if (r >= 0)
                        r = json_set(o, "options", options);
                if (r < 0)
                        return r;
        }
        return 0;
}
