# SPDX-License-Identifier: LGPL-2.1-or-later
"""berth-runtime checkpoint and restore: what was there before is there again."""
import json
import os
import shutil
import signal
import socket
import subprocess

import bundle
from bundle import CGROUP, ROOT, RUNTIME, ns_without, read_until, receive_fd, rt
from checkpoint import COUNT, IDLE, Subject, criu_version, network_works, profile, reap_some, same
from harness import needs, run, systemctl, wait_for


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


def test_memory_goes_on():
    b = Subject().up()
    wait_for(lambda: b.count() >= 3)
    b.checkpoint()
    b.reap()
    b.gone()
    before = b.count()
    assert "does not exist" in rt("state", b.id, check=1).err
    assert os.path.exists(b.images + "/inventory.img") and os.path.exists(b.work + "/dump.log")
    b.restore("-no-subreaper")      # as containerd says
    s = b.state()
    assert s["status"] == "running" and s["pid"] == b.pid and s["bundle"] == b.path, s
    wait_for(lambda: b.count() > before)
    assert b.count() < before + 100, "it began anew"
    with open("/proc/self/mountinfo") as f:
        assert b.path not in f.read(), "the root file system is mounted on the host"
    rt("kill", b.id, "KILL")
    assert b.wait() == signal.SIGKILL
    assert b.state()["status"] == "stopped"
    b.delete()


def check_identity(user):
    b = Subject()
    b.process.update(user=user, noNewPrivileges=True, cwd="/home/user", env=["PATH=/bin", "KEPT=yes"], oomScoreAdj=333,
                     rlimits=[{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 99}])
    for s in ("bounding", "permitted", "effective", "inheritable", "ambient"):
        b.process["capabilities"][s] = ["CAP_NET_RAW", "CAP_KILL"] if s != "bounding" else ["CAP_NET_RAW", "CAP_KILL", "CAP_CHOWN"]
    b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW",
                          "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5}]}
    b.config["root"]["readonly"] = True
    b.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]})
    b.process["args"][2] = "trap 'mkdir /tmp/x 2>/tmp/error; cat /proc/self/attr/current >/dev/null' USR1; " + COUNT
    b.up()
    wait_for(lambda: os.path.exists("/proc/%d/root/tmp/count" % b.pid))
    before = profile(b)
    if criu_version() < (4,):
        before["status"]["CapAmb"] = "0" * 16     # a known gap of old versions; the others must be kept
    assert before["status"]["Seccomp"] == "2" and before["status"]["NoNewPrivs"] == "1", before
    assert before["own namespaces"] == ["pid", "net", "ipc", "uts", "mnt", "cgroup"], before
    b.cycle()
    same(before, profile(b))
    os.kill(b.pid, signal.SIGUSR1)
    error = "/proc/%d/root/tmp/error" % b.pid
    wait_for(lambda: os.path.exists(error) and open(error).read().endswith("\n"))
    with open(error) as f:
        assert "Input/output error" in f.read(), "the filter has gone"
    assert "NoNewPrivs:\t1" in rt("exec", b.id, "cat", "/proc/self/status").out
    r = rt("exec", b.id, "mkdir", "/tmp/y", check=1)
    assert "Input/output error" in r.err, r
    b.delete()


def test_identity_and_confinement_survive():
    check_identity({"uid": 0, "gid": 0, "additionalGids": [5, 7], "umask": 0o27})


@needs("controllers")       # in bed 1 root has no CAP_SYS_RESOURCE, which criu needs for processes of others
def test_identity_of_a_user():
    check_identity({"uid": 1000, "gid": 1001, "additionalGids": [5, 7], "umask": 0o27})


def test_default_profile_twice():
    b = Subject().up()
    wait_for(lambda: b.count() >= 2)
    before = profile(b)
    b.cycle()
    same(before, profile(b))
    b.cycle()
    same(before, profile(b))
    n = b.count()
    wait_for(lambda: b.count() > n)
    b.delete()


