# SPDX-License-Identifier: LGPL-2.1-or-later
"""linux.resources and update, as the kernel enforces them: all but the refusals needs the controllers of bed 2."""
import json
import os
import re
import subprocess
import time

import bundle
from bundle import CGROUP, RUNTIME, Bundle, rt
from harness import needs, run, skip, wait_for

MB = 1024 * 1024


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


def limited(*args, **resources):
    b = Bundle(*(args or ("sleep", "1000")))
    b.linux["resources"] = resources
    return b


def read(b, name):
    with open("%s/berth-test/%s/%s" % (CGROUP, b.id, name)) as f:
        return f.read().strip()


def write(b, name, text):
    with open("%s/berth-test/%s/%s" % (CGROUP, b.id, name), "w") as f:
        f.write(text)


def stored(b):
    with open("%s/%s/config.json" % (bundle.ROOT, b.id)) as f:
        return json.load(f)["linux"].get("resources", {})


def keyed(text):
    return dict(line.split() for line in text.splitlines())


def test_what_version_2_lacks_is_refused_by_name():
    for resources, name in (({"memory": {"swappiness": 60}}, "memory.swappiness"),
                            ({"memory": {"disableOOMKiller": True}}, "memory.disableOOMKiller"),
                            ({"memory": {"swap": 100}}, "without memory limit"),
                            ({"cpu": {"realtimeRuntime": 1000}}, "cpu.realtimeRuntime"),
                            ({"cpu": {"cpus": "all"}}, "cpu.cpus"),
                            ({"blockIO": {"leafWeight": 100}}, "blockIO.leafWeight"),
                            ({"network": {"classID": 7}}, "network.classID"),
                            ({"network": {"priorities": [{"name": "lo", "priority": 1}]}}, "network.priorities"),
                            ({"hugepageLimits": [{"pageSize": "../x", "limit": 1}]}, "pageSize"),
                            ({"unified": {"../cgroup.procs": "1"}}, "no slashes"),
                            ({"unified": {"cgroup.procs": "1"}}, "cgroup.procs"),
                            ({"unified": {"nosuch.max": "1"}}, "controller `nosuch` is not available")):
        limited("true", **resources).fails(name)


def test_a_controller_that_is_missing_is_named():
    with open(CGROUP + "/cgroup.controllers") as f:
        missing = [c for c in ("memory", "cpu", "pids") if c not in f.read().split()]
    resources = {"memory": {"memory": {"limit": 64 * MB}}, "cpu": {"cpu": {"shares": 100}}, "pids": {"pids": {"limit": 5}}}
    for c in missing:
        limited("true", **resources[c]).fails("controller `%s` is not available" % c)


def test_cgroup_that_is_not_empty_or_not_clean():
    path = CGROUP + "/berth-test-busy"
    os.makedirs(path + "/sub")
    p = subprocess.Popen(["sleep", "1000"])
    try:
        b = Bundle("true")
        b.linux["cgroupsPath"] = "/berth-test-busy"
        with open(path + "/cgroup.procs", "w") as f:
            f.write(str(p.pid))
        b.fails("not empty")
        assert p.poll() is None, "a stranger's process was killed"
        with open(path + "/cgroup.procs") as f:
            assert f.read().split() == [str(p.pid)]
    finally:
        p.kill()
        p.wait()
    wait_for(lambda: "populated 0" in open(path + "/cgroup.events").read(), 10)
    with open(path + "/cgroup.freeze", "w") as f:
        f.write("1")
    b.fails("frozen")
    with open(path + "/cgroup.freeze", "w") as f:
        f.write("0")
    # An empty one that is there already will do.
    assert b.save() and rt("run", "--bundle", b.path, b.id).code == 0
    # Also one that was killed as a whole before.
    os.makedirs(path + "/sub")
    with open(path + "/cgroup.kill", "w") as f:
        f.write("1")
    b.process["args"] = ["sh", "-c", "exit 7"]
    assert b.save() and rt("run", "--bundle", b.path, b.id, check=7).code == 7
    for bad in ("/", "/..", "/a/../b", "//./a"):
        b = Bundle("true")
        b.linux["cgroupsPath"] = bad
        b.fails("cgroup")


