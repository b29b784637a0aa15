# SPDX-License-Identifier: LGPL-2.1-or-later
"""A descriptor of the host that is open in the runtime's process is a way out while paths are being looked up."""
import os
import shutil

import bundle
from bundle import ROOT, RUNTIME, TOP, Bundle, rt
from harness import run
from image import find_busybox

HOST = TOP + "/host-only"


def setup():
    bundle.start_tests()
    os.makedirs(HOST)
    shutil.copy(find_busybox(), HOST + "/echo")


def teardown():
    bundle.end_tests()


def out_by(n, path):
    """From the directory behind descriptor n of whoever looks it up, up to the host's root and down to path."""
    return "/proc/self/fd/%d" % n + "/.." * 12 + path


def assert_nothing_made(what):
    assert os.listdir(HOST) == ["echo"], "%s made %s on the host" % (what, os.listdir(HOST))


def test_program_behind_a_descriptor_of_the_host():
    for n in range(3, 24):
        b = Bundle(out_by(n, HOST + "/echo"), "escaped")
        r = b.run(check=None)
        assert r.code != 0 and "escaped" not in r.out, (n, r)
        # The kernel opens the interpreter of a script itself, later than we open anything.
        b = Bundle("/bin/script")
        with open(b.rootfs + "/bin/script", "w") as f:
            f.write("#!%s escaped\n" % out_by(n, HOST + "/echo"))
        os.chmod(b.rootfs + "/bin/script", 0o755)
        r = b.run(check=None)
        assert r.code != 0 and "escaped" not in r.out, (n, r)


def test_program_of_exec_behind_a_descriptor_of_the_host():
    b = Bundle("sleep", "1000").create().start()
    for n in range(3, 24):
        r = rt("exec", b.id, out_by(n, HOST + "/echo"), "escaped", check=None)
        assert r.code != 0 and "escaped" not in r.out, (n, r)
        with open(b.rootfs + "/bin/script", "w") as f:
            f.write("#!%s escaped\n" % out_by(n, HOST + "/echo"))
        os.chmod(b.rootfs + "/bin/script", 0o755)
        r = rt("exec", b.id, "script", check=None)
        assert r.code != 0 and "escaped" not in r.out, (n, r)
    b.delete()


def test_working_directory_behind_a_descriptor_of_the_host():
    for n in range(3, 24):
        for suffix in ("", "/x/y"):
            b = Bundle("ls", ".")
            b.process["cwd"] = out_by(n, HOST) + suffix
            r = b.run(check=None)
            assert r.code != 0 and "echo" not in r.out, (n, r)
            assert_nothing_made("cwd through descriptor %d" % n)
    b = Bundle("ls", ".")
    os.symlink(out_by(7, HOST + "/new"), b.rootfs + "/work")
    b.process["cwd"] = "/work/below"
    assert b.run(check=None).code != 0
    assert_nothing_made("a symlinked cwd")


def test_working_directory_behind_another_process():
    # As with --pid=host: the processes of the host are there to be named.
    b = Bundle("ls", ".")
    bundle.ns_without(b, "pid")
    for cwd in (HOST, HOST + "/new/dir"):
        b.process["cwd"] = "/proc/%d/root%s" % (os.getpid(), cwd)
        r = b.run(check=None)
        assert r.code != 0 and "echo" not in r.out, r
        assert_nothing_made("cwd %s" % b.process["cwd"])


def listing(*options, pass_fds=()):
    """Names of the descriptors that a payload sees, from run and from exec, given these options."""
    script = "for n in $(seq 0 60); do if [ -e /proc/$$/fd/$n ]; then echo $n; fi; done"
    b = Bundle("sh", "-c", script)
    b.save()
    r = bundle_run("run", *options, "--bundle", b.path, b.id, pass_fds=pass_fds)
    b.gone()
    out = [sorted(int(n) for n in r.split())]
    b = Bundle("sleep", "1000").create().start()
    out.append(sorted(int(n) for n in bundle_run("exec", *options, b.id, "sh", "-c", script, pass_fds=pass_fds).split()))
    b.delete()
    return out


def bundle_run(*args, pass_fds=()):
    # Holes among the numbers, which the runtime's own descriptors fill.
    opened = " ".join("%d</" % n for n in pass_fds)
    return run("sh", "-c", "exec %s; exec \"$@\"" % (opened or ":"), "sh", RUNTIME, "--root", ROOT, "--log", TOP + "/log",
               *args).out


def test_only_asked_for_descriptors_arrive():
    wanted = (3, 4, 6, 9)
    for options, expected in (((), []), (("--preserve-fds", "0"), []), (("--preserve-fds", "1"), [3]),
                              (("--preserve-fds", "2"), [3, 4]), (("--preserve-fds", "3"), [3, 4]),
                              (("--preserve-fds", "4"), [3, 4, 6]), (("--preserve-fds", "5"), [3, 4, 6]),
                              (("--preserve-fds", "1000"), [3, 4, 6, 9])):
        for seen in listing(*options, pass_fds=wanted):
            assert seen == [0, 1, 2] + expected, (options, seen)
    for n in ("-1", "x", "1e9", "99999999999", ""):
        b = Bundle("true")
        b.save()
        assert run(RUNTIME, "--root", ROOT, "run", "--preserve-fds", n, "--bundle", b.path, b.id, check=None).code != 0


def test_descriptors_of_the_runtime_are_no_preserved_ones():
    # Nothing was passed, so all that is open below the limit is the runtime's own.
    for n in range(3, 24):
        b = Bundle(out_by(n, HOST + "/echo"), "escaped")
        b.save()
        r = rt("--log", TOP + "/log", "run", "--preserve-fds", "50", "--bundle", b.path, b.id, check=None)
        assert r.code != 0 and "escaped" not in r.out, (n, r)
        b.gone()
