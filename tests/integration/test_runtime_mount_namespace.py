# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers without a mount namespace of their own: in their caller's, or in one given by path."""
import contextlib
import json
import os
import subprocess
import sys

import bundle
from bundle import TOP, Bundle, ns_without, rt
from harness import needs, run, skip, timeout, wait_for
from test_runtime_fields_ns import MAPS, give_to_root_of_map, inode, join

KINDS = {"cgroup": "cgroup", "ipc": "ipc", "mnt": "mount", "net": "network", "pid": "pid", "user": "user", "uts": "uts"}


def setup():
    bundle.start_tests()
    os.chmod(TOP, 0o755)


def teardown():
    bundle.end_tests()


def mountinfo(pid="self"):
    with open("/proc/%s/mountinfo" % pid) as f:
        return f.read()


@contextlib.contextmanager
def untouched(*pids):
    """The mount tables of these processes stay as they are, and so do their roots."""
    before = [(mountinfo(p), os.stat("/proc/%s/root" % p)) for p in pids or ("self",)]
    yield
    after = [(mountinfo(p), os.stat("/proc/%s/root" % p)) for p in pids or ("self",)]
    for (was, root), (now, root_now) in zip(before, after):
        assert was == now, (was, now)
        assert os.path.samestat(root, root_now)


@contextlib.contextmanager
def elsewhere(script="", *options):
    """A process in a mount namespace of its own, where script was run."""
    with subprocess.Popen(["unshare", "--mount", *options, "sh", "-c", script + "\necho ready\nexec sleep 1000"],
                          stdout=subprocess.PIPE) as p:
        try:
            assert p.stdout.readline() == b"ready\n"
            yield p.pid
        finally:
            p.kill()


def shared(*args):
    b = Bundle(*args)
    ns_without(b, "mount")
    return b


def plain(*args):
    """With nothing to be mounted."""
    b = shared(*args)
    b.config["mounts"] = []
    b.linux["maskedPaths"] = b.linux["readonlyPaths"] = []
    return b


def joined(pid, *args):
    b = Bundle(*args)
    join(b, pid, "mount")
    return b


def test_mounts_of_a_container_in_our_mount_namespace():
    b = shared()
    b.config["root"]["readonly"] = True
    os.mkdir(b.path + "/vol")
    b.config["mounts"].append({"destination": "/vol", "source": "vol", "options": ["bind", "ro"]})
    b.linux["maskedPaths"].append("/etc/passwd")
    with untouched():
        out = b.sh("readlink /proc/self/ns/mnt; echo $$; pwd; cd ..; pwd; ls / | tr '\\n' ' '; echo;"
                   "touch /x /vol/x /proc/sys/x /sys/x; touch /dev/shm/y && echo written; wc -c < /etc/passwd;"
                   "wc -c < /proc/self/mountinfo; stat -c %t:%T /dev/null; ls /sys/fs/cgroup | grep -c cgroup.procs;"
                   "grep ^0 /proc/self/cgroup; echo x > /dev/shm/f && cat /dev/shm/f").out.split("\n")
    assert out[:4] == [inode("self", "mnt"), "1", "/", "/"], out
    assert "vol" in out[4] and "sys" in out[4] and "boot" not in out[4], out
    assert out[5:11] == ["written", "0", "0", "1:3", "1", "0::/"] and out[11] == "x", out


def test_a_plain_root_is_part_of_the_callers_mount_table():
    b = plain()
    os.makedirs(b.rootfs + "/mnt/later")
    for s in ("bounding", "effective", "permitted"):
        b.process["capabilities"][s].append("CAP_SYS_ADMIN")
    with untouched():
        assert b.sh("pwd; ls /; stat -c %t:%T /dev/null").out.endswith("1:3\n")
    b.process["args"] = ["sh", "-c", "mount -t tmpfs there /mnt/later; echo done; sleep 1000"]
    b.create().start()
    wait_for(lambda: "done" in b.out())
    assert inode(b.pid, "mnt") == inode("self", "mnt")
    assert os.path.samefile("/proc/%d/root" % b.pid, b.rootfs)
    assert " %s/mnt/later " % b.rootfs in mountinfo()
    run("umount", b.rootfs + "/mnt/later")
    run("mount", "-t", "tmpfs", "-o", "mode=0711", "t", b.rootfs + "/mnt/later")
    assert rt("exec", b.id, "stat", "-c", "%a", "/mnt/later").out == "711\n"
    run("umount", b.rootfs + "/mnt/later")
    b.delete()


