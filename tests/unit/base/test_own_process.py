"""The figures of this process against those of prometheus_client, and without /proc."""

import resource
from pathlib import Path

import pytest
from prometheus_client import PROCESS_COLLECTOR

from tmux_exporter.base import own_process


def test_the_figures_are_those_of_prometheus_client() -> None:
    theirs = {
        sample.name.removeprefix("process_"): sample.value
        for metric in PROCESS_COLLECTOR.collect()
        for sample in metric.samples
    }
    ours = own_process.read()
    assert ours.keys() == theirs.keys()
    for name in ("start_time_seconds", "max_fds"):
        assert ours[name] == pytest.approx(theirs[name])
    assert 0 <= ours["cpu_seconds_total"] - theirs["cpu_seconds_total"] < 1
    for name in ("resident_memory_bytes", "virtual_memory_bytes", "open_fds"):
        assert ours[name] == pytest.approx(theirs[name], rel=0.05)


def test_nothing_is_known_without_proc(tmp_path: Path) -> None:
    assert own_process.read(tmp_path) == {}


def test_no_limit_has_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert "max_fds" not in own_process.read()
