# SPDX-License-Identifier: LGPL-2.1-or-later
"""False /proc, /dev and mounts in the way of what the runtime writes, masks and binds."""
import json
import os
import socket
import time

import bundle
from attackers import Running, attacker
from bundle import ROOT, RUNTIME, TOP, Bundle, receive_fd, rt
from harness import measures_memory, run

OUTSIDE = TOP + "/outside"


def setup():
    bundle.start_tests()
    os.makedirs(OUTSIDE)
    with open(OUTSIDE + "/file", "w") as f:
        f.write("host\n")


def teardown():
    bundle.end_tests()


def value(key):
    with open("/proc/sys/" + key) as f:
        return f.read().strip()


def false_proc(root):
    """A tree that looks like procfs to who only looks at names; every file would show a write to it."""
    for d in ("self/attr/apparmor", "thread-self/attr", "1/attr", "sys/net/ipv4", "sys/kernel", "self/fd"):
        os.makedirs(root + "/" + d)
    for f in ("self/oom_score_adj", "self/attr/exec", "self/attr/apparmor/exec", "self/uid_map", "sys/net/ipv4/ip_forward",
              "sys/kernel/msgmax", "self/mountinfo", "self/status"):
        with open(root + "/" + f, "w"):
            pass
    os.symlink("/proc/sys/kernel/core_pattern", root + "/sys/kernel/sem")


def written(root):
    return [d + "/" + f for d, _, files in os.walk(root) for f in files
            if not os.path.islink(d + "/" + f) and os.stat(d + "/" + f).st_size > 0]


def settings(b):
    b.process["oomScoreAdj"] = 321
    b.linux["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.msgmax": "9999", "kernel.sem": "10 20 30 40"}


def without(b, *destinations):
    b.config["mounts"] = [m for m in b.config["mounts"] if m["destination"] not in destinations]


def host_state():
    return value("kernel/core_pattern"), value("kernel/msgmax"), value("kernel/sem"), value("net/ipv4/ip_forward")


def test_no_setting_lands_in_a_false_proc():
    before = host_state()
    # The image's own tree, with no procfs at all; a bind of such a tree; a tmpfs filled from it; over the real one.
    for kind in ("image", "bind", "tmpfs", "over"):
        b = Bundle("cat", "/etc/hostname")
        with open(b.rootfs + "/etc/hostname", "w") as f:
            f.write("ran\n")
        settings(b)
        tree = b.path + "/tree" if kind == "bind" else b.rootfs + "/proc"
        false_proc(tree)
        if kind != "over":
            without(b, "/proc")
        if kind == "bind":
            b.config["mounts"].append({"destination": "/proc", "source": tree, "options": ["rbind"]})
        if kind == "tmpfs":
            b.config["mounts"].append({"destination": "/proc", "type": "tmpfs", "source": "x", "options": ["tmpcopyup"]})
        b.linux["readonlyPaths"], b.linux["maskedPaths"] = [], ["/proc/self/status"]
        r = b.run(check=None)
        assert r.code != 0 or r.out == "ran\n", r
        assert written(tree) == [], (kind, written(tree))
        assert host_state() == before, kind


def test_settings_take_effect_behind_a_false_proc():
    """They are not lost either: a second, true procfs elsewhere shows them."""
    b = Bundle("sh", "-c", "cat /true/self/oom_score_adj /true/sys/kernel/msgmax /true/sys/net/ipv4/ip_forward")
    settings(b)
    false_proc(b.rootfs + "/proc")
    without(b, "/proc")
    b.linux["readonlyPaths"], b.linux["maskedPaths"] = [], []
    b.config["mounts"].append({"destination": "/true", "type": "proc", "source": "proc"})
    assert b.run().out.split() == ["321", "9999", "1"]


def test_mounts_over_parts_of_proc():
    """CVE-2019-19921, CVE-2025-52881: files of procfs on other files of procfs."""
    before = host_state()
    for target, source in (("/proc/self", "/proc/sys"), ("/proc/sys", OUTSIDE), ("/proc/self/attr", "/proc/sys/kernel"),
                           ("/proc/self/oom_score_adj", "/proc/sys/kernel/core_pattern"), ("/proc/self/attr/exec", OUTSIDE + "/file"),
                           ("/proc/sys/kernel/msgmax", "/proc/sys/kernel/core_pattern"), ("/proc/thread-self", OUTSIDE)):
        b = Bundle("true")
        settings(b)
        b.config["mounts"].append({"destination": target, "source": source, "options": ["rbind"]})
        b.run(check=None)
        assert host_state() == before, target
        with open(OUTSIDE + "/file") as f:
            assert f.read() == "host\n", target
        assert os.listdir(OUTSIDE) == ["file"], target


