"""docs/performance.md from the results of one run."""

from collections.abc import Iterable, Iterator
from typing import Any

from bench.fleet import FLEETS
from bench.goals import PEERS, Result, Row, mean, rows, tool_cost
from bench.programs.agents import AGENTS, TEXT
from bench.reasons import REASONS
from bench.stages import Split, grouped

_HEAD = """\
# Performance

What the exporter costs and how true its figures are, beside Debian's prometheus-process-exporter and a
sampler with psutil, all at the same time and on the same fleet. process-exporter has a group for each pane,
with its processes in it; once lean (`-threads=false -gather-smaps=false`), once with its defaults. The
sampler reads only the processes of panes.

This page, its picture and [performance.json](performance.json) are made by `make bench`, whole or by parts.
[bench/](../bench/README.md) says how it is measured, and how to measure a part.

## How fresh figures are

What a reader gets is at most `sampling.interval` (5 s) old, and as long as a sample takes. Samples are taken
by need ([D20](decisions/0020-tick-by-need.md)): every 5 s while a page is open, `top` runs or scrapes come
irregularly; shortly before the next scrape where they come at equal intervals, so that a Prometheus that asks
every 15 s costs one sample a scrape, 2.5 s old when it is read; every 15 s (`sampling.idle_interval`) where
nobody reads. Who comes unforeseen and finds an older one waits for a new sample, as long as its own timeout
allows. The tick in force is `tmux_exporter_sample_tick_seconds`.

"""


def page(result: Result) -> str:
    """The whole page."""
    return _HEAD + "\n".join(_lines(result)) + "\n"


def _lines(result: Result) -> Iterator[str]:
    machine = result["machine"]
    load = "; it had other work too: compare the ratios, not the figures" if machine["load1"] > 1.5 else ""
    yield (
        f"Measured on {machine['cpus']} x {machine['cpu']}, Linux {machine['kernel']}, "
        f"Python {machine['python']}, {machine['tmux']}, "
        f"revision {machine['revision']}, load at the start {machine['load1']:.1f}{load}. "
        f"{result['windows']} windows of {result['seconds']:g} s for each row."
    )
    if took := result.get("took"):
        yield f"Minutes: {', '.join(f'{part} {seconds / 60:.1f}' for part, seconds in took.items())}."
    yield from ("", "![CPU of each exporter by fleet](images/performance.svg)", "", "## Goals", "")
    found = rows(result)
    yield from _table(("what", "goal", "measured", ""), ((_cells(row)) for row in found))
    yield ""
    yield "`1/50` means a fiftieth of the other's CPU."
    missed = list(dict.fromkeys(row.subject for row in found if row.met is False))
    if missed:
        yield from ("", "### What is missed, and why", "")
        yield from (f"- **{_SUBJECTS[subject]}.** {REASONS[subject]}" for subject in missed)
        yield from _where(result)
    there = {(each["panes"], each["others"]) for each in result["fleets"]}
    absent = [size.name for size in FLEETS if (size.panes, size.others) not in there]
    if absent:
        yield from ("", f"Not measured this time: {'; '.join(absent)}.")
    for size, why in result["left_out"].items():
        yield from ("", f"Left out: {size}; {why}.")
    yield from ("", "## CPU", "", f"Milliseconds of CPU in {result['seconds']:g} s, children included.", "")
    yield from _table(("fleet", "", *PEERS, "tmux server"), _cpu(result))
    yield ""
    yield "The tmux server answers all of ours."
    yield from _churn(result)
    worlds = (
        f"{each['panes']:,} panes, {each['others']:,} others: {each['revision']}, load {each['load1']:.0f}"
        for each in result["fleets"]
    )
    yield f"Revisions: {'; '.join(worlds)}."
    yield from (
        "",
        "## Reading processes alone",
        "",
        "Milliseconds of CPU for one sample: no tmux, no page.",
        "",
    )
    names = ("reader", "all read again", "plain reader", "psutil", "smaps_rollup of all")
    yield from _table(("fleet", "", *names), _alone(result, names))
    yield from _stages(result)
    yield from _agents(result)
    yield from _spending(result)
    yield from _readers(result)
    yield from _cockpit(result)
    yield from _growth(result)
    yield from ("", "## Size, and scrapes of 10 scrapers", "")
    yield from _table(
        ("fleet", *(f"{name}, MiB" for name in PEERS), "page, KiB", "p50, ms", "p99, ms"), _sizes(result)
    )
    yield from ("", "## Accuracy", "")
    yield "CPU seconds of a pane by its cgroup (else by who waited for it), and the error of each exporter."
    yield ""
    yield from _table(("workload", "truth", *_peers_of(result)), _accuracy(result))
    yield ""
    yield (
        "Only a cgroup of the pane's own could tell w3: its processes are reaped by init. What of them no "
        "sample saw is in `tmux_exporter_unattributed_cpu_seconds_total`."
    )
    yield from _memory(result)


