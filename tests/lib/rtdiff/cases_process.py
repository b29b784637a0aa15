# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who the process is and what it gets."""
import itertools

from .case import (Case, bad, bind, caps, device, drop, file, folder, hook, link, mount, namespaces, put, rule, seccomp, user,
                   user_ns, without_ns)

BIG = 2 ** 64 - 1
Case("base/plain")

# --- namespaces ------------------------------------------------------------------------------------------
Case("namespaces/all")
for n in range(5):
    for kinds in itertools.combinations(("pid", "network", "ipc", "uts", "cgroup"), n):
        changes = [namespaces("mount", *kinds)]
        if "uts" not in kinds:
            changes.append(drop("hostname"))
        Case("namespaces/mount " + " ".join(kinds), *changes)
Case("namespaces/time", namespaces("mount", "pid", "uts", "time"))
Case("namespaces/time offsets", namespaces("mount", "pid", "uts", "ipc", "time"),
     put("linux.timeOffsets", {"monotonic": {"secs": 7200, "nanosecs": 5}, "boottime": {"secs": 86400}}))
bad("namespaces/time offsets of an unknown clock", "timeOffsets", namespaces("mount", "uts", "time"),
    put("linux.timeOffsets", {"realtime": {"secs": 1}}))
bad("namespaces/time offsets without the namespace", "timeOffsets",
    put("linux.timeOffsets", {"monotonic": {"secs": 1}}))
Case("namespaces/empty path", namespaces("mount", "uts", {"type": "pid", "path": ""}))
Case("namespaces/join own", namespaces("mount", "pid", "uts", {"type": "network", "path": "/proc/1/ns/net"},
                                       {"type": "ipc", "path": "/proc/self/ns/ipc"}))
Case("namespaces/join uts", namespaces("mount", "pid", {"type": "uts", "path": "/proc/1/ns/uts"}), drop("hostname"))
bad("namespaces/join a missing file", "/nowhere/net", namespaces("mount", "uts", {"type": "network", "path": "/nowhere/net"}))
bad("namespaces/join the wrong kind", "network", namespaces("mount", "uts", {"type": "network", "path": "/proc/1/ns/ipc"}))
bad("namespaces/join a relative path", "absolute", namespaces("mount", "uts", {"type": "network", "path": "proc/1/ns/net"}))
bad("namespaces/join what is no namespace", "network", namespaces("mount", "uts", {"type": "network", "path": "/etc/passwd"}))
bad("namespaces/unknown type", "what", namespaces("mount", "uts", "what"))
bad("namespaces/given twice", "twice", namespaces("mount", "uts", "pid", "pid"))
bad("namespaces/type missing", "namespaces", namespaces("mount", "uts", {"path": ""}))

# --- user namespaces -------------------------------------------------------------------------------------
Case("userns/root mapped", user_ns())
Case("userns/identity", user_ns(0, 0))
Case("userns/other user", user_ns(), user(1000, 1001, additionalGids=[5, 7]))
Case("userns/one id", user_ns(size=1), put("mounts.2.options", ["nosuid", "noexec", "newinstance", "ptmxmode=0666"]))
Case("userns/several ranges", user_ns(), put("linux.uidMappings", [
    {"containerID": 0, "hostID": 100000, "size": 1000}, {"containerID": 1000, "hostID": 300000, "size": 10}]), user(1003, 4))
Case("userns/without network", user_ns(), without_ns("network"))
Case("userns/without pid", user_ns(), without_ns("pid"))
Case("userns/without ipc", user_ns(), without_ns("ipc"))
Case("userns/without cgroup", user_ns(), without_ns("cgroup"))
Case("userns/bind mounts", user_ns(), folder("host"), file("host/f", "text"), bind("/mnt", "@BUNDLE@/host"),
     bind("/etc/f", "@BUNDLE@/host/f", "ro"), sh="cat /mnt/f /etc/f; stat -c %u:%g /mnt/f /")
