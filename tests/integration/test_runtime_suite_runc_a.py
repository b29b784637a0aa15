# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the test suite of runc expects of a runtime, where no other test of ours says it (docs/runtime-suites.md)."""
import json
import os
import re
import subprocess

import bundle
from bundle import CGROUP, ROOT, RUNTIME, Bundle, rt
from harness import needs, run, systemctl, wait_for


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


def sleeper(**process):
    b = Bundle("sleep", "100")
    b.process.update(process)
    return b


def test_kernels_words_are_in_lower_case():
    assert "open /nosuch/config.json: no such file or directory" in rt("create", "--bundle", "/nosuch", "x", check=1).err
    b = Bundle("/")
    assert "is a directory: permission denied" in b.run(check=1).err


def test_help_under_the_name_it_is_called_by():
    link = bundle.TOP + "/other-name"
    os.symlink(run("sh", "-c", "command -v %s" % RUNTIME).out.strip(), link)
    for flag in ("-h", "--help"):
        lines = run(link, flag).out.split("\n")
        assert lines[:2] == ["NAME:", "   other-name - Open Container Initiative runtime, for Linux with cgroup v2"], lines
        lines = run(link, "list", flag).out.split("\n")
        assert lines[:2] == ["NAME:", "   other-name list - list the containers"], lines
    os.unlink(link)
    for args in (("foo",), ("foo", "-h")):
        assert "No help topic for 'foo'" in rt(*args, check=1).err


STEPS = {"run": ("nsexec container setup", "child process in init()", "init: closing the pipe to signal completion"),
         "exec": ("nsexec container setup", "child process in init()", "setns_init: about to exec true")}


def test_debug_tells_the_steps():
    """On stderr without a log file, and not on the payload's terminal."""
    log = bundle.TOP + "/debug-log"
    b = sleeper().create().start()
    for what, args in (("run", None), ("exec", ("exec", b.id, "true"))):
        for form, level in ((None, "level=debug"), ("text", "level=debug"), ("json", '"level":"debug"')):
            for options in ((), ("--log", log)) if form is None else (("--log", log, "--log-format", form),):
                other = Bundle("echo", "out")
                other.save()
                r = rt("--debug", *options, *(args or ("run", "--bundle", other.path, other.id)))
                text = r.err
                if options:
                    assert "level=" not in r.err and "nsexec" not in r.err, r
                    with open(log) as f:
                        text = f.read()
                    os.unlink(log)
                assert r.out == ("out\n" if what == "run" else ""), r
                assert level in text and all(step in text for step in STEPS[what]), text
    b.delete()
    r = rt("--debug", "run", "--bundle", "/nosuch", "x", check=1)
    assert r.err.count("no such file") == 1 and re.match('time="[^"]*" level=error msg="open /nosuch', r.err), r


def test_debug_does_not_reach_the_terminal():
    b = Bundle("echo", "only this")
    b.process["terminal"] = True
    b.save()
    r = rt("--debug", "run", "--bundle", b.path, b.id)
    assert r.out.split() == ["only", "this"] and "level=debug" in r.err, r
    b.gone()


def status_caps(r):
    return {m[0]: int(m[1], 16) for m in re.findall(r"^Cap(\w+):\t(\w+)$", r.out, re.M)}


def test_ambient_capabilities_of_an_exec():
    """--cap raises them where the container has inheritable ones; what cannot be raised is told."""
    syslog, chown, kill = 1 << 34, 1, 1 << 5
    caps = {"inheritable": ["CAP_CHOWN", "CAP_SYSLOG"], "permitted": ["CAP_KILL", "CAP_CHOWN"], "effective": ["CAP_KILL"],
            "bounding": ["CAP_KILL", "CAP_CHOWN", "CAP_SYSLOG"], "ambient": ["CAP_CHOWN"]}
    b = sleeper(capabilities=caps, noNewPrivileges=True).create().start()
    seen = status_caps(rt("exec", b.id, "cat", "/proc/self/status"))
    assert seen["Inh"] == syslog | chown and seen["Amb"] == chown and seen["Prm"] == seen["Eff"] == kill | chown, seen
    seen = status_caps(rt("exec", "--cap", "CAP_SYSLOG", b.id, "cat", "/proc/self/status"))
    assert seen["Inh"] == syslog | chown and seen["Amb"] == syslog | chown, seen
    assert seen["Prm"] == seen["Eff"] == seen["Bnd"] == syslog | chown | kill, seen
    b.delete()
    b = sleeper(capabilities={k: [] for k in caps}).create().start()
    r = rt("exec", "--cap", "CAP_KILL", b.id, "cat", "/proc/self/status")
    assert status_caps(r) == {"Inh": 0, "Amb": 0, "Prm": kill, "Eff": kill, "Bnd": kill} and not r.err, r
    b.delete()
    b = Bundle("cat", "/proc/self/status")
    b.process["capabilities"].update(inheritable=["CAP_KILL"], ambient=["CAP_KILL", "CAP_CHOWN"])
    r = b.run()
    assert status_caps(r)["Amb"] == kill and "can't raise ambient capability CAP_CHOWN: " in r.err, r
    assert "CAP_KILL" not in r.err, r


