/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "terminal.h"

#include <errno.h>
#include <sys/ioctl.h>

#include "../basic/str.h"

/** terminal_set_raw - the terminal on stdin passes every byte; undone by terminal_restore(). Return: 0 or
 * -errno. */
int terminal_set_raw(Terminal *t) {
        struct termios raw;

        if (tcgetattr(STDIN_FILENO, &t->saved) < 0)
                return negative_errno();
        raw = t->saved;
        cfmakeraw(&raw);
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
                return negative_errno();
        t->raw = true;
        return 0;
}

/** terminal_restore - as it was before terminal_set_raw(); does nothing twice. */
void terminal_restore(Terminal *t) {
        if (t->raw)
                (void) tcsetattr(STDIN_FILENO, TCSADRAIN, &t->saved);
        t->raw = false;
}

/** terminal_size - of the terminal on stdout or else stdin. Return: 0, -ENOTTY. */
int terminal_size(unsigned *ret_rows, unsigned *ret_columns) {
        struct winsize ws = {};

        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) < 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &ws) < 0)
                return -ENOTTY;
        if (ws.ws_row == 0 || ws.ws_col == 0)
                return -ENOTTY;
        *ret_rows = ws.ws_row;
        *ret_columns = ws.ws_col;
        return 0;
}

/** detach_keys_parse - "ctrl-p,ctrl-q", "a,ctrl-@", "ctrl-\\". Return: 0 or -EINVAL. */
int detach_keys_parse(const char *s, DetachKeys *ret) {
        DetachKeys d = {};

        while (*s) {
                const char *e = strchrnul(s, ','), *ctrl;
                size_t n = (size_t) (e - s);

                if (d.n >= DETACH_KEYS_MAX)
                        return -EINVAL;
                ctrl = startswith(s, "ctrl-");
                if (n == 1)
                        d.keys[d.n++] = *s;
                else if (ctrl && n == 6 && *ctrl >= 'a' && *ctrl <= 'z')
                        d.keys[d.n++] = (char) (*ctrl - 'a' + 1);
                else if (ctrl && n == 6 && *ctrl >= '@' && *ctrl <= '_')
                        d.keys[d.n++] = (char) (*ctrl - '@');
                else
                        return -EINVAL;
                s = *e ? e + 1 : e;
        }
        if (d.n == 0)
                return -EINVAL;
        *ret = d;
        return 0;
}

/**
 * detach_keys_filter - pass typed bytes on unless they are the sequence.
 * @out: room for @size + DETACH_KEYS_MAX bytes.
 *
 * Return: true if the sequence is complete; @ret_size bytes in @out came before it.
 */
bool detach_keys_filter(DetachKeys *d, const char *in, size_t size, char *out, size_t *ret_size) {
        size_t n = 0;

        for (size_t i = 0; i < size; i++) {
                if (in[i] == d->keys[d->matched]) {
                        if (++d->matched < d->n)
                                continue;
                        d->matched = 0;
                        *ret_size = n;
                        return true;
                }
                memcpy(out + n, d->keys, d->matched);
                n += d->matched;
                d->matched = in[i] == d->keys[0];
                if (d->matched == 0)
                        out[n++] = in[i];
        }
        *ret_size = n;
        return false;
}
