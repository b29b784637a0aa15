# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the runtime specification demands and no other test shows: docs/runtime-spec-musts.md names the rest."""
import json
import os
import resource
import socket

import bundle
from bundle import CGROUP, Bundle, ns_without, rt
from harness import needs, run

LIMITS = ("CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS", "SIGPENDING", "MSGQUEUE",
          "NICE", "RTPRIO", "RTTIME")
MUST = ("async atime bind defaults dev diratime dirsync exec iversion lazytime loud noatime nodev nodiratime noexec noiversion "
        "nolazytime norelatime nostrictatime nosuid private rbind relatime remount ro rprivate rshared rslave runbindable rw shared "
        "silent slave strictatime suid sync unbindable").split()
SHOULD = ("nosymfollow ratime rdev rdiratime rexec rnoatime rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow "
          "rrelatime rro rrw rstrictatime rsuid rsymfollow symfollow idmap ridmap").split()
SMALL = {"CPU": 3600, "NPROC": 5000, "NICE": 0, "RTPRIO": 0, "RTTIME": 100000}


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


def script(path, text):
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + text + "\n")
    os.chmod(path, 0o755)


def lines_of(path):
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return f.read().splitlines()


# --- life cycle ------------------------------------------------------------------------------------------

def test_changes_of_the_bundle_after_create_have_no_effect():
    for new in ('{"ociVersion": "1.0.0"}', "no JSON", None):
        b = Bundle("sh", "-c", "hostname; sleep 1000")
        b.config["hooks"] = {p: [{"path": "/bin/sh", "args": ["sh", "-c", "echo %s >>%s/seen" % (p, b.path)]}]
                             for p in ("poststart", "poststop")}
        b.create()
        if new is None:
            os.unlink(b.path + "/config.json")
        else:
            with open(b.path + "/config.json", "w") as f:
                f.write(new)
        b.start()
        assert rt("exec", b.id, "hostname").out == "box\n"
        b.delete()
        assert b.out() == "box\n" and lines_of(b.path + "/seen") == ["poststart", "poststop"], (new, b.out())


def test_a_container_must_be_named():
    b = Bundle("true").save()
    for args in (("create", "--bundle", b.path), ("state",), ("start",), ("kill",), ("delete",)):
        r = rt(*args, check=None)
        assert r.code != 0 and "usage" in r.err.lower(), r
    assert json.loads(rt("list", "--format", "json").out or "[]") in ([], None)


def test_what_is_refused_has_no_effect():
    b = Bundle("sh", "-c", "echo once; sleep 1000").create()
    created = b.state()
    assert "already exists" in rt("create", "--bundle", b.path, b.id, check=1).err
    assert b.state() == created and os.path.exists("/proc/%d" % b.pid)
    b.start()
    running = b.state()
    rt("start", b.id, check=1)
    rt("delete", b.id, check=1)
    rt("kill", b.id, "NOSUCHSIGNAL", check=1)
    assert b.state() == running and running["pid"] == created["pid"], (running, b.state())
    rt("kill", b.id, "KILL")
    b.wait()
    stopped = b.state()
    rt("kill", b.id, "TERM", check=1)
    rt("start", b.id, check=1)
    assert b.state() == stopped and stopped["status"] == "stopped" and b.out() == "once\n", (stopped, b.state(), b.out())
    b.delete()


def test_delete_leaves_what_create_did_not_make():
    above = CGROUP + "/berth-must"
    os.makedirs(above + "/other")
    try:
        b = Bundle("sleep", "1000")
        b.linux["cgroupsPath"] = "/berth-must/own"
        before = sorted(os.listdir(b.path))
        b.create().start()
        assert os.path.isdir(above + "/own")
        b.delete()
        assert not os.path.exists(above + "/own") and os.path.isdir(above + "/other")
        assert set(before) <= set(os.listdir(b.path)) and os.path.exists(b.rootfs + "/bin/sh")
    finally:
        os.rmdir(above + "/other")
        os.rmdir(above)


# --- hooks -----------------------------------------------------------------------------------------------

