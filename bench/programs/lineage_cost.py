"""What following forks costs this process alone, in CPU: `python -m bench.programs.lineage_cost [SECONDS]`.

Below a process that counts as a pane's, programs are started one after the other (fork, exec, end); a fork of
anybody else costs less. Run it as root, or on Linux 6.6 and newer; not in a container.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from tmux_exporter.analysis.ownership.lineage import Lineage, _Node
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.sources.events.fork_events import ForkWatch

_STORM = "while :; do /bin/true; done"


class _Counted(Lineage):
    forks = 0

    def fork(self, parent: int, child: int, at: int) -> None:
        self.forks += 1
        super().fork(parent, child, at)

    def pass_over(self, parent: int, child: int) -> None:
        self.forks += 1
        super().pass_over(parent, child)


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    watch = ForkWatch(_Counted(), clock=SystemClock())
    watch.configure(wanted=True)
    if not watch.listening:
        print(watch.problem, file=sys.stderr)
        return 3
    # It is forked below us, so the lineage has to know us first.
    watch.use(lambda: watch.forks._nodes.setdefault(os.getpid(), _Node(os.getpid(), None, None)))
    storms = [subprocess.Popen(["sh", "-c", _STORM]) for _ in range(2)]
    time.sleep(1)
    known = watch.use(lambda: len(watch.forks))
    begun, cpu, forks = time.monotonic(), time.process_time(), watch.forks.forks
    time.sleep(seconds)
    used, counted = time.process_time() - cpu, watch.forks.forks - forks
    lasted = time.monotonic() - begun
    for each in storms:
        each.kill()
        each.wait()
    watch.stop()
    rate = counted / lasted
    print(f"known {known}, {rate:.0f} forks/s for {lasted:.0f} s, lost {watch.lost} times")
    print(f"{used / lasted:.2%} of a core, {1e6 * used / max(1, counted):.1f} µs a fork with exec and end")
    print(f"load {Path('/proc/loadavg').read_text().split()[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
