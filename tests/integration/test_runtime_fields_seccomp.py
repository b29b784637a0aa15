# SPDX-License-Identifier: LGPL-2.1-or-later
"""linux.seccomp: actions, flags, architectures, comparisons; notifications answered by an agent."""
import array
import errno
import fcntl
import json
import os
import select
import socket
import struct
import threading

import bundle
from bundle import Bundle, rt
from harness import wait_for

RECV, SEND = 0xc0502100, 0xc0182101
CONTINUE = 1


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


def seccomp(*rules, default="SCMP_ACT_ALLOW", **kw):
    return dict({"defaultAction": default, "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
                 "syscalls": list(rules)}, **kw)


def rule(action, *names, **kw):
    return dict({"names": list(names), "action": action}, **kw)


class Agent:
    """Takes listeners at a socket and answers what they report; .states is what came with them."""

    def __init__(self, path, answer):
        self.path, self.answer, self.states, self.seen, self.failure = path, answer, [], [], None
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(4)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.attend, args=(conn,), daemon=True).start()

    def attend(self, conn):
        data, fds = b"", array.array("i")
        while True:
            more, anc, _, _ = conn.recvmsg(4096, socket.CMSG_LEN(16))
            for _, _, payload in anc:
                fds.frombytes(payload)
            data += more
            try:
                state = json.loads(data)
                break
            except ValueError:
                if not more:
                    self.failure = data
                    return
        conn.close()
        self.states.append((state, len(fds)))
        poll = select.poll()
        poll.register(fds[0], select.POLLIN)
        while not poll.poll()[0][1] & select.POLLHUP:
            buf = bytearray(80)
            try:
                fcntl.ioctl(fds[0], RECV, buf)
            except OSError as e:
                if e.errno in (errno.ENOENT, errno.EINTR):
                    continue
                raise
            ident, pid, _, nr = struct.unpack_from("QIIi", buf)
            self.seen.append((pid, nr))
            error, flags = self.answer(nr)
            try:
                fcntl.ioctl(fds[0], SEND, struct.pack("QqiI", ident, 0, -error, flags))
            except FileNotFoundError:
                pass
        os.close(fds[0])


def mkdir_fails(nr):
    return (errno.ENOANO, 0) if nr in (83, 258) else (0, CONTINUE)


def notifying(b, *names, **kw):
    b.linux["seccomp"] = seccomp(rule("SCMP_ACT_NOTIFY", *names), listenerPath=b.path + "/agent", listenerMetadata="some words", **kw)
    return Agent(b.path + "/agent", mkdir_fails)


def test_an_agent_answers():
    for nnp in (False, True):
        b = Bundle("sh", "-c", "mkdir /tmp/x; echo $?")
        b.process["noNewPrivileges"] = nnp
        b.config["annotations"] = {"a": "b"}
        agent = notifying(b, "mkdir", "mkdirat")
        b.create().start()
        b.wait()
        assert "No anode" in b.out() and b.out().endswith("1\n"), b.out()
        state, n = agent.states[0]
        assert n == 1 and state["fds"] == ["seccompFd"] and state["metadata"] == "some words", state
        assert state["pid"] == b.pid == state["state"]["pid"] and state["state"]["id"] == b.id, state
        assert state["state"]["bundle"] == b.path and state["state"]["annotations"] == {"a": "b"}, state
        assert state["ociVersion"] == "1.0.2" and state["state"]["status"] == "creating", state
        assert [nr for _, nr in agent.seen] == [83], agent.seen
        b.delete()
        b.process["args"] = ["sh", "-c", "mkdir /tmp/x"]
        assert "No anode" in b.run(check=1).err and len(agent.states) == 2


def test_an_agent_that_an_annotation_names():
    b = Bundle("sleep", "100")
    agent = notifying(b, "mkdir", "mkdirat")
    path = b.linux["seccomp"].pop("listenerPath")
    for receiver, listener in ((path, None), (path, ""), ("/nowhere/agent", path)):
        b.config["annotations"] = {"run.oci.seccomp.receiver": receiver}
        if listener is not None:
            b.linux["seccomp"]["listenerPath"] = listener
        before = len(agent.states)
        b.create().start()
        assert "No anode" in rt("exec", b.id, "mkdir", "/tmp/x", check=1).err and len(agent.states) == before + 2
        b.delete()
    b.linux["seccomp"]["listenerPath"] = "/nowhere/agent"
    b.config["annotations"] = {"run.oci.seccomp.receiver": agent.path}
    b.fails("/nowhere/agent")
    b.config["annotations"]["run.oci.seccomp.receiver"] = "agent"
    b.fails("run.oci.seccomp.receiver")


