/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../../basic/log.h"
#include "../../basic/str.h"
#include "skin.h"

/*
 * Who may do what. A filter sees every method call before it is dispatched. root passes; for others polkit
 * is asked, without waiting for it: the call is put aside and, when polkit agrees, put back into the queue
 * of the bus, where the filter recognises it. So no handler has to know about polkit, and reading a property
 * is checked like any call.
 */
#define ACTION_VIEW    "org.berth1.view"
#define ACTION_MANAGE  "org.berth1.manage-containers"
#define CHECKS_MAX     128
#define POLKIT_TIMEOUT (120 * USEC_PER_SEC) /* somebody may have to type a password */

typedef struct Check Check;
struct Check {
        Authorizer *authorizer;
        Check *next;
        sd_bus_message *message;
        sd_bus_slot *slot;
        bool allowed; /* back in the queue */
};

struct Authorizer {
        Manager *manager;
        Check *checks;
        size_t n_checks;
};

static void check_free(Check *c) {
        Authorizer *a = c->authorizer;

        for (Check **i = &a->checks; *i; i = &(*i)->next)
                if (*i == c) {
                        *i = c->next;
                        a->n_checks--;
                        manager_release(a->manager);
                        break;
                }
        (void) sd_bus_slot_unref(c->slot);
        (void) sd_bus_message_unref(c->message);
        free(c);
}

/* Return: the polkit action, NULL for what everybody may ask. */
static const char *action_of(sd_bus_message *m) {
        static const char *const view_members[] = { "ListContainers", "GetContainer" };
        const char *interface = strempty(sd_bus_message_get_interface(m));

        if (streq(interface, "org.freedesktop.DBus.Peer") ||
            streq(interface, "org.freedesktop.DBus.Introspectable"))
                return NULL;
        if (streq(interface, "org.freedesktop.DBus.Properties") ||
            streq(interface, "org.freedesktop.DBus.ObjectManager"))
                return ACTION_VIEW;
        for (size_t i = 0; i < ELEMENTSOF(view_members); i++)
                if (streq_ptr(sd_bus_message_get_member(m), view_members[i]))
                        return ACTION_VIEW;
        return ACTION_MANAGE;
}

static bool sender_is_root(sd_bus_message *m) {
        __attribute__((__cleanup__(sd_bus_creds_unrefp))) sd_bus_creds *creds = NULL;
        uid_t uid;

        return sd_bus_query_sender_creds(m, SD_BUS_CREDS_EUID, &creds) >= 0 &&
               sd_bus_creds_get_euid(creds, &uid) >= 0 && uid == 0;
}

static void deny(sd_bus_message *m, bool challenge, const char *text) {
        (void) sd_bus_reply_method_errorf(m,
                                          challenge ? SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED
                                                    : SD_BUS_ERROR_ACCESS_DENIED,
                                          "%s", text);
}

static int on_verdict(sd_bus_message *reply, void *userdata, sd_bus_error *e) {
        int authorized = 0, challenge = 0, r;
        Check *c = userdata;

        if (sd_bus_message_is_method_error(reply, NULL)) {
                (void) log_warning_errno(sd_bus_message_get_errno(reply),
                                         "polkit cannot say whether %s may use berth: %s",
                                         strempty(sd_bus_message_get_sender(c->message)),
                                         sd_bus_message_get_error(reply)->message);
                deny(c->message, false, "polkit does not answer");
                check_free(c);
                return 0;
        }
        r = sd_bus_message_enter_container(reply, 'r', "bba{ss}");
        if (r >= 0)
                r = sd_bus_message_read(reply, "bb", &authorized, &challenge);
        if (r >= 0 && authorized) {
                c->allowed = true;
                r = sd_bus_enqueue_for_read(c->authorizer->manager->bus, c->message);
                if (r >= 0)
                        return 0;
                (void) sd_bus_reply_method_errno(c->message, r, NULL);
        } else
                deny(c->message, challenge && r >= 0, "Not allowed by polkit");
        check_free(c);
        return 0;
}

static int ask_polkit(Check *c, const char *action) {
        __attribute__((__cleanup__(sd_bus_message_unrefp))) sd_bus_message *m = NULL;
        sd_bus *bus = c->authorizer->manager->bus;
        uint32_t flags = sd_bus_message_get_allow_interactive_authorization(c->message) > 0 ? 1 : 0;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, "org.freedesktop.PolicyKit1",
                                           "/org/freedesktop/PolicyKit1/Authority",
                                           "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_append(m, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
                                          sd_bus_message_get_sender(c->message), action, 0, flags, "");
        if (r >= 0)
                r = sd_bus_call_async(bus, &c->slot, m, on_verdict, c, POLKIT_TIMEOUT);
        return r;
}

static int check_new(Authorizer *a, sd_bus_message *m, const char *action) {
        Check *c;
        int r;

        if (a->n_checks >= CHECKS_MAX)
                return -EUSERS;
        c = new0(Check, 1);
        if (!c)
                return -ENOMEM;
        *c = (Check){ .authorizer = a, .next = a->checks, .message = sd_bus_message_ref(m) };
        a->checks = c;
        a->n_checks++;
        manager_hold(a->manager);
        r = ask_polkit(c, action);
        if (r < 0)
                check_free(c);
        return r;
}

/* Return: whether polkit has let this very message pass. */
static bool take_allowed(Authorizer *a, sd_bus_message *m) {
        for (Check *c = a->checks; c; c = c->next)
                if (c->message == m && c->allowed) {
                        check_free(c);
                        return true;
                }
        return false;
}

/**
 * authorizer_filter - a filter for the bus. Return: 0 to go on with the message, 1 when it is dealt with.
 */
int authorizer_filter(sd_bus_message *message, void *userdata, sd_bus_error *e) {
        const char *action, *path = sd_bus_message_get_path(message);
        Authorizer *a = userdata;
        int r;

        if (sd_bus_message_is_method_call(message, NULL, NULL) <= 0 || !path ||
            !startswith(path, BERTH_BUS_PATH))
                return 0;
        /* Whoever calls us is a reason to stay a while longer. */
        manager_hold(a->manager);
        manager_release(a->manager);
        action = action_of(message);
        if (!action || take_allowed(a, message) || sender_is_root(message))
                return 0;
        r = check_new(a, message, action);
        if (r < 0)
                (void) sd_bus_reply_method_errno(message, r, NULL);
        return 1;
}

/** authorizer_new - @m: borrowed. */
int authorizer_new(Manager *m, Authorizer **ret) {
        Authorizer *a = new0(Authorizer, 1);

        if (!a)
                return -ENOMEM;
        a->manager = m;
        *ret = a;
        return 0;
}

/** authorizer_free - forget calls that wait for polkit. Return: NULL. */
Authorizer *authorizer_free(Authorizer *a) {
        while (a && a->checks)
                check_free(a->checks);
        return mfree(a);
}
