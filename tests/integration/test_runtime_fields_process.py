# SPDX-License-Identifier: LGPL-2.1-or-later
"""process, hooks, devices, sysctl, labels and what is left of config.json."""
import copy
import json
import os

import bundle
from bundle import TOP, Bundle, ns_without, rt
from harness import needs, run, skip, timeout

APPARMOR = "/sys/module/apparmor/parameters/enabled"


def setup():
    bundle.start_tests()
    os.chmod(TOP, 0o755)


def teardown():
    bundle.end_tests()


def refused(change, *texts):
    b = Bundle()
    change(b.config)
    for text in texts:
        b.fails(text)


# --- process ---------------------------------------------------------------------------------------------

def test_personality():
    machine = os.uname().machine
    for domain, answer in (("LINUX", machine), ("LINUX32", "i686" if machine == "x86_64" else None)):
        b = Bundle("sh", "-c", "sleep 1000")
        b.linux["personality"] = {"domain": domain}
        b.create().start()
        with open("/proc/%d/personality" % b.pid) as f:
            assert int(f.read(), 16) & 0xff == (8 if domain == "LINUX32" else 0)
        out = rt("exec", b.id, "sh", "-c", "cat /proc/self/personality; busybox uname -m").out.split()
        assert int(out[0], 16) & 0xff == (8 if domain == "LINUX32" else 0) and (not answer or out[1] == answer), out
        b.delete()
    refused(lambda c: c["linux"].update(personality={"domain": "BSD"}), "linux.personality.domain", "BSD")
    refused(lambda c: c["linux"].update(personality={}), "linux.personality.domain")
    refused(lambda c: c["linux"].update(personality={"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}), "linux.personality.flags")


def cpus_of(text):
    return [x for x in text.splitlines() if x.startswith("Cpus_allowed_list")][0].split()[1]


def test_affinity_is_for_exec_only():
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        skip("one CPU only")
    first, last = str(allowed[0]), str(allowed[-1])
    b = Bundle("sleep", "1000")
    b.process["execCPUAffinity"] = {"initial": first, "final": last}
    b.create().start()
    with open("/proc/%d/status" % b.pid) as f:
        assert cpus_of(f.read()) != last
    assert cpus_of(rt("exec", b.id, "cat", "/proc/self/status").out) == last
    p = {"args": ["cat", "/proc/self/status"], "cwd": "/", "env": ["PATH=/bin"]}
    for affinity, expected in (({"initial": first}, first), ({"final": "%s,%s" % (first, first)}, first),
                               ({"initial": last, "final": first}, first)):
        with open(b.path + "/p.json", "w") as f:
            json.dump(dict(p, execCPUAffinity=affinity), f)
        assert cpus_of(rt("exec", "--process", b.path + "/p.json", b.id).out) == expected, affinity
    with open(b.path + "/p.json", "w") as f:
        json.dump(dict(p, execCPUAffinity={"final": "1023"}), f)
    assert "execCPUAffinity.final" in rt("exec", "--process", b.path + "/p.json", b.id, check=255).err
    b.delete()
    for bad in ("x", "1-", "3-1", "-1", "99999"):
        refused(lambda c: c["process"].update(execCPUAffinity={"initial": bad}), "execCPUAffinity.initial")


def test_scheduler():
    def policy(value, script="cut -d' ' -f19,40,41 /proc/self/stat"):
        b = Bundle()
        b.process["scheduler"] = value
        b.process["args"] = ["sh", "-c", script]
        b.save()
        return rt("run", "--bundle", b.path, b.id, check=None)
    # nice, rt_priority, policy
    assert policy({"policy": "SCHED_OTHER", "nice": 7}).out.split() == ["7", "0", "0"]
    assert policy({"policy": "SCHED_BATCH", "nice": 3}).out.split() == ["3", "0", "3"]
    assert policy({"policy": "SCHED_IDLE"}).out.split()[2] == "5"
    for name, number in (("SCHED_FIFO", "1"), ("SCHED_RR", "2")):
        r = policy({"policy": name, "priority": 9})
        assert r.out.split()[1:] == ["9", number] or "process.scheduler" in r.err, r
        r = policy({"policy": name, "priority": 9, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}, "cut -d' ' -f40,41 /proc/1/stat; cut -d' ' -f41"
                                                                                         " /proc/self/stat; true")
        assert "process.scheduler" in r.err or r.out.split()[2] == "0", r
    r = policy({"policy": "SCHED_DEADLINE", "runtime": 10000000, "deadline": 30000000, "period": 30000000,
                "flags": ["SCHED_FLAG_RESET_ON_FORK"]}, "cut -d' ' -f41 /proc/1/stat")
    assert r.out == "6\n" or "process.scheduler" in r.err, r
    for value, text in (({"policy": "SCHED_WHAT"}, "SCHED_WHAT"), ({}, "process.scheduler.policy"),
                        ({"policy": "SCHED_OTHER", "nice": 20}, "process.scheduler.nice"),
                        ({"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_X"]}, "SCHED_FLAG_X"),
                        ({"policy": "SCHED_OTHER", "nice": "1"}, "process.scheduler.nice")):
        refused(lambda c: c["process"].update(scheduler=value), text)


def test_io_priority():
    def level(value):
        b = Bundle("sleep", "1000")
        b.process["ioPriority"] = value
        b.create().start()
        out = run("ionice", "-p", b.pid).out.strip()
        inside = rt("exec", b.id, "sh", "-c", "busybox ionice 2>/dev/null || true").out.strip()
        b.delete()
        return out, inside
    assert level({"class": "IOPRIO_CLASS_BE", "priority": 6})[0] == "best-effort: prio 6"
    assert level({"class": "IOPRIO_CLASS_IDLE"})[0].startswith("idle")
    assert level({"class": "IOPRIO_CLASS_RT", "priority": 2})[0] == "realtime: prio 2"
    for value, text in (({"class": "IOPRIO_CLASS_X"}, "IOPRIO_CLASS_X"), ({"class": "IOPRIO_CLASS_BE", "priority": 8}, "priority")):
        refused(lambda c: c["process"].update(ioPriority=value), text)


def test_what_must_be_there_and_what_is_not_for_linux():
    refused(lambda c: c.pop("process"), "process")
    refused(lambda c: c["process"].pop("args"), "process.args")
    refused(lambda c: c["process"].pop("cwd"), "process.cwd")
    refused(lambda c: c["process"].update(commandLine="x"), "commandLine")
    refused(lambda c: c.pop("root"), "root")
    refused(lambda c: c["root"].pop("path"), "root.path")
    for version in ("2.0.0", "0.9.0", "1", "1.", "1.x.0", "1.0", "", None, 1):
        refused(lambda c: c.update(ociVersion=version), "ociVersion")
    for version in ("1.0.0", "1.2.1", "1.3.0", "1.2.0-rc.1", "1.1.0+dev"):
        b = Bundle()
        b.config["ociVersion"] = version
        b.sh("true")
    for key in ("hostname", "domainname"):
        b = Bundle()
        b.config.pop("hostname")
        b.config[key] = "x"
        ns_without(b, "uts")
        b.fails("config.json: %s: needs a uts namespace" % key)
    refused(lambda c: c["linux"].update(intelRdt={"a": {}}), "linux.intelRdt")
    for key in ("vm", "windows", "solaris", "zos"):
        refused(lambda c: c.update({key: {}}), key)
    refused(lambda c: c.update(annotations={"a": 1}), "annotations.a")
    refused(lambda c: c.update(annotations={"": "x"}), "annotations: a key is empty")
    b = Bundle()
    b.config["unknown"] = b.process["unknown"] = b.linux["unknown"] = {"whatever": [1]}
    b.sh("true")


def test_domainname_and_annotations():
    b = Bundle("sleep", "1000")
    b.config["domainname"] = "example"
    b.config["annotations"] = {"one": "1", "two": ""}
    b.create().start()
    assert rt("exec", b.id, "cat", "/proc/sys/kernel/domainname").out == "example\n"
    assert b.state()["annotations"] == {"one": "1", "two": ""}
    b.delete()


# --- devices, paths, sysctl ------------------------------------------------------------------------------

def test_kinds_of_devices():
    b = Bundle()
    b.linux["devices"] = [
        {"path": "/dev/chr", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640, "uid": 5, "gid": 6},
        {"path": "/dev/unbuffered", "type": "u", "major": 1, "minor": 5, "fileMode": 0o600},
        {"path": "/dev/sub/dir/blk", "type": "b", "major": 7, "minor": 77, "fileMode": 0o660},
        {"path": "/dev/pipe", "type": "p", "fileMode": 0o622, "uid": 7}, {"path": "/opt/plain", "type": "c", "major": 1, "minor": 3}]
    out = b.sh("cd /dev; stat -c '%F %a %u %g %t:%T' chr unbuffered sub/dir/blk pipe /opt/plain").out.splitlines()
    assert out == ["character special file 640 5 6 1:3", "character special file 600 0 0 1:5", "block special file 660 0 0 7:4d",
                   "fifo 622 7 0 0:0", "character special file 666 0 0 1:3"], out
    for device, text in (({"path": "/dev/x", "type": "q"}, "unknown type"), ({"path": "dev/x", "type": "c"}, "absolute"),
                         ({"path": "/dev/..", "type": "p"}, "not a device path"), ({"type": "c"}, "linux.devices.path"),
                         ({"path": "/dev/x", "type": "c", "major": -1}, "major")):
        refused(lambda c: c["linux"].update(devices=[device]), text)
    b = Bundle()
    os.mkdir(b.rootfs + "/opt")
    with open(b.rootfs + "/opt/x", "w"):
        pass
    b.linux["devices"] = [{"path": "/opt/x", "type": "c", "major": 1, "minor": 3}]
    b.fails("has incorrect")


def test_devices_of_a_user_namespace_are_bound_or_made():
    b = Bundle()
    b.linux["namespaces"].append({"type": "user"})
    b.linux["uidMappings"] = b.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    os.chmod(b.path, 0o755)
    run("chown", "-R", "-h", "100000:100000", b.rootfs)
    b.linux["devices"] = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}, {"path": "/dev/pipe", "type": "p"}]
    out = b.sh("stat -c '%t:%T' /dev/fuse /dev/null; stat -c %F /dev/pipe; cut -d' ' -f5 /proc/self/mountinfo").out
    assert out.startswith("a:e5\n1:3\nfifo\n") and "\n/dev/fuse\n" in out, out
    # What the host does not have there is made; it cannot be where the namespace is somebody else's.
    b.linux["devices"] = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 230}]
    assert b.sh("stat -c '%t:%T %u' /dev/fuse").out == "a:e6 0\n"
    other = Bundle("sleep", "100")
    other.linux.update({k: b.linux[k] for k in ("namespaces", "uidMappings", "gidMappings")})
    os.chmod(other.path, 0o755)
    run("chown", "-R", "-h", "100000:100000", other.rootfs)
    other.create().start()
    b.linux["namespaces"] = [dict(n, path="/proc/%d/ns/user" % other.pid) if n["type"] == "user" else n for n in b.linux["namespaces"]]
    b.fails("the host has another one there")
    other.delete()


