# SPDX-License-Identifier: LGPL-2.1-or-later
"""mounts: every option of runc's and crun's tables, links, remounts, propagation, the old interface."""
import json
import os
import sys

import bundle
import outer_filter
from bundle import TOP, Bundle, ns_without, rt
from harness import run, skip, wait_for

MOUNTINFO = "while read -r i p d root at opts rest; do [ $at = %s ] && echo $opts $rest; done < /proc/self/mountinfo; true"


def setup():
    bundle.start_tests()
    os.chmod(TOP, 0o755)


def teardown():
    bundle.end_tests()


def bind(b, name, *options, source=None, at=None):
    if source is None:
        source = b.path + "/" + name
        os.makedirs(source, exist_ok=True)
    b.config["mounts"].append({"destination": at or "/" + name, "source": source, "type": "bind", "options": ["bind", *options]})


def line_of(b, at, **kw):
    """Options of the mount, and those of its file system."""
    out = b.sh(MOUNTINFO % at, **kw).out.splitlines()[-1]
    return out.split()[0].split(","), out.split()[-1].split(","), out


def test_each_flag_and_its_opposite():
    for name, word in (("ro", "ro"), ("nosuid", "nosuid"), ("nodev", "nodev"), ("noexec", "noexec"), ("nodiratime", "nodiratime"),
                       ("noatime", "noatime"), ("nosymfollow", "nosymfollow"), ("relatime", "relatime")):
        b = Bundle()
        bind(b, "m", name)
        b.config["mounts"].append({"destination": "/t", "source": "x", "type": "tmpfs", "options": [name]})
        assert word in line_of(b, "/m")[0], name
        b = Bundle()
        b.config["mounts"].append({"destination": "/t", "source": "x", "type": "tmpfs", "options": [name]})
        assert word in line_of(b, "/t")[0], name
    for name, word in (("rw", "ro"), ("suid", "nosuid"), ("dev", "nodev"), ("exec", "noexec"), ("diratime", "nodiratime"),
                       ("symfollow", "nosymfollow"), ("atime", "noatime"), ("strictatime", "relatime")):
        b = Bundle()
        bind(b, "m", word, name)
        assert word not in line_of(b, "/m")[0], name


def test_recursive_flags():
    """On the mount and on one below it; the plain flag leaves that one alone."""
    os.makedirs(TOP + "/tree/sub", exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "nosuid", "x", TOP + "/tree")
    os.mkdir(TOP + "/tree/sub")
    run("mount", "-t", "tmpfs", "-o", "nosuid,noexec", "x", TOP + "/tree/sub")
    try:
        for options, has, has_not in ((["rro"], "ro", None), (["rnodev"], "nodev", None), (["rnoatime"], "noatime", None),
                                      (["rnosymfollow"], "nosymfollow", None), (["rnodiratime"], "nodiratime", None),
                                      (["rexec"], None, "noexec"), (["rsuid"], None, "nosuid"), (["rstrictatime"], None, "relatime"),
                                      (["rro", "rrw"], "rw", "ro"), (["rnodev", "rdev"], None, "nodev"),
                                      (["rnoatime", "rnostrictatime"], "relatime", "noatime"), (["ro"], "rw", "ro"),
                                      (["rnoatime", "ratime"], "relatime", "noatime"), (["rnoatime", "rrelatime"], "relatime", "noatime"),
                                      (["rnodiratime", "rdiratime"], None, "nodiratime"), (["rnosuid", "rnoexec"], "noexec", None),
                                      (["rnosymfollow", "rsymfollow"], None, "nosymfollow"), (["rnoatime", "rnorelatime"], None, "noatime")):
            b = Bundle()
            bind(b, "v", "rbind", *options, source=TOP + "/tree")
            words = line_of(b, "/v/sub")[0]
            assert (has is None or has in words) and has_not not in words, (options, words)
    finally:
        run("umount", TOP + "/tree/sub", TOP + "/tree")