def test_hooks_run_in_order_in_their_namespaces():
    b = Bundle("sleep", "1000")
    points = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
    script(b.path + "/hook", 'echo "$1 $(readlink /proc/self/ns/uts) $(readlink /proc/self/ns/mnt)" >>%s/seen' % b.path)
    script(b.rootfs + "/hook", 'echo "$1 $(readlink /proc/self/ns/uts) $(readlink /proc/self/ns/mnt)" >>/seen')
    b.config["hooks"] = {p: [{"path": "/hook" if p == "startContainer" else b.path + "/hook", "args": ["hook", "%s%d" % (p, i)],
                              "env": ["PATH=/bin:/usr/bin"]} for i in range(3)] for p in points}
    b.create()
    spaces = {who: [os.readlink("/proc/%s/ns/%s" % (who, n)) for n in ("uts", "mnt")] for who in ("self", str(b.pid))}
    assert [x.split()[0] for x in lines_of(b.path + "/seen")] == ["%s%d" % (p, i) for p in points[:3] for i in range(3)]
    assert lines_of(b.rootfs + "/seen") == []
    b.start()
    b.delete()
    outside, inside = lines_of(b.path + "/seen"), lines_of(b.rootfs + "/seen")
    assert [x.split()[0] for x in inside] == ["startContainer%d" % i for i in range(3)], inside
    assert [x.split()[0] for x in outside[9:]] == ["%s%d" % (p, i) for p in points[4:] for i in range(3)], outside
    for line in outside + inside:
        name, *seen = line.split()
        assert seen == spaces[str(b.pid) if name[:-1] in ("createContainer", "startContainer") else "self"], (line, spaces)


def test_a_failing_poststart_hook_stops_all_of_the_container():
    b = Bundle("sh", "-c", "sleep 1000 & sleep 1000; true")
    ns_without(b, "pid")
    procs = "%s%s/cgroup.procs" % (CGROUP, b.linux["cgroupsPath"])
    wait = "while [ $(wc -l <%s) -lt 3 ]; do sleep 0.05; done; cat %s >%s/seen; false" % (procs, procs, b.path)
    b.config["hooks"] = {"poststart": [{"path": "/bin/sh", "args": ["sh", "-c", wait], "timeout": 20}],
                         "poststop": [{"path": "/bin/sh", "args": ["sh", "-c", "echo stopped >>%s/seen" % b.path]}]}
    b.create()
    r = rt("start", b.id, check=1)
    assert "poststart hook" in r.err, r
    b.wait()
    *pids, last = lines_of(b.path + "/seen")
    assert last == "stopped" and len(pids) == 3, (pids, last)
    for pid in pids:
        assert not lines_of("/proc/%s/cmdline" % pid), pid  # a zombie at most
    b.gone()


def test_what_hooks_find():
    """Namespaces and mounts before pivot_root, the program after start, nothing after delete."""
    b = Bundle("sleep", "1000")
    find = ('read -r x; p=$(echo "$x" | sed "s/.*\\"pid\\": *\\([0-9]*\\).*/\\1/"); echo $1 $(tr "\\0" " " </proc/$p/cmdline)'
            ' $(test -e %s/proc/self && echo mounted) $(test -e %s && echo cgroup) >>%s/seen')
    script(b.path + "/hook", find % (b.rootfs, CGROUP + b.linux["cgroupsPath"], b.path))
    b.config["hooks"] = {p: [{"path": b.path + "/hook", "args": ["hook", p], "env": ["PATH=/bin:/usr/bin"]}]
                         for p in ("createContainer", "poststart", "poststop")}
    b.create()
    b.start()
    b.delete()
    made, started, stopped = lines_of(b.path + "/seen")
    assert " mounted" in made and "sleep" not in made, made
    assert started == "poststart sleep 1000 cgroup", started
    assert stopped == "poststop", stopped


# --- the configuration -----------------------------------------------------------------------------------

def test_mounts_are_made_in_the_listed_order():
    b = Bundle()
    tmpfs = [("/a", "one"), ("/a/b", "two"), ("c", "three"), ("/c/d/e", "four"), ("/c/d", "five"), ("/a/b", "six")]
    b.config["mounts"] += [{"destination": d, "type": "tmpfs", "source": s} for d, s in tmpfs]
    seen = [x.split()[:2] for x in b.sh("cut -d' ' -f5- /proc/self/mountinfo | sed 's/ .* - tmpfs / /'").out.splitlines()]
    assert [x for x in seen if x[1] in ("one", "two", "three", "four", "five", "six")] == [
        ["/" + d.lstrip("/"), s] for d, s in tmpfs], seen


def test_console_size_is_for_terminals_only():
    b = Bundle()
    for size in ({"height": 10, "width": 20}, {"height": 70000, "width": 0}, {}):
        b.process["consoleSize"] = size
        assert b.sh("echo fine").out == "fine\n"


