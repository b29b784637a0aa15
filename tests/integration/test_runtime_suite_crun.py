# SPDX-License-Identifier: LGPL-2.1-or-later
"""What crun's test suite and its users expect of a runtime, where no other test of ours says it."""
import json
import os
import socket
import subprocess

import bundle
from bundle import Bundle, receive_fd, rt
from harness import run, wait_for


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


def test_what_is_wrong_with_an_id():
    for cid, text in (("this/is/wrong", 'invalid character "/"'), ("a b", 'invalid character " "'), (".hidden", "invalid container ID format"), ("..", "invalid")):
        r = rt("run", "--bundle", Bundle("true").save().path, cid, check=1)
        assert text in r.err and "invalid container ID" in r.err, r


def test_domainname_by_two_ways_has_one_value():
    b = Bundle("cat", "/proc/sys/kernel/domainname")
    b.config["domainname"] = "here.example"
    b.linux["sysctl"] = {"kernel.domainname": "here.example"}
    assert b.run().out == "here.example\n"
    for key in ("kernel.domainname", "kernel/domainname"):
        b.linux["sysctl"] = {key: "there.example"}
        b.fails("conflicts with domainname")
    del b.config["domainname"]
    assert b.run().out == "there.example\n"


def test_what_is_wrong_with_a_deadline():
    good = {"policy": "SCHED_DEADLINE", "runtime": 10000000, "deadline": 20000000, "period": 20000000}
    for change, text in (({"runtime": None}, "requires `runtime`"), ({"deadline": None}, "requires `deadline`"), ({"runtime": 0}, "runtime must be greater than 0"),
                         ({"runtime": 1023}, "runtime 1023 must be between 1024 and "), ({"runtime": 2 ** 63 + 1, "deadline": 2 ** 63 + 2}, "runtime 9223372036854775809 must be between"),
                         ({"runtime": 30000000}, "runtime 30000000 must be <= deadline 20000000"), ({"deadline": 30000000}, "deadline 30000000 must be <= period 20000000"),
                         ({"period": -1}, "process.scheduler.period")):
        b = Bundle("true")
        b.process["scheduler"] = {k: v for k, v in dict(good, **change).items() if v is not None}
        assert text in b.run(check=1).err, text


def test_numbers_as_arguments():
    b = Bundle("echo", "a", 7, 2 ** 40)
    assert b.run().out == "a 7 1099511627776\n"
    b.process["args"] = ["echo", 1.5]
    b.fails("process.args")


def test_scope_of_a_container():
    b = Bundle("sleep", "100")
    b.options = ("--systemd-cgroup",)
    b.linux["cgroupsPath"] = "system.slice:suite:" + b.id
    b.create().start()
    assert b.state()["systemd-scope"] == "suite-%s.scope" % b.id
    b.delete()
    b = Bundle("sleep", "100").create()
    assert "systemd-scope" not in b.state()
    b.delete()


def test_unified_names_what_is_not_there():
    for name, text in (("nosuch.max", "the requested cgroup controller `nosuch` is not available"),
                       ("NOT-A-KEY", "the specified key has not the form CONTROLLER.VALUE `NOT-A-KEY`")):
        b = Bundle("true")
        b.linux["resources"] = {"unified": {name: "1"}}
        b.fails(text)


def test_a_failing_poststop_hook_is_told():
    b = Bundle("true")
    b.config["hooks"] = {"poststop": [{"path": "/bin/sh", "args": ["sh", "-c", "exit 9"]}, {"path": "/bin/false"}]}
    r = b.run()
    assert "poststop hook failed with exit code 9" in r.err and "poststop hook failed with exit code 1" in r.err, r


def exits_with(b, path, script):
    with open(b.rootfs + path, "w") as f:
        f.write("#!/bin/sh\n" + script + "\n")
    os.chmod(b.rootfs + path, 0o755)
    return {"path": path}