def test_life_of_a_container():
    for b in (shared("sleep", "1000"), plain("sleep", "1000")):
        tree = bool(b.config["mounts"])
        with untouched():
            b.create()
            assert b.state()["status"] == "created" and b.state()["rootfs"] == b.rootfs
            rt("exec", b.id, "true")
            b.start()
            assert b.state()["status"] == "running"
            with open(b.rootfs + "/mark", "w") as f:
                f.write("here")
            assert rt("exec", b.id, "sh", "-c", "pwd; cat /mark; ls /").out.startswith("/\nhere")
            assert rt("exec", "--cwd", "/tmp", b.id, "sh", "-c", "pwd").out == "/tmp\n"
            if tree:
                assert rt("exec", b.id, "cat", "/proc/1/cmdline").out == "sleep\x001000\x00"
                assert rt("exec", b.id, "readlink", "/proc/self/ns/mnt").out.strip() == inode("self", "mnt")
                rt("exec", b.id, "touch", "/dev/shm/seen")
                rt("exec", b.id, "ls", "/dev/shm/seen")
            r = rt("exec", "--cwd", "/nowhere", b.id, "true", check=None)
            assert r.code != 0 and "/nowhere" in r.err, r
            rt("pause", b.id)
            assert b.state()["status"] == "paused"
            rt("resume", b.id)
            assert "sleep" in rt("ps", b.id).out
            rt("kill", b.id, "KILL")
            wait_for(lambda: b.state()["status"] == "stopped")
            r = rt("exec", b.id, "true", check=None)
            assert r.code != 0 and "not running" in r.err, r
            rt("delete", b.id)
            b.gone()


def test_no_namespace_at_all():
    for empty in ([], None):
        b = Bundle()
        del b.config["hostname"]
        b.linux["namespaces"] = empty
        if empty is None:
            del b.linux["namespaces"]
        with untouched():
            b.process["args"] = ["sleep", "1000"]
            b.create().start()
            for n in KINDS:
                assert inode("self", n) == inode(b.pid, n), n
            b.delete()
            out = b.sh("cat /proc/self/comm; ls /; hostname").out
            assert out.startswith("cat\n") and os.uname().nodename in out and "boot" not in out, out


def test_without_the_linux_object():
    b = Bundle("sh", "-c", "ls /; touch /made")
    del b.config["linux"], b.config["hostname"]
    with untouched():
        assert "boot" not in b.run().out
    assert os.path.exists(b.rootfs + "/made")


def test_join_by_path():
    with elsewhere("mount -t tmpfs over /mnt; mkdir /mnt/inner; mount -t tmpfs mine /mnt/inner") as pid:
        b = joined(pid)
        run("nsenter", "-t", str(pid), "-m", "cp", "-a", b.rootfs, "/mnt/root")
        assert not os.path.exists("/mnt/root")
        with untouched("self", pid):
            out = b.sh("readlink /proc/self/ns/mnt; ls / | tr '\\n' ' '; stat -c %t:%T /dev/null; cat /proc/sys/kernel/hostname").out
            assert out.startswith(inode(pid, "mnt") + "\n") and "1:3" in out and "boot" not in out, out
            # The root is looked up there, and so is what is bound.
            b.config["root"]["path"] = "/mnt/root"
            b.config["mounts"].append({"destination": "/vol", "source": "/mnt/inner", "options": ["bind"]})
            b.process["args"] = ["sh", "-c", "touch /vol/x; echo up; sleep 1000"]
            b.create().start()
            wait_for(lambda: "up" in b.out())
            assert inode(b.pid, "mnt") == inode(pid, "mnt") and b.state()["rootfs"] == "/mnt/root"
            assert os.path.exists("/proc/%d/root/mnt/inner/x" % pid)
            assert rt("exec", b.id, "readlink", "/proc/self/ns/mnt").out.strip() == inode(pid, "mnt")
            assert rt("exec", b.id, "ls", "/vol").out == "x\n"
            b.delete()
            # Nothing to be mounted: the directory itself.
            b.config["mounts"] = []
            b.linux["maskedPaths"] = b.linux["readonlyPaths"] = []
            b.process["args"] = ["sleep", "1000"]
            b.create().start()
            assert os.path.samefile("/proc/%d/root" % b.pid, "/proc/%d/root/mnt/root" % pid)
            assert rt("exec", b.id, "ls", "/bin/busybox").out == "/bin/busybox\n"
            b.delete()
    b.fails("/proc/%d/ns/mnt" % pid)


