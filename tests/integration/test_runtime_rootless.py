# SPDX-License-Identifier: LGPL-2.1-or-later
"""berth-runtime called by an ordinary user."""
import json
import os
import pwd
import shutil
import signal
import subprocess

import bundle
from bundle import CGROUP, RUNTIME, Bundle, ns_without
from harness import needs, run, wait_for

USER, UID, SUB, SUB_SIZE = "rooty", 4242, 700000, 65536
HOME = "/home/" + USER
RUNTIME_DIR = "/run/user/%d" % UID
STATE = RUNTIME_DIR + "/berth-runtime"
GROUPS = ("audio", "video")
USER_CGROUP = "/user.slice/user-%d.slice/user@%d.service" % (UID, UID)
here = None                             # cgroup that commands of the user are started in, or None


def setup():
    bundle.start_tests()
    run("useradd", "--create-home", "--uid", UID, "--groups", ",".join(GROUPS), "--shell", "/bin/sh", USER)
    for kind in ("uid", "gid"):
        with open("/etc/sub" + kind) as f:
            kept = [line for line in f if not line.startswith(USER + ":")]
        with open("/etc/sub" + kind, "w") as f:
            f.write("".join(kept) + "%s:%d:%d\n" % (USER, SUB, SUB_SIZE))
    run("loginctl", "enable-linger", USER)
    # It has moved into its own scope when it takes calls: before, no controller can be enabled below it.
    wait_for(lambda: os.path.isdir(CGROUP + USER_CGROUP) and os.path.exists(RUNTIME_DIR + "/systemd/private"),
             what="the user manager")
    bundle.TOP = HOME


def teardown():
    for cid in os.listdir(STATE) if os.path.isdir(STATE) else ():
        as_user(RUNTIME, "delete", "--force", cid, check=None)
    run("loginctl", "disable-linger", USER, check=None)
    run("systemctl", "stop", "user@%d" % UID, check=None)
    end_processes()                     # podman keeps one that holds its user namespace
    run("userdel", "--remove", USER, check=None)
    bundle.end_tests()


def end_processes():
    """Those of the user, and wait until they are gone; orphans are our children."""
    def left():
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.stat("/proc/" + pid).st_uid == UID:
                    os.kill(int(pid), signal.SIGKILL)
                    os.waitpid(int(pid), 0)
                    yield pid
            except (FileNotFoundError, ProcessLookupError, ChildProcessError):
                pass
    wait_for(lambda: not list(left()), what="the end of the user's processes")


def command(*args):
    enter = ["sh", "-c", 'echo $$ > %s/cgroup.procs && exec "$@"' % here, "sh"] if here else []
    return enter + ["setpriv", "--reuid", USER, "--regid", USER, "--init-groups", "env", "-i", "HOME=" + HOME,
                    "USER=" + USER, "XDG_RUNTIME_DIR=" + RUNTIME_DIR, "PATH=" + os.environ["PATH"], *args]


def as_user(*args, **kw):
    return run(command(*args), **kw)


def rt(*args, **kw):
    return as_user(RUNTIME, *args, **kw)


class UserBundle(Bundle):
    """A bundle that belongs to the user, with a user namespace."""

    def __init__(self, *args, ranges=False):
        super().__init__(*args)
        self.map("uid", ranges)
        self.map("gid", ranges)
        self.linux["namespaces"].append({"type": "user"})
        del self.linux["cgroupsPath"]
        run("chown", "-R", "%d:%d" % (UID, UID), self.path)

    def map(self, kind, ranges):
        self.linux[kind + "Mappings"] = [{"containerID": 0, "hostID": UID, "size": 1}]
        if ranges:
            self.linux[kind + "Mappings"].append({"containerID": 1, "hostID": SUB, "size": 1000})

    def run(self, check=0, **kw):
        self.save()
        r = rt("run", "--bundle", self.path, self.id, check=check, **kw)
        self.gone()
        return r

    def fails(self, text, *options, **kw):
        self.save()
        r = as_user(RUNTIME, *options, "create", "--bundle", self.path, self.id, check=1, **kw)
        assert text in r.err, (text, r)
        self.gone()

    def gone(self):
        assert not os.path.exists("%s/%s" % (STATE, self.id)), "state left"
        left = [d for d, _, _ in os.walk(CGROUP) if d.endswith("/" + self.id)]
        assert not left, left

    def create(self, *options, start=True):
        self.save()
        pid_file = self.path + "/pid"
        with open(self.path + "/out", "ab") as out:
            p = subprocess.run(command(RUNTIME, "create", "--bundle", self.path, "--pid-file", pid_file, *options, self.id),
                               stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=30)
        assert p.returncode == 0, self.out()
        with open(pid_file) as f:
            self.pid = int(f.read())
        if start:
            rt("start", self.id)
        return self

    def state(self):
        return json.loads(rt("state", self.id).out)

    def delete(self):
        rt("delete", "--force", self.id)
        self.wait()
        self.gone()