def test_output_of_hooks_goes_where_annotations_say():
    b = Bundle("true")
    out, err = b.path + "/hooks.out", b.path + "/hooks.err"
    b.config["annotations"] = {"run.oci.hooks.stdout": out, "run.oci.hooks.stderr": err}
    points = "prestart createRuntime createContainer startContainer poststart poststop".split()
    b.config["hooks"] = {p: [{"path": "/bin/sh", "args": ["sh", "-c", "echo %s; echo not %s >&2" % (p, p)]}] for p in points}
    b.run()
    with open(out) as f, open(err) as g:
        assert f.read().split() == points
        assert g.read().split("\n")[:-1] == ["not " + p for p in points]
    assert os.stat(out).st_mode & 0o777 == 0o600
    # The container sees nothing of them but in its hook.
    b.config["hooks"]["startContainer"] = [exits_with(b, "/hook", "ls -l /proc/self/fd >&2; echo x > /proc/self/fd/1")]
    assert b.sh("ls /proc/self/fd").out.split() == ["0", "1", "2", "3"]
    for value in ("relative", "/no/such/directory/file"):
        b.config["annotations"]["run.oci.hooks.stdout"] = value
        b.fails("run.oci.hooks.stdout")


def test_pidfd_receiver():
    b = Bundle("sleep", "100")
    s = socket.socket(socket.AF_UNIX)
    s.bind(b.path + "/s")
    s.listen(1)
    b.config["annotations"] = {"run.oci.pidfd_receiver": b.path + "/s"}
    b.create()
    fd = receive_fd(s.accept()[0])
    with open("/proc/self/fdinfo/%d" % fd) as f:
        assert "Pid:\t%d\n" % b.pid in f.read()
    os.close(fd)
    b.delete()
    b.config["annotations"] = {"run.oci.pidfd_receiver": b.path + "/nowhere"}
    b.fails("/nowhere")


def test_unknown_system_calls_can_be_an_error():
    b = Bundle("true")
    b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "no_such_call"], "action": "SCMP_ACT_ERRNO"}]}
    b.run()
    b.config["annotations"] = {"run.oci.seccomp_fail_unknown_syscall": "1"}
    b.fails('"no_such_call"')
    b.config["annotations"] = {"run.oci.seccomp_fail_unknown_syscall": "0"}
    b.run()
    b.config["annotations"] = {"run.oci.seccomp_fail_unknown_syscall": "1"}
    b.linux["seccomp"]["syscalls"][0]["names"].pop()
    b.run()


def test_annotations_that_are_not_done_are_refused():
    for name in ("run.oci.handler", "run.oci.seccomp.plugins", "run.oci.seccomp_bpf_data", "run.oci.systemd.force_cgroup_v1", "run.oci.delegate-cgroup"):
        b = Bundle("true")
        b.config["annotations"] = {name: "/x"}
        b.fails(name)
    b = Bundle("true")
    b.config["annotations"] = {"run.oci.mount_context_type": "nosuch"}
    b.fails("run.oci.mount_context_type")
    b.config["annotations"] = {"run.oci.mount_context_type": "rootcontext", "run.oci.something.else": "data"}
    b.run()


def test_containers_by_pattern():
    made = [Bundle("sleep", "100").create().start() for _ in range(3)]
    other = Bundle("sleep", "100")
    other.id = "other-" + other.id
    other.linux["cgroupsPath"] = "/berth-test/" + other.id
    other.create().start()
    rt("kill", "--regex", "^t[0-9]+$", "KILL")
    for b in made:
        wait_for(lambda b=b: b.state()["status"] == "stopped", 10)
    assert other.state()["status"] == "running"
    r = rt("delete", "-r", "(%s|%s|%s)$" % (made[0].id, made[1].id, other.id), check=1)
    assert other.id in r.err and "not stopped" in r.err, r  # and the rest is done
    assert json.loads(rt("list", "--format", "json").out) and made[2].state()["status"] == "stopped"
    rt("state", made[0].id, check=1)
    rt("state", made[1].id, check=1)
    rt("delete", "--force", "--regex", "t[0-9]+")
    rt("delete", "--force", "--regex", "t[0-9]+")
    # Each failure is told, and once.
    three = [Bundle("sleep", "100").create().start() for _ in range(3)]
    r = rt("delete", "--regex", "^t[0-9]+$", check=1)
    assert [r.err.count('container "%s" that is not stopped' % b.id) for b in three] == [1, 1, 1], r
    for b in three:
        b.delete()
    for b in made + [other]:
        b.gone()
    assert "regular expression" in rt("delete", "--regex", "*(", check=1).err


