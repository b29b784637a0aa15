# SPDX-License-Identifier: LGPL-2.1-or-later
"""podman with berth-runtime: what dockerd has not (bed: trixie-peers)."""
import json
import os
import re
import subprocess

import peers
from harness import bed, run, systemctl, timeout, wait_for
from peers import podman

peers_bed = bed("trixie-peers")
RANGES = "containers:200000:1000000\n"
DIRECT = peers.Client("podman", ("--runtime", peers.RUNTIME, "--cgroup-manager", "cgroupfs"))
BEFORE = peers.container_cgroups()
NO_LIMIT = () if peers.controllers() else ("--pids-limit", "0")
SHOW_MAPS = "cat /proc/self/uid_map /proc/self/gid_map; id -u"


def setup():
    for f in ("/etc/subuid", "/etc/subgid"):
        with open(f, "a+") as file:
            file.seek(0)
            if "containers:" not in file.read():
                file.write(RANGES)
    peers.prepare_podman()


def teardown():
    podman("pod", "rm", "-f", "-a", "-t", "0")
    podman.remove("-a")
    peers.no_payloads_left(BEFORE, "/run/berth/runtime")


def numbers(text):
    return [[int(n) for n in line.split()] for line in text.splitlines() if line.strip()]


@peers_bed
def test_info_names_the_runtime():
    info = json.loads(podman("info", "--format", "json").out)["host"]["ociRuntime"]
    assert info["name"] == peers.NAME and info["path"] == peers.RUNTIME and "version" in info["version"], info
    info = json.loads(DIRECT("info", "--format", "json").out)["host"]["ociRuntime"]
    assert info["path"] == peers.RUNTIME, info


@peers_bed
def test_errors_from_the_log_and_from_stderr():
    """With runtime_supports_json podman reads the log file, without it what the runtime printed."""
    for client in (podman, DIRECT):
        r = client.run(*NO_LIMIT, "busybox", "nosuch", check=127)
        assert r.err.count('exec: "nosuch": executable file not found in $PATH') == 1, r
        assert client.run(*NO_LIMIT, "busybox", "sh", "-c", "exit 9", check=9).err == ""


@peers_bed
def test_a_container_of_the_path_form_too():
    name = DIRECT.detached(*NO_LIMIT, "busybox", "sleep", "1000")
    assert DIRECT.exec(name, "id -u") == "0\n"
    DIRECT("stop", "-t", "0", name)
    assert DIRECT.state(name)["ExitCode"] == 137
    DIRECT.remove(name)


@peers_bed
def test_userns_auto():
    first = podman.detached("--userns", "auto:size=3000", "busybox", "sh", "-c", "touch /tmp/made; exec sleep 1000")
    second = podman.detached("--userns", "auto:size=2000", "busybox", "sleep", "1000")
    maps = [numbers(podman.exec(n, SHOW_MAPS)) for n in (first, second)]
    a, b = maps[0][0], maps[1][0]
    assert a[0] == b[0] == 0 and (a[2], b[2]) == (3000, 2000) and a[1] != b[1] and a[1] > 0 < b[1], maps
    assert maps[0] == [a, a, [0]], maps
    pid = podman.pid(first)
    assert os.stat("/proc/%d" % pid).st_uid == a[1] == os.stat("/proc/%d/root/tmp/made" % pid).st_uid
    assert podman("exec", "-u", "1000:50", first, "sh", "-c", "id -u; id -g; id -G; touch /tmp/x; stat -c %u:%g /tmp/x"
                  ).out == "1000\n50\n50\n1000:50\n"
    assert "not permitted" in podman("exec", first, "mknod", "/tmp/z", "c", "1", "3", check=1).err
    podman.remove(first, second)


