# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run one case with one runtime and say what was seen, as `key: value` facts that do not depend on the run."""
import json
import os
import pty
import re
import shutil
import stat
import subprocess

import bundle
from bundle import TOP

PROBE = r"""B=/bin/busybox
P=/proc/$$
s() { echo "@@$1"; }
s status; while read -r l; do echo "$l"; done <$P/status    # another process would see us in the middle of fork()
s mountinfo; $B cat $P/mountinfo
s cgroup; $B cat $P/cgroup
s limits; $B cat $P/limits
s environ; $B tr '\0' '\n' <$P/environ
s links; $B ls -l $P/fd/ $P/ns/ $P/cwd $P/exe
s process
cd $P && $B grep -sH "" oom_score_adj personality uid_map gid_map setgroups timens_offsets coredump_filter stat ../sys/kernel/domainname
echo "io:$($B ionice -p $$)"
echo "umask:$(umask)"
echo "uname:$($B uname -nm)"
echo "lo:$($B ip -o link show lo)"
cd /
s dev; $B find /dev ! -path '/dev/mqueue/*' -exec $B stat -c '%N %f %u %g %t:%T' {} +
s top; $B stat -c '%N %a %u %g' / /dev /proc /sys /tmp
s extra
"""
SECTION = re.compile(r"^@@(\w+)\n", re.M)
# Of /proc/PID/status: what a runtime decides, not what the kernel counts.
STATUS = ("Umask Uid Gid Groups NStgid SigBlk SigIgn CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp Seccomp_filters "
          "Cpus_allowed_list Mems_allowed_list THP_enabled").split()
TIMEOUT = 20