def status(text):
    """The fields of a /proc/PID/status in @text."""
    return {line.split(":")[0]: line.split(":", 1)[1].split() for line in text.splitlines() if ":" in line}


# --- ids -------------------------------------------------------------------------------------------------

def test_own_id_alone():
    r = UserBundle().sh("id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; echo $HOME")
    assert r.out.split() == ["0", "0", "0", str(UID), "1", "0", str(UID), "1", "deny", "/root"], r
    assert os.stat(STATE).st_mode & 0o7777 == 0o1700 and os.stat(STATE).st_uid == UID


def test_no_helper_for_own_id():
    """newuidmap is not needed, so it is not looked for."""
    r = UserBundle("id", "-u")
    r.save()
    out = run(command("env", "PATH=/nowhere", shutil.which(RUNTIME), "run", "--bundle", r.path, r.id))
    assert out.out == "0\n", out


@needs("newuidmap")
def test_ranges_by_helpers():
    b = UserBundle(ranges=True)
    b.process["user"] = {"uid": 7, "gid": 8, "additionalGids": [9, 1000]}
    r = b.sh("cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; grep -E '^(Uid|Gid|Groups)' /proc/self/status")
    words = r.out.split()
    assert words[:12] == ["0", str(UID), "1", "1", str(SUB), "1000"] * 2, r
    assert words[12] == "allow", r
    s = status(r.out)
    assert s["Uid"] == ["7"] * 4 and s["Gid"] == ["8"] * 4 and s["Groups"] == ["9", "1000"], r


@needs("newuidmap")
def test_file_owners_are_mapped():
    b = UserBundle(ranges=True)
    b.process["capabilities"] = {k: ["CAP_CHOWN"] for k in ("bounding", "effective", "permitted")}
    b.sh("touch /tmp/a /tmp/b; /bin/busybox chown 5:6 /tmp/b")
    a, c = os.stat(b.rootfs + "/tmp/a"), os.stat(b.rootfs + "/tmp/b")
    assert (a.st_uid, a.st_gid) == (UID, UID) and (c.st_uid, c.st_gid) == (SUB + 4, SUB + 5)


@needs("newuidmap")
def test_helper_says_why():
    b = UserBundle()
    b.linux["uidMappings"].append({"containerID": 1, "hostID": 0, "size": 1})
    b.fails("newuidmap: uid range [1-2) -> [0-1) not allowed")
    b = UserBundle()
    b.linux["gidMappings"] = [{"containerID": 0, "hostID": SUB - 10, "size": 20}]
    b.fails("newgidmap: gid range [0-20) -> [%d-%d) not allowed" % (SUB - 10, SUB + 10))
    b = UserBundle(ranges=True)
    b.linux["uidMappings"][1]["containerID"] = 0
    b.fails("newuidmap: write to uid_map failed: Invalid argument")  # its own words


def test_helper_missing():
    b = UserBundle(ranges=True)
    b.save()
    r = run(command("env", "PATH=/nowhere", shutil.which(RUNTIME), "create", "--bundle", b.path, b.id), check=1)
    assert "newuidmap" in r.err and "package uidmap" in r.err, r
    b.gone()


def test_root_need_not_be_mapped():
    b = UserBundle()
    b.linux["uidMappings"][0]["containerID"] = 1000
    b.linux["gidMappings"][0]["containerID"] = 1000
    b.process["user"] = {"uid": 1000, "gid": 1000}
    r = b.sh("grep -E '^(Uid|Gid|CapEff)' /proc/self/status; touch /tmp/a; echo $HOME")
    s = status(r.out)
    assert s["Uid"] == ["1000"] * 4 and s["Gid"] == ["1000"] * 4 and s["CapEff"] == ["0" * 16], r
    assert r.out.endswith("/home/user\n")
    assert os.stat(b.rootfs + "/tmp/a").st_uid == UID


def test_ids_outside_of_the_mapping():
    b = UserBundle()
    b.process["user"] = {"uid": 5, "gid": 0}
    b.fails("process.user.uid: 5 is not mapped")
    b.process["user"] = {"uid": 0, "gid": 5}
    b.fails("process.user.gid: 5 is not mapped")
    b.process["user"] = {"uid": 0, "gid": 0, "additionalGids": [5]}
    b.fails("process.user.additionalGids: 5 is not mapped")
    b.process["user"] = {"uid": 0, "gid": 0}
    b.config["mounts"][2]["options"].append("gid=5")
    b.fails("/dev/pts: option gid=5: the id is not mapped")