Case("userns/tmpfs", user_ns(), mount("/mnt", options=["mode=755", "uid=5", "gid=6", "size=1m"]),
     sh="stat -c '%u:%g %a' /mnt")
Case("userns/read-only root", user_ns(), put("root.readonly", True))
Case("userns/capabilities", user_ns(), caps(bounding=["NET_ADMIN", "SYS_ADMIN"], effective=["NET_ADMIN"], permitted=["NET_ADMIN"]))
Case("userns/device", user_ns(), device("/dev/mine", "c", 1, 5))
Case("userns/sysctl", user_ns(), put("linux.sysctl", {"net.ipv4.ip_forward": "1"}), sh="cat /proc/sys/net/ipv4/ip_forward")
Case("userns/root without a mapping", user_ns(inside=1000, outside=100000, size=10), user(1000))
bad("userns/user outside the mapping", "process.user", user_ns(size=10), user(20),
    put("mounts.2.options", ["newinstance"]))
Case("userns/no mappings", user_ns(0, 0), drop("linux.uidMappings"), drop("linux.gidMappings"))
Case("userns/no mappings for a user", user_ns(0, 0), user(5, 6), drop("linux.uidMappings"), drop("linux.gidMappings"))
bad("userns/mappings of users only", "gidMappings", user_ns(0, 0), drop("linux.gidMappings"))
bad("userns/overlapping mappings", "map", user_ns(), put("linux.uidMappings", [
    {"containerID": 0, "hostID": 100000, "size": 1000}, {"containerID": 10, "hostID": 300000, "size": 10}]))
bad("userns/mapping of size 0", "size", user_ns(size=0))
Case("userns/mappings without the namespace",
     put("linux.uidMappings", [{"containerID": 0, "hostID": 0, "size": 1}]))

# --- users -----------------------------------------------------------------------------------------------
Case("users/plain", user(1000))
Case("users/uid only", user(1000, 0))
Case("users/gid only", user(0, 1000))
Case("users/additional groups", user(1000, 1001, additionalGids=[5, 7, 1001, 7]))
Case("users/root with groups", user(0, 0, additionalGids=[0, 10]))
Case("users/empty groups", user(7, 8, additionalGids=[]))
Case("users/unknown id", user(54321))
Case("users/largest id", user(4294967294))
Case("users/no user", drop("process.user"))
Case("users/empty user", put("process.user", {}))
Case("users/umask", user(1000, umask=0o77), sh="touch /tmp/f; umask", *[folder("/tmp", 0o777)])
Case("users/umask of zero", user(0, umask=0), sh="umask; mkdir /tmp/d; stat -c %a /tmp/d")
Case("users/username is ignored", user(1000, username="nobody"))
Case("users/home from passwd", user(1000), sh="echo $HOME")
Case("users/home of an unknown user", user(54321), sh="echo $HOME")
Case("users/home without passwd", user(1000), file("/etc/passwd", ""), sh="echo $HOME")
Case("users/home is kept", user(1000), put("process.env", ["HOME=/elsewhere", "PATH=/bin"]))
Case("users/empty home is kept", put("process.env", ["HOME=", "PATH=/bin"]))
Case("users/stdio owner", user(1000), sh="stat -L -c '%F %u' /proc/self/fd/1; echo x >/proc/self/fd/1")
bad("users/negative", "uid", user(-1, 0))
bad("users/too large", "uid", user(2 ** 32, 0))
bad("users/gid is text", "gid", put("process.user", {"uid": 0, "gid": "wheel"}))
bad("users/negative group", "additionalGids", user(0, 0, additionalGids=[-5]))
bad("users/umask too large", "umask", user(0, 0, umask=0o1777777))