def test_every_limit():
    b = Bundle("cat", "/proc/self/limits")
    wanted = {}
    for name in LIMITS:
        hard = resource.getrlimit(getattr(resource, "RLIMIT_" + name))[1] if hasattr(resource, "RLIMIT_" + name) else 4
        top = SMALL.get(name, 1 << 30)
        wanted[name] = (min(top, hard) // 2, min(top, hard)) if hard >= 0 else (top // 2, top)
    b.process["rlimits"] = [{"type": "RLIMIT_" + n, "soft": s, "hard": h} for n, (s, h) in wanted.items()]
    b.create().start()
    with open("/proc/%d/limits" % b.pid) as f:
        rows = f.read().splitlines()[1:]
    b.delete()
    # The kernel has them in the order of their numbers, from RLIMIT_CPU to RLIMIT_RTTIME.
    order = ("CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS", "SIGPENDING", "MSGQUEUE",
             "NICE", "RTPRIO", "RTTIME")
    for name, row in zip(order, rows):
        assert tuple(int(x) for x in row[26:].split()[:2]) == wanted[name], (name, row, wanted[name])


def test_oom_score_that_is_not_set_is_the_callers():
    b = Bundle("cat", "/proc/self/oom_score_adj").save()
    shell = "echo 321 >/proc/self/oom_score_adj; exec %s --root %s run --bundle %s %s" % (bundle.RUNTIME, bundle.ROOT, b.path, b.id)
    assert run("sh", "-c", shell).out == "321\n"
    b.process["oomScoreAdj"] = 400
    b.save()
    assert run("sh", "-c", shell).out == "400\n"
    b.gone()


def test_nice_value_of_a_scheduler_is_zero_if_not_given():
    b = Bundle("cut", "-d ", "-f19", "/proc/self/stat")
    for scheduler, nice in ((None, "5\n"), ({"policy": "SCHED_BATCH"}, "0\n")):
        if scheduler:
            b.process["scheduler"] = scheduler
        b.save()
        r = run("nice", "-n", "5", bundle.RUNTIME, "--root", bundle.ROOT, "run", "--bundle", b.path, b.id)
        assert r.out == nice, (scheduler, r)


def test_devices_in_whose_place_is_something_else():
    for make in (lambda p: open(p, "w").close(), os.mkdir, lambda p: os.mknod(p, 0o020666, os.makedev(1, 5))):
        b = Bundle("true")
        make(b.rootfs + "/opt-device")
        b.linux["devices"] = [{"path": "/opt-device", "type": "c", "major": 1, "minor": 3}]
        b.fails("device /opt-device has incorrect")


def test_namespaces_that_are_not_listed_are_the_callers():
    kinds = {"network": "net", "ipc": "ipc", "uts": "uts", "cgroup": "cgroup", "pid": "pid"}
    for missing in kinds:
        b = Bundle()
        ns_without(b, missing)
        if missing == "uts":
            del b.config["hostname"]
        b.create()
        for kind, link in kinds.items():
            same = os.readlink("/proc/%d/ns/%s" % (b.pid, link)) == os.readlink("/proc/self/ns/" + link)
            assert same == (kind == missing), (missing, kind)
        b.delete()


def test_entries_that_say_nothing():
    for change, words in (
            (lambda l: l.update(resources={"blockIO": {"weightDevice": [{"major": 8, "minor": 0}]}}), "weight or leafWeight"),
            (lambda l: l.update(resources={"rdma": {"mlx5_1": {}}}), "hcaHandles or hcaObjects"),
            (lambda l: l.update(seccomp={"defaultAction": "SCMP_ACT_ALLOW",
                                         "syscalls": [{"names": [], "action": "SCMP_ACT_ERRNO"}]}), "at least one name"),
            (lambda l: l.update(seccomp={"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"}), "listenerMetadata")):
        b = Bundle("true")
        change(b.linux)
        b.fails(words)


@needs("controllers")
def test_a_burst_above_the_quota():
    b = Bundle("true")
    b.linux["resources"] = {"cpu": {"quota": 10000, "period": 100000, "burst": 20000}}
    b.fails("to cpu.max")
    b.linux["resources"]["cpu"]["burst"] = 10000
    b.run()


def test_capabilities_that_cannot_be_are_warned_about():
    b = Bundle("grep", "CapEff", "/proc/self/status").save()
    for kind in ("bounding", "permitted", "effective"):
        b.process["capabilities"][kind] = ["CAP_KILL", "CAP_OF_TOMORROW"]
    b.save()
    log = b.path + "/log"
    r = rt("--log", log, "run", "--bundle", b.path, b.id)
    assert r.out == "CapEff:\t0000000000000020\n", r
    assert any("warning" in x and "CAP_OF_TOMORROW" in x for x in lines_of(log)), lines_of(log)


def test_paths_of_cgroups():
    for path, place in (("/berth-must/deep/own", "/berth-must/deep/own"), ("berth-must/own", "/berth-must/own")):
        b = Bundle("sleep", "1000")
        b.linux["cgroupsPath"] = path
        for _ in range(2):
            b.create()
            with open(CGROUP + place + "/cgroup.procs") as f:
                assert f.read() == "%d\n" % b.pid, path
            b.delete()
            assert not os.path.exists(CGROUP + place)
    for path in ("/a/../b", "/..", "..", "/a//../../b"):
        b = Bundle("true")
        b.linux["cgroupsPath"] = path
        b.fails("cgroupsPath")
    for d in ("/berth-must/deep", "/berth-must"):
        os.rmdir(CGROUP + d)


def test_a_listener_is_handed_over_once():
    b = Bundle("true")
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(b.path + "/agent")
    server.listen(4)
    server.settimeout(10)
    b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": b.path + "/agent",
                          "syscalls": [{"names": ["sethostname"], "action": "SCMP_ACT_NOTIFY"}]}
    b.create().start()
    conn, _ = server.accept()
    data, fds, flags, _ = socket.recv_fds(conn, 65536, 8)
    assert data[:1] == b"{" and len(fds) == 1 and not flags & socket.MSG_CTRUNC, (data, fds)
    while True:
        more, late, _, _ = socket.recv_fds(conn, 65536, 8)
        assert not late
        if not more:
            break
        data += more
    state = json.loads(data)
    assert state["fds"] == ["seccompFd"] and "metadata" not in state or state["metadata"] == "", state
    server.settimeout(0)
    try:
        server.accept()
        assert False, "a second connection"
    except BlockingIOError:
        pass
    os.close(fds[0])
    b.delete()


