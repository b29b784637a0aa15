# SPDX-License-Identifier: LGPL-2.1-or-later
"""A policy of our own for tests with SELinux: everything of the machine is kernel_t and may do all, container_t
may use container_file_t of its categories and the views of the kernel. What no class is said about is allowed."""
import os

from harness import run

USER = "u"
FILE_PERMISSIONS = ("read write create getattr setattr append open execute map link unlink rename relabelfrom relabelto lock "
                    "ioctl mounton")
# Class: its own permissions besides those of files; only what a test wants denied has to be here.
FILES = {"file": "entrypoint execute_no_trans", "dir": "add_name remove_name search rmdir reparent", "lnk_file": "",
         "chr_file": "", "sock_file": ""}
OTHERS = {"process": "transition dyntransition setexec setkeycreate", "process2": "nnp_transition nosuid_transition",
          "key": "view read write search link setattr create", "filesystem": "relabelfrom relabelto associate"}
# Order is the kernel's.
INITIAL = ("kernel security unlabeled fs file file_labels init any_socket port netif netmsg node igmp_packet icmp_socket "
           "tcp_socket sysctl_modprobe sysctl sysctl_fs sysctl_kernel sysctl_net sysctl_net_unix sysctl_vm sysctl_dev kmod "
           "policy scmp_packet devnull").split()
TYPES = ("kernel_t", "host_t", "view_t", "container_t", "other_t", "container_file_t")


def label(kind, level="s0"):
    """A context: of a process, or of files for types that end so."""
    role = "r" if kind in ("kernel_t", "container_t", "other_t") else "object_r"
    return "%s:%s:%s:%s" % (USER, role, kind, level)


def policy():
    """The text of the policy, for secilc."""
    def context(kind):
        return "(%s %s %s ((s0) (s0)))" % tuple(label(kind).split(":")[:3])

    out = ["(handleunknown allow)", "(mls true)", "(policycap open_perms)", "(policycap nnp_nosuid_transition)"]
    out += ["(sid %s)" % s for s in INITIAL] + ["(sidorder (%s))" % " ".join(INITIAL)]
    out += ["(sidcontext %s %s)" % (s, context("kernel_t" if s in ("kernel", "init") else "host_t")) for s in INITIAL]
    out += ["(common files (%s))" % FILE_PERMISSIONS]
    out += ["(class %s (%s)) (classcommon %s files)" % (c, p, c) for c, p in FILES.items()]
    out += ["(class %s (%s))" % (c, p) for c, p in OTHERS.items()]
    out += ["(classorder (%s))" % " ".join([*FILES, *OTHERS])]
    out += ["(sensitivity s0) (sensitivityorder (s0))", "".join("(category c%d)" % i for i in range(8)),
            "(categoryorder (%s))" % " ".join("c%d" % i for i in range(8)), "(sensitivitycategory s0 (range c0 c7))",
            "(user u) (role r) (role object_r) (userrole u r) (userrole u object_r)",
            "(userlevel u (s0)) (userrange u ((s0) (s0 (range c0 c7))))"]
    out += ["(type %s)" % t for t in TYPES]
    out += ["(typeattribute every) (typeattributeset every (%s))" % " ".join(TYPES), "(roletype r every) (roletype object_r every)"]
    out += ["(fsuse xattr %s %s)" % (f, context("host_t")) for f in ("ext4", "overlay")]
    out += ["(fsuse trans %s %s)" % (f, context("host_t")) for f in ("tmpfs", "devtmpfs", "devpts", "mqueue")]
    out += ['(genfscon %s "/" %s)' % (f, context("view_t")) for f in ("proc", "sysfs", "cgroup2", "selinuxfs")]
    out += ["(allow kernel_t every (%s (all)))" % c for c in (*FILES, *OTHERS)]
    out += ["(allow every every (filesystem (all)))"]
    for kind in ("container_t", "other_t"):
        out += ["(allow %s self (%s (all)))" % (kind, c) for c in ("process", "process2", "key", *FILES)]
        out += ["(allow %s view_t (%s (all)))" % (kind, c) for c in FILES]
        out += ["(allow %s host_t (chr_file (all)))" % kind]
    out += ["(allow container_t container_file_t (%s (all)))" % c for c in FILES]
    # Categories: a container's process reaches what has no others than its own.
    out += ["(mlsconstrain (%s (read write open append execute create unlink)) (or (dom h1 h2) (eq t1 kernel_t)))" % c for c in FILES]
    return "\n".join(out) + "\n"


def load(directory):
    """Compile the policy in @directory and load it into the kernel; permissive then."""
    with open(directory + "/policy.cil", "w") as f:
        f.write(policy())
    run("secilc", "-c", "33", "-o", directory + "/policy", "-f", "/dev/null", directory + "/policy.cil", timeout=60)
    with open(directory + "/policy", "rb") as f:
        data = f.read()
    fd = os.open("/sys/fs/selinux/load", os.O_WRONLY)
    assert os.write(fd, data) == len(data)
    os.close(fd)
    # libselinux, and with it criu, takes SELinux for disabled without this file.
    os.makedirs("/etc/selinux", exist_ok=True)
    with open("/etc/selinux/config", "w") as f:
        f.write("SELINUX=permissive\nSELINUXTYPE=berth-test\n")
    enforce(False)


def enforce(on):
    """Enforcing or permissive."""
    with open("/sys/fs/selinux/enforce", "w") as f:
        f.write("1" if on else "0")


def set_label(path, text):
    """Label @path and all below it."""
    paths = [path] + [d + "/" + n for d, dirs, files in os.walk(path) for n in dirs + files]
    for p in paths:
        os.setxattr(p, "security.selinux", text.encode(), follow_symlinks=False)


def label_of(path):
    """The context of a file."""
    return os.getxattr(path, "security.selinux", follow_symlinks=False).rstrip(b"\0").decode()