# --- capabilities ----------------------------------------------------------------------------------------
Case("capabilities/none", caps())
Case("capabilities/absent", drop("process.capabilities"))
Case("capabilities/absent for a user", drop("process.capabilities"), user(1000))
Case("capabilities/one", caps(bounding=["CHOWN"], effective=["CHOWN"], permitted=["CHOWN"]))
Case("capabilities/inheritable", caps(bounding=["CHOWN", "KILL"], effective=["CHOWN"], permitted=["CHOWN"], inheritable=["CHOWN"]))
Case("capabilities/ambient", user(1000), caps(**{k: ["NET_RAW", "CHOWN"] for k in (
    "bounding", "effective", "permitted", "inheritable", "ambient")}))
Case("capabilities/ambient without inheritable", user(1000), caps(bounding=["KILL"], permitted=["KILL"], effective=["KILL"],
                                                                  ambient=["KILL"]))
Case("capabilities/user with permitted", user(1000), caps(bounding=["KILL"], permitted=["KILL"], effective=["KILL"]))
Case("capabilities/user without effective", user(1000), caps(bounding=["KILL", "CHOWN"]))
Case("capabilities/permitted only", caps(bounding=["KILL", "CHOWN"], permitted=["KILL"]))
Case("capabilities/effective beyond permitted", caps(bounding=["KILL", "CHOWN"], permitted=["KILL"], effective=["KILL", "CHOWN"]))
Case("capabilities/permitted beyond bounding", caps(bounding=["KILL"], permitted=["KILL", "CHOWN"], effective=["KILL", "CHOWN"]))
Case("capabilities/bounding only", caps(bounding=["SYS_ADMIN", "NET_ADMIN"]))
Case("capabilities/not held by the host", caps(**{k: ["SYS_RESOURCE", "KILL"] for k in ("bounding", "effective", "permitted")}))
Case("capabilities/no new privileges", user(1000), caps(bounding=["KILL"], permitted=["KILL"], effective=["KILL"]),
     put("process.noNewPrivileges", True))
Case("capabilities/unknown name", caps(bounding=["KILL", "FLY"], permitted=["KILL", "FLY"], effective=["KILL"]))
Case("capabilities/lower case", put("process.capabilities", {"bounding": ["cap_kill"], "permitted": ["cap_kill"]}))
bad("capabilities/old list form", "capabilities", put("process.capabilities", ["CAP_KILL"]))
bad("capabilities/set is text", "bounding", put("process.capabilities", {"bounding": "CAP_KILL"}))

# --- resource limits -------------------------------------------------------------------------------------


def limits(*items):
    return put("process.rlimits", [{"type": "RLIMIT_" + t, "soft": s, "hard": h} for t, s, h in items])


Case("rlimits/files", limits(("NOFILE", 512, 1024)))
Case("rlimits/several", limits(("NOFILE", 64, 64), ("CORE", 0, 0), ("STACK", 1 << 20, 1 << 22), ("NPROC", 100, 100),
                               ("CPU", 50, 60), ("FSIZE", 1 << 20, 1 << 21), ("SIGPENDING", 10, 20)))
Case("rlimits/all other kinds", limits(("AS", 1 << 32, 1 << 33), ("DATA", 1 << 30, 1 << 31), ("LOCKS", 4, 4), ("RSS", 1 << 30, 1 << 30),
                                       ("RTTIME", 1000000, 2000000), ("MSGQUEUE", 1000, 2000)))
Case("rlimits/priorities", limits(("NICE", 0, 0), ("RTPRIO", 0, 0)))
Case("rlimits/unlimited", limits(("CPU", BIG, BIG), ("DATA", 5, BIG)), args=["true"])
Case("rlimits/unlimited seen", limits(("CPU", BIG, BIG)))
Case("rlimits/soft only lowered", limits(("CORE", 0, BIG)))
bad("rlimits/given twice", "RLIMIT_CORE", limits(("CORE", 0, 0), ("CORE", 0, 0)))
bad("rlimits/unknown", "RLIMIT_FLY", limits(("FLY", 1, 1)))
bad("rlimits/soft above hard", "RLIMIT_NOFILE", limits(("NOFILE", 1024, 512)))
bad("rlimits/lower case", "nofile", put("process.rlimits", [{"type": "nofile", "soft": 1, "hard": 1}]))
bad("rlimits/text", "rlimits", put("process.rlimits", [{"type": "RLIMIT_NOFILE", "soft": "1", "hard": "1"}]))
bad("rlimits/type missing", "rlimits", put("process.rlimits", [{"soft": 1, "hard": 1}]))
Case("rlimits/empty list", put("process.rlimits", []))

