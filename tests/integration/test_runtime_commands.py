# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands of berth-runtime on containers that exist: state, list, ps, kill, pause, delete, exec."""
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time

import bundle
from bundle import CGROUP, ROOT, RUNTIME, TOP, Bundle, ns_without, receive_fd, rt
from harness import needs, run, timeout, wait_for


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


def sleeper():
    return Bundle("sleep", "1000").create().start()


def cgroup(b, name):
    return "%s/berth-test/%s/%s" % (CGROUP, b.id, name)


def pids(b):
    return json.loads(rt("ps", "--format", "json", b.id).out)


def fails(text, *args, code=1, **kw):
    r = rt(*args, check=code, **kw)
    assert text in r.err, r


def gone(pid):
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
    return not os.path.exists("/proc/%d" % pid)


def exec_detached(b, *command, options=()):
    """A process in the container that becomes our child; the container's init does not end before it is reaped."""
    pid_file = b.path + "/exec-pid"
    # It inherits stdio: pipes of ours would never end.
    subprocess.run([RUNTIME, "--root", ROOT, "exec", "-d", "--pid-file", pid_file, *options, b.id, *command], check=True, timeout=30,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(pid_file) as f:
        return int(f.read())


def test_state_and_list():
    b = Bundle("sleep", "1000").create()
    out = rt("state", b.id).out
    assert '"status": "created"' in out and '"owner": "root"' in out, out
    assert list(json.loads(out))[:4] == ["ociVersion", "id", "pid", "status"]
    b.start()
    other = Bundle("sleep", "1000").create()
    lines = rt("list").out.splitlines()
    assert lines[0].split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    row = [x for x in lines if x.startswith(b.id + " ")][0].split()
    assert row[:4] == [b.id, str(b.pid), "running", b.path] and row[5] == "root", row
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$", row[4])
    listed = {c["id"]: c for c in json.loads(rt("list", "--format", "json").out)}
    assert listed[b.id] == b.state() and listed[other.id]["status"] == "created"
    assert set(rt("list", "-q").out.split()) >= {b.id, other.id}
    fails("--format", "list", "--format", "xml")
    fails("usage", "list", "extra")
    fails("does not exist", "state", "nosuch")
    fails("invalid container ID", "state", "../x")
    for d in (b, other):
        d.delete()


def test_pause_and_resume():
    b = sleeper()
    fails("not paused", "resume", b.id)
    for _ in range(3):
        rt("pause", b.id)
        assert b.state()["status"] == "paused"
        rt("resume", b.id)
        assert b.state()["status"] == "running"
    rt("pause", b.id)
    fails("cannot exec in a paused container", "exec", b.id, "true", code=255)
    fails("paused", "delete", b.id)
    fails("paused", "start", b.id)
    # A signal waits until the container goes on; SIGKILL does not.
    rt("kill", b.id, "USR1")
    assert b.state()["status"] == "paused"
    rt("kill", b.id, "KILL")
    b.wait()
    assert b.state()["status"] == "stopped"
    for verb in ("pause", "resume"):
        fails("not running", verb, b.id)
    rt("delete", b.id)
    b.gone()
    # Paused before it was started: it can go on, and start.
    b = Bundle("sleep", "1000").create()
    rt("pause", b.id)
    assert b.state()["status"] == "paused"
    fails("paused", "start", b.id)
    rt("resume", b.id)
    assert b.state()["status"] == "created"
    b.start()
    rt("pause", b.id)
    b.delete()


def test_exec_in_a_paused_container_that_asks_for_it():
    b = sleeper()
    rt("pause", b.id)
    p = subprocess.Popen([RUNTIME, "--root", ROOT, "exec", "--ignore-paused", b.id, "echo", "thawed"],
                         stdout=subprocess.PIPE, text=True)
    wait_for(lambda: len(pids(b)) == 2 or p.poll() is not None, 10)
    assert p.poll() is None, "ran in a frozen cgroup"
    rt("resume", b.id)
    assert p.communicate(timeout=30)[0] == "thawed\n" and p.returncode == 0
    b.delete()


def test_signals():
    script = ("for s in HUP USR1 CONT 34 60; do trap \"echo got-$s\" $s; done; echo ready;"
              "while :; do sleep 0.05; done")
    b = Bundle("sh", "-c", script).create().start()
    wait_for(lambda: "ready" in b.out(), 10)
    for name, number in (("HUP", "HUP"), ("SIGHUP", "HUP"), ("hup", "HUP"), ("sigusr1", "USR1"), ("10", "USR1"),
                         ("RTMIN", "34"), ("SIGRTMIN+26", "60"), ("60", "60"), ("RTMAX-4", "60")):
        before = b.out().count("got-" + number)
        rt("kill", b.id, name)
        wait_for(lambda: b.out().count("got-" + number) > before, 10)
    rt("kill", b.id, "0")
    for bad in ("SIGFOO", "99", "-5", "", "RTMIN+99"):
        fails("", "kill", "--", b.id, bad)
    fails("unknown option --bogus", "kill", "--bogus", b.id)
    fails("usage", "kill", b.id, "TERM", "KILL")
    fails("usage", "kill")
    rt("kill", b.id, "KILL")
    b.wait()
    fails("container not running", "kill", b.id, "TERM")
    fails("container not running", "kill", b.id, "KILL")
    fails("container not running", "kill", b.id, "0")
    rt("kill", "--all", b.id, "TERM")
    rt("kill", b.id, "-a", "KILL")
    b.delete()
    fails("does not exist", "kill", b.id)


def test_kill_all_reaches_every_process():
    b = Bundle("sh", "-c", "trap : TERM; sleep 1000 & sleep 1000 & echo ready; while :; do sleep 0.05; done").create().start()

    def sleeping():
        return len(re.findall(r"^ *\d+ sleep 1000", rt("ps", b.id, "-o", "pid,args").out, re.M))

    # Before its exec a child still has the shell's trap.
    wait_for(lambda: sleeping() == 2, 10)
    rt("kill", "--all", b.id, "TERM")
    wait_for(lambda: sleeping() == 0, 10)
    assert b.state()["status"] == "running"
    b.delete()


def shared_pid_ns():
    b = Bundle("sleep", "1000")
    ns_without(b, "pid")
    b.create().start()
    for _ in range(3):
        exec_detached(b, "sleep", "1000")
    assert len(pids(b)) == 4
    return b


def test_shared_pid_namespace_is_killed_as_a_whole():
    for paused in (False, True):
        b = shared_pid_ns()
        all_pids = pids(b)
        if paused:
            rt("pause", b.id)
        rt("kill", b.id, "KILL")
        wait_for(lambda: all(gone(p) for p in all_pids), 10)
        assert b.state()["status"] == "stopped" and pids(b) == []
        rt("delete", b.id)
        b.gone()


def test_shared_pid_namespace_without_its_first_process():
    for how in ("kill", "delete", "force"):
        b = shared_pid_ns()
        os.kill(b.pid, signal.SIGKILL)
        b.wait()
        rest = pids(b)
        assert len(rest) == 3 and b.state()["status"] == "stopped"
        fails("container not running", "kill", b.id, "TERM")
        if how == "kill":
            rt("kill", b.id, "KILL")
            wait_for(lambda: all(gone(p) for p in rest), 10)
        rt("delete", *(("--force",) if how == "force" else ()), b.id)
        wait_for(lambda: all(gone(p) for p in rest), 10)
        b.gone()


def test_delete():
    b = sleeper()
    fails("running", "delete", b.id)
    assert b.state()["status"] == "running"
    fails("usage", "delete", b.id, "other")
    fails("does not exist", "delete", "nosuch")
    rt("delete", "-f", "nosuch")
    rt("delete", b.id, "--force")
    b.gone()
    # Never started: nobody's work is lost.
    b = Bundle("true").create()
    rt("delete", b.id)
    b.gone()


def test_start_twice():
    b = sleeper()
    fails("already running", "start", b.id)
    rt("kill", b.id, "KILL")
    b.wait()
    fails("stopped", "start", b.id)
    b.delete()
    fails("does not exist", "start", b.id)


def test_ps():
    b = sleeper()
    other = exec_detached(b, "sleep", "77")
    out = rt("ps", b.id).out
    assert re.match(r"UID +PID +PPID +C +STIME +TTY +TIME +CMD\n", out), out
    assert sorted(int(line.split()[1]) for line in out.splitlines()[1:]) == pids(b)
    assert pids(b) == sorted([b.pid, other]) and "sleep 77" in out
    out = rt("ps", b.id, "-o", "args,pid").out
    assert re.search(r"^sleep 77 +\d+$", out, re.M) and len(out.splitlines()) == 3, out
    fails("PID", "ps", b.id, "-o", "comm")
    fails("ps failed", "ps", b.id, "--no-such-option")
    fails("--format json", "ps", "-f", "json", b.id, "-e")
    fails("--format", "ps", "-f", "xml", b.id)
    assert rt("ps", b.id, env=dict(os.environ, PATH="/nonexistent"), runtime=shutil.which(RUNTIME)).out.startswith("PID\n")
    rt("kill", b.id, "KILL")
    os.waitpid(other, 0)
    b.wait()
    assert len(rt("ps", b.id).out.splitlines()) == 1 and pids(b) == []
    b.delete()
    fails("does not exist", "ps", b.id)


def test_exec_options():
    b = sleeper()
    assert rt("exec", "-u", "1:2", "-g", "5", "-g", "6", b.id, "id").out.strip() == "uid=1 gid=2 groups=5,6"
    assert "5" in rt("exec", "--user", "1:2", "--additional-gids", "5", b.id, "id", "-G").out.split()
    assert rt("exec", "--cwd", "/tmp", "-e", "A=b c", b.id, "sh", "-c", "pwd; echo $A").out == "/tmp\nb c\n"
    assert rt("exec", b.id, "sh", "-c", "exit 42", check=42).code == 42
    assert "NoNewPrivs:\t1" in rt("exec", "--no-new-privs", b.id, "cat", "/proc/self/status").out
    r = rt("exec", "--cap", "CAP_NOPE", "--cap", "SYS_ADMIN", b.id, "grep", "CapEff", "/proc/self/status")
    assert int(r.out.split()[1], 16) >> 21 & 1 and r.err.count("CAP_NOPE") == 1, r
    for args, text in ((("-u", "root"), "--user"), (("-u", "1:2:3"), "--user"), (("-g", "x"), "--additional-gids"),
                       (("-e", "FOO"), "invalid environment variable"), (("-e", "=x"), "invalid environment variable"),
                       (("--cwd", "/no/such"), "/no/such"), (("--cwd", "bin"), "cwd"), (("--preserve-fds", "x"), "--preserve-fds"),
                       (("--console-socket", "/no"), "no terminal"), (("--pidfd-socket", "/no/socket"), "/no/socket"),
                       (("--pid-file", "/no/dir/pid"), "/no/dir/pid")):
        fails(text, "exec", *args, b.id, "true", code=255)
    fails("nope", "exec", b.id, "nope", code=255)
    fails("unknown option --bogus", "exec", "--bogus", b.id, "true", code=255)
    assert rt("exec", b.id, "echo", "--bogus").out == "--bogus\n"
    fails("usage", "exec", b.id, code=255)
    fails("usage", "exec", code=255)
    fails("does not exist", "exec", "nosuch", "true", code=255)
    other = exec_detached(b, "sleep", "100")
    assert other in pids(b)
    rt("kill", b.id, "KILL")
    os.waitpid(other, 0)
    b.wait()
    fails("cannot exec in a stopped container", "exec", b.id, "true", code=255)
    b.delete()


def test_exec_sends_a_pidfd():
    b = sleeper()
    server = socket.socket(socket.AF_UNIX)
    server.bind(b.path + "/pidfd")
    server.listen(1)
    pid = exec_detached(b, "sleep", "100", options=("--pidfd-socket", b.path + "/pidfd"))
    server.settimeout(10)
    connection, _ = server.accept()
    fd = receive_fd(connection)
    with open("/proc/self/fdinfo/%d" % fd) as f:
        assert "Pid:\t%d\n" % pid in f.read()
    signal.pidfd_send_signal(fd, signal.SIGKILL)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    os.close(fd)
    b.delete()


def test_exec_flags_change_a_process_file_too():
    b = sleeper()
    with open(b.path + "/process.json", "w") as f:
        json.dump({"args": ["sh", "-c", "pwd; echo $A $B; id -u"], "cwd": "/", "env": ["PATH=/bin", "A=a"], "user": {"uid": 0, "gid": 0}}, f)
    assert rt("exec", "-p", b.path + "/process.json", b.id).out == "/\na\n0\n"
    out = rt("exec", "-p", b.path + "/process.json", "--cwd", "/tmp", "-e", "B=b", "-u", "7", b.id).out
    assert out == "/tmp\na b\n7\n", out
    for text in ("[]", "{", "", '{"args": []}'):
        with open(b.path + "/process.json", "w") as f:
            f.write(text)
        assert rt("exec", "-p", b.path + "/process.json", b.id, check=255).err
    fails("usage", "exec", "-p", b.path + "/process.json", b.id, "true", code=255)
    b.delete()


def own_cgroup(*args):
    return [line for line in rt("exec", *args, "cat", "/proc/self/cgroup").out.splitlines() if line.startswith("0::")][0][3:]


def test_exec_cgroup():
    b = sleeper()
    assert own_cgroup(b.id) == own_cgroup("--cgroup", "/", b.id) == "/"
    os.makedirs(cgroup(b, "one/two"))
    assert own_cgroup("--cgroup", "one/two", b.id) == own_cgroup("--cgroup", "/one/two/", b.id) == "/one/two"
    fails("bad sub cgroup path", "exec", "--cgroup", "..", b.id, "true", code=255)
    fails("bad sub cgroup path", "exec", "--cgroup", "one/../..", b.id, "true", code=255)
    fails(" adding pid of a new process to cgroups: ", "exec", "--cgroup", "nosuch", b.id, "true", code=255)
    fails('unknown controller "cpu"', "exec", "--cgroup", "cpu:/", b.id, "true", code=255)
    # init moves away, and the container's cgroup becomes an inner one: an exec follows it then, and only then.
    with open(cgroup(b, "one/cgroup.procs"), "w") as f:
        f.write(str(b.pid))
    assert own_cgroup(b.id) == "/"
    with open(cgroup(b, "cgroup.controllers")) as f:
        controllers = f.read().split()
    domain = [c for c in ("memory", "hugetlb", "io") if c in controllers]
    if domain:
        with open(cgroup(b, "cgroup.subtree_control"), "w") as f:
            f.write("+" + domain[0])
        assert own_cgroup(b.id) == "/one"
        fails(" adding pid of a new process to cgroups: ", "exec", "--cgroup", "/", b.id, "true", code=255)
    b.delete()


# One container's life in command lines; {} is its id. What follows the bar happens outside.
LIFE = """create --bundle {bundle} {}|state {}|exec {} true|start {}|start {}|list|list -q|list --format json|list --format xml
state nosuch|state {} extra|state|pause {}|exec {} true|start {}|delete {}|kill {} TERM|resume {}|ps {}|ps --format json {}
ps nosuch|kill {} SIGFOO|kill {} 99|kill {} 34|kill {} CONT|kill {} SIGCONT|kill {} 0|kill -a {} CONT|kill {} CONT extra|kill
delete {} extra|exec {} nosuch|exec {} false|exec {} sh -c "exit 42"|exec --cwd /nosuch {} true|exec -u 1:2 {} true
exec -u root {} true|exec -u 1:2:3 {} true|exec --cgroup .. {} true|exec --cgroup nosuch {} true|exec --cgroup / {} true
exec --cap CAP_NOSUCH {} true|exec --env A=b {} true|exec|exec {}|exec nosuch true|update {}|update --memory 5X {}
update --no-such-flag 5 {}|update --pids-limit 5 nosuch|kill {} KILL|WAIT|state {}|kill {} KILL|kill {} TERM|kill -a {} TERM|exec {} true
ps {}|pause {}|resume {}|start {}|delete {}|delete {}|delete --force {}|kill {} KILL|list|nosuchcommand|state --bogus {}""".replace("\n", "|").split("|")


def reap_all():
    """crun's exec leaves us a zombie in the container, for which the container's init waits."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def live(runtime):
    """Exit codes of LIFE with one runtime."""
    b = Bundle("sleep", "1000").save()
    root = "%s/state-%s" % (TOP, os.path.basename(runtime))

    def stopped():
        reap_all()
        return json.loads(run(runtime, "--root", root, "state", b.id).out)["status"] == "stopped"

    def step(line):
        if line == "WAIT":
            wait_for(stopped, 10)
            return 0
        # The payload keeps what it is given.
        with open(b.path + "/out", "ab") as out:
            return subprocess.run([runtime, "--root", root, *shlex.split(line.format(b.id, bundle=b.path))], timeout=30,
                                  stdin=subprocess.DEVNULL, stdout=out, stderr=out).returncode

    try:
        return [step(line) for line in LIFE]
    finally:
        run(runtime, "--root", root, "delete", "--force", b.id, check=None)


@needs("runc", "crun")
@timeout(120)
def test_the_same_life_with_runc_and_crun():
    """Each command ends as with one of the two: well, or not, or with the program's own exit code."""
    table = [live(r) for r in (RUNTIME, "runc", "crun")]
    wrong = []
    for step, ours, runc, crun in zip(LIFE, *table):
        own_code = {1, 42} & {ours} if step.startswith("exec {} false") or "exit 42" in step else None
        same = ours in (runc, crun) if own_code is not None else bool(ours) in (bool(runc), bool(crun))
        if not same:
            wrong.append("%s: %d, runc %d, crun %d" % (step, ours, runc, crun))
    assert not wrong, "; ".join(wrong)


def events(b, *args):
    return [json.loads(line) for line in rt("events", *args, b.id).out.splitlines()]


def test_events():
    b = sleeper()
    out = rt("events", "--stats", b.id).out
    assert out.startswith('{"type":"stats","id":"%s","data":{' % b.id), out
    data = json.loads(out)["data"]
    assert set(data) >= {"cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "rdma"}
    # Every cgroup has the time of its processes, also without the controller.
    usage = data["cpu"]["usage"]
    assert 0 < usage["total"] and abs(usage["total"] - usage["user"] - usage["kernel"]) < 10 ** 6, usage
    with open(cgroup(b, "cgroup.controllers")) as f:
        if "hugetlb" in f.read().split():
            assert data["hugetlb"]["2MB"] == {"usage": 0, "failcnt": 0}
    if os.path.exists(cgroup(b, "cpu.pressure")):
        assert set(data["cpu"]["psi"]["some"]) == {"avg10", "avg60", "avg300", "total"}
    for bad in ("0", "0s", "5", "x", "-1s", ""):
        fails("--interval", "events", "--interval", bad, b.id)
    rt("kill", b.id, "KILL")
    b.wait()
    fails("not running", "events", "--stats", b.id)
    fails("not running", "events", b.id)
    b.delete()
    fails("does not exist", "events", b.id)


def test_events_go_on_until_the_container_ends():
    b = sleeper()
    p = subprocess.Popen([RUNTIME, "--root", ROOT, "events", "--interval", "50ms", b.id], stdout=subprocess.PIPE, text=True)
    started = time.monotonic()
    for _ in range(4):
        event = json.loads(p.stdout.readline())
        assert event["type"] == "stats" and event["id"] == b.id
    assert 0.1 < time.monotonic() - started < 10
    rt("kill", b.id, "KILL")
    b.wait()
    assert p.wait(timeout=10) == 0
    b.delete()
    # Nobody reads any more: no process stays behind.
    b = sleeper()
    p = subprocess.Popen([RUNTIME, "--root", ROOT, "events", "--interval", "1h", b.id], stdout=subprocess.PIPE, text=True)
    p.stdout.readline()
    p.stdout.close()
    p.wait(timeout=10)
    b.delete()


@timeout(120)
def test_many_containers_and_garbage():
    """500 state directories, most of them garbage: list, ps and state stay fast and tell what they can."""
    b = sleeper()
    made = []

    def make(name):
        made.append(name)
        os.mkdir("%s/%s" % (ROOT, name), 0o700)
        return "%s/%s/status" % (ROOT, name)

    try:
        with open("%s/%s/status" % (ROOT, b.id)) as f:
            good = f.read()
        for i in range(500):
            with open(make("many%d" % i), "w") as f:
                f.write(good.replace('"%s"' % b.id, '"many%d"' % i).replace('"pid":%d' % b.pid, '"pid":%d' % (4000000 + i)))
        for name, text in (("g-empty", ""), ("g-half", good[:50]), ("g-array", "[1]"), ("g-types", '{"pid": "x", "cgroup": 7, "bundle": []}'),
                           ("g-negative", '{"pid": -1}'), ("g-cgroup", '{"pid": %d, "cgroup": "/../.."}' % os.getpid()),
                           ("g-huge", "x" * 5000000)):
            with open(make(name), "w") as f:
                f.write(text)
        os.mkfifo(make("g-fifo"))
        os.symlink("/dev/zero", make("g-link"))
        os.mkdir(make("g-dir"))
        make("g-nothing")
        with open(ROOT + "/g-file", "w") as f:
            f.write("x")
        made.append("g-file")
        os.symlink("many1", ROOT + "/g-symlink")
        started = time.monotonic()
        r = rt("list", "--format", "json")
        listed = {c["id"]: c["status"] for c in json.loads(r.out)}
        assert listed[b.id] == "running" and listed["many499"] == "stopped" and listed["g-nothing"] == "creating"
        assert "g-file" not in listed and "g-symlink" not in listed
        for name in ("g-half", "g-fifo", "g-link", "g-dir", "g-huge"):
            assert name not in listed and name in r.err, (name, r.err)
        assert len(rt("list").out.splitlines()) == len(listed) + 1
        quiet = rt("list", "-q").out.split()
        assert quiet == sorted(quiet) and set(listed) <= set(quiet)
        assert b.state()["status"] == "running" and pids(b) == [b.pid]
        for name in ("g-fifo", "g-half"):
            for verb in ("state", "kill", "ps", "start", "pause"):
                rt(verb, name, check=1)
        assert time.monotonic() - started < 15, "slow"
        # What is left of a create that was killed can be taken away.
        for name in ("g-nothing", "g-empty"):
            rt("delete", "--force", name)
            assert not os.path.exists("%s/%s" % (ROOT, name))
    finally:
        os.unlink(ROOT + "/g-symlink")
        for name in made:
            path = "%s/%s" % (ROOT, name)
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.unlink(path)
    b.delete()


def test_a_container_of_an_older_version():
    """Whose state has another name."""
    b = Bundle("sleep", "100").create()
    directory = "%s/%s/" % (ROOT, b.id)
    os.rename(directory + "status", directory + "state.json")
    assert b.state()["status"] == "created" and b.state()["pid"] == b.pid
    b.start()
    assert b.state()["status"] == "running" and rt("exec", b.id, "echo", "x").out == "x\n"
    assert "not stopped" in rt("delete", b.id, check=1).err
    rt("kill", b.id, "KILL")
    wait_for(lambda: b.state()["status"] == "stopped")
    rt("delete", b.id)
    b.gone()
    b = Bundle("sleep", "100").create().start()
    directory = "%s/%s/" % (ROOT, b.id)
    os.rename(directory + "status", directory + "state.json")
    b.delete()
    b.wait()
