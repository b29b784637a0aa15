# SPDX-License-Identifier: LGPL-2.1-or-later
"""berth-runtime by its command line: what config.json says is what the process sees."""
import copy
import json
import os
import pty
import shutil
import signal
import socket
import stat
import subprocess

import bundle
from bundle import CGROUP, ROOT, RUNTIME, TOP, Bundle, ns_without, read_until, receive_fd, rt
from harness import run, skip, wait_for


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


# --- life cycle ------------------------------------------------------------------------------------------

def test_life_cycle():
    b = Bundle("sleep", "1000").create()
    s = b.state()
    assert s["status"] == "created" and s["pid"] == b.pid and s["id"] == b.id and s["bundle"] == b.path, s
    with open("/proc/%d/cmdline" % b.pid, "rb") as f:
        assert b"sleep" not in f.read(), "the program must not run before start"
    b.start()
    wait_for(lambda: open("/proc/%d/cmdline" % b.pid, "rb").read() == b"sleep\x001000\0")
    assert b.state()["status"] == "running"
    assert "cannot start" in rt("start", b.id, check=1).err
    assert "already exists" in rt("create", "--bundle", b.path, b.id, check=1).err
    assert "not stopped" in rt("delete", b.id, check=1).err
    assert json.loads(rt("ps", "--format", "json", b.id).out) == [b.pid]
    assert b.id in [c["id"] for c in json.loads(rt("list", "--format", "json").out)]
    rt("pause", b.id)
    assert b.state()["status"] == "paused"
    assert "paused" in rt("exec", b.id, "true", check=255).err
    rt("resume", b.id)
    assert b.state()["status"] == "running"
    rt("kill", b.id, "KILL")
    assert b.wait() == signal.SIGKILL
    assert b.state()["status"] == "stopped" and b.state()["pid"] == 0
    assert "not running" in rt("kill", b.id, "TERM", check=1).err
    rt("delete", b.id)
    b.gone()
    assert "does not exist" in rt("state", b.id, check=1).err
    rt("delete", "--force", b.id)


def test_zombie_means_stopped_and_exit_code_is_exact():
    b = Bundle("sh", "-c", "exit 37").create().start()
    wait_for(lambda: b.state()["status"] == "stopped", what="a zombie to count as stopped")
    assert os.waitstatus_to_exitcode(b.wait()) == 37
    b.delete()
    assert Bundle().sh("exit 41", check=41).code == 41
    assert Bundle().sh("kill -9 $$; sleep 5", check=None).code in (137, 0)


def test_missing_programs_are_told_at_create():
    Bundle("nosuch").fails('exec: "nosuch": executable file not found in $PATH')
    Bundle("/nosuch").fails('exec: "/nosuch": stat /nosuch: no such file or directory')
    Bundle("/etc/passwd").fails('exec: "/etc/passwd": permission denied')
    Bundle("/etc").fails('exec: "/etc": is a directory')
    b = Bundle("/bin/private")
    os.symlink("busybox", b.rootfs + "/bin/private")
    os.chmod(b.rootfs + "/bin/busybox", 0o700)
    b.process["user"] = {"uid": 1000, "gid": 1000}
    b.process["capabilities"] = {}
    b.fails("permission denied")


def test_a_dead_init_never_hangs_start():
    b = Bundle("sleep", "9").create()
    os.kill(b.pid, signal.SIGKILL)
    b.wait()
    assert "stopped" in rt("start", b.id, check=1, timeout=5).err
    b.delete()


def test_killed_create_stays_deletable():
    b = Bundle("true").save()
    with open(b.path + "/hook", "w") as f:
        f.write("#!/bin/sh\necho up > %s/hooked\nexec sleep 1000\n" % b.path)
    os.chmod(b.path + "/hook", 0o755)
    b.config["hooks"] = {"createRuntime": [{"path": b.path + "/hook"}]}
    b.save()
    p = subprocess.Popen([RUNTIME, "--root", ROOT, "create", "--bundle", b.path, b.id], stdin=subprocess.DEVNULL)
    wait_for(lambda: os.path.exists(b.path + "/hooked"), what="the hook")
    p.kill()
    p.wait()
    assert b.state()["status"] == "creating"
    b.delete()


def test_wrong_global_options_are_in_the_log_too():
    log = Bundle().path + "/log"
    for wrong, text in (("--rootless=maybe", "maybe"), ("--log-format=xml", "xml"), ("--nonsense", "--nonsense")):
        r = rt(wrong, "--log", log, "--log-format", "json", "state", "x", check=1)
        with open(log) as f:
            last = f.read().splitlines()[-1]
        assert text in r.err and text in json.loads(last)["msg"], (r, last)