# --- what is started -------------------------------------------------------------------------------------
for code in (0, 1, 7, 127, 255):
    Case("program/exit %d" % code, args=["sh", "-c", "echo out; echo err >&2; exit %d" % code])
for sig in ("TERM", "KILL", "SEGV", "HUP", "USR1"):
    Case("program/dies of SIG" + sig, args=["sh", "-c", "exec sh -c 'kill -%s $$; sleep 3'" % sig], *[without_ns("pid")])
Case("program/stdin", stdin=b"some\ntext\n", args=["cat"])
Case("program/absolute", args=["/bin/echo", "a b", "", "c"])
Case("program/relative with a slash", args=["bin/echo", "x"])
Case("program/relative to cwd", put("process.cwd", "/bin"), args=["./echo", "x"])
Case("program/search in PATH", put("process.env", ["PATH=/nowhere:/etc:/bin"]), args=["echo", "x"])
Case("program/no PATH", put("process.env", []), args=["busybox", "echo", "x"])
Case("program/script", file("/run.sh", "#!/bin/sh\necho script $0 $1\n", 0o755), args=["/run.sh", "a"])
Case("program/through a link", link("/go", "bin/echo"), args=["/go", "x"])
bad("program/not found", r'exec: "nosuch": executable file not found in \$PATH', args=["nosuch"])
bad("program/not found by path", 'exec: "/nosuch": stat /nosuch: no such file or directory', args=["/nosuch"])
bad("program/not executable", 'exec: "/etc/passwd": permission denied', args=["/etc/passwd"])
bad("program/directory", 'exec: "/etc": is a directory', args=["/etc"])
bad("program/broken link", "/go", link("/go", "nowhere"), args=["/go"])
bad("program/loop of links", "/go", link("/go", "go"), args=["/go"])
bad("program/no format", "exec format error", file("/x", "text\n", 0o755), args=["/x"])
bad("program/empty file", "exec format error", file("/x", "", 0o755), args=["/x"])
bad("program/no interpreter", "no such file", file("/x", "#!/nowhere/sh\n", 0o755), args=["/x"])
bad("program/not for this user", "permission denied", file("/x", "#!/bin/sh\n", 0o700), user(1000), caps(), args=["/x"])
Case("program/not for this user, but for its capabilities", file("/x", "#!/bin/sh\n", 0o700), user(1000), args=["/x"])
bad("program/on noexec", "permission denied", mount("/t", options=["noexec"]), args=["/t/x"],
    *[bind("/t/x", "@BUNDLE@/rootfs/bin/busybox", "noexec")])
bad("program/empty name", "exec", args=[""])
bad("program/no arguments", "process.args", put("process.args", []), args=None)
Case("program/name too long", args=["x" * 300])
Case("program/many arguments", args=["sh", "-c", "echo $#", *["a"] * 5000])

