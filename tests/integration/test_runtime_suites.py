# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the test suites of other OCI runtimes expect of one, where no other test of ours says it."""
import json
import os
import pty
import subprocess

import bundle
from bundle import ROOT, RUNTIME, TOP, Bundle, ns_without, rt
from harness import Pty, run, skip, wait_for


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


def hook(b, path, script):
    with open(b.rootfs + path, "w") as f:
        f.write("#!/bin/sh\n" + script + "\n")
    os.chmod(b.rootfs + path, 0o755)


def test_start_container_hooks_may_do_what_the_payload_may():
    b = Bundle("cat", "/tmp/seen")
    b.process["user"] = {"uid": 1000, "gid": 1000}
    b.process["noNewPrivileges"] = True
    b.process["capabilities"] = {k: ["CAP_KILL"] for k in ("bounding", "effective", "permitted")}
    b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}
    os.chmod(b.rootfs + "/tmp", 0o777)
    # The program is the image's: it must not run with the rights of the runtime.
    hook(b, "/hook", "grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status >/tmp/seen")
    b.config["hooks"] = {"startContainer": [{"path": "/hook"}]}
    assert b.run().out == ("Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000020\n"
                           "NoNewPrivs:\t1\nSeccomp:\t2\n")
    b.linux["seccomp"]["syscalls"][0]["action"] = "SCMP_ACT_KILL"
    hook(b, "/hook", "exec mkdir /tmp/x")
    r = b.run(check=1)
    assert "error running startContainer hook #0: /hook: signal 31: bad system call" in r.err, r


def test_a_failing_hook_is_told_by_number():
    for point in ("prestart", "createRuntime", "createContainer", "poststart"):
        b = Bundle("sleep", "5")
        b.config["hooks"] = {point: [{"path": "/bin/true"}, {"path": "/bin/false"}]}
        assert "error running %s hook #1: /bin/false: exit status 1" % point in b.run(check=1).err


def test_output_of_hooks_is_not_the_payloads():
    b = Bundle("echo", "payload")
    hook(b, "/hook", "echo of the hook")
    b.config["hooks"] = {"createRuntime": [{"path": b.rootfs + "/hook"}], "startContainer": [{"path": "/hook"}]}
    assert b.run().out == "payload\n"


def test_process_file_may_be_a_pipe():
    b = Bundle("sleep", "100").create().start()
    for terminal in (False, True):
        text = json.dumps({"terminal": terminal, "args": ["echo", "from a pipe"], "cwd": "/", "env": ["PATH=/bin"]})
        r = rt("exec", "--process", "/dev/stdin", b.id, input=text)
        assert r.out.split() == ["from", "a", "pipe"], r
    b.delete()


def test_home_without_a_value_is_no_home():
    b = Bundle()
    b.process["user"] = {"uid": 1000, "gid": 1000}
    b.process["env"] = ["HOME=/x", "PATH=/bin", "HOME="]
    assert b.sh("env | grep -c HOME; echo $HOME").out == "1\n/home/user\n"


def test_proc_is_mounted_on_a_directory_only():
    b = Bundle("true")
    os.rmdir(b.rootfs + "/proc")
    os.symlink("/tmp", b.rootfs + "/proc")
    b.fails("must be mounted on ordinary directory")


def test_size_of_a_terminal_that_is_not_stdin():
    """The terminal that we belong to gives its size, also when stdin is something else."""
    b = Bundle("sleep", "100").create().start()
    pid, master = pty.fork()
    if pid == 0:
        subprocess.run(["stty", "rows", "33", "cols", "77"], check=False)
        with open(b.path + "/size", "wb") as out:
            r = subprocess.run([RUNTIME, "--root", ROOT, "exec", "--tty", b.id, "stty", "size"], stdin=subprocess.DEVNULL,
                               stdout=out, stderr=out)
        os._exit(r.returncode)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(master)
    with open(b.path + "/size") as f:
        text = f.read()
    assert text.split() == ["33", "77"], text
    b.delete()


def test_config_of_another_name():
    b = Bundle("true").save()
    os.mkdir(b.path + "/below")
    os.rename(b.path + "/config.json", b.path + "/below/other.json")
    for name in ("below/other.json", b.path + "/below/other.json"):
        rt("run", "--config", name, "--bundle", b.path, b.id)
        rt("run", "-f", name, b.id, cwd=b.path)
    assert "config.json" in rt("run", "--bundle", b.path, b.id, check=1).err
    assert "nosuch" in rt("run", "--config", "nosuch", "--bundle", b.path, b.id, check=1).err
    b.gone()


def test_bundle_is_told_as_it_was_given():
    b = Bundle("sleep", "100").save()
    link = b.path + "-link"
    os.symlink(b.path, link)
    for given, told in ((link, link), (link + "/", b.path), (b.path + "/./", b.path)):
        out = subprocess.run([RUNTIME, "--root", ROOT, "create", "--bundle", given, b.id], stdin=subprocess.DEVNULL)
        assert out.returncode == 0
        assert b.state()["bundle"] == told, (given, b.state())
        b.delete()
    os.unlink(link)


def test_mappings_without_a_namespace_have_no_effect():
    b = Bundle()
    b.linux["uidMappings"] = b.linux["gidMappings"] = [{"containerID": 0, "hostID": 5, "size": 1}]
    r = b.sh("cat /proc/self/uid_map; stat -c %u /")
    assert "4294967295" in r.out and r.out.endswith("\n0\n") and "no effect" in r.err, r


def test_a_path_is_masked_once():
    b = Bundle("sh", "-c", "grep -c ' /masked ' /proc/self/mountinfo; grep -c ' /masked-dir ' /proc/self/mountinfo")
    open(b.rootfs + "/masked", "w").close()
    os.mkdir(b.rootfs + "/masked-dir")
    b.linux["maskedPaths"] += ["/masked", "/masked-dir"] * 3
    assert b.run().out == "1\n1\n"