def test_caller_in_a_cgroup_that_was_killed_once():
    """Linux 6.18 kills the child of such a caller at birth."""
    path = CGROUP + "/berth-test-caller"
    os.makedirs(path)
    b = Bundle("sleep", "1000").save()
    log = b.path + "/log"
    script = """echo 1 >$1/cgroup.kill && echo $$ >$1/cgroup.procs && shift || exit 99
r="$1 --root $2"; $r create --bundle $3 $4 </dev/null >$5 2>&1 && $r start $4 && $r exec $4 sh -c "echo lives; exit 5"; echo $?
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do $r exec $4 true || echo bad $?; done
$r delete -f $4; cat $5"""
    try:
        r = run("sh", "-c", script, "sh", path, RUNTIME, bundle.ROOT, b.path, b.id, log, check=None)
        assert r.out == "lives\n5\n", r
        b.gone()
    finally:
        wait_for(lambda: "populated 0" in open(path + "/cgroup.events").read(), 10)
        os.rmdir(path)


def test_cgroups_that_cannot_be_entered():
    path = CGROUP + "/berth-test-threads"
    os.makedirs(path + "/t")
    try:
        with open(path + "/t/cgroup.type", "w") as f:
            f.write("threaded")
        b = Bundle("true")
        b.linux["cgroupsPath"] = "/berth-test-threads/c"
        b.fails('its type is "domain invalid"')
        os.mkdir(path + "/c")
        b.fails('its type is "domain invalid"')
    finally:
        for d in ("/c", "/t", ""):
            if os.path.isdir(path + d):
                os.rmdir(path + d)
    with open(CGROUP + "/cgroup.controllers") as f:
        controllers = f.read().split()
    domain = [c for c in ("memory", "hugetlb", "io") if c in controllers]
    if domain:
        os.makedirs(path)
        with open(CGROUP + "/cgroup.subtree_control", "w") as f:
            f.write("+" + domain[0])
        with open(path + "/cgroup.subtree_control", "w") as f:
            f.write("+" + domain[0])
        b = Bundle("true")
        b.linux["cgroupsPath"] = "/berth-test-threads"
        b.fails("controllers are enabled for the cgroups below it: " + domain[0])
        os.rmdir(path)


@needs("controllers")
def test_all_controllers_work_from_the_start():
    with open(CGROUP + "/cgroup.controllers") as f:
        have = f.read().split()
    b = Bundle("sleep", "1000").create()
    assert sorted(read(b, "cgroup.controllers").split()) == sorted(have)
    assert int(read(b, "pids.current")) >= 1
    b.delete()


@needs("controllers")
def test_memory_limit_kills():
    b = limited("sh", "-c", "head -c 200000000 /dev/zero | tail -c 150000000 >/dev/null; echo survived",
                memory={"limit": 32 * MB, "swap": 32 * MB})
    os.symlink("busybox", b.rootfs + "/bin/tail")
    b.create()
    assert read(b, "memory.max") == str(32 * MB)
    assert read(b, "memory.swap.max") == "0"
    b.start()
    b.wait()
    assert int(keyed(read(b, "memory.events"))["oom_kill"]) >= 1
    b.delete()


@needs("controllers")
def test_memory_and_swap_arithmetic():
    b = limited(memory={"limit": 64 * MB, "swap": 96 * MB, "reservation": 16 * MB}).create()
    assert read(b, "memory.max") == str(64 * MB)
    assert read(b, "memory.swap.max") == str(32 * MB)
    assert read(b, "memory.low") == str(16 * MB)
    rt("update", b.id, "--memory", "80M")
    assert (read(b, "memory.max"), read(b, "memory.swap.max")) == (str(80 * MB), str(32 * MB))
    assert stored(b)["memory"] == {"limit": 80 * MB, "swap": 112 * MB, "reservation": 16 * MB}
    # Memory and swap alone: the memory limit is the one in force.
    rt("update", "--memory-swap", "90m", b.id)
    assert read(b, "memory.swap.max") == str(10 * MB)
    rt("update", "--memory-swap", "-1", b.id)
    assert read(b, "memory.swap.max") == "max"
    rt("update", "--memory", "100m", "--memory-swap", "100m", b.id)
    assert (read(b, "memory.max"), read(b, "memory.swap.max")) == (str(100 * MB), "0")
    rt("update", "--memory", "-1", b.id)
    assert (read(b, "memory.max"), read(b, "memory.swap.max")) == ("max", "max")
    r = rt("update", "--memory-swap", "5m", b.id, check=1)
    assert "without memory limit" in r.err, r
    b.delete()


