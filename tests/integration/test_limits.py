# SPDX-License-Identifier: LGPL-2.1-or-later
"""Limits that the kernel enforces: only where the cgroup v2 controllers are there."""
import harness
from harness import (berth, cgroup_pids, inspect, make_image, needs, scope_unit, shim_unit, systemctl, unit_cgroup,
                     unit_property, wait_for)

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