def test_needs_a_user_namespace():
    b = UserBundle()
    ns_without(b, "user")
    del b.linux["uidMappings"], b.linux["gidMappings"]
    b.fails("rootless container requires user namespaces")
    b.fails("rootless container requires user namespaces", "--rootless", "false")
    b.linux["namespaces"].append({"type": "user"})
    b.linux["uidMappings"] = [{"containerID": 0, "hostID": UID, "size": 1}]
    b.fails("needs both uidMappings and gidMappings")
    r = rt("--rootless", "maybe", "list", check=1)
    assert "--rootless \"maybe\": expected true, false or auto" in r.err, r


# --- groups ----------------------------------------------------------------------------------------------

def test_own_group_alone_cannot_change_groups():
    """What the kernel forbids is not pretended: the groups stay, and others are refused."""
    b = UserBundle()
    r = b.sh("grep Groups /proc/self/status")
    assert status(r.out)["Groups"] == ["65534"] * len(GROUPS) + ["0"] or \
        sorted(status(r.out)["Groups"]) == ["0"] + ["65534"] * len(GROUPS), r
    b.process["user"]["additionalGids"] = [0]
    b.fails("cannot set additional groups")


@needs("newuidmap")
def test_groups_of_the_caller_do_not_come_along():
    """A file that only a group of the user may write: the payload is not in that group."""
    path = HOME + "/shared"
    with open(path, "w") as f:
        f.write("host")
    run("chown", "root:" + GROUPS[0], path)
    os.chmod(path, 0o664)
    as_user("sh", "-c", "echo user > " + path)
    b = UserBundle(ranges=True)
    b.config["mounts"].append({"destination": "/shared", "type": "bind", "source": path, "options": ["bind"]})
    r = b.sh("echo escaped > /shared; cat /shared; grep Groups /proc/self/status")
    assert status(r.out).get("Groups") == [] and r.out.startswith("user\n"), r
    assert "ermission denied" in r.err, r
    b.process["args"] = ["sleep", "100"]
    b.create()
    r = rt("exec", b.id, "sh", "-c", "echo escaped > /shared; cat /shared; grep Groups /proc/self/status")
    assert status(r.out).get("Groups") == [] and r.out.startswith("user\n"), r
    b.delete()
    b.config["annotations"] = {"run.oci.keep_original_groups": "1"}
    r = b.sh("echo kept > /shared; cat /shared; grep Groups /proc/self/status")
    assert r.out.startswith("kept\n") and len(status(r.out)["Groups"]) >= len(GROUPS), r
    b.process["user"]["additionalGids"] = [5]
    b.fails("not together with the annotation run.oci.keep_original_groups")


# --- commands --------------------------------------------------------------------------------------------

def test_life_cycle():
    b = UserBundle("sleep", "1000").create(start=False)
    assert b.state()["status"] == "created" and b.state()["pid"] == b.pid
    rt("start", b.id)
    assert b.state()["status"] == "running"
    assert b.id in [c["id"] for c in json.loads(rt("list", "--format", "json").out)]
    r = rt("exec", b.id, "sh", "-c", "id -u; cat /proc/self/uid_map /proc/1/cmdline; readlink /proc/self/ns/user; hostname")
    assert r.out.split()[:4] == ["0", "0", str(UID), "1"] and "sleep" in r.out and r.out.endswith("box\n"), r
    assert os.readlink("/proc/%d/ns/user" % b.pid) in r.out, r
    assert rt("exec", b.id, "sh", "-c", "exit 33", check=33)
    assert "not mapped" in rt("exec", "--user", "5", b.id, "true", check=255).err
    rt("kill", b.id, "KILL")
    assert b.wait() == signal.SIGKILL
    assert b.state()["status"] == "stopped"
    rt("delete", b.id)
    b.gone()
    assert b.id not in rt("list").out


def test_exec_as_a_user_with_less():
    b = UserBundle("sleep", "1000")
    b.process["noNewPrivileges"] = True
    b.create()
    main = status(rt("exec", b.id, "cat", "/proc/1/status").out)
    other = status(rt("exec", b.id, "cat", "/proc/self/status").out)
    for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Groups", "Uid", "Gid"):
        assert main[key] == other[key], (key, main[key], other[key])
    b.delete()


def test_terminal():
    b = UserBundle("sh", "-c", "test -t 0 && stty size && ls -l /dev/console; exit 3")
    b.process["terminal"] = True
    b.process["consoleSize"] = {"height": 11, "width": 22}
    r = b.run(check=3)
    assert "11 22" in r.out and "/dev/console" in r.out, r


