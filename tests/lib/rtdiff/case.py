# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a case is, and the words its table is written in."""
import copy
import os
import stat

CASES = []


class Case:
    """One bundle. `changes` are called with (config, bundle directory) in their order.

    fails: our error must match this expression, and nothing may be left behind; None: ours need not fail.
    sh: a script that runs after the probe in the container; its output is compared too.
    args: the program in place of the probe.
    apart: the runtime is called in a mount namespace of its own, since the peers leave mounts there.
    """

    def __init__(self, name, *changes, fails=None, sh="", args=None, options=(), terminal=False, stdin=b"", raw=None,
                 apart=False):
        self.name, self.changes, self.fails, self.sh, self.args = name, changes, fails, sh, args
        self.options, self.terminal, self.stdin, self.raw, self.apart = options, terminal, stdin, raw, apart
        self.group = name.split("/")[0]
        assert all(c.name != name for c in CASES), name
        CASES.append(self)


def bad(name, says, *changes, **kw):
    """A case that ours refuses, saying `says`."""
    return Case(name, *changes, fails=says, **kw)


def parent_of(config, path):
    *head, last = path.split(".")
    for key in head:
        config = config.setdefault(key, {}) if isinstance(config, dict) else config[int(key)]
    return config, int(last) if isinstance(config, list) else last


def put(path, value):
    """Set config.json's `a.b.c`."""
    def change(config, _):
        where, last = parent_of(config, path)
        where[last] = copy.deepcopy(value)
    return change


def drop(path):
    def change(config, _):
        where, last = parent_of(config, path)
        del where[last]
    return change


def more(path, *values):
    """Append to a list."""
    def change(config, _):
        where, last = parent_of(config, path)
        where.setdefault(last, []).extend(copy.deepcopy(values))
    return change


def user(uid, gid=None, **kw):
    return put("process.user", {"uid": uid, "gid": uid if gid is None else gid, **kw})


def caps(**sets):
    return put("process.capabilities", {k: ["CAP_" + c if c == c.upper() else c for c in v] for k, v in sets.items()})


def namespaces(*kinds):
    return put("linux.namespaces", [{"type": k} if isinstance(k, str) else k for k in kinds])


def without_ns(*kinds):
    def change(config, _):
        config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] not in kinds]
    return change


def user_ns(inside=0, outside=100000, size=65536):
    maps = [{"containerID": inside, "hostID": outside, "size": size}]

    def change(config, bundle):
        config["linux"]["namespaces"].append({"type": "user"})
        config["linux"]["uidMappings"] = config["linux"]["gidMappings"] = maps
        for top, dirs, names in os.walk(bundle + "/rootfs"):
            for n in [top] + [top + "/" + x for x in names]:
                os.lchown(n, outside, outside)
    return change


def mount(destination, kind="tmpfs", source=None, options=(), **kw):
    m = {"destination": destination, "type": kind, "source": source or kind, "options": list(options), **kw}
    return more("mounts", {k: v for k, v in m.items() if v is not None})


def bind(destination, source, *options, rec=True, **kw):
    return mount(destination, "bind", source, ["rbind" if rec else "bind", *options], **kw)


def mount_options(destination, *options):
    """Replace the options of one of the default mounts."""
    def change(config, _):
        [m] = [m for m in config["mounts"] if m["destination"] == destination]
        m["options"] = list(options)
    return change


def without_mount(*destinations):
    def change(config, _):
        config["mounts"] = [m for m in config["mounts"] if m["destination"] not in destinations]
    return change


def first_mount(destination, kind, source, *options):
    def change(config, _):
        config["mounts"].insert(0, {"destination": destination, "type": kind, "source": source, "options": list(options)})
    return change


def file(path, text="", mode=0o644):
    """A file of the bundle, before the run; an absolute path is inside the root file system."""
    def change(_, bundle):
        p = bundle + ("/rootfs" + path if path[0] == "/" else "/" + path)
        os.makedirs(os.path.dirname(p), exist_ok=True)
        with open(p, "w") as f:
            f.write(text.replace("@BUNDLE@", bundle))
        os.chmod(p, mode)
    return change


def folder(path, mode=0o755):
    def change(_, bundle):
        p = bundle + ("/rootfs" + path if path[0] == "/" else "/" + path)
        os.makedirs(p, exist_ok=True)
        os.chmod(p, mode)
    return change


def link(path, target):
    def change(_, bundle):
        p = bundle + ("/rootfs" + path if path[0] == "/" else "/" + path)
        if os.path.isdir(p) and not os.path.islink(p):
            os.rmdir(p)
        os.makedirs(os.path.dirname(p), exist_ok=True)
        os.symlink(target, p)
    return change


def device(path, kind="c", major=1, minor=3, **kw):
    return more("linux.devices", {"path": path, "type": kind, "major": major, "minor": minor, **kw})


def node(path, major, minor, kind=stat.S_IFCHR):
    def change(_, bundle):
        os.mknod(bundle + "/rootfs" + path, kind | 0o600, os.makedev(major, minor))
    return change


def seccomp(default, *rules, **kw):
    return put("linux.seccomp", {"defaultAction": "SCMP_ACT_" + default, "syscalls": list(rules), **kw})


def rule(action, *names, args=None, **kw):
    r = {"names": list(names), "action": "SCMP_ACT_" + action, **kw}
    if args is not None:
        r["args"] = [dict(zip(("index", "value", "op", "valueTwo"), (i, v, "SCMP_CMP_" + op, *two)))
                     for i, op, v, *two in args]
    return r


def hook(point, script, **kw):
    """A hook that is a shell script of the bundle; its output goes where it says."""
    def change(config, bundle):
        hooks = config.setdefault("hooks", {}).setdefault(point, [])
        path = "%s/rootfs/hook-%s-%d" % (bundle, point, len(hooks))
        with open(path, "w") as f:
            f.write("#!/bin/sh\n" + script.replace("@BUNDLE@", bundle) + "\n")
        os.chmod(path, 0o755)
        if point == "startContainer":
            path = path[len(bundle + "/rootfs"):]
        hooks.append(dict({"path": path}, **kw))
    return change
