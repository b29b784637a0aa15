# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attempts to keep a right that the payload must not have: identity, groups, capabilities, keys, the host's own settings."""
import ctypes
import os
import struct
import subprocess

import bundle
from bundle import ROOT, RUNTIME, TOP, Bundle, rt
from harness import run

STATUS = "grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp):' /proc/self/status"
KEYCTL = 250
libc = ctypes.CDLL(None, use_errno=True)


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


def status(text):
    """/proc/PID/status as a dictionary of lists of words."""
    return {line.split(":")[0]: line.split(":")[1].split() for line in text.splitlines() if ":" in line}


def unprivileged(b, uid=1000, gid=1000):
    b.process["user"] = {"uid": uid, "gid": gid}
    b.process["args"] = ["sh", "-c", STATUS]
    return b


def refuse(names, errno):
    """A profile that answers these system calls with errno, and lets all others be."""
    return {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [{"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": errno}]}


GIVING_UP = ["setgroups", "setresgid", "setresuid", "setgid", "setuid", "setregid", "setreuid", "setfsuid", "setfsgid", "capset",
             "capget", "prctl", "umask", "close_range", "fcntl", "setrlimit", "prlimit64", "chdir", "fchdir", "getgroups"]


def test_a_filter_that_lies_cannot_keep_rights():
    """errnoRet 0 makes a refused call look done: whatever gives rights up must have happened before."""
    for no_new_privs in (False, True):
        b = unprivileged(Bundle())
        b.process["noNewPrivileges"] = no_new_privs
        b.linux["seccomp"] = refuse(GIVING_UP, 0)
        # Supplementary groups of the caller, which must not arrive either.
        b.save()
        out = run("setpriv", "--groups", "4,5,6", RUNTIME, "--root", ROOT, "run", "--bundle", b.path, b.id).out
        b.gone()
        s = status(out)
        assert s["Uid"] == ["1000"] * 4 and s["Gid"] == ["1000"] * 4 and s["Groups"] == [], s
        assert all(int(s[c][0], 16) == 0 for c in ("CapInh", "CapPrm", "CapEff", "CapAmb")), s
        assert int(s["CapBnd"][0], 16) == bounding(b), s
        assert s["Seccomp"] == ["2"] and s["NoNewPrivs"] == [str(int(no_new_privs))], s
        s = status(exec_of(b).out)
        assert s["Uid"] == ["1000"] * 4 and s["Groups"] == [] and int(s["CapEff"][0], 16) == 0, s
        assert int(s["CapBnd"][0], 16) == bounding(b) and s["Seccomp"] == ["2"], s


def exec_of(b):
    """The same process again, by exec in a container that sleeps."""
    args = b.process["args"]
    b.process["args"] = ["sleep", "1000"]
    b.create().start()
    r = run("setpriv", "--groups", "4,5,6", RUNTIME, "--root", ROOT, "exec", b.id, *args)
    b.delete()
    b.process["args"] = args
    return r


def bounding(b):
    names = ["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
             "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO",
             "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME",
             "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"]
    return sum(1 << names.index(c[len("CAP_"):]) for c in b.process["capabilities"]["bounding"])


def test_a_strict_filter_does_not_need_our_calls():
    """What the payload may not call is not what the runtime has to call: it is done with all of it before."""
    for no_new_privs in (False, True):
        b = unprivileged(Bundle())
        b.process["noNewPrivileges"] = no_new_privs
        b.process["capabilities"]["ambient"] = b.process["capabilities"]["inheritable"] = ["CAP_CHOWN"]
        b.linux["seccomp"] = refuse(GIVING_UP, 1)
        s = status(b.run().out)
        assert s["Uid"] == ["1000"] * 4 and s["CapEff"] == ["0000000000000001"], s
        assert s["CapPrm"] == s["CapAmb"] == s["CapInh"] == ["0000000000000001"], s