@peers_bed
def test_userns_maps():
    out = podman.sh(SHOW_MAPS + "; touch /x; stat -c %u /x; ls -ln /etc/passwd | tr -s ' ' | cut -d' ' -f3; cat /proc/self/setgroups",
                    "--uidmap", "0:300000:500", "--uidmap", "1000:310000:100", "--gidmap", "0:300000:2000")
    assert numbers(out.replace("allow", "")) == [[0, 300000, 500], [1000, 310000, 100], [0, 300000, 2000], [0], [0], [0]], out
    out = podman.sh("ls -l /proc/self/ns/user; id -u; mount -t tmpfs x /www && echo mounted; hostname x && echo named; ls /dev/pts/ptmx",
                    "--uidmap", "0:300000:500", "--gidmap", "0:300000:500", "--privileged")
    assert "mounted\nnamed\n" in out, out
    out = podman.sh("id -u; cat /sys/class/net/lo/ifindex", "--uidmap", "0:300000:500", "--gidmap", "0:300000:500", "--network", "host")
    assert out == "0\n1\n", out
    out = podman.sh("id -u; ls -ld /data; touch /data/x; stat -c %u /data/x", "--uidmap", "0:300000:500", "--gidmap", "0:300000:500",
                    "--tmpfs", "/data")
    assert out.startswith("0\n") and out.endswith("\n0\n"), out


@peers_bed
def test_userns_with_namespaces_of_the_host():
    """No procfs of its own can be mounted there, but sysctls of its own network namespace are to be set."""
    out = podman.sh("id -u; cat /proc/1/comm /proc/sys/net/ipv4/ping_group_range", "--userns", "auto", "--ipc", "host", "--pid", "host",
                    "--sysctl", "net.ipv4.ping_group_range=0 7")
    assert out == "0\nsystemd\n0\t7\n", out


@peers_bed
def test_userns_keep_id_and_host():
    assert podman.sh("id -u; cat /proc/self/uid_map", "--userns", "keep-id").startswith("0\n")
    assert numbers(podman.sh("cat /proc/self/uid_map", "--userns", "host")) == numbers(open("/proc/self/uid_map").read())


@peers_bed
def test_userns_of_another_container():
    name = podman.detached("--userns", "auto:size=3000", "busybox", "sleep", "1000")
    want = podman.exec(name, SHOW_MAPS)
    of = "container:" + name
    assert podman.sh(SHOW_MAPS, "--userns", of) == want
    theirs = peers.own_namespaces(podman.pid(name))
    out = podman.sh("for n in user net pid ipc uts; do readlink /proc/self/ns/$n; done; id -u; cat /proc/1/comm", "--userns", of,
                    "--network", of, "--pid", of, "--ipc", of, "--uts", of)
    assert out == "".join(theirs[k] + "\n" for k in ("user", "net", "pid", "ipc", "uts")) + "0\nsleep\n", out
    podman.remove(name)


@peers_bed
def test_pod():
    podman("pod", "create", "--name", "pod1", "--hostname", "podhost", "--share", "net,ipc,uts,pid")
    podman("run", "-d", "--pod", "pod1", "--name", "pod1-a", "busybox", "sh", "-c", "nc -l -p 77 -e echo served; exec sleep 1000")
    a = peers.own_namespaces(podman.pid("pod1-a"))
    out = podman.sh("for n in pid ipc uts net mnt; do readlink /proc/self/ns/$n; done; hostname; ps | grep -c catatonit; ip link show eth0 | wc -l",
                    "--pod", "pod1")
    lines = out.split("\n")
    assert lines[:4] == [a[k] for k in ("pid", "ipc", "uts", "net")] and lines[4] != a["mnt"], (a, out)
    assert lines[5] == "podhost" and int(lines[6]) >= 1 and lines[7] == "2", out
    assert wait_for(lambda: podman("run", "--rm", "--pod", "pod1", "busybox", "nc", "127.0.0.1", "77", check=None).out) == "served\n"
    podman("pod", "pause", "pod1")
    assert podman.state("pod1-a")["Status"] == "paused"
    podman("pod", "unpause", "pod1")
    podman("pod", "stop", "-t", "0", "pod1")
    assert podman.state("pod1-a")["Status"] == "exited"
    podman("pod", "start", "pod1")
    assert podman.exec("pod1-a", "hostname") == "podhost\n"
    podman("pod", "rm", "-f", "-t", "0", "pod1")


def booted(name):
    """systemd in the container says that it is up; it must not be degraded."""
    def state():
        return podman("exec", name, "systemctl", "is-system-running", check=None).out.strip()
    wait_for(lambda: state() in ("running", "degraded"), timeout=30, what="boot")
    assert state() == "running", podman("exec", name, "systemctl", "--failed", "--no-pager").out