def test_no_limit_needs_no_controller():
    """Callers say "unlimited" also where nothing could be limited."""
    for resources in ({"pids": {"limit": 0}}, {"pids": {"limit": -1}}, {"memory": {"limit": -1, "swap": -1}}):
        b = Bundle("true")
        b.linux["resources"] = resources
        b.run()


def test_words_of_a_child_that_failed_are_never_lost():
    """It may be gone before it was given its network namespace, or told that its state is stored."""
    b = Bundle("true")
    os.rmdir(b.rootfs + "/proc")
    os.symlink("/tmp", b.rootfs + "/proc")
    b.save()
    for _ in range(150):
        r = rt("run", "--bundle", b.path, b.id, check=1)
        assert "mount /proc: proc must be mounted on ordinary directory" in r.err, r


def test_bad_configs_are_refused_by_name():
    def broken(change, text):
        b = Bundle()
        change(b.config)
        b.fails(text)
    broken(lambda c: c.update(ociVersion="9"), "ociVersion")
    broken(lambda c: c["root"].update(path="nowhere"), "nowhere")
    broken(lambda c: c["process"].update(args=[]), "process.args")
    broken(lambda c: c["process"].update(args="x"), "process.args")
    broken(lambda c: c["process"].update(cwd="tmp"), "process.cwd")
    broken(lambda c: c["process"].update(rlimits=[{"type": "RLIMIT_X", "soft": 1, "hard": 1}]), "RLIMIT_X")
    broken(lambda c: c["process"].update(rlimits=[{"type": "RLIMIT_CORE", "soft": 1, "hard": 1}] * 2), "given twice")
    broken(lambda c: c.update(annotations={"a": 1}), "annotations.a")
    broken(lambda c: c["linux"].update(devices=[{"path": "/dev/x", "type": "c"}]), "major and minor")
    broken(lambda c: c["linux"].update(sysctl={"kernel.hostname": "x"}), "kernel.hostname")
    broken(lambda c: c["process"].update(terminal=True), "--console-socket")
    broken(lambda c: c["process"].update(user={"uid": -1, "gid": 0}), "process.user.uid")
    broken(lambda c: c["linux"]["namespaces"].append({"type": "pid"}), "given twice")
    broken(lambda c: c["linux"]["namespaces"].append({"type": "xyz"}), "xyz")
    broken(lambda c: c["linux"].update(intelRdt={"closID": "a"}), "intelRdt")
    broken(lambda c: c["linux"].update(cgroupsPath="/a/../b"), "cgroupsPath")
    broken(lambda c: c["linux"].update(sysctl={"vm.swappiness": "1"}), "vm.swappiness")
    broken(lambda c: c["linux"].update(seccomp={"defaultAction": "SCMP_ACT_WHAT"}), "SCMP_ACT_WHAT")
    broken(lambda c: c["linux"].update(resources={"network": {"classID": 1}}), "network")
    broken(lambda c: c["mounts"].append({"destination": "/x", "source": "/nowhere", "type": "bind"}), "/nowhere")
    broken(lambda c: c["mounts"].append({"destination": "/x", "source": "x", "type": "nofs"}), "nofs")
    broken(lambda c: c["mounts"].append({"destination": "/x", "source": "x", "type": "tmpfs", "options": ["size=q"]}), "size")
    b = Bundle()
    b.save()
    with open(b.path + "/config.json", "w") as f:
        f.write('{"ociVersion": "1.0.0", ')
    r = rt("create", "--bundle", b.path, b.id, check=1)
    assert "not valid JSON" in r.err
    b = Bundle().save()
    for bad in ("../x", "a/b", ".hidden", ""):
        assert "invalid container ID" in rt("create", "--bundle", b.path, bad, check=1).err


# --- what the process sees -------------------------------------------------------------------------------

def test_identity():
    b = Bundle()
    b.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [5, 7], "umask": 0o027}
    b.process["env"].append("A=b c")
    b.process["cwd"] = "/made/here"
    out = b.sh("id -u; id -g; id -G; umask; pwd; echo $HOME; echo $A; hostname; grep -E 'Cap|NoNew' /proc/self/status").out
    lines = out.split("\n")
    assert lines[:8] == ["1000", "1001", "1001 5 7", "0027", "/made/here", "/home/user", "b c", "box"], out
    assert "CapEff:\t0000000000000000" in out and "CapInh:\t0000000000000000" in out, out
    assert "CapBnd:\t00000000a80425fb" in out, out


