# SPDX-License-Identifier: LGPL-2.1-or-later
"""What berth-runtime checkpoint and restore refuse, and that a failure leaves no mess."""
import json
import os
import shutil
import socket
import subprocess

import bundle
from bundle import CGROUP, ROOT, RUNTIME, rt
from checkpoint import COUNT, IDLE, Subject, network_works, reap_some, without
from harness import bed, needs, run, wait_for


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


def test_failed_checkpoint_leaves_it_running():
    b = Subject("cat </tmp/in >/dev/null & " + COUNT)
    os.mkfifo(b.rootfs + "/tmp/in")
    # A file of the host as descriptor 7 is nothing that can be saved.
    b.save()
    with open(b.path + "/foreign", "w") as foreign:
        fd = foreign.fileno()
        b.create("--preserve-fds", "1", preexec_fn=lambda: os.dup2(fd, 3), pass_fds=(3,)).start()
    wait_for(lambda: b.count() >= 1)
    r = b.checkpoint(check=1)
    assert "criu failed" in r.err and "dump.log: (criu/" in r.err and "foreign" in r.err, r
    assert not os.path.exists(b.images), "a directory made for nothing"
    assert b.state()["status"] == "running"
    n = b.count()
    wait_for(lambda: b.count() > n)
    with open(CGROUP + "/berth-test/%s/cgroup.freeze" % b.id) as f:
        assert f.read() == "0\n"
    # One that is there already stays, with nothing in it that makes a checkpoint.
    os.mkdir(b.images)
    with open(b.images + "/mine", "w"):
        pass
    b.checkpoint(check=1)
    assert "mine" in os.listdir(b.images)
    assert not {"inventory.img", "descriptors.json"} & set(os.listdir(b.images)), os.listdir(b.images)
    shutil.rmtree(b.images)
    rt("checkpoint", "--network-lock", "nftables", "--image-path", b.images, b.id, check=1)
    assert os.listdir(b.images) == ["dump.log"], "without --work-path only the log stays"
    assert b.state()["status"] == "running"
    b.delete()


def test_failed_restore_leaves_nothing():
    b = Subject().up()
    wait_for(lambda: b.count() >= 1)
    b.checkpoint()
    b.reap()
    os.rename(b.images + "/inventory.img", b.path + "/inventory")
    b.restore(check=1)
    assert "there is no inventory.img" in b.out()
    b.gone()
    os.rename(b.path + "/inventory", b.images + "/inventory.img")
    for name in ("core-1.img", "cgroup.img", "fs-1.img"):
        os.rename(b.images + "/" + name, b.path + "/away")
        with open(b.images + "/" + name, "wb") as f:
            f.write(b"\0" * 100)
        b.restore(check=1)
        assert "criu failed" in b.out() and "restore.log: (criu/" in b.out(), b.out()
        b.gone()
        assert not os.path.exists(b.path + "/pid") or int(open(b.path + "/pid").read()) == b.pid
        os.rename(b.path + "/away", b.images + "/" + name)
    b.config["mounts"].append({"destination": "/gone", "type": "bind", "source": "/nothing/there", "options": ["bind"]})
    b.save().restore(check=1)
    assert "/nothing/there" in b.out()
    b.gone()
    b.config["mounts"].pop()
    b.save().restore()
    n = b.count()
    wait_for(lambda: b.count() > n)
    assert "already exists" in rt("restore", "--detach", "--bundle", b.path, "--image-path", b.images, b.id, check=1).err
    assert b.state()["status"] == "running"
    b.delete()