def test_the_mount_namespace_of_another_container():
    first = Bundle("sleep", "1000").create().start()
    b = joined(first.pid)
    b.config["root"]["path"] = "/"
    with untouched("self", first.pid):
        out = b.sh("readlink /proc/self/ns/mnt; ls /; cat /proc/1/comm").out
        assert out.startswith(inode(first.pid, "mnt")) and out.endswith("cat\n"), out
        # All of its namespaces.
        join(b, first.pid, "mount", "pid", "ipc", "uts", "network")
        del b.config["hostname"]
        assert b.sh("readlink /proc/self/ns/mnt; cat /proc/1/comm").out == inode(first.pid, "mnt") + "\nsleep\n"
    first.delete()


def test_join_with_its_user_namespace():
    first = Bundle("sleep", "1000")
    first.linux["namespaces"].append({"type": "user"})
    first.linux["uidMappings"] = first.linux["gidMappings"] = MAPS
    give_to_root_of_map(first)
    first.create().start()
    b = Bundle()
    join(b, first.pid, "user", "mount")
    b.config["root"]["path"] = "/"
    with untouched("self", first.pid):
        out = b.sh("id -u; readlink /proc/self/ns/mnt; readlink /proc/self/ns/user; stat -c %t:%T /dev/null").out
        assert out.split() == ["0", inode(first.pid, "mnt"), inode(first.pid, "user"), "1:3"], out
        b.process["args"] = ["sleep", "1000"]
        b.create().start()
        assert rt("exec", b.id, "readlink", "/proc/self/ns/mnt").out.strip() == inode(first.pid, "mnt")
        b.delete()
    first.delete()


def test_new_user_namespace_in_our_mount_namespace():
    b = shared()
    b.linux["namespaces"].append({"type": "user"})
    b.linux["uidMappings"] = b.linux["gidMappings"] = MAPS
    give_to_root_of_map(b)
    os.mkdir(b.path + "/vol", 0o700)
    b.config["mounts"].append({"destination": "/vol", "source": b.path + "/vol", "options": ["bind", "ro"]})
    b.linux["sysctl"] = {"kernel.msgmax": "4321", "net.ipv4.ip_forward": "1"}
    b.linux["devices"] = [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 5, "fileMode": 0o666, "uid": 0, "gid": 0}]
    b.process["args"] = ["sleep", "1000"]
    with untouched():
        b.create().start()
        out = rt("exec", b.id, "sh", "-c", "id -u; readlink /proc/self/ns/mnt; cat /proc/self/uid_map; ls -d /vol;"
                 "echo > /dev/null; head -c 1 /dev/mine; cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward; ls -ld /dev/null").out
        assert out.split()[:6] == ["0", inode("self", "mnt"), "0", "100000", "65536", "/vol"], out
        assert "\n\x004321\n1\nc" in out, out
        b.delete()


def test_terminal_hooks_and_readonly():
    import socket
    from bundle import read_until, receive_fd
    b = shared("sh", "-c", "tty; ls -l /dev/console; echo go")
    b.process["terminal"] = True
    with untouched(), socket.socket(socket.AF_UNIX) as s:
        s.bind(b.path + "/console")
        s.listen()
        b.create("--console-socket", b.path + "/console")
        conn = s.accept()[0]
        fd = receive_fd(conn)
        b.start()
        out = read_until(fd, b"go")
        assert b"/dev/pts/0" in out and b"/dev/console" in out, out
        os.close(fd)
        conn.close()
        b.delete()
    b = shared("ls", "/added")
    script = b.path + "/hook"
    with open(script, "w") as f:
        f.write("#!/bin/sh\nmkdir -p %s/added && mount -t tmpfs hook %s/added && touch %s/added/by-hook\n"
                "touch %s/ran.$1.$$\n" % (b.rootfs, b.rootfs, b.rootfs, b.path))
    os.chmod(script, 0o755)
    b.config["hooks"] = {"createContainer": [{"path": script, "args": ["hook", "container"]}],
                         "createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "touch ran.runtime.$$"]}],
                         "poststop": [{"path": "/bin/sh", "args": ["sh", "-c", "touch ran.poststop.$$"]}]}
    with untouched():
        # What a hook mounts below the root is the container's, and only the container's.
        assert b.run().out == "by-hook\n"
    assert sorted(n.split(".")[1] for n in os.listdir(b.path) if n.startswith("ran.")) == ["container", "poststop", "runtime"]


