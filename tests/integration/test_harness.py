# SPDX-License-Identifier: LGPL-2.1-or-later
"""The bed and the harness themselves: what every other test relies on."""
import os

from harness import Pty, image, needs, run, unit_property, wait_for


def test_systemd_is_pid_1_and_runs():
    with open("/proc/1/comm") as f:
        assert f.read() == "systemd\n"
    assert run("systemctl", "is-system-running", check=None).out.strip() in ("running", "degraded")


def test_transient_scope_has_its_own_cgroup():
    r = run("systemd-run", "--scope", "-q", "--unit=harness-probe", "cat", "/proc/self/cgroup")
    assert "0::/system.slice/harness-probe.scope" in r.out, r


def test_bus_answers():
    assert "org.freedesktop.systemd1" in run("busctl", "list", "--no-pager").out


def test_var_lib_carries_an_overlay_upper():
    base = "/var/lib/harness-overlay"
    for d in ("l", "u", "w", "m"):
        os.makedirs("%s/%s" % (base, d), exist_ok=True)
    run("mount", "-t", "overlay", "overlay", "-o",
        "lowerdir=%s/l,upperdir=%s/u,workdir=%s/w" % (base, base, base), base + "/m")
    try:
        with open(base + "/m/x", "w") as f:
            f.write("y")
        assert os.path.exists(base + "/u/x")
    finally:
        run("umount", base + "/m")


def test_network_tools_work():
    run("nft", "add table inet harness; delete table inet harness")
    run("ip", "link", "add", "hv0", "type", "veth", "peer", "name", "hv1")
    run("ip", "link", "del", "hv0")


def test_pty_echo_size_and_exit_code():
    with Pty("sh", "-c", "stty size; read x; echo got-$x; exit 3", rows=33, cols=101) as p:
        p.expect(r"33 101\r\n")
        p.send("abc\n")
        p.expect("got-abc")
        assert p.wait() == 3


def test_image_tar_is_readable():
    data = image.busybox_image()
    r = run("tar", "-t", input=data)
    assert "manifest.json" in r.out and "/layer.tar" in r.out


@needs("controllers")
def test_controllers_are_enforced():
    run("systemd-run", "--unit=harness-limit", "-q", "-p", "MemoryMax=32M", "sleep", "100")
    try:
        assert wait_for(lambda: unit_property("harness-limit.service", "ControlGroup"))
        path = "/sys/fs/cgroup" + unit_property("harness-limit.service", "ControlGroup") + "/memory.max"
        with open(path) as f:
            assert f.read().strip() == str(32 << 20)
    finally:
        run("systemctl", "stop", "harness-limit.service")
