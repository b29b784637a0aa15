# SPDX-License-Identifier: LGPL-2.1-or-later
"""berth-runtime --systemd-cgroup: containers in transient scopes."""
import os
import signal
import subprocess

import bundle
from bundle import CGROUP, ROOT, RUNTIME, Bundle, ns_without, rt
from harness import run, systemctl, unit_property, wait_for


class Scoped(Bundle):
    options = ("--systemd-cgroup",)

    def __init__(self, *args):
        super().__init__(*args)
        self.slice = "system.slice"
        self.unit = "bt-%s.scope" % self.id
        self.linux["cgroupsPath"] = ":bt:" + self.id

    @property
    def cgroup(self):
        return "%s/%s/%s" % (CGROUP, self.slice, self.unit)

    def gone(self):
        super().gone()
        assert unit_property(self.unit, "LoadState") == "not-found", "scope left"
        assert not os.path.exists(self.cgroup), "cgroup left"

    def show(self, name):
        return unit_property(self.unit, name)


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


def own_cgroup(pid):
    with open("/proc/%d/cgroup" % pid) as f:
        return [l[3:] for l in f.read().splitlines() if l.startswith("0::")][0]


# --- life cycle ------------------------------------------------------------------------------------------

def test_run_in_a_scope():
    b = Scoped()
    r = b.sh("grep ^0:: /proc/self/cgroup; test -e /sys/fs/cgroup/cgroup.procs && exit 7", check=7)
    assert r.out == "0::/\n", "the namespace must begin at the scope"
    r = rt("--cgroup-manager", "systemd", "run", "--bundle", b.path, b.id, check=7)
    assert r.out == "0::/\n"
    b.gone()


def test_without_a_cgroup_namespace_the_scope_is_seen():
    b = Scoped()
    ns_without(b, "cgroup")
    assert b.sh("grep ^0:: /proc/self/cgroup").out == "0::/system.slice/%s\n" % b.unit


def test_without_a_cgroup_mount():
    b = Scoped()
    b.config["mounts"] = [m for m in b.config["mounts"] if m["type"] != "cgroup"]
    assert b.sh("grep ^0:: /proc/self/cgroup").out == "0::/\n"


def test_life_cycle():
    b = Scoped("sleep", "1000").create()
    assert own_cgroup(b.pid) == "/system.slice/" + b.unit
    assert b.state()["status"] == "created"
    for name, value in {"ActiveState": "active", "Slice": "system.slice", "Delegate": "yes", "Transient": "yes",
                        "CollectMode": "inactive-or-failed", "DefaultDependencies": "no", "CPUAccounting": "yes",
                        "MemoryAccounting": "yes", "IOAccounting": "yes", "TasksAccounting": "yes",
                        "Description": "berth-runtime container " + b.id}.items():
        assert b.show(name) == value, (name, b.show(name))
    b.start()
    wait_for(lambda: b.state()["status"] == "running")
    # Nothing but create and run is told of the driver.
    rt("pause", b.id)
    assert b.state()["status"] == "paused"
    rt("resume", b.id)
    assert rt("exec", b.id, "grep", "^0::", "/proc/self/cgroup").out == "0::/\n"
    assert rt("ps", "--format", "json", b.id).out.strip() == "[%d]" % b.pid
    rt("kill", "--all", b.id, "KILL")
    assert b.wait() == signal.SIGKILL
    wait_for(lambda: b.state()["status"] == "stopped")
    rt("delete", b.id)
    b.gone()


def test_delete_force_of_running_and_paused_and_created():
    for step in ("created", "running", "paused"):
        b = Scoped("sh", "-c", "trap '' TERM; sleep 1000 & wait").create()
        if step != "created":
            b.start()
        if step == "paused":
            rt("pause", b.id)
        b.delete()
        b.wait()


def test_delete_when_systemd_was_first():
    b = Scoped("true").create().start()
    b.wait()
    wait_for(lambda: not os.path.exists(b.cgroup), what="systemd to remove the cgroup")
    rt("delete", b.id)
    b.gone()


def test_processes_that_outlive_the_first_one():
    b = Scoped("sh", "-c", "sleep 1000 &")
    ns_without(b, "pid")
    b.create().start()
    b.wait()
    assert os.path.exists(b.cgroup)
    b.delete()


def test_stopped_by_systemd():
    b = Scoped("sh", "-c", "trap 'exit 3' TERM; echo up; sleep 1000 & wait").create().start()
    wait_for(lambda: b.out() == "up\n")
    systemctl("stop", b.unit)
    assert os.waitstatus_to_exitcode(b.wait()) == 3
    assert b.state()["status"] == "stopped"
    rt("delete", b.id)
    b.gone()


# --- names -----------------------------------------------------------------------------------------------

