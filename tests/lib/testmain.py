# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs test files inside a bed: testmain.py FILE... (started by tests/integration/run).

One line per test on stdout: `ok NAME (1.2s)`, `FAIL NAME: reason`, `skip NAME: reason`,
`later NAME: reason` (belongs to another bed). Each file runs in a child process; the parent keeps the
time limits, kills what hangs together with everything it started, and goes on with the next test.
"""
import ctypes
import importlib.util
import json
import os
import select
import shutil
import signal
import sys
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

PR_SET_CHILD_SUBREAPER = 36
DEFAULT_TIMEOUT = 60


def have(feature):
    """True if this bed has the feature."""
    if feature == "vm":
        return os.environ.get("BED_KIND") == "vm"
    if feature == "native":
        return os.environ.get("BED_KIND") != "vm"
    if feature == "selinux":
        return os.path.exists("/sys/fs/selinux/enforce")
    if feature == "controllers":
        try:
            with open("/sys/fs/cgroup/cgroup.controllers") as f:
                return {"memory", "cpu", "pids"} <= set(f.read().split())
        except OSError:
            return False
    return shutil.which(feature) is not None


def verdict(name, marks):
    """None if the test is to run, else (word, reason) or () to leave it out silently."""
    pattern = os.environ.get("BED_MATCH")
    if pattern and pattern not in name:
        return ()
    if marks.get("skip"):
        return "skip", "; ".join(marks["skip"])
    missing = [n for n in marks.get("needs", ()) if not have(n)]
    if missing:
        if missing[0] in ("controllers", "vm", "native", "selinux"):
            return "later", "needs %s" % ", ".join(missing)
        return "skip", "needs %s" % ", ".join(missing)
    suites = marks.get("suites")
    if suites and os.environ.get("BED_SUITE") not in suites:
        return "later", "needs a bed of %s" % " or ".join(suites)
    only = set(os.environ.get("BED_ONLY_NEEDS", "").split())
    if only and not only & set(marks.get("needs", ())):
        return ()
    if os.environ.get("BED_SKIP_ONCE") and marks.get("once"):
        return ()
    return None


def reason_of(e):
    """First line for the report, the rest goes to the log."""
    text = str(e).strip() or type(e).__name__
    if not isinstance(e, AssertionError):
        text = "%s: %s" % (type(e).__name__, text)
    elif text == "AssertionError":
        frame = traceback.extract_tb(e.__traceback__)[-1]
        text = "assert at %s:%d: %s" % (os.path.basename(frame.filename), frame.lineno, frame.line)
    return text


def worker(path, start, out):
    """Child: import the file, run its tests from index start on, report as JSON lines."""
    def tell(**kw):
        os.write(out, (json.dumps(kw) + "\n").encode())

    name = os.path.splitext(os.path.basename(path))[0]
    try:
        sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    except harness.Skip as e:
        return tell(what="file", word="skip", reason=str(e))
    except Exception as e:
        traceback.print_exc()
        return tell(what="file", word="FAIL", reason="cannot be imported: " + reason_of(e))
    tests = [(k, v) for k, v in vars(module).items() if k.startswith("test_") and callable(v)]
    setup, teardown = getattr(module, "setup", None), getattr(module, "teardown", None)
    todo = [verdict("%s.%s" % (name, k), getattr(f, "marks", {})) for k, f in tests]
    ready = None
    for i, (test, func) in enumerate(tests):
        if i < start or todo[i] == ():
            continue
        limit = getattr(func, "marks", {}).get("timeout", DEFAULT_TIMEOUT) * harness.slowness()
        tell(what="start", index=i, test=test, limit=limit)
        if todo[i]:
            tell(what="end", test=test, word=todo[i][0], reason=todo[i][1], seconds=0)
            continue
        begin = time.monotonic()
        word, reason = "ok", ""
        try:
            if setup and ready is None:
                ready = True
                setup()
            func()
        except harness.Skip as e:
            word, reason = "skip", str(e)
        except BaseException as e:
            traceback.print_exc()
            word, reason = "FAIL", reason_of(e)
        sys.stdout.flush()
        sys.stderr.flush()
        tell(what="end", test=test, word=word, reason=reason, seconds=round(time.monotonic() - begin, 2))
    if teardown and ready:
        try:
            teardown()
        except BaseException as e:
            traceback.print_exc()
            tell(what="file", word="FAIL", reason="teardown: " + reason_of(e))


def kill_children():
    """SIGKILL everything below this process (it is the subreaper of all of it)."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        children = []
        for pid in os.listdir("/proc"):
            if pid.isdigit():
                try:
                    with open("/proc/%s/stat" % pid) as f:
                        fields = f.read().rpartition(")")[2].split()
                except OSError:
                    continue
                if int(fields[1]) == os.getpid():
                    children.append(int(pid))
        if not children:
            return
        for pid in children:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        # In the order in which they end: the init of a pid namespace waits for the others of it to be reaped.
        for _ in children:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                pass


