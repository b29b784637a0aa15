# SPDX-License-Identifier: LGPL-2.1-or-later
"""berth-runtime --systemd-cgroup: containers in transient scopes."""
import json
import os
import signal
import subprocess
import time

import bundle
from bundle import CGROUP, ROOT, RUNTIME, Bundle, ns_without, rt
from harness import needs, run, skip, systemctl, unit_property, wait_for


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
                        "CollectMode": "inactive", "DefaultDependencies": "no", "CPUAccounting": "yes",
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
    assert json.loads(rt("events", "--stats", b.id).out)["type"] == "stats"
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
    assert "--cgroup-manager nosuch" in rt("--cgroup-manager", "nosuch", "run", "x", check=1).err


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


def test_words_of_a_child_that_failed_are_never_lost():
    """Whether it dies before it is in its scope, or after, when the scope goes with it."""
    for where in (0, 100):
        b = Scoped()
        b.config["mounts"].insert(where, {"destination": "/x", "type": "nosuchfs", "source": "none"})
        b.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
        b.save()
        for command in ("run", "create"):
            for _ in range(25):
                r = rt("--systemd-cgroup", command, "--bundle", b.path, b.id, check=1)
                assert "unable to start container process: mount" in r.err and "nosuchfs" in r.err, (where, command, r)
        b.gone()


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


def test_create_killed_at_any_time_leaves_nothing():
    """Also while systemd is making the scope; what it has made of it goes with delete."""
    for ms in range(0, 24):
        b = Scoped("true").save()
        p = subprocess.Popen([RUNTIME, "--root", ROOT, "--systemd-cgroup", "create", "--bundle", b.path, b.id],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(ms / 2000)
        p.kill()
        p.wait()
        rt("delete", "--force", b.id)
        b.gone()


def test_without_a_bus_the_private_socket_is_used():
    b = Scoped()
    b.sh("true", env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS="unix:path=/nowhere"))


def test_no_systemd_is_an_error():
    b = Scoped().save()
    r = run("unshare", "-m", "sh", "-c", "mount -t tmpfs none /run/dbus && mount -t tmpfs none /run/systemd && exec \"$@\"", "sh",
            RUNTIME, "--root", ROOT, "--systemd-cgroup", "run", "--bundle", b.path, b.id, check=1)
    assert "cannot connect to systemd" in r.err, r
    b.gone()


def test_no_helper_is_left_and_none_means_an_error():
    helper = "/usr/libexec/berth/berth-runtime-scope"
    b = Scoped("true").create()
    assert not helpers()
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


# --- properties ------------------------------------------------------------------------------------------

def annotate(b, **properties):
    b.config.setdefault("annotations", {}).update({"org.systemd.property." + k: v for k, v in properties.items()})
    return b


def test_annotations_become_properties():
    b = annotate(Scoped("sleep", "1000"), TimeoutStopUSec="uint64 123456789", KillSignal="37", Description="'my box'",
                 SendSIGHUP="true", CollectMode="'inactive'", After="['basic.target']").create()
    assert b.show("TimeoutStopUSec") == "2min 3.456789s"
    assert b.show("KillSignal") == "37" and b.show("Description") == "my box" and b.show("SendSIGHUP") == "yes"
    assert "basic.target" in b.show("After").split() and b.show("CollectMode") == "inactive"
    b.delete()
    b = annotate(Scoped("sleep", "1000"), TimeoutStopSec="int32 7").create()
    assert b.show("TimeoutStopUSec") == "7s"
    b.delete()
    # Other drivers have no use for them: podman writes them always.
    b = annotate(Bundle("true"), KillSignal="37")
    b.run()


def test_features():
    f = json.loads(rt("features").out)
    assert f["linux"]["cgroup"]["systemd"] and f["linux"]["cgroup"]["systemdUser"]
    assert "org.systemd.property." in f["potentiallyUnsafeConfigAnnotations"]


def test_bad_annotations_are_refused_by_name():
    for name, value, text in (("KillSignal", "(1, 2)", "GVariant"), ("Slice", "'a.slice'", "cannot be changed"),
                              ("PIDs", "[uint32 1]", "cannot be changed"), ("kill-signal", "1", "name of a property")):
        b = annotate(Scoped(), **{name: value})
        b.fails(text)
        b.fails("org.systemd.property." + name)
    # systemd's own words.
    annotate(Scoped(), NoSuchThing="1").fails("NoSuchThing")


def test_properties_of_newer_systemds():
    """252 does not know OOMPolicy of scopes: the container starts without it."""
    with open(CGROUP + "/cgroup.controllers") as f:
        if "memory" not in f.read().split():
            # The file cannot be there, but the scope was made before that is found out.
            b = Scoped()
            b.linux["resources"] = {"unified": {"memory.oom.group": "1"}}
            return b.fails("memory.oom.group")
    b = Scoped("sleep", "1000")
    b.linux["resources"] = {"unified": {"memory.oom.group": "1"}}
    b.create()
    assert file_of(b, "memory.oom.group") == "1"
    if systemd_version() >= 253:
        assert b.show("OOMPolicy") == "kill"
    b.delete()