def test_killed_restore_can_be_deleted():
    """At several moments. criu is in the container's cgroup, so delete ends it too."""
    b = Subject().up()
    wait_for(lambda: b.count() >= 1)
    b.checkpoint()
    b.reap()
    for delay in (0.0, 0.01, 0.03, 0.06, 0.1, 0.15):
        with open(b.path + "/out", "ab") as out:
            p = subprocess.Popen([RUNTIME, "--root", ROOT, "restore", "--detach", "--bundle", b.path, "--image-path", b.images, b.id],
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            p.wait(delay)
        except subprocess.TimeoutExpired:
            p.kill()
        p.wait()
        rt("delete", "--force", b.id)
        b.gone()
        wait_for(lambda: not reap_some(), what="criu to end")
    b.restore()
    n = b.count()
    wait_for(lambda: b.count() > n)
    b.delete()


def test_killed_criu_is_an_error():
    """The container runs on, and a half restored one goes."""
    b = Subject().up()
    wait_for(lambda: b.count() >= 1)
    with open(b.path + "/fake", "w") as f:
        f.write("#!/bin/sh\nkill -9 $$\n")
    os.chmod(b.path + "/fake", 0o755)
    os.mkdir(b.path + "/path")
    os.rename(b.path + "/fake", b.path + "/path/criu")
    env = {"PATH": b.path + "/path:/usr/sbin:/usr/bin"}
    r = b.checkpoint(check=1, env=env)
    assert "criu ended without an answer" in r.err, r
    assert b.state()["status"] == "running" and not os.path.exists(b.images)
    b.checkpoint()
    b.reap()
    b.restore(check=1, env=env)
    assert "criu ended without an answer" in b.out(), b.out()
    b.gone()
    with open(b.path + "/path/criu", "w") as f:
        f.write("#!/bin/sh\necho 'something else' >&3; sleep 0.1\n")
    b.restore(check=1, env=env)
    assert "answer of criu" in b.out(), b.out()
    b.gone()


@bed("trixie-peers")        # has iptables and nftables
def test_network_lock():
    b = Subject().up()
    for method in ("iptables", "nftables", "skip"):
        b.checkpoint("--network-lock", method)
        b.reap()
        b.restore()
        assert network_works(b), method
    r = without("ip6tables-restore", "checkpoint", "--network-lock", "iptables", "--image-path", b.images, b.id, check=1)
    assert "ip6tables" in r.err, r
    without("ip6tables-restore", "checkpoint", "--image-path", b.images, b.id)
    b.reap()
    b.restore()
    assert network_works(b)
    b.delete()


def test_what_is_refused():
    b = Subject().create()
    assert "created state" in b.checkpoint(check=1).err
    b.start()
    assert "--empty-ns ipc is not supported" in b.checkpoint("--empty-ns=ipc", check=1).err
    assert "--lazy-pages needs --page-server" in b.checkpoint("--lazy-pages", check=1).err
    lazy = ("--lazy-pages", "--page-server=127.0.0.1:1")
    assert "exclude each other" in b.checkpoint(*lazy, "--pre-dump", check=1).err
    for server in ("1.2.3.4", ":1", "1.2.3.4:", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3.4:x"):
        assert "expected ADDRESS:PORT" in b.checkpoint("--page-server", server, check=1).err, server
    assert "needs it" in b.checkpoint("--status-fd=1", check=1).err
    for fd in ("-1", "x", "99999999999"):
        assert "expected the number" in b.checkpoint(*lazy, "--status-fd=" + fd, check=1).err
    assert "--status-fd 77: bad file descriptor" in b.checkpoint(*lazy, "--status-fd=77", check=1).err
    with open("/dev/null") as null:
        assert "not open for writing" in b.checkpoint(*lazy, "--status-fd=0", check=1, stdin=null).err
    assert "expected iptables" in b.checkpoint("--network-lock=none", check=1).err
    assert "relative" in b.checkpoint("--parent-path", "/abs", check=1).err
    r = b.checkpoint("--parent-path", "../none", check=1)
    assert "--parent-path ../none (relative to" in r.err and "no such file" in r.err and not os.path.exists(b.images), r
    os.mkdir(b.path + "/none")
    assert "--parent-path ../none: there is no inventory.img" in b.checkpoint("--parent-path", "../none", check=1).err
    assert "unknown option --unknown; usage: berth-runtime checkpoint" in b.checkpoint("--unknown", check=1).err
    assert "does not exist" in rt("checkpoint", "nobody", check=1).err
    assert not os.path.exists(b.images) and b.state()["status"] == "running"
    r = without("criu", "checkpoint", "--image-path", b.images, b.id, check=1)
    assert "need the package criu" in r.err, r
    assert b.state()["status"] == "running" and not os.path.exists(b.images)
    b.delete()


@needs("controllers")       # the file systems of bed 1 cannot be id-mapped
def test_id_mapped_mounts_are_refused():
    b = Subject()
    one = [{"containerID": 0, "hostID": 1, "size": 1}]
    b.config["mounts"].append({"destination": "/m", "type": "bind", "source": b.path, "options": ["bind", "idmap"],
                               "uidMappings": one, "gidMappings": one})
    b.up()
    r = b.checkpoint(check=1)
    assert "id-mapped mount /m" in r.err and not os.path.exists(b.images), r
    b.delete()


def test_help_of_every_command():
    listed = [line.split()[0] for line in rt("--help").out.split("COMMANDS:")[1].split("GLOBAL OPTIONS:")[0].splitlines() if line]
    assert "checkpoint" in listed and len(listed) >= 17, listed
    for c in listed:
        r = rt(c, "--help")
        lines = r.out.splitlines()
        assert lines[0] == "NAME:" and lines[1].startswith("   berth-runtime %s - " % c) and not r.err, r
        assert "Usage: berth-runtime [OPTION...] %s" % c in r.out, r
    assert "--tcp-established" in rt("checkpoint", "--help").out and "--console-socket" in rt("restore", "-h").out


def test_no_cgroup():
    """What criu would freeze then is the caller's cgroup, or all there are."""
    b = Subject(IDLE)
    del b.linux["cgroupsPath"]
    b.linux["resources"] = {}
    b.save()
    with open(b.path + "/out", "ab") as out:
        subprocess.run([RUNTIME, "--root", ROOT, "--cgroup-manager", "disabled", "run", "--detach", "--bundle", b.path, "--pid-file", b.path + "/pid", b.id],
                       stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=30, check=True)
    b.pid = int(open(b.path + "/pid").read())
    refused(b, "without a cgroup of its own")
    assert not os.path.exists(b.images)
    rt("delete", "--force", b.id)
    b.reap()


def test_another_criu():
    """--criu, as older callers of runc say."""
    b = Subject(IDLE).up()
    r = run(RUNTIME, "--root", ROOT, "--criu", b.path + "/none", "checkpoint", b.id, check=1)
    assert "--criu %s/none: no such file" % b.path in r.err, r
    r = run(RUNTIME, "--root", ROOT, "--criu", "criu-of-nobody", "checkpoint", b.id, check=1)
    assert "criu-of-nobody is not on PATH" in r.err, r
    with open(b.path + "/criu", "w") as f:
        f.write("#!/bin/sh\ntouch %s/called\nexec %s \"$@\"\n" % (b.path, shutil.which("criu", path="/usr/sbin:/usr/bin")))
    os.chmod(b.path + "/criu", 0o755)
    run(RUNTIME, "--root", ROOT, "--criu", b.path + "/criu", "checkpoint", "--image-path", b.images, b.id)
    assert os.path.exists(b.path + "/called")
    b.reap()
    b.restore()
    b.delete()


def refused(b, text, *options):
    r = b.checkpoint(*options, check=1)
    assert text in r.err, r
    assert b.state()["status"] == "running"


def test_image_directories_of_others():
    """Who can change images can do anything as root, so nobody else may."""
    b = Subject(IDLE).up()
    os.mkdir(b.images)
    for uid, gid, mode in ((1000, 0, 0o755), (0, 0, 0o757), (0, 0, 0o1777), (0, 1000, 0o770)):
        os.chown(b.images, uid, gid)
        os.chmod(b.images, mode)
        refused(b, b.images + (" belongs to user 1000" if uid else ": others may write there"))
    os.chown(b.images, 0, 0)
    os.chmod(b.images, 0o700)
    os.mkdir(b.work)
    os.chmod(b.work, 0o777)
    refused(b, b.work + ": others may write there")
    os.chmod(b.work, 0o1777)        # as /tmp
    b.checkpoint("--leave-running")
    rt("delete", "--force", b.id)
    b.reap()
    os.chown(b.images, 1000, 0)
    b.restore(check=1)
    assert "belongs to user 1000" in b.out(), b.out()
    b.gone()
    os.chown(b.images, 0, 0)
    b.restore()
    b.delete()


def test_images_that_are_no_files():
    """A checkpoint would write through them, a restore read from elsewhere or hang."""
    b = Subject(IDLE).up()
    victim = b.path + "/victim"
    with open(victim, "w") as f:
        f.write("precious")
    os.mkdir(b.images)
    for make in (lambda p: os.symlink(victim, p), os.mkfifo, os.mkdir):
        path = b.images + "/pages-1.img"
        make(path)
        refused(b, path + " is no regular file")
        (os.rmdir if os.path.isdir(path) and not os.path.islink(path) else os.unlink)(path)
    b.checkpoint("--leave-running")
    rt("delete", "--force", b.id)
    b.reap()
    b.save()
    for name in ("core-1.img", "inventory.img"):
        os.rename(b.images + "/" + name, b.path + "/moved")
        os.symlink("../moved", b.images + "/" + name)
        b.restore(check=1)
        assert b.images + "/" + name + " is no regular file" in b.out(), b.out()
        b.gone()
        os.replace(b.path + "/moved", b.images + "/" + name)
    with open(victim) as f:
        assert f.read() == "precious"
    b.restore()
    b.delete()


def test_logs_that_lead_elsewhere():
    """criu opens them for writing, and follows links."""
    b = Subject().up()
    victims = [b.path + "/victim%d" % i for i in range(3)]
    for v in victims:
        with open(v, "w") as f:
            f.write("precious")
    intact = lambda: all(open(v).read() == "precious" for v in victims)
    os.mkdir(b.work)
    os.symlink(victims[0], b.work + "/dump.log")
    os.link(victims[1], b.work + "/stats-dump")
    os.symlink(victims[2], b.work + "/restore.log")
    b.checkpoint()
    b.reap()
    assert intact() and not os.path.islink(b.work + "/dump.log")
    os.symlink(victims[0], b.images + "/restore.log")
    os.symlink(victims[1], b.images + "/stats-restore")
    b.restore()
    assert intact() and not os.path.islink(b.work + "/restore.log") and os.path.getsize(b.work + "/restore.log") > 0
    b.delete()
    b.reap()
    b.work = b.images
    b.restore()
    assert intact() and not os.path.islink(b.images + "/restore.log") and os.path.getsize(b.images + "/restore.log") > 0
    b.delete()


def test_false_descriptors():
    """The one file there that we read ourselves."""
    b = Subject().up()
    b.checkpoint()
    b.reap()
    path = b.images + "/descriptors.json"
    with open(path) as f:
        good = f.read()
    for bad in ("", "{}", "[]", '["","",""', '["","",1]', '["","","",""]', "[" * 5000, '["pipe:[1\\u0000]","",""]', " " * 70000,
                json.dumps(["pipe:[" + "1" * 5000 + "]", "", ""])):
        with open(path, "w") as f:
            f.write(bad)
        b.restore(check=1)
        assert "read %s: " % path in b.out(), b.out()
        b.gone()
    os.unlink(path)
    for make in (lambda: os.symlink("/etc/passwd", path), lambda: os.mkfifo(path), lambda: os.mkdir(path)):
        make()
        b.restore(check=1)
        assert "descriptors.json" in b.out().splitlines()[-1], b.out()
        b.gone()
        (os.rmdir if os.path.isdir(path) and not os.path.islink(path) else os.unlink)(path)
    with open(path, "w") as f:
        f.write(good)
    b.restore()
    b.delete()


def test_image_directory_exchanged():
    """Between the look at it and criu's start: a criu that is slow to be found does not see another one."""
    b = Subject().up()
    b.checkpoint()
    b.reap()
    other = b.path + "/other"
    shutil.copytree(b.images, other)
    # A hook would be too late; the page daemon's absence holds the restore in between.
    with open(b.path + "/out", "ab") as out:
        p = subprocess.Popen([RUNTIME, "--root", ROOT, "restore", "--detach", "--lazy-pages", "--bundle", b.path, "--image-path", b.images,
                              "--work-path", b.work, b.id], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    wait_for(lambda: "inotify" in os.popen("ls -l /proc/%d/fd 2>/dev/null" % p.pid).read(), what="restore to wait")
    os.rename(b.images, b.path + "/first")
    os.rename(other, b.images)
    s = socket.socket(socket.AF_UNIX)
    s.bind(b.work + "/lazy-pages.socket")
    assert p.wait(20) == 1 and "%s became another directory meanwhile" % b.images in b.out(), b.out()
    b.gone()
    os.unlink(b.work + "/lazy-pages.socket")
    # Nobody else's socket gets the memory.
    s = socket.socket(socket.AF_UNIX)
    s.bind(b.work + "/lazy-pages.socket")
    os.chown(b.work + "/lazy-pages.socket", 1000, 1000)
    b.restore("--lazy-pages", check=1)
    assert "is no socket of ours" in b.out(), b.out()
    b.gone()