def test_masks_and_cgroup_view():
    b = Subject().up()
    wait_for(lambda: b.count() >= 1)
    b.cycle()
    out = rt("exec", b.id, "sh", "-c", "wc -c </proc/keys; ls /sys/firmware; cat /proc/self/cgroup; echo x >/proc/sys/kernel/hostname; "
             "mkdir /sys/fs/cgroup/x; ls /sys/fs/cgroup/berth-test; hostname").out
    assert out.startswith("0\n") and "0::/\n" in out and out.endswith("box\n"), out
    r = rt("exec", b.id, "sh", "-c", "mkdir /sys/fs/cgroup/x", check=1)
    assert "Read-only" in r.err, r
    assert b.proc("cgroup").splitlines()[-1] == "0::/berth-test/" + b.id
    b.delete()


def test_bind_mounts():
    b = Subject()
    host = b.path + "/host"
    os.mkdir(host)
    os.mkdir(b.rootfs + "/run")
    os.makedirs(b.rootfs + "/var")
    os.symlink("/run", b.rootfs + "/var/run")
    with open(b.path + "/one", "w") as f:
        f.write("one file\n")
    b.config["mounts"] += [
        {"destination": "/data", "type": "bind", "source": host, "options": ["rbind", "rw"]},
        {"destination": "/fixed", "type": "bind", "source": "host", "options": ["bind", "ro", "nosuid"]},
        {"destination": "/etc/one", "type": "bind", "source": b.path + "/one", "options": ["bind", "ro"]},
        {"destination": "/var/run/deep", "type": "bind", "source": host, "options": ["bind"]},
        {"destination": "/mem", "type": "tmpfs", "source": "tmpfs", "options": ["size=1m"]},
        {"destination": "/mem/inner", "type": "bind", "source": host, "options": ["bind"]}]
    b.process["args"][2] = "echo kept > /mem/file; " + COUNT
    b.up()
    wait_for(lambda: b.count() >= 1)
    before = profile(b)
    b.cycle()
    same(before, profile(b))
    with open(host + "/new", "w") as f:
        f.write("from the host\n")
    out = rt("exec", b.id, "sh", "-c", "cat /data/new /fixed/new /run/deep/new /mem/inner/new /etc/one /mem/file; echo w > /data/back").out
    assert out == "from the host\n" * 4 + "one file\nkept\n", out
    assert "Read-only" in rt("exec", b.id, "touch", "/fixed/x", check=1).err
    assert "Read-only" in rt("exec", b.id, "touch", "/etc/one", check=1).err
    assert os.path.exists(host + "/back")
    b.delete()


def test_places_of_mounts_in_mounts():
    """They were made for the container in what it has bound, and are made again if they are gone."""
    b = Subject()
    for name in ("one", "two", "three"):
        os.mkdir(b.path + "/" + name)
    with open(b.path + "/file", "w") as f:
        f.write("a file\n")
    bind = lambda source, dest, *o: {"destination": dest, "type": "bind", "source": b.path + "/" + source, "options": ["bind", *o]}
    b.config["mounts"] += [bind("one", "/one"), bind("two", "/one/for/two", "ro"), bind("file", "/one/for/file"),
                           {"destination": "/mem", "type": "tmpfs", "source": "tmpfs", "options": ["size=1m"]},
                           bind("three", "/mem/a/three"), bind("file", "/mem/a/three/b/file")]
    b.up()
    wait_for(lambda: b.count() >= 1)
    before = profile(b)
    assert os.listdir(b.path + "/one/for") and os.path.exists(b.path + "/three/b/file")
    b.checkpoint()
    b.reap()
    for name in ("one/for", "three/b"):
        shutil.rmtree(b.path + "/" + name)
    b.restore()
    same(before, profile(b))
    assert rt("exec", b.id, "cat", "/one/for/file", "/mem/a/three/b/file").out == "a file\n" * 2
    b.delete()
    # A link in what is bound leads no further than that.
    b.reap()
    shutil.rmtree(b.path + "/one/for")
    os.symlink("../../victim", b.path + "/one/for")
    os.mkdir(b.path + "/victim")
    b.restore(check=None)
    if os.path.exists(ROOT + "/" + b.id):
        b.delete()
    assert os.listdir(b.path + "/victim") == []


