# SPDX-License-Identifier: LGPL-2.1-or-later
"""Namespaces by path, the user namespace among them; time offsets; kernels and filters without new calls."""
import copy
import json
import os
import sys

import bundle
import outer_filter
from bundle import TOP, Bundle, ns_without, rt
from harness import run, wait_for

MAPS = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def setup():
    bundle.start_tests()
    os.chmod(TOP, 0o755)


def teardown():
    bundle.end_tests()


def give_to_root_of_map(b):
    os.chmod(b.path, 0o755)
    run("chown", "-R", "-h", "100000:100000", b.rootfs)


def user_bundle(*args):
    b = Bundle(*args)
    b.linux["namespaces"].append({"type": "user"})
    b.linux["uidMappings"] = b.linux["gidMappings"] = copy.deepcopy(MAPS)
    give_to_root_of_map(b)
    return b


def join(b, pid, *kinds):
    """Let b's namespaces of these kinds be those of process pid."""
    files = {"network": "net", "mount": "mnt"}
    ns_without(b, *kinds)
    b.linux["namespaces"] += [{"type": k, "path": "/proc/%d/ns/%s" % (pid, files.get(k, k))} for k in kinds]


def inode(pid, name):
    return os.readlink("/proc/%s/ns/%s" % (pid, name))


def test_join_a_user_namespace_and_all_others_with_it():
    first = user_bundle("sleep", "1000").create().start()
    wait_for(lambda: b"sleep" in open("/proc/%d/cmdline" % first.pid, "rb").read())
    for others in ((), ("network", "ipc", "uts", "pid", "cgroup")):
        b = Bundle()
        give_to_root_of_map(b)
        join(b, first.pid, "user", *others)
        if "uts" in others:
            del b.config["hostname"]
        os.mkdir(b.path + "/vol", 0o700)
        b.config["mounts"].append({"destination": "/vol", "source": b.path + "/vol", "options": ["bind", "ro"]})
        out = b.sh("id -u; cat /proc/self/uid_map; for n in user net ipc uts pid mnt cgroup; do readlink /proc/self/ns/$n; done;"
                   "stat -c '%t:%T' /dev/null; echo > /dev/null; grep -c . /proc/self/mountinfo; grep CapEff /proc/self/status").out
        lines = out.splitlines()
        assert lines[0] == "0" and lines[1].split() == ["0", "100000", "65536"], out
        assert inode(first.pid, "user") == lines[2] and inode(first.pid, "mnt") != lines[7], out
        for i, n in enumerate(("net", "ipc", "uts", "pid")):
            assert (inode(first.pid, n) == lines[3 + i]) == bool(others), (n, out)
        assert "1:3" in out and "00000000a80425fb" in out, out
    # What is made new belongs to the joined user namespace: its root may change the host name there.
    b = Bundle()
    give_to_root_of_map(b)
    join(b, first.pid, "user")
    for s in ("bounding", "effective", "permitted"):
        b.process["capabilities"][s].append("CAP_SYS_ADMIN")
    assert b.sh("hostname other && hostname").out == "other\n"
    # exec, and the end of the container that joined.
    b = Bundle("sleep", "1000")
    give_to_root_of_map(b)
    join(b, first.pid, "user", "pid")
    b.create().start()
    assert inode(b.pid, "user") == rt("exec", b.id, "readlink", "/proc/self/ns/user").out.strip()
    with open("/proc/%d/status" % b.pid) as f:
        assert "Uid:\t100000\t" in f.read()
    rt("kill", b.id, "KILL")
    b.wait()  # or its zombie would keep the joined pid namespace, and first's process, for ever
    b.delete()
    assert first.state()["status"] == "running"
    first.delete()


def test_joined_user_namespace_that_is_none_or_has_other_maps():
    first = user_bundle("sleep", "1000").create().start()
    b = Bundle()
    join(b, first.pid, "user")
    b.linux["uidMappings"] = b.linux["gidMappings"] = [{"containerID": 0, "hostID": 200000, "size": 10}]
    b.fails("linux.uidMappings: the joined user namespace has others")
    b = Bundle()
    give_to_root_of_map(b)
    join(b, first.pid, "user")
    b.linux["uidMappings"] = b.linux["gidMappings"] = copy.deepcopy(MAPS)
    assert b.sh("id -u").out == "0\n"
    first.delete()
    b = Bundle()
    b.linux["namespaces"].append({"type": "user", "path": "/proc/1/ns/net"})
    b.fails("join user namespace /proc/1/ns/net")
    b = Bundle()
    b.linux["namespaces"].append({"type": "user", "path": "/nowhere"})
    b.fails("/nowhere")
    # One's own cannot be joined again, and needs not.
    b = Bundle()
    b.linux["namespaces"].append({"type": "user", "path": "/proc/self/ns/user"})
    assert b.sh("readlink /proc/self/ns/user").out.strip() == inode("self", "user")


def test_join_by_wrong_paths():
    for kind, file in (("network", "ipc"), ("pid", "uts"), ("ipc", "net"), ("cgroup", "pid"), ("time", "net"), ("mount", "net")):
        b = Bundle()
        ns_without(b, kind)
        b.linux["namespaces"].append({"type": kind, "path": "/proc/1/ns/" + file})
        b.fails("join %s namespace /proc/1/ns/%s" % (kind, file))
    b = Bundle()
    ns_without(b, "network")
    b.linux["namespaces"].append({"type": "network", "path": "relative"})
    b.fails("not absolute")