def test_an_agent_answers_for_exec():
    b = Bundle("sleep", "1000")
    agent = notifying(b, "mkdir", "mkdirat", flags=["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", "SECCOMP_FILTER_FLAG_LOG"])
    b.create().start()
    r = rt("exec", "--pid-file", b.path + "/epid", b.id, "mkdir", "/tmp/y", check=1)
    assert "No anode" in r.err, r
    state = agent.states[1][0]
    with open(b.path + "/epid") as f:
        assert state["pid"] == int(f.read()) and state["state"]["pid"] == b.pid, state
    assert state["state"]["status"] == "running" and state["metadata"] == "some words", state
    agent.listener.close()
    os.unlink(agent.path)
    assert "listenerPath" in rt("exec", b.id, "true", check=255).err
    b.delete()


def test_nothing_runs_before_the_agent_has_the_listener():
    """Everything the runtime does after the filter is answered too, whatever is notified."""
    for names in (("sendmsg", "writev", "close", "execve", "setgroups", "setresuid", "setresgid", "capset", "prctl", "umask",
                   "close_range"), ("sendmmsg", "execve")):
        for nnp in (False, True):
            b = Bundle("sh", "-c", "echo ran")
            b.process["noNewPrivileges"] = nnp
            agent = notifying(b, *names)
            b.create().start()
            assert os.waitstatus_to_exitcode(b.wait()) == 0 and b.out() == "ran\n", b.out()
            assert 59 in [nr for _, nr in agent.seen], agent.seen
            b.delete()


def test_notify_needs_an_agent():
    b = Bundle()
    notify = rule("SCMP_ACT_NOTIFY", "mkdir")
    b.linux["seccomp"] = seccomp(notify)
    b.fails("linux.seccomp.listenerPath")
    b.linux["seccomp"] = seccomp(notify, listenerPath="/nowhere/agent")
    b.fails("/nowhere/agent")
    b.linux["seccomp"] = seccomp(default="SCMP_ACT_NOTIFY", listenerPath="/nowhere/agent")
    b.fails("SCMP_ACT_NOTIFY cannot be used as default action")
    b.linux["seccomp"] = seccomp(rule("SCMP_ACT_NOTIFY", "sendmsg", "sendmmsg"), listenerPath="/nowhere/agent")
    b.fails("hand over the listener")
    b.linux["seccomp"] = seccomp(listenerMetadata="x")
    b.fails("listenerMetadata")
    # Without a notification nobody is asked for.
    b.linux["seccomp"] = seccomp(rule("SCMP_ACT_ERRNO", "mkdir"), listenerPath="/nowhere/agent")
    b.sh("true")


def test_a_listener_is_gone_with_its_container():
    b = Bundle("sh", "-c", "ls /proc/self/fd | wc -l")
    agent = notifying(b, "mkdir")
    b.create()
    assert agent.states == []
    b.start()
    b.wait()
    assert b.out() == "4\n", b.out()
    wait_for(lambda: len(agent.states) == 1)
    b.delete()


def status_of(action, script="mkdir /tmp/x; echo $?", **kw):
    b = Bundle()
    b.linux["seccomp"] = seccomp(rule(action, "mkdir", "mkdirat", **kw))
    b.process["args"] = ["sh", "-c", script]
    r = rt("run", "--bundle", b.save().path, b.id, check=None)
    b.gone()
    return r


def test_actions():
    assert "Operation not permitted" in status_of("SCMP_ACT_ERRNO").err
    assert "No space left" in status_of("SCMP_ACT_ERRNO", errnoRet=28).err
    for action in ("SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"):
        assert status_of(action).out == "159\n", action  # 128 + SIGSYS
    assert status_of("SCMP_ACT_LOG").out == "0\n" and status_of("SCMP_ACT_ALLOW").out == "0\n"
    # Nobody traces: the call does not exist.
    assert "Function not implemented" in status_of("SCMP_ACT_TRACE", errnoRet=3).err
    for bad, text in ((rule("SCMP_ACT_KILL", "mkdir", errnoRet=1), "errnoRet"), (rule("SCMP_ACT_WHAT", "mkdir"), "SCMP_ACT_WHAT"),
                      (rule("SCMP_ACT_ERRNO"), "names"), (rule("SCMP_ACT_ERRNO", "mkdir", errnoRet=5000), "errnoRet"),
                      (rule("SCMP_ACT_ERRNO", "mkdir", args=[{"index": 7, "value": 1, "op": "SCMP_CMP_EQ"}]), "index"),
                      (rule("SCMP_ACT_ERRNO", "mkdir", args=[{"index": 1, "value": 1, "op": "SCMP_CMP_X"}]), "op"),
                      (rule("SCMP_ACT_ERRNO", "mkdir", args=[{"index": 1, "value": "1", "op": "SCMP_CMP_EQ"}]), "value")):
        b = Bundle()
        b.linux["seccomp"] = seccomp(bad)
        b.fails(text)
    b = Bundle()
    b.linux["seccomp"] = seccomp(default="SCMP_ACT_ALLOW", defaultErrnoRet=3)
    b.fails("defaultErrnoRet")


