# SPDX-License-Identifier: LGPL-2.1-or-later
"""A peer runtime does the same job: the common path with --runtime crun."""
import path
from harness import make_image as setup  # noqa: F401

globals().update(path.checks("berth", "--runtime", "crun", only=(
    "run_output_and_exit_code", "run_leaves_nothing_with_rm", "run_stdin", "run_env_workdir_user", "run_entrypoint",
    "run_bind_mount", "run_tmpfs", "run_read_only", "capabilities", "seccomp", "network_none_and_host",
    "namespaces_are_its_own", "start_failures", "life_of_a_container", "stop_without_handler_is_fast",
    "kill_and_wait", "logs", "exec", "attach", "run_terminal", "exec_terminal", "detach_keys")))