# --- environment and directory ---------------------------------------------------------------------------
Case("environment/order is kept", put("process.env", ["B=1", "PATH=/bin", "A=2", "HOME=/h"]))
Case("environment/given twice", put("process.env", ["A=1", "PATH=/bin", "A=2"]))
Case("environment/values", put("process.env", ["PATH=/bin", "E=", "S=a b\tc", "N=1\n2", "U=\u00e4\u20ac", "X==y="]))
Case("environment/without equals sign", put("process.env", ["PATH=/bin", "NOVALUE"]))
Case("environment/absent", drop("process.env"), args=["/bin/busybox", "sh", "/probe"])
Case("environment/null", put("process.env", None))
Case("environment/large", put("process.env", ["PATH=/bin", "L=" + "x" * 100000]), args=["sh", "-c", "echo ${#L}"])
bad("environment/numbers", "env", put("process.env", [1, 2]))
Case("cwd/exists", put("process.cwd", "/home/user"))
Case("cwd/is made", put("process.cwd", "/a/b/c"))
Case("cwd/is made for a user", put("process.cwd", "/a/b"), user(1000))
Case("cwd/link", link("/l", "home/user"), put("process.cwd", "/l"))
Case("cwd/link out", link("/l", "../../../home"), put("process.cwd", "/l"))
Case("cwd/with dots", put("process.cwd", "/home/../etc/./"))
Case("cwd/in a mount", mount("/t"), put("process.cwd", "/t"))
Case("cwd/made in a mount", mount("/t"), put("process.cwd", "/t/new"), sh="stat -c '%a %u' /t/new")
Case("cwd/made below a link", link("/l", "/home"), put("process.cwd", "/l/new"))
Case("cwd/missing on a read-only root", put("process.cwd", "/a/b"), put("root.readonly", True))
bad("cwd/file", "/etc/passwd", put("process.cwd", "/etc/passwd"))
Case("cwd/not for this user", folder("/private", 0o700), put("process.cwd", "/private"), user(1000))
Case("cwd/not for root without rights", folder("/private", 0o700), put("process.cwd", "/private"), caps())
bad("cwd/relative", "process.cwd", put("process.cwd", "home"))
bad("cwd/empty", "process.cwd", put("process.cwd", ""))
bad("cwd/absent", "process.cwd", drop("process.cwd"))
bad("cwd/through a descriptor", "outside|/proc/self/fd", put("process.cwd", "/proc/self/fd/7"))

# --- attributes of the process ---------------------------------------------------------------------------
Case("attributes/no new privileges", put("process.noNewPrivileges", True))
Case("attributes/oom score", put("process.oomScoreAdj", 500))
Case("attributes/oom score of zero", put("process.oomScoreAdj", 0))
Case("attributes/oom score below the host's", put("process.oomScoreAdj", -500))
bad("attributes/oom score too large", "oomScoreAdj", put("process.oomScoreAdj", 1001))
bad("attributes/oom score is text", "oomScoreAdj", put("process.oomScoreAdj", "7"))
for policy in ("OTHER", "BATCH", "IDLE"):
    Case("attributes/scheduler " + policy, put("process.scheduler", {"policy": "SCHED_" + policy}))
Case("attributes/scheduler nice", put("process.scheduler", {"policy": "SCHED_BATCH", "nice": 7}))
Case("attributes/scheduler FIFO", put("process.scheduler", {"policy": "SCHED_FIFO", "priority": 3}))
Case("attributes/scheduler reset on fork", put("process.scheduler", {
    "policy": "SCHED_BATCH", "nice": 3, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}))
bad("attributes/scheduler unknown", "SCHED_FLY", put("process.scheduler", {"policy": "SCHED_FLY"}))
bad("attributes/scheduler without policy", "scheduler", put("process.scheduler", {"nice": 3}))
for io in ("BE", "IDLE", "RT"):
    Case("attributes/io priority " + io, put("process.ioPriority", {"class": "IOPRIO_CLASS_" + io, "priority": 3}))