def test_logs_elsewhere():
    b = Bundle("true")
    b.process["cwd"] = "relative"
    b.save()
    for fmt, text in (("text", "level=error msg="), ("json", '"level":"error"')):
        rt("--log", "file:" + b.path + "/log-" + fmt, "--log-format", fmt, "run", "--bundle", b.path, b.id, check=1)
        with open(b.path + "/log-" + fmt) as f:
            assert text in f.read()
    for where in ("journald:suite-j", "syslog:suite-s", "journald:"):
        assert "process.cwd" in rt("--log", where, "run", "--bundle", b.path, b.id, check=1).err
        ident = where.split(":")[1] or "berth-runtime"
        wait_for(lambda i=ident: "process.cwd" in run("journalctl", "-q", "-t", i, "-p", "err", "-o", "cat").out, 10)
    assert "nosuch:/x" in rt("--log", "nosuch:/x", "list", check=1).err
    b.process.update(cwd="/", args=["/evil\nPRIORITY=0\nMESSAGE=forged"])
    b.save()
    forged = "suite-f%d" % os.getpid()
    for where in ("journald:" + forged, "syslog:" + forged):
        rt("--log", where, "run", "--bundle", b.path, b.id, check=1)
    wait_for(lambda: run("journalctl", "-q", "-t", forged, "-o", "cat").out.count("evil") >= 2, 10)
    lines = [json.loads(x) for x in run("journalctl", "-q", "-t", forged, "-o", "json").out.splitlines()]
    assert len(lines) == 2 and all(x["PRIORITY"] == "3" and '"/evil\\u000aPRIORITY' in x["MESSAGE"] for x in lines), lines


def test_state_file_says_where_descriptors_led():
    """Its name and this field are crun's, whose tests wait for the one and read the other."""
    b = Bundle("sleep", "100").create()
    with open("%s/%s/status" % (bundle.ROOT, b.id)) as f:
        assert json.loads(json.load(f)["external_descriptors"]) == ["/dev/null", b.path + "/out", b.path + "/out"]
    b.start()
    b.delete()


def test_no_cgroup_at_all():
    with open("/proc/self/cgroup") as f:
        own = f.read()
    b = Bundle("sleep", "100")
    b.options = ("--cgroup-manager", "disabled")
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "cgroup"]
    b.fails("linux.cgroupsPath")
    del b.linux["cgroupsPath"]
    for name, value in (("pids", {"limit": 5}), ("devices", [{"allow": False, "access": "rwm"}])):
        b.linux["resources"] = {name: value}
        b.fails("linux.resources." + name)
    b.linux["resources"] = {"pids": {"limit": -1}}
    b.create().start()
    with open("/proc/%d/cgroup" % b.pid) as f:
        assert f.read() == own
    assert "0::" in rt("exec", b.id, "cat", "/proc/self/cgroup").out
    assert "cgroup" in rt("pause", b.id, check=1).err and "cgroup" in rt("update", "--pids-limit", "5", b.id, check=1).err
    rt("kill", "--all", b.id, "KILL")
    wait_for(lambda: b.state()["status"] == "stopped", 10)
    b.delete()
    assert not os.path.exists("%s/%s" % (bundle.CGROUP, b.id))
    assert b.sh("echo $$").out == "1\n"
    assert "not supported" in rt("--cgroup-manager", "disabled", "restore", "--bundle", b.path, b.id, check=1).err