def test_the_whole_way_to_root_is_filtered():
    b = Bundle()
    b.process["args"] = ["sh", "-c", STATUS]
    b.process["capabilities"] = {"bounding": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"]}
    b.linux["seccomp"] = refuse(["capset"], 0)
    s = status(b.run().out)
    assert s["CapEff"] == s["CapPrm"] == s["CapBnd"] == ["0000000000000001"] and s["CapInh"] == ["0" * 16], s
    # A filter that allows no program to be run is an error or a signal, never a payload without a filter.
    for errno in (0, 1):
        b = Bundle("echo", "ran")
        b.linux["seccomp"] = refuse(["execve"], errno)
        r = b.run(check=None)
        assert r.code != 0 and "ran" not in r.out, r


def test_groups_and_inheritable_capabilities_of_the_caller_stay_outside():
    # Ambient and inheritable ones, as somebody's login shell or service manager may have given them.
    caller = ["setpriv", "--groups", "4,5,6", "--inh-caps", "+sys_admin,+sys_ptrace", "--ambient-caps", "+sys_admin,+sys_ptrace"]
    for uid in (0, 1000):
        b = unprivileged(Bundle(), uid, uid)
        b.save()
        s = status(run(*caller, RUNTIME, "--root", ROOT, "run", "--bundle", b.path, b.id).out)
        b.gone()
        assert s["Groups"] == [] and s["CapInh"] == s["CapAmb"] == ["0" * 16], s
        b.process["args"] = ["sleep", "1000"]
        b.create().start()
        s = status(run(*caller, RUNTIME, "--root", ROOT, "exec", b.id, "sh", "-c", STATUS).out)
        assert s["Groups"] == [] and s["CapInh"] == s["CapAmb"] == ["0" * 16], s
        s = status(run(*caller, RUNTIME, "--root", ROOT, "exec", "--cap", "CAP_NET_ADMIN", b.id, "sh", "-c", STATUS).out)
        assert s["CapInh"] == s["CapAmb"] == ["0" * 16], s
        b.delete()


def test_exec_into_a_user_namespace_keeps_no_groups():
    b = Bundle("sleep", "1000")
    b.linux["namespaces"].append({"type": "user"})
    for k in ("uidMappings", "gidMappings"):
        b.linux[k] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    for path, _, _ in os.walk(b.rootfs):
        os.chown(path, 100000, 100000)
    os.chmod(TOP, 0o755)
    b.create().start()
    r = run("setpriv", "--groups", "4,5,6", RUNTIME, "--root", ROOT, "exec", b.id, "sh", "-c", STATUS + "; cat /proc/self/uid_map")
    s = status(r.out)
    assert s["Groups"] == [] and s["Uid"] == ["0"] * 4 and "100000" in r.out, r
    b.delete()


def test_hooks_inside_are_no_way_out():
    """A startContainer hook is a program of the image: it gets what the payload gets."""
    for no_new_privs in (False, True):
        b = unprivileged(Bundle())
        os.chmod(b.rootfs + "/tmp", 0o1777)
        b.process["noNewPrivileges"] = no_new_privs
        b.process["env"].append("FROM=config")
        b.linux["seccomp"] = refuse(["mkdir", "mkdirat"], 1)
        b.config["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": [
            "sh", "-c", "exec >/tmp/hook; %s; echo Env:$(env); mkdir /tmp/made; ls -l /proc/self/fd | grep -v pipe" % STATUS]}]}
        b.save()
        payload = status(rt("run", "--bundle", b.path, b.id, env={"HOST_SECRET": "42"}).out)
        b.gone()
        with open(b.rootfs + "/tmp/hook") as f:
            text = f.read()
        hook = status(text)
        assert {k: hook[k] for k in payload} == payload, (hook, payload)
        assert "HOST_SECRET" not in text and "FROM=config" in text, text
        assert not os.path.exists(b.rootfs + "/tmp/made"), "no filter"
        assert TOP not in text, text


def keyctl(*args):
    r = libc.syscall(KEYCTL, *args)
    if r < 0:
        raise OSError(ctypes.get_errno(), "keyctl")
    return r