@needs("controllers")
def test_check_before_update():
    b = limited("sleep", "1000").create().start()
    r = rt("update", "-r", "-", b.id, input='{"memory": {"limit": 1024, "checkBeforeUpdate": true}}', check=1)
    assert "rejecting memory limit" in r.err, r
    r = rt("update", "-r", "-", b.id, input='{"memory": {"limit": 1024, "swap": 2048, "checkBeforeUpdate": true}}', check=1)
    assert "rejecting memory+swap limit" in r.err, r
    assert b.state()["status"] == "running" and read(b, "memory.max") == "max"
    b.delete()


@needs("controllers")
def test_cpu():
    b = limited(cpu={"shares": 100, "quota": 50000, "period": 100000}).create()
    assert read(b, "cpu.weight") == "17" and read(b, "cpu.max") == "50000 100000"
    for args, weight, cpu_max in ((("--cpu-period", "90000"), "17", "50000 90000"),
                                  (("--cpu-quota", "60000"), "17", "60000 90000"),
                                  (("--cpu-quota", "-1"), "17", "max 90000"),
                                  (("--cpu-share", "1024"), "100", "max 90000"),
                                  (("--cpu-quota", "30000", "--cpu-period", "100000"), "100", "30000 100000")):
        rt("update", *args, b.id)
        assert (read(b, "cpu.weight"), read(b, "cpu.max")) == (weight, cpu_max), args
    if os.path.exists("%s/berth-test/%s/cpu.max.burst" % (CGROUP, b.id)):
        rt("update", "--cpu-burst", "20000", b.id)
        assert read(b, "cpu.max.burst") == "20000"
        # A burst above the old quota is fine with the new one, and the other way round.
        rt("update", "--cpu-burst", "50000", "--cpu-quota", "60000", b.id)
        assert (read(b, "cpu.max.burst"), read(b, "cpu.max")) == ("50000", "60000 100000")
        rt("update", "--cpu-burst", "10000", "--cpu-quota", "20000", b.id)
        assert (read(b, "cpu.max.burst"), read(b, "cpu.max")) == ("10000", "20000 100000")
        rt("update", "--cpu-burst", "0", b.id)
        assert read(b, "cpu.max.burst") == "0"
    for idle in "101":
        rt("update", "--cpu-idle", idle, b.id)
        assert read(b, "cpu.idle") == idle
    rt("update", "--cpu-idle", "2", b.id, check=1)
    assert read(b, "cpu.idle") == "1"
    assert stored(b)["cpu"]["shares"] == 1024 and stored(b)["cpu"]["idle"] == 1
    rt("update", "--cpu-share", "262144", b.id)
    assert (read(b, "cpu.idle"), read(b, "cpu.weight"), stored(b)["cpu"]["idle"]) == ("0", "10000", 0)
    b.delete()
    for period, expected in ((50000, "max 50000"), (1000000, "max 1000000")):
        b = limited(cpu={"period": period}).create()
        assert read(b, "cpu.max") == expected
        b.delete()
    b = limited(cpu={"quota": 5000}).create()
    assert read(b, "cpu.max") == "5000 100000"
    b.delete()
    r = limited("true", cpu={"period": 100})
    r.fails("cpu.max")


@needs("controllers")
def test_cpu_quota_throttles():
    b = limited("sh", "-c", "while :; do :; done", cpu={"quota": 5000, "period": 50000}).create().start()
    wait_for(lambda: int(keyed(read(b, "cpu.stat"))["nr_throttled"]) > 3, 30)
    b.delete()


@needs("controllers")
def test_fields_in_any_case():
    """What runc's decoder takes is no limit that is forgotten in silence."""
    b = limited(cpu={"shares": 1024}, CPU={"Cpus": "0", "Mems": "0"}).create()
    assert (read(b, "cpu.weight"), read(b, "cpuset.cpus"), read(b, "cpuset.mems")) == ("100", "0", "0")
    rt("update", "--cpu-share", "2", b.id)
    assert stored(b)["cpu"] == {"shares": 2, "cpus": "0", "mems": "0"} and "CPU" not in stored(b)
    b.delete()