class Reporter:
    """Prints result lines; keeps the tally and, per failed test, a log file."""

    def __init__(self, logs):
        self.failed, self.logs = 0, logs

    def line(self, word, name, reason, seconds, detail=""):
        reason = " ".join(reason.split())
        if len(reason) > 400:
            reason = reason[:400] + " ..."
        if word == "ok":
            print("ok %s (%.1fs)" % (name, seconds), flush=True)
        else:
            print("%s %s: %s" % (word, name, reason), flush=True)
        if word == "FAIL":
            self.failed += 1
            harness.run("journalctl", "--sync", check=None)
            tail = harness.run("journalctl", "--no-pager", "-n", "150", "-o", "short-precise", check=None).out
            with open(os.path.join(self.logs, name + ".log"), "w", errors="surrogateescape") as f:
                f.write("%s\n\n%s\n\n--- journal ---\n%s" % (reason, detail, tail))


def run_file(path, reporter):
    """One file, in as many child processes as there are hangs."""
    module = os.path.splitext(os.path.basename(path))[0]
    start = 0
    while start is not None:
        log_path = os.path.join(reporter.logs, module + ".output")
        r, w = os.pipe()
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            code = 0
            try:
                os.close(r)
                os.setsid()
                fd = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
                os.dup2(fd, 1)
                os.dup2(fd, 2)
                os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
                os.set_inheritable(w, False)
                worker(path, start, w)
            except BaseException:
                traceback.print_exc()
                code = 1
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        os.close(w)
        start = follow(r, module, reporter, log_path)
        os.close(r)
        kill_children()


def follow(r, module, reporter, log_path):
    """Read a worker's reports. Returns the index to go on with, or None when the file is done."""
    buffer, current, index, offset = b"", None, 0, 0
    end = time.monotonic() + DEFAULT_TIMEOUT * harness.slowness()

    def output():
        try:
            with open(log_path, errors="surrogateescape") as f:
                f.seek(offset)
                return f.read()[-20000:]
        except OSError:
            return ""

    while True:
        left = end - time.monotonic()
        if left <= 0:
            name = "%s.%s" % (module, current) if current else module
            reporter.line("FAIL", name, "time limit exceeded", 0, output())
            return index + 1 if current else None
        if not select.select([r], [], [], left)[0]:
            continue
        piece = os.read(r, 65536)
        if not piece:
            if current:
                reporter.line("FAIL", "%s.%s" % (module, current), "the test process died", 0, output())
                return index + 1
            return None
        buffer += piece
        while b"\n" in buffer:
            line, _, buffer = buffer.partition(b"\n")
            m = json.loads(line)
            if m["what"] == "start":
                current, index = m["test"], m["index"]
                end = time.monotonic() + m["limit"]
                offset = os.path.getsize(log_path)
            elif m["what"] == "end":
                reporter.line(m["word"], "%s.%s" % (module, m["test"]), m["reason"], m["seconds"], output())
                current = None
                end = time.monotonic() + DEFAULT_TIMEOUT * harness.slowness()
            else:
                reporter.line(m["word"], module, m["reason"], 0, output())


def main():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    logs = os.environ.get("BED_LOGS", "/var/tmp/berth-test-logs")
    os.makedirs(logs, exist_ok=True)
    reporter = Reporter(logs)
    for path in sys.argv[1:]:
        run_file(path, reporter)
        # The next file starts without containers; a broken engine is that file's failure to report.
        if os.path.exists("/run/berth") and not os.path.exists("/run/berth/engine.sock"):
            # A test took the engine's place and left; shims would not find the engine again.
            harness.run("systemctl", "try-restart", "berth.service", check=None)
        if os.path.exists(harness.SOCKET):
            try:
                harness.remove_all()
                harness.remove_images()
            except Exception as e:
                print("# could not clean up after %s: %s" % (os.path.basename(path), reason_of(e)), flush=True)
    sys.exit(1 if reporter.failed else 0)


if __name__ == "__main__":
    main()