class secret_key:
    """A key that only who has our session keyring can see. Use as preexec_fn."""

    def __call__(self):
        keyctl(1, None)
        key = libc.syscall(248, b"user", b"host-secret", b"x", 1, -3)
        assert key > 0
        keyctl(5, key, 0x3f000000)


def test_keys_of_the_caller_stay_outside():
    def with_key(*args):
        return subprocess.run([*args], preexec_fn=secret_key(), capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              timeout=30)
    look = ("sh", "-c", "cat /proc/keys; echo looked")
    p = with_key(*look)
    assert "host-secret" in p.stdout, "the key cannot be seen even here: %s" % p
    b = Bundle(*look)
    b.linux["maskedPaths"] = []
    b.save()
    p = with_key(RUNTIME, "--root", ROOT, "run", "--bundle", b.path, b.id)
    assert "looked" in p.stdout and "host-secret" not in p.stdout, p
    b.process["args"] = ["sleep", "1000"]
    b.create().start()
    p = with_key(RUNTIME, "--root", ROOT, "exec", b.id, *look)
    assert "looked" in p.stdout and "host-secret" not in p.stdout, p
    b.delete()


def test_a_keyring_made_in_advance_is_not_joined():
    """Session keyrings have names, and a container could make one with that of the next container."""
    victim = Bundle("sh", "-c", "cat /proc/keys")
    victim.linux["maskedPaths"] = []
    victim.save()
    for name in (victim.id, "_ses." + victim.id):
        def squat():
            ring = keyctl(1, name.encode())
            keyctl(5, ring, 0x3f3f3f3f)
            key = libc.syscall(248, b"user", b"planted", b"x", 1, -3)
            assert key > 0
            keyctl(5, key, 0x3f000000)
        holder = subprocess.Popen(["sh", "-c", "cat /proc/keys; echo; exec sleep 1000"], preexec_fn=squat,
                                  stdout=subprocess.PIPE, text=True)
        try:
            assert "planted" in "".join(iter(holder.stdout.readline, "\n"))
            r = rt("run", "--bundle", victim.path, victim.id)
        finally:
            holder.kill()
            holder.wait()
        assert "planted" not in r.out, r


def test_sysctl_reaches_nothing_of_the_host():
    def value(key):
        with open("/proc/sys/" + key) as f:
            return f.read().strip()
    # Each way to spell a key that leaves the allowed sub-trees; the values are those that are set already.
    for key in ("net.//.kernel.core_pattern", "net.ipv4.//.//.kernel.core_pattern", "net/../kernel/core_pattern",
                "net.../kernel.core_pattern", "/kernel/core_pattern", "kernel.core_pattern", "kernel/core_pattern",
                "fs.mqueue.//.//.kernel.core_pattern"):
        b = Bundle("true")
        b.linux["sysctl"] = {key: value("kernel/core_pattern")}
        b.fails("sysctl")


def test_joined_namespaces_of_the_host_are_not_changed():
    before = os.uname().nodename
    for kind, file, change in (("uts", "uts", {}), ("network", "net", {"net.ipv4.ip_forward": "0"}),
                               ("ipc", "ipc", {"kernel.msgmax": "8192"}), ("uts", "uts", {"kernel.domainname": "x"})):
        for path in ("/proc/self/ns/" + file, "/proc/1/ns/" + file):
            b = Bundle("true")
            bundle.ns_without(b, kind)
            b.linux["namespaces"].append({"type": kind, "path": path})
            b.linux["sysctl"] = change
            if change or kind != "uts":
                del b.config["hostname"]
            b.fails("host" if not change else "namespace of its own")
    assert os.uname().nodename == before


