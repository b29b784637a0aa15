/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Contents of the small files that are bound into a container: hosts and resolv.conf. The line of the
 * container's own address is added at start, when there is one.
 */
#include <arpa/inet.h>
#include <fcntl.h>

#include "../basic/file.h"
#include "../basic/json.h"
#include "../basic/str.h"
#include "create.h"

#define FILE_MAX (256 * 1024)

static int put_extra_hosts(const CreateContext *c, Buffer *b) {
        json_object *list = json_get(c->host, "ExtraHosts");
        int r = 0;

        for (size_t i = 0; r >= 0 && list && i < json_object_array_length(list); i++) {
                const char *entry = json_object_get_string(json_object_array_get_idx(list, i));
                size_t n = strcspn(entry, "=:");

                r = buffer_appendf(b, "%s\t%.*s\n", entry + n + 1, (int) n, entry);
        }
        return r;
}

static bool is_address(const char *s) {
        unsigned char raw[sizeof(struct in6_addr)];

        return inet_pton(AF_INET, s, raw) == 1 || inet_pton(AF_INET6, s, raw) == 1;
}

static int check_words(json_object *list, const char *option, EngineError *reterr) {
        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                const char *s = json_object_get_string(json_object_array_get_idx(list, i));

                if (isempty(s) || strpbrk(s, " \t\r\n"))
                        return error_set(reterr, -EINVAL, "invalid HostConfig.%s: \"%s\"", option, s);
        }
        return 0;
}

/** create_check_files - check ExtraHosts, Dns, DnsSearch and DnsOptions. Return: 0, -EINVAL, -EOPNOTSUPP. */
int create_check_files(const CreateContext *c, EngineError *reterr) {
        json_object *hosts = json_get(c->host, "ExtraHosts"), *dns = json_get(c->host, "Dns");
        int r;

        for (size_t i = 0; hosts && i < json_object_array_length(hosts); i++) {
                const char *entry = json_object_get_string(json_object_array_get_idx(hosts, i));
                size_t n = strcspn(entry, "=:");

                if (n == 0 || !entry[n] || strpbrk(entry, " \t\r\n"))
                        return error_set(reterr, -EINVAL, "bad format for add-host: \"%s\"", entry);
                if (streq(entry + n + 1, "host-gateway"))
                        return error_unsupported(reterr, "HostConfig.ExtraHosts with host-gateway");
                if (!is_address(entry + n + 1))
                        return error_set(reterr, -EINVAL, "invalid IP address in add-host: \"%s\"",
                                         entry + n + 1);
        }
        for (size_t i = 0; dns && i < json_object_array_length(dns); i++) {
                const char *address = json_object_get_string(json_object_array_get_idx(dns, i));

                if (!is_address(address))
                        return error_set(reterr, -EINVAL, "invalid IP address: %s", address);
        }
        r = check_words(json_get(c->host, "DnsSearch"), "DnsSearch", reterr);
        return r < 0 ? r : check_words(json_get(c->host, "DnsOptions"), "DnsOptions", reterr);
}

/** create_hosts - text of /etc/hosts. Return: 0 or -ENOMEM. */
int create_hosts(const CreateContext *c, char **ret) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(FILE_MAX);
        _cleanup_free_ char *host = NULL;
        int r;

        if (streq(c->network, "host") &&
            read_file_at(AT_FDCWD, "/etc/hosts", FILE_MAX / 2, &host, NULL) >= 0)
                r = buffer_append_str(&b, host);
        else
                r = buffer_append_str(&b, "127.0.0.1\tlocalhost\n"
                                          "::1\tlocalhost ip6-localhost ip6-loopback\n"
                                          "fe00::\tip6-localnet\n"
                                          "ff00::\tip6-mcastprefix\n"
                                          "ff02::1\tip6-allnodes\n"
                                          "ff02::2\tip6-allrouters\n");
        if (r >= 0)
                r = put_extra_hosts(c, &b);
        if (r < 0)
                return r;
        *ret = buffer_take(&b);
        return *ret ? 0 : -ENOMEM;
}

static bool is_loopback(const char *address) {
        return startswith(address, "127.") || streq(address, "::1");
}

static int put_list(Buffer *b, const char *keyword, json_object *list) {
        int r = buffer_append_str(b, keyword);

        for (size_t i = 0; r >= 0 && i < json_object_array_length(list); i++)
                r = buffer_appendf(b, " %s", json_object_get_string(json_object_array_get_idx(list, i)));
        return r >= 0 ? buffer_append_str(b, "\n") : r;
}

/* Copies the host's lines, leaving out what the user replaces, and resolvers that only the host itself can
 * reach. */
static int put_host_lines(Buffer *b, const char *text, bool nameservers, bool search, bool options,
                          bool loopback, size_t *ret_nameservers) {
        _cleanup_strv_ char **lines = NULL;
        int r;

        r = strv_split(text, '\n', &lines);
        for (char **l = lines; r >= 0 && l && *l; l++) {
                const char *address = startswith(*l, "nameserver");

                if (address) {
                        address += strspn(address, " \t");
                        if (!nameservers || (!loopback && is_loopback(address)))
                                continue;
                        (*ret_nameservers)++;
                } else if ((*l)[0] == '#' || (*l)[0] == ';' ||
                           (!search && (startswith(*l, "search") || startswith(*l, "domain"))) ||
                           (!options && startswith(*l, "options")))
                        continue;
                r = buffer_appendf(b, "%s\n", *l);
        }
        return r;
}

/**
 * create_resolv_conf - text of /etc/resolv.conf: the host's, with the user's Dns, DnsSearch and DnsOptions
 * in place of its own lines. With a network of its own a container cannot reach a resolver on the host's
 * loopback; systemd-resolved keeps the real servers in a second file. If none is left there is none: public
 * servers nobody asked for are no fallback.
 */
int create_resolv_conf(const CreateContext *c, char **ret) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(FILE_MAX);
        _cleanup_free_ char *host = NULL, *upstream = NULL;
        json_object *dns = json_get(c->host, "Dns"), *search = json_get(c->host, "DnsSearch");
        json_object *options = json_get(c->host, "DnsOptions");
        size_t n_dns = dns ? json_object_array_length(dns) : 0,
               n_search = search ? json_object_array_length(search) : 0;
        size_t n_options = options ? json_object_array_length(options) : 0, found = 0;
        bool own = streq(c->network, "bridge");
        int r = 0;

        (void) read_file_at(AT_FDCWD, "/etc/resolv.conf", FILE_MAX / 4, &host, NULL);
        if (own && host && strstr(host, "127.0.0.53") &&
            read_file_at(AT_FDCWD, "/run/systemd/resolve/resolv.conf", FILE_MAX / 4, &upstream, NULL) >= 0)
                host = (free(host), TAKE_PTR(upstream));
        if (host)
                r = put_host_lines(&b, host, n_dns == 0, n_search == 0, n_options == 0, !own, &found);
        for (size_t i = 0; r >= 0 && i < n_dns; i++)
                r = buffer_appendf(&b, "nameserver %s\n",
                                   json_object_get_string(json_object_array_get_idx(dns, i)));
        if (r >= 0 && n_search > 0 &&
            !streq(json_object_get_string(json_object_array_get_idx(search, 0)), "."))
                r = put_list(&b, "search", search);
        if (r >= 0 && n_options > 0)
                r = put_list(&b, "options", options);
        if (r >= 0)
                r = buffer_append_str(&b, "");
        if (r < 0)
                return r;
        *ret = b.data ? buffer_take(&b) : strdup("");
        return *ret ? 0 : -ENOMEM;
}