def test_proc_and_sys_must_be_directories():
    for name in ("proc", "sys"):
        for make in ("link", "file", "fifo", "deep"):
            b = Bundle("true")
            os.rmdir(b.rootfs + "/" + name)
            if make == "link":
                os.symlink("../" * 12 + OUTSIDE, b.rootfs + "/" + name)
            elif make == "file":
                open(b.rootfs + "/" + name, "w").close()
            elif make == "fifo":
                os.mkfifo(b.rootfs + "/" + name)
            else:
                # Not the last component: /proc below a link.
                os.mkdir(b.rootfs + "/" + name)
                os.symlink("/tmp", b.rootfs + "/d")
                b.config["mounts"].append({"destination": "/d/proc", "type": "proc", "source": "proc"})
            b.fails("/")
    assert os.listdir(OUTSIDE) == ["file"]


def test_exec_in_a_container_with_another_proc():
    """The container's root mounts over its own /proc: what exec sets must not land there."""
    b = attacker("import ctypes,time; c = ctypes.CDLL(None); c.mount(b'x', b'/proc', b'tmpfs', 0, None);"
                 "import os; os.makedirs('/proc/self/attr'); os.makedirs('/proc/self/fd');"
                 "[open('/proc/self/' + n, 'w').close() for n in ('oom_score_adj', 'attr/exec')];"
                 "[os.mkfifo('/proc/self/fd/%d' % n) for n in range(40)]; print('ready'); time.sleep(1000)", caps=["CAP_SYS_ADMIN"])
    b.process["oomScoreAdj"] = 77
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(b.path + "/console")
    listener.listen(1)
    with Running(b):
        r = rt("exec", b.id, "sh", "-c", "cat /proc/self/oom_score_adj; ls -l /proc/self/attr/exec")
        assert " 0 " in r.out and "77" not in r.out, r
        # The terminal is opened without /proc; pipes there would be waited for.
        rt("exec", "--tty", "--detach", "--console-socket", b.path + "/console", "--pid-file", b.path + "/exec-pid", b.id,
           "tty", timeout=10)
        connection, _ = listener.accept()
        master = receive_fd(connection)
        assert b"/dev/pts/" in bundle.read_until(master, b"/dev/pts/")
        os.close(master)
        connection.close()
        # Ours by inheritance, and its pid namespace waits for it to be reaped.
        with open(b.path + "/exec-pid") as f:
            os.waitpid(int(f.read()), 0)
    listener.close()


def terminal(b, text):
    """create with a terminal must fail and say text."""
    b.process["terminal"] = True
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(b.path + "/console")
    listener.listen(1)
    b.save()
    r = rt("create", "--bundle", b.path, "--console-socket", b.path + "/console", b.id, check=None, timeout=10)
    listener.close()
    if r.code == 0:
        rt("delete", "--force", b.id)
    b.gone()
    assert text is None or (r.code != 0 and text in r.err), r
    return r