def test_states_of_others():
    """A user does not see, and cannot touch, what belongs to root."""
    b = Bundle("sleep", "1000").create().start()
    for cmd in (["state"], ["kill"], ["delete", "--force"], ["exec", b.id, "true"]):
        r = as_user(RUNTIME, "--root", bundle.ROOT, *cmd[:1], *(cmd[1:] if b.id in cmd else [*cmd[1:], b.id]), check=None)
        assert cmd[0] == "delete" or r.code != 0, r
    assert b.state()["status"] == "running"
    b.delete()


# --- cgroups ---------------------------------------------------------------------------------------------

def test_no_cgroup_to_be_had():
    """Without limits the container stays where its caller is; then what needs a cgroup says so."""
    b = UserBundle("sleep", "1000").create()
    with open("/proc/%d/cgroup" % b.pid) as theirs, open("/proc/self/cgroup") as ours:
        assert theirs.read() == ours.read()
    assert "not paused" in rt("resume", b.id, check=1).err
    for cmd in (["pause"], ["update", "--pids-limit", "10"], ["events", "--stats"]):
        assert "no cgroup" in rt(*cmd, b.id, check=1).err
    assert rt("exec", b.id, "echo", "there").out == "there\n"
    assert "has no cgroup" in rt("exec", "--cgroup", "x", b.id, "true", check=255).err
    b.delete()


def test_processes_without_a_cgroup():
    """They are known by their pid namespace."""
    # The first process has no handler, so it lives until its child, which has one, is done.
    b = UserBundle("sh", "-c", "sh -c \"trap 'echo term >> /tmp/out; exit' TERM; touch /tmp/up; sleep 1000 & wait\" & wait").create()
    wait_for(lambda: os.path.exists(b.rootfs + "/tmp/up") and
             len(json.loads(rt("ps", "--format", "json", b.id).out)) == 3, what="three processes")
    pids = json.loads(rt("ps", "--format", "json", b.id).out)
    assert b.pid in pids
    for pid in pids:
        assert os.readlink("/proc/%d/ns/pid" % pid) == os.readlink("/proc/%d/ns/pid" % b.pid)
    rt("kill", "--all", b.id, "TERM")
    b.wait()
    with open(b.rootfs + "/tmp/out") as f:
        assert f.read() == "term\n"
    rt("delete", b.id)
    b = UserBundle("sleep", "1000")
    ns_without(b, "pid")
    b.create()
    assert "neither a cgroup nor a pid namespace" in rt("ps", b.id, check=1).err
    assert "neither a cgroup nor a pid namespace" in rt("kill", "--all", b.id, check=1).err
    b.delete()


def test_limits_need_a_cgroup():
    b = UserBundle()
    b.linux["resources"] = {"pids": {"limit": 10}}
    b.fails("config.json asks for linux.resources.pids, and the cgroup")
    b.fails("cannot set pids limit: container could not join or create cgroup: ")
    b.fails("permission denied", "--rootless", "false")
    b.linux["resources"] = {"pids": {"limit": 10.5}}
    b.fails("linux.resources.pids.limit: expected a number")
    # What podman and dockerd always write: no limit at all.
    b.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}], "memory": {"limit": -1}, "pids": {"limit": -1}}
    b.run()
    b.fails("permission denied", "--rootless", "false")
    b.linux["cgroupsPath"] = "/nobodys/cgroup"
    b.fails("config.json asks for linux.cgroupsPath, and the cgroup /nobodys/cgroup is not delegated to this user")
    b.fails("unable to apply cgroup configuration: create cgroup /nobodys/cgroup: permission denied")


def in_user_cgroup(f):
    """The test's commands start inside the user's own, delegated cgroup."""
    def wrapped():
        global here
        top = "%s%s/berth-test" % (CGROUP, USER_CGROUP)
        os.mkdir(top)
        os.mkdir(top + "/shell")
        run("chown", "-R", "%d:%d" % (UID, UID), top)
        here = top + "/shell"
        try:
            f(top)
        finally:
            here = None
            for d in ("/shell", ""):
                wait_for(lambda: "populated 0" in open(top + d + "/cgroup.events").read(), what="an empty cgroup")
                os.rmdir(top + d)
    wrapped.__name__ = f.__name__
    return wrapped


@in_user_cgroup
def test_delegated_cgroup(top):
    b = UserBundle("sh", "-c", "sleep 1000 & sleep 1000").create()
    cgroup = "%s/%s" % (top, b.id)
    with open(cgroup + "/cgroup.procs") as f:
        assert str(b.pid) in f.read().split()
    assert os.stat(cgroup).st_uid == UID
    wait_for(lambda: len(json.loads(rt("ps", "--format", "json", b.id).out)) == 2, what="two processes")
    r = rt("exec", b.id, "cat", "/proc/self/cgroup")
    assert "0::/\n" in r.out, r
    rt("pause", b.id)
    assert b.state()["status"] == "paused"
    with open(cgroup + "/cgroup.events") as f:
        assert "frozen 1" in f.read()
    assert "paused" in rt("exec", b.id, "true", check=255).err
    rt("resume", b.id)
    assert b.state()["status"] == "running"
    rt("kill", "--all", b.id, "KILL")
    b.wait()
    rt("delete", b.id)
    b.gone()