def pinned(*args):
    first = min(os.sched_getaffinity(0))
    return run("taskset", "-c", str(first), RUNTIME, "--root", ROOT, *args).out


def test_processors_are_the_cgroups_not_the_callers():
    line = [x for x in open("/proc/self/status", encoding="ascii") if x.startswith("Cpus_allowed_list")][0]
    if len(os.sched_getaffinity(0)) < 2:
        return
    b = Bundle("grep", "Cpus_allowed_list", "/proc/self/status").save()
    assert pinned("run", "--bundle", b.path, b.id) == line
    b = sleeper().create().start()
    assert pinned("exec", b.id, "grep", "Cpus_allowed_list", "/proc/self/status") == line
    b.delete()


def test_processors_that_an_exec_asks_for_stay():
    cpus = sorted(os.sched_getaffinity(0))
    b = sleeper(execCPUAffinity={"initial": str(cpus[-1]), "final": str(cpus[0])}).create().start()
    r = rt("--debug", "exec", b.id, "grep", "Cpus_allowed_list", "/proc/self/status")
    assert r.out.split() == ["Cpus_allowed_list:", str(cpus[0])], r
    assert re.search("nsexec.*: affinity: %#x" % (1 << cpus[-1]), r.err), r
    b.delete()
    b = sleeper(execCPUAffinity={"initial": str(cpus[-1])}).create().start()
    assert rt("exec", b.id, "grep", "Cpus_allowed_list", "/proc/self/status").out.split()[1] == str(cpus[-1])
    b.delete()


def test_hooks_output_is_in_the_message_of_their_failure():
    for point in ("prestart", "createRuntime", "createContainer", "startContainer", "poststart"):
        b = Bundle("sleep", "5")
        b.config["hooks"] = {point: [{"path": "/bin/sh", "args": ["sh", "-c", "echo to out; echo to err >&2; exit 3"]}]}
        r = b.run(check=1)
        assert "error running %s hook #0: /bin/sh: exit status 3, stdout: to out, stderr: to err\n" % point in r.err, r
        assert r.err.count("to err") == 1 and not r.out, r
    b = Bundle("true")
    b.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "echo no; echo a warning >&2"]}]}
    r = b.run()
    assert r.err == "a warning\n" and not r.out, r
    b.config["hooks"]["createRuntime"][0].update(timeout=1, args=["sh", "-c", "echo before; sleep 30"])
    assert "timed out after 1 seconds, stdout: before" in b.run(check=1).err


def test_hook_with_much_output_and_something_in_the_background():
    b = Bundle("true")
    script = "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done; sleep 20 & exit 1"
    b.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]}
    r = b.run(check=1, timeout=15)
    assert r.seconds < 10 and "exit status 1, stdout: 0123456789" in r.err, r


def test_create_container_hooks_start_on_the_root():
    b = Bundle("cat", "/etc/made", "/etc/bound")
    with open(b.path + "/source", "w") as f:
        f.write("bound\n")
    script = "echo made >etc/made && touch etc/bound && mount --bind %s/source etc/bound && pwd >%s/seen" % (b.path, b.path)
    b.config["hooks"] = {"createContainer": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]}
    assert b.run().out == "made\nbound\n"
    with open(b.path + "/seen") as f:
        assert f.read() == b.rootfs + "\n"


def test_cgroup_of_somebody_else_is_told():
    a, b = sleeper().create(), sleeper()
    b.linux["cgroupsPath"] = a.linux["cgroupsPath"]
    b.save()
    for command in (("create",), ("run", "--detach")):
        r = rt(*command, "--bundle", b.path, b.id, check=1)
        assert "container's cgroup is not empty: /berth-test/" + a.id in r.err, r
    a.delete()
    os.makedirs("%s/berth-test/%s" % (CGROUP, a.id))
    with open("%s/berth-test/%s/cgroup.freeze" % (CGROUP, a.id), "w") as f:
        f.write("1")
    r = rt("create", "--bundle", b.path, b.id, check=1)
    assert "container's cgroup unexpectedly frozen: /berth-test/" + a.id in r.err, r
    os.rmdir("%s/berth-test/%s" % (CGROUP, a.id))


