# SPDX-License-Identifier: LGPL-2.1-or-later
"""What runc's own suite expects of run, exec and kill, where no other test of ours says it."""
import json
import os
import pty

import bundle
from bundle import ROOT, RUNTIME, Bundle, read_until, rt
from harness import run, skip_unless


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


def test_terminal_output_on_a_terminal_is_left_to_the_payload():
    """Our own terminal is raw then: a program of full screens moves the cursor as it wants."""
    b = Bundle("sh", "-c", "stty -a | grep -o '.onlcr'; echo end")
    b.process["terminal"] = True
    b.save()
    pid, master = pty.fork()
    if pid == 0:
        os.execlp(RUNTIME, RUNTIME, "--root", ROOT, "run", "--bundle", b.path, b.id)
    out = read_until(master, b"end\r\n")
    assert b" onlcr\r\n" in out or out.startswith(b"onlcr"), out
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(master)


def test_program_that_a_capability_lets_its_user_execute():
    b = Bundle("/only-root")
    with open(b.rootfs + "/only-root", "w") as f:
        f.write("#!/bin/sh\necho ran\n")
    os.mkdir(b.rootfs + "/closed")
    os.chmod(b.rootfs + "/only-root", 0o744)
    os.chmod(b.rootfs + "/closed", 0o700)
    b.process["user"] = {"uid": 1000, "gid": 1000}
    b.process["capabilities"] = {}
    assert '"/only-root": permission denied' in b.run(check=1).err
    sets = ("bounding", "effective", "permitted", "inheritable", "ambient")
    b.process["capabilities"] = {k: ["CAP_DAC_OVERRIDE"] for k in sets}
    assert b.run().out == "ran\n"
    # This one opens directories, but makes nothing executable.
    b.process["capabilities"] = {k: ["CAP_DAC_READ_SEARCH"] for k in sets}
    assert '"/only-root": permission denied' in b.run(check=1).err
    os.rename(b.rootfs + "/only-root", b.rootfs + "/closed/program")
    os.chmod(b.rootfs + "/closed/program", 0o755)
    b.process["args"] = ["/closed/program"]
    assert b.run().out == "ran\n"
    b.process["capabilities"] = {}
    assert '"/closed/program": permission denied' in b.run(check=1).err


@skip_unless(os.path.exists("/usr/bin/strace"), "needs strace")
def test_kill_of_a_scope_that_systemd_removes_meanwhile():
    b = Bundle("sleep", "1000")
    b.options = ("--systemd-cgroup",)
    b.linux["cgroupsPath"] = ":berth-test:" + b.id
    b.create().start()
    # The payload dies of the first signal, and its empty scope goes while the cgroup is still open.
    run("strace", "-qq", "-o", b.path + "/trace", "-e", "inject=pidfd_send_signal:delay_exit=500000",
        RUNTIME, "--root", ROOT, "kill", b.id, "KILL")
    with open(b.path + "/trace") as f:
        trace = f.read()
    assert "cgroup.kill" in trace and "ENOENT" in trace.split("cgroup.kill")[1], trace
    assert os.WTERMSIG(b.wait()) == 9
    b.delete()


def filter_flags(b):
    """What the kernel was given, as --debug says it."""
    log = b.path + "/log"
    rt("--debug", "--log", log, "--log-format", "json", "run", "--bundle", b.save().path, b.id)
    with open(log) as f:
        said = [json.loads(line)["msg"] for line in f if "seccomp filter flags" in line]
    os.unlink(log)
    return said


def test_filter_without_flags_does_not_slow_its_program_down():
    b = Bundle("true")
    b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}
    for flags, number in ((None, 4), ([], 0), (["SECCOMP_FILTER_FLAG_TSYNC"], 0), (["SECCOMP_FILTER_FLAG_LOG"], 2),
                          (["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"], 6),
                          (["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], 0)):
        b.linux["seccomp"]["flags"] = flags
        if flags is None:
            del b.linux["seccomp"]["flags"]
        for _ in range(2):  # the second time from the cache
            assert filter_flags(b) == ["seccomp filter flags: %d" % number], flags


def test_write_cannot_be_notified():
    """Or nobody could say why the program did not run."""
    b = Bundle("true")
    b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/nowhere/agent",
                          "syscalls": [{"names": ["mkdir", "write"], "action": "SCMP_ACT_NOTIFY"}]}
    b.fails("SCMP_ACT_NOTIFY cannot be used for the write syscall")
    b.linux["seccomp"]["syscalls"][0]["names"] = ["mkdir"]
    b.fails("failed to connect with seccomp agent /nowhere/agent")