@needs("controllers")
def test_cpuset():
    b = limited("sh", "-c", "grep Cpus_allowed_list /proc/self/status; grep Mems_allowed_list /proc/self/status",
                cpu={"cpus": "0", "mems": "0"})
    assert re.sub(r"\s+", " ", b.run().out) == "Cpus_allowed_list: 0 Mems_allowed_list: 0 "
    b = limited(cpu={"cpus": "0"}).create().start()
    if os.cpu_count() > 1:
        rt("update", "--cpuset-cpus", "1", b.id)
        assert read(b, "cpuset.cpus") == "1"
        assert re.search(r"list:\s+1$", rt("exec", b.id, "grep", "Cpus_allowed_list", "/proc/1/status").out)
    r = rt("update", "--cpuset-cpus", "4000", b.id, check=1)
    assert "cpuset.cpus" in r.err and "4000" in r.err, r
    b.delete()


@needs("controllers")
def test_pids():
    b = limited("sh", "-c", "sleep 100 & sleep 100 & sleep 100 & sleep 100 & sleep 100 & wait", pids={"limit": 3})
    r = b.run(check=None)
    assert "fork" in r.err, r
    for limit, version, expected in ((-1, "1.0.2", "max"), (0, "1.2.0", "max"), (0, "1.3.0", "1"), (77, "1.3.0", "77")):
        b = limited(pids={"limit": limit})
        b.config["ociVersion"] = version
        b.create()
        assert read(b, "pids.max") == expected, (limit, version)
        b.delete()
    b = limited(pids={"limit": 20}).create().start()
    rt("pause", b.id)
    rt("update", b.id, "--pids-limit", "30")
    assert b.state()["status"] == "paused"
    rt("resume", b.id)
    rt("update", "--pids-limit", "-1", b.id)
    assert read(b, "pids.max") == "max" and stored(b)["pids"] == {"limit": -1}
    b.delete()


def disk():
    """major and minor of a whole disk."""
    for name in sorted(os.listdir("/sys/block")):
        if name.startswith(("vd", "sd", "nvme")):
            with open("/sys/block/%s/dev" % name) as f:
                return tuple(int(x) for x in f.read().split(":"))
    raise AssertionError("no disk in the machine")


@needs("controllers")
def test_io():
    major, minor = disk()
    dev = {"major": major, "minor": minor}
    b = limited(blockIO={"throttleReadBpsDevice": [dict(dev, rate=1000000)], "throttleWriteBpsDevice": [dict(dev, rate=2000000)],
                         "throttleReadIOPSDevice": [dict(dev, rate=300)], "throttleWriteIOPSDevice": [dict(dev, rate=400)]}).create()
    line = "%d:%d " % (major, minor)
    assert read(b, "io.max") == line + "rbps=1000000 wbps=2000000 riops=300 wiops=400"
    change = {"blockIO": {"throttleReadBpsDevice": [dict(dev, rate=0)], "throttleReadIOPSDevice": [dict(dev, rate=7)]}}
    rt("update", "-r", "-", b.id, input=json.dumps(change))
    assert read(b, "io.max") == line + "rbps=max wbps=2000000 riops=7 wiops=400"
    assert stored(b)["blockIO"]["throttleReadIOPSDevice"] == [dict(dev, rate=7)]
    weights = [f for f in ("io.weight", "io.bfq.weight") if os.path.exists("%s/berth-test/%s/%s" % (CGROUP, b.id, f))]
    r = rt("update", "--blkio-weight", "750", b.id, check=0 if weights else 1)
    for f in weights:
        assert read(b, f) == "default " + ("7475" if f == "io.weight" else "750")
    assert weights or "io.weight" in r.err, r
    b.delete()
    limited("true", blockIO={"throttleReadBpsDevice": [{"major": 250, "minor": 99, "rate": 1}]}).fails("250:99 rbps=1")