def test_masked_and_readonly_paths_at_the_edges():
    b = Bundle()
    os.symlink("/etc/passwd", b.rootfs + "/link")
    os.makedirs(b.rootfs + "/data/sub")
    b.linux["maskedPaths"] = ["/nowhere", "/etc/passwd/below", "/link", "/data", "/proc/keys", "/data", "/etc/../tmp"]
    b.linux["readonlyPaths"] = ["/nowhere", "/etc/passwd/x", "/root", "/proc/sys"]
    out = b.sh("stat -c '%t:%T' /etc/passwd; ls /data /tmp | wc -w; touch /root/x /data/x /tmp/x 2>&1 | grep -c Read-only; cat /link")
    assert out.out == "1:3\n2\n3\n", out
    refused(lambda c: c["linux"].update(maskedPaths="x"), "linux.maskedPaths")
    refused(lambda c: c["linux"].update(readonlyPaths=[1]), "linux.readonlyPaths")


def test_sysctl_of_namespaces():
    b = Bundle()
    b.linux["sysctl"] = {"net.ipv4.conf.lo.forwarding": "1", "net/ipv4/ip_forward": "1", "kernel.shmmni": "77", "kernel/msgmax": "8000",
                         "fs.mqueue.msg_max": "20", "kernel.domainname": "dom"}
    out = b.sh("cd /proc/sys; cat net/ipv4/ip_forward kernel/shmmni kernel/msgmax fs/mqueue/msg_max kernel/domainname").out
    assert out.split() == ["1", "77", "8000", "20", "dom"], out
    for key, kind in (("net.ipv4.ip_forward", "network"), ("kernel.msgmax", "ipc"), ("fs/mqueue/msg_max", "ipc"),
                      ("kernel.domainname", "uts")):
        b = Bundle()
        ns_without(b, kind)
        b.config.pop("hostname")
        b.linux["sysctl"] = {key: "1"}
        b.fails("needs a %s namespace of its own" % kind)
        files = {"network": "net"}
        b.linux["namespaces"].append({"type": kind, "path": "/proc/self/ns/" + files.get(kind, kind)})
        b.fails("needs a %s namespace of its own" % kind)
    for key in ("vm.swappiness", "kernel.panic", "net..x", "/net/ipv4/ip_forward", "net/../kernel/panic", "kernel.hostname", "user.max_user_namespaces"):
        refused(lambda c: c["linux"].update(sysctl={key: "1"}), "linux.sysctl")
    refused(lambda c: c["linux"].update(sysctl={"net.ipv4.ip_forward": 1}), "expected a string")
    refused(lambda c: c["linux"].update(sysctl={"net.ipv4.nothing": "1"}), "net.ipv4.nothing")