def test_devices_that_the_host_does_not_have_in_a_user_namespace():
    for first in (0, 100000):
        b = Bundle()
        os.chmod(bundle.TOP, 0o711)
        os.chmod(b.path, 0o711)
        subprocess.run(["chown", "-hR", "%d:%d" % (first, first), b.rootfs], check=True)
        b.linux["namespaces"].append({"type": "user"})
        b.linux["uidMappings"] = b.linux["gidMappings"] = [{"containerID": 0, "hostID": first, "size": 65536}]
        b.linux["devices"] = [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3},
                              {"path": "/dev/nothing", "type": "c", "major": 1, "minor": 3, "uid": 10, "gid": 11, "fileMode": 0o142},
                              {"path": "/below/a/disk", "type": "b", "major": 7, "minor": 200},
                              {"path": "/dev/queue", "type": "p", "fileMode": 0o600}]
        b.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
        r = b.sh("stat -c '%n %a %u %g %t %T' /dev/nothing /below/a/disk; test -p /dev/queue && echo pipe; echo x >/dev/nothing && echo written;"
                 " cat /below/a/disk; grep -c devices /proc/self/mountinfo; ls /", check=None)
        lines = r.out.split("\n")
        assert lines[:4] == ["/dev/nothing 142 10 11 1 3", "/below/a/disk 666 0 0 7 c8", "pipe", "written"], r
        assert "Operation not permitted" in r.err and lines[4] == "2" and "proc" in lines, r  # nothing is left of where they were made
        b.linux["devices"][1]["uid"] = 70000
        b.fails("its owner is not mapped")


def test_links_of_procfs_are_not_covered():
    link = bundle.TOP + "/link-to-cover-with"
    os.symlink("x", link)
    for destination in ("/proc/self", "/proc/self/exe", "/proc/mounts"):
        b = Bundle("true")
        b.config["mounts"].append({"destination": destination, "type": "bind", "source": link, "options": ["bind", "src-nofollow", "dest-nofollow"]})
        b.fails("mount " + destination)


def test_levels_of_the_log():
    b = Bundle("true")
    b.process["capabilities"]["bounding"].append("CAP_NOT_KNOWN")
    b.save()
    for level, warns, debugs in (("error", False, False), ("warning", True, False), ("debug", True, True)):
        log = b.path + "/" + level
        rt("--log", log, "--log-level", level, "run", "--bundle", b.path, b.id)
        rt("--log", log, "--log-level", level, "run", "--bundle", "/no/such", b.id, check=1)
        with open(log) as f:
            text = f.read()
        assert (("CAP_NOT_KNOWN" in text), ("level=debug" in text)) == (warns, debugs) and "/no/such" in text, (level, text)
    assert "--log-level" in rt("--log-level", "loud", "list", check=1).err


def test_spec_in_another_file():
    top = bundle.TOP + "/spec"
    os.mkdir(top)
    rt("spec", "--bundle", top, "--file", "other.json")
    rt("spec", "-b", top, "-f", top + "/third.json", "--rootless")
    for name in ("other.json", "third.json"):
        with open(top + "/" + name) as f:
            assert json.load(f)["ociVersion"]
    assert sorted(os.listdir(top)) == ["other.json", "third.json"]
    assert "other.json" in rt("spec", "--bundle", top, "--file", "other.json", check=1).err


def test_usage_of_commands():
    for command, usage in (("delete", "delete CONTAINER"), ("start", "start CONTAINER"), ("update", "update [OPTION]... CONTAINER")):
        out = rt(command, "--help").out
        assert "Usage: %s [OPTION...] %s\n" % (os.path.basename(bundle.RUNTIME), usage) in out, out
    assert "--regex" in rt("delete", "--help").out