def test_exec_follows_init_out_of_a_cgroup_that_is_gone():
    other = CGROUP + "/berth-test/elsewhere"
    b = sleeper()
    bundle.ns_without(b, "cgroup")
    b.create().start()
    os.makedirs(other, exist_ok=True)
    with open(other + "/cgroup.procs", "w") as f:
        f.write(str(b.pid))
    os.rmdir("%s/berth-test/%s" % (CGROUP, b.id))
    assert "0::/berth-test/elsewhere" in rt("exec", b.id, "cat", "/proc/self/cgroup").out.split()
    assert "no such file" in rt("exec", "--cgroup", "/", b.id, "true", check=255).err
    b.delete()
    os.rmdir(other)


def test_what_is_in_the_way_of_a_device():
    b = Bundle("true")
    b.linux["devices"] = [{"path": "/data/x", "type": "c", "major": 1, "minor": 3}]
    os.mkdir(b.rootfs + "/data")
    path = b.rootfs + "/data/x"
    with open(path, "w"):
        pass
    b.fails("/data/x has incorrect ftype: ")
    os.unlink(path)
    os.mknod(path, 0o020666, os.makedev(1, 5))
    b.fails("/data/x has incorrect major:minor: 1:5 doesn't match expected 1:3")
    os.unlink(path)
    os.mknod(path, 0o020600, os.makedev(1, 3))
    assert b.run().out == ""


def test_page_size_in_small_letters():
    sizes = [f.split(".")[1] for f in os.listdir("/sys/fs/cgroup/system.slice" if os.path.isdir("/sys/fs/cgroup/system.slice")
                                                 else CGROUP) if f.startswith("hugetlb.") and f.count(".") == 2]
    b = Bundle("true")
    b.linux["resources"] = {"hugepageLimits": [{"pagesize": "7XB", "limit": 4096}]}
    b.fails("7XB")
    if sizes:
        b.linux["resources"]["hugepageLimits"][0]["pagesize"] = sizes[0]
        b.run()


def test_spec_is_what_runs():
    b = Bundle()
    rt("spec", "--bundle", b.path)
    with open(b.path + "/config.json") as f:
        c = json.load(f)
    assert c["process"]["args"] == ["sh"] and c["process"]["terminal"] is True, c
    c["process"].update(args=["echo", "hello"], terminal=False)
    with open(b.path + "/config.json", "w") as f:
        json.dump(c, f)
    assert subprocess.run([RUNTIME, "--root", ROOT, "run", b.id], cwd=b.path, stdout=subprocess.PIPE, check=True).stdout == b"hello\n"


def scoped(**annotations):
    b = sleeper()
    b.options = ("--systemd-cgroup",)
    b.linux["cgroupsPath"] = "machine.slice:suite:" + b.id
    b.config["annotations"] = {"org.systemd.property." + k: v for k, v in annotations.items()}
    b.unit = "suite-%s.scope" % b.id
    return b


def unit_state(b):
    return systemctl("show", "--property=LoadState,ActiveState", "--value", b.unit).out.split()


def test_scope_that_failed_stays_until_delete():
    b = scoped(RuntimeMaxSec="1", TimeoutStopSec="1").create().start()
    wait_for(lambda: b.state()["status"] == "stopped", 20)
    wait_for(lambda: unit_state(b)[1] == "failed", 20)
    rt("delete", b.id)
    assert unit_state(b) == ["not-found", "inactive"]
    # A leftover of the same name is no obstacle.
    b = scoped(RuntimeMaxSec="1", TimeoutStopSec="1").create().start()
    wait_for(lambda: unit_state(b)[1] == "failed", 20)
    again = scoped()
    again.linux["cgroupsPath"] = b.linux["cgroupsPath"]
    again.create().start()
    assert unit_state(b) == ["loaded", "active"]
    rt("delete", "--force", again.id)
    wait_for(lambda: unit_state(b) == ["not-found", "inactive"], 10)
    rt("delete", b.id)


def test_scope_in_use_and_frozen_place():
    a, b = scoped().create(), scoped()
    b.linux["cgroupsPath"] = a.linux["cgroupsPath"]
    b.save()
    assert "container's cgroup is not empty: systemd has a unit" in rt("--systemd-cgroup", "create", "--bundle", b.path, b.id, check=1).err
    rt("delete", "--force", a.id)
    place = CGROUP + "/machine.slice/" + a.unit
    os.makedirs(place, exist_ok=True)
    with open(place + "/cgroup.freeze", "w") as f:
        f.write("1")
    r = rt("--systemd-cgroup", "create", "--bundle", b.path, b.id, check=1)
    assert "container's cgroup unexpectedly frozen: /machine.slice/" + a.unit in r.err, r
    os.rmdir(place)