def test_time_namespace():
    b = Bundle()
    b.linux["namespaces"].append({"type": "time"})
    b.linux["timeOffsets"] = {"boottime": {"secs": 100000000, "nanosecs": 5}, "monotonic": {"secs": 7}}
    b.process["args"] = ["sleep", "1000"]
    b.create().start()
    wait_for(lambda: b"sleep" in open("/proc/%d/cmdline" % b.pid, "rb").read())
    for out in (rt("exec", b.id, "cat", "/proc/uptime").out, run("nsenter", "-t", b.pid, "-T", "-m", "-p", "/bin/cat", "/proc/uptime").out):
        assert float(out.split()[0]) > 1e8, out
    offsets = rt("exec", b.id, "cat", "/proc/self/timens_offsets").out.split()
    assert offsets == ["monotonic", "7", "0", "boottime", "100000000", "5"], offsets
    other = Bundle()
    join(other, b.pid, "time")
    assert float(other.sh("cat /proc/uptime").out.split()[0]) > 1e8
    b.delete()
    b = user_bundle()
    b.linux["namespaces"].append({"type": "time"})
    b.linux["timeOffsets"] = {"boottime": {"secs": 200000000}}
    assert float(b.sh("cat /proc/uptime").out.split()[0]) > 2e8
    for bad, text in (({"realtime": {"secs": 1}}, "realtime"), ({"boottime": {"secs": 1, "nanosecs": -1}}, "nanosecs"),
                      ({"boottime": {"secs": "1"}}, "secs")):
        b = Bundle()
        b.linux["namespaces"].append({"type": "time"})
        b.linux["timeOffsets"] = bad
        b.fails(text)
    b = Bundle()
    b.linux["timeOffsets"] = {"boottime": {"secs": 1}}
    b.fails("linux.timeOffsets: needs a new time namespace")


# --- without the newest system calls ---------------------------------------------------------------------

def filtered(names, b, *args, **kw):
    b.save()
    script = os.path.abspath(outer_filter.__file__)
    return run(sys.executable, script, names, bundle.RUNTIME, "--root", bundle.ROOT, *args, **kw)


def run_filtered(names, b, script, **kw):
    b.process["args"] = ["sh", "-c", script]
    r = filtered(names, b, "run", "--bundle", b.path, b.id, **kw)
    b.gone()
    return r


def test_without_clone3():
    b = Bundle()
    r = run_filtered("clone3", b, "cat /proc/self/cgroup; echo $$; exit 3", check=3)
    assert "0::/\n" in r.out and r.out.endswith("\n1\n"), r
    # The cgroup is entered before a cgroup namespace is made and before anything else happens.
    b = Bundle()
    ns_without(b, "cgroup")
    assert "/berth-test/%s\n" % b.id in run_filtered("clone3", b, "cat /proc/self/cgroup").out
    r = run_filtered("clone3,close_range", user_bundle(), "cat /proc/self/uid_map")
    assert r.out.split() == ["0", "100000", "65536"], r
    b = Bundle("sleep", "1000").create().start()
    r = filtered("clone3", b, "exec", b.id, "cat", "/proc/self/cgroup")
    assert "0::/\n" in r.out, r
    other = Bundle()
    give_to_root_of_map(other)
    first = user_bundle("sleep", "1000").create().start()
    join(other, first.pid, "user", "pid")
    r = run_filtered("clone3", other, "cat /proc/self/uid_map; readlink /proc/self/ns/pid")
    assert "100000" in r.out and inode(first.pid, "pid") in r.out, r
    first.delete()
    b.delete()


def test_without_openat2():
    everything = "openat2,clone3,close_range," + outer_filter.MOUNT_API
    for names in ("openat2", everything):
        b = Bundle()
        os.symlink("../run/resolv/stub", b.rootfs + "/etc/resolv.conf")
        with open(b.path + "/file", "w") as f:
            f.write("x\n")
        b.config["mounts"].append({"destination": "/etc/resolv.conf", "source": b.path + "/file", "options": ["bind", "ro"]})
        b.process["oomScoreAdj"] = 321
        if names == "openat2":  # without fsopen() there is only the visible /proc, which is read-only by now
            b.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
        r = run_filtered(names, b, "cat /run/resolv/stub /proc/self/oom_score_adj /proc/sys/net/ipv4/ip_forward; stat -c %t:%T /proc/keys")
        assert r.out == "x\n321\n%d\n1:3\n" % (names == "openat2"), (names, r)
        # The attacks of test_runtime_attacks.py.
        outside = b.path + "/outside"
        os.makedirs(outside)
        b = Bundle()
        for name, target in (("dest", "/../../../../../.." + outside), ("abs", outside), ("rel", "../../../../../.." + outside)):
            os.symlink(target, b.rootfs + "/" + name)
            b.config["mounts"].append({"destination": "/%s/in" % name, "type": "tmpfs", "source": "x"})
        run_filtered(names, b, "true")
        assert os.listdir(outside) == [], "a directory was made outside the root"
        for name in ("proc", "sys"):
            b = Bundle()
            os.rmdir(b.rootfs + "/" + name)
            os.symlink("/tmp", b.rootfs + "/" + name)
            r = run_filtered(names, b, "true", check=1)
            assert "/" + name in r.err, (names, r)
        b = Bundle()
        os.symlink("loop", b.rootfs + "/loop")
        b.config["mounts"].append({"destination": "/loop/x", "type": "tmpfs", "source": "x"})
        assert "loop" in run_filtered(names, b, "true", check=1).err