def test_with_the_systemd_driver():
    for make in (shared, plain):
        b = make("sh", "-c", "sleep 1000")
        b.options = ("--systemd-cgroup",)
        b.linux["cgroupsPath"] = "system.slice:berth-mntns:" + b.id
        with untouched():
            b.create().start()
            with open("/proc/%d/cgroup" % b.pid) as f:
                assert "/system.slice/berth-mntns-%s.scope" % b.id in f.read()
            if b.config["mounts"]:
                assert rt("exec", b.id, "grep", "^0", "/proc/self/cgroup").out == "0::/\n"
            b.delete()


def test_readiness_from_a_joined_namespace():
    """The directory for it is the host's, whatever is at that path there."""
    with elsewhere("mount -t tmpfs hidden /var/tmp") as pid:
        b = joined(pid)
        b.config["root"]["path"] = "/mnt/root"
        run("nsenter", "-t", str(pid), "-m", "mount", "-t", "tmpfs", "t", "/mnt")
        subprocess.run("tar -C %s -cf - . | nsenter -t %d -m sh -c 'mkdir /mnt/root && tar -C /mnt/root -xf -'" % (b.rootfs, pid),
                       shell=True, check=True)
        env = dict(os.environ, NOTIFY_SOCKET=TOP + "/nobody")
        with untouched("self", pid):
            assert b.sh("ls /run/notify; echo $NOTIFY_SOCKET", env=env).out == "notify.sock\n/run/notify/notify.sock\n"


def test_what_cannot_be_is_refused():
    for value in ("shared", "rshared", "slave", "rslave", "unbindable"):
        b = shared()
        b.linux["rootfsPropagation"] = value
        b.fails("linux.rootfsPropagation: %s" % value.lstrip("r"))
    b = shared()
    b.linux["rootfsPropagation"] = "private"
    b.run()
    for value in ("rshared", "slave", "runbindable"):
        b = shared()
        b.config["mounts"].append({"destination": "/vol", "source": "/tmp", "options": ["bind", value]})
        b.fails("mounts: /vol: %s" % value.lstrip("r"))
    with elsewhere() as pid:
        def refused(text, change):
            b = joined(pid)
            change(b)
            b.fails(text)
        refused("from a new user namespace", lambda b: (
            b.linux["namespaces"].append({"type": "user"}), b.linux.update(uidMappings=MAPS, gidMappings=MAPS)))
        refused("hooks.createContainer", lambda b: b.config.update(hooks={"createContainer": [{"path": "/bin/true"}]}))
        for option in ("src-nofollow", "copy-symlink", "idmap"):
            refused("mounts: /vol: " + option, lambda b: (
                b.linux["namespaces"].append({"type": "user", "path": "/proc/self/ns/user"}) if option == "idmap" else None,
                b.config["mounts"].append({"destination": "/vol", "source": "/tmp", "options": [
                    "bind", option + ("=uids=0-1-1;gids=0-1-1" if option == "idmap" else "")]})))
        refused("mounts: /vol: ext4", lambda b: b.config["mounts"].append(
            {"destination": "/vol", "type": "ext4", "source": "/dev/nowhere"}))
        refused("root file system", lambda b: b.config["root"].update(path="/nowhere"))
        refused("not a directory", lambda b: b.config["root"].update(path="/etc/passwd"))
        for b in (joined(pid), shared()):
            b.linux["namespaces"] += [{"type": "mount"}] * 2
            b.fails('"mount" given twice')
            b.config["process"]["args"] = ["/nowhere"]
            b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "mount" or "path" in n]
            with untouched("self", pid):
                b.fails("/nowhere")