bad("attributes/io priority unknown", "IOPRIO_CLASS_FLY", put("process.ioPriority", {"class": "IOPRIO_CLASS_FLY", "priority": 3}))
Case("attributes/personality 32", put("linux.personality", {"domain": "LINUX32"}), sh="uname -m")
Case("attributes/personality 64", put("linux.personality", {"domain": "LINUX"}))
bad("attributes/personality unknown", "PDP11", put("linux.personality", {"domain": "PDP11"}))
bad("attributes/personality flags", "flags", put("linux.personality", {"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}))
Case("attributes/cpu affinity", put("process.execCPUAffinity", {"initial": "0", "final": "0-1"}))
Case("attributes/hostname", put("hostname", "a-name.of.some"))
Case("attributes/no hostname", drop("hostname"))
Case("attributes/empty hostname", put("hostname", ""))
Case("attributes/domainname", put("domainname", "example.org"))
bad("attributes/long hostname", "hostname", put("hostname", "x" * 65))
bad("attributes/hostname without uts", "hostname", without_ns("uts"))
bad("attributes/domainname without uts", "uts", without_ns("uts"), drop("hostname"), put("domainname", "x"))
Case("attributes/annotations", put("annotations", {"org.example.a": "b"}))

# --- sysctl ----------------------------------------------------------------------------------------------
READ = "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax /proc/sys/fs/mqueue/msg_max 2>&1"
Case("sysctl/network", put("linux.sysctl", {"net.ipv4.ip_forward": "1", "net.core.somaxconn": "99"}), sh=READ)
Case("sysctl/slashes", put("linux.sysctl", {"net/ipv4/ip_forward": "1"}), sh=READ)
Case("sysctl/dots in a name", put("linux.sysctl", {"net.ipv4.conf.lo/0.forwarding": "1"}), sh=READ)
Case("sysctl/ipc", put("linux.sysctl", {"kernel.shmmax": "5000000", "kernel.msgmax": "9000", "kernel.sem": "1 2 3 4"}),
     sh=READ + "; cat /proc/sys/kernel/sem")
Case("sysctl/message queues", put("linux.sysctl", {"fs.mqueue.msg_max": "20"}), sh=READ)
Case("sysctl/domainname", put("linux.sysctl", {"kernel.domainname": "example.org"}), sh=READ)
Case("sysctl/hostname", put("linux.sysctl", {"kernel.hostname": "other"}), drop("hostname"))
Case("sysctl/empty", put("linux.sysctl", {}), sh=READ)
bad("sysctl/host wide", "vm.swappiness", put("linux.sysctl", {"vm.swappiness": "3"}))
bad("sysctl/kernel wide", "kernel.pid_max", put("linux.sysctl", {"kernel.pid_max": "3000"}))
bad("sysctl/network of the host", "net.ipv4.ip_forward", without_ns("network"), put("linux.sysctl", {"net.ipv4.ip_forward": "1"}))
bad("sysctl/ipc of the host", "kernel.shmmax", without_ns("ipc"), put("linux.sysctl", {"kernel.shmmax": "1"}))
bad("sysctl/unknown", "net.nosuch", put("linux.sysctl", {"net.nosuch": "1"}))
bad("sysctl/bad value", "net.ipv4.ip_forward", put("linux.sysctl", {"net.ipv4.ip_forward": "maybe"}))
bad("sysctl/number", "net.ipv4.ip_forward", put("linux.sysctl", {"net.ipv4.ip_forward": 1}))
bad("sysctl/way out", "sysctl", put("linux.sysctl", {"net.ipv4/../../kernel/pid_max": "3000"}))

# --- system call filter ----------------------------------------------------------------------------------
MKDIR = "mkdir /tmp/d; echo $?; ls /tmp"
ARCH = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
Case("seccomp/allow all", seccomp("ALLOW"))
Case("seccomp/errno", seccomp("ALLOW", rule("ERRNO", "mkdir", "mkdirat")), sh=MKDIR)
Case("seccomp/errno with a number", seccomp("ALLOW", rule("ERRNO", "mkdir", "mkdirat", errnoRet=28)), sh=MKDIR)
Case("seccomp/errno of zero", seccomp("ALLOW", rule("ERRNO", "mkdir", "mkdirat", errnoRet=0)), sh=MKDIR)
Case("seccomp/architectures", seccomp("ALLOW", rule("ERRNO", "mkdir"), architectures=ARCH), sh=MKDIR)
Case("seccomp/for a user", seccomp("ALLOW", rule("ERRNO", "mkdir")), user(1000), sh=MKDIR)
Case("seccomp/no new privileges", seccomp("ALLOW", rule("ERRNO", "mkdir")), put("process.noNewPrivileges", True), sh=MKDIR)
Case("seccomp/no privileges at all", seccomp("ALLOW", rule("ERRNO", "mkdir")), put("process.noNewPrivileges", True), caps(), user(9),
     sh=MKDIR)
for action in ("KILL", "KILL_PROCESS", "KILL_THREAD", "TRAP", "LOG"):
    Case("seccomp/" + action, seccomp("ALLOW", rule(action, "mkdir", "mkdirat")), sh="mkdir /tmp/d; echo $?")
Case("seccomp/TRACE", seccomp("ALLOW", rule("TRACE", "mkdir", "mkdirat", errnoRet=5)), sh=MKDIR)
for op, value in (("EQ", 0o40755), ("NE", 0o777), ("LT", 0o1000), ("LE", 0o777), ("GE", 0o777), ("GT", 0o776), ("EQ", 0o777)):
    Case("seccomp/%s %o" % (op, value), seccomp("ALLOW", rule("ERRNO", "mkdir", args=[(1, op, value)])), sh=MKDIR)
Case("seccomp/MASKED_EQ", seccomp("ALLOW", rule("ERRNO", "mkdir", args=[(1, "MASKED_EQ", 0o700, 0o700)])), sh=MKDIR)
Case("seccomp/both arguments", seccomp("ALLOW", rule("ERRNO", "mkdir", args=[(1, "EQ", 0o777), (0, "NE", 0)])), sh=MKDIR)
Case("seccomp/same argument twice", seccomp("ALLOW", rule("ERRNO", "mkdir", args=[(1, "EQ", 0o777), (1, "EQ", 5)])), sh=MKDIR)
Case("seccomp/unknown call", seccomp("ALLOW", rule("ERRNO", "mkdir", "fly_away")), sh=MKDIR)
Case("seccomp/default errno", seccomp("ERRNO", rule("ALLOW", "read")), args=["true"])
Case("seccomp/default errno number", seccomp("ALLOW", rule("ERRNO", "mkdir"), defaultErrnoRet=5), sh=MKDIR)
Case("seccomp/same action as the default", seccomp("ALLOW", rule("ALLOW", "mkdir"), rule("ERRNO", "mkdirat")), sh=MKDIR)
Case("seccomp/no rules", put("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW"}))
Case("seccomp/flags", seccomp("ALLOW", rule("ERRNO", "mkdir"), flags=["SECCOMP_FILTER_FLAG_LOG"]), sh=MKDIR)
bad("seccomp/unknown flag", "SECCOMP_FILTER_FLAG_FLY", seccomp("ALLOW", rule("ERRNO", "mkdir"), flags=["SECCOMP_FILTER_FLAG_FLY"]))
bad("seccomp/unknown action", "SCMP_ACT_FLY", seccomp("ALLOW", rule("FLY", "mkdir")))
bad("seccomp/unknown default", "SCMP_ACT_FLY", seccomp("FLY"))
bad("seccomp/unknown operator", "SCMP_CMP_FLY", seccomp("ALLOW", rule("ERRNO", "mkdir", args=[(0, "FLY", 0)])))
bad("seccomp/unknown architecture", "SCMP_ARCH_FLY", seccomp("ALLOW", rule("ERRNO", "mkdir"), architectures=["SCMP_ARCH_FLY"]))
bad("seccomp/argument number", "index", seccomp("ALLOW", rule("ERRNO", "mkdir", args=[(7, "EQ", 0)])))
bad("seccomp/no default", "defaultAction", put("linux.seccomp", {"syscalls": []}))
bad("seccomp/no names", "names", put("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
    {"action": "SCMP_ACT_ERRNO"}]}))