@in_user_cgroup
def test_delegated_cgroup_by_path(top):
    b = UserBundle("sleep", "1000")
    b.linux["cgroupsPath"] = "%s/berth-test/deep/%s" % (USER_CGROUP, b.id)
    b.create()
    with open("%s/deep/%s/cgroup.procs" % (top, b.id)) as f:
        assert f.read().split() == [str(b.pid)]
    b.delete()
    if os.path.isdir(top + "/deep"):
        os.rmdir(top + "/deep")


@in_user_cgroup
def test_exec_from_outside_of_the_delegated_tree(top):
    """A process never gets into the container without getting into its cgroup."""
    global here
    b = UserBundle("sleep", "1000").create()
    here = None
    r = rt("exec", b.id, "touch", "/tmp/made", check=255)
    assert "only from a cgroup of its own" in r.err and not os.path.exists(b.rootfs + "/tmp/made"), r
    b.delete()


@needs("controllers")
@in_user_cgroup
def test_limits_in_a_delegated_cgroup(top):
    with open(os.path.dirname(top) + "/cgroup.subtree_control", "w") as f:
        f.write("+pids +memory")
    # A shell that cannot fork ends: the second one, which is the third process.
    b = UserBundle("sh", "-c", "sleep 1000 & (sleep 1000 & true); wait")
    b.linux["resources"] = {"pids": {"limit": 3}, "memory": {"limit": 64 << 20}, "devices": [{"allow": False, "access": "rwm"}]}
    b.create()
    cgroup = "%s/%s" % (top, b.id)
    with open(cgroup + "/pids.max") as f, open(cgroup + "/memory.max") as g:
        assert (f.read(), g.read()) == ("3\n", "%d\n" % (64 << 20))
    wait_for(lambda: "can't fork" in b.out(), what="a fork that fails")
    rt("update", "--pids-limit", "20", b.id)
    with open(cgroup + "/pids.max") as f:
        assert f.read() == "20\n"
    assert json.loads(rt("events", "--stats", b.id).out)["data"]["pids"]["limit"] == 20
    b.delete()
    b.linux["resources"] = {"cpu": {"cpus": "0"}}
    b.fails("cpuset")


@in_user_cgroup
def test_cgroup_that_cannot_be_entered(top):
    """A path inside the user's tree, named by a caller outside of it: the kernel lets nobody cross."""
    global here
    here = None
    b = UserBundle("true")
    b.linux["cgroupsPath"] = "%s/berth-test/%s" % (USER_CGROUP, b.id)
    b.fails("not delegated to this user")


# --- file systems ----------------------------------------------------------------------------------------

def test_sys_without_network_namespace():
    b = UserBundle()
    ns_without(b, "network")
    r = b.sh("ls /sys/class /sys/fs/cgroup; touch /sys/fs/cgroup/x; mkdir /sys/fs/cgroup/y; grep ' /sys' /proc/self/mountinfo")
    assert "net" in r.out and r.err.count("ead-only file system") == 2, r
    for line in r.out.splitlines():
        if " /sys" in line:
            assert line.split()[5].startswith("ro"), line


def test_proc_of_the_host_never_stands_in():
    """With a pid namespace of its own the container's proc is its own, or it is an error."""
    r = UserBundle().sh("ls -d /proc/[0-9]*; cat /proc/1/comm")
    assert r.out.split()[0] == "/proc/1" and len(r.out.split()) <= 4, r


def test_devices_are_bound():
    b = UserBundle()
    b.process["capabilities"]["bounding"].append("CAP_SYS_ADMIN")
    r = b.sh("stat -c '%n %t:%T %a' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty; echo x > /dev/null;"
             "mknod /dev/mem c 1 1; mknod /tmp/null c 1 3; ls /dev")
    assert "/dev/null 1:3 666" in r.out and "/dev/urandom 1:9 666" in r.out and "/dev/tty 5:0 666" in r.out, r
    assert r.err.count("Operation not permitted") == 2 and "mem" not in r.out, r