# --- features --------------------------------------------------------------------------------------------

def features():
    return json.loads(rt("features").out)


def test_versions_that_features_names():
    for key in ("ociVersionMin", "ociVersionMax"):
        b = Bundle()
        b.config["ociVersion"] = features()[key]
        b.sh("true")


def mount_for(option, b):
    """An entry that has a use for the option."""
    own = {"destination": "/there", "source": "tmpfs", "type": "tmpfs", "options": [option]}
    if option == "remount":
        return dict(own, destination="/dev", options=["remount", "nosuid"])
    if option in ("bind", "rbind"):
        return {"destination": "/there", "source": b.path + "/from", "options": [option]}
    if option in ("copy-symlink", "src-nofollow", "dest-nofollow") or (option[0] == "r" and option[1:] in features()["mountOptions"]):
        return {"destination": "/there", "source": b.path + "/from", "options": ["rbind", option]}
    return own


def test_mount_options_that_features_names():
    assert not set(MUST + SHOULD) - set(features()["mountOptions"])
    # The two that not every file system can do: test_runtime_fields_mounts.test_id_maps_as_an_option.
    for option in set(features()["mountOptions"]) - {"idmap", "ridmap"}:
        b = Bundle()
        os.mkdir(b.path + "/from")
        b.config["mounts"].append(mount_for(option, b))
        r = b.sh("echo fine", check=None)
        assert r.out == "fine\n", (option, r)


def test_words_of_seccomp_that_features_names():
    f = features()["linux"]["seccomp"]
    rule = {"names": ["nosuchcall", "getcpu"], "action": "SCMP_ACT_ERRNO"}

    def profile(**kw):
        b = Bundle("true")
        b.linux["seccomp"] = dict({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}, **kw)
        if any(s["action"] == "SCMP_ACT_NOTIFY" for s in b.linux["seccomp"]["syscalls"]):
            b.fails("listenerPath")  # known, and says what it needs
            return
        b.save()
        r = rt("run", "--bundle", b.path, b.id, check=None)
        # libseccomp mixes no byte orders in one filter.
        assert r.code == 0 or "out of domain" in r.err and "architectures" in kw, (kw, r)
    for action in f["actions"]:
        profile(syscalls=[dict(rule, action=action)])
    for op in f["operators"]:
        profile(syscalls=[dict(rule, args=[{"index": 0, "value": 1, "valueTwo": 1, "op": op}])])
    for arch in f["archs"]:
        profile(architectures=["SCMP_ARCH_X86_64", arch] if arch != "SCMP_ARCH_X86_64" else [arch])
    for flag in f["supportedFlags"]:
        profile(flags=[flag])


def test_capabilities_that_features_names():
    b = Bundle("grep", "CapBnd", "/proc/self/status")
    with open("/proc/self/status") as f:
        own = [int(x.split()[1], 16) for x in f if x.startswith("CapBnd")][0]
    b.process["capabilities"] = {"bounding": features()["linux"]["capabilities"]}
    r = b.run()
    assert int(r.out.split()[1], 16) == own and "unknown" not in r.err, (r, hex(own))
