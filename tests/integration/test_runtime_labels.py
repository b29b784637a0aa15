# SPDX-License-Identifier: LGPL-2.1-or-later
"""SELinux labels in a kernel that has them, and attacks on how they are set. Debian's own AppArmor: ..._apparmor.py."""
import json
import os
import socket
import subprocess
import sys

import bundle
import falseproc
import outer_filter
import selinux
from attackers import with_python
from bundle import TOP, Bundle, ns_without, rt
from checkpoint import Subject
from harness import needs, run, timeout, wait_for

ONE = selinux.label("container_t", "s0:c1,c2")
OTHER = selinux.label("container_t", "s0:c1,c2,c5")
FILES = selinux.label("container_file_t", "s0:c1,c2")
HOST = selinux.label("host_t")
CURRENT = "/proc/self/attr/current"


def setup():
    bundle.start_tests()
    selinux.load(TOP)


def teardown():
    selinux.enforce(False)
    bundle.end_tests()


def labeled(*args, process=ONE, files=FILES, new=Bundle):
    """A bundle whose process and new file systems have a label; so have the files of its root and where it writes."""
    b = new(*args)
    b.process["selinuxLabel"] = process
    b.linux["mountLabel"] = files
    with open(b.path + "/out", "w"):
        pass
    os.makedirs(b.path + "/volume")
    with open(b.path + "/volume/file", "w") as f:
        f.write("content\n")
    selinux.set_label(b.rootfs, files)
    selinux.set_label(b.path + "/out", files)
    return b


def words(text):
    """Contexts end with a zero byte."""
    return text.replace("\0", "\n").split()


def volume(b, destination="/vol"):
    b.config["mounts"].append({"destination": destination, "source": b.path + "/volume", "options": ["rbind"]})
    return b


def process_file(b, **fields):
    with open(b.path + "/p.json", "w") as f:
        json.dump(dict({"args": ["cat", CURRENT], "cwd": "/", "env": ["PATH=/bin"]}, **fields), f)
    return b.path + "/p.json"


