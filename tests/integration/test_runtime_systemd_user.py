# SPDX-License-Identifier: LGPL-2.1-or-later
"""berth-runtime --systemd-cgroup, called by an ordinary user: scopes of the user's manager."""
import os
import shutil
import subprocess

import bundle
from bundle import CGROUP, RUNTIME, Bundle, ns_without
from harness import needs, run, wait_for

USER, UID = "scopey", 4343
HOME = "/home/" + USER
RUNTIME_DIR = "/run/user/%d" % UID
STATE = RUNTIME_DIR + "/berth-runtime"
MANAGER = "/user.slice/user-%d.slice/user@%d.service" % (UID, UID)
# What the package dbus-user-session brings.
BUS_UNITS = {
    "dbus.socket": "[Socket]\nListenStream=%t/bus\n",
    "dbus.service": "[Unit]\nRequires=dbus.socket\n[Service]\nType=notify\nExecStart=/usr/bin/dbus-daemon --session "
                    "--address=systemd: --nofork --nopidfile --systemd-activation --syslog-only\n"}


def setup():
    bundle.start_tests()
    run("useradd", "--create-home", "--uid", UID, "--shell", "/bin/sh", USER)
    os.makedirs("/etc/systemd/user", exist_ok=True)
    for name, text in BUS_UNITS.items():
        with open("/etc/systemd/user/" + name, "w") as f:
            f.write(text)
    run("loginctl", "enable-linger", USER)
    wait_for(lambda: os.path.exists(RUNTIME_DIR + "/systemd/private"), timeout=60, what="the user manager")
    bundle.TOP = HOME


def teardown():
    for cid in os.listdir(STATE) if os.path.isdir(STATE) else ():
        as_user(RUNTIME, "delete", "--force", cid, check=None)
    run("loginctl", "disable-linger", USER, check=None)
    run("systemctl", "stop", "user@%d" % UID, check=None, timeout=60)
    for name in BUS_UNITS:
        os.unlink("/etc/systemd/user/" + name)
    run("userdel", "--remove", USER, check=None)
    bundle.end_tests()


