"""The goals, and what was measured of each: ratios within one run, so that a machine's load weighs on all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from bench.agents import AGENTS as AGENT_COUNT
from bench.cost import DEFAULT, LEAN, OURS, OURS_BY_NEED, OURS_SLOW, PSUTIL, TMUX
from bench.programs.agents import AGENTS, CORE
from bench.spending import BYTES_A_SECOND, LARGE_BYTES, WRITERS

Result = dict[str, Any]
Fleet = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One goal: what was to be reached, what was measured, whether that is enough; None where it was not."""

    what: str
    goal: str
    measured: str
    met: bool | None
    subject: str


def mean(fleet: Fleet, phase: str, name: str) -> float | None:
    """Milliseconds of CPU in a window, None where it did not run."""
    windows = fleet.get(phase, {}).get(name)
    return fmean(windows) if windows else None


def rows(result: Result) -> tuple[Row, ...]:
    """Every goal in the order of the page."""
    return tuple(row for part in _PARTS for row in part(result))


def _fleet(result: Result, panes: int, others: int) -> Fleet | None:
    return next(
        (each for each in result["fleets"] if (each["panes"], each["others"]) == (panes, others)), None
    )


def _against(fleet: Fleet | None, phase: str, ours: str, theirs: str) -> float | None:
    """How many times as much theirs costs."""
    if fleet is None:
        return None
    a, b = mean(fleet, phase, ours), mean(fleet, phase, theirs)
    return b / a if a and b else None


def _times(what: str, factor: float, measured: float | None, subject: str) -> Row:
    return Row(
        what=what,
        goal=f"≤ 1/{factor:g}",
        measured="not measured" if measured is None else f"1/{measured:.3g}",
        met=None if measured is None else measured >= factor,
        subject=subject,
    )


def _most(what: str, unit: str, most: float, measured: float | None, subject: str) -> Row:
    return Row(
        what=what,
        goal=f"≤ {most:g}{unit}",
        measured="not measured" if measured is None else f"{measured:.3g}{unit}",
        met=None if measured is None else measured <= most,
        subject=subject,
    )


_FLEETS = ((50, 1000), (200, 3000))
_CPU_GOALS = (
    # panes, others, which of ours, and in words; how many times cheaper at rest, and at work
    (50, 1000, OURS_SLOW, "one sample a 15 s scrape", 40, 20),
    (200, 3000, OURS_SLOW, "one sample a 15 s scrape", 80, 30),
    (200, 3000, OURS, "every 5 s tick taken", 35, 12),
    (200, 3000, OURS_BY_NEED, "by need, the default", 40, 15),
)


def _cpu(result: Result) -> Iterator[Row]:
    for panes, others, name, tick, *factors in _CPU_GOALS:
        fleet = _fleet(result, panes, others)
        for phase, factor in zip(("rest", "active"), factors, strict=True):
            where = f"{panes} panes, {others:,} others, {_PHASES[phase]}, {tick}"
            ratio = _against(fleet, phase, name, LEAN)
            yield _times(f"CPU, {where}, of process-exporter lean", factor, ratio, "cpu")


def tool_cost(fleet: Fleet | None) -> float | None:
    """Milliseconds over rest for each tool that a pane starts, with every tick taken."""
    if fleet is None or not fleet.get("tools_in_a_window"):
        return None
    rest, churn = mean(fleet, "rest", OURS), mean(fleet, "churn", OURS)
    return (churn - rest) / fleet["tools_in_a_window"] if rest is not None and churn is not None else None


def _churn(result: Result) -> Iterator[Row]:
    cost = tool_cost(_fleet(result, 200, 3000))
    yield _most("CPU over rest for each tool that panes start, 200 panes", " ms", 0.25, cost, "churn")


_PHASES = {"rest": "at rest", "active": "10 % at work"}


def _alone(result: Result) -> Iterator[Row]:
    for panes, others in _FLEETS:
        fleet = _fleet(result, panes, others)
        for phase, name, factor, how in (
            ("alone_rest", "reader", 100, "at rest"),
            ("alone_active", "reader", 30, "10 % at work"),
            ("alone_rest", "all read again", 5, "everything read again"),
        ):
            ratio = fleet[phase]["psutil"] / fleet[phase][name] if fleet and name in fleet[phase] else None
            yield _times(f"Reading alone, {panes} panes, {how}, of psutil", factor, ratio, "alone")


def _growth(result: Result) -> Iterator[Row]:
    ratios: dict[int, float] = {}
    for panes in {each["panes"] for each in result["fleets"]}:
        small, large = _fleet(result, panes, 3000), _fleet(result, panes, 10_000)
        if small and large:
            a, b = mean(small, "rest", OURS), mean(large, "rest", OURS)
            ratios |= {panes: b / a} if a and b else {}
    for panes, ratio in sorted(ratios.items()) or ((1000, None),):
        what = f"CPU with 10,000 others, of the same with 3,000 ({panes:,} panes)"
        yield _most(what, "x", 1.1, ratio, "growth")


