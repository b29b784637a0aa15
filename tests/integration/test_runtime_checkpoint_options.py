# SPDX-License-Identifier: LGPL-2.1-or-later
"""Options of berth-runtime checkpoint and restore that say what may be outside: without them it fails, with them it works."""
import os
import pty
import socket
import subprocess
import tempfile

import bundle
from bundle import ROOT, RUNTIME, ns_without, read_until, rt
from checkpoint import COUNT, IDLE, Subject, profile, same
from harness import needs, wait_for


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()
    for name in CONFIGS:
        if os.path.exists(name):
            os.unlink(name)


def with_programs(b):
    """The host's programs in the container."""
    b.config["mounts"].append({"destination": "/usr", "type": "bind", "source": "/usr", "options": ["bind", "ro"]})
    for name in ("lib", "lib64"):
        os.symlink("usr/" + name, b.rootfs + "/" + name)
    return b


def python(script):
    b = with_programs(Subject())
    b.process["args"] = ["/usr/bin/python3", "-c", script]
    return b


def test_ext_unix_sk():
    """A socket of the host that the container sends to."""
    host = tempfile.mkdtemp(prefix="host-", dir=bundle.TOP)
    b = python("HOST = '" + host + "'\nimport socket, time\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(HOST + '/log'); i = 0\n"
               "while True:\n    i += 1; s.send(b'%d' % i); time.sleep(0.05)")
    ns_without(b, "network")        # criu finds the other end only there
    # It connects to the name that the other end has, so that has to be there inside too.
    b.config["mounts"].append({"destination": host, "type": "bind", "source": host, "options": ["bind"]})
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.settimeout(10)
    log.bind(host + "/log")
    b.up()
    assert log.recv(100) == b"1"
    r = b.checkpoint(check=1)
    assert "ext-unix-sk" in r.err, r
    last = int(log.recv(100))
    b.checkpoint("--ext-unix-sk")
    b.reap()
    b.gone()
    log.setblocking(False)
    try:
        while True:
            last = int(log.recv(100))
    except BlockingIOError:
        pass
    log.settimeout(10)
    b.restore("--ext-unix-sk")
    first = int(log.recv(100))
    assert first == last + 1, (first, last)
    b.delete()


def start_on_terminal(b, command):
    """A command of the runtime with a new terminal as stdin, stdout and stderr. Returns the terminal's other end."""
    master, slave = pty.openpty()
    subprocess.run([RUNTIME, "--root", ROOT, *command, "--detach", "--pid-file", b.path + "/pid", "--bundle", b.path, b.id],
                   stdin=slave, stdout=slave, stderr=slave, check=True, timeout=30)
    b.pid = int(open(b.path + "/pid").read())
    name = os.ttyname(slave)
    os.close(slave)
    return master, name


def test_terminal_of_the_caller():
    """As without process.terminal. It is given again, as pipes and files are."""
    b = Subject("while read x; do echo got $x; done").save()
    master, _ = start_on_terminal(b, ["run"])
    os.write(master, b"one\n")
    read_until(master, b"got one\r\n")
    b.checkpoint()
    b.reap()
    b.gone()
    os.close(master)
    master, _ = start_on_terminal(b, ["restore", "--image-path", b.images, "--work-path", b.work])
    os.write(master, b"three\n")
    read_until(master, b"got three\r\n")
    os.close(master)
    b.delete()


