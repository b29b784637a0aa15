# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where we differ from both crun and runc on purpose.

(case, fact, what ours looks like, reason): the first two are shell patterns, the third a regular expression. A line
whose difference does not appear any more fails the test, unless it is for the cases of all groups ("*/").
"""
INTENDED = [
    # --- everywhere
    ("*/*", "mount:*", r"(^|\|\| )/ of tmpfs\(tmpfs\) ro,nosuid,nodev,noexec,relatime \w+ rw,size=0k,nr_inodes=2,mode=755(,uid=\d+,gid=\d+)?$",
     "masked directories share one empty file system that can hold nothing and run nothing"),
    ("*/*", "mount:*", r"^/null of tmpfs\(tmpfs\) rw,nosuid,relatime \w+ rw,mode=755$",
     "masked files are the host's verified null device, not one that the container's /dev holds (CVE-2025-31133)"),
    ("*/*", "tree:*", r"^drwxr-xr-x 0:0$", "crun makes mount points with the sticky bit, runc removes dots before it looks"),

    # --- refused here because the specification says so, taken by both
    ("config/version*", "exit", r"^1 .*ociVersion", "what a version of another kind means nobody can know"),
    ("attributes/personality flags", "exit", "^1 .*flags", "the specification: no flag values are supported"),
    ("rlimits/given twice", "exit", r"^1 .*given twice", "the specification: MUST generate an error"),
    ("users/umask too large", "exit", r"^1 .*umask", "is no file mode"),
    ("devices/no numbers", "exit", r"^1 .*major and minor", "both are REQUIRED unless it is a FIFO"),
    ("devices/relative path", "exit", r"^1 .*absolute", "path is the full path inside the container"),
    ("devices/another in the root", "exit", r"^1 .*has incorrect", "the specification: MUST generate an error"),
    ("devices/file in the way", "exit", r"^1 .*has incorrect", "the specification: MUST generate an error"),
    ("cgroup/bad access", "exit", r"^1 .*access", "is no access"),

    # --- possible here, refused by both
    ("config/null mounts", "exit", "^0", "null is what an absent field is"),
    ("kernelfs/dev on a link", "exit", "^0", "links are resolved inside the root, so they may be anywhere"),
    ("bind/whole dev", "exit", "^0", "we need nothing of the container's /dev"),
    ("bind/type without the option", "exit", "^0", "the type says bind as clearly as the option does"),
    ("masks/missing", "exit", "^0", "below a file there is nothing to hide, as where there is no file"),
    ("capabilities/effective beyond permitted", "exit", "^0 warning: capabilities 0x1 ",
     "the specification: what cannot be granted MUST be a warning"),
    ("capabilities/not held by the host", "exit", "^0 warning: capabilities 0x1000000 ",
     "the specification: what cannot be granted MUST be a warning"),
    ("attributes/oom score below the host's", "exit", "^0 warning: oomScoreAdj", "a host without CAP_SYS_RESOURCE cannot grant it"),
    ("program/no PATH", "exit", "^0", "execvp() has a default path"),
    ("seccomp/default errno", "exit", "^139", "no system call of ours comes after the filter but execve()"),

    ("userns/device", "dev:/dev/mine", "^21b6", "as without a user namespace, where no fileMode is 0666; crun gives it to nobody then"),
    ("userns/device", "mount:/dev/mine", r"^/0 of tmpfs\(devices\) rw,nosuid,noexec,", "made apart with the rights of the host; nothing there is a program"),
    ("userns/without pid", "exit", "^0", "podman --pid=host in a user namespace: the host's /proc is bound"),

    # --- a mount namespace that is shared is not mounted in
    ("mountns/*", "mount:*", "^None$", "the root is a tree of its own; the peers leave these mounts to all in the namespace"),
    ("mountns/none, read-only", "exit", "^1", "the peers leave the root writable"),

    # --- done better
    ("tmpfs/option rnoatime", "mount:/t", " rw,noatime ", "runc ignores it, crun refuses it"),
    ("tmpfs/option rstrictatime", "mount:/t", " rw private", "runc ignores it, crun refuses it"),
    ("tmpfs/option rnodiratime", "mount:/t", " rw,nodiratime,relatime ", "runc ignores it, crun refuses it"),
    ("tmpfs/option rnosymfollow", "mount:/t", "nosymfollow ", "runc ignores it, crun refuses it"),
    ("tmpfs/options undone and done", "mount:/t", " ro,relatime ", "the last option wins, as for all others"),
    ("userns/*", "mount:/dev/*", "^/(full|random|tty|urandom|zero) of tmpfs.* rw,nosuid,relatime private rw,mode=755$",
     "bound with the flags that the host has there; crun adds noexec"),
    ("userns/without network", "mount:/sys/fs/cgroup", "/ of cgroup2.*ro,nosuid,nodev,noexec",
     "/sys is the host's, covered by one mount; crun puts an empty tmpfs in between"),
    ("bind/source link not followed", "*", r"^(0$|BUNDLE/lk of|host/f\n)", "a link that is not followed is bound as a link"),
    ("root/runbindable", "mount:*", " unbindable ", "it is recursive: everything in it is unbindable"),
    ("root/rshared", "mount:/sys/fs/cgroup", "shared", "as crun has it; only the name of the source is runc's"),
    ("masks/read-only tree", "mount:/t/u", "ro,relatime", "what is mounted below a read-only path is read-only as well"),

    ("bind/target link not followed", "*", r"^(None|BUNDLE/host/f of .*|PATH=/bin\nHOME=/root)$",
     "the link itself is covered, as crun's manual has it; crun 1.21 follows it, and runc knows no such option"),
    ("hooks/order", "output", r'^prestart "status":"created"\s+createRuntime "status":"created"\s+createContainer "status":"created"\s+startContainer "status":"created"$',
     "as newer crun: the lifecycle has them all after the environment was made"),
    ("hooks/createContainer namespaces", "output", "^box", "the host name is set before these hooks run"),
]