class Run:
    """A case with a runtime: facts, exit code, error text, and whether anything was left."""

    def __init__(self, case, runtime, name):
        self.case, self.runtime, self.name = case, runtime, name
        self.id = "diff-" + re.sub(r"[^a-z0-9]", "-", case.name.lower())
        self.top = "%s/%s" % (TOP, name)
        self.state = self.top + ".state"
        self.cgroup = "/berth-diff/" + self.id
        self.prepare()
        before = self.tree()
        self.code, self.out, self.err = self.run()
        self.left = self.clean_up()
        # The runtime's own failure, not the program's: nothing was printed by the program.
        self.refused = self.code != 0 and bool(self.err) and not self.out
        self.facts = self.collect(before)

    def prepare(self):
        shutil.rmtree(self.top, ignore_errors=True)
        bundle.make_rootfs(self.top + "/rootfs")
        with open(self.top + "/rootfs/probe", "w") as f:
            f.write(PROBE + self.case.sh + "\n")
        c = bundle.base_config()
        c["process"]["args"] = self.case.args or ["/bin/busybox", "sh", "/probe"]
        c["linux"]["cgroupsPath"] = self.cgroup
        for change in self.case.changes:
            change(c, self.top)
        text = json.dumps(c).replace("@BUNDLE@", self.top)
        if self.case.raw is not None:
            text = self.case.raw(text)
        with open(self.top + "/config.json", "w", errors="surrogateescape") as f:
            f.write(text)

    def run(self):
        cmd = [self.runtime, "--root", self.state, "run", "--bundle", self.top, *self.case.options, self.id]
        if self.case.apart:
            cmd = ["unshare", "--mount", "--propagation", "private", *cmd]
        if self.case.terminal:
            return self.run_on_terminal(cmd)
        try:
            p = subprocess.run(cmd, input=self.case.stdin, capture_output=True, timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            return "does not end", "", ""
        return p.returncode, self.plain(p.stdout.decode(errors="replace")), p.stderr.decode(errors="replace")

    def run_on_terminal(self, cmd):
        master, slave = pty.openpty()
        data = b""
        with subprocess.Popen(cmd, stdin=slave, stdout=slave, stderr=subprocess.PIPE, start_new_session=True) as p:
            os.close(slave)
            while True:
                try:
                    piece = os.read(master, 65536)
                except OSError:
                    piece = b""
                if not piece:
                    break
                data += piece
            err = p.stderr.read()
            p.wait(30)
        os.close(master)
        return p.returncode, self.plain(data.decode(errors="replace").replace("\r\n", "\n")), err.decode(errors="replace")

    def plain(self, text):
        """Without what differs from run to run."""
        text = text.replace(self.top, "BUNDLE").replace(self.id, "ID").replace(self.name + ".state", "STATE")
        return text

    def tree(self):
        seen = {}
        for top, dirs, names in os.walk(self.top):
            for n in dirs + names:
                p = os.path.join(top, n)
                st = os.lstat(p)
                what = "%s %d:%d" % (stat.filemode(st.st_mode), st.st_uid, st.st_gid)
                if stat.S_ISLNK(st.st_mode):
                    what += " -> " + os.readlink(p)
                seen[p[len(self.top):]] = what
        return seen

    def clean_up(self):
        """Remove what is there, return what should not have been."""
        left = []
        if os.path.exists("%s/%s" % (self.state, self.id)):
            left.append("state")
            subprocess.run([self.runtime, "--root", self.state, "delete", "--force", self.id], capture_output=True, timeout=30)
            shutil.rmtree("%s/%s" % (self.state, self.id), ignore_errors=True)
        with open("/proc/self/mountinfo") as f:
            mounts = [m.split()[4] for m in f if m.split()[4].startswith(self.top + "/")]
        for m in reversed(mounts):
            left.append("mount " + self.plain(m))
            subprocess.run(["umount", "-l", m], check=False)
        for path in (self.cgroup, "/" + self.id):
            if os.path.isdir(bundle.CGROUP + path):
                left.append("cgroup")
                for top, _, _ in os.walk(bundle.CGROUP + path, topdown=False):
                    os.rmdir(top)
        return left

    # --- facts ---------------------------------------------------------------------------------------------

    def collect(self, before):
        facts = {"exit": str(self.code)}
        parts = SECTION.split(self.out)
        sections = dict(zip(parts[1::2], parts[2::2]))
        facts["output"] = parts[0] + sections.pop("extra", "")
        for name, text in sections.items():
            getattr(self, "see_" + name)(text.splitlines(), facts)
        after = self.tree()
        for p in set(before) | set(after):
            if before.get(p) != after.get(p):
                facts["tree:" + p] = after.get(p, "removed")
        return facts

    def see_status(self, lines, facts):
        for line in lines:
            key, _, value = line.partition(":")
            if key == "NStgid":
                value = "%d levels" % len(value.split())
            if key in STATUS:
                facts["status:" + key] = " ".join(value.split())

    def see_mountinfo(self, lines, facts):
        for line in lines:
            head, _, tail = line.partition(" - ")
            _, _, _, root, point, options, *optional = head.split(" ")
            kind, source, rest = tail.split(" ", 2)
            if kind == "overlay":
                rest = ",".join(o for o in rest.split(",") if not o.endswith("dir") and "dir=" not in o)
            if kind == "ext4":
                root = "HOST" if root == "/" else root
            flow = ",".join(sorted(re.sub(r":\d+", "", o) for o in optional)) or "private"
            seen = "%s of %s(%s) %s %s %s" % (root, kind, source, options, flow, rest)
            key = "mount:" + point
            facts[key] = facts[key] + " || " + seen if key in facts else seen

    def see_cgroup(self, lines, facts):
        for line in lines:
            if line.startswith("0::"):
                facts["cgroup"] = line

    def see_limits(self, lines, facts):
        for line in lines[1:]:
            facts["limit:" + line[:25].strip()] = " ".join(line[25:].split())

    def see_environ(self, lines, facts):
        facts["environment"] = "\n".join(lines)

    def see_links(self, lines, facts):
        for line in lines:
            m = re.search(r" (\S+) -> (.*)$", line)
            if not m or m.group(2).endswith("/probe"):
                continue
            name, target = m.groups()
            if name.isdigit():
                facts["fd:" + name] = re.sub(r"\d{3,}", "N", target)
            elif name[0] == "/":
                facts["process:" + name.rpartition("/")[2]] = target
            else:
                try:
                    same = target == os.readlink("/proc/self/ns/" + name)
                except OSError:
                    continue
                facts["ns:" + name] = "host" if same else "other"

    def see_process(self, lines, facts):
        for line in lines:
            key, _, value = line.partition(":")
            if key == "stat":
                f = value.rpartition(")")[2].split()
                pid = value.split()[0]
                ids = ["self" if x == pid else "0" if x == "0" else "other" for x in (f[1], f[2], f[3])]
                facts["process:parent group session"] = " ".join(ids)
                facts["process:terminal nice policy"] = "%s %s %s/%s" % (f[4] != "0", f[16], f[38], f[37])
            else:
                key, value = "process:" + key, " ".join(value.split())
                facts[key] = facts[key] + "; " + value if key in facts else value

    def see_dev(self, lines, facts):
        for line in lines:
            m = re.match(r"'?(/dev[^' ]*)'?(.*)$", line)
            if m and not re.match(r"/dev/pts/\d", m.group(1)):
                facts["dev:" + m.group(1)] = m.group(2).strip()

    def see_top(self, lines, facts):
        for line in lines:
            m = re.match(r"'?(/[^' ]*)'?(.*)$", line)
            if m:
                facts["directory:" + m.group(1)] = m.group(2).strip()