def test_each_variable_is_there_once():
    b = Bundle()
    b.process["env"] = ["A=1", "PATH=/bin", "A=2", "B", "AB=3", "=x", "A=4"]
    assert b.sh("busybox tr '\\0' '\\n' </proc/$$/environ; true").out == "A=4\nPATH=/bin\nAB=3\nHOME=/root\n"


def test_capability_sets():
    b = Bundle()
    b.process["capabilities"] = {"bounding": ["CAP_KILL", "CAP_CHOWN"], "permitted": ["CAP_KILL", "CAP_CHOWN"],
                                 "effective": ["CAP_KILL"], "inheritable": ["CAP_CHOWN"], "ambient": ["CAP_CHOWN"]}
    b.process["user"] = {"uid": 1000, "gid": 1000}
    out = b.sh("grep Cap /proc/self/status").out
    assert "CapPrm:\t0000000000000001" in out and "CapAmb:\t0000000000000001" in out, out
    assert "CapInh:\t0000000000000001" in out and "CapBnd:\t0000000000000021" in out, out
    b = Bundle()
    del b.process["capabilities"]
    out = b.sh("grep Cap /proc/self/status").out
    assert "CapEff:\t0000000000000000" in out and "CapBnd:\t0000000000000000" in out, out


def test_namespaces_and_nothing_leaks():
    out = Bundle().sh("for i in /proc/self/ns/*; do readlink $i; done; ps | wc -l; ls /proc/self/fd; cat /proc/self/cgroup;"
                      "ip -o link; ip -o addr; cat /proc/1/cmdline; ls -l /proc/1/exe | grep -c busybox").out
    for kind in ("pid", "net", "ipc", "uts", "mnt", "cgroup"):
        assert os.readlink("/proc/self/ns/" + kind) not in out, kind
    assert "\n0\n1\n2\n3\n" in out, out
    assert "0::/\n" in out and "127.0.0.1/8" in out and "LOWER_UP" in out, out


def test_sharing_and_joining_namespaces():
    other = Bundle("sleep", "1000").create().start()
    b = Bundle()
    for n in b.linux["namespaces"]:
        if n["type"] in ("network", "ipc", "uts", "pid"):
            n["path"] = "/proc/%d/ns/%s" % (other.pid, {"network": "net"}.get(n["type"], n["type"]))
    del b.config["hostname"]
    out = b.sh("for i in net ipc pid; do readlink /proc/self/ns/$i; done; hostname; ps").out
    for kind in ("net", "ipc", "pid"):
        assert os.readlink("/proc/%d/ns/%s" % (other.pid, kind)) in out, (kind, out)
    assert "box" in out and "sleep 1000" in out, out
    other.delete()
    b = Bundle()
    ns_without(b, "network", "uts", "ipc", "cgroup")
    del b.config["hostname"]
    out = b.sh("for i in net uts; do readlink /proc/self/ns/$i; done; ls /sys/fs/cgroup | head -1").out
    assert os.readlink("/proc/self/ns/net") in out and os.readlink("/proc/self/ns/uts") in out, out


def test_shared_pid_namespace_dies_as_a_whole():
    b = Bundle("sh", "-c", "sleep 1000 & sleep 1000 & exec sleep 1000")
    ns_without(b, "pid")
    b.create().start()
    procs = "%s/berth-test/%s/cgroup.procs" % (CGROUP, b.id)
    wait_for(lambda: len(open(procs).read().split()) == 3)
    os.kill(b.pid, signal.SIGKILL)
    b.wait()
    assert b.state()["status"] == "stopped"
    b.delete()


def test_dev():
    out = Bundle().sh("for d in null zero full random urandom tty; do stat -c '%n %t %T %a %F' /dev/$d; done; ls -l /dev;"
                      "echo x > /dev/null && head -c 3 /dev/zero | wc -c").out
    for name, major, minor in (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)):
        assert "/dev/%s %x %x 666 character special file" % (name, major, minor) in out, out
    assert "ptmx -> pts/ptmx" in out and "fd -> /proc/self/fd" in out and out.endswith("\n3\n"), out
    b = Bundle()
    b.linux["devices"] = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o600, "uid": 7, "gid": 8},
                          {"path": "/opt/pipe", "type": "p"}]
    out = b.sh("stat -c '%t %T %a %u %g' /dev/fuse; stat -c %F /opt/pipe").out
    assert out == "a e5 600 7 8\nfifo\n", out


