"""An agent whose tool holds more memory than the agent may."""

import sys
from collections.abc import Sequence

from tests.support.remediator.remediation import Fleet
from tests.support.wait import wait_for

MIB = 2**20
LEAKING = f"""\
import os, signal, sys, time
if len(sys.argv) > 2:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    # A worker, in a process group of its own, that outlives its parent.
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
kept = bytearray({40 * MIB})
for place in range(0, len(kept), 4096):
    kept[place] = 1
open(sys.argv[1] + str(os.getpid()), "w").close()
time.sleep(20000)
"""


def tool(fleet: Fleet, name: str, count: int = 1, *, deaf: bool = False) -> tuple[int, Sequence[int]]:
    """An agent with tools that hold 80 MiB with their workers; its pid, and those of all of these.

    What is `deaf` ignores TERM; the workers always do.
    """
    base = fleet.scene.base
    (base / "leaking.py").write_text(LEAKING)
    started = f"setsid {sys.executable} $B/leaking.py $B/{name} {'deaf' if deaf else ''} & " * count
    agent = fleet.schedule(f'$B/bin/claude -c "{started}sleep 20000; :"', name)

    def there() -> list[int]:
        pids = [each.name.removeprefix(name) for each in base.glob(f"{name}[0-9]*")]
        return [int(each) for each in pids if each.isdigit()]

    wait_for(lambda: len(there()) == 2 * count, "the tools and their workers hold what they hold")
    return agent, there()
