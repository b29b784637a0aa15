# SPDX-License-Identifier: LGPL-2.1-or-later
"""berth-runtime called by root for containers with a user namespace."""
import json
import os

import bundle
from bundle import RUNTIME, TOP, Bundle, rt
from harness import needs, run
from test_runtime_rootless import status

FIRST, SECOND = 800000, 900000
GROUP = 44                              # video: any group of the host


def setup():
    bundle.start_tests()
    os.chmod(TOP, 0o755)


def teardown():
    bundle.end_tests()


class MappedBundle(Bundle):
    """0 to 999 are FIRST and on, 1000 to 1999 are SECOND and on, of users and groups."""

    def __init__(self, *args):
        super().__init__(*args)
        maps = [{"containerID": 0, "hostID": FIRST, "size": 1000}, {"containerID": 1000, "hostID": SECOND, "size": 1000}]
        self.linux["uidMappings"], self.linux["gidMappings"] = maps, json.loads(json.dumps(maps))
        self.linux["namespaces"].append({"type": "user"})
        run("chown", "-R", "%d:%d" % (FIRST, FIRST), self.rootfs)

    def caps(self, *names):
        self.process["capabilities"] = {k: list(names) for k in ("bounding", "effective", "permitted")}


def with_group(*cmd):
    """cmd as root with a supplementary group, as sudo and service managers start programs."""
    return run("setpriv", "--groups", GROUP, *cmd)


# --- ids -------------------------------------------------------------------------------------------------

def test_several_ranges():
    b = MappedBundle()
    b.caps("CAP_CHOWN")
    b.process["user"] = {"uid": 0, "gid": 0, "additionalGids": [3, 1500]}
    r = b.sh("cat /proc/self/uid_map /proc/self/setgroups; grep -E '^(Uid|Groups)' /proc/self/status;"
             "touch /tmp/a /tmp/b; /bin/busybox chown 1005:7 /tmp/b; stat -c %u:%g /tmp/b")
    assert r.out.split()[:7] == ["0", str(FIRST), "1000", "1000", str(SECOND), "1000", "allow"], r
    assert status(r.out)["Groups"] == ["3", "1500"] and r.out.endswith("1005:7\n"), r
    a, c = os.stat(b.rootfs + "/tmp/a"), os.stat(b.rootfs + "/tmp/b")
    assert (a.st_uid, a.st_gid, c.st_uid, c.st_gid) == (FIRST, FIRST, SECOND + 5, FIRST + 7)


def test_payload_as_a_user_of_the_second_range():
    b = MappedBundle("sleep", "1000")
    b.process["user"] = {"uid": 1000, "gid": 1001}
    b.create().start()
    with open("/proc/%d/status" % b.pid) as f:
        s = status(f.read())
    assert s["Uid"] == [str(SECOND)] * 4 and s["Gid"] == [str(SECOND + 1)] * 4 and s["Groups"] == [], s
    r = rt("exec", "--user", "5:1006", "--additional-gids", "1007", b.id, "grep", "-E", "^(Uid|Gid|Groups)", "/proc/self/status")
    s = status(r.out)
    assert s["Uid"] == ["5"] * 4 and s["Gid"] == ["1006"] * 4 and s["Groups"] == ["1007"], r
    assert "setuid 2000: not mapped" in rt("exec", "--user", "2000", b.id, "true", check=255).err
    assert "a group is not mapped" in rt("exec", "--additional-gids", "2000", b.id, "true", check=255).err
    b.delete()


def test_mappings_that_are_wrong():
    """The kernel judges, and its words come through."""
    for maps, text in (([(0, FIRST, 1000), (500, SECOND, 10)], "uid_map: invalid argument"),
                       ([(0, FIRST, 1000), (2000, FIRST + 10, 10)], "uid_map: invalid argument"),
                       ([(0, 4294967290, 100)], "uid_map: invalid argument"),
                       ([(0, FIRST, 0)], "uidMappings.size"),
                       ([(-1, FIRST, 10)], "uidMappings.containerID"),
                       ([], "needs both uidMappings and gidMappings")):
        b = MappedBundle()
        b.linux["uidMappings"] = [dict(zip(("containerID", "hostID", "size"), m)) for m in maps]
        b.fails(text)
    b = MappedBundle()
    b.process["user"] = {"uid": 2000, "gid": 0}
    b.fails("process.user.uid: 2000 is not mapped in the user namespace")