def user_namespace(b):
    b.linux["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        b.linux[key] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    run("chown", "-R", "100000:100000", b.rootfs)
    os.chmod(b.path, 0o755)
    os.chmod(TOP, 0o755)
    return b


def created(b):
    b.create().start()
    wait_for(lambda: "ready" in b.out())
    return b


# --- what is labeled ------------------------------------------------------------------------------------

@needs("vm", "selinux")
@timeout(120)
def test_label_of_payload_exec_and_hooks():
    selinux.enforce(True)
    for nnp in (False, True):
        b = labeled("sh", "-c", "cat %s; echo; cat /hook; echo ready; sleep 1000" % CURRENT)
        b.process["noNewPrivileges"] = nnp
        b.config["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "cat %s >/hook" % CURRENT]}]}
        created(b)
        assert words(b.out()) == [ONE, ONE, "ready"], b.out()
        assert words(rt("exec", b.id, "cat", CURRENT).out) == [ONE]
        assert words(rt("exec", "--process-label", OTHER, b.id, "cat", CURRENT).out) == [OTHER]
        assert words(rt("exec", "--process", process_file(b), b.id).out) == [ONE]
        assert words(rt("exec", "--process", process_file(b, selinuxLabel=OTHER), b.id).out) == [OTHER]
        b.delete()


@needs("vm", "selinux")
@timeout(120)
def test_label_of_new_file_systems():
    """All that the container is given new; neither what is bound nor the kernel's views."""
    selinux.enforce(False)
    for kind in ("plain", "user namespace", "read-only queues"):
        b = volume(labeled("sh", "-c", "echo x >/dev/shm/new; echo ready; sleep 1000"))
        b.config["mounts"].append({"destination": "/run", "type": "tmpfs", "source": "x"})
        if kind == "user namespace":
            user_namespace(b)
        if kind == "read-only queues":
            [m for m in b.config["mounts"] if m.get("type") == "mqueue"][0]["options"].append("ro")
        created(b)
        root = "/proc/%d/root" % b.pid
        labels = {p: selinux.label_of(root + p) for p in ("/dev", "/dev/shm", "/dev/shm/new", "/dev/pts", "/dev/pts/ptmx",
                                                          "/dev/mqueue", "/run", "/sys/firmware")}
        assert labels == {p: FILES for p in labels}, (kind, labels)
        if kind == "read-only queues":
            assert "ro," in [l for l in open("/proc/%d/mountinfo" % b.pid) if " /dev/mqueue " in l][0].split(" /dev/mqueue ")[1]
        else:
            # Nodes cannot be made in a user namespace: the host's is bound.
            assert selinux.label_of(root + "/dev/null") == (HOST if kind == "user namespace" else FILES)
        assert selinux.label_of(root + "/vol") == HOST and selinux.label_of(root + "/vol/file") == HOST
        for p in ("/proc", "/sys", "/sys/fs/cgroup"):
            assert selinux.label_of(root + p) == selinux.label("view_t"), (kind, p)
        b.delete()


@needs("vm", "selinux")
@timeout(120)
def test_queues_of_the_host_keep_their_label():
    selinux.enforce(False)
    before = selinux.label_of("/dev/mqueue")
    for namespace in (None, {"type": "ipc", "path": "/proc/1/ns/ipc"}):
        b = labeled("sh", "-c", "echo ran")
        ns_without(b, "ipc")
        if namespace:
            b.linux["namespaces"].append(namespace)
        assert b.run().out == "ran\n"
        assert selinux.label_of("/dev/mqueue") == before
    # One that is joined belongs to the containers that share it.
    first = created(labeled("sh", "-c", "echo ready; sleep 1000"))
    second = labeled("sh", "-c", "echo ready; sleep 1000", files=selinux.label("container_file_t", "s0:c1"))
    ns_without(second, "ipc")
    second.linux["namespaces"].append({"type": "ipc", "path": "/proc/%d/ns/ipc" % first.pid})
    created(second)
    assert selinux.label_of("/proc/%d/root/dev/mqueue" % second.pid) == selinux.label("container_file_t", "s0:c1")
    second.delete()
    first.delete()


@needs("vm", "selinux")
@timeout(60)
def test_context_among_the_options_of_a_mount():
    """It may have commas, and is in quotes then, as for mount(8). It goes before linux.mountLabel."""
    selinux.enforce(False)
    b = labeled("sh", "-c", "echo ready; sleep 1000")
    mine = selinux.label("container_file_t", "s0:c3,c4")
    for i, options in enumerate((['context="%s"' % mine, "size=1m"], ["size=1m", 'context="%s"' % mine],
                                 ["context=" + selinux.label("container_file_t", "s0:c3")], ['size=1m,context="%s",mode=700' % mine])):
        b.config["mounts"].append({"destination": "/m%d" % i, "type": "tmpfs", "source": "x", "options": options})
    created(b)
    root = "/proc/%d/root" % b.pid
    assert [selinux.label_of(root + "/m%d" % i) for i in range(4)] == [mine, mine, selinux.label("container_file_t", "s0:c3"), mine]
    assert os.stat(root + "/m3").st_mode & 0o777 == 0o700
    b.delete()


@needs("vm", "selinux")
@timeout(60)
def test_labels_without_the_new_mount_interface():
    """mount(2) takes the label in quotes, and that of the queues is set by the descriptor all the same."""
    selinux.enforce(False)
    b = labeled("sh", "-c", "echo ready; sleep 1000")
    b.config["mounts"].append({"destination": "/mine", "type": "tmpfs", "source": "x",
                               "options": ['context="%s"' % selinux.label("container_file_t", "s0:c3,c4")]})
    b.save()
    with open(b.path + "/out", "ab") as out:
        subprocess.run([sys.executable, os.path.abspath(outer_filter.__file__), outer_filter.MOUNT_API, bundle.RUNTIME, "--root",
                        bundle.ROOT, "create", "--bundle", b.path, "--pid-file", b.path + "/pid", b.id],
                       stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=100, check=True)
    with open(b.path + "/pid") as f:
        b.pid = int(f.read())
    rt("start", b.id)
    root = "/proc/%d/root" % b.pid
    for p in ("/dev", "/dev/shm", "/dev/pts", "/dev/mqueue", "/sys/firmware"):
        assert selinux.label_of(root + p) == FILES, p
    assert selinux.label_of(root + "/mine") == selinux.label("container_file_t", "s0:c3,c4")
    b.delete()


@needs("vm", "selinux")
@timeout(60)
def test_terminal_of_a_confined_payload():
    """Its terminal is one of the container's own devpts, labeled as that."""
    selinux.enforce(True)
    b = labeled("sh", "-c", "tty; echo typed >/dev/console; echo typed >/dev/tty; cat %s; sleep 1000" % CURRENT)
    b.process["terminal"] = True
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(b.path + "/console")
    listener.listen(2)
    b.create("--console-socket", b.path + "/console")
    master = bundle.receive_fd(listener.accept()[0])
    rt("start", b.id)
    data = bundle.read_until(master, ONE.encode())
    assert data.startswith(b"/dev/") and data.count(b"typed") == 2, data
    console = "/proc/%d/root/dev/console" % b.pid
    assert selinux.label_of(console) == FILES, selinux.label_of(console)
    path = process_file(b, terminal=True, args=["sh", "-c", "tty; cat " + CURRENT])
    rt("exec", "--process", path, "--console-socket", b.path + "/console", "--detach", "--pid-file", b.path + "/epid", b.id)
    master = bundle.receive_fd(listener.accept()[0])
    assert b"/dev/" in bundle.read_until(master, ONE.encode())
    with open(b.path + "/epid") as f:
        os.waitpid(int(f.read()), 0)
    b.delete()


KEY_LABEL = """
import ctypes
libc, text = ctypes.CDLL(None), ctypes.create_string_buffer(300)
n = libc.syscall(250, 17, -3, text, 300)
print("key:" + text.raw[:n - 1].decode() if n > 0 else "none", flush=True)
print("ready", flush=True)
"""


@needs("vm", "selinux")
@timeout(120)
def test_label_of_the_session_keyring():
    """Else a policy that lets containers use their own keys only takes the session keyring from them."""
    selinux.enforce(False)
    for userns in (False, True):
        b = with_python(labeled(sys.executable, "-c", KEY_LABEL + "import time; time.sleep(1000)"))
        if userns:
            user_namespace(b)
        created(b)
        assert words(b.out()) == ["key:" + ONE, "ready"], b.out()
        assert words(rt("exec", b.id, sys.executable, "-c", KEY_LABEL).out) == ["key:" + ONE, "ready"]
        assert words(rt("exec", "--process-label", OTHER, b.id, sys.executable, "-c", KEY_LABEL).out) == ["key:" + OTHER, "ready"]
        # What the payload makes has the label of the payload as always: nothing of this is left behind.
        assert words(rt("exec", b.id, "sh", "-c", "cat /proc/self/attr/keycreate /proc/self/attr/exec").out) == []
        b.delete()
    selinux.enforce(True)
    b = labeled()
    b.linux["maskedPaths"] = []
    assert "_ses" in b.sh("cat /proc/keys").out


def went_on(b):
    before = b.count()
    wait_for(lambda: b.count() > before)
    assert words(b.proc("attr/current")) == [ONE]


@needs("vm", "selinux", "criu")
@timeout(200)
def test_labels_of_a_restored_container():
    selinux.enforce(False)
    b = labeled(new=Subject).up()
    wait_for(lambda: b.count() >= 3)
    r = b.checkpoint(check=None)
    if r.code:
        # A criu without SELinux, as Debian's: what it restores would have the label of criu.
        assert r.code == 1 and "process.selinuxLabel" in r.err and "built without SELinux" in r.err, r
        assert not os.path.exists(b.images + "/inventory.img")
        went_on(b)
        b.delete()
        return
    b.reap()
    b.restore()
    went_on(b)
    assert selinux.label_of("/proc/%d/root/dev/shm" % b.pid) == FILES
    assert words(rt("exec", b.id, "cat", CURRENT).out) == [ONE]
    b.delete()


@needs("vm", "selinux", "criu")
@timeout(200)
def test_images_without_a_label_do_not_become_a_labeled_container():
    selinux.enforce(False)
    b = Subject().up()
    wait_for(lambda: b.count() >= 3)
    b.checkpoint()
    b.reap()
    b.process["selinuxLabel"] = ONE
    b.save()
    b.restore(check=1)
    assert "process.selinuxLabel" in b.out(), b.out()
    b.gone()


# --- what cannot be had -----------------------------------------------------------------------------------

@needs("vm", "selinux")
@timeout(120)
def test_bad_labels_leave_nothing():
    for enforcing in (False, True):
        selinux.enforce(enforcing)
        for bad in ("u:r:container_t", "u:r:nowhere_t:s0", "u:r:container_t:s0:c99", "nonsense", "u:r:host_t:s0:c2,c1x"):
            labeled("true", process=bad).fails('process.selinuxLabel: "%s"' % bad)
        for bad in ("u:object_r:container_file_t", "u:object_r:nowhere_t:s0", "x y"):
            b = labeled("true")
            b.linux["mountLabel"] = bad
            b.fails('linux.mountLabel: "%s"' % bad)
            b.config["mounts"] = []
            b.fails('linux.mountLabel: "%s"' % bad)
    b = created(labeled("sh", "-c", "echo ready; sleep 1000"))
    for bad in ("u:r:nowhere_t:s0", "nonsense"):
        r = rt("exec", "--process-label", bad, b.id, "true", check=255)
        assert 'selinuxLabel: "%s"' % bad in r.err, r
    assert words(rt("exec", b.id, "cat", CURRENT).out) == [ONE]
    b.delete()
    # A label for processes that the policy does not let us go to.
    b = labeled("true", process=selinux.label("container_file_t"))
    r = rt("run", "--bundle", b.save().path, b.id, check=None)
    assert r.code != 0 and r.err, r
    b.gone()


@needs("vm", "selinux")
@timeout(60)
def test_a_program_the_label_may_not_start():
    """other_t has no right to the files of the root: no entry point."""
    selinux.enforce(True)
    b = labeled("true", process=selinux.label("other_t"))
    r = rt("run", "--bundle", b.save().path, b.id, check=None)
    assert r.code == 1 and "exec true: permission denied" in r.err and "other_t" in r.err, r
    b.gone()


# --- attacks ----------------------------------------------------------------------------------------------

REACH = """
for f in /vol/file /theirs/file /mine/file; do cat $f >/dev/null 2>&1 && echo read $f; echo x >>$f && echo wrote $f; done
: >/vol/new && echo made /vol/new
"""


@needs("vm", "selinux")
@timeout(120)
def test_a_confined_payload_reaches_its_own_files_only():
    """Root in the container, no user namespace: files of the host and of other categories are out of reach."""
    selinux.enforce(True)
    for process, reached in ((ONE, {"read /mine/file", "wrote /mine/file"}),
                             (None, {"read /vol/file", "wrote /vol/file", "read /theirs/file", "wrote /theirs/file",
                                     "read /mine/file", "wrote /mine/file", "made /vol/new"})):
        b = volume(labeled("sh", "-c", REACH, process=process))
        if not process:
            del b.process["selinuxLabel"]
        for name, text in (("theirs", selinux.label("container_file_t", "s0:c1,c3")), ("mine", FILES)):
            os.makedirs("%s/%s" % (b.path, name))
            with open("%s/%s/file" % (b.path, name), "w") as f:
                f.write("host\n")
            selinux.set_label("%s/%s" % (b.path, name), text)
            b.config["mounts"].append({"destination": "/" + name, "source": "%s/%s" % (b.path, name), "options": ["rbind"]})
        assert set(b.run(check=None).out.splitlines()) == reached, process
        if process:
            continue
        # The same by exec in a container whose first process is not confined.
        b.process["args"] = ["sh", "-c", "echo ready; sleep 1000"]
        created(b)
        r = rt("exec", "--process-label", ONE, b.id, "sh", "-c", REACH, check=None)
        assert set(r.out.splitlines()) == {"read /mine/file", "wrote /mine/file"}, r
        b.delete()


@needs("vm", "selinux")
@timeout(200)
def test_no_label_lands_in_a_false_proc():
    """CVE-2019-16884, CVE-2025-52881: the label is taken on whatever /proc the image brings, and only by the kernel."""
    selinux.enforce(False)
    for b, tree in falseproc.bundles(labeled):
        b.process["args"] = ["sh", "-c", "cat /true/self/attr/current"]
        r = b.run(check=None)
        assert falseproc.written(tree) == [], (tree, falseproc.written(tree))
        assert words(r.out) == [ONE], r


@needs("vm", "selinux")
@timeout(200)
def test_files_over_parts_of_proc_do_not_take_the_label():
    selinux.enforce(False)
    for target, source in falseproc.COVERS:
        b = labeled("sh", "-c", "cat /true/self/attr/current")
        falseproc.cover(b, target, source)
        assert words(b.run().out) == [ONE], target
        assert falseproc.untouched(b), target


@needs("vm", "selinux")
@timeout(120)
def test_exec_into_a_container_with_a_false_proc():
    selinux.enforce(False)
    with falseproc.hostile(labeled()) as b:
        r = rt("exec", b.id, "cat", "/true/self/attr/current")
        assert words(r.out) == [ONE], r
        assert words(rt("exec", "--process-label", OTHER, b.id, "cat", "/true/self/attr/current").out) == [OTHER]
        assert falseproc.written(b.rootfs + "/false") == []


@needs("vm", "selinux")
@timeout(200)
def test_no_label_lands_in_the_visible_proc_if_it_is_false():
    """Where no procfs of our own can be made: the true one is good enough, no other is."""
    selinux.enforce(False)
    b = falseproc.without_private_proc(labeled())
    assert words(b.sh("cat " + CURRENT).out) == [ONE]
    for b, tree in falseproc.bundles(lambda: labeled("echo", "ran")):
        r = falseproc.without_private_proc(b).run(check=None)
        assert r.code == 1 and not r.out and "cannot be applied" in r.err, (tree, r)
        assert falseproc.written(tree) == []
    for target, source in falseproc.COVERS:
        b = labeled("cat", "/true/self/attr/current")
        falseproc.cover(b, target, source)
        r = falseproc.without_private_proc(b).run(check=None)
        assert words(r.out) == [ONE] or r.code == 1, (target, r)
        assert falseproc.untouched(b), target
    with falseproc.hostile(labeled(), falseproc.without_private_proc) as b:
        for options in ((), ("--process-label", OTHER)):
            r = rt("exec", *options, b.id, "echo", "ran", check=255)
            assert not r.out and "cannot be applied" in r.err, r
        assert falseproc.written(b.rootfs + "/false") == []


@needs("vm", "selinux")
@timeout(60)
def test_without_labels_nothing_changes():
    """SELinux is on, and config.json has nothing to say about it."""
    for enforcing in (False, True):
        selinux.enforce(enforcing)
        b = Bundle()
        assert words(b.sh("cat %s" % CURRENT).out) == [selinux.label("kernel_t")]
        b = Bundle()
        b.process["selinuxLabel"], b.linux["mountLabel"] = "", ""
        assert words(b.sh("cat %s" % CURRENT).out) == [selinux.label("kernel_t")]
        lx = json.loads(rt("features").out)["linux"]
        assert lx["selinux"] == {"enabled": True} and lx["apparmor"] == {"enabled": True}, lx
        b = Bundle("true")
        b.process["apparmorProfile"] = "some"
        b.fails("process.apparmorProfile")