def command(*args):
    return ["setpriv", "--reuid", USER, "--regid", USER, "--init-groups", "env", "-i", "HOME=" + HOME,
            "USER=" + USER, "XDG_RUNTIME_DIR=" + RUNTIME_DIR, "PATH=" + os.environ["PATH"],
            *("%s=%s" % (k, v) for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")), *args]


def as_user(*args, **kw):
    return run(command(*args), **kw)


def user_property(unit, name):
    return as_user("systemctl", "--user", "show", "-p", name, "--value", unit).out.strip()


class UserScope(Bundle):
    def __init__(self, *args):
        super().__init__(*args)
        for kind in ("uid", "gid"):
            self.linux[kind + "Mappings"] = [{"containerID": 0, "hostID": UID, "size": 1}]
        self.linux["namespaces"].append({"type": "user"})
        self.unit = "us-%s.scope" % self.id
        self.linux["cgroupsPath"] = ":us:" + self.id
        run("chown", "-R", "%d:%d" % (UID, UID), self.path)

    @property
    def cgroup(self):
        return "%s%s/user.slice/%s" % (CGROUP, MANAGER, self.unit)

    def rt(self, *args, **kw):
        return as_user(RUNTIME, *args, **kw)

    def run(self, check=0, **kw):
        self.save()
        r = self.rt("--systemd-cgroup", "run", "--bundle", self.path, self.id, check=check, **kw)
        self.gone()
        return r

    def fails(self, text, **kw):
        self.save()
        r = self.rt("--systemd-cgroup", "create", "--bundle", self.path, self.id, check=1)
        assert text in r.err, r
        self.gone()

    def create(self):
        self.save()
        with open(self.path + "/out", "ab") as out:
            p = subprocess.run(command(RUNTIME, "--systemd-cgroup", "create", "--bundle", self.path, self.id),
                               stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=30)
        assert p.returncode == 0, self.out()
        self.rt("start", self.id)
        return self

    def gone(self):
        assert not os.path.exists("%s/%s" % (STATE, self.id)), "state left"
        assert user_property(self.unit, "LoadState") == "not-found", "scope left"
        assert not os.path.exists(self.cgroup), "cgroup left"

    def delete(self):
        self.rt("delete", "--force", self.id)
        self.gone()


def life():
    b = UserScope()
    ns_without(b, "cgroup")
    assert b.sh("grep ^0:: /proc/self/cgroup; exit 3", check=3).out == "0::%s/user.slice/%s\n" % (MANAGER, b.unit)
    b = UserScope("sleep", "1000").create()
    assert user_property(b.unit, "ActiveState") == "active" and user_property(b.unit, "Slice") == "user.slice"
    assert b.rt("exec", b.id, "grep", "^0::", "/proc/self/cgroup").out == "0::/\n"
    pid = int(b.rt("ps", "--format", "json", b.id).out.strip().strip("[]"))
    # From outside of the manager's cgroup only systemd may move a process there.
    out = b.rt("exec", b.id, "sh", "-c", "grep ^0:: /proc/self/cgroup; cat /proc/1/cgroup | grep ^0::").out
    assert out == "0::/\n0::/\n", out
    with open("/proc/%d/cgroup" % pid) as f:
        assert "0::%s/user.slice/%s\n" % (MANAGER, b.unit) in f.read()
    b.rt("pause", b.id)
    b.rt("resume", b.id)
    b.delete()


def test_exec_from_inside_the_manager():
    """There it is born in its cgroup."""
    b = UserScope("sleep", "1000").create()
    script = "echo $$ >%s%s/cgroup.procs && exec \"$@\"" % (CGROUP, MANAGER + "/init.scope")
    out = run("sh", "-c", script, "sh", *command(RUNTIME, "exec", b.id, "grep", "^0::", "/proc/self/cgroup")).out
    assert out == "0::/\n", out
    b.delete()


def test_without_a_bus():
    """The manager's private socket is all there is."""
    assert not os.path.exists(RUNTIME_DIR + "/bus")
    life()


def with_bus():
    if not os.path.exists(RUNTIME_DIR + "/bus"):
        as_user("systemctl", "--user", "start", "dbus.socket", "dbus.service")
        wait_for(lambda: "org.freedesktop.systemd1" in as_user("busctl", "--user", "list").out, what="the user's bus")


def test_with_the_users_bus():
    with_bus()
    life()


def test_default_name_and_foreign_manager():
    b = UserScope()
    del b.linux["cgroupsPath"]
    ns_without(b, "cgroup")
    b.unit = "berth-runtime-%s.scope" % b.id
    assert b.sh("grep ^0:: /proc/self/cgroup").out == "0::%s/user.slice/%s\n" % (MANAGER, b.unit)
    # Nobody asks the system's manager for a user.
    assert run("systemctl", "show", "-p", "LoadState", "--value", b.unit).out == "not-found\n"


def test_no_manager_is_an_error():
    b = UserScope().save()
    r = run(command("env", "-u", "XDG_RUNTIME_DIR", RUNTIME, "--root", HOME + "/state", "--systemd-cgroup", "run", "--bundle",
                    b.path, b.id), check=1)
    assert "cannot connect to systemd" in r.err, r
    shutil.rmtree(HOME + "/state", ignore_errors=True)


def test_delete_after_the_manager():
    """With it goes the cgroup, and nobody is left to be asked."""
    b = UserScope("sleep", "1000").save()
    root = HOME + "/state"
    with open(b.path + "/out", "ab") as out:
        subprocess.run(command(RUNTIME, "--root", root, "--systemd-cgroup", "create", "--bundle", b.path, b.id),
                       stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=30, check=True)
    assert os.path.exists(b.cgroup)
    run("systemctl", "stop", "user@%d" % UID, "user-runtime-dir@%d" % UID, timeout=60)
    try:
        wait_for(lambda: not os.path.exists(b.cgroup))
        r = as_user(RUNTIME, "--root", root, "delete", "--force", b.id, check=None)
        assert r.code == 0 and "cannot connect to systemd" in r.err and os.listdir(root) == [], r
    finally:
        run("systemctl", "start", "user@%d" % UID, timeout=60)
    shutil.rmtree(root)
    b.gone()


@needs("controllers")
def test_limits_of_a_user():
    with_bus()
    b = UserScope("sleep", "1000")
    b.linux["resources"] = {"memory": {"limit": 64 << 20}, "pids": {"limit": 40}}
    b.create()

    def check(memory, pids):
        for name, prop, value in (("memory.max", "MemoryMax", memory), ("pids.max", "TasksMax", pids)):
            with open(b.cgroup + "/" + name) as f:
                assert f.read().strip() == value == user_property(b.unit, prop), name
    check(str(64 << 20), "40")
    b.rt("update", "--memory", str(48 << 20), "--memory-swap", str(48 << 20), "--pids-limit", "30", b.id)
    check(str(48 << 20), "30")
    as_user("systemctl", "--user", "daemon-reload")
    check(str(48 << 20), "30")
    b.delete()
    # Not delegated to users.
    b = UserScope()
    b.linux["resources"] = {"cpu": {"cpus": "0"}}
    b.fails("cpuset")