# --- hooks -----------------------------------------------------------------------------------------------
POINTS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
# startContainer sees the container's paths, all others the host's.
LOG = 'echo "%s $(cat | tr -d " \\n" | grep -oE \'"status":"[a-z]*"\')" >>%s/order'
Case("hooks/order", *[hook(p, LOG % (p, "" if p == "startContainer" else "@BUNDLE@/rootfs")) for p in POINTS[:4]],
     sh="cat /order")
Case("hooks/arguments", hook("createRuntime", 'echo "$0" "$@" >@BUNDLE@/rootfs/args', args=["zero", "one", "two words"]), sh="cat /args")
Case("hooks/environment", hook("createRuntime", "env | grep -v -e ^PWD -e ^_ -e SHLVL | sort >@BUNDLE@/rootfs/env",
                               env=["A=1", "B=x y"]), sh="cat /env")
Case("hooks/no environment", hook("createRuntime", "env | grep -v -e ^PWD -e ^_ -e SHLVL | sort >@BUNDLE@/rootfs/env"), sh="cat /env")
Case("hooks/directory", hook("createRuntime", "pwd >@BUNDLE@/rootfs/pwd"), sh="cat /pwd")
Case("hooks/state keys", hook("createRuntime", "tr ',{' '\\n\\n' | grep -oE '\"(ociVersion|id|status|pid|bundle|root|annotations)\"' "
                              "| sort >@BUNDLE@/rootfs/keys"), put("annotations", {"x": "y"}), sh="cat /keys")
