# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bundles for tests of the OCI runtime by its command line."""
import array
import ctypes
import json
import os
import shutil
import socket
import subprocess
import tempfile

from harness import run, wait_for
from image import find_busybox

RUNTIME = os.environ.get("BERTH_RUNTIME", "berth-runtime")
TOP = tempfile.mkdtemp(prefix="rt-", dir="/var/tmp")
ROOT = TOP + "/state"
CGROUP = "/sys/fs/cgroup" if os.path.exists("/sys/fs/cgroup/cgroup.procs") else "/sys/fs/cgroup/unified"
CAPS = ["CAP_" + c for c in ("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP",
                             "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE")]
APPLETS = ("sh true false echo ls cat id mount umount ps sleep env hostname ip grep touch mkdir mknod stty tty readlink stat "
           "unshare kill dd wc sort rm ln chmod head test seq sync ulimit cut").split()
PR_SET_CHILD_SUBREAPER = 36
counter = 0


def start_tests():
    """Payloads become our children when their runtime is gone."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_tests():
    """Remove what tests left."""
    for cid in os.listdir(ROOT) if os.path.isdir(ROOT) else ():
        rt("delete", "--force", cid, check=None)
    shutil.rmtree(TOP, ignore_errors=True)


def rt(*args, runtime=None, **kw):
    return run(runtime or RUNTIME, "--root", ROOT, *args, **kw)


def make_rootfs(path):
    for d in ("bin", "etc", "proc", "sys", "dev", "tmp", "root", "home/user"):
        os.makedirs(path + "/" + d)
    shutil.copy(find_busybox(), path + "/bin/busybox")
    for a in APPLETS:
        os.symlink("busybox", path + "/bin/" + a)
    with open(path + "/etc/passwd", "w") as f:
        f.write("root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n")


def base_config():
    caps = {k: list(CAPS) for k in ("bounding", "effective", "permitted")}
    flags = ["nosuid", "noexec", "nodev"]
    return {
        "ociVersion": "1.0.2",
        "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": ["true"], "cwd": "/",
                    "env": ["PATH=/bin"], "capabilities": caps},
        "root": {"path": "rootfs"}, "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": flags},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": flags + ["mode=1777", "size=64m"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": flags},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": flags + ["ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": flags + ["ro"]}],
        "linux": {"namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount", "cgroup")],
                  "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/scsi", "/proc/acpi", "/sys/firmware"],
                  "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]},
    }


class Bundle:
    """A fresh bundle: change .config, then .run() a shell command in it, or .create() it."""
    options = ()  # global ones of the runtime

    def __init__(self, *args):
        global counter
        counter += 1
        self.id = "t%d" % counter
        self.path = "%s/%s" % (TOP, self.id)
        self.rootfs = self.path + "/rootfs"
        make_rootfs(self.rootfs)
        self.config = base_config()
        if args:
            self.process["args"] = list(args)
        self.linux["cgroupsPath"] = "/berth-test/" + self.id

    @property
    def process(self):
        return self.config["process"]

    @property
    def linux(self):
        return self.config["linux"]

    def save(self):
        with open(self.path + "/config.json", "w") as f:
            json.dump(self.config, f)
        return self

    def sh(self, script, **kw):
        self.process["args"] = ["sh", "-c", script]
        return self.run(**kw)

    def run(self, check=0, **kw):
        self.save()
        r = rt(*self.options, "run", "--bundle", self.path, self.id, check=check, **kw)
        self.gone()
        return r

    def fails(self, text, **kw):
        """create must fail, say text, and leave nothing."""
        self.save()
        log = self.path + "/log"
        r = run(RUNTIME, "--root", ROOT, "--log", log, "--log-format", "json", *self.options, "create", "--bundle", self.path,
                self.id, check=None, **kw)
        assert r.code != 0, r
        with open(log) as f:
            last = json.loads(f.read().splitlines()[-1])
        assert last["level"] == "error" and text in last["msg"] and last["time"], (text, last)
        assert text in r.err, r
        self.gone()

    def gone(self):
        assert not os.path.exists("%s/%s" % (ROOT, self.id)), "state left"
        assert not os.path.exists("%s/berth-test/%s" % (CGROUP, self.id)), "cgroup left"
        with open("/proc/self/mountinfo") as f:
            assert self.path not in f.read(), "mount left"

    def create(self, *options, **kw):
        self.save()
        pid_file = self.path + "/pid"
        # The payload inherits stdio: pipes of ours would never end.
        with open(self.path + "/out", "ab") as out:
            p = subprocess.run([RUNTIME, "--root", ROOT, *self.options, "create", "--bundle", self.path, "--pid-file", pid_file,
                                *options, self.id], stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=30, **kw)
        with open(self.path + "/out") as f:
            assert p.returncode == 0, f.read()
        with open(pid_file) as f:
            self.pid = int(f.read())
        return self

    def start(self):
        rt("start", self.id)
        return self

    def out(self):
        with open(self.path + "/out") as f:
            return f.read()

    def state(self):
        return json.loads(rt("state", self.id).out)

    def delete(self):
        rt("delete", "--force", self.id)
        self.gone()

    def wait(self):
        """Exit status of the payload, our child by inheritance."""
        return os.waitpid(self.pid, 0)[1]


def ns_without(b, *kinds):
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] not in kinds]


def receive_fd(sock):
    fds = array.array("i")
    _, anc, _, _ = sock.recvmsg(100, socket.CMSG_LEN(4))
    fds.frombytes(anc[0][2][:4])
    return fds[0]


def read_until(fd, text):
    data = b""
    while text not in data:
        try:
            more = os.read(fd, 1000)
        except OSError:
            more = b""
        assert more, data
        data += more
    return data