def test_recursive_bind():
    b = Subject()
    host = bundle.TOP + "/recursive"
    os.makedirs(host + "/a/b")
    run("mount", "-t", "tmpfs", "one", host + "/a")
    try:
        os.mkdir(host + "/a/two words")
        run("mount", "-t", "tmpfs", "two", host + "/a/two words")
        b.config["mounts"] += [{"destination": "/data", "type": "bind", "source": host, "options": ["rbind"]},
                               {"destination": "/flat", "type": "bind", "source": host, "options": ["bind"]}]
        b.up()
        wait_for(lambda: b.count() >= 1)
        before = profile(b)
        b.cycle()
        same(before, profile(b))
        with open(host + "/a/two words/deep", "w") as f:
            f.write("deep\n")
        assert rt("exec", b.id, "sh", "-c", "cat '/data/a/two words/deep'; ls /flat/a").out == "deep\nb\n"
        rt("delete", "--force", b.id)
    finally:
        run("umount", "-R", host + "/a")


@needs("ip6tables-restore")
def test_network_after_restore():
    b = Subject().up()
    assert network_works(b)
    b.cycle()
    assert network_works(b)
    b.checkpoint("--leave-running")
    assert network_works(b)
    b.delete()


def test_another_root_file_system_and_bundle():
    """Migration: the places of mounts are made where they are missing, and the sources are the new bundle's."""
    b = Subject()
    os.mkdir(b.path + "/host")
    b.config["mounts"].append({"destination": "/a/b", "type": "bind", "source": "host", "options": ["bind"]})
    b.up()
    wait_for(lambda: b.count() >= 2)
    b.checkpoint()
    b.reap()
    c = Subject()
    shutil.copytree(b.rootfs + "/tmp", c.rootfs + "/tmp", dirs_exist_ok=True)
    c.config["mounts"] = b.config["mounts"]
    os.mkdir(c.path + "/host")
    with open(c.path + "/host/which", "w") as f:
        f.write("second\n")
    c.images = b.images
    n = c.count()
    c.save().restore()
    wait_for(lambda: c.count() > n)
    assert rt("exec", c.id, "cat", "/a/b/which").out == "second\n"
    assert c.proc("cgroup").splitlines()[-1] == "0::/berth-test/" + c.id
    assert rt("exec", c.id, "cat", "/proc/self/cgroup").out.splitlines()[-1] == "0::/"
    c.delete()


def test_a_mask_that_the_container_replaced():
    """What it has put there is its own, and not taken for a file of the host."""
    b = Subject()
    b.process["capabilities"]["bounding"].append("CAP_SYS_ADMIN")
    b.process["capabilities"]["effective"].append("CAP_SYS_ADMIN")
    b.process["capabilities"]["permitted"].append("CAP_SYS_ADMIN")
    b.process["args"][2] = "umount /proc/keys; touch /tmp/fake; echo fake > /tmp/fake; mount -o bind /tmp/fake /proc/keys; " + COUNT
    b.up()
    wait_for(lambda: b.count() >= 1)
    b.cycle()
    assert rt("exec", b.id, "cat", "/proc/keys").out == "fake\n"
    b.delete()


def test_open_files_pipes_and_time():
    b = Subject("exec 5<>/tmp/open; echo first >&5; mknod /tmp/fifo p; (while :; do sleep 0.1; done) & "
                "(echo late >/tmp/fifo; sleep 1000) & cut -d' ' -f1 /proc/uptime >/tmp/then; sleep 2; echo second >&5; "
                "read x </tmp/fifo; echo $x >&5; cut -d' ' -f1 /proc/uptime >/tmp/now; while :; do sleep 1; done")
    b.up()
    wait_for(lambda: os.path.exists(b.rootfs + "/tmp/then") and os.path.getsize(b.rootfs + "/tmp/then") > 0)
    b.cycle()
    wait_for(lambda: os.path.exists(b.rootfs + "/tmp/now"), timeout=10)
    with open(b.rootfs + "/tmp/open") as f:
        assert f.read() == "first\nsecond\nlate\n"
    assert len(json.loads(rt("ps", "--format", "json", b.id).out)) >= 4
    b.delete()


