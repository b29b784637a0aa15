# SPDX-License-Identifier: LGPL-2.1-or-later
"""A peer runtime does the same job: the common path with --runtime crun."""
import os
import re
import resource

import path
from harness import make_image as setup  # noqa: F401
from harness import run


def old_crun_in_a_small_box():
    """crun before 1.9 insists on raising the memlock limit, which takes CAP_SYS_RESOURCE."""
    version = re.search(r"version (\d+)\.(\d+)", run("crun", "--version").out)
    with open("/proc/self/status") as f:
        bounding = int(re.search(r"^CapBnd:\s*(\w+)", f.read(), re.M).group(1), 16)
    return (tuple(map(int, version.groups())) < (1, 9) and not bounding & 1 << 24
            and resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] != resource.RLIM_INFINITY)


NEEDS = ("crun", "vm") if os.environ.get("BED_KIND") == "vm" or old_crun_in_a_small_box() else ("crun",)
globals().update(path.checks("berth", "--runtime", "crun", needs=NEEDS, only=(
    "run_output_and_exit_code", "run_leaves_nothing_with_rm", "run_stdin", "run_env_workdir_user", "run_entrypoint",
    "run_bind_mount", "run_tmpfs", "run_read_only", "capabilities", "seccomp", "network_none_and_host",
    "namespaces_are_its_own", "start_failures", "life_of_a_container", "stop_without_handler_is_fast",
    "kill_and_wait", "logs", "exec", "attach", "run_terminal", "exec_terminal", "detach_keys")))