def test_who_is_created_goes_when_asked():
    for name, number in (("TERM", 15), ("INT", 2), ("HUP", 1), ("QUIT", 3)):
        b = Bundle("true").create()
        rt("kill", b.id, name)
        assert os.waitstatus_to_exitcode(b.wait()) == 128 + number
        assert b.state()["status"] == "stopped"
        b.delete()
    # The payload has its own will.
    b = Bundle("sh", "-c", "trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.05; done").create().start()
    wait_for(lambda: "ready" in b.out())
    rt("kill", b.id, "TERM")
    assert os.waitstatus_to_exitcode(b.wait()) == 3
    b.delete()
    b = Bundle("grep", "SigCgt", "/proc/self/status").create().start()
    assert b.wait() == 0 and b.out().split()[1].strip("0") == "", b.out()
    b.delete()


def test_lines_of_a_terminal_that_go_to_a_pipe():
    """Carriage returns are for terminals."""
    b = Bundle("sh", "-c", "tty; echo two")
    b.process["terminal"] = True
    assert b.run().raw_out == b"/dev/pts/0\ntwo\n"
    b = Bundle("sleep", "1000").create().start()
    assert rt("exec", "--tty", b.id, "sh", "-c", "tty; echo two").raw_out == b"/dev/pts/0\ntwo\n"
    assert rt("exec", "--tty", b.id, "stty", "-a").raw_out.count(b" -onlcr") == 1
    b.delete()
    b = Bundle("sh", "-c", "tty; echo two")
    b.process["terminal"] = True
    b.save()
    p = Pty(RUNTIME, "--root", ROOT, "run", "--bundle", b.path, b.id)
    p.expect(r"/dev/pts/0\r\ntwo\r\n")
    assert p.wait() == 0


def test_without_pivot_no_bare_view_of_the_kernel_is_left():
    """Who has seen the host's proc in its mount namespace may mount one that nothing masks."""
    script = "unshare -mrpfn sh -c 'mount -t %s none /tmp && echo bare'"
    for kind in ("proc", "sysfs"):
        for propagation in (None, "rshared"):
            b = Bundle("sh", "-c", script % kind + "; grep -c ' / / ' /proc/self/mountinfo")
            for s in ("bounding", "permitted", "effective"):
                b.process["capabilities"][s] = b.process["capabilities"][s] + ["CAP_SETFCAP", "CAP_SYS_ADMIN"]
            if propagation:
                b.linux["rootfsPropagation"] = propagation
            if "bare" in b.run(check=None).out:
                skip("a view of the kernel is in the host's mount table where no path leads to it")
            before = mounts_of_the_host()
            r = rt("run", "--no-pivot", "--bundle", b.path, b.id, check=None)
            assert "bare" not in r.out and ("denied" in r.err or "not permitted" in r.err), r
            # It is only we who lose them.
            assert mounts_of_the_host() == before
            b.gone()
    for cover in ("mkdir -p {0}; mount -t tmpfs none /sys; mkdir -p /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup",
                  "mkdir -p {0}/p; mount -t proc none {0}/p; mount -t tmpfs none {0}"):
        # What is mounted over one does not keep it, and one that no path leads to is no failure.
        b = Bundle("sh", "-c", script % "sysfs" + "; echo ran")
        for s in ("bounding", "permitted", "effective"):
            b.process["capabilities"][s] = b.process["capabilities"][s] + ["CAP_SETFCAP", "CAP_SYS_ADMIN"]
        b.save()
        r = run("unshare", "-m", "sh", "-ec", cover.format(b.path + "/covered") + "; exec %s --root %s run --no-pivot --bundle %s %s" %
                (RUNTIME, ROOT, b.path, b.id), check=None)
        assert r.code == 0 and r.out == "ran\n", (cover, r)
    b = Bundle("true")
    ns_without(b, "mount")
    b.save()
    r = rt("run", "--no-pivot", "--bundle", b.path, b.id, check=1)
    assert "unable to use no-pivot without a private MNT namespace" in r.err, r


def mounts_of_the_host():
    with open("/proc/self/mountinfo") as f:
        return [line.split()[4] for line in f]


def test_mounts_that_are_named_by_the_hosts_path_of_the_root():
    """A destination below the root is of the container; so is a source, with what is mounted in it by then."""
    b = Bundle("sh", "-c", "cat /final/one/file /final/sub/file; cat /linked/file; grep -c " + TOP + " /proc/self/mounts")
    for name in ("one", "two"):
        os.makedirs("%s/%s" % (b.path, name))
        with open("%s/%s/file" % (b.path, name), "w") as f:
            f.write(name + "\n")
    # Of the image: it leads to no file of the host's.
    os.symlink(b.path + "/two", b.rootfs + "/link")
    os.makedirs(b.rootfs + b.path + "/two")
    with open(b.rootfs + b.path + "/two/file", "w") as f:
        f.write("of the image\n")

    def bind(source, destination):
        b.config["mounts"].append({"source": source, "destination": destination, "type": "bind", "options": ["rbind"]})

    bind(b.path + "/one", "/mnt/one")
    bind(b.path + "/two", b.rootfs + "/mnt/sub")
    bind(b.rootfs + "/mnt", b.rootfs + "/final")
    bind(b.rootfs + "/link", "/linked")
    r = b.run(check=None)
    assert r.out == "one\ntwo\nof the image\n0\n", r
    b.config["mounts"][-1]["source"] = b.rootfs + "/missing"
    b.fails("mount %s/missing on /linked: no such file" % b.rootfs)
