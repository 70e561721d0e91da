"""CPU of several processes over windows of time in which each exporter is scraped once."""

import re
import time
from collections.abc import Mapping, Sequence

from bench.clocks import cpu_seconds
from bench.peers import Peer
from bench.say import wait_for, wait_until

Milliseconds = dict[str, list[float]]

_QUERIES = re.compile(r"^tmux_server_query_duration_seconds_count\{.*\} ([\d.]+)$", re.MULTILINE)
_TAKEN = re.compile(r"^tmux_exporter_last_sample_timestamp_seconds (\S+)$", re.MULTILINE)


LEAD_IN = 3
"""Windows before those that count: then an exporter that samples by need knows its scraper."""


def measure(
    peers: Sequence[Peer],
    beside: Mapping[str, int],
    *,
    windows: int,
    seconds: float,
    lead_in: int = 0,
    pages: dict[str, str] | None = None,
) -> Milliseconds:
    """Milliseconds of CPU in each window by name, of the peers and of the processes `beside` them.

    `pages` gets the last page of each peer.
    """
    pids = {**{peer.name: peer.pid for peer in peers}, **beside}
    used: Milliseconds = {name: [] for name in pids}
    begun = time.monotonic()
    for number in range(lead_in + windows):
        start = begun + number * seconds
        wait_until(start)
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        for place, peer in enumerate(peers):
            # One after the other, so that none of them waits for another one's CPU.
            wait_until(start + seconds * (place + 0.5) / (len(peers) + 1))
            page = peer.page()
            if pages is not None:
                pages[peer.name] = page
        wait_until(start + seconds)
        for name, pid in pids.items():
            used[name].append((cpu_seconds(pid) - before[name]) * 1000)
    return {name: each[lead_in:] for name, each in used.items()}


def queries(page: str) -> float:
    """How many times one of our exporters had asked tmux servers."""
    return sum(float(count) for count in _QUERIES.findall(page))


def align(peer: Peer, seconds: float) -> None:
    """Wait for a third of the time between two samples of `peer`, so that no window's edge meets one."""
    taken = _taken(peer)
    wait_for(lambda: _taken(peer) != taken, "a sample is taken", 4 * seconds)
    time.sleep(seconds / 3)


def _taken(peer: Peer) -> str:
    found = _TAKEN.search(peer.page())
    return found[1] if found else ""
