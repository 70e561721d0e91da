"""The arithmetic of the bench: ratios, goals, slopes, what its page and picture say."""

from typing import Any
from xml.etree import ElementTree

import pytest

from bench.cost import DEFAULT, LEAN, OURS, OURS_BY_NEED, OURS_SLOW, PSUTIL, TMUX
from bench.fleet import Size
from bench.goals import Row, rows
from bench.lives import slope
from bench.page import page
from bench.plot import svg
from bench.programs import stages
from bench.stages import REST, grouped

WINDOWS = {
    OURS_SLOW: [10.0, 6.0],
    OURS_BY_NEED: [10.0, 10.0],
    OURS: [20.0, 20.0],
    LEAN: [400.0, 400.0],
    DEFAULT: [500.0, 500.0],
}


def fleet(panes: int = 50, others: int = 1000, **more: Any) -> dict[str, Any]:
    windows = {**WINDOWS, PSUTIL: [100.0, 100.0], TMUX: [8.0, 8.0]}
    alone = {
        "reader": 0.5,
        "all read again": 10.0,
        "plain reader": 20.0,
        "psutil": 60.0,
        "smaps_rollup of all": 90.0,
    }
    return {
        "revision": "abc1234",
        "load1": 2.0,
        "panes": panes,
        "others": others,
        "processes": 1400,
        "light": False,
        "rest": windows,
        "active": windows,
        "churn": {OURS_BY_NEED: [16.0, 16.0], OURS: [32.0, 32.0]},
        "tools_in_a_window": 60.0,
        "tmux_queries_at_rest": 16,
        "tmux_queries_of_the_default_tick_at_rest": 6,
        "alone_rest": alone,
        "alone_active": alone,
        "resident_mib": dict.fromkeys(WINDOWS, 30.0),
        "scrape_ms": {"p50": 2.0, "p99": 19.0, "count": 300},
        "page_kib": 400,
        "split": {"rest": {"processes: clocks": 900.0, "tmux: ask": 400.0, REST: 1500.0}},
        **more,
    }


LONGEST = {"write": 90.0, "rest": 80.0, "large": 131.0}

RESULT: dict[str, Any] = {
    "windows": 2,
    "seconds": 15.0,
    "machine": {
        "cpu": "a processor",
        "cpus": 2,
        "kernel": "6.18",
        "python": "3.11.7",
        "tmux": "tmux 3.3a",
        "revision": "abc1234",
        "load1": 9.0,
    },
    "fleets": [
        fleet(),
        fleet(200, 3000),
        fleet(1000, 3000),
        fleet(1000, 10_000, rest={**WINDOWS, OURS: [24.0], TMUX: [8.0]}),
    ],
    "agents": {
        "agents": 50,
        "revision": "abc1234",
        "rounds": 40,
        "load1": 3.0,
        "ms": {"without agents": 5.0, "with agents": 6.5, "with agents and their text": 7.0},
        "least_ms": {"without agents": 4.0, "with agents": 5.0, "with agents and their text": 5.5},
        "rest": {
            "load1": 20.0,
            "rounds": 12,
            "ms": {"without agents": 4.0, "with agents": 5.0, "with agents and their text": 5.1},
            "least_ms": {"without agents": 3.0, "with agents": 4.0, "with agents and their text": 4.1},
            "captures": 0,
            "captures_before": 50,
        },
    },
    "spending": {
        "revision": "abc1234",
        "load1": 3.0,
        "agents": 50,
        "bytes_a_second": 1_000_000,
        "cpu_percent": 1.5,
        "mib": 8.0,
        "large_bytes": 5 * 10**9,
        "new_bytes": 2**24,
        "caught_up_seconds": 9.0,
        "ms": {
            kind: {lap: {"median": 9.0, "longest": longest} for lap, longest in LONGEST.items()}
            for kind in ("on", "off")
        },
    },
    "accuracy": {
        "w1": {
            "what": "a loop",
            "truth_seconds": 20.0,
            "truth": "cgroup",
            "error": {OURS_SLOW: -0.001, LEAN: -0.81},
        }
    },
    "memory": {
        "cost": {
            "headline_ms": 1.0,
            "smaps_rollup_of_all_ms": 30.0,
            "counted_mib": 102.0,
            "proportional_mib": 100.0,
        },
        "pauses_ms": {
            name: {"p99.9": 1.0, "longest": 30.0, "longest_wait": wait}
            for name, wait in (("left alone", 0.0), ("our samples", 2.5), ("smaps_rollup", 40.0))
        },
    },
    "lives": {"panes": 10_000, "first_mib": 30.0, "last_mib": 31.0, "bytes_a_life": 40.0},
    "readers": {
        "revision": "abc1234",
        "load1": 1.0,
        "panes": 200,
        "others": 3000,
        "seconds": 15.0,
        "orphans": 300,
        "ms": {"exporter, and top": 40.0, "top itself": 90.0},
    },
    "cockpit": {
        "revision": "abc1234",
        "load1": 1.0,
        "agents": 150,
        "seconds": 15.0,
        "ms": {"alone": 40.0, "viewed": 100.0},
        "core_percent": 0.4,
        "paint_ms": 120,
        "useful_ms": 340,
        "kept": 200,
        "history_kib": 900,
    },
    "growth": {
        "revision": "abc1234",
        "load1": 1.0,
        "series_of_a_session": 80.0,
        "forked": {"processes": 6000, "ms_before": 3.0, "ms": 15.0},
        "burst": {
            "panes": 200,
            "more": 800,
            "seconds": 300.0,
            "mib": {"before": 40.0, "largest": 80.0, "after": 43.0},
        },
    },
    "left_out": {},
}