def test_subgroup():
    b = Scoped("sleep", "1000")
    b.config["annotations"] = {"run.oci.systemd.subgroup": "inner"}
    b.create().start()
    assert own_cgroup(b.pid) == "/system.slice/%s/inner" % b.unit
    assert rt("exec", b.id, "grep", "^0::", "/proc/self/cgroup").out == "0::/\n"
    assert rt("ps", "--format", "json", b.id).out.strip() == "[%d]" % b.pid
    rt("pause", b.id)
    assert b.state()["status"] == "paused"
    b.delete()
    for name in ("a/b", "..", "cgroup.procs"):
        b = Scoped()
        b.config["annotations"] = {"run.oci.systemd.subgroup": name}
        b.fails("run.oci.systemd.subgroup")


def reload_and_reexec(check):
    """systemd builds its view of all units anew, twice."""
    check()
    systemctl("daemon-reload")
    check()
    systemctl("daemon-reexec", timeout=60)
    wait_for(lambda: systemctl("is-system-running", check=None).code in (0, 1))
    check()


def test_devices_stay_through_reload():
    b = Scoped("sleep", "1000")
    b.linux["devices"] = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o666}]
    b.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"},
                                        {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"}]}
    b.create().start()
    assert b.show("DevicePolicy") == "strict"
    allowed = systemctl("show", "-p", "DeviceAllow", b.unit).out
    assert "/dev/char/10:229 rw" in allowed and "/dev/char/1:3 rwm" in allowed and "char-* m" in allowed, allowed

    def denied(node):
        # The driver may be absent: another error than the filter's.
        return "not permitted" in rt("exec", b.id, "sh", "-c", ": <" + node, check=None).err

    rt("exec", b.id, "mknod", "/dev/other", "c", "10", "200")
    assert not rt("exec", b.id, "sh", "-c", "echo x >/dev/null").err

    def check():
        assert not denied("/dev/fuse") and denied("/dev/other") and not denied("/dev/null")
    reload_and_reexec(check)
    # New rules reach systemd as well as the filter.
    change = {"devices": [{"allow": False, "access": "rwm"},
                          {"allow": True, "type": "c", "major": 10, "minor": 200, "access": "r"}]}
    rt("update", "--resources", "-", b.id, input=json.dumps(change).encode())
    allowed = systemctl("show", "-p", "DeviceAllow", b.unit).out
    assert "/dev/char/10:200 r" in allowed and "10:229" not in allowed, allowed

    def check_new():
        assert denied("/dev/fuse") and not denied("/dev/other") and not denied("/dev/null")
    reload_and_reexec(check_new)
    b.delete()


def test_a_missing_controller_is_an_error():
    with open(CGROUP + "/cgroup.controllers") as f:
        if "memory" in f.read().split():
            skip("all controllers are there")
    b = Scoped()
    b.linux["resources"] = {"memory": {"limit": 64 << 20}}
    b.fails("memory")


# --- limits ----------------------------------------------------------------------------------------------

def disk():
    """MAJOR:MINOR of a whole disk."""
    for name in sorted(os.listdir("/sys/block")):
        if name[:2] in ("vd", "sd"):
            with open("/sys/block/%s/dev" % name) as f:
                return f.read().strip()
    return skip("no disk")


def file_of(b, name):
    with open(b.cgroup + "/" + name) as f:
        return f.read().strip()


def systemd_version():
    return int(systemctl("--version").out.split()[1])


@needs("controllers")
def test_limits():
    b = Scoped("sleep", "1000")
    major, minor = disk().split(":")
    device = {"major": int(major), "minor": int(minor)}
    b.linux["resources"] = {
        "memory": {"limit": 64 << 20, "swap": 96 << 20, "reservation": 32 << 20}, "pids": {"limit": 50},
        "cpu": {"shares": 512, "quota": 33333, "period": 100000, "burst": 1000, "cpus": "0", "mems": "0"},
        "blockIO": {"throttleReadBpsDevice": [dict(device, rate=1 << 20)], "throttleWriteIOPSDevice": [dict(device, rate=100)]},
        "unified": {"memory.high": "60M", "memory.min": "1M", "memory.oom.group": "1"}}
    pages = os.path.exists("/sys/kernel/mm/hugepages/hugepages-2048kB")
    if pages:
        b.linux["resources"]["hugepageLimits"] = [{"pageSize": "2MB", "limit": 4 << 20}]
    b.create().start()
    weight = file_of(b, "cpu.weight")

    def check(quota=("33333 100000",), oom_group="1"):
        assert file_of(b, "memory.max") == str(64 << 20) and file_of(b, "memory.high") == str(60 << 20)
        assert file_of(b, "memory.low") == str(32 << 20) and file_of(b, "memory.min") == str(1 << 20)
        assert file_of(b, "memory.swap.max") == str(32 << 20) and file_of(b, "memory.oom.group") in oom_group
        assert file_of(b, "pids.max") == "50" and file_of(b, "cpu.weight") == weight != "100"
        assert file_of(b, "cpu.max") in quota, file_of(b, "cpu.max")
        assert file_of(b, "cpu.max.burst") == "1000"
        assert not pages or file_of(b, "hugetlb.2MB.max") == str(4 << 20)
        assert file_of(b, "cpuset.cpus") == "0" and file_of(b, "cpuset.mems") == "0"
        assert file_of(b, "io.max") == "%s:%s rbps=1048576 wbps=max riops=max wiops=100" % (major, minor), file_of(b, "io.max")
        for name, value in {"MemoryMax": str(64 << 20), "MemoryHigh": str(60 << 20), "MemoryLow": str(32 << 20),
                            "MemoryMin": str(1 << 20), "MemorySwapMax": str(32 << 20), "TasksMax": "50",
                            "CPUWeight": weight, "CPUQuotaPerSecUSec": "340ms", "CPUQuotaPeriodUSec": "100ms",
                            "AllowedCPUs": "0", "AllowedMemoryNodes": "0",
                            "IOReadBandwidthMax": "/dev/block/%s:%s 1048576" % (major, minor),
                            "IOWriteIOPSMax": "/dev/block/%s:%s 100" % (major, minor)}.items():
            assert b.show(name) == value, (name, b.show(name))
    check()
    # Seen from inside, where only the container's own are.
    assert rt("exec", b.id, "cat", "/sys/fs/cgroup/memory.max").out == "%d\n" % (64 << 20)
    assert rt("exec", b.id, "grep", "Cpus_allowed_list", "/proc/self/status").out.split()[1] == "0"
    # systemd keeps a quota in percents and may round it up.
    # 252 has no property for memory.oom.group, and writes a 0.
    reload_and_reexec(lambda: check(("33333 100000", "34000 100000"), "1" if systemd_version() >= 253 else "01"))
    b.delete()


@needs("controllers")
def test_update():
    b = Scoped("sleep", "1000")
    b.linux["resources"] = {"memory": {"limit": 64 << 20}, "pids": {"limit": 50}}
    b.create().start()
    rt("update", "--memory", str(48 << 20), "--memory-swap", str(48 << 20), "--pids-limit", "20", "--cpu-share", "2048",
       "--cpu-quota", "44444", "--cpu-period", "100000", "--cpuset-cpus", "0", b.id)
    weight = file_of(b, "cpu.weight")

    def check():
        assert file_of(b, "memory.max") == str(48 << 20) and b.show("MemoryMax") == str(48 << 20)
        assert file_of(b, "memory.swap.max") == "0" and b.show("MemorySwapMax") == "0"
        assert file_of(b, "pids.max") == "20" and b.show("TasksMax") == "20"
        assert file_of(b, "cpu.weight") == weight == b.show("CPUWeight") and int(weight) > 100
        assert file_of(b, "cpu.max") in ("44444 100000", "45000 100000") and b.show("CPUQuotaPerSecUSec") == "450ms"
        assert file_of(b, "cpuset.cpus") == "0" and b.show("AllowedCPUs") == "0"
    assert file_of(b, "cpu.max") == "44444 100000", "the exact quota, until systemd has a reason to write its own"
    reload_and_reexec(check)
    rt("update", "--memory", "-1", "--memory-swap", "-1", "--pids-limit", "-1", "--cpu-quota", "-1", b.id)
    for name, prop in (("memory.max", "MemoryMax"), ("memory.swap.max", "MemorySwapMax"), ("pids.max", "TasksMax")):
        assert file_of(b, name) == "max" and b.show(prop) == "infinity", (name, file_of(b, name), b.show(prop))
    assert file_of(b, "cpu.max") == "max 100000" and b.show("CPUQuotaPerSecUSec") == "infinity"
    # What the kernel refuses systemd does not hear of.
    assert rt("update", "--cpuset-cpus", "7000", b.id, check=None).code != 0
    assert b.show("AllowedCPUs") == "0" and file_of(b, "cpuset.cpus") == "0"
    b.delete()


@needs("controllers")
def test_idle_and_weights():
    b = Scoped("sleep", "1000")
    b.linux["resources"] = {"cpu": {"idle": 1}}
    b.create().start()

    def check():
        assert file_of(b, "cpu.idle") == "1" and b.show("CPUWeight") in ("idle", "0"), b.show("CPUWeight")
    reload_and_reexec(check)
    # A weight is what only a cgroup that is not idle can have.
    rt("update", "--cpu-share", "1024", b.id)
    assert (file_of(b, "cpu.idle"), file_of(b, "cpu.weight"), b.show("CPUWeight")) == ("0", "100", "100")
    for given in ('{"cpu": {"idle": 1, "shares": 2}}', '{"unified": {"cpu.idle": "1", "cpu.weight": "8"}}'):
        r = rt("update", "--resources", "-", b.id, input=given)
        assert "unable to apply both cpu.weight and cpu.idle" in r.err, r
        check()
        rt("update", "--resources", "-", b.id, input='{"unified": {"cpu.weight": "8"}}')
        assert (file_of(b, "cpu.idle"), file_of(b, "cpu.weight"), b.show("CPUWeight")) == ("0", "8", "8")
    b.delete()


@needs("controllers")
def test_what_the_kernel_refuses_leaves_no_scope():
    b = Scoped()
    b.linux["resources"] = {"cpu": {"cpus": "7000"}}
    b.fails("cpuset.cpus")
    b = Scoped()
    b.linux["resources"] = {"unified": {"memory.nosuch": "1"}}
    b.fails("memory.nosuch")


@needs("controllers")
def test_out_of_memory_in_a_scope():
    b = Scoped()
    b.linux["resources"] = {"memory": {"limit": 16 << 20, "swap": 16 << 20}}
    # 137: the first process itself was killed; dd is its child otherwise.
    r = b.sh("dd if=/dev/zero of=/dev/null bs=64M count=1; exit 9", check=None)
    assert r.code in (9, 137) and ("Killed" in r.err or r.code == 137), r


@needs("controllers")
def test_a_payload_that_makes_cgroups_of_its_own():
    """As systemd does: all processes below, controllers on; a further process follows the first."""
    b = Scoped("sh", "-c", "mkdir /sys/fs/cgroup/init && echo 1 >/sys/fs/cgroup/init/cgroup.procs && "
                           "echo +memory +pids >/sys/fs/cgroup/cgroup.subtree_control && echo up; sleep 1000 & wait")
    for m in b.config["mounts"]:
        if m["type"] == "cgroup":
            m["options"] = ["nosuid", "noexec", "nodev", "rw"]
    b.create().start()
    wait_for(lambda: b.out() == "up\n", what="the payload's cgroup")
    assert rt("exec", b.id, "grep", "^0::", "/proc/self/cgroup").out == "0::/init\n"
    rt("update", "--pids-limit", "30", b.id)
    assert file_of(b, "pids.max") == "30"
    b.delete()


# --- the helper that `run` keeps -------------------------------------------------------------------------

def helpers():
    """Those that live: one whose create was killed is a zombie of ours."""
    return run("pgrep", "-x", "-r", "RSDT", "berth-runtime-s", check=None).out.split()


def test_a_long_run_keeps_no_helper():
    b = Scoped()
    b.process["args"] = ["sh", "-c", "echo up; read x"]
    b.save()
    p = subprocess.Popen([RUNTIME, "--root", ROOT, "--systemd-cgroup", "run", "--bundle", b.path, b.id],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"up\n"
    wait_for(lambda: not helpers(), what="the helper to end")
    p.communicate(b"x\n", timeout=30)
    assert p.returncode == 0
    b.gone()


def test_a_killed_helper_is_replaced():
    b = Scoped()
    b.process["args"] = ["sh", "-c", "echo up; read x"]
    b.save()
    p = subprocess.Popen([RUNTIME, "--root", ROOT, "--systemd-cgroup", "run", "--bundle", b.path, b.id],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"up\n"
    for pid in helpers():
        os.kill(int(pid), signal.SIGKILL)
    p.communicate(b"x\n", timeout=30)
    assert p.returncode == 0
    b.gone()


def test_run_keep_and_detach():
    b = Scoped("sh", "-c", "exit 5").save()
    rt("--systemd-cgroup", "run", "--keep", "--bundle", b.path, b.id, check=5)
    assert b.state()["status"] == "stopped"
    rt("delete", b.id)
    b.gone()
    b = Scoped("sleep", "1000").save()
    with open(b.path + "/out", "ab") as out:
        subprocess.run([RUNTIME, "--root", ROOT, "--systemd-cgroup", "run", "--detach", "--bundle", b.path, b.id],
                       stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=30, check=True)
    assert not helpers() and b.state()["status"] == "running" and b.show("ActiveState") == "active"
    b.delete()
    # A failure before there is anything to ask systemd.
    b = Scoped().save()
    with open(b.path + "/config.json", "w") as f:
        f.write("{")
    assert "not valid JSON" in rt("--systemd-cgroup", "run", "--bundle", b.path, b.id, check=1).err
    assert not helpers()