def test_read_only_tmpfs_takes_what_is_made_in_it():
    """podman --read-only --read-only-tmpfs=false has a read-only /dev."""
    b = Bundle()
    b.config["mounts"][1]["options"].append("ro")
    b.config["mounts"] += [{"destination": "/made", "type": "tmpfs", "source": "tmpfs", "options": ["ro", "mode=755"]},
                           {"destination": "/made/below", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
                           {"destination": "/over", "type": "tmpfs", "source": "tmpfs", "options": ["ro"]},
                           {"destination": "/over", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}]
    b.linux["devices"] = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}]
    r = b.sh("touch /dev/x; touch /made/x; touch /made/below/x /over/x && echo ok; ls -d /dev/fuse /dev/ptmx; echo >/dev/null")
    assert r.out == "ok\n/dev/fuse\n/dev/ptmx\n" and r.err.count("Read-only file system") == 2, r


def test_a_bound_device_keeps_its_owner():
    b = Bundle()
    device = b.path + "/node"
    os.mknod(device, 0o600 | stat.S_IFCHR, os.makedev(10, 229))
    os.chown(device, 5, 6)
    b.config["mounts"].append({"destination": "/dev/fuse", "type": "bind", "source": device, "options": ["bind"]})
    b.linux["devices"] = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "uid": 7, "gid": 8}]
    assert b.sh("stat -c '%t %T %u %g' /dev/fuse").out == "a e5 5 6\n"
    assert (os.stat(device).st_uid, os.stat(device).st_gid) == (5, 6)


def test_device_filter():
    b = Bundle()
    b.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"},
                                        {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "r"}]}
    b.linux["devices"] = []
    r = b.sh("mknod /dev/kmsg c 1 11 && cat /dev/kmsg; mknod /dev/f c 10 229; echo > /dev/f; head -c 1 /dev/urandom | wc -c;"
             "echo > /dev/null && echo ok")
    assert r.err.count("Operation not permitted") == 2, r
    assert r.out == "1\nok\n", r
    # That the runtime makes a node is no permission to use it.
    b = Bundle()
    b.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"},
                                        {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "r"}]}
    b.linux["devices"] = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o600},
                          {"path": "/dev/memory", "type": "c", "major": 1, "minor": 1, "fileMode": 0o600}]
    r = b.sh("(: </dev/fuse) && echo read; (: >>/dev/fuse); (: </dev/memory); true")
    assert r.out == "read\n" and r.err.count("Operation not permitted") == 2, r


def test_masked_and_readonly_paths():
    out = Bundle().sh("stat -c '%t:%T' /proc/timer_list /proc/keys; ls /proc/acpi /sys/firmware | wc -l; cat /proc/keys;"
                      "echo 1 > /proc/sys/kernel/domainname; touch /proc/acpi/x /sys/x", check=None)
    assert out.out.startswith("1:3\n1:3\n"), out
    assert out.err.count("Read-only file system") >= 3, out


def test_readonly_root_and_mounts():
    b = Bundle()
    b.config["root"]["readonly"] = True
    os.mkdir(b.path + "/vol")
    os.mkdir(b.path + "/vol/sub")
    with open(b.path + "/vol/file", "w") as f:
        f.write("content\n")
    b.config["mounts"] += [
        {"destination": "/vol", "source": "vol", "type": "bind", "options": ["rbind", "ro", "nosuid"]},
        {"destination": "/rw", "source": b.path + "/vol", "options": ["bind", "rw", "rprivate"]},
        {"destination": "/etc/one", "source": "vol/file", "type": "bind", "options": ["bind", "ro", "nodev", "noexec"]},
        {"destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "size=1m", "mode=1777", "noatime"]},
    ]
    for d in ("vol", "rw", "t"):
        os.mkdir(b.rootfs + "/" + d)
    r = b.sh("touch /x; touch /vol/x; touch /rw/new && cat /etc/one; echo > /etc/one; dd if=/dev/zero of=/t/x bs=1M count=3 2>/dev/null"
             "; grep -E ' /(vol|rw|t|etc/one) ' /proc/self/mountinfo | cut -d' ' -f5,6", check=None)
    assert r.err.count("Read-only file system") == 3, r
    assert "content" in r.out and os.path.exists(b.path + "/vol/new"), r
    assert "/vol ro,nosuid" in r.out and "/rw rw" in r.out and "/t rw,nosuid,noatime" in r.out, r
    assert "/etc/one ro,nodev,noexec" in r.out, r


def test_recursive_readonly_and_copy_up():
    b = Bundle()
    b.config["mounts"] += [
        {"destination": "/a", "type": "tmpfs", "source": "tmpfs"},
        {"destination": "/a/b", "type": "tmpfs", "source": "tmpfs"},
        {"destination": "/etc", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]},
    ]
    r = b.sh("touch /a/x /a/b/x /etc/new; cat /etc/passwd | wc -l")
    assert r.out == "2\n" and not os.path.exists(b.rootfs + "/etc/new"), r
    b = Bundle()
    os.makedirs(b.path + "/tree/below")
    run("mount", "-t", "tmpfs", "x", b.path + "/tree/below")
    try:
        b.config["mounts"].append({"destination": "/tree", "source": b.path + "/tree", "options": ["rbind", "rro"]})
        b.save()
        b.process["args"] = ["sh", "-c", "touch /tree/below/x"]
        b.save()
        r = rt("run", "--bundle", b.path, b.id, check=None)
        assert r.code != 0 and "Read-only" in r.err, r
    finally:
        run("umount", b.path + "/tree/below")