def test_shell_job():
    """A terminal of the host that the container has opened by itself becomes that of whoever restores it."""
    first, slave = pty.openpty()
    b = python("import os\nfd = os.open('%s', os.O_RDWR)\nwhile True: os.write(fd, b'got ' + os.read(fd, 100))" % os.ttyname(slave))
    b.config["mounts"] = [m if m["destination"] != "/dev/pts" else
                          {"destination": "/dev/pts", "type": "bind", "source": "/dev/pts", "options": ["bind"]} for m in b.config["mounts"]]
    b.save()
    # A pipe may become anything; the terminal is none of the three descriptors.
    p = subprocess.Popen([RUNTIME, "--root", ROOT, "run", "--detach", "--pid-file", b.path + "/pid", "--bundle", b.path, b.id],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert p.wait(30) == 0, p.stdout.read()
    b.pid = int(open(b.path + "/pid").read())
    os.write(first, b"one\n")
    read_until(first, b"got one\r\n")
    os.close(slave)
    images = ["--image-path", b.images, "--work-path", b.work]
    b.checkpoint()
    b.reap()
    b.gone()
    # Without the option it would become a terminal of the same number, which is in use.
    b.restore(stdin=subprocess.PIPE, check=1)
    assert "tty" in b.out(), b.out()
    b.gone()
    master, _ = start_on_terminal(b, ["restore", "--shell-job"] + images)
    os.write(master, b"two\n")
    read_until(master, b"got two\r\n")
    os.close(master)
    os.close(first)
    b.delete()


def test_files_stay_files():
    """criu sets the position of what was a file, which a pipe or terminal does not have."""
    b = Subject().up()
    b.checkpoint()
    b.reap()
    r, w = os.pipe()
    b.restore(stdin=r, check=1)
    assert "restore: descriptor 0 was a file or /dev/null and has to be one again" in b.out(), b.out()
    os.close(r)
    os.close(w)
    b.gone()
    b.restore()
    b.delete()


def test_link_remap():
    """A file that is open, has lost its name, and has another one."""
    b = Subject("exec 5</data/a; ln /data/a /data/b; rm /data/a; touch /tmp/ready; while [ ! -e /tmp/go ]; do sleep 0.05; done; cat <&5 >/tmp/out; " + COUNT)
    data = "/var/lib/berth-tests-data"       # no overlay, which criu treats otherwise
    os.makedirs(data, exist_ok=True)
    with open(data + "/a", "w") as f:
        f.write("linked\n")
    b.config["mounts"].append({"destination": "/data", "type": "bind", "source": data, "options": ["bind"]})
    b.up()
    wait_for(lambda: os.path.exists(b.rootfs + "/tmp/ready"))
    r = b.checkpoint(check=1)
    assert "link-remap" in r.err, r
    b.cycle("--link-remap")
    with open(b.rootfs + "/tmp/go", "w"):
        pass
    wait_for(lambda: b.count() >= 1)
    with open(b.rootfs + "/tmp/out") as f:
        assert f.read() == "linked\n"
    b.delete()
    os.unlink(data + "/b")
    assert os.listdir(data) == [], "criu's own link stays"
    os.rmdir(data)


@needs("controllers")       # criu 4.1 fails with internet sockets on the kernel of bed 1
def test_tcp_close():
    b = python("import socket, time\nl = socket.create_server(('127.0.0.1', 77)); c = socket.create_connection(('127.0.0.1', 77)); a = l.accept()[0]\n"
               "a.sendall(b'x'); assert c.recv(1) == b'x'; open('/tmp/ready', 'w')\n"
               "while True:\n    try:\n        a.sendall(b'x'); time.sleep(0.05)\n"
               "    except OSError as e:\n        open('/tmp/closed', 'w').write(repr(e)); break\n"
               "while True: time.sleep(1)")
    b.process["capabilities"] = {}
    b.process["capabilities"] = {k: list(bundle.CAPS) for k in ("bounding", "effective", "permitted")}
    b.up()
    wait_for(lambda: os.path.exists(b.rootfs + "/tmp/ready"))
    b.checkpoint("--tcp-close")
    b.reap()
    assert not os.path.exists(b.rootfs + "/tmp/closed")
    b.restore("--tcp-close")
    wait_for(lambda: os.path.exists(b.rootfs + "/tmp/closed"), what="the end of the connection")
    b.delete()


@needs("controllers")
def test_tcp_skip_in_flight():
    """A connection that nobody has accepted."""
    b = python("import socket, time\nl = socket.create_server(('127.0.0.1', 77)); c = socket.socket(); c.setblocking(False)\n"
               "try: c.connect(('127.0.0.1', 77))\nexcept BlockingIOError: pass\n"
               "open('/tmp/ready', 'w')\nwhile True: time.sleep(1)")
    b.up()
    wait_for(lambda: os.path.exists(b.rootfs + "/tmp/ready"))
    r = b.checkpoint("--tcp-established", check=1)
    assert "n-flight" in r.err, r
    b.checkpoint("--tcp-established", "--tcp-skip-in-flight")
    b.reap()
    b.restore("--tcp-established", "--tcp-skip-in-flight")
    assert b.state()["status"] == "running"
    b.delete()


@needs("controllers")       # the kernel of bed 1 does not track memory
def test_auto_dedup():
    """What the second dump has is no longer in the first."""
    b = Subject("x=$(seq 1 300000); " + COUNT)
    os.symlink("busybox", b.rootfs + "/bin/seq") if not os.path.lexists(b.rootfs + "/bin/seq") else None
    b.up()
    wait_for(lambda: b.count() >= 2)
    parent = b.path + "/parent"
    rt("checkpoint", "--pre-dump", "--image-path", parent, "--work-path", b.work, b.id)
    blocks = lambda: sum(os.stat(parent + "/" + f).st_blocks for f in os.listdir(parent) if f.startswith("pages-"))
    before = blocks()
    n = b.count()
    wait_for(lambda: b.count() > n + 5)
    b.checkpoint("--parent-path", "../parent", "--leave-running")
    assert blocks() == before
    b.checkpoint("--parent-path", "../parent", "--auto-dedup")
    b.reap()
    assert blocks() < before, (blocks(), before)
    b.restore()
    n = b.count()
    wait_for(lambda: b.count() > n)
    b.delete()


def mount_points():
    with open("/proc/self/mountinfo") as f:
        return sorted(line.split()[4] for line in f)


def check_no_pivot(propagation):
    """What is restored is the same, and the host sees no mount."""
    b = Subject()
    b.linux["rootfsPropagation"] = propagation
    b.up()
    wait_for(lambda: b.count() >= 1)
    before, host = profile(b), mount_points()
    for i in range(2):
        b.checkpoint()
        b.reap()
        b.gone()
        b.restore("--no-pivot")
        same(before, profile(b))
        new = [p for p in mount_points() if mount_points().count(p) > host.count(p)]
        assert not new, (propagation, new)
    assert sorted(os.listdir("/proc/%d/root" % b.pid)) == sorted(os.listdir(b.rootfs))
    b.delete()


def test_no_pivot():
    for propagation in ("slave", "private", "shared"):
        check_no_pivot(propagation)


CONFIGS = ["/etc/criu/%s.conf" % n for n in ("default", "berth-runtime", "crun", "runc", "annotation")]


def configure(name, log):
    os.makedirs("/etc/criu", exist_ok=True)
    with open("/etc/criu/%s.conf" % name, "w") as f:
        f.write("log-file=%s\n" % log)


def logs(b):
    return sorted(f for f in os.listdir(b.work) if f.endswith(".log"))


def test_configuration_of_criu():
    b = Subject().up()
    try:
        configure("default", "default.log")     # less than what the request says
        b.checkpoint("--leave-running")
        assert logs(b) == ["dump.log"], logs(b)
        for name in ("runc", "crun", "berth-runtime"):
            configure(name, name + ".log")
            b.checkpoint("--leave-running")
            assert name + ".log" in logs(b), logs(b)
        os.unlink(b.work + "/berth-runtime.log")
        b.checkpoint()
        b.reap()
        os.unlink(b.work + "/berth-runtime.log")
        b.restore()
        assert "berth-runtime.log" in logs(b), logs(b)
        b.delete()
    finally:
        teardown_configs()


def teardown_configs():
    for name in CONFIGS:
        if os.path.exists(name):
            os.unlink(name)


def test_configuration_by_annotation():
    b = Subject()
    b.config["annotations"] = {"org.criu.config": "/etc/criu/annotation.conf"}
    try:
        configure("runc", "runc.log")
        b.up()
        r = b.checkpoint(check=1)
        assert "org.criu.config: /etc/criu/annotation.conf: no such file" in r.err, r
        configure("annotation", "annotation.log")
        b.checkpoint()
        b.reap()
        assert logs(b) == ["annotation.log"], logs(b)
        os.unlink(b.work + "/annotation.log")
        b.restore()
        assert logs(b) == ["annotation.log"], logs(b)
        b.delete()
        c = Subject()
        c.config["annotations"] = {"org.criu.config": ""}
        c.up()
        c.checkpoint("--leave-running")
        assert logs(c) == ["dump.log"], logs(c)
        c.delete()
    finally:
        teardown_configs()


FAKE = """#!/usr/bin/python3
import socket, sys
s = socket.socket(fileno=int(sys.argv[2]))
open("%s", "a").write("%%r\\n" %% s.recv(65536))
s.send(bytes.fromhex("%s"))
"""


def test_an_old_criu():
    """It would leave out what it does not know. Its version is asked for, and nothing else is done."""
    b = Subject(IDLE).up()
    os.mkdir(b.path + "/path")
    asked = b.path + "/asked"
    fake = b.path + "/path/criu"
    env = {"PATH": b.path + "/path:/usr/sbin:/usr/bin"}
    with open(fake, "w") as f:
        f.write(FAKE % (asked, "080a1001520408031 00b".replace(" ", "")))      # 3.11
    os.chmod(fake, 0o755)
    for options in (["--lazy-pages", "--page-server", "127.0.0.1:1"], ["--tcp-close"], ["--tcp-skip-in-flight"], ["--link-remap"],
                    ["--network-lock", "nftables"], ["--network-lock", "skip"]):
        r = b.checkpoint(*options, check=1, env=env)
        name = " ".join(options) if options[0] == "--network-lock" else options[0]
        assert name + " needs criu 3.1" in r.err and "but criu 3.11.0 is installed" in r.err, r
        assert not os.path.exists(b.images)
    with open(asked) as f:
        assert all(line == "b'\\x08\\n'\n" or line.startswith("b'\\x08\\n\\x12") for line in f), "more than its version was asked for"
    b.checkpoint("--leave-running")
    rt("delete", "--force", b.id)
    b.reap()
    b.save()
    for option in ("--lsm-profile=apparmor:x", "--lsm-mount-context=x", "--tcp-close"):
        r = rt("restore", "--detach", "--bundle", b.path, "--image-path", b.images, option, b.id, check=1, env=env)
        assert option.split("=")[0] + " needs criu 3.16.1, but criu 3.11.0" in r.err, r
        b.gone()
    with open(fake, "w") as f:
        f.write(FAKE % (asked, "080a1001"))
    assert "did not say which version" in rt("restore", "--detach", "--bundle", b.path, "--image-path", b.images, "--tcp-close", b.id, check=1,
                                              env=env).err
    b.gone()