@timeout(150)
@peers_bed
def test_systemd_as_payload():
    peers.make_system_image()
    name = podman.detached("--systemd=always", "--hostname", "sysbox", "system", "/lib/systemd/systemd")
    booted(name)
    out = podman("exec", name, "sh", "-c", "cat /proc/1/comm; systemctl show -P ActiveState multi-user.target; hostname; "
                 "systemctl show -P ControlGroup dbus.service; systemd-run --wait -P --quiet sh -c 'echo unit $(cut -d: -f3 /proc/self/cgroup "
                 "| tail -1)'").out.split("\n")
    assert out[:3] == ["systemd", "active", "sysbox"] and out[3].startswith("/system.slice/dbus"), out
    assert re.match(r"unit /system.slice/run-\S+\.service$", out[4]), out
    # Processes of a unit are in cgroups below the container's: pause, top and stop reach them too.
    assert "dbus-daemon" in podman("top", name, "comm").out
    pid = int(podman("exec", name, "systemctl", "show", "-P", "MainPID", "dbus.service").out)
    podman("pause", name)
    state = run("sh", "-c", "cat /sys/fs/cgroup/libpod_parent/libpod-%s/cgroup.events" % podman.inspect(name)["Id"]).out
    assert "frozen 1" in state and pid > 1, state
    podman("unpause", name)
    booted(name)
    r = podman("stop", "-t", "20", name)
    assert podman.state(name)["ExitCode"] in (0, 130) and r.seconds < 15, (podman.state(name), r.seconds)
    podman("start", name)
    booted(name)
    podman.remove(name)


@timeout(150)
@peers_bed
def test_systemd_as_payload_in_a_user_namespace():
    peers.make_system_image()
    name = podman.detached("--systemd=always", "--userns", "auto:size=65536", "system", "/lib/systemd/systemd")
    booted(name)
    assert int(podman.exec(name, "cat /proc/self/uid_map").split()[1]) > 0
    podman("stop", "-t", "20", name)
    assert podman.state(name)["ExitCode"] in (0, 130), podman.state(name)
    podman.remove(name)


@peers_bed
def test_preserve_fds():
    r, w = os.pipe()
    os.set_inheritable(r, True)
    os.write(w, b"through\n")
    os.close(w)
    os.dup2(r, 3)
    out = subprocess.run(podman.command("run", "--rm", "--preserve-fds", "1", "busybox", "sh", "-c", "cat <&3; ls /proc/self/fd | wc -l"),
                         pass_fds=(3,), env=dict(os.environ, **podman.env), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=30).stdout
    assert out == b"through\n5\n", out
    os.close(3)


@peers_bed
def test_mount_types_of_podman():
    """Image mounts, overlay volumes, U and idmap options, tmpfs that copies up, devpts with the host's, glob mounts."""
    src = "/var/tmp/peers-src"
    os.makedirs(src, exist_ok=True)
    with open(src + "/f", "w") as f:
        f.write("x\n")
    out = podman.sh("cat /o/f; echo y >/o/f; ls /img/bin/busybox; ls -d /tc/bin; cat /o/f", "-v", src + ":/o:O", "--mount",
                    "type=image,src=busybox,dst=/img", "--mount", "type=tmpfs,dst=/etc,notmpcopyup", "--mount", "type=tmpfs,dst=/tc")
    assert "x\n" in out and "y\n" in out and "/img/bin/busybox" in out, out
    assert open(src + "/f").read() == "x\n"
    assert podman.sh("cat /etc/group | head -1; touch /etc/new && echo ok", "--tmpfs", "/etc:rw,tmpcopyup") == "root:x:0:\nok\n"
    assert podman.sh("stat -c %a /data", "--mount", "type=tmpfs,dst=/data,tmpfs-mode=700,U") == "700\n"
    r = podman.run("--read-only", "--read-only-tmpfs=false", "-t", "busybox", "sh", "-c", "tty; touch /dev/x /tmp/x; echo >/dev/null")
    assert r.out.startswith("/dev/pts/0\r\n") and r.out.count("Read-only file system") == 2, r