Case("hooks/createContainer namespaces", hook("createContainer", "readlink /proc/self/ns/uts | wc -l; hostname >@BUNDLE@/rootfs/name"),
     sh="cat /name")
Case("hooks/poststop", hook("poststop", "echo done >@BUNDLE@/stopped"))
Case("hooks/poststart", hook("poststart", "echo done >@BUNDLE@/started"), sh="sleep 0.2")
Case("hooks/failing poststop", hook("poststop", "exit 3"))
for p in POINTS[:4]:
    bad("hooks/failing " + p, p, hook(p, "exit 3"))
Case("hooks/failing poststart", hook("poststart", "exit 3"), args=["sleep", "2"])
Case("hooks/two of a kind", hook("createRuntime", "echo 1 >>@BUNDLE@/rootfs/n"), hook("createRuntime", "echo 2 >>@BUNDLE@/rootfs/n"),
     sh="cat /n")
Case("hooks/empty lists", put("hooks", {p: [] for p in POINTS}))
Case("hooks/in time", hook("createRuntime", "exit 0", timeout=5))
bad("hooks/time-out", "createRuntime", hook("createRuntime", "exec sleep 5", timeout=1))
bad("hooks/missing program", "/nowhere", put("hooks", {"createRuntime": [{"path": "/nowhere"}]}))
bad("hooks/relative path", "absolute", put("hooks", {"createRuntime": [{"path": "bin/true"}]}))
bad("hooks/no path", "path", put("hooks", {"createRuntime": [{"args": ["x"]}]}))
bad("hooks/not executable", "createRuntime", put("hooks", {"createRuntime": [{"path": "/etc/passwd"}]}))

# --- terminal --------------------------------------------------------------------------------------------
TTY = put("process.terminal", True)
Case("terminal/plain", TTY, terminal=True)
Case("terminal/settings", TTY, terminal=True, sh="stty -a 2>/dev/null | tr ';' '\\n'; tty; ls -l /dev/console | cut -d' ' -f1")
Case("terminal/size", TTY, put("process.consoleSize", {"height": 33, "width": 77}), terminal=True, sh="stty size")
Case("terminal/for a user", TTY, user(1000), terminal=True, sh="stat -c '%u %g %a' $(tty) /dev/console; echo x >/dev/tty")
Case("terminal/exit code", TTY, terminal=True, args=["sh", "-c", "exit 9"])
Case("terminal/user namespace", TTY, user_ns(), terminal=True)
Case("terminal/console size without terminal", put("process.consoleSize", {"height": 33, "width": 77}))
Case("terminal/not wanted", terminal=True, sh="tty")
