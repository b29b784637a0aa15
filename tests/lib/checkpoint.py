# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers that are checkpointed and restored by berth-runtime."""
import functools
import os
import shutil
import subprocess

from bundle import ROOT, RUNTIME, Bundle, rt
from harness import run, skip

# Without them criu 3 can only be told to use nftables, and then forgets to unlock the network.
IPTABLES = bool(shutil.which("ip6tables-restore", path="/usr/sbin:/usr/bin"))
COUNT = "i=0; while :; do i=$((i+1)); echo $i > /tmp/count.new; mv /tmp/count.new /tmp/count; sleep 0.05; done"
# For what goes on after its checkpoint and is restored all the same: no file is open in between.
IDLE = "while :; do sleep 0.05; done"


@functools.cache
def criu_works():
    """Debian 12's criu 3.17 gives up on newer kernels than its own, as bed 1 has."""
    return os.environ.get("BED_KIND") != "native" or run("criu", "check", check=None).code == 0


class Subject(Bundle):
    """A bundle whose container goes to b.images and comes back."""

    def __init__(self, script=COUNT):
        if not criu_works():
            skip("criu does not work with this kernel")
        super().__init__("sh", "-c", script)
        self.images, self.work = self.path + "/images", self.path + "/work"
        os.symlink("busybox", self.rootfs + "/bin/mv")

    def up(self, *options):
        return self.create(*options).start()

    def count(self):
        try:
            with open(self.rootfs + "/tmp/count") as f:
                return int(f.read() or 0)
        except FileNotFoundError:
            return 0

    def checkpoint(self, *options, check=0, **kw):
        if not IPTABLES and not any(o.startswith("--network-lock") for o in options):
            options = ("--network-lock", "nftables") + options
        return rt("checkpoint", "--image-path", self.images, "--work-path", self.work, *options, self.id, check=check, **kw)

    def restore(self, *options, check=0, stdin=subprocess.DEVNULL, env=None):
        with open(self.path + "/out", "ab") as out:
            p = subprocess.run([RUNTIME, "--root", ROOT, "restore", "--detach", "--bundle", self.path, "--image-path",
                                self.images, "--work-path", self.work, "--pid-file", self.path + "/pid", *options, self.id],
                               stdin=stdin, stdout=out, stderr=out, timeout=60, env=dict(os.environ, **env) if env else None)
        assert check in (None, p.returncode), "%d: %s%s" % (p.returncode, self.out(), self.log("restore"))
        if check == 0:
            with open(self.path + "/pid") as f:
                self.pid = int(f.read())
        return self

    def log(self, what):
        try:
            with open("%s/%s.log" % (self.work, what)) as f:
                return "".join(line for line in f if "Error" in line or "Warn" in line)
        except FileNotFoundError:
            return ""

    def cycle(self, *options):
        self.checkpoint(*options)
        self.reap()
        self.gone()
        return self.restore(*options)

    def reap(self):
        os.waitpid(self.pid, 0)

    def proc(self, name):
        with open("/proc/%d/%s" % (self.pid, name)) as f:
            return f.read()


def peer_groups(b):
    """How many mounts share their changes with somebody."""
    return sum(" shared:" in line for line in b.proc("mountinfo").splitlines())


def profile(b):
    """What a process must not lose."""
    keep = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters",
            "NSpid", "NSsid", "Umask", "SigIgn", "SigCgt")
    status = dict(line.split(":\t", 1) for line in b.proc("status").splitlines())
    status.update({k: status[k].split()[-1] for k in ("NSpid", "NSsid")})
    # The parent and the ids of mounts differ; so does what is shared with whom.
    mounts = sorted([f[3], f[4], f[5]] + f[f.index("-") + 1:] for f in (x.split() for x in b.proc("mountinfo").splitlines()))
    mounts = [m if m[3] != "cgroup2" else m[:4] for m in mounts]
    return {"status": {k: status[k] for k in keep if k in status}, "mounts": mounts, "limits": b.proc("limits"),
            "environ": b.proc("environ"), "cmdline": b.proc("cmdline"), "cgroup": b.proc("cgroup"),
            "shared mounts": peer_groups(b), "oom": b.proc("oom_score_adj"), "cwd": os.readlink("/proc/%d/cwd" % b.pid),
            "own namespaces": [n for n in ("pid", "net", "ipc", "uts", "mnt", "cgroup", "user")
                               if os.readlink("/proc/%d/ns/%s" % (b.pid, n)) != os.readlink("/proc/self/ns/" + n)]}


def same(before, after):
    for key in before:
        if key == "mounts":
            lost, new = ([m for m in x[key] if m not in y[key]] for x, y in ((before, after), (after, before)))
            assert not lost and not new, (lost, new)
        if key == "status":
            changed = {k: (v, after[key][k]) for k, v in before[key].items() if after[key][k] != v}
            assert not changed, changed
        assert before[key] == after[key], "%s:\n%s\n%s" % (key, before[key], after[key])


def criu_version():
    return tuple(int(x) for x in run("criu", "--version").out.split()[1].split("."))


def has_capability(number):
    with open("/proc/self/status") as f:
        return int(f.read().split("CapEff:\t")[1].split()[0], 16) >> number & 1 == 1


def reap_some():
    """Whether a criu of ours is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
    return run("pgrep", "-x", "criu", check=None).code == 0


def without(program, *args, **kw):
    """Our runtime where a program is not to be found."""
    hide = "mount --bind /dev/null %s && exec \"$@\"" % shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")
    return run("unshare", "-m", "sh", "-c", hide, "sh", RUNTIME, "--root", ROOT, *args, **kw)


def network_works(b):
    """Whether the container's loopback takes connections."""
    # One that is left would hold our pipe.
    script = "(echo hello | busybox timeout 8 busybox nc -l -p 99) & sleep 0.5; busybox nc -w 3 127.0.0.1 99 </dev/null; kill %1"
    return any(rt("exec", b.id, "sh", "-c", script, check=None).out == "hello\n" for _ in range(5))