def test_no_mapping_at_all():
    """As with crun: the container's root is the caller, and nobody else is there."""
    b = MappedBundle()
    del b.linux["uidMappings"], b.linux["gidMappings"]
    b.process["args"] = ["cat", "/proc/self/uid_map", "/proc/self/gid_map"]
    b.save()
    r = rt("run", "--bundle", b.path, b.id)
    assert [line.split() for line in r.out.splitlines()] == [["0", "0", "1"]] * 2, r


# --- defences --------------------------------------------------------------------------------------------

def test_groups_of_the_caller_do_not_come_along():
    path = TOP + "/of-the-group"
    with open(path, "w") as f:
        f.write("host\n")
    os.chown(path, 0, GROUP)
    os.chmod(path, 0o664)
    b = MappedBundle("sleep", "1000")
    b.config["mounts"].append({"destination": "/shared", "type": "bind", "source": path, "options": ["bind"]})
    for user in (0, 1000):
        b.process["user"] = {"uid": user, "gid": user}
        b.save()
        r = with_group("sh", "-c", '"$@" > /dev/null 2>&1', "sh", RUNTIME, "--root", bundle.ROOT, "run", "--detach",
                       "--bundle", b.path, b.id)
        for p in ("1", "self"):
            r = with_group(RUNTIME, "--root", bundle.ROOT, "exec", b.id, "sh", "-c",
                           "grep Groups /proc/%s/status; echo x > /shared; cat /shared" % p)
            assert status(r.out)["Groups"] == [] and r.out.endswith("host\n") and "ermission denied" in r.err, r
        rt("delete", "--force", b.id)
        b.gone()
    # The group does give the right: with it kept the same write succeeds.
    b.config["annotations"] = {"run.oci.keep_original_groups": "1"}
    b.process["args"] = ["sh", "-c", "echo kept > /shared; cat /shared"]
    b.save()
    r = with_group(RUNTIME, "--root", bundle.ROOT, "run", "--bundle", b.path, b.id)
    assert r.out == "kept\n", r


def test_groups_without_the_capability_to_drop_them():
    """A runtime that may not call setgroups does not hand its groups on: it refuses."""
    b = Bundle("true").save()
    r = run("setpriv", "--groups", GROUP, "--bounding-set", "-setgid", "--inh-caps", "-setgid", RUNTIME, "--root",
            bundle.ROOT, "run", "--bundle", b.path, b.id, check=None)
    assert r.code != 0 and "setgroups" in r.err, r
    b.gone()


def test_files_of_unmapped_owners():
    secret, public = TOP + "/secret", TOP + "/public"
    for path, mode in ((secret, 0o600), (public, 0o644)):
        with open(path, "w") as f:
            f.write("text")
        os.chmod(path, mode)
    b = MappedBundle()
    b.caps("CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_CHOWN", "CAP_SETFCAP", "CAP_SYS_ADMIN")
    for path in (secret, public):
        b.config["mounts"].append({"destination": path, "type": "bind", "source": path, "options": ["bind"]})
    r = b.sh("cat {0}; echo x > {1}; chmod 666 {1}; /bin/busybox chown 0 {1}; rm -f {1}; cat {1}; stat -c %u {1}".format(secret, public))
    assert r.out == "text65534\n", r
    with open(public) as f:
        assert f.read() == "text" and os.stat(public).st_mode & 0o777 == 0o644 and os.stat(public).st_uid == 0


