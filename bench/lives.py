"""Whether the exporter grows with the panes that come and go: resident memory over the lives of many."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import peers
from bench.clocks import resident_bytes
from bench.fleet import Fleet, Size
from bench.peers import Peer
from bench.say import say, wait_for

BATCH = 100
_PANES = re.compile(r"^tmux_server_panes\{[^}]*\} (\S+)$", re.MULTILINE)


def lives(folder: Path, panes: int) -> dict[str, Any]:
    """Let so many panes live and end, each seen by a sample; bytes by life, of the second half of them."""
    fleet = Fleet(Size(panes=1, others=0), folder)
    sizes: list[tuple[int, int]] = []
    script = folder / "batch.conf"
    try:
        with peers.ours("lives", folder, "--sampling.interval", "500ms") as exporter:
            done = 0
            while done < panes:
                # Names of their own, as a supervisor gives them.
                names = (f"life{done + each}" for each in range(BATCH))
                lines = (f"new-window -d -t work0: -n {name} 'exec sleep 1000000'\n" for name in names)
                script.write_text("".join(lines))
                fleet.tmux("source-file", str(script))
                done += BATCH
                _seen(exporter, lambda count: count == BATCH + 1)
                fleet.tmux("kill-window", "-a", "-t", "work0:0")
                _seen(exporter, lambda count: count == 1)
                sizes.append((done, resident_bytes(exporter.pid)))
                if len(sizes) % 10 == 0:
                    say(f"  {done} lives, {sizes[-1][1] / 2**20:.1f} MiB")
    finally:
        fleet.close()
    return {
        "panes": sizes[-1][0],
        "first_mib": round(sizes[0][1] / 2**20, 2),
        "last_mib": round(sizes[-1][1] / 2**20, 2),
        "bytes_a_life": round(slope(sizes[len(sizes) // 2 :]), 1),
    }


def slope(points: list[tuple[int, int]]) -> float:
    """Of the straight line through these points, by least squares; 0 for a single one."""
    count = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def _seen(exporter: Peer, condition: Callable[[float], bool]) -> None:
    wait_for(lambda: condition(sum(map(float, _PANES.findall(exporter.page())))), "a sample sees it", 60)