# --- hooks -----------------------------------------------------------------------------------------------

POINTS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


def hooked(b, failing=None):
    """A hook at each point that writes down point, directory, environment and state."""
    b.log = b.path + "/hooks"
    os.chmod(b.path, 0o777)
    script = "#!/bin/sh\nread -r line\necho \"$0 $1 $(pwd) $X $line\" >> %s\n[ \"$1\" != \"%s\" ]\n"
    for path, log in ((b.path + "/hook", b.log), (b.rootfs + "/hook", "/hooks")):
        with open(path, "w") as f:
            f.write(script % (log, failing))
        os.chmod(path, 0o755)
    b.config["hooks"] = {p: [{"path": "/hook" if p == "startContainer" else b.path + "/hook", "args": ["zero", p],
                              "env": ["X=" + p, "PATH=/bin:/usr/bin"]}] for p in POINTS}
    return b


def log_of(path):
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return [(x.split()[1], x.split()[2], x.split()[3], json.loads(x.split(None, 4)[4])) for x in f]


def test_state_directory_and_environment_of_each_hook():
    b = hooked(Bundle("sleep", "1000"))
    b.config["annotations"] = {"k": "v"}
    b.create()
    pid = b.pid
    b.start()
    rt("kill", b.id, "KILL")
    b.wait()
    rt("delete", b.id)
    outside, inside = log_of(b.log), log_of(b.rootfs + "/hooks")
    assert [x[0] for x in outside] == ["prestart", "createRuntime", "createContainer", "poststart", "poststop"], outside
    assert [x[0] for x in inside] == ["startContainer"], inside
    status = {"prestart": "created", "createRuntime": "created", "createContainer": "created", "startContainer": "created",
              "poststart": "running", "poststop": "stopped"}
    for point, directory, x, state in outside + inside:
        assert x == point and state["status"] == status[point] and state["id"] == b.id and state["bundle"] == b.path, (point, state)
        assert state["annotations"] == {"k": "v"} and state["ociVersion"] == "1.0.2", state
        # Hooks that run inside are told what they can see: the process is the first of its pid namespace.
        seen = {"poststop": 0, "createContainer": 1, "startContainer": 1}.get(point, pid)
        assert state["pid"] == seen, (point, state)
        expected = {"startContainer": "/", "createContainer": b.rootfs}.get(point, b.path)
        assert directory == expected, (point, directory)