def test_sources_that_only_root_can_reach():
    """They are opened by the parent; what they show still obeys the owners."""
    private = TOP + "/private"
    os.makedirs(private + "/dir", mode=0o700)
    os.chmod(private, 0o700)
    os.chmod(private + "/dir", 0o755)
    with open(private + "/dir/file", "w") as f:
        f.write("seen\n")
    b = MappedBundle()
    b.config["mounts"].append({"destination": "/dir", "type": "bind", "source": private + "/dir", "options": ["bind", "ro"]})
    r = b.sh("cat /dir/file; touch /dir/x; true")
    assert r.out == "seen\n" and "ead-only file system" in r.err, r


def test_flags_of_the_hosts_mounts_stay():
    """CAP_SYS_ADMIN in the container takes neither flags off, nor mounts away, that the host has put there."""
    top = TOP + "/locked"
    os.mkdir(top)
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", top)
    os.mkdir(top + "/sub")
    with open(top + "/sub/hidden", "w") as f:
        f.write("x")
    run("mount", "-t", "tmpfs", "tmpfs", top + "/sub")
    run("mount", "-o", "remount,bind,ro,nosuid", top)
    try:
        b = MappedBundle()
        b.caps("CAP_SYS_ADMIN")
        b.config["mounts"].append({"destination": "/locked", "type": "bind", "source": top, "options": ["rbind"]})
        script = ("mount -o remount,bind,rw,nosuid /locked && echo writable; mount -o remount,bind,ro,suid /locked; grep ' /locked ' /proc/self/mountinfo;"
                  "umount /locked/sub && echo unhidden; ls /locked/sub; ls -d /locked/sub; true")
        r = b.sh(script)
        assert r.out.split()[5] == "ro,nosuid,relatime" and r.out.endswith("\n/locked/sub\n") and "hidden" not in r.out, r
        # Engines write rw whatever the source is: that is told, and the rest is done.
        b.config["mounts"][-1]["options"] = ["rbind", "noexec", "noatime", "rw", "suid"]
        r = b.sh("grep ' /locked ' /proc/self/mountinfo; touch /locked/x; true")
        assert r.out.split()[5] == "ro,nosuid,noexec,relatime" and "ead-only file system" in r.err, r
        for what in ("is read-only, and stays so", "is nosuid, and stays so", "times of access stays"):
            assert "warning: mount on /locked" in r.err and what in r.err, r
    finally:
        run("umount", top + "/sub")
        run("umount", top)


def test_nothing_of_the_host_by_capabilities():
    b = MappedBundle()
    b.caps("CAP_SYS_ADMIN", "CAP_MKNOD", "CAP_NET_ADMIN", "CAP_SYS_TIME", "CAP_SYS_MODULE", "CAP_SYS_BOOT", "CAP_SYSLOG")
    b.linux["maskedPaths"] = b.linux["readonlyPaths"] = []
    r = b.sh("mknod /tmp/null c 1 3; echo 1 > /proc/sys/kernel/panic; echo b > /proc/sysrq-trigger; hostname inside; hostname;"
             "echo 5 > /proc/sys/vm/swappiness; stat -c '%n %t:%T' /dev/null")
    assert "inside" in r.out and "/dev/null 1:3" in r.out, r
    assert len(r.err.splitlines()) == 4, r


# --- the rest --------------------------------------------------------------------------------------------

def test_exec_credentials():
    b = MappedBundle("sleep", "1000").create().start()
    r = rt("exec", b.id, "sh", "-c", "readlink /proc/self/ns/user; cat /proc/self/uid_map; touch /tmp/made")
    assert os.readlink("/proc/%d/ns/user" % b.pid) in r.out and str(SECOND) in r.out, r
    assert os.stat(b.rootfs + "/tmp/made").st_uid == FIRST
    main = status(rt("exec", b.id, "cat", "/proc/1/status").out)
    other = status(rt("exec", b.id, "cat", "/proc/self/status").out)
    for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Groups", "Uid", "Gid"):
        assert main[key] == other[key], (key, main[key], other[key])
    b.delete()


def test_oom_score():
    b = MappedBundle("sleep", "1000")
    b.process["oomScoreAdj"] = 222
    b.create().start()
    with open("/proc/%d/oom_score_adj" % b.pid) as f:
        assert f.read() == "222\n", b.out()
    assert rt("exec", b.id, "cat", "/proc/self/oom_score_adj").out == "222\n"
    b.delete()