def _churn(result: Result) -> Iterator[str]:
    found = [each for each in result["fleets"] if each.get("churn")]
    if not found:
        return
    yield ""
    yield (
        "While every tenth pane starts a tool that lives 3 s at every tick, and what each tool costs over "
        "rest where every tick is taken:"
    )
    yield ""
    names = list(found[0]["churn"])
    body = (
        (
            f"{each['panes']:,} panes, {each['others']:,} others",
            *(_number(mean(each, "churn", name)) for name in names),
            _number(each["tools_in_a_window"]),
            _number(tool_cost(each)),
        )
        for each in found
    )
    yield from _table(("fleet", *names, "tools", "ms a tool"), body)
    yield ""


def _readers(result: Result) -> Iterator[str]:
    if (found := result.get("readers")) is None:
        return
    yield from ("", "## What readers cost, and the remediator", "")
    yield (
        f"Milliseconds of CPU in {found['seconds']:g} s, {found['panes']:,} panes, {found['others']:,} "
        f"others, revision {found['revision']}, load {found['load1']:.0f}. The exporter samples by need; the "
        "remediator observes with the shipped policies."
    )
    yield ""
    yield from _table(("", "ms"), ((name, _number(value)) for name, value in found["ms"].items()))


def _cockpit(result: Result) -> Iterator[str]:
    if (found := result.get("cockpit")) is None:
        return
    yield from ("", "## What the live page costs", "")
    ms = found["ms"]
    yield (
        f"{found['agents']} agents, revision {found['revision']}, load {found['load1']:.0f}. The exporter "
        f"uses {_number(ms['alone'])} ms of CPU in {found['seconds']:g} s with one scrape, and "
        f"{_number(ms['viewed'])} ms with an open page: a viewer costs {found['core_percent']:g} % of a "
        "core (goal 1 %). In Chromium, medians of five loads over loopback: something is painted after "
        f"{found['paint_ms']:g} ms, and what needs somebody is there after {found['useful_ms']:g} ms (goal "
        f"1,000). The last hour of {found['kept']} agents, each in a session of its own, takes "
        f"{found['history_kib']:,.0f} KiB (goal 2,048)."
    )


def _growth(result: Result) -> Iterator[str]:
    if not (found := result.get("growth")):
        return
    yield from ("", "## What more costs", "")
    yield f"Revision {found['revision']}, load {found['load1']:.0f}."
    yield ""
    if "series_of_a_session" in found:
        yield f"- One more session with one agent: {found['series_of_a_session']:g} series."
    forked = found.get("forked", {})
    if "ms" in forked:
        yield (
            f"- {forked['processes']:,} processes that rest in one pane: {forked['ms']:g} ms of CPU for a "
            f"sample with its page, {forked['ms_before']:g} ms without them."
        )
    elif forked:
        yield f"- {forked['processes']:,} processes in one pane: left out, {forked['left_out']}."
    if burst := found.get("burst"):
        mib = burst["mib"]
        yield (
            f"- {burst['more']:,} sessions more beside {burst['panes']:,} panes, and gone again: resident "
            f"memory {mib['before']:g} MiB before, {mib['largest']:g} MiB with them, {mib['after']:g} MiB "
            f"{burst['seconds']:g} s later."
        )