def test_pid_that_hooks_inside_are_told():
    for point in ("createContainer", "startContainer"):
        b = hooked(Bundle("true"))
        b.config["hooks"] = {point: b.config["hooks"][point]}
        ns_without(b, "pid")
        b.create()
        b.start()
        b.wait()
        (_, _, _, state), = log_of(b.log if point == "createContainer" else b.rootfs + "/hooks")
        assert state["pid"] == b.pid, (point, state)
        b.delete()


def test_a_failing_hook_at_each_point():
    for point in POINTS:
        b = hooked(Bundle("sleep", "1000"), failing=point)
        b.save()
        if point in ("prestart", "createRuntime", "createContainer"):
            b.fails(point + " hook")
            seen = [x[0] for x in log_of(b.log)]
            # The container ends as it would have otherwise: poststop hooks run.
            assert seen == list(POINTS[:POINTS.index(point) + 1]) + ["poststop"], seen
            continue
        b.create()
        if point in ("startContainer", "poststart"):
            r = rt("start", b.id, check=1)
            assert point + " hook" in r.err, r
            b.wait()
            if point == "startContainer":
                assert b.state()["status"] == "stopped"
                assert "poststart" not in [x[0] for x in log_of(b.log)]
            else:  # this one is destroyed
                b.gone()
        else:
            b.start()
        b.delete()
        assert log_of(b.log)[-1][0] == "poststop"