def test_state_of_somebody_else_is_not_believed():
    """Where others may write, a state that they made names any process to be killed and any cgroup to be removed."""
    top = TOP + "/open"
    os.makedirs(top)
    os.chmod(top, 0o1777)
    victim = subprocess.Popen(["sleep", "1000"])
    with open("/proc/%d/stat" % victim.pid) as f:
        start = int(f.read().rpartition(")")[2].split()[19])
    os.mkdir(top + "/planted")
    with open(top + "/planted/status", "w") as f:
        f.write('{"ociVersion":"1.0.2","id":"planted","pid":%d,"pidStart":%d,"bundle":"/","rootfs":"/","cgroup":"/x",'
                '"created":"2026-01-01T00:00:00Z"}' % (victim.pid, start))
    os.chown(top + "/planted", 1000, 1000)
    os.chown(top + "/planted/status", 1000, 1000)
    os.symlink(top + "/planted", top + "/link")
    try:
        for cid in ("planted", "link"):
            for args in (("kill", cid, "KILL"), ("delete", "--force", cid), ("exec", cid, "true"), ("state", cid), ("pause", cid)):
                r = run(RUNTIME, "--root", top, *args, check=None)
                assert r.code != 0 or args[0] == "delete", r
                assert victim.poll() is None, "killed by %s" % (args,)
        assert os.path.exists(top + "/planted/status")
    finally:
        victim.kill()
        victim.wait()
    for cid in ("../x", "..", ".", "a/b", "/a", ".hidden", "", "a b", "a\n", "x" * 300):
        for args in (("state", cid), ("delete", "--force", cid), ("create", "--bundle", TOP, cid)):
            r = run(RUNTIME, "--root", top, *args, check=None)
            assert r.code != 0 and ("invalid container ID" in r.err or args[0] == "create"), r
    assert sorted(os.listdir(top)) == ["link", "planted"]


def test_cgroup_of_exec_stays_below():
    b = Bundle("sleep", "1000")
    bundle.ns_without(b, "cgroup")
    b.create().start()
    own = "0::/berth-test/" + b.id
    for cgroup in ("..", "../..", "a/../..", "/", "//", "/..", "/../..", "/berth-test", "/berth-test/" + b.id, "./..", "x/../../y", ":/..",
                   "a:/..", ""):
        r = rt("exec", "--cgroup", cgroup, b.id, "cat", "/proc/self/cgroup", check=None)
        # A path that begins at the container's own cgroup is fine, wherever it ends below.
        assert r.code != 0 or own in r.out.splitlines(), (cgroup, r)
        assert r.code != 0 or ".." not in cgroup, (cgroup, r)
    b.delete()


def test_root_cgroup_is_not_a_containers():
    for path in ("/", "//", "/.", "/..", "/a/../..", "/berth-test/../..", "../x", "."):
        b = Bundle("true")
        b.linux["cgroupsPath"] = path
        b.fails("cgroup")
        assert not os.path.exists(bundle.CGROUP + "/../x")


def test_words_of_the_image_cannot_forge_log_lines():
    log = TOP + "/log"
    for fmt in ("json", "text"):
        b = Bundle('x","level":"info"}\n{"level":"error","msg":"forged\x1b[2J')
        b.save()
        r = run(RUNTIME, "--root", ROOT, "--log", log, "--log-format", fmt, "run", "--bundle", b.path, b.id, check=None)
        assert r.code != 0
        with open(log) as f:
            lines = f.read().splitlines()
        os.unlink(log)
        assert len(lines) == 1 and "\x1b" not in lines[0], lines


def test_device_nodes_of_the_host_keep_their_owner():
    before = os.stat("/dev/null")
    b = Bundle("ls", "-ln", "/dev/null")
    b.config["mounts"].append({"destination": "/dev/null", "source": "/dev/null", "options": ["bind"]})
    b.linux["devices"] = [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600, "uid": 1000, "gid": 1000}]
    b.run(check=None)
    after = os.stat("/dev/null")
    assert (before.st_uid, before.st_gid, before.st_mode, before.st_ctime_ns) == \
           (after.st_uid, after.st_gid, after.st_mode, after.st_ctime_ns), after