def waiting(b, fifo, *options):
    """A detached exec that would make /tmp/ran."""
    pid_file = b.path + "/exec-pid"
    subprocess.run([RUNTIME, "--root", ROOT, "exec", "--detach", "--pid-file", pid_file, "--exec-wait-fifo", fifo, *options, b.id, "touch",
                    "/tmp/ran"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, timeout=20)
    with open(pid_file) as f:
        return int(f.read())


def blocked_in_read(pid):
    with open("/proc/%d/syscall" % pid) as f:
        return f.read().split()[0] == {"x86_64": "0", "aarch64": "63"}[os.uname().machine]


def read_fifo(path):
    with open(path, "rb") as f:
        return f.read()


def test_exec_waits_for_a_reader():
    for caps, filtered in (([], False), (["CAP_SYS_PTRACE"], True)):
        b = sleeper(noNewPrivileges=True)
        for names in b.process["capabilities"].values():
            names += caps
        if filtered:    # what opens is forbidden: the wait needs none of it
            b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                {"names": ["inotify_init1", "inotify_add_watch", "poll", "ppoll", "sendto", "sendmsg"], "action": "SCMP_ACT_ERRNO"}]}
        b.create().start()
        fifo, ran = b.path + "/fifo", b.rootfs + "/tmp/ran"
        os.mkfifo(fifo)
        pid = waiting(b, fifo)
        wait_for(lambda: blocked_in_read(pid), what="the wait for a reader")
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            assert b"touch\0/tmp/ran" not in f.read()[:15] and not os.path.exists(ran)
        assert read_fifo(fifo) == b"0"
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0 and os.path.exists(ran)
        os.unlink(ran)
        # A reader that is there first.
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        assert os.waitstatus_to_exitcode(os.waitpid(waiting(b, fifo), 0)[1]) == 0 and os.path.exists(ran)
        os.close(reader)
        os.unlink(ran)
        # Killed while it waits: nothing runs, and nobody is left.
        pid = waiting(b, fifo)
        os.kill(pid, 9)
        assert os.waitpid(pid, 0)[1] == 9 and not os.path.exists(ran)
        b.delete()


def test_exec_wait_fifo_is_a_fifo():
    b = sleeper().create().start()
    path = b.path + "/file"
    assert "failed to open exec wait fifo %s: no such file" % path in rt("exec", "--exec-wait-fifo", path, b.id, "true", check=255).err
    with open(path, "w"):
        pass
    assert path + " is not a fifo" in rt("exec", "--exec-wait-fifo", path, b.id, "true", check=255).err
    # In the foreground the exit status is the program's.
    os.mkfifo(path + "2")
    with subprocess.Popen(["cat", path + "2"], stdout=subprocess.PIPE) as p:
        assert rt("exec", "--exec-wait-fifo", path + "2", b.id, "sh", "-c", "ls /proc/self/fd; exit 5", check=5).out == "0\n1\n2\n3\n"
        assert p.stdout.read() == b"0"
    b.delete()


@needs("controllers")
def test_scope_has_all_controllers_of_its_slice():
    b = sleeper().create()     # under the other driver, which turns on all that there are
    b.delete()
    b = scoped().create()
    with open(CGROUP + "/machine.slice/cgroup.controllers") as f:
        of_slice = f.read().split()
    with open(CGROUP + "/machine.slice/%s/cgroup.controllers" % b.unit) as f:
        assert f.read().split() == of_slice and "hugetlb" in of_slice
    b.delete()


@needs("controllers")
def test_updated_io_weights_of_a_scope_are_exact():
    b = scoped().create()
    files = {"io.weight": "default 1021", "io.bfq.weight": "default 111"}
    files = {k: v for k, v in files.items() if os.path.exists(CGROUP + "/machine.slice/%s/%s" % (b.unit, k))}
    rt("update", "--blkio-weight", "111", b.id, check=0 if files else 1)
    for name, value in files.items():
        with open(CGROUP + "/machine.slice/%s/%s" % (b.unit, name)) as f:
            assert f.read().splitlines()[0] == value, name
    b.delete()


def test_ptmx_where_no_device_can_be_made():
    b = Bundle("stat", "-L", "-c", "%a %u:%g %t:%T", "/dev/ptmx")
    b.linux["devices"] = [{"path": "/dev/ptmx", "type": "c", "major": 5, "minor": 2}]
    assert b.run().out == "666 0:0 5:2\n"
    b.linux["namespaces"].append({"type": "user"})
    b.linux["uidMappings"] = b.linux["gidMappings"] = [{"containerID": 0, "hostID": 300000, "size": 65536}]
    run("chown", "-R", "300000:300000", b.path)
    os.chmod(bundle.TOP, 0o755)
    assert b.run().out == "666 0:0 5:2\n"
