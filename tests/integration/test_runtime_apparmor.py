# SPDX-License-Identifier: LGPL-2.1-or-later
"""AppArmor: profiles of payload and exec, and attacks on how they are set. SELinux: test_runtime_labels.py."""
import json
import os

import bundle
import falseproc
from bundle import Bundle, rt
from checkpoint import Subject
from harness import needs, run, skip, timeout, wait_for

ENABLED = "/sys/module/apparmor/parameters/enabled"
COVERS = falseproc.COVERS + (("/proc/self/attr/apparmor", "@/directory"), ("/proc/self/attr/apparmor/exec", "@/covered"),
                             ("/proc/self/attr/apparmor/exec", "/proc/self/sched"), ("/proc/thread-self/attr/apparmor", "@/directory"))
PROFILE = """
profile berth-test flags=(attach_disconnected,mediate_deleted) {
  file, capability, network, mount, signal, ptrace, umount, unix,
  deny /etc/passwd r,
}
profile berth-other flags=(attach_disconnected,mediate_deleted) {
  file, capability, network, mount, signal, ptrace, umount, unix,
}
"""


def setup():
    bundle.start_tests()
    if apparmor():
        run("mount", "-t", "securityfs", "x", "/sys/kernel/security", check=None)
        run("apparmor_parser", "-r", "-K", input=PROFILE)


def teardown():
    bundle.end_tests()


def apparmor():
    return os.path.exists(ENABLED) and open(ENABLED).read().strip() == "Y"


def need_apparmor():
    if not apparmor():
        skip("no AppArmor in this kernel")


def confined(*args, profile="berth-test"):
    b = Bundle(*args)
    b.process["apparmorProfile"] = profile
    return b


