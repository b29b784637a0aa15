# SPDX-License-Identifier: LGPL-2.1-or-later
"""What only the machine with its own kernel shows: limits that are enforced, and an older kernel."""
import os

import harness
from harness import (berth, cgroup_pids, image, inspect, load, make_image, needs, scope_unit, shim_unit, systemctl,
                     unit_cgroup, unit_property, wait_for)

MB = 1 << 20


def setup():
    make_image()


def read(cid, name):
    with open("%s/%s" % (unit_cgroup(scope_unit(cid)), name)) as f:
        return f.read().strip()


@needs("controllers")
def test_out_of_memory():
    """137, OOMKilled, and the shim outlives it."""
    cid = berth("run", "-d", "--memory", "64m", "--network", "none", "busybox", "sh", "-c",
                "while [ ! -e /go ]; do sleep 0.1; done; x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo $x | wc -c"
                ).out.strip()
    shim = unit_property(shim_unit(cid), "MainPID")
    waiter = harness.spawn("berth", "wait", cid)
    berth("exec", cid, "touch", "/go")
    assert waiter.communicate(timeout=300)[0] == b"137\n"
    state = inspect(cid)["State"]
    assert state["ExitCode"] == 137 and state["OOMKilled"] is True, state
    assert state["Status"] == "exited"
    assert unit_property(shim_unit(cid), "Result") in ("exit-code", "success"), "the shim was killed with it"
    assert shim != "0"
    berth("rm", cid)


@needs("controllers")
def test_exec_out_of_memory_leaves_the_shim():
    cid = berth("run", "-d", "--memory", "64m", "--network", "none", "busybox", "sh", "-c",
                "trap : CHLD; while :; do sleep 1; done").out.strip()
    shim = unit_property(shim_unit(cid), "MainPID")
    berth("exec", cid, "sh", "-c", "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo $x | wc -c", check=None,
          timeout=60)
    wait_for(lambda: inspect(cid)["State"]["Status"] in ("exited", "running"))
    if unit_property(shim_unit(cid), "ActiveState") == "active":
        assert unit_property(shim_unit(cid), "MainPID") == shim
    else:
        assert inspect(cid)["State"]["OOMKilled"] is True
    berth("rm", "-f", cid)


@needs("controllers")
def test_unit_and_cgroup_files_agree():
    cid = berth("run", "-d", "--memory", "96m", "--cpus", "0.5", "--pids-limit", "40", "--network", "none", "busybox",
                "sleep", "1000").out.strip()
    scope = scope_unit(cid)
    assert unit_property(scope, "MemoryMax") == str(96 * MB)
    assert read(cid, "memory.max") == str(96 * MB)
    assert unit_property(scope, "CPUQuotaPerSecUSec") == "500ms"
    quota, period = map(int, read(cid, "cpu.max").split())
    assert quota * 2 == period
    assert unit_property(scope, "TasksMax") == "40" and read(cid, "pids.max") == "40"
    host = inspect(cid)["HostConfig"]
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (96 * MB, 500000000, 40), host
    assert cgroup_pids(unit_cgroup(scope) + "/payload")
    berth("rm", "-f", cid)


@needs("controllers")
def test_set_property_works_live():
    cid = berth("run", "-d", "--memory", "96m", "--network", "none", "busybox", "sleep", "1000").out.strip()
    systemctl("set-property", "--runtime", scope_unit(cid), "MemoryMax=128M", "TasksMax=33")
    assert read(cid, "memory.max") == str(128 * MB) and read(cid, "pids.max") == "33"
    berth("exec", cid, "true")
    systemctl("daemon-reload")
    assert read(cid, "memory.max") == str(128 * MB)
    assert inspect(cid)["State"]["Status"] == "running"
    berth("rm", "-f", cid)


@needs("controllers")
def test_pids_limit_is_enforced():
    r = berth("run", "--rm", "--pids-limit", "12", "--network", "none", "busybox", "sh", "-c",
              "for i in $(seq 30); do sleep 5 & done; echo end", check=None)
    assert "fork" in r.err, r


@needs("controllers")
def test_no_process_beside_the_payload():
    """The scope's own cgroup is empty, so that its controllers can be handed down; execs join the payload."""
    cid = berth("run", "-d", "--memory", "96m", "--network", "none", "busybox", "sleep", "1000").out.strip()
    top = unit_cgroup(scope_unit(cid))
    assert read(cid, "cgroup.procs") == "", "a process stays in the scope itself"
    assert {"memory", "pids"} <= set(read(cid, "cgroup.subtree_control").split())
    assert int(read(cid, "payload/memory.current")) > 0 and read(cid, "payload/pids.current") == "1"
    berth("exec", "-d", cid, "sleep", "1000")
    wait_for(lambda: len(cgroup_pids(top + "/payload")) == 2)
    assert read(cid, "cgroup.procs") == ""
    berth("rm", "-f", cid)


@needs("controllers")
def test_cpu_quota_is_enforced():
    cid = berth("run", "-d", "--cpus", "0.2", "--network", "none", "busybox", "sh", "-c",
                "while :; do :; done").out.strip()

    def throttled():
        stat = dict(line.split() for line in read(cid, "cpu.stat").splitlines())
        return int(stat["nr_throttled"]) > 3
    wait_for(throttled)
    berth("rm", "-f", cid)


@needs("controllers")
def test_kill_reaches_all():
    """Fifty processes that take no TERM end with the container, and their cgroup goes."""
    cid = berth("run", "-d", "--pids-limit", "120", "--network", "none", "busybox", "sh", "-c",
                "trap '' TERM; for i in $(seq 50); do sleep 1000 & done; wait").out.strip()
    wait_for(lambda: int(read(cid, "pids.current")) >= 51)
    top = unit_cgroup(scope_unit(cid))
    berth("rm", "-f", cid)
    wait_for(lambda: not os.path.exists(top))


@needs("vm")
def test_many_layers():
    """Kernels before 6.7 take no list of layers by the piece: 1, 4 and 120 of them, in the right order."""
    for n in (1, 4, 120):
        tag = "layers:%d" % n
        layers = [image.tar(image.busybox_members())]
        layers += [image.layer({"same": "%d\n" % i, "f%d" % i: ""}) for i in range(1, n)]
        load(image.docker_archive(layers, (tag,)))
        r = berth("run", "--rm", "--network", "none", tag, "sh", "-c",
                  "echo $(ls -d /f[0-9]* 2>/dev/null | wc -l) $(cat /same 2>/dev/null); echo x >/same; cat /same")
        assert r.out.split() == ([str(n - 1)] if n == 1 else [str(n - 1)] * 2) + ["x"], (n, r)
    said = [e["MESSAGE"] for e in harness.journal("_TRANSPORT=kernel") if "overlayfs" in str(e.get("MESSAGE"))]
    assert not said, said