def load(module):
    r = run("modprobe", module, check=None)
    if r.code:
        skip("this kernel has no %s: %s" % (module, r.err))


@needs("vm", "controllers")
def test_io_weight_of_a_device():
    load("bfq")
    major, minor = disk()
    scheduler = "/sys/dev/block/%d:%d/queue/scheduler" % (major, minor)
    with open(scheduler) as f:
        before = re.search(r"\[(\S+)\]", f.read()).group(1)
    with open(scheduler, "w") as f:
        f.write("bfq")
    try:
        dev = {"major": major, "minor": minor}
        b = limited(blockIO={"weight": 200, "weightDevice": [dict(dev, weight=300)]}).create()
        assert read(b, "io.bfq.weight") == "default 200\n%d:%d 300" % (major, minor)
        rt("update", "-r", "-", b.id, input=json.dumps({"blockIO": {"weightDevice": [dict(dev, weight=400)]}}))
        assert read(b, "io.bfq.weight") == "default 200\n%d:%d 400" % (major, minor)
        assert stored(b)["blockIO"] == {"weight": 200, "weightDevice": [dict(dev, weight=400)]}
        b.delete()
    finally:
        with open(scheduler, "w") as f:
            f.write(before)


@needs("vm", "controllers")
def test_rdma_of_a_device():
    """By the kernel's own RDMA over any network device."""
    load("rdma_rxe")
    run("ip", "link", "add", "rdmatest", "type", "dummy")
    try:
        run("ip", "link", "set", "rdmatest", "up")
        run("rdma", "link", "add", "rxetest", "type", "rxe", "netdev", "rdmatest")
        b = limited(rdma={"rxetest": {"hcaHandles": 3, "hcaObjects": 2000}}).create()
        assert read(b, "rdma.max") == "rxetest hca_handle=3 hca_object=2000"
        rt("update", "-r", "-", b.id, input=json.dumps({"rdma": {"rxetest": {"hcaHandles": 4}}}))
        rdma = json.loads(rt("events", "--stats", b.id).out)["data"]["rdma"]
        assert rdma["rdmaLimit"] == [{"device": "rxetest", "hcaHandles": 4, "hcaObjects": 2000}], rdma
        b.delete()
    finally:
        run("ip", "link", "delete", "rdmatest")