@needs("vm")
def test_limits_beyond_the_callers():
    """With CAP_SYS_RESOURCE on the host a container may have more than its runtime."""
    b = MappedBundle("sleep", "1000")
    b.process["oomScoreAdj"] = -500
    b.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 5000, "hard": 6000}]
    b.save()
    command = ["sh", "-c", "ulimit -n 4000; exec \"$@\"", "sh", RUNTIME, "--root", bundle.ROOT]
    run(["sh", "-c", "\"$@\" > /dev/null 2>&1", "sh"] + command + ["run", "--detach", "--bundle", b.path, b.id])
    r = rt("exec", b.id, "sh", "-c", "cat /proc/1/limits /proc/1/oom_score_adj")
    assert "5000                 6000" in r.out and r.out.endswith("-500\n"), r
    r = run(command + ["exec", b.id, "sh", "-c", "ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj"])
    assert r.out.split() == ["5000", "6000", "-500"] and not r.err, r
    rt("delete", "--force", b.id)


def test_time_offsets():
    b = MappedBundle()
    b.linux["namespaces"].append({"type": "time"})
    b.linux["timeOffsets"] = {"boottime": {"secs": 1000000, "nanosecs": 5}}
    b.process["args"] = ["sleep", "1000"]
    b.create().start()
    r = rt("exec", b.id, "cat", "/proc/uptime", "/proc/1/timens_offsets")
    with open("/proc/uptime") as f:
        assert abs(float(r.out.split()[0]) - float(f.read().split()[0]) - 1000000) < 60, r
    assert r.out.split()[-3:] == ["boottime", "1000000", "5"], r
    b.delete()


def test_sysctl():
    b = MappedBundle()
    b.linux["sysctl"] = {"net.ipv4.ping_group_range": "0 1999", "net.ipv4.ip_forward": "1"}
    r = b.sh("cat /proc/sys/net/ipv4/ping_group_range /proc/sys/net/ipv4/ip_forward")
    assert r.out.split() == ["0", "1999", "1"], r
    b.linux["sysctl"] = {"net.ipv4.ping_group_range": "0 2000"}
    b.fails("not a range of groups that are mapped")


def test_terminal():
    b = MappedBundle("sh", "-c", "test -t 0 && stty size && stat -c %u /dev/console $(readlink /proc/self/fd/0); exit 3")
    b.process["terminal"] = True
    b.process["user"] = {"uid": 1000, "gid": 1000}
    r = b.run(check=3)
    assert r.out.split()[-1] == "1000", r