def _agents(result: Result) -> Iterator[str]:
    if (found := result.get("agents")) is None:
        return
    yield from ("", "## What agents cost", "")
    yield (
        f"Milliseconds of CPU for one sample of {found['agents']} panes with an agent in each, over "
        f"{found['rounds']} rounds, revision {found['revision']}, load {found['load1']:.0f}: by a sampler "
        "that knows no program, by one that knows them, and by one with `agents.pane_text`. Half of the "
        "agents are told by their session files, a tenth of which change in each round; the others draw once "
        "a second, and 16 of their screens are read in each."
    )
    yield ""
    rows = ((name, _number(found["ms"][name]), _number(found["least_ms"][name])) for name in found["ms"])
    yield from _table(("", "median", "least"), rows)
    rest = found["rest"]
    off, on = (rest["ms"][name] for name in (AGENTS, TEXT))
    yield ""
    yield (
        f"With all at their prompts {rest['captures_before']} screens were read until each was known, then "
        f"{rest['captures']} in {rest['rounds']} samples (at the default interval {rest['rounds'] * 5} s, "
        f"load {rest['load1']:.0f}): a sample costs {on / off:.2f} times that with `pane_text: off`."
    )


def _spending(result: Result) -> Iterator[str]:
    if (found := result.get("spending")) is None:
        return
    ms, laps = (
        found["ms"],
        {"write": "while they write", "rest": "at rest", "large": "while the large one is read"},
    )
    yield from ("", "## What following the spending of agents costs", "")
    yield (
        f"{found['agents']} agents write {found['bytes_a_second'] / 1e6:.2f} MB/s of transcripts in all: "
        f"{found['cpu_percent']:g} % of a core and {found['mib']:g} MiB more than a sampler beside it that "
        "does not read them, with four samples a second; every request was counted. Then a transcript of "
        f"{found['large_bytes'] / 1e9:g} GB is seen first, of which {found['new_bytes'] / 2**20:g} MiB were "
        f"written since its agent began: they are counted {found['caught_up_seconds']:g} s later: 2 MiB "
        f"of a file are read a second. Revision {found['revision']}, load {found['load1']:.0f}; a sample "
        "in milliseconds, the median and the longest:"
    )
    yield ""
    rows = (
        (words, *(_number(ms[kind][lap][name]) for kind in ("on", "off") for name in ("median", "longest")))
        for lap, words in laps.items()
    )
    yield from _table(("", "with", "longest", "without", "longest"), rows)


_SUBJECTS = {
    "cpu": "CPU beside process-exporter",
    "alone": "Reading alone",
    "growth": "Growth with the number of other processes",
    "tmux": "The tmux server's CPU",
    "accuracy": "Accuracy of CPU",
    "memory": "Memory",
    "size": "Resident memory",
    "scrape": "Scrapes",
    "churn": "Tools that panes start",
    "burst": "Memory after a burst",
    "forked": "Many processes in one pane",
    "series": "Series",
    "agents": "What agents do",
    "spending": "What agents spend",
}


def _cells(row: Row) -> tuple[str, ...]:
    return row.what, row.goal, row.measured, {True: "reached", False: "**missed**", None: ""}[row.met]


def _fleets(result: Result) -> Iterator[tuple[dict[str, Any], str, str, str]]:
    for fleet in result["fleets"]:
        name = f"{fleet['panes']:,} panes, {fleet['others']:,} others"
        yield fleet, name, "rest", "at rest"
        if "active" in fleet:
            yield fleet, name, "active", "10 % at work"


def _cpu(result: Result) -> Iterator[tuple[str, ...]]:
    for fleet, name, phase, words in _fleets(result):
        yield name, words, *(_number(mean(fleet, phase, each)) for each in (*PEERS, "tmux server"))