@needs("controllers")
def test_hugetlb_and_rdma():
    sizes = [d for d in os.listdir("/sys/kernel/mm/hugepages") if d == "hugepages-2048kB"]
    b = limited(**({"hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MB}]} if sizes else {})).create()
    if sizes:
        assert read(b, "hugetlb.2MB.max") == str(4 * MB)
        assert read(b, "hugetlb.2MB.rsvd.max") == str(4 * MB)
    b.delete()
    limited("true", hugepageLimits=[{"pageSize": "3MB", "limit": 1}]).fails("hugetlb.3MB.max")
    # No such device in the machine: the kernel is asked, and says so.
    limited("true", rdma={"mlx9_9": {"hcaHandles": 3}}).fails("rdma")


@needs("controllers")
def test_hugetlb_is_enforced():
    try:
        with open("/proc/sys/vm/nr_hugepages", "w") as f:
            f.write("4")
        b = limited("sh", "-c", "fallocate -l 2097152 /huge/a && echo one; fallocate -l 4194304 /huge/b || echo refused",
                    hugepageLimits=[{"pageSize": "2MB", "limit": 4 * MB}])
        b.config["mounts"].append({"destination": "/huge", "type": "hugetlbfs", "source": "x", "options": ["pagesize=2M"]})
        os.symlink("busybox", b.rootfs + "/bin/fallocate")
        b.create().start()
        b.wait()
        assert b.out().split("\n")[0] == "one" and "refused" in b.out(), b.out()
        # Pages in files stay when the process is gone.
        data = json.loads(run("sh", "-c", "cat %s/berth-test/%s/hugetlb.2MB.events | sed 's/max //'" % (CGROUP, b.id)).out)
        assert data >= 1
        b.delete()
    finally:
        with open("/proc/sys/vm/nr_hugepages", "w") as f:
            f.write("0")


@needs("controllers")
def test_io_max_throttles():
    major, minor = disk()
    b = limited("sh", "-c", "dd if=/dev/zero of=/file bs=65536 count=32 conv=fsync 2>/dev/null",
                blockIO={"throttleWriteBpsDevice": [{"major": major, "minor": minor, "rate": 500000}]}).create()
    started = time.monotonic()
    b.start()
    b.wait()
    assert time.monotonic() - started > 2.5, "2 MB at 0.5 MB/s in %.1f s" % (time.monotonic() - started)
    stats = json.loads(run("cat", "%s/berth-test/%s/io.stat" % (CGROUP, b.id)).out.split("wbytes=")[1].split()[0])
    assert stats >= 2 * MB
    b.delete()


@needs("controllers")
def test_unified():
    b = limited(memory={"limit": 64 * MB}, pids={"limit": 9},
                unified={"memory.high": "5242880", "memory.max": "10485760", "pids.max": "42", "cpu.max": "5000 50000",
                         "memory.oom.group": "1"}).create()
    for f, v in (("memory.high", "5242880"), ("memory.max", "10485760"), ("pids.max", "42"), ("cpu.max", "5000 50000"),
                 ("memory.oom.group", "1")):
        assert read(b, f) == v, f
    rt("update", "-r", "-", b.id, input='{"unified": {"pids.max": "10", "cpu.weight": "16"}}')
    assert (read(b, "pids.max"), read(b, "cpu.weight")) == ("10", "16")
    rt("update", "--pids-limit", "11", b.id)
    assert read(b, "pids.max") == "11" and "pids.max" not in stored(b)["unified"]
    r = rt("update", "-r", "-", b.id, input='{"unified": {"memory.nosuch": "10"}}', check=1)
    assert "memory.nosuch" in r.err, r
    r = rt("update", "-r", "-", b.id, input='{"unified": {"memory.high": "many"}}', check=1)
    assert 'write "many" to memory.high' in r.err, r
    b.delete()


@needs("controllers")
def test_failed_update_is_taken_back():
    b = limited(memory={"limit": 64 * MB}, pids={"limit": 9}).create()
    before = stored(b)
    r = rt("update", "--memory", "70m", "--pids-limit", "10", "--cpu-quota", "1", b.id, check=1)
    assert "cpu.max" in r.err, r
    assert (read(b, "memory.max"), read(b, "pids.max")) == (str(64 * MB), "9")
    assert stored(b) == before
    b.delete()


@needs("controllers")
def test_processes_above_are_in_the_way():
    path = CGROUP + "/berth-test-inner"
    os.mkdir(path)
    p = subprocess.Popen(["sleep", "1000"])
    try:
        with open(path + "/cgroup.procs", "w") as f:
            f.write(str(p.pid))
        b = limited("true", memory={"limit": 64 * MB})
        b.linux["cgroupsPath"] = "/berth-test-inner/c"
        b.fails('cannot be enabled below cgroup /berth-test-inner, which has processes of its own')
        b = limited("true", pids={"limit": 5})
        b.linux["cgroupsPath"] = "/berth-test-inner/c"
        b.fails('cannot be enabled below cgroup /berth-test-inner, which has processes of its own')
        # Without limits it runs, and the cgroup above has not become the root of a threaded tree.
        b = Bundle("true")
        b.linux["cgroupsPath"] = "/berth-test-inner/c"
        b.save()
        rt("run", "--bundle", b.path, b.id)
        with open(path + "/cgroup.type") as f:
            assert f.read() == "domain\n"
    finally:
        p.kill()
        p.wait()
        wait_for(lambda: "populated 0" in open(path + "/cgroup.events").read(), 10)
        os.rmdir(path)


@needs("controllers")
def test_stats():
    b = limited(memory={"limit": 64 * MB, "swap": 80 * MB}, pids={"limit": 30}, cpu={"quota": 50000}).create().start()
    rt("exec", b.id, "sh", "-c", "head -c 20000000 /dev/zero >/tmp/file; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done")
    data = json.loads(rt("events", "--stats", b.id).out)["data"]
    memory = data["memory"]
    assert memory["usage"]["limit"] == 64 * MB and 0 < memory["usage"]["usage"] < 64 * MB, memory
    assert memory["swap"]["limit"] == 80 * MB and memory["swap"]["usage"] >= memory["usage"]["usage"] - MB, memory
    assert memory["cache"] > 0 and memory["raw"]["file"] == memory["cache"] and "oom" not in memory["event_count"]
    assert data["pids"] == {"current": 1, "limit": 30}
    assert data["cpu"]["throttling"]["periods"] > 0 and "throttledTime" in data["cpu"]["throttling"]
    assert data["cpuset"]["cpus"] and data["cpuset"]["mems"] == [0]
    rt("update", "--pids-limit", "-1", "--memory", "-1", b.id)
    data = json.loads(rt("events", "--stats", b.id).out)["data"]
    assert data["pids"] == {"current": 1} and data["memory"]["usage"]["limit"] == 2 ** 64 - 1
    b.delete()


@needs("controllers")
def test_oom_event():
    b = limited("sh", "-c", "while [ ! -e /go ]; do sleep 0.1; done; head -c 200000000 /dev/zero | tail -c 150000000 >/dev/null; sleep 1000",
                memory={"limit": 32 * MB, "swap": 32 * MB})
    os.symlink("busybox", b.rootfs + "/bin/tail")
    b.create().start()
    p = subprocess.Popen([RUNTIME, "--root", bundle.ROOT, "events", "--interval", "1h", b.id], stdout=subprocess.PIPE, text=True)
    assert json.loads(p.stdout.readline())["type"] == "stats"
    with open(b.rootfs + "/go", "w"):
        pass
    assert p.stdout.readline() == '{"type":"oom","id":"%s"}\n' % b.id
    assert b.state()["status"] == "running"
    rt("kill", b.id, "KILL")
    b.wait()
    assert p.wait(timeout=30) == 0
    b.delete()


def reads(b, device):
    return rt("exec", "--cap", "CAP_SYSLOG", b.id, "sh", "-c", ": <" + device, check=None).code == 0


def device_bundle():
    b = limited(devices=[{"allow": False, "access": "rwm"}])
    # The kernel's messages: not among the devices that are always allowed.
    b.config["mounts"].append({"destination": "/mem", "source": b.path + "/mem", "options": ["bind"]})
    os.mknod(b.path + "/mem", 0o600 | 0o020000, os.makedev(1, 11))
    return b


def test_device_rules_are_replaced():
    b = device_bundle().create().start()
    assert reads(b, "/dev/zero") and not reads(b, "/mem")
    allow = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}
    deny = {"allow": False, "access": "rwm"}
    for rules, expected in (([deny, allow], True), ([deny], False), ([{"allow": True, "access": "rwm"}], True), ([deny, allow], True)):
        rt("update", "-r", "-", b.id, input=json.dumps({"devices": rules}))
        assert reads(b, "/mem") == expected, rules
        assert reads(b, "/dev/zero")
        assert stored(b)["devices"] == rules
    r = rt("update", "-r", "-", b.id, input='{"devices": [{"allow": true, "type": "q"}]}', check=1)
    assert "linux.resources.devices" in r.err and stored(b)["devices"] == [deny, allow], r
    b.delete()


def test_update_of_what_cannot_be():
    b = Bundle("sleep", "1000").create()
    rt("update", b.id)
    for args, text in ((("--memory", "5X"), "--memory"), (("--pids-limit", "many"), "--pids-limit"),
                       (("--l3-cache-schema", "L3:0=f"), "--l3-cache-schema is not supported"),
                       (("--mem-bw-schema", "MB:0=20"), "--mem-bw-schema is not supported"),
                       (("--cpu-rt-runtime", "1000"), "cpu.realtimeRuntime"), (("--cpu-rt-period", "1000"), "cpu.realtimePeriod"),
                       (("-r", "/no/such/file"), "/no/such/file")):
        r = rt("update", *args, b.id, check=1)
        assert text in r.err, r
    for text in ("", "[]", "{", "5"):
        assert "resources from -" in rt("update", "-r", "-", b.id, input=text, check=1).err
    assert stored(b) == {}
    rt("kill", b.id, "KILL")
    b.wait()
    assert "not running" in rt("update", "--pids-limit", "5", b.id, check=1).err
    b.delete()
    assert "does not exist" in rt("update", "--pids-limit", "5", "nosuch", check=1).err
