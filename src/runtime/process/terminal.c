/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "terminal.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <termios.h>

#include "../../basic/fd.h"
#include "../error.h"
#include "../kernel-call.h"
#include "../mounts/mounts-legacy.h"
#include "../mounts/root-path.h"

#ifndef DEVPTS_SUPER_MAGIC
#define DEVPTS_SUPER_MAGIC 0x1cd1
#endif
#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

/** terminal_connect - connect to the caller's --console-socket. Return: the socket, or -errno with a
 * message. */
int terminal_connect(const char *socket_path) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        _cleanup_close_ int dir_fd = -EBADF, fd = -EBADF;
        int n;

        if (strlen(socket_path) < sizeof(sa.sun_path))
                n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", socket_path);
        else {
                /* Longer than an address can be: name it through a descriptor. */
                dir_fd = open(socket_path, O_PATH | O_CLOEXEC);
                if (dir_fd < 0)
                        return fail_errno(errno, "console socket %s", socket_path);
                n = snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d", dir_fd);
        }
        if (n < 0 || (size_t) n >= sizeof(sa.sun_path))
                return fail_errno(ENAMETOOLONG, "console socket %s", socket_path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *) &sa, sizeof(sa)) < 0)
                return fail_errno(errno, "console socket %s", socket_path);
        return TAKE_FD(fd);
}

/* The image must not be able to put something else in the place of the multiplexer: in a devpts nothing can
 * be made or renamed, and what is mounted there is not followed. Nor is /proc needed, which may be false. */
static int open_ptmx(int root_fd) {
        _cleanup_close_ int dir = root_path_open(root_fd, "/dev/pts", 0), fd = -EBADF;
        struct statfs fs;
        struct stat st;

        if (dir < 0)
                return fail_errno(dir, "terminal: /dev/pts");
        if (fstatfs(dir, &fs) < 0)
                return fail_errno(errno, "terminal: /dev/pts");
        if (fs.f_type != DEVPTS_SUPER_MAGIC)
                return fail_text(ENODEV,
                                 "terminal: /dev/pts/ptmx is not the multiplexer: /dev/pts is no devpts");
        fd = sys_openat2(dir, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC,
                         RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS);
        if (fd < 0 && errno == EXDEV)
                return fail_text(
                                ENODEV,
                                "terminal: /dev/pts/ptmx is not the multiplexer: something is mounted there");
        if (fd < 0 || fstat(fd, &st) < 0)
                return fail_errno(errno, "terminal: open /dev/pts/ptmx");
        if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2))
                return fail_text(ENODEV, "terminal: /dev/pts/ptmx is not the multiplexer of a devpts");
        return TAKE_FD(fd);
}

static int end_lines_plainly(int master) {
        struct termios t;

        if (tcgetattr(master, &t) < 0)
                return negative_errno();
        t.c_oflag &= ~(tcflag_t) ONLCR;
        return tcsetattr(master, TCSANOW, &t) < 0 ? negative_errno() : 0;
}

/**
 * terminal_open - a new pseudo terminal of the container's own devpts, with the size the spec wants.
 * @ret_master, @ret_peer: owned by the caller.
 */
int terminal_open(int root_fd, const SpecProcess *p, int *ret_master, int *ret_peer) {
        struct winsize ws = { .ws_row = p->console_height, .ws_col = p->console_width };
        _cleanup_close_ int master = open_ptmx(root_fd), peer = -EBADF;
        int unlock = 0, r;

        if (master < 0)
                return master;
        if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
                return fail_errno(errno, "terminal: unlock");
        peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (peer < 0)
                return fail_errno(errno, "terminal: open the other end");
        if (ws.ws_row > 0 && ws.ws_col > 0 && ioctl(master, TIOCSWINSZ, &ws) < 0)
                return fail_errno(errno, "terminal: size");
        if (p->console_plain && (r = end_lines_plainly(master)) < 0)
                return fail_errno(r, "terminal: modes");
        *ret_master = TAKE_FD(master);
        *ret_peer = TAKE_FD(peer);
        return 0;
}

/** terminal_bind_console - let /dev/console of the container be its terminal. */
int terminal_bind_console(int root_fd, int peer_fd) {
        _cleanup_close_ int target = -EBADF, tree = -EBADF;
        int r;

        target = root_path_ensure(root_fd, "/dev/console", false, RESOLVE_NO_SYMLINKS);
        if (target < 0)
                return fail_errno(target, "terminal: /dev/console");
        tree = mount_clone(peer_fd, "", AT_EMPTY_PATH);
        if (tree == -ENOSYS)
                r = legacy_bind(peer_fd, target, false);
        else
                r = tree < 0 ? tree : mount_attach(tree, target);
        return r < 0 ? fail_errno(r, "terminal: bind /dev/console") : 0;
}

/** terminal_send - give the master to the caller. @master_fd is borrowed. */
int terminal_send(int socket_fd, int master_fd) {
        static const char name[] = "/dev/ptmx";
        ssize_t n = send_with_fds(socket_fd, name, sizeof(name) - 1, &master_fd, 1, 0);

        return n < 0 ? fail_errno((int) n, "terminal: send to the console socket") : 0;
}

/** terminal_use - let @peer_fd be the user's, and 0, 1, 2 of the calling process. */
int terminal_use(int peer_fd, uid_t uid) {
        if (uid != 0 && fchown(peer_fd, uid, (gid_t) -1) < 0 && errno != EPERM && errno != EINVAL)
                return fail_errno(errno, "terminal: owner");
        for (int fd = 0; fd < 3; fd++)
                if (dup2(peer_fd, fd) < 0)
                        return fail_errno(errno, "terminal: stdio");
        return 0;
}

/** terminal_attach - the calling session leader takes @peer_fd as controlling terminal and as 0, 1, 2. */
int terminal_attach(int peer_fd, uid_t uid) {
        int r = terminal_use(peer_fd, uid);

        if (r >= 0 && ioctl(peer_fd, TIOCSCTTY, 0) < 0)
                return fail_errno(errno, "terminal: controlling terminal");
        return r;
}