def test_options_of_the_file_system():
    for options, word in ((["sync"], "sync"), (["dirsync"], "dirsync"), (["lazytime"], "lazytime"), (["sync", "acl", "silent"], "sync")):
        b = Bundle()
        b.config["mounts"].append({"destination": "/t", "source": "x", "type": "tmpfs", "options": [*options, "size=1m", "nosuid"]})
        own, fs, whole = line_of(b, "/t")
        assert word in fs and "size=1024k" in fs and "nosuid" in own, (options, whole)
    for options in (["async"], ["sync", "async"], ["mand", "nomand"], ["lazytime", "nolazytime"], ["iversion", "noiversion"], ["defaults"],
                    ["loud"], ["acl", "noacl"]):
        b = Bundle()
        b.config["mounts"].append({"destination": "/t", "source": "x", "type": "tmpfs", "options": options})
        _, fs, whole = line_of(b, "/t")
        assert fs[0] == "rw" and not set(fs) & {"sync", "lazytime", "mand"}, (options, whole)
    b = Bundle()
    b.config["mounts"].append({"destination": "/t", "source": "x", "type": "tmpfs", "options": ["nosuchoption"]})
    b.fails("nosuchoption")


def test_remount():
    b = Bundle()
    b.config["mounts"] += [
        {"destination": "/t", "source": "x", "type": "tmpfs", "options": ["nosuid", "size=1m"]},
        {"destination": "/t", "source": "x", "type": "tmpfs", "options": ["remount", "ro", "size=2m"]}]
    own, fs, whole = line_of(b, "/t")
    assert "ro" in own and "size=2048k" in fs, whole
    b = Bundle()
    bind(b, "m", "nosuid")
    b.config["mounts"].append({"destination": "/m", "type": "bind", "options": ["bind", "remount", "ro", "nodev"]})
    out = b.sh(MOUNTINFO % "/m").out
    assert out.count("\n") == 1 and out.startswith("ro,nosuid,nodev"), out
    b = Bundle()
    b.config["mounts"].append({"destination": "/etc", "type": "tmpfs", "options": ["remount", "ro"]})
    b.fails("remount /etc: invalid argument")
    b = Bundle()
    b.config["mounts"].append({"destination": "/nothing", "type": "tmpfs", "options": ["remount", "ro"]})
    b.fails("remount /nothing: no such file or directory")


def test_links_as_sources():
    b = Bundle()
    with open(b.path + "/file", "w") as f:
        f.write("content\n")
    os.symlink(b.path + "/file", b.path + "/link")
    os.symlink("dangling", b.path + "/loose")
    bind(b, "a", source=b.path + "/link")
    bind(b, "b", "src-nofollow", source=b.path + "/link")
    bind(b, "c", "copy-symlink", source=b.path + "/loose")
    bind(b, "d", "copy-symlink", "ro", source=b.path + "/file")
    bind(b, "e/f", "copy-symlink", source="link")
    out = b.sh("cat /a; readlink /b; readlink /c; cat /d; readlink /e/f").out
    assert out == "content\n%s/file\ndangling\ncontent\n%s/file\n" % (b.path, b.path), out
    # A link that is there is fine if it is the same.
    assert os.readlink(b.rootfs + "/c") == "dangling"
    assert b.sh("readlink /c").out == "dangling\n"
    os.unlink(b.rootfs + "/c")
    os.symlink("other", b.rootfs + "/c")
    b.fails("one to other is there already")
    os.unlink(b.rootfs + "/c")
    os.mkdir(b.rootfs + "/c")
    b.fails("symbolic link /c")
    b = Bundle()
    b.config["mounts"].append({"destination": "/t", "source": "x", "type": "tmpfs", "options": ["copy-symlink"]})
    b.fails("copy-symlink")


def test_links_as_destinations():
    b = Bundle()
    with open(b.path + "/file", "w") as f:
        f.write("mounted\n")
    for name, text in (("target", "below\n"),):
        with open(b.rootfs + "/" + name, "w") as f:
            f.write(text)
    os.symlink("target", b.rootfs + "/follow")
    os.symlink("target", b.rootfs + "/cover")
    os.symlink("etc", b.rootfs + "/dir")
    bind(b, "cover", "dest-nofollow", source=b.path + "/file")
    bind(b, "dir/new", "dest-nofollow", source=b.path + "/file")
    out = b.sh("cat /target /cover /etc/new; readlink /cover; true").out
    assert out == "below\nmounted\nmounted\n", out
    b = Bundle()
    with open(b.path + "/file", "w") as f:
        f.write("mounted\n")
    with open(b.rootfs + "/target", "w") as f:
        f.write("below\n")
    os.symlink("target", b.rootfs + "/follow")
    bind(b, "follow", source=b.path + "/file")
    assert b.sh("cat /target; readlink /follow").out == "mounted\ntarget\n"
    b = Bundle()
    os.symlink("/nowhere", b.rootfs + "/cover")
    bind(b, "x", "dest-nofollow", at="/cover")
    b.fails("/cover: destination")