def test_tmpfs_and_copy_up():
    b = MappedBundle()
    b.config["mounts"].append({"destination": "/etc", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup", "mode=755"]})
    r = b.sh("cat /etc/passwd; touch /etc/new; stat -c %u /etc /etc/new")
    assert r.out.startswith("root:x:0") and r.out.split()[-2:] == ["0", "0"], r


# --- id-mapped mounts ------------------------------------------------------------------------------------

def volume(b, name, *options, mappings=None):
    """A directory of root's with files of users 0 and 5, mounted with these options."""
    path = b.path + "/" + name
    os.makedirs(path)
    os.chmod(path, 0o777)
    for owner in (0, 5):
        with open("%s/%d" % (path, owner), "w") as f:
            f.write("x")
        os.chown("%s/%d" % (path, owner), owner, owner)
    m = {"destination": "/" + name, "type": "bind", "source": path, "options": list(options)}
    if mappings:
        m["uidMappings"] = m["gidMappings"] = [dict(zip(("containerID", "hostID", "size"), x)) for x in mappings]
    b.config["mounts"].append(m)
    return path


@needs("vm")
def test_idmap_with_the_mappings_of_the_container():
    b = MappedBundle()
    path = volume(b, "vol", "bind", "idmap")
    plain = volume(b, "plain", "bind")
    b.process["user"] = {"uid": 5, "gid": 6}
    r = b.sh("stat -c %u:%g /vol/0 /vol/5 /plain/0; touch /vol/new /plain/new; echo y >> /vol/5; echo y > /vol/0; true")
    assert r.out.split() == ["0:0", "5:5", "65534:65534"] and "ermission denied" in r.err, r
    st, other = os.stat(path + "/new"), os.stat(plain + "/new")
    assert (st.st_uid, st.st_gid) == (5, 6) and (other.st_uid, other.st_gid) == (FIRST + 5, FIRST + 6)


@needs("vm")
def test_idmap_with_its_own_mappings():
    """On the disk 5 is what 1005 of the container is; what neither maps belongs to nobody."""
    b = MappedBundle()
    path = volume(b, "vol", "bind", mappings=[(5, SECOND + 5, 1)])
    os.chown(path, 5, 5)                # nothing can be made in a directory of nobody's
    b.process["user"] = {"uid": 1005, "gid": 1005}
    r = b.sh("stat -c %u /vol/0 /vol/5; touch /vol/new; stat -c %u /vol/new")
    assert r.out.split() == ["65534", "1005", "1005"], r
    assert os.stat(path + "/new").st_uid == 5


@needs("vm")
def test_idmap_without_a_user_namespace():
    b = Bundle()
    path = volume(b, "vol", "rbind", "ro", mappings=[(0, 3000, 1000)])
    r = b.sh("stat -c %u /vol/0 /vol/5; touch /vol/x; true")
    assert r.out.split() == ["3000", "3005"] and "ead-only" in r.err, r
    assert os.stat(path + "/5").st_uid == 5


@needs("vm")
def test_idmap_alone_or_with_what_is_below():
    # A tmpfs can be id-mapped since Linux 6.3.
    release = tuple(int(x) for x in os.uname().release.split("-")[0].split(".")[:2])
    for option, below in (("idmap", "65534"), ("ridmap", "5"))[:2 if release >= (6, 3) else 1]:
        b = MappedBundle()
        path = volume(b, "vol", "rbind", option)
        os.mkdir(path + "/sub")
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path + "/sub")
        try:
            with open(path + "/sub/f", "w") as f:
                f.write("x")
            os.chown(path + "/sub/f", 5, 5)
            b.save()
            b.process["args"] = ["stat", "-c", "%u", "/vol/5", "/vol/sub/f"]
            b.save()
            r = rt("run", "--bundle", b.path, b.id)
            assert r.out.split() == ["5", below], (option, r)
        finally:
            run("umount", path + "/sub")


def test_idmap_that_cannot_be():
    b = Bundle()
    volume(b, "vol", "bind", "idmap")
    b.fails("mounts: /vol: idmap without mappings")
    b = MappedBundle()
    volume(b, "vol", "bind", mappings=[(0, FIRST, 10)])
    del b.config["mounts"][-1]["gidMappings"]
    b.fails("mounts: invalid mount /vol: uidMappings and gidMappings go together only")
    b = MappedBundle()
    b.config["mounts"].append({"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["idmap"]})
    b.fails("mounts: invalid mount /mnt: id mappings are for bind mounts only")


def test_made_devices_and_links():
    """A link of the host is not the device, and a link of the image does not come upon where nodes are made."""
    os.symlink("null", "/dev/berth-link")
    try:
        b = MappedBundle("stat", "-c", "%t:%T", "/dev/berth-link")
        b.linux["devices"] = [{"path": "/dev/berth-link", "type": "c", "major": 1, "minor": 3}]
        assert b.run().out == "1:3\n"
    finally:
        os.unlink("/dev/berth-link")
    b = MappedBundle("stat", "-c", "%t:%T", "/data/made", "/made")
    os.makedirs(b.rootfs + "/opt")
    os.makedirs(b.rootfs + "/data")
    os.symlink("../data", b.rootfs + "/opt/dev")
    run("chown", "-hR", "%d:%d" % (FIRST, FIRST), b.rootfs)
    b.linux["devices"] = [{"path": "/opt/dev/made", "type": "c", "major": 1, "minor": 3}, {"path": "/dev/../made", "type": "c", "major": 1, "minor": 5}]
    assert b.run().out == "1:3\n1:5\n"