def test_names_and_slices():
    b = Scoped()
    b.linux["cgroupsPath"], b.slice, b.unit = "berth-a.slice:pre:%s" % b.id, "berth.slice/berth-a.slice", "pre-%s.scope" % b.id
    ns_without(b, "cgroup")
    assert b.sh("grep ^0:: /proc/self/cgroup").out == "0::/berth.slice/berth-a.slice/%s\n" % b.unit
    b = Scoped()
    del b.linux["cgroupsPath"]
    b.unit = "berth-runtime-%s.scope" % b.id
    ns_without(b, "cgroup")
    assert b.sh("grep ^0:: /proc/self/cgroup").out == "0::/system.slice/%s\n" % b.unit
    b = Scoped()
    b.linux["cgroupsPath"], b.slice, b.unit = "-::%s" % b.id, "", "%s.scope" % b.id
    ns_without(b, "cgroup")
    assert b.sh("grep ^0:: /proc/self/cgroup").out == "0::/%s\n" % b.unit


def test_bad_names_are_refused():
    for path, text in (("/a/b", "slice:prefix:name"), ("a:b", "slice:prefix:name"), ("x/y.slice:a:b", "name of a slice"),
                       ("x:a:b", "name of a slice"), (":a:b/../c", "name of a scope"), (":a:b.slice", "not supported")):
        b = Scoped()
        b.linux["cgroupsPath"] = path
        b.fails(text)
    assert "--cgroup-manager disabled" in rt("--cgroup-manager", "disabled", "run", "x", check=1).err


def test_a_unit_that_exists_is_left_alone():
    b = Scoped()
    p = subprocess.Popen(["systemd-run", "--scope", "--unit", b.unit, "--quiet", "sleep", "1000"])
    try:
        wait_for(lambda: unit_property(b.unit, "ActiveState") == "active")
        b.save()
        r = rt("--systemd-cgroup", "run", "--bundle", b.path, b.id, check=1)
        assert "systemd has a unit %s already" % b.unit in r.err, r
        assert not os.path.exists("%s/%s" % (ROOT, b.id))
        assert p.poll() is None and unit_property(b.unit, "ActiveState") == "active"
    finally:
        p.kill()
        p.wait()
    wait_for(lambda: unit_property(b.unit, "LoadState") == "not-found")
    b.run()


# --- failures --------------------------------------------------------------------------------------------

def test_a_failed_create_leaves_no_scope():
    Scoped("nosuch").fails('exec: "nosuch": executable file not found in $PATH')
    b = Scoped()
    b.config["hooks"] = {"createRuntime": [{"path": "/bin/false"}]}
    b.fails("createRuntime hook")
    b = Scoped()
    # Dies before it comes to its cgroup.
    b.config["mounts"].insert(0, {"destination": "/x", "source": "/nowhere", "type": "bind"})
    b.fails("/nowhere")


def test_hooks_see_the_container_in_its_scope():
    b = Scoped()
    with open(b.path + "/hook", "w") as f:
        f.write("#!/bin/sh\ncat /sys/fs/cgroup/system.slice/%s/cgroup.procs >%s/seen\n" % (b.unit, b.path))
    os.chmod(b.path + "/hook", 0o755)
    b.config["hooks"] = {"createRuntime": [{"path": b.path + "/hook"}]}
    b.create()
    with open(b.path + "/seen") as f:
        assert int(f.read()) == b.pid
    b.delete()


def test_killed_create_stays_deletable():
    b = Scoped("true")
    with open(b.path + "/hook", "w") as f:
        f.write("#!/bin/sh\necho up > %s/hooked\nexec sleep 1000\n" % b.path)
    os.chmod(b.path + "/hook", 0o755)
    b.config["hooks"] = {"createRuntime": [{"path": b.path + "/hook"}]}
    b.save()
    p = subprocess.Popen([RUNTIME, "--root", ROOT, "--systemd-cgroup", "create", "--bundle", b.path, b.id],
                         stdin=subprocess.DEVNULL)
    wait_for(lambda: os.path.exists(b.path + "/hooked"), what="the hook")
    p.kill()
    p.wait()
    assert b.state()["status"] == "creating"
    b.delete()


def test_no_helper_is_left_and_none_means_an_error():
    helper = "/usr/libexec/berth/berth-runtime-scope"
    b = Scoped("true").create()
    assert run("pgrep", "-f", helper.rsplit("/", 1)[1], check=None).out == ""
    b.delete()
    os.rename(helper, helper + ".away")
    try:
        Scoped().fails(helper + ": no such file")
    finally:
        os.rename(helper + ".away", helper)
    assert run(helper, check=2).err


def test_many_at_once():
    all_of_them = [Scoped("true").save() for _ in range(12)]
    running = [subprocess.Popen([RUNTIME, "--root", ROOT, "--systemd-cgroup", "run", "--bundle", b.path, b.id],
                                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) for b in all_of_them]
    for p in running:
        err = p.communicate(timeout=60)[1]
        assert p.returncode == 0, err
    for b in all_of_them:
        b.gone()


def test_user_namespace():
    b = Scoped()
    b.linux["namespaces"].append({"type": "user"})
    b.linux["uidMappings"] = b.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    os.chmod(b.path, 0o755)
    os.chmod(bundle.TOP, 0o755)
    assert b.sh("grep ^0:: /proc/self/cgroup; id -u").out == "0::/\n0\n"