def test_files_of_unmapped_owners():
    """Root of the container is nobody to files of the host's root."""
    secret, public = HOME + "/secret", HOME + "/public"
    for path, mode in ((secret, 0o600), (public, 0o644)):
        with open(path, "w") as f:
            f.write("text")
        os.chmod(path, mode)
    b = UserBundle()
    for path in (secret, public):
        b.config["mounts"].append({"destination": path, "type": "bind", "source": path, "options": ["bind"]})
    r = b.sh("id -u; cat {0}; cat {1}; echo x > {1}; chmod 666 {1}; rm -f {1}; stat -c %u {1}".format(secret, public))
    assert r.out.split() == ["0", "text65534"], r
    with open(public) as f:
        assert f.read() == "text" and os.stat(public).st_mode & 0o777 == 0o644


def test_flags_of_the_hosts_mounts_stay():
    top = HOME + "/locked"
    os.mkdir(top)
    run("mount", "-t", "tmpfs", "-o", "mode=777,ro,noexec", "tmpfs", top)
    try:
        b = UserBundle()
        b.config["mounts"].append({"destination": "/locked", "type": "bind", "source": top, "options": ["rbind", "rw", "nodev"]})
        r = b.sh("grep ' /locked ' /proc/self/mountinfo; touch /locked/x; true")
        assert r.out.split()[5] == "ro,nodev,noexec,relatime" and "ead-only file system" in r.err, r
        assert "warning: mount on /locked: the host's mount is read-only, and stays so" in r.err, r
    finally:
        run("umount", top)


def test_sysctl():
    b = UserBundle()
    b.linux["sysctl"] = {"net.ipv4.ping_group_range": "0 0", "net.ipv4.ip_forward": "1"}
    r = b.sh("cat /proc/sys/net/ipv4/ping_group_range /proc/sys/net/ipv4/ip_forward")
    assert r.out.split() == ["0", "0", "1"], r
    b.linux["sysctl"] = {"net.ipv4.ping_group_range": "0 5"}
    b.fails("not a range of groups that are mapped")


def test_oom_score_and_limits():
    b = UserBundle("sleep", "1000")
    b.process["oomScoreAdj"] = 321
    b.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
                            {"type": "RLIMIT_CORE", "soft": 1000, "hard": 1 << 40}]
    b.create()
    show = ("sh", "-c", "cat /proc/self/oom_score_adj; ulimit -Sn; ulimit -Hn")
    with open("/proc/%d/oom_score_adj" % b.pid) as f:
        assert f.read() == "321\n", b.out()
    assert rt("exec", b.id, *show).out.split() == ["321", "100", "200"]
    b.delete()
    b.process["oomScoreAdj"] = -999
    r = b.sh("cat /proc/self/oom_score_adj")
    assert "warning: oomScoreAdj -999 could not be set: permission denied" in r.err and r.out != "-999\n", r


def test_time_offsets():
    b = UserBundle("sleep", "1000")
    b.linux["namespaces"].append({"type": "time"})
    b.linux["timeOffsets"] = {"boottime": {"secs": 2000000}, "monotonic": {"secs": 3000000, "nanosecs": 7}}
    b.create()
    r = rt("exec", b.id, "cat", "/proc/uptime", "/proc/1/timens_offsets")
    with open("/proc/uptime") as f:
        assert abs(float(r.out.split()[0]) - float(f.read().split()[0]) - 2000000) < 60, r
    assert [w for w in r.out.split() if w in ("2000000", "3000000", "7")] == ["3000000", "7", "2000000"], r
    b.delete()


def test_namespaces_of_another_container():
    """The containers of a pod: the second one joins what the first one has, its user namespace first."""
    first = UserBundle("sleep", "1000").create()
    b = UserBundle("sh", "-c", "hostname; id -u; ls -d /proc/[0-9]* | wc -l; cat /proc/1/cmdline; for n in user ipc uts net; do readlink /proc/self/ns/$n; done")
    ns_without(b, "user", "ipc", "uts", "network", "pid")
    for kind, name in (("user", "user"), ("ipc", "ipc"), ("uts", "uts"), ("network", "net"), ("pid", "pid")):
        b.linux["namespaces"].append({"type": kind, "path": "/proc/%d/ns/%s" % (first.pid, name)})
    del b.config["hostname"]
    r = b.run()
    assert r.out.startswith("box\n0\n") and "sleep" in r.out, r
    for name in ("user", "ipc", "uts", "net"):
        assert os.readlink("/proc/%d/ns/%s" % (first.pid, name)) in r.out, (name, r)
    first.delete()