def test_comparisons():
    """kill(pid, signal): the second argument decides."""
    for op, value, two, denied in (("SCMP_CMP_NE", 0, None, (10, 12)), ("SCMP_CMP_LT", 10, None, (0,)), ("SCMP_CMP_LE", 10, None, (0, 10)),
                                   ("SCMP_CMP_EQ", 10, None, (10,)), ("SCMP_CMP_GE", 12, None, (12,)), ("SCMP_CMP_GT", 10, None, (12,)),
                                   ("SCMP_CMP_MASKED_EQ", 0xa, 8, (12,)), ("SCMP_CMP_MASKED_EQ", 0xa, 0xa, (10,))):
        b = Bundle()
        arg = {"index": 1, "value": value, "op": op}
        if two is not None:
            arg["valueTwo"] = two
        b.linux["seccomp"] = seccomp(rule("SCMP_ACT_ERRNO", "kill", args=[arg]))
        out = b.sh("trap '' USR1 USR2; for s in 0 10 12; do kill -$s $$ 2>/dev/null; echo $s $?; done").out
        assert out == "".join("%d %d\n" % (s, s in denied) for s in (0, 10, 12)), (op, out)


def test_flags():
    for flags in ([], ["SECCOMP_FILTER_FLAG_TSYNC"], ["SECCOMP_FILTER_FLAG_LOG"], ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
                  ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG"]):
        b = Bundle()
        b.linux["seccomp"] = seccomp(rule("SCMP_ACT_ERRNO", "mkdir", errnoRet=28), flags=flags)
        r = b.sh("mkdir /tmp/x; grep Speculation_Store /proc/self/status", check=None)
        assert "No space left" in r.err, (flags, r)
    b = Bundle()
    b.linux["seccomp"] = seccomp(flags=["SECCOMP_FILTER_FLAG_WHAT"])
    b.fails("SECCOMP_FILTER_FLAG_WHAT")


def test_architectures():
    f = json.loads(rt("features").out)["linux"]["seccomp"]
    little = [a for a in f["archs"] if a.split("_")[-1] in ("X86", "64", "X32", "ARM", "AARCH64", "MIPSEL", "MIPSEL64", "MIPSEL64N32",
                                                            "PPC64LE", "RISCV64", "LOONGARCH64")]
    assert len(little) >= 10, f
    for arch in little:
        b = Bundle()
        b.linux["seccomp"] = dict(seccomp(rule("SCMP_ACT_ERRNO", "mkdir", errnoRet=28)), architectures=[arch])
        assert "No space left" in b.sh("mkdir /tmp/x", check=None).err, arch
    b = Bundle()
    b.linux["seccomp"] = dict(seccomp(), architectures=["SCMP_ARCH_PDP11"])
    b.fails("SCMP_ARCH_PDP11")


def test_calls_newer_than_the_profile_do_not_exist():
    """A denying profile that names nothing after openat (257): statx (332) is newer than all it knows."""
    for default in ("SCMP_ACT_ERRNO",):
        b = Bundle()
        known = ("read write open close stat fstat lstat poll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask "
                 "rt_sigreturn ioctl access dup2 getpid execve exit uname fcntl readlink getuid getgid geteuid getegid arch_prctl "
                 "set_tid_address exit_group openat prctl capset setresuid setresgid setgroups umask sendmsg sendto wait4 fork clone vfork "
                 "capget chdir getcwd getppid sysinfo pread64 getdents64 futex madvise getpgrp getpgid setpgid getrlimit "
                 "rt_sigsuspend time gettimeofday sigaltstack lgetxattr llistxattr getsid pipe").split()
        b.linux["seccomp"] = seccomp(rule("SCMP_ACT_ALLOW", *known), default=default)
        # The shell asks with newfstatat (262), and goes on when there is no such call.
        r = b.sh("[ -e /bin ] || echo unknown; echo end", check=None)
        assert r.out == "unknown\nend\n", (default, r)


def test_features_say_what_is_there():
    f = json.loads(rt("features").out)["linux"]["seccomp"]
    assert f["enabled"] is True and "SCMP_ACT_NOTIFY" in f["actions"] and len(f["operators"]) == 7, f
    assert len(f["knownFlags"]) == 4 and set(f["supportedFlags"]) <= set(f["knownFlags"]), f
    assert "SECCOMP_FILTER_FLAG_LOG" in f["supportedFlags"], f