@needs("vm")
@timeout(120)
def test_profile_of_payload_exec_and_hooks():
    need_apparmor()
    for nnp in (False, True):
        b = confined("sh", "-c", "cat /proc/self/attr/current /hook; cat /etc/passwd; sleep 1000")
        b.process["noNewPrivileges"] = nnp
        b.config["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "cat /proc/self/attr/current >/hook"]}]}
        b.create().start()
        wait_for(lambda: "denied" in b.out())
        assert b.out().startswith("berth-test (enforce)\n" * 2), b.out()
        # exec is confined as the container is, unless it is said otherwise.
        assert "berth-test (enforce)" in rt("exec", b.id, "cat", "/proc/self/attr/current").out
        assert "berth-other (enforce)" in rt("exec", "--apparmor", "berth-other", b.id, "cat", "/proc/self/attr/current").out
        with open(b.path + "/p.json", "w") as f:
            json.dump({"args": ["cat", "/proc/self/attr/current"], "cwd": "/", "env": ["PATH=/bin"]}, f)
        assert "berth-test (enforce)" in rt("exec", "--process", b.path + "/p.json", b.id).out
        b.delete()
    b = Bundle()
    b.process["apparmorProfile"] = "unconfined"
    assert b.sh("cat /proc/self/attr/current").out.startswith("unconfined")


@needs("vm")
@timeout(120)
def test_a_profile_that_is_not_loaded_leaves_nothing():
    """`create` says so, not `start`."""
    need_apparmor()
    confined("true", profile="berth-nowhere").fails('apparmorProfile: "berth-nowhere" cannot be applied: apply apparmor profile `berth-nowhere`: profile not loaded')
    b = confined("true", profile="berth-nowhere")
    r = rt("run", "--bundle", b.save().path, b.id, check=1)
    assert "berth-nowhere" in r.err and "cannot be applied" in r.err, r
    b.gone()
    b = confined("sleep", "1000").create().start()
    r = rt("exec", "--apparmor", "berth-nowhere", b.id, "true", check=255)
    assert "berth-nowhere" in r.err and "cannot be applied" in r.err, r
    b.delete()


@needs("vm", "criu")
@timeout(200)
def test_profile_of_a_restored_container():
    need_apparmor()
    for options, expected in (((), "berth-test"), (("--lsm-profile", "apparmor:berth-other"), "berth-other")):
        b = Subject()
        b.process["apparmorProfile"] = "berth-test"
        b.up()
        wait_for(lambda: b.count() >= 3)
        b.checkpoint()
        b.reap()
        before = b.count()
        b.restore(*options)
        wait_for(lambda: b.count() > before)
        assert b.proc("attr/current") == expected + " (enforce)\n"
        # What config.json says of the container holds for what comes new.
        assert rt("exec", b.id, "cat", "/proc/self/attr/current").out == "berth-test (enforce)\n"
        b.delete()


@needs("vm", "criu")
@timeout(200)
def test_images_without_a_profile_do_not_become_a_confined_container():
    """criu knows AppArmor and restores what was not confined as it was: nothing of it may run."""
    need_apparmor()
    b = Subject().up()
    wait_for(lambda: b.count() >= 3)
    b.checkpoint()
    b.reap()
    b.process["apparmorProfile"] = "berth-test"
    b.save()
    before = b.count()
    b.restore(check=1)
    assert 'process.apparmorProfile: "berth-test" was not restored' in b.out(), b.out()
    b.gone()
    assert b.count() == before


# --- attacks ----------------------------------------------------------------------------------------------

@needs("vm")
@timeout(200)
def test_no_profile_lands_in_a_false_proc():
    """CVE-2019-16884, CVE-2025-52881: the profile is taken on whatever /proc the image brings, and only by the kernel."""
    need_apparmor()
    for b, tree in falseproc.bundles(confined):
        b.process["args"] = ["sh", "-c", "cat /true/self/attr/current; cat /etc/passwd"]
        r = b.run(check=None)
        assert falseproc.written(tree) == [], (tree, falseproc.written(tree))
        assert r.out == "berth-test (enforce)\n" and "denied" in r.err, r


@needs("vm")
@timeout(200)
def test_files_over_parts_of_proc_do_not_take_the_profile():
    need_apparmor()
    for target, source in COVERS:
        b = confined("sh", "-c", "cat /true/self/attr/current")
        falseproc.cover(b, target, source)
        assert b.run().out == "berth-test (enforce)\n", target
        assert falseproc.untouched(b), target


@needs("vm")
@timeout(120)
def test_exec_into_a_container_with_a_false_proc():
    need_apparmor()
    with falseproc.hostile(confined(profile="berth-other")) as b:
        assert rt("exec", b.id, "cat", "/true/self/attr/current").out == "berth-other (enforce)\n"
        assert rt("exec", "--apparmor", "berth-test", b.id, "cat", "/true/self/attr/current").out == "berth-test (enforce)\n"
        assert falseproc.written(b.rootfs + "/false") == []


def check_without_private_proc(profile, shown):
    """With the visible /proc alone: the true one is good enough, no other is."""
    b = falseproc.without_private_proc(confined("sh", "-c", "echo ran; cat /proc/self/attr/current 2>&1", profile=profile))
    assert shown in b.run(check=None).out
    for b, tree in falseproc.bundles(lambda: confined("echo", "ran", profile=profile)):
        r = falseproc.without_private_proc(b).run(check=None)
        assert r.code == 1 and not r.out and "cannot be applied" in r.err, (tree, r)
        assert falseproc.written(tree) == []
    for target, source in COVERS:
        b = confined("cat", "/true/self/attr/current", profile=profile)
        falseproc.cover(b, target, source)
        r = falseproc.without_private_proc(b).run(check=None)
        assert shown in r.out or r.code == 1, (target, r)
        assert falseproc.untouched(b), target
    with falseproc.hostile(confined(profile=profile), falseproc.without_private_proc) as b:
        for options in ((), ("--apparmor", profile)):
            r = rt("exec", *options, b.id, "echo", "ran", check=255)
            assert not r.out and "cannot be applied" in r.err, r
        assert falseproc.written(b.rootfs + "/false") == []


@needs("vm")
@timeout(200)
def test_no_profile_lands_in_the_visible_proc_if_it_is_false():
    need_apparmor()
    check_without_private_proc("berth-other", "berth-other (enforce)")


def test_unconfined_is_not_written_to_the_visible_proc_if_it_is_false():
    check_without_private_proc("unconfined", "ran")


def test_unconfined_is_not_written_to_a_false_proc():
    """The same without AppArmor: the profile `unconfined` is written where there is one to be left, or might be."""
    for b, tree in falseproc.bundles(lambda: confined("echo", "ran", profile="unconfined")):
        assert b.run().out == "ran\n" and falseproc.written(tree) == [], (tree, falseproc.written(tree))
    for target, source in COVERS:
        if target.startswith("/proc/self/attr/apparmor") and not os.path.exists("/proc/self/attr/apparmor"):
            continue
        b = confined("echo", "ran", profile="unconfined")
        falseproc.cover(b, target, source)
        r = b.run(check=None)
        # Without the file there is no destination for the mount.
        assert r.out == "ran\n" or "destination" in r.err, (target, r)
        assert falseproc.untouched(b), target


def test_exec_does_not_write_unconfined_to_a_false_proc():
    with falseproc.hostile(confined(profile="unconfined")) as b:
        assert rt("exec", b.id, "echo", "ran").out == "ran\n"
        assert rt("exec", "--apparmor", "unconfined", b.id, "echo", "ran").out == "ran\n"
        assert falseproc.written(b.rootfs + "/false") == []