@peers_bed
def test_secrets_hosts_and_annotations():
    podman("secret", "create", "sec1", "-", input="hush")
    assert podman.sh("cat /run/secrets/sec1; grep -c other /etc/hosts; cat /etc/resolv.conf | grep 9.9.9.9", "--secret", "sec1",
                     "--add-host", "other:10.0.0.9", "--dns", "9.9.9.9", "--annotation", "org.example=1") == "hush1\nnameserver 9.9.9.9\n"
    podman("secret", "rm", "sec1")


@peers_bed
def test_hooks_dir():
    """podman writes OCI hooks from JSON files into config.json."""
    d = "/var/tmp/peers-hooks"
    os.makedirs(d, exist_ok=True)
    log = d + "/log"
    for stage in ("createRuntime", "createContainer", "poststart", "poststop"):
        with open("%s/%s.json" % (d, stage), "w") as f:
            json.dump({"version": "1.0.0", "when": {"always": True}, "stages": [stage], "hook": {"path": "/bin/sh", "args": [
                "sh", "-c", "s=$(cat); echo %s $(echo $s | grep -o '\"status\": *\"[a-z]*\"' | cut -d'\"' -f4) >>%s" % (stage, log)]}}, f)
    podman("--hooks-dir", d, "run", "--rm", "busybox", "true")
    with open(log) as f:
        lines = f.read().splitlines()
    os.unlink(log)
    assert lines[:2] == ["createRuntime created", "createContainer created"] and lines[-1] == "poststop stopped", lines
    assert [l.split()[0] for l in lines] == ["createRuntime", "createContainer", "poststart", "poststop"], lines


@peers_bed
def test_cgroupfs_manager():
    name = podman.detached("--cgroup-parent", "/peers-parent", "busybox", "sleep", "1000")
    path = open("/proc/%d/cgroup" % podman.pid(name)).read().strip().rpartition("::")[2]
    assert path == "/peers-parent/libpod-" + podman.inspect(name)["Id"], path
    podman.remove(name)
    assert not os.path.exists("/sys/fs/cgroup" + path)


def scope_of(name):
    path = open("/proc/%d/cgroup" % podman.pid(name)).read().strip().rpartition("::")[2]
    return path, [p for p in path.split("/") if p.endswith(".scope")][0]


@peers_bed
def test_systemd_manager():
    client = peers.Client("podman", ("--runtime", peers.NAME, "--cgroup-manager", "systemd"), podman.env)
    name = client.detached("busybox", "sleep", "1000")
    path, scope = scope_of(name)
    assert path.startswith("/machine.slice/libpod-" + client.inspect(name)["Id"]), path
    assert systemctl("show", "-P", "ActiveState", scope).out == "active\n"
    systemctl("daemon-reload")
    assert client.exec(name, "cat /proc/self/cgroup | grep -c ^0::/; head -c 1 /dev/urandom | wc -c") == "1\n1\n"
    client("pause", name)
    assert client.state(name)["Status"] == "paused"
    client("unpause", name)
    client("stop", "-t", "0", name)
    wait_for(lambda: systemctl("show", "-P", "ActiveState", scope).out == "inactive\n")
    client("start", name)
    client.remove(name)
    wait_for(lambda: not os.path.exists("/sys/fs/cgroup" + path))
    assert client.sh("echo $$") == "1\n"


@peers_bed
def test_unit_of_its_own():
    """What Quadlet writes: --cgroups=split puts the payload below the unit that runs podman; readiness by the payload."""
    peers.make_system_image()
    unit = "peers-split.service"
    run("systemd-run", "--quiet", "--collect", "--unit", unit, "-p", "Type=notify", "-p", "NotifyAccess=all", "-p", "Delegate=yes", "-p",
        "Environment=CONTAINERS_CONF_OVERRIDE=" + peers.CONTAINERS_CONF, "-p", "ExecStop=podman --runtime %s rm -f -i -t 5 peers-split"
        % peers.NAME, *podman.command("run", "-d", "--rm", "--name", "peers-split", "--cgroups", "split", "--sdnotify", "container",
                                      "--network", "none", "system", "sh", "-c",
                                      "trap 'exit 0' TERM; systemd-notify --ready --status=by-the-payload; " + peers.LOOP), timeout=60)
    assert systemctl("show", "-P", "StatusText", unit).out == "by-the-payload\n"
    path = open("/proc/%d/cgroup" % podman.pid("peers-split")).read().strip().rpartition("::")[2]
    assert path == "/system.slice/%s/libpod-payload-%s" % (unit, podman.inspect("peers-split")["Id"]), path
    assert podman.exec("peers-split", "tail -1 /proc/self/cgroup") == "0::/\n"
    systemctl("stop", unit)
    wait_for(lambda: podman("container", "exists", "peers-split", check=None).code == 1)
    assert not os.path.exists("/sys/fs/cgroup" + path)