def test_kinds_and_paths_of_the_validation_suite():
    # linux_ns_path: each kind alone, by the path of a process that was unshared.
    for option, name in (("--ipc", "ipc"), ("--mount", "mnt"), ("--net", "net"), ("--pid", "pid"), ("--uts", "uts")):
        p = subprocess.Popen(["unshare", option, "--fork", "sh", "-c", "echo ready; exec sleep 1000"], stdout=subprocess.PIPE,
                             start_new_session=True)
        try:
            assert p.stdout.readline() == b"ready\n"
            path = "/proc/%d/ns/%s" % (p.pid, name + ("_for_children" if name == "pid" else ""))
            b = Bundle("sleep", "1000")
            ns_without(b, KINDS[name])
            b.linux["namespaces"].append({"type": KINDS[name], "path": path})
            b.create().start()
            assert inode(b.pid, name) == os.readlink(path) != inode("self", name), name
            b.delete()
        finally:
            os.killpg(p.pid, 9)
            p.wait()
            p.stdout.close()
    # linux_ns_path_type: a path of another kind.
    for name, wrong in (("cgroup", "ipc"), ("ipc", "mnt"), ("mnt", "net"), ("net", "pid"), ("pid", "user"), ("user", "uts"),
                        ("uts", "cgroup")):
        b = Bundle()
        ns_without(b, KINDS[name])
        b.linux["namespaces"].append({"type": KINDS[name], "path": "/proc/self/ns/" + wrong})
        b.fails("join %s namespace /proc/self/ns/%s" % (KINDS[name], wrong))
    # linux_ns_nopath: all of them new, the user namespace too.
    b = Bundle("sleep", "1000")
    b.linux["namespaces"].append({"type": "user"})
    b.linux["uidMappings"] = b.linux["gidMappings"] = [{"containerID": 0, "hostID": 1000, "size": 1000}]
    os.chmod(b.path, 0o755)
    run("chown", "-R", "-h", "1000:1000", b.rootfs)
    b.create().start()
    for n in KINDS:
        assert inode("self", n) != inode(b.pid, n), n
    b.delete()
    # linux_ns_itype: one kind after the other left out; all of them is test_no_namespace_at_all.
    for name in KINDS:
        b = Bundle("sleep", "1000")
        ns_without(b, KINDS[name])
        if name == "uts":
            del b.config["hostname"]
        with untouched():
            b.create().start()
            assert inode("self", name) == inode(b.pid, name), name
            b.delete()


def test_as_runc_tests_the_hosts_mount_namespace():
    b = shared("/bin/echo", "Hello World")
    b.linux["maskedPaths"] = b.linux["readonlyPaths"] = []
    b.config["root"]["readonly"] = False
    b.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["/bin/sh", "-c", "touch createRuntimeHook.$$"]}]}
    with untouched():
        assert b.run().out == "Hello World\n"
        rt("delete", "--force", b.id)
    assert len([n for n in os.listdir(b.path) if n.startswith("createRuntimeHook.")]) == 1


def test_checkpoint_is_refused():
    if not run("sh", "-c", "command -v criu", check=None).out:
        return
    b = shared("sleep", "1000").create().start()
    r = rt("checkpoint", "--image-path", b.path + "/image", b.id, check=None)
    assert r.code != 0 and "mount namespace" in r.err, r
    assert b.state()["status"] == "running"
    b.delete()


@needs("controllers")
def test_a_limit_of_processes_leaves_room_for_the_helper():
    for limit, make in ((1, plain), (2, shared)):
        b = make("true")
        b.linux["resources"] = {"pids": {"limit": limit}}
        b.run()
    b = shared("true")
    b.linux["resources"] = {"pids": {"limit": 1}}
    with untouched():
        b.fails("helper for the container's mounts")


@needs("vm")
@timeout(120)
def test_apparmor():
    """Its rules are about paths of the mount namespace, which lead to a plain root and not to a tree."""
    if not os.path.exists("/sys/module/apparmor/parameters/enabled"):
        skip("no AppArmor in this kernel")
    b = plain("sh", "-c", "while read l; do echo $l; done < /etc/passwd; read l < /etc/open; echo $l; sleep 1000")
    with open(b.rootfs + "/etc/open", "w") as f:
        f.write("readable\n")
    run("mount", "-t", "securityfs", "x", "/sys/kernel/security", check=None)
    run("apparmor_parser", "-r", "-K", input="""
profile berth-plain {
  file, capability, network, mount, signal, ptrace, umount, unix,
  deny %s/etc/passwd r,
}
""" % b.rootfs)
    b.process["apparmorProfile"] = "berth-plain"
    b.create().start()
    wait_for(lambda: "readable" in b.out())
    assert "root" not in b.out() and "denied" in b.out().lower(), b.out()
    with open("/proc/%d/attr/current" % b.pid) as f:
        assert f.read() == "berth-plain (enforce)\n"
    r = rt("exec", b.id, "cat", "/etc/passwd", check=None)
    assert r.code != 0 and "denied" in r.err.lower(), r
    b.delete()
    refusal = 'apparmorProfile: "berth-plain": needs a new mount namespace'
    b = shared("sleep", "1000")
    b.process["apparmorProfile"] = "berth-plain"
    b.fails(refusal)
    b.process["apparmorProfile"] = "unconfined"
    b.create().start()
    r = rt("exec", "--apparmor", "berth-plain", b.id, "true", check=None)
    assert r.code != 0 and refusal in r.err, r
    rt("exec", b.id, "true")
    b.delete()