def test_sources_are_relative_to_the_bundle():
    b = Bundle()
    os.mkdir(b.path + "/here")
    with open(b.path + "/here/f", "w") as f:
        f.write("x\n")
    bind(b, "v", source="here")
    bind(b, "w", source="./here/../here/f")
    b.save()
    assert b.sh("cat /v/f /w").out == "x\nx\n"


def test_propagation_of_mounts():
    for option, marks in (("private", ()), ("rprivate", ()), ("shared", ("shared:",)), ("rshared", ("shared:",)),
                          ("unbindable", ("unbindable",)), ("runbindable", ("unbindable",))):
        b = Bundle()
        bind(b, "m", option)
        whole = line_of(b, "/m")[2]
        assert all(m in whole for m in marks) and ("shared:" in whole) == ("shared:" in marks), (option, whole)


def test_mounts_of_a_shared_tree_reach_the_container_and_come_back():
    """rslave: the host's later mounts are seen. rshared with rootfsPropagation shared: the container's too."""
    top = TOP + "/shared"
    os.mkdir(top)
    run("mount", "-t", "tmpfs", "x", top)
    run("mount", "--make-shared", top)
    try:
        os.mkdir(top + "/later")
        os.mkdir(top + "/inner")
        b = Bundle("sh", "-c", "mount -t tmpfs y /m/inner 2>/dev/null; sleep 1000")
        for s in ("bounding", "effective", "permitted"):
            b.process["capabilities"][s].append("CAP_SYS_ADMIN")
        bind(b, "m", "rslave", source=top)
        b.create().start()
        run("mount", "-t", "tmpfs", "z", top + "/later")
        assert "/m/later" in rt("exec", b.id, "cat", "/proc/self/mountinfo").out
        wait_for(lambda: "/m/inner" in rt("exec", b.id, "cat", "/proc/self/mountinfo").out)
        assert not os.path.ismount(top + "/inner")
        b.delete()
        for value in ("shared", "rshared"):
            b = Bundle("sh", "-c", "mount -t tmpfs y /m/inner && sleep 1000")
            for s in ("bounding", "effective", "permitted"):
                b.process["capabilities"][s].append("CAP_SYS_ADMIN")
            bind(b, "m", "rshared", source=top)
            b.linux["rootfsPropagation"] = value
            with open("/proc/self/mountinfo") as f:
                before = f.read()
            b.create().start()
            wait_for(lambda: os.path.ismount(top + "/inner"), what="the container's mount on the host")
            with open("/proc/self/mountinfo") as f:
                new = [x for x in f.read().splitlines() if x not in before.splitlines()]
            assert len(new) == 1 and top + "/inner" in new[0], "nothing else comes out: %s" % new
            run("umount", top + "/inner")
            b.delete()
    finally:
        run("umount", "-R", top)


def test_rootfs_propagation():
    for value, mark in (("private", None), ("rprivate", None), ("slave", None), ("rslave", None), ("shared", "shared:"),
                        ("rshared", "shared:"), ("unbindable", "unbindable"), ("runbindable", "unbindable"), ("", None)):
        b = Bundle()
        b.linux["rootfsPropagation"] = value
        whole = line_of(b, "/")[2]
        assert ("shared:" in whole) == (mark == "shared:") and ("unbindable" in whole) == (mark == "unbindable"), (value, whole)
    b = Bundle()
    b.linux["rootfsPropagation"] = "sideways"
    b.fails("sideways")


def test_cgroup_mounts():
    for own in (True, False):
        for option in ("ro", "rw"):
            b = Bundle()
            if not own:
                ns_without(b, "cgroup")
            for m in b.config["mounts"]:
                if m["destination"] == "/sys/fs/cgroup":
                    m["options"] = ["nosuid", "noexec", "nodev", option]
            b.process["args"] = ["sh", "-c", "cat /proc/self/cgroup; ls /sys/fs/cgroup/berth-test 2>&1; mkdir /sys/fs/cgroup/x 2>/dev/null &&"
                                 "echo made && rmdir /sys/fs/cgroup/x; cut -d' ' -f5,6 /proc/self/mountinfo | grep cgroup"]
            out = b.run().out
            assert ("0::/\n" in out) == own and (b.id in out) == (not own), out
            assert ("made" in out) == (option == "rw"), out
            assert "/sys/fs/cgroup %s," % option in out, out