def test_options_of_a_tmpfs_win_over_what_it_covers():
    b = Bundle()
    b.config["mounts"].append({"destination": "/etc", "type": "tmpfs", "source": "tmpfs",
                               "options": ["tmpcopyup", "mode=700", "uid=7", "gid=8"]})
    assert b.sh("stat -c '%a %u %g' /etc; test -e /etc/passwd && echo copied").out == "700 7 8\ncopied\n"


def test_limits_of_the_process():
    b = Bundle()
    b.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
    b.process["oomScoreAdj"] = 500
    b.linux["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.msgmax": "4096"}
    b.process["scheduler"] = {"policy": "SCHED_BATCH", "nice": 5}
    b.process["ioPriority"] = {"class": "IOPRIO_CLASS_IDLE"}
    out = b.sh("ulimit -Sn; ulimit -Hn; ulimit -c; cat /proc/self/oom_score_adj /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax;"
               "cut -d' ' -f19 /proc/self/stat").out
    assert out.split() == ["100", "200", "0", "500", "1", "4096", "5"], out


def test_exec():
    b = Bundle("sleep", "1000")
    b.process["noNewPrivileges"] = False
    b.create().start()
    r = rt("exec", b.id, "sh", "-c", "id -u; echo $HOME; cat /proc/self/cgroup | grep 0::; readlink /proc/self/ns/net; exit 9", check=9)
    assert r.out.startswith("0\n/root\n0::/\n") and os.readlink("/proc/%d/ns/net" % b.pid) in r.out, r
    p = {"args": ["sh", "-c", "id -u; id -G; pwd; echo $X; grep -E 'CapEff|CapBnd|NoNew' /proc/self/status; ls /proc/self/fd"],
         "cwd": "/tmp", "env": ["PATH=/bin", "X=y"], "user": {"uid": 1000, "gid": 1000, "additionalGids": [4]},
         "noNewPrivileges": True, "capabilities": {"bounding": ["CAP_KILL"]}}
    with open(b.path + "/p.json", "w") as f:
        json.dump(p, f)
    out = rt("exec", "--process", b.path + "/p.json", b.id).out
    assert out.startswith("1000\n1000 4\n/tmp\ny\n") and "CapBnd:\t0000000000000020" in out and "NoNewPrivs:\t1" in out, out
    assert out.endswith("\n0\n1\n2\n3\n"), out
    with open(b.path + "/p.json", "w") as f:
        json.dump({"args": ["sh", "-c", "exit 5"], "cwd": "/"}, f)
    rt("exec", "--process", b.path + "/p.json", "--pid-file", b.path + "/epid", "--detach", b.id)
    with open(b.path + "/epid") as f:
        assert os.waitstatus_to_exitcode(os.waitpid(int(f.read()), 0)[1]) == 5
    for args, text in ((("nosuch",), "executable file not found in $PATH"), (("/nosuch",), "no such file or directory"),
                       (("/etc/passwd",), "permission denied")):
        assert text in rt("exec", b.id, *args, check=255).err
    assert "UID" in rt("exec", "-u", "root", b.id, "true", check=255).err
    assert 'chdir to cwd ("/not/there")' in rt("exec", "--cwd", "/not/there", b.id, "true", check=255).err
    assert not os.path.exists(b.rootfs + "/not")
    assert "not below" in rt("exec", "--cgroup", "../x", b.id, "true", check=255).err
    b.delete()