def test_standard_output_and_input_are_given_again():
    b = Subject("while read x; do echo got $x; done; echo end; exit 3").save()
    p1 = subprocess.Popen([RUNTIME, "--root", ROOT, "run", "--detach", "--pid-file", b.path + "/pid", "--bundle", b.path, b.id],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    p1.stdin.write(b"a\n")
    p1.stdin.flush()
    assert p1.stdout.readline() == b"got a\n"
    b.pid = int(open(b.path + "/pid").read())
    b.checkpoint()
    with open(b.images + "/descriptors.json") as f:
        names = json.load(f)
    assert len(names) == 3 and names[0].startswith("pipe:["), names
    assert p1.stdout.read() == b"", "the old end is closed"
    p1.stdin.close()
    p2 = subprocess.Popen([RUNTIME, "--root", ROOT, "restore", "--bundle", b.path, "--image-path", b.images, "--work-path", b.work, b.id],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    p2.stdin.write(b"b\n")
    p2.stdin.flush()
    assert p2.stdout.readline() == b"got b\n"
    out, _ = p2.communicate(timeout=20)
    assert out == b"end\n" and p2.returncode == 3, (out, p2.returncode)
    b.gone()


def test_foreground_passes_signals_and_deletes():
    b = Subject("trap 'exit 9' TERM; " + COUNT).up()
    wait_for(lambda: b.count() >= 1)
    b.checkpoint()
    b.reap()
    with open(b.path + "/out", "ab") as out:
        p = subprocess.Popen([RUNTIME, "--root", ROOT, "restore", "--bundle", b.path, "--image-path", b.images, b.id], stdin=subprocess.DEVNULL,
                             stdout=out, stderr=out)
    wait_for(lambda: rt("state", b.id, check=None).code == 0 and b.state()["status"] == "running")
    assert os.path.exists(b.images + "/restore.log"), "without --work-path the log is beside the images"
    p.terminate()
    assert p.wait(20) == 9
    b.gone()


def test_terminal():
    b = Subject("echo ready; while read x; do tty; echo got $x; done")
    b.process["terminal"] = True
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(b.path + "/console")
    listener.listen()
    b.up("--console-socket", b.path + "/console")
    master = receive_fd(listener.accept()[0])
    read_until(master, b"ready\r\n")
    before = profile(b)
    b.checkpoint()
    b.reap()
    os.close(master)
    assert "console-socket" in rt("restore", "--detach", "--bundle", b.path, "--image-path", b.images, b.id, check=1).err
    b.gone()
    b.restore("--console-socket", b.path + "/console")
    master = receive_fd(listener.accept()[0])
    same(before, profile(b))
    os.write(master, b"word\n")
    out = read_until(master, b"got word\r\n")
    assert b"/dev/pts/0\r\n" in out, out
    os.close(master)
    b.delete()


def test_leave_running():
    # It writes when told to: a file that is open at the checkpoint would be another one at the restore.
    b = Subject("i=0; trap 'i=$((i+1)); echo $i >/tmp/count' USR1; " + IDLE).up()

    def tick():
        n = b.count()
        os.kill(b.pid, signal.SIGUSR1)
        wait_for(lambda: b.count() > n)
        return b.count()

    wait_for(lambda: int(b.proc("status").split("SigCgt:")[1].split()[0], 16) & 1 << signal.SIGUSR1 - 1)
    assert tick() == 1
    b.checkpoint("--leave-running")
    assert b.state()["status"] == "running" and b.state()["pid"] == b.pid
    assert tick() == 2 and tick() == 3
    assert os.path.exists(b.images + "/inventory.img")
    rt("delete", "--force", b.id)
    b.reap()
    os.unlink(b.rootfs + "/tmp/count")
    b.restore()
    assert tick() == 2, "it goes on from the checkpoint"
    b.delete()


def test_paused_container():
    """containerd pauses before a checkpoint; what is restored runs."""
    b = Subject().up()
    wait_for(lambda: b.count() >= 2)
    rt("pause", b.id)
    n = b.count()
    b.checkpoint("--leave-running")
    assert b.state()["status"] == "paused" and b.count() == n
    b.checkpoint("--network-lock=none", check=1)
    env = {"PATH": b.path + "/path:/usr/sbin:/usr/bin"}
    os.mkdir(b.path + "/path")
    with open(b.path + "/path/criu", "w") as f:
        f.write("#!/bin/sh\necho 0 >%s/berth-test/%s/cgroup.freeze\n" % (CGROUP, b.id))
    os.chmod(b.path + "/path/criu", 0o755)
    b.checkpoint(check=1, env=env)
    assert b.state()["status"] == "paused"
    b.checkpoint()
    b.reap()
    b.gone()
    b.restore()
    assert b.state()["status"] == "running"
    n = b.count()
    wait_for(lambda: b.count() > n)
    b.delete()


def test_systemd_driver():
    b = Subject()
    b.linux["cgroupsPath"] = "system.slice:berth-cp:" + b.id
    scope = "berth-cp-%s.scope" % b.id
    b.save()
    with open(b.path + "/out", "ab") as out:
        subprocess.run([RUNTIME, "--root", ROOT, "--systemd-cgroup", "run", "--detach", "--bundle", b.path, "--pid-file", b.path + "/pid", b.id],
                       stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=30, check=True)
    with open(b.path + "/pid") as f:
        b.pid = int(f.read())
    wait_for(lambda: b.count() >= 1)
    before = profile(b)
    b.checkpoint()
    b.reap()
    wait_for(lambda: systemctl("is-active", scope, check=None).code != 0, what="the scope to end")
    command = [RUNTIME, "--root", ROOT, "--systemd-cgroup", "restore", "--detach", "--bundle", b.path, "--image-path", b.images,
               "--work-path", b.work, "--pid-file", b.path + "/pid", b.id]
    with open(b.path + "/out", "ab") as out:
        os.rename(b.images + "/core-1.img", b.path + "/away")
        assert subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=30).returncode == 1
        wait_for(lambda: systemctl("is-active", scope, check=None).code != 0, what="the scope of a failed restore to end")
        assert not os.path.exists("%s/%s" % (ROOT, b.id))
        os.rename(b.path + "/away", b.images + "/core-1.img")
        assert subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=30).returncode == 0, b.out()
    with open(b.path + "/pid") as f:
        b.pid = int(f.read())
    same(before, profile(b))
    assert systemctl("is-active", scope).out == "active\n"
    assert b.proc("cgroup").splitlines()[-1].endswith("/system.slice/" + scope)
    n = b.count()
    wait_for(lambda: b.count() > n)
    rt("delete", "--force", b.id)
    wait_for(lambda: systemctl("is-active", scope, check=None).code != 0)