def test_seccomp_and_hooks():
    b = UserBundle("sh", "-c", "mkdir /tmp/x; echo $?")
    b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW",
                          "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}
    script = "cat > {0}/$1; id -u >> {0}/$1".format(HOME)
    b.config["hooks"] = {p: [{"path": "/bin/sh", "args": ["sh", "-c", script, "sh", p]}] for p in ("prestart", "poststop")}
    for no_new_privs in (False, True):
        b.process["noNewPrivileges"] = no_new_privs
        r = b.run()
        assert r.out == "1\n" and "not supported" in r.err, r
    for p, status_word in (("prestart", "created"), ("poststop", "stopped")):
        with open("%s/%s" % (HOME, p)) as f:
            text = f.read()
        assert '"status":"%s"' % status_word in text.replace(" ", "") and text.endswith("%d\n" % UID), text


# --- defences --------------------------------------------------------------------------------------------

def test_own_program_cannot_be_written():
    """Root of the container is who may write to it by its owner or its mode, were it not a sealed copy."""
    for owner, mode in ((UID, 0o755), (0, 0o777)):
        attack_own_program(owner, mode)


def attack_own_program(owner, mode):
    path = HOME + "/runtime"
    shutil.copy(shutil.which(RUNTIME), path)
    os.chown(path, owner, owner)
    os.chmod(path, mode)
    with open(path, "rb") as f:
        before = f.read()
    b = UserBundle("sh", "-c", "for i in $(seq 300); do for p in /proc/[0-9]*/exe; do echo x > $p; done; done 2> /dev/null; true")
    b.save()
    r = as_user(path, "run", "--detach", "--bundle", b.path, b.id)
    for _ in range(20):
        as_user(path, "exec", b.id, "true", check=None)
    with open(path, "rb") as f:
        assert f.read() == before, r
    as_user(path, "delete", "--force", b.id)
    b.gone()
    # What keeps it out is not the file's owner.
    b.config["mounts"].append({"destination": "/runtime", "type": "bind", "source": path, "options": ["bind"]})
    b.sh("echo >> /runtime")
    with open(path, "rb") as f:
        assert f.read() == before + b"\n"


def test_own_program_of_root():
    """What only root may write is run as it is: no copy. The payload cannot write to it."""
    path = shutil.which(RUNTIME)
    before = os.stat(path)
    b = UserBundle("sleep", "1000").create(start=False)
    assert os.readlink("/proc/%d/exe" % b.pid) == path
    rt("start", b.id)
    b.config["mounts"].append({"destination": "/runtime", "type": "bind", "source": path, "options": ["bind"]})
    b.delete()
    r = b.sh("echo x >> /runtime; chmod 777 /runtime; mount -o remount,rw /runtime", check=None)
    assert r.code != 0 and len(r.err.splitlines()) == 3, r
    after = os.stat(path)
    assert (before.st_mtime_ns, before.st_mode, before.st_size) == (after.st_mtime_ns, after.st_mode, after.st_size)


def test_created_process_is_closed_to_its_user():
    b = UserBundle("sleep", "1000").create(start=False)
    for name in ("exe", "fd", "ns/mnt", "root"):
        r = as_user("ls", "-l", "/proc/%d/%s" % (b.pid, name), check=None)
        assert "ermission denied" in r.err, (name, r)
    # An exec gets there all the same: into all of its namespaces, and not into more of it.
    script = "for n in cgroup ipc mnt net pid uts user; do readlink /proc/self/ns/$n; done; readlink /proc/1/exe"
    r = rt("exec", b.id, "sh", "-c", script, check=None)
    assert b.state()["status"] == "created" and r.code == 1, r
    kinds = ("cgroup", "ipc", "mnt", "net", "pid", "uts", "user")
    assert r.out.split() == [os.readlink("/proc/%d/ns/%s" % (b.pid, n)) for n in kinds], r
    rt("start", b.id)
    assert rt("exec", b.id, "sh", "-c", script).out.split()[:7] == r.out.split()
    b.delete()


# --- root of a user namespace only -----------------------------------------------------------------------

def nested(*args):
    """Start a program as podman starts its runtime: as root of the user's namespace."""
    return command("unshare", "--user", "--map-root-user", "--map-auto", "--mount", *args)


class NestedBundle(UserBundle):
    """The runtime is in the user namespace already, the container gets none."""

    def __init__(self, *args):
        super().__init__(*args)
        ns_without(self, "user")
        del self.linux["uidMappings"], self.linux["gidMappings"]


@needs("newuidmap")
def test_nested_root():
    b = NestedBundle()
    b.process["user"] = {"uid": 5, "gid": 6, "additionalGids": [7]}
    b.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}], "pids": {"limit": -1}}
    b.process["args"] = ["sh", "-c", "id -u; grep Groups /proc/self/status; stat -c %t:%T /dev/null; cat /proc/self/uid_map"]
    b.save()
    r = run(nested(RUNTIME, "run", "--bundle", b.path, b.id))
    assert r.out.split()[:4] == ["5", "Groups:", "7", "1:3"] and str(SUB) in r.out, r
    b.gone()
    b.process["user"] = {"uid": SUB_SIZE + 10, "gid": 0}
    b.save()
    r = run(nested(RUNTIME, "run", "--bundle", b.path, b.id), check=1)
    assert "setuid %d: not mapped in the user namespace" % (SUB_SIZE + 10) in r.err, r
    b.gone()