def test_false_console_and_multiplexer():
    """CVE-2025-52565: /dev/pts, /dev/pts/ptmx and /dev/console of the image's making."""
    before = os.stat("/dev/null")
    b = Bundle("true")
    without(b, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
    os.symlink("../" * 12 + OUTSIDE, b.rootfs + "/dev/pts")
    terminal(b, "/dev/pts")
    b = Bundle("true")
    b.config["mounts"].append({"destination": "/dev/pts/ptmx", "source": "/dev/null", "options": ["bind"]})
    terminal(b, "multiplexer")
    for target in ("../" * 12 + OUTSIDE + "/file", "/proc/sys/kernel/core_pattern", "null", "/proc/self/fd/0", "console"):
        b = Bundle("true")
        without(b, "/dev", "/dev/shm", "/dev/mqueue")
        os.mkdir(b.rootfs + "/dev/pts")
        os.symlink(target, b.rootfs + "/dev/console")
        terminal(b, "/dev/console")
    b = Bundle("true")
    without(b, "/dev", "/dev/shm", "/dev/mqueue")
    os.mkdir(b.rootfs + "/dev/pts")
    os.mkdir(b.rootfs + "/dev/console")
    terminal(b, "/dev/console")
    with open(OUTSIDE + "/file") as f:
        assert f.read() == "host\n"
    after = os.stat("/dev/null")
    assert (after.st_uid, after.st_mode, after.st_ctime_ns) == (before.st_uid, before.st_mode, before.st_ctime_ns)


def test_masks_cannot_be_emptied_by_the_images_dev():
    """CVE-2025-31133: the null device for masks is the host's, verified, not the one in the root."""
    for make in ("link", "file", "missing"):
        b = Bundle("sh", "-c", "cat /secret; cat /proc/keys; true")
        without(b, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
        with open(b.rootfs + "/secret", "w") as f:
            f.write("secret\n")
        if make == "link":
            os.symlink("/secret", b.rootfs + "/dev/null")
        elif make == "file":
            with open(b.rootfs + "/dev/null", "w") as f:
                f.write("secret\n")
        b.linux["maskedPaths"] += ["/secret"]
        r = b.run(check=None)
        assert "secret" not in r.out and (make != "missing" or r.code == 0), r


def test_odd_masks_and_readonly_paths():
    for paths in (["/proc/self/fd/3"], ["/proc/1/root"], ["/proc/self/cwd"], ["/proc/self/exe"], ["/../../../../../etc"],
                  ["../.." + OUTSIDE], ["/"], [""], ["."], ["/proc/self/root/../.." + OUTSIDE], ["/" + "a/" * 2000], ["x" * 5000]):
        for key in ("maskedPaths", "readonlyPaths"):
            b = Bundle("true")
            b.linux[key] = paths
            with open("/proc/self/mountinfo") as f:
                before = f.read()
            b.run(check=None)
            with open("/proc/self/mountinfo") as f:
                assert f.read() == before, (key, paths)
            with open(OUTSIDE + "/file", "a") as f:
                assert f.tell() == 5


def test_odd_mount_targets():
    shown = os.listdir("/")
    for destination in ("/", "//", "/.", "/..", "/../../..", "/proc/self/fd/3", "/proc/self/root", "/proc/1/cwd", "/proc/self/exe",
                        "../../.." + OUTSIDE, "/a/../../../.." + OUTSIDE, "/" + "x" * 300, "/" + "d/" * 300, "/proc/self/task"):
        for kind in ("tmpfs", "bind"):
            b = Bundle("sh", "-c", "ls /; cat %s/file" % OUTSIDE)
            os.makedirs(b.path + "/volume/volume-content")
            mount = {"destination": destination, "source": b.path + "/volume", "options": ["rbind"]}
            if kind == "tmpfs":
                mount = {"destination": destination, "type": "tmpfs", "source": "x"}
            b.config["mounts"].append(mount)
            before = os.listdir(OUTSIDE)
            r = b.run(check=None)
            assert os.listdir(OUTSIDE) == before and os.listdir("/") == shown, (destination, kind)
            assert not {"host", "boot", "srv"} & set(r.out.split()), (destination, kind, r)


@measures_memory
def test_large_and_deep_configurations_end_soon():
    """8 MiB of config.json, nesting, many entries: an answer in time, in bounded memory."""
    def bounded(text, what):
        b = Bundle("true")
        b.save()
        with open(b.path + "/config.json", "w") as f:
            f.write(text)
        start = time.monotonic()
        r = run("prlimit", "--as=%d" % (512 << 20), RUNTIME, "--root", ROOT, "run", "--bundle", b.path, b.id, check=None, timeout=20)
        assert 0 < r.code < 128 and r.err, (what, r)
        assert time.monotonic() - start < 10, what
        b.gone()
    bounded("[" * (7 << 20), "nested arrays")
    bounded('{"a":' * (1 << 20), "nested objects")
    bounded('"' + "x" * (9 << 20) + '"', "too large")
    bounded("", "empty")
    bounded('{"ociVersion":"1.0.2","x":[' + "1," * 3000000 + "1]}", "many numbers")
    bounded('{"ociVersion":"1.0.2",' + ",".join('"k%d":0' % i for i in range(400000)) + "}", "many keys")
    for key, items in (("mounts", [{"destination": "/m", "type": "tmpfs", "source": "x"}] * 100000),
                       ("hooks", {"prestart": [{"path": "/x"}] * 100000})):
        b = Bundle("true")
        b.config[key] = items
        bounded(json.dumps(b.config), key)
    b = Bundle("true")
    b.process["additionalGids"] = list(range(100000))
    b.process["user"]["additionalGids"] = list(range(100000))
    bounded(json.dumps(b.config), "groups")
    b = Bundle("true")
    b.process["args"] = ["true"] + ["x" * 100] * 60000
    bounded(json.dumps(b.config), "arguments")


def test_config_that_is_no_file():
    for make in ("fifo", "directory", "device", "link"):
        b = Bundle("true")
        if make == "fifo":
            os.mkfifo(b.path + "/config.json")
        elif make == "directory":
            os.mkdir(b.path + "/config.json")
        else:
            os.symlink("/dev/zero" if make == "device" else "config.json", b.path + "/config.json")
        r = rt("create", "--bundle", b.path, b.id, check=None, timeout=10)
        assert r.code != 0 and "config.json" in r.err, (make, r)
        b.gone()


def test_passwd_of_the_image():
    """HOME is looked up in it by the runtime, in the container."""
    for make in ("fifo", "zero", "deep", "huge", "directory", "outside"):
        b = Bundle("sh", "-c", "echo $HOME")
        os.unlink(b.rootfs + "/etc/passwd")
        if make == "fifo":
            os.mkfifo(b.rootfs + "/etc/passwd")
        elif make == "directory":
            os.mkdir(b.rootfs + "/etc/passwd")
        elif make == "huge":
            with open(b.rootfs + "/etc/passwd", "w") as f:
                f.truncate(1 << 33)
        else:
            target = {"zero": "/dev/zero", "deep": "/etc/passwd", "outside": "../" * 12 + "etc/passwd"}[make]
            os.symlink(target, b.rootfs + "/etc/passwd")
        r = b.run(timeout=10)
        assert r.out.strip() in ("/", ""), (make, r)