def test_id_maps_as_an_option():
    for bad in ("idmap=uids=0-1", "idmap=uids=0-1-1", "idmap=x", "ridmap=uids=a-b-c;gids=0-0-1", "idmap=uids=0-0-0;gids=0-0-1"):
        b = Bundle()
        bind(b, "v", bad)
        b.fails("option idmap")
    b = Bundle()
    bind(b, "v", "idmap=uids=@0-0-1;gids=@0-0-1")
    b.fails("no range of the container's mappings")
    b = Bundle()
    os.mkdir(b.path + "/vol")
    os.chown(b.path + "/vol", 5, 6)
    bind(b, "v", "idmap=uids=0-1000-10;gids=0-2000-10", source=b.path + "/vol")
    b.process["args"] = ["stat", "-c", "%u %g", "/v"]
    r = rt("run", "--bundle", b.save().path, b.id, check=None)
    if "idmap of" in r.err:
        skip("this file system has no idmapped mounts")
    assert r.out == "1005 2006\n", r


def test_features_list_the_options():
    options = json.loads(rt("features").out)["mountOptions"]
    for o in ("ro", "rro", "rnosymfollow", "copy-symlink", "src-nofollow", "dest-nofollow", "tmpcopyup", "idmap", "ridmap", "rslave",
              "remount", "sync", "acl"):
        assert o in options and options.count(o) == 1, (o, options)


# --- the old interface -----------------------------------------------------------------------------------

def run_old(b, script, names=outer_filter.MOUNT_API, **kw):
    b.process["args"] = ["sh", "-c", script]
    b.save()
    r = run(sys.executable, os.path.abspath(outer_filter.__file__), names, bundle.RUNTIME, "--root", bundle.ROOT, "run", "--bundle",
            b.path, b.id, **kw)
    b.gone()
    return r


def test_without_the_new_mount_interface():
    b = Bundle()
    for d in ("vol", "sub"):
        os.mkdir(b.path + "/" + d)
    with open(b.path + "/vol/file", "w") as f:
        f.write("content\n")
    b.config["mounts"] += [
        {"destination": "/vol", "source": "vol", "type": "bind", "options": ["rbind", "ro", "nosuid", "rprivate"]},
        {"destination": "/rw", "source": b.path + "/vol", "options": ["bind", "rw", "shared"]},
        {"destination": "/etc/one", "source": "vol/file", "type": "bind", "options": ["bind", "ro", "nodev", "noexec"]},
        {"destination": "/etc", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup", "ro", "size=1m"]}]
    b.config["root"]["readonly"] = True
    b.linux["devices"] = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}]
    r = run_old(b, "cat /vol/file /etc/passwd; touch /vol/x /x /proc/sys/kernel/x /etc/x; stat -c '%t:%T' /proc/timer_list /dev/null /dev/fuse;"
                   "ls /proc/acpi /sys/firmware | wc -l; touch /rw/new && echo rw; cut -d' ' -f5,6 /proc/self/mountinfo; cat /proc/self/cgroup;"
                   "cat /proc/self/oom_score_adj; ls /sys/fs/cgroup | grep -c cgroup.procs")
    assert r.out.startswith("content\nroot:x:0") and "1:3\n1:3\na:e5\n" in r.out and "rw\n" in r.out, r
    assert r.err.count("Read-only file system") >= 3, r
    for line in ("/vol ro,nosuid", "/etc ro", "/ ro", "/proc/sys ro", "/proc/bus ro"):
        assert "\n" + line in r.out, (line, r)
    assert "0::/\n" in r.out and r.out.endswith("\n1\n"), r


def test_old_interface_says_what_it_cannot_do():
    b = Bundle()
    bind(b, "m", "rbind", "rro")
    r = run_old(b, "true", check=1)
    assert "recursive flags need mount_setattr()" in r.err, r
    b = Bundle()
    bind(b, "m", "idmap=uids=0-0-1;gids=0-0-1")
    assert "idmap" in run_old(b, "true", check=1).err