class RootlessClient(peers.Client):
    """podman of an ordinary user. Overlay takes rights that the bed has not to give."""

    def __init__(self, user, uid, home):
        super().__init__("podman", ("--runtime", peers.NAME, "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"))
        self.prefix = ("setpriv", "--reuid", str(uid), "--regid", str(uid), "--init-groups", "env", "-i", "HOME=" + home,
                       "PATH=/usr/bin:/bin:/usr/sbin", "XDG_RUNTIME_DIR=/run/user/%d" % uid, "CONTAINERS_CONF_OVERRIDE=" + peers.CONTAINERS_CONF)

    def __call__(self, *args, **kw):
        kw.setdefault("timeout", 60)
        return run(*self.prefix, *self.command(*args), cwd="/", **kw)


@timeout(120)
@peers_bed
def test_rootless_podman():
    """podman starts us as root of a user namespace of its own, from which nobody returns to the host's namespaces."""
    home, uid = "/var/lib/podmanuser", 7777
    if run("id", "podmanuser", check=None).code != 0:
        run("useradd", "-u", uid, "-d", home, "-m", "podmanuser")
    for f in ("/etc/subuid", "/etc/subgid"):
        with open(f) as file:
            text = [l for l in file if not l.startswith("podmanuser:")]
        with open(f, "w") as file:
            file.writelines(text + ["podmanuser:2000000:65536\n"])
    run("loginctl", "enable-linger", "podmanuser")
    wait_for(lambda: os.path.isdir("/run/user/%d" % uid))
    client = RootlessClient("podmanuser", uid, home)
    os.chmod(peers.ARCHIVE, 0o644)
    client("load", "-q", "-i", peers.ARCHIVE)
    out = client.sh("id -u; cat /proc/self/uid_map; touch /x; stat -c %u /x; ls /sys/class/net; hostname; echo x >/dev/null",
                    "--network", "none", "--hostname", "mine")
    assert numbers(out.rpartition("lo\n")[0]) == [[0], [0, uid, 1], [1, 2000000, 65536], [0]] and out.endswith("lo\nmine\n"), out
    assert client.sh("id -u; id -G", "--network", "none", "--userns", "keep-id") == "%d\n%d\n" % (uid, uid)
    assert client.sh("id -u; id -G", "--network", "none", "-u", "1000:50", "--group-add", "33") == "1000\n50 33\n"
    assert "ok\n" in client.sh("mount -t tmpfs x /www && echo ok; test -c /dev/full && echo >/dev/null", "--network", "none", "--privileged")
    assert client.sh("id -u; cat /sys/class/net/lo/ifindex", "--network", "host") == "0\n1\n"
    client.run("--network", "none", "busybox", "nosuch", check=127)
    name = client.detached("--network", "none", "busybox", "sh", "-c", "trap 'exit 3' TERM; " + peers.LOOP)
    assert client("exec", "-u", "1000", name, "sh", "-c", "id -u; exit 4", check=4).out == "1000\n"
    other = client.sh("readlink /proc/self/ns/net; cat /proc/1/comm", "--network", "container:" + name, "--pid", "container:" + name)
    assert other == os.readlink("/proc/%d/ns/net" % client.pid(name)) + "\nsh\n", other
    with peers.Pty(*client.prefix, *client.command("exec", "-it", name, "sh")) as p:
        p.expect("# ")
        p.send("tty; exit 6\n")
        p.expect("/dev/pts/0")
        assert p.wait() == 6, p.output
    client("stop", name)
    assert client.state(name)["ExitCode"] == 3
    client.remove("-a")
    run("loginctl", "disable-linger", "podmanuser")