def row(words: str) -> Row:
    (found,) = [each for each in rows(RESULT) if words in each.what]
    return found


@pytest.mark.parametrize(
    ("words", "measured", "met"),
    [
        ("50 panes, 1,000 others, at rest, one sample", "1/50", True),
        ("200 panes, 3,000 others, at rest, one sample", "1/50", False),
        ("200 panes, 3,000 others, at rest, every 5 s", "1/20", False),
        ("200 panes, 3,000 others, 10 % at work, every 5 s", "1/20", True),
        ("200 panes, 3,000 others, at rest, by need", "1/40", True),
        # 12 ms more for 60 tools.
        ("each tool that panes start", "0.2 ms", True),
        ("Reading alone, 50 panes, at rest", "1/120", True),
        ("Reading alone, 50 panes, everything", "1/6", True),
        ("CPU with 10,000 others", "1.2x", False),
        # 16 ms for 16 listings: 1 ms every 5 s.
        ("tmux server's CPU for our listing, 50 panes", "0.02 % of a core", True),
        ("interval, w1", "0.1 %", True),
        ("CPU error, w2", "not measured", None),
        ("Headline memory", "2 %", True),
        ("Its cost", "1/30", True),
        ("Longest wait", "2.5 ms", False),
        ("Resident memory by the life", "40 bytes", True),
        ("/metrics", "19 ms", False),
        ("Resident memory, 200 panes", "30 MiB", True),
        ("left of a burst", "7.5 %", True),
        ("6,000 idle processes", "15 ms", True),
        ("Series of a session", "80", True),
        ("of transcripts: CPU", "1.5 % of a core", True),
        ("of transcripts: memory", "8 MiB", True),
        ("Longest sample at the first sight", "41 ms", True),
    ],
)
def test_each_goal_beside_what_was_measured(words: str, measured: str, met: bool | None) -> None:
    found = row(words)
    assert (found.measured, found.met) == (measured, met)


def test_the_page_explains_what_is_missed_and_only_that() -> None:
    said = page(RESULT)
    assert "| 1/50 | **missed** |" in said
    assert said.count("- **CPU beside process-exporter.**") == 1
    assert "- **Series.**" not in said
    assert "- **Many processes in one pane.**" not in said
    assert "| top itself | 90 |" in said
    assert "6,000 processes that rest in one pane: 15 ms" in said
    assert "80 MiB with them, 43 MiB 300 s later" in said
    assert "| 60 | 0.2 |" in said
    assert "| while the large one is read | 9 | 131 | 9 | 131 |" in said
    assert "it had other work too" in said
    assert "-81.0 %" in said
    assert "| processes: clocks | 900 | 900 | 900 | 900 |" in said
    assert "at rest: 2.8 ms a window: reading processes 0.90, tmux 0.40, HTTP" in said


def test_the_page_of_a_part_says_what_was_not_measured() -> None:
    part = {**RESULT, "fleets": [], "accuracy": {}, "left_out": {"1,000 panes": "too few process ids"}}
    del part["memory"], part["lives"]
    said = page(part)
    assert "missed" not in said
    assert "Left out: 1,000 panes; too few process ids." in said
    assert "Not measured this time: 50 panes, 1,000 others; 200 panes, 3,000 others; 1000 panes" in said


def test_the_picture_is_an_svg_with_a_longer_bar_for_more() -> None:
    root = ElementTree.fromstring(svg(RESULT))
    widths = [float(each.attrib["width"]) for each in root.iter("{http://www.w3.org/2000/svg}rect")][:6]
    assert widths[0] < widths[1] < widths[2] < widths[5] < widths[3] < widths[4]


def test_the_slope_is_that_of_the_line() -> None:
    assert slope([(0, 5), (100, 205), (200, 405)]) == 2.0
    assert slope([(100, 5)]) == 0.0


def test_a_fleet_that_this_machine_cannot_hold_says_what_is_lacking() -> None:
    assert "kernel.pid_max" in Size(panes=1_000_000, others=0).lacking()
    assert Size(panes=1, others=1).lacking() == ""


@pytest.mark.parametrize(("label", "module", "name"), stages.STAGES)
def test_each_clock_of_the_profile_has_its_function_and_its_group(label: str, module: str, name: str) -> None:
    assert callable(stages.found(module, name)[2])
    assert grouped({label: 1.0})