@needs("newuidmap")
def test_nested_root_keeps_state_where_its_user_does():
    b = NestedBundle("sleep", "1000").save()
    script = """set -e
        r=$(command -v "$1"); b=$2; id=$3; dir=$XDG_RUNTIME_DIR/berth-runtime/$id
        $r run --detach --bundle $b $id > /dev/null
        test -d $dir
        env -u USER $r exec $id id -u
        ! USER=root $r state $id
        env -i XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR $r delete --force $id
        ! test -e $dir"""
    r = run(nested("sh", "-c", script, "sh", RUNTIME, b.path, b.id))
    assert r.out == "0\n" and "does not exist" in r.err, r
    b.gone()


@needs("newuidmap")
def test_nested_root_and_cgroups():
    b = NestedBundle()
    b.linux["resources"] = {"pids": {"limit": 10}}
    b.save()
    r = run(nested(RUNTIME, "run", "--bundle", b.path, b.id), check=1)
    assert "config.json asks for linux.resources.pids" in r.err, r
    r = run(nested(RUNTIME, "--rootless", "false", "run", "--bundle", b.path, b.id), check=1)
    assert "create cgroup" in r.err and "delegated" not in r.err, r
    b.gone()


@needs("podman")
def test_podman():
    """Without images and network: they are podman's."""
    os.makedirs(HOME + "/.config/containers", exist_ok=True)
    with open(HOME + "/.config/containers/storage.conf", "w") as f:
        f.write('[storage]\ndriver = "vfs"\n')
    run("chown", "-R", USER + ":", HOME + "/.config")
    b = UserBundle()
    podman = ("podman", "--cgroup-manager", "cgroupfs", "--runtime", shutil.which(RUNTIME))

    def podman_run(*args, **kw):
        return as_user(*podman, "run", "--network", "none", "--pids-limit", "0", *args, **kw)

    r = podman_run("--rm", "--rootfs", b.rootfs, "sh", "-c", "id -u; cat /proc/self/uid_map; grep Groups /proc/self/status; exit 7",
                   check=7)
    assert r.out.split() == ["0", "0", str(UID), "1", "1", str(SUB), str(SUB_SIZE), "Groups:"], r
    assert podman_run("--rm", "--user", "5:6", "--group-add", "7", "--rootfs", b.rootfs, "id").out.split()[2] == "groups=6,7"
    r = podman_run("--rm", "--group-add", "keep-groups", "--rootfs", b.rootfs, "grep", "Groups", "/proc/self/status")
    assert r.out.count("65534") == len(GROUPS), r
    r = podman_run("--rm", "--userns", "keep-id", "--rootfs", b.rootfs, "id", "-u")
    assert r.out == "%d\n" % UID, r
    r = podman_run("--rm", "--uidmap", "0:1:1000", "--gidmap", "0:1:1000", "--rootfs", b.rootfs, "cat", "/proc/self/uid_map")
    assert r.out.split() == ["0", "1", "1000"], r
    podman_run("--detach", "--name", "one", "--rootfs", b.rootfs, "sleep", "1000")
    assert as_user(*podman, "exec", "one", "id", "-u").out == "0\n"
    as_user(*podman, "exec", "one", "sh", "-c", "exit 9", check=9)
    as_user(*podman, "rm", "--force", "--time", "0", "one")
    assert as_user(*podman, "ps", "--all", "--quiet").out == ""


# --- spec ------------------------------------------------------------------------------------------------

def test_spec():
    b = UserBundle()
    rt("spec", "--rootless", "--bundle", b.path)
    assert "exists" in rt("spec", "--rootless", "--bundle", b.path, check=1).err
    with open(b.path + "/config.json") as f:
        b.config = json.load(f)
    ours = {"containerID": 0, "hostID": UID, "size": 1}
    assert b.linux["uidMappings"] == [ours] and b.linux["gidMappings"] == [ours]
    assert sorted(n["type"] for n in b.linux["namespaces"]) == ["cgroup", "ipc", "mount", "pid", "user", "uts"]
    r = rt("run", "--bundle", b.path, b.id, input="id -u; ls /sys/class; exit 9\n", check=9)
    assert r.out.replace("\r", "").count("\n0\n") == 1 and "net" in r.out, r
    assert rt("spec", "--rootless", "--bundle", HOME + "/nowhere", check=1).err.startswith("write /home")