def _tmux(result: Result) -> Iterator[Row]:
    for fleet in result["fleets"]:
        asked = fleet["tmux_queries_at_rest"]
        # At the default tick a costly listing is asked for less often than each tick.
        by_tick = fleet.get("tmux_queries_of_the_default_tick_at_rest")
        share = None
        if asked and by_tick is not None:
            listing = sum(fleet["rest"][TMUX]) / asked
            share = listing * by_tick / (len(fleet["rest"][TMUX]) * result["seconds"] * 1000) * 100
        what = f"tmux server's CPU for our listing, {fleet['panes']:,} panes, {fleet['others']:,} others"
        yield _most(what, " % of a core", 0.5, share, "tmux")


def _accuracy(result: Result) -> Iterator[Row]:
    for name in ("w1", "w2", "w4"):
        found = result["accuracy"].get(name)
        error = abs(found["error"][OURS_SLOW]) * 100 if found else None
        what = f"CPU error at a 15 s interval, {name}: {found['what']}" if found else f"CPU error, {name}"
        yield _most(what, " %", 1, error, "accuracy")


def _memory(result: Result) -> Iterator[Row]:
    found = result.get("memory")
    error = ratio = pause = None
    if found:
        cost, pauses = found["cost"], found["pauses_ms"]
        error = abs(cost["counted_mib"] / cost["proportional_mib"] - 1) * 100
        ratio = cost["smaps_rollup_of_all_ms"] / cost["headline_ms"]
        pause = pauses["our samples"]["longest_wait"]
    yield _most("Headline memory against the kernel's proportions", " %", 3, error, "memory")
    yield _times("Its cost, of smaps_rollup of every process", 20, ratio, "memory")
    yield _most("Longest wait of a process of 1.5 GB beside our samples", " ms", 2, pause, "memory")


def _size(result: Result) -> Iterator[Row]:
    for panes, others, most in ((200, 3000, 46), (1000, 3000, 72)):
        fleet = _fleet(result, panes, others)
        resident = fleet["resident_mib"][OURS] if fleet else None
        yield _most(f"Resident memory, {panes:,} panes", " MiB", most, resident, "size")
    found = result.get("growth", {}).get("burst")
    left = (found["mib"]["after"] / found["mib"]["before"] - 1) * 100 if found else None
    yield _most("Resident memory left of a burst of panes after 5 minutes", " %", 10, left, "burst")
    lives = result.get("lives")
    yield _most(
        f"Resident memory by the life of a pane, over {lives['panes'] if lives else LIVES:,}",
        " bytes",
        1000,
        max(0.0, lives["bytes_a_life"]) if lives else None,
        "size",
    )
    large = _fleet(result, 1000, 3000)
    p99 = large["scrape_ms"]["p99"] if large else None
    yield _most("/metrics, 1,000 panes, 10 scrapers, p99", " ms", 10, p99, "scrape")


def _more(result: Result) -> Iterator[Row]:
    found = result.get("growth", {})
    forked = found.get("forked", {}).get("ms")
    yield _most("CPU of a sample, 6,000 idle processes in one pane", " ms", 20, forked, "forked")
    series = found.get("series_of_a_session")
    yield _most("Series of a session with one agent, default settings", "", 90, series, "series")


def _agents(result: Result) -> Iterator[Row]:
    found = result.get("agents")
    over = found["ms"][AGENTS] - found["ms"][CORE] if found else None
    yield _most(
        f"CPU of a sample for {AGENT_COUNT} agents, over all the rest of it", " ms", 2, over, "agents"
    )


def _spending(result: Result) -> Iterator[Row]:
    found = result.get("spending")
    what = f"{WRITERS} agents that write {BYTES_A_SECOND / 1e6:g} MB/s of transcripts: "
    for kind, unit, most, key in (("CPU", " % of a core", 2, "cpu_percent"), ("memory", " MiB", 10, "mib")):
        yield _most(f"{what}{kind}", unit, most, found[key] if found else None, "spending")
    laps = found["ms"]["on"] if found else None
    late = max(0.0, laps["large"]["longest"] - laps["write"]["longest"]) if laps else None
    large = f"a transcript of {LARGE_BYTES / 1e9:g} GB"
    what = f"Longest sample at the first sight of {large}, over the longest before"
    yield _most(what, " ms", 50, late, "spending")


_PARTS: tuple[Callable[[Result], Iterator[Row]], ...] = (
    _cpu,
    _churn,
    _alone,
    _growth,
    _tmux,
    _accuracy,
    _memory,
    _size,
    _more,
    _agents,
    _spending,
)

LIVES = 5000
"""So many panes live and end, unless it is said otherwise."""

PEERS = (OURS_SLOW, OURS_BY_NEED, OURS, LEAN, DEFAULT, PSUTIL)
