"""A world of its own: process ids, mounts and network of nobody else.

So the number of unrelated processes is known, no other tmux server is seen, and nothing has to be cleaned up
one by one: when the first process of a pid namespace ends, the kernel ends all the others.
"""

import os
import shutil
import subprocess
import sys

INSIDE = "TMUX_EXPORTER_BENCH_INSIDE"
_NAMESPACES = ("--pid", "--fork", "--mount-proc", "--mount", "--net", "--ipc", "--kill-child")
_WORLD = """
ip link set lo up 2>/dev/null || "$0" -m bench.programs.loopback
mkdir -p /tmp/tmux-0 && mount -t tmpfs none /tmp/tmux-0 2>/dev/null
module=$1; shift
"$0" -m "$module" "$@"
exit $?
"""
"""The shell stays as the first process: it waits for orphans, as an init does."""


def inside() -> bool:
    """Whether this is that world."""
    return os.environ.get(INSIDE) == "yes"


def enter(arguments: list[str], module: str = "bench") -> int:
    """Run `python -m module` with these arguments in a world of its own; its exit status."""
    unshare = shutil.which("unshare")
    if unshare is None:
        print("bench: unshare is needed: sudo apt-get install util-linux", file=sys.stderr)
        return 3
    as_root = () if os.getuid() == 0 else ("--user", "--map-root-user")
    command = [unshare, *as_root, *_NAMESPACES, "sh", "-c", _WORLD, sys.executable, module, *arguments]
    environ = {**os.environ, INSIDE: "yes"}
    for name in ("TMUX", "TMUX_PANE", "TMUX_TMPDIR"):
        environ.pop(name, None)
    return subprocess.run(command, env=environ, check=False).returncode