def test_signals_are_passed_on_by_run():
    b = Bundle("sh", "-c", "trap 'exit 33' USR1; echo ready; while :; do sleep 0.05; done").save()
    p = subprocess.Popen([RUNTIME, "--root", ROOT, "run", "--bundle", b.path, b.id], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"ready\n"
    p.send_signal(signal.SIGUSR1)
    assert p.wait(20) == 33
    b.gone()


def test_terminal():
    b = Bundle("sh", "-c", "tty; stty size; test -c /dev/console && echo console; read x; echo got $x; exit 3")
    b.process["terminal"] = True
    b.process["consoleSize"] = {"height": 33, "width": 77}
    b.process["user"] = {"uid": 1000, "gid": 1000}
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(b.path + "/console")
    listener.listen(1)
    b.create("--console-socket", b.path + "/console")
    conn, _ = listener.accept()
    master = receive_fd(conn)
    b.start()
    out = read_until(master, b"console\r\n")
    assert out == b"/dev/pts/0\r\n33 77\r\nconsole\r\n", out
    os.write(master, b"hey\n")
    read_until(master, b"got hey")
    assert os.waitstatus_to_exitcode(b.wait()) == 3
    os.close(master)
    b.delete()


def test_terminal_of_exec():
    b = Bundle("sleep", "1000").create().start()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(b.path + "/console")
    listener.listen(1)
    with open(b.path + "/p.json", "w") as f:
        json.dump({"terminal": True, "args": ["sh", "-c", "tty; read x; exit 4"], "cwd": "/"}, f)
    rt("exec", "--process", b.path + "/p.json", "--console-socket", b.path + "/console", "--pid-file", b.path + "/epid",
       "--detach", b.id)
    conn, _ = listener.accept()
    master = receive_fd(conn)
    read_until(master, b"/dev/pts/0")
    os.write(master, b"\x04")
    with open(b.path + "/epid") as f:
        assert os.waitstatus_to_exitcode(os.waitpid(int(f.read()), 0)[1]) == 4
    os.close(master)
    b.delete()


def test_run_in_the_foreground_with_a_terminal():
    b = Bundle("sh", "-c", "tty; exit 6")
    b.process["terminal"] = True
    b.save()
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(RUNTIME, [RUNTIME, "--root", ROOT, "run", "--bundle", b.path, b.id])
    out = read_until(fd, b"\n")
    assert b"/dev/pts/0" in out, out
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 6
    os.close(fd)
    b.gone()


def test_hooks():
    b = Bundle("sleep", "1000")
    script = b.path + "/hook"
    with open(script, "w") as f:
        f.write("#!/bin/sh\nread -r line\nprintf '%%s %%s\\n' \"$1\" \"$line\" >> %s/hooks\n" % b.path)
    os.chmod(script, 0o755)
    with open(b.rootfs + "/bin/inside", "w") as f:
        f.write("#!/bin/sh\nread -r line\necho $1 >> /inside\n")
    os.chmod(b.rootfs + "/bin/inside", 0o755)
    b.config["hooks"] = {k: [{"path": script, "args": ["hook", k], "env": ["PATH=/bin:/usr/bin"], "timeout": 10}]
                         for k in ("prestart", "createRuntime", "createContainer", "poststart", "poststop")}
    b.config["hooks"]["startContainer"] = [{"path": "/bin/inside", "args": ["hook", "startContainer"], "env": ["PATH=/bin"]}]
    b.create()
    with open(b.path + "/hooks") as f:
        lines = f.read().splitlines()
    assert [x.split()[0] for x in lines] == ["prestart", "createRuntime", "createContainer"], lines
    state = json.loads(lines[1].split(None, 1)[1])
    assert state["status"] == "created" and state["pid"] == b.pid and state["bundle"] == b.path, state
    b.start()
    b.delete()
    with open(b.path + "/hooks") as f:
        assert [x.split()[0] for x in f][3:] == ["poststart", "poststop"]
    with open(b.rootfs + "/inside") as f:
        assert f.read() == "startContainer\n"
    b = Bundle()
    b.config["hooks"] = {"createRuntime": [{"path": "/bin/false"}]}
    b.fails("error running createRuntime hook #0: /bin/false: exit status 1")
    b.config["hooks"] = {"prestart": [{"path": "/bin/sleep", "args": ["sleep", "100"], "timeout": 1}]}
    b.fails("timed out")


# --- seccomp ---------------------------------------------------------------------------------------------

def seccomp(*rules, default="SCMP_ACT_ALLOW", **kw):
    return dict({"defaultAction": default, "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
                 "syscalls": list(rules)}, **kw)


def test_seccomp():
    for nnp in (False, True):
        b = Bundle()
        b.process["noNewPrivileges"] = nnp
        b.linux["seccomp"] = seccomp({"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
                                     {"names": ["nosuchcall"], "action": "SCMP_ACT_ERRNO"})
        r = b.sh("mkdir /tmp/x; grep -E 'Seccomp:|NoNew' /proc/self/status", check=None)
        assert "No space left" in r.err and "Seccomp:\t2" in r.out and "NoNewPrivs:\t%d" % nnp in r.out, r
    assert len(os.listdir(ROOT + "/.seccomp-cache")) == 1
    b = Bundle("sleep", "1000")
    b.linux["seccomp"] = seccomp({"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28})
    b.create().start()
    assert "No space left" in rt("exec", b.id, "mkdir", "/tmp/y", check=1).err
    b.delete()
    b = Bundle()
    b.linux["seccomp"] = seccomp({"names": ["kill"], "action": "SCMP_ACT_ERRNO",
                                  "args": [{"index": 1, "value": 0, "op": "SCMP_CMP_EQ"}]})
    assert "not permitted" in b.sh("kill -0 $$", check=None).err


def test_seccomp_cache_is_not_trusted_blindly():
    b = Bundle()
    b.linux["seccomp"] = seccomp({"names": ["chown", "fchownat", "lchown"], "action": "SCMP_ACT_ERRNO", "errnoRet": 27})
    b.sh("true")
    cache = ROOT + "/.seccomp-cache/"
    newest = max(os.listdir(cache), key=lambda n: os.stat(cache + n).st_mtime_ns)
    with open(cache + newest, "r+b") as f:
        f.seek(40)
        f.write(b"\xff" * 8)
    b = Bundle()
    b.linux["seccomp"] = seccomp({"names": ["chown", "fchownat", "lchown"], "action": "SCMP_ACT_ERRNO", "errnoRet": 27})
    assert "Seccomp:\t2" in b.sh("grep Seccomp: /proc/self/status").out


# --- user namespaces -------------------------------------------------------------------------------------

def test_user_namespace():
    b = Bundle()
    maps = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    b.linux["namespaces"].append({"type": "user"})
    b.linux["uidMappings"] = b.linux["gidMappings"] = maps
    os.mkdir(b.path + "/vol", 0o700)
    with open(b.path + "/vol/f", "w") as f:
        f.write("x")
    os.chown(b.path + "/vol/f", 100005, 100005)
    os.chmod(b.path, 0o755)
    os.chmod(TOP, 0o755)
    for root, dirs, files in os.walk(b.rootfs):
        for n in dirs + files:
            os.lchown(os.path.join(root, n), 100000, 100000)
    os.chown(b.rootfs, 100000, 100000)
    b.config["mounts"].append({"destination": "/vol", "source": b.path + "/vol", "options": ["bind"]})
    os.chown(b.path + "/vol", 100000, 100000)
    out = b.sh("id -u; cat /proc/self/uid_map; stat -c %u /vol/f; stat -c '%t:%T' /dev/null; echo x > /dev/null && echo ok;"
               "cat /proc/self/setgroups; ip -o link | wc -l").out
    assert out.split() == ["0", "0", "100000", "65536", "5", "1:3", "ok", "allow", "1"] or "allow" in out, out
    b2 = Bundle("sleep", "1000")
    b2.config = copy.deepcopy(b.config)
    b2.config["root"]["path"] = b.rootfs
    b2.process["args"] = ["sleep", "1000"]
    b2.linux["cgroupsPath"] = "/berth-test/" + b2.id
    b2.create().start()
    out = rt("exec", b2.id, "sh", "-c", "id -u; cat /proc/self/uid_map").out
    assert out.split() == ["0", "0", "100000", "65536"], out
    with open("/proc/%d/status" % b2.pid) as f:
        assert "Uid:\t100000\t" in f.read()
    b2.delete()


def test_idmapped_mount():
    b = Bundle()
    os.mkdir(b.path + "/vol")
    with open(b.path + "/vol/f", "w") as f:
        f.write("x")
    b.config["mounts"].append({"destination": "/vol", "source": b.path + "/vol", "options": ["bind"],
                               "uidMappings": [{"containerID": 0, "hostID": 3000, "size": 1000}],
                               "gidMappings": [{"containerID": 0, "hostID": 3000, "size": 1000}]})
    b.process["args"] = ["stat", "-c", "%u", "/vol/f"]
    b.save()
    r = rt("run", "--bundle", b.path, b.id, check=None)
    if "idmap" in r.err:
        skip("this file system has no idmapped mounts")
    assert r.out == "3000\n", r


# --- cgroups ---------------------------------------------------------------------------------------------

def test_cgroup_belongs_to_who_sees_it_writable():
    """The payload's user may then make cgroups; limits stay root's."""
    files = ("", "/cgroup.procs", "/cgroup.subtree_control", "/cgroup.threads", "/cgroup.freeze", "/cgroup.max.depth")

    def owners(writable, *without, maps=True, uid=0):
        b = Bundle("sleep", "100")
        ns_without(b, *without)
        b.process["user"] = {"uid": uid, "gid": uid}
        b.config["mounts"][-1]["options"].remove("ro")
        b.config["mounts"][-1]["options"].append("rw" if writable else "ro")
        if maps:
            b.linux["namespaces"].append({"type": "user"})
            b.linux["uidMappings"] = b.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
            os.chmod(b.path, 0o755)
        b.create().start()
        found = [os.stat("%s/berth-test/%s%s" % (CGROUP, b.id, f)).st_uid for f in files]
        b.delete()
        return found
    os.chmod(TOP, 0o755)
    assert owners(True) == [100000] * 4 + [0, 0]
    assert owners(True, uid=7) == [100007] * 4 + [0, 0]
    assert owners(True, maps=False, uid=7) == [7] * 4 + [0, 0]
    assert owners(False) == owners(True, "cgroup") == owners(True, maps=False) == [0] * 6


def test_payload_makes_cgroups_and_all_goes():
    b = Bundle("sleep", "1000").create().start()
    os.makedirs("%s/berth-test/%s/a/b" % (CGROUP, b.id))
    b.delete()


def test_features_and_spec():
    f = json.loads(rt("features").out)
    assert "mount" in f["linux"]["namespaces"] and f["linux"]["cgroup"]["v2"] is True
    assert "SCMP_ACT_ERRNO" in f["linux"]["seccomp"]["actions"] and "CAP_CHOWN" in f["linux"]["capabilities"]
    d = TOP + "/spec"
    os.mkdir(d)
    rt("spec", "--bundle", d)
    with open(d + "/config.json") as f:
        assert json.load(f)["process"]["args"] == ["sh"]
    assert "berth-runtime version" in run(RUNTIME, "--version").out
    assert "exec" in run(RUNTIME, "--help").out


def test_same_as_crun():
    if not shutil.which("crun"):
        skip("no crun to compare with")
    script = ("id; cat /proc/self/cgroup | grep 0::; grep -E 'Cap|NoNew|Groups' /proc/self/status; pwd; umask; ulimit -n;"
              "env | sort; hostname; ls /dev | sort; stat -c '%n %a %t %T' /dev/null /dev/tty /dev/shm /dev/pts;"
              "cut -d' ' -f5,6 /proc/self/mountinfo | sort; ls /proc/self/fd | wc -l; exit 3")

    def plain(b):
        pass

    def user(b):
        b.process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [3]}

    def readonly(b):
        b.config["root"]["readonly"] = True

    def limits(b):
        b.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 64}]

    def cwd(b):
        b.process["cwd"] = "/tmp"
        b.process["noNewPrivileges"] = True

    def mounts(b):
        b.config["mounts"] += [{"destination": "/m/n", "type": "tmpfs", "source": "tmpfs", "options": ["ro", "nosuid"]},
                               {"destination": "/bin2", "type": "bind", "source": b.rootfs + "/bin", "options": ["rbind", "ro"]}]
    for change in (plain, user, readonly, limits, cwd, mounts):
        results = []
        for runtime in (RUNTIME, "crun"):
            b = Bundle()
            change(b)
            b.process["args"] = ["sh", "-c", script]
            b.save()
            args = ["--cgroup-manager=disabled"] if runtime == "crun" else []
            r = run(runtime, *args, "--root", ROOT + "-" + os.path.basename(runtime), "run", "--bundle", b.path, b.id, check=None)
            if "RLIM_MEMLOCK" in r.err or "cgroup" in r.err:
                skip("crun does not run here: " + r.err.strip())
            lines = [x for x in r.out.splitlines() if not x.startswith("0::")]
            results.append((r.code, lines))
        assert results[0][0] == results[1][0], (change.__name__, results)
        # Ours masks with the kernel's null device and has no device for a console without a terminal.
        ours, theirs = (set(x[1]) for x in results)
        odd = {x for x in ours ^ theirs if "/proc/" not in x and "/sys" not in x and "console" not in x and "core" not in x}
        assert not odd, (change.__name__, sorted(odd), results)
