"""What a sampler with psutil reads of the members of a tmux server's panes, in the cheapest way it has."""

import psutil

ATTRIBUTES = ["cpu_times", "memory_info", "num_threads", "num_fds", "io_counters", "create_time", "status"]
Sums = dict[int, list[float]]


def members(server: int) -> dict[int, int]:
    """Every process below the tmux server, with the pane process that it is below."""
    # What its own Process.children() calls: the parent of every process.
    parents: dict[int, int] = psutil._ppid_map()  # type: ignore[attr-defined]
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found = {pane: pane for pane in children.get(server, ())}
    line = list(found)
    for pid in line:
        for child in children.get(pid, ()):
            found[child] = found[pid]
            line.append(child)
    return found


class Sampler:
    """Sums by pane; CPU by what the living used between two samples, as such samplers do."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._before: dict[tuple[int, float], float] = {}
        self._used: dict[int, float] = {}

    def sample(self) -> Sums:
        """CPU seconds, resident bytes, threads, open files, read and written bytes of each pane."""
        sums: Sums = {}
        now: dict[tuple[int, float], float] = {}
        for pid, pane in members(self._server).items():
            try:
                figures = psutil.Process(pid).as_dict(ATTRIBUTES)
            except psutil.NoSuchProcess:
                continue
            times = figures["cpu_times"]
            key = pid, figures["create_time"]
            now[key] = times.user + times.system
            self._used[pane] = self._used.get(pane, 0.0) + now[key] - self._before.get(key, now[key])
            sizes = [
                figures["memory_info"].rss,
                figures["num_threads"],
                figures["num_fds"] or 0,
                figures["io_counters"].read_bytes if figures["io_counters"] else 0,
                figures["io_counters"].write_bytes if figures["io_counters"] else 0,
            ]
            before = sums.get(pane, [0.0] * 6)
            sums[pane] = [self._used[pane], *(a + b for a, b in zip(before[1:], sizes, strict=True))]
        self._before = now
        return sums