def test_a_failed_start_has_ended_when_it_returns():
    for i in range(30):
        b = Bundle("true" if i % 2 else "sleep", "1000")
        point = "startContainer" if i % 3 else "poststart"
        b.config["hooks"] = {point: [{"path": "/bin/false"}]}
        b.create()
        assert point + " hook" in rt("start", b.id, check=1).err
        if point == "startContainer":
            assert b.state()["status"] == "stopped", i
            rt("delete", b.id)
        b.gone()


def test_order_timeouts_and_bad_hooks():
    b = Bundle()
    for n in ("one", "two"):
        with open(b.path + "/" + n, "w") as f:
            f.write("#!/bin/sh\necho %s >> %s/order\n" % (n, b.path))
        os.chmod(b.path + "/" + n, 0o755)
    b.config["hooks"] = {"createRuntime": [{"path": b.path + "/one"}, {"path": b.path + "/two"}, {"path": b.path + "/one"}]}
    b.sh("true")
    with open(b.path + "/order") as f:
        assert f.read().split() == ["one", "two", "one"]
    for point in ("createContainer", "prestart"):
        refused(lambda c: c.update(hooks={point: [{"path": "/bin/sleep", "args": ["sleep", "100"], "timeout": 1}]}), "timed out after 1")
    for hook, text in (({}, "path"), ({"path": "rel"}, "absolute"), ({"path": "/bin/true", "timeout": 0}, "timeout"),
                       ({"path": "/bin/true", "args": "x"}, "args"), ({"path": "/nowhere"}, "/nowhere")):
        refused(lambda c: c.update(hooks={"createRuntime": [hook]}), text)


# --- labels ----------------------------------------------------------------------------------------------

def test_labels_without_a_security_module():
    if not os.path.exists(APPARMOR):
        refused(lambda c: c["process"].update(apparmorProfile="some"), "process.apparmorProfile", "apparmor is disabled")
        b = Bundle()
        b.process["apparmorProfile"] = "unconfined"
        b.sh("true")
        b = Bundle("sleep", "1000").create().start()
        assert "apparmor is disabled" in rt("exec", "--apparmor", "some", b.id, "true", check=255).err
        b.delete()
    if not os.path.exists("/sys/fs/selinux/enforce"):
        refused(lambda c: c["process"].update(selinuxLabel="u:r:t:s0"), "process.selinuxLabel", "selinux is disabled")
        refused(lambda c: c["linux"].update(mountLabel="u:r:t:s0"), "linux.mountLabel", "selinux is disabled")


def test_features_are_complete():
    f = json.loads(rt("features").out)
    assert f["ociVersionMin"] == "1.0.0" and f["ociVersionMax"].startswith("1.") and sorted(f["hooks"]) == sorted(POINTS), f
    lx = f["linux"]
    assert sorted(lx["namespaces"]) == sorted(["mount", "pid", "network", "uts", "ipc", "user", "cgroup", "time"]), lx
    assert lx["intelRdt"] == {"enabled": False}, lx
    assert lx["mountExtensions"]["idmap"] == {"enabled": True} and lx["apparmor"]["enabled"] and lx["selinux"]["enabled"], lx
    assert len(lx["capabilities"]) >= 41 and len(copy.copy(f["mountOptions"])) > 60, f