def test_hooks():
    b = Subject()
    os.mkdir(b.path + "/h")
    b.config["hooks"] = {k: [{"path": "/bin/sh", "args": ["sh", "-c", "cat > %s/h/%s" % (b.path, k)]}]
                         for k in ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")}
    b.config["hooks"]["startContainer"] = []
    b.config["hooks"]["createContainer"] = []
    b.up()
    wait_for(lambda: b.count() >= 1)
    for n in os.listdir(b.path + "/h"):
        os.unlink(b.path + "/h/" + n)
    b.checkpoint()
    b.reap()
    assert os.listdir(b.path + "/h") == ["poststop"]
    os.unlink(b.path + "/h/poststop")
    b.restore()
    assert sorted(os.listdir(b.path + "/h")) == ["createRuntime", "prestart"]
    with open(b.path + "/h/prestart") as f:
        s = json.load(f)
    assert s["pid"] == b.pid and s["id"] == b.id, s
    b.checkpoint()
    b.reap()
    b.config["hooks"]["createRuntime"][0]["args"][2] = "exit 4"
    b.save().restore(check=1)
    assert "error running createRuntime hook #0: /bin/sh: exit status 4" in b.out(), b.out()
    b.gone()


def test_network_namespace_by_path():
    b = Subject("ip link; " + COUNT)
    run("ip", "netns", "add", "ckt")
    try:
        run("ip", "-n", "ckt", "link", "add", "dummy7", "type", "dummy", check=None)
        ns_without(b, "network", "ipc")
        b.linux["namespaces"].append({"type": "network", "path": "/run/netns/ckt"})
        b.up()
        wait_for(lambda: b.count() >= 1)
        b.cycle()
        assert os.stat("/proc/%d/ns/net" % b.pid).st_ino == os.stat("/run/netns/ckt").st_ino
        assert os.readlink("/proc/%d/ns/ipc" % b.pid) == os.readlink("/proc/self/ns/ipc")
        b.delete()
    finally:
        run("ip", "netns", "del", "ckt")


def check_joined(kinds):
    """As in a pod: another container has made these namespaces."""
    pod = Subject("hostname pod; sleep 1000 & while :; do wait; done")     # it reaps orphans
    if "time" in kinds:
        pod.linux["namespaces"].append({"type": "time"})
        pod.linux["timeOffsets"] = {"monotonic": {"secs": 1000000}}
    pod.up()
    b = Subject()
    ns_without(b, *kinds)
    if "uts" in kinds:
        del b.config["hostname"]
    files = {"network": "net"}
    b.linux["namespaces"] += [{"type": k, "path": "/proc/%d/ns/%s" % (pod.pid, files.get(k, k))} for k in kinds]
    b.up()
    wait_for(lambda: b.count() >= 1)
    b.cycle()
    for k in kinds:
        name = "ns/" + files.get(k, k)
        assert os.readlink("/proc/%d/%s" % (b.pid, name)) == os.readlink("/proc/%d/%s" % (pod.pid, name)), k
    n = b.count()
    wait_for(lambda: b.count() > n)
    b.delete()
    b.reap()        # a pid namespace ends when all of its processes are reaped
    pod.delete()


def test_joined_network_ipc_and_uts():
    check_joined(["network", "ipc", "uts"])


def test_joined_pid_namespace():
    check_joined(["pid"])


def test_namespaces_of_the_caller():
    b = Subject()
    ns_without(b, "network", "ipc", "uts", "pid")
    del b.config["hostname"]
    b.linux["namespaces"] += [{"type": k, "path": "/proc/%d/ns/%s" % (os.getpid(), {"network": "net"}.get(k, k))} for k in ("network", "ipc", "uts", "pid")]
    b.up()
    wait_for(lambda: b.count() >= 1)
    pid = b.pid
    b.checkpoint()
    b.reap()
    reap_some()     # its children are ours now
    b.gone()
    b.restore()
    assert b.pid == pid and profile(b)["own namespaces"] == ["mnt", "cgroup"]
    n = b.count()
    wait_for(lambda: b.count() > n)
    b.delete()


def test_joined_time_namespace():
    check_joined(["time"])


def test_life_after_restore():
    b = Subject()
    b.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    b.up()
    rt("exec", b.id, "mknod", "/dev/kernel", "c", "1", "11")
    assert "not permitted" in rt("exec", b.id, "head", "-c", "1", "/dev/kernel", check=1).err
    wait_for(lambda: b.count() >= 1)
    b.cycle()
    assert "not permitted" in rt("exec", b.id, "head", "-c", "1", "/dev/kernel", check=1).err, "the device filter has gone"
    rt("exec", b.id, "head", "-c", "1", "/dev/null")
    rt("pause", b.id)
    n = b.count()
    assert b.state()["status"] == "paused"
    rt("resume", b.id)
    wait_for(lambda: b.count() > n)
    assert json.loads(rt("ps", "--format", "json", b.id).out)[0] == b.pid
    rt("kill", b.id, "TERM", check=0)
    rt("kill", b.id, "KILL", check=None)
    b.wait()
    assert b.state()["status"] == "stopped"
    rt("delete", b.id)
    b.gone()


def test_cgroup_modes():
    b = Subject().up()
    wait_for(lambda: b.count() >= 1)
    before = profile(b)
    for mode in ("ignore", "soft", "full"):
        b.cycle("--manage-cgroups-mode", mode)
        same(before, profile(b))
        assert rt("exec", b.id, "cat", "/proc/self/cgroup").out.splitlines()[-1] == "0::/"
    assert "expected soft" in b.checkpoint("--manage-cgroups-mode", "none", check=1).err
    b.delete()


def test_another_cgroup():
    for mode in ("ignore", "soft"):
        b = Subject().up()
        wait_for(lambda: b.count() >= 1)
        b.checkpoint("--manage-cgroups-mode", mode)
        b.reap()
        b.gone()
        b.linux["cgroupsPath"] = "/berth-test/%s-moved" % b.id
        b.save().restore("--manage-cgroups-mode", mode)
        assert b.proc("cgroup").splitlines()[-1] == "0::/berth-test/%s-moved" % b.id
        assert rt("exec", b.id, "cat", "/proc/self/cgroup").out.splitlines()[-1] == "0::/"
        assert not os.path.exists(CGROUP + "/berth-test/" + b.id)
        b.delete()
        assert not os.path.exists(CGROUP + "/berth-test/%s-moved" % b.id)


def test_debug_messages():
    """--debug and --log change nothing else."""
    b = Subject().up()
    log = b.path + "/runtime.log"
    for command in (["checkpoint", "--leave-running"], ["checkpoint"]):
        run(RUNTIME, "--debug", "--log", log, "--log-format", "json", "--root", ROOT, *command, "--image-path", b.images, "--work-path", b.work, b.id)
    b.reap()
    b.restore()
    b.delete()


def test_cgroups_made_by_the_container():
    b = Subject("mkdir /sys/fs/cgroup/inner; echo 0 >/sys/fs/cgroup/inner/cgroup.procs; " + COUNT)
    b.config["mounts"][-1]["options"] = ["nosuid"]
    b.up()
    wait_for(lambda: b.count() >= 1)
    assert b.proc("cgroup").splitlines()[-1].endswith(b.id + "/inner")
    b.cycle()
    assert b.proc("cgroup").splitlines()[-1] == "0::/berth-test/%s/inner" % b.id
    b.delete()


def test_user_namespace():
    b = Subject()
    b.linux["namespaces"].append({"type": "user"})
    for k in ("uidMappings", "gidMappings"):
        b.linux[k] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    run("chown", "-R", "100000:100000", b.rootfs)
    os.chmod(bundle.TOP, 0o755)
    with open(b.path + "/out", "w") as f:
        os.fchmod(f.fileno(), 0o666)    # criu opens it again
    b.up()
    wait_for(lambda: b.count() >= 1)
    before = profile(b)
    b.cycle()
    same(before, profile(b))
    n = b.count()
    wait_for(lambda: b.count() > n)
    b.delete()


@needs("controllers", "ip6tables-restore")       # criu 4.1 fails with internet sockets on the kernel of bed 1
def test_open_connections():
    b = Subject("(while :; do echo x; sleep 0.1; done | busybox nc -l -p 77) & sleep 1; "
                "sleep 1000 | busybox nc 127.0.0.1 77 | while read x; do echo $x >>/tmp/received; done")
    b.up()
    size = lambda: os.path.getsize(b.rootfs + "/tmp/received") if os.path.exists(b.rootfs + "/tmp/received") else 0
    wait_for(lambda: size() >= 4)
    r = b.checkpoint(check=1)
    assert "tcp-established" in r.err, r
    n = size()
    wait_for(lambda: size() > n, what="data after the failed checkpoint")
    b.cycle("--tcp-established")
    n = size()
    wait_for(lambda: size() > n, what="data after the restore")
    b.delete()


def test_file_locks():
    b = Subject()
    b.process["args"] = ["/usr/bin/flock", "/tmp/lock", "sh", "-c", COUNT]
    b.config["mounts"].append({"destination": "/usr", "type": "bind", "source": "/usr", "options": ["bind", "ro"]})
    for name in ("lib", "lib64"):
        os.symlink("usr/" + name, b.rootfs + "/" + name)
    b.up()
    wait_for(lambda: b.count() >= 1)
    r = b.checkpoint(check=1)
    assert "lock" in r.err, r
    b.cycle("--file-locks")
    rt("exec", b.id, "/usr/bin/flock", "-n", "/tmp/lock", "true", check=1)
    b.delete()


def test_empty_network():
    b = Subject().up()
    wait_for(lambda: b.count() >= 1)
    b.cycle("--empty-ns", "network")
    assert os.readlink("/proc/%d/ns/net" % b.pid) != os.readlink("/proc/self/ns/net")
    assert "LOOPBACK" in rt("exec", b.id, "ip", "link").out
    b.delete()


def test_processes_of_exec_end():
    """They have a parent outside the container, so they are no part of the checkpoint."""
    b = Subject().up()
    wait_for(lambda: b.count() >= 1)
    with open(b.path + "/out", "ab") as out:
        p = subprocess.Popen([RUNTIME, "--root", ROOT, "exec", b.id, "sleep", "1000"], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    wait_for(lambda: len(json.loads(rt("ps", "--format", "json", b.id).out)) >= 2)
    wait_for(lambda: "sleep 1000" in rt("exec", b.id, "ps").out)
    b.cycle()
    assert p.wait(10) == 137
    assert "sleep 1000" not in rt("exec", b.id, "ps").out
    b.delete()


@needs("controllers")       # the kernel of bed 1 does not track memory
def test_pre_dump():
    b = Subject().up()
    wait_for(lambda: b.count() >= 2)
    rt("checkpoint", "--pre-dump", "--image-path", b.path + "/parent", "--work-path", b.work, "--network-lock", "nftables", b.id)
    assert b.state()["status"] == "running"
    r = rt("restore", "--detach", "--bundle", b.path, "--image-path", b.path + "/parent", "other", check=1)
    assert "descriptors.json" in r.err, r
    n = b.count()
    wait_for(lambda: b.count() > n)
    b.checkpoint("--parent-path", "../parent")
    b.reap()
    n = b.count()
    # How much is left for the second one depends on what a shell touches while it counts.
    assert os.readlink(b.images + "/parent") == "../parent"
    b.restore()
    wait_for(lambda: b.count() > n)
    b.delete()


@needs("controllers")
def test_limits_come_from_the_configuration():
    b = Subject()
    b.linux["resources"] = {"memory": {"limit": 64 << 20}, "pids": {"limit": 50}}
    b.up()
    wait_for(lambda: b.count() >= 1)
    b.checkpoint()
    b.reap()
    b.linux["resources"] = {"memory": {"limit": 48 << 20}, "pids": {"limit": 40}}
    b.save().restore()
    for name, value in (("memory.max", 48 << 20), ("pids.max", 40)):
        with open(CGROUP + "/berth-test/%s/%s" % (b.id, name)) as f:
            assert int(f.read()) == value
    with open(CGROUP + "/berth-test/%s/memory.current" % b.id) as f:
        assert int(f.read()) > 100000, "its memory is charged to somebody else"
    b.delete()


def test_options_of_shells_and_sockets():
    """What callers pass always changes nothing for a container that needs none of it."""
    b = Subject().up()
    wait_for(lambda: b.count() >= 2)
    b.checkpoint("--shell-job", "--ext-unix-sk", "--auto-dedup")
    b.reap()
    n = b.count()
    b.restore("--shell-job", "--ext-unix-sk", "--auto-dedup")
    wait_for(lambda: b.count() > n)
    b.delete()