def _alone(result: Result, names: Iterable[str]) -> Iterator[tuple[str, ...]]:
    for fleet, name, phase, words in _fleets(result):
        if alone := fleet.get(f"alone_{phase}"):
            yield name, words, *(_number(alone.get(each)) for each in names)


_PHASES = {"rest": "at rest", "active": "10 % at work", "churn": "every tenth pane starts tools"}


def _splits(result: Result) -> Iterator[tuple[str, Split]]:
    for fleet in result["fleets"]:
        for phase, split in fleet.get("split", {}).items():
            yield f"{fleet['panes']:,} panes, {fleet['others']:,} others, {_PHASES[phase]}", split


def _where(result: Result) -> Iterator[str]:
    """What the CPU goals that are missed consist of."""
    for where, split in _splits(result):
        parts = (f"{name} {spent / 1000:.2f}" for name, spent in grouped(split).items())
        yield f"  - {where}: {sum(split.values()) / 1000:.1f} ms a window: {', '.join(parts)}."


def _stages(result: Result) -> Iterator[str]:
    found = list(_splits(result))
    yield from ("", "## Where the CPU goes", "")
    yield (
        "Microseconds of CPU in a window with one sample and one scrape, of the running daemon with a clock "
        "at each stage, which adds a few percent."
    )
    yield ""
    names = dict.fromkeys(name for _, split in found for name in sorted(split))
    yield from _table(
        ("", *(where for where, _ in found)),
        ((name, *(_number(split.get(name)) for _, split in found)) for name in names),
    )


def _sizes(result: Result) -> Iterator[tuple[str, ...]]:
    for fleet in result["fleets"]:
        sizes = (_number(fleet["resident_mib"].get(name)) for name in PEERS)
        scrapes = fleet["scrape_ms"]
        yield (
            f"{fleet['panes']:,} panes, {fleet['others']:,} others",
            *sizes,
            str(fleet["page_kib"]),
            _number(scrapes["p50"]),
            _number(scrapes["p99"]),
        )


def _peers_of(result: Result) -> list[str]:
    return list(next(iter(result["accuracy"].values()))["error"]) if result["accuracy"] else []


def _accuracy(result: Result) -> Iterator[tuple[str, ...]]:
    for name, each in result["accuracy"].items():
        errors = (f"{error * 100:+.1f} %" for error in each["error"].values())
        yield f"{name}: {each['what']}", f"{each['truth_seconds']:.1f} s ({each['truth']})", *errors


def _memory(result: Result) -> Iterator[str]:
    found = result.get("memory")
    if not found:
        return
    cost, pauses = found["cost"], found["pauses_ms"]
    yield from ("", "## Memory", "")
    yield (
        f"Eight processes forked from one of 150 MiB and 60 others: {cost['counted_mib']:g} MiB counted, "
        f"{cost['proportional_mib']:g} MiB by the proportions of the kernel; {cost['headline_ms']:.3g} ms of "
        f"CPU a sample beside {cost['smaps_rollup_of_all_ms']:.3g} ms for `smaps_rollup` of every process. "
        "Against cgroups: `tests/integration/test_memory_truth.py`."
    )
    yield from ("", "Pauses of a process of 1.5 GB that maps and unmaps memory, in milliseconds:", "")
    yield from _table(
        ("", "p99.9", "longest", "longest that was a wait for a lock"),
        ((name, *map(_number, each.values())) for name, each in pauses.items()),
    )
    lives = result.get("lives")
    if lives:
        yield ""
        yield (
            f"Over {lives['panes']:,} lives of panes the exporter's resident memory went from "
            f"{lives['first_mib']:.1f} to {lives['last_mib']:.1f} MiB: {lives['bytes_a_life']:.0f} bytes a "
            "life by the second half."
        )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _table(head: Iterable[str], body: Iterable[Iterable[str]]) -> Iterator[str]:
    head = list(head)
    yield f"| {' | '.join(head)} |"
    yield "| --- " * len(head) + "|"
    for row in body:
        yield f"| {' | '.join(row)} |"
