"""The state file: what comes back, and that nothing else does."""

import json
import os
import resource
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tmux_exporter.base.log import fields_of
from tmux_exporter.facts.agents import (
    AgentKey,
    AgentState,
    SavedAgent,
    SavedAgents,
    SavedName,
    SavedTie,
    WaitingReason,
)
from tmux_exporter.facts.label import label_text
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey
from tmux_exporter.sampling.state_file import (
    LARGEST_BYTES,
    NAME,
    StateFile,
    boot_id,
    parse,
    render,
    without_screens,
)

NOW = 1_700_000_000.0
PLACE = AgentKey(PaneKey(ProcessId(100, 5), "%3"), "claude", 1)
LIFE = SavedAgent(
    key=PLACE, name="Größe 🦊", version="2.1.197", role="qa", process=ProcessId(200, 7), up=True,
    seen=NOW - 1.5, state=AgentState.WAITING, reason=WaitingReason.PERMISSION, since=NOW - 100,
)  # fmt: skip
MEMORY = SavedAgents(
    tracked_agents=(LIFE, replace(LIFE, state=AgentState.EXITED, reason=None, up=False, version="", role="")),
    names=(SavedName(key=PLACE, name="a#2", wanted="a", session_id="$4", holder=ProcessId(200, 7)),),
    absent=(("default", "shop", "lead", NOW - 5),),
    ties=(SavedTie(process=ProcessId(300, 9), pane=PLACE.pane, by_lineage=True),),
    left=((PLACE.pane, ("default", "Größe")),),
)


def store(folder: Path, clock: ManualClock | None = None, boot: str = "b") -> StateFile:
    return StateFile(folder, uid=os.getuid(), clock=clock or ManualClock(), boot=boot)


def test_what_is_kept_comes_back_and_is_ours_alone(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "state"
    assert store(folder).load() == SavedAgents()
    store(folder).keep(MEMORY)
    assert store(folder).load() == MEMORY
    assert [each.name for each in folder.iterdir()] == [NAME]
    assert stat.S_IMODE((folder / NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_states_of_screens_come_back_and_can_be_left_out(tmp_path: Path) -> None:
    read = replace(MEMORY, tracked_agents=(replace(LIFE, from_screen=True), LIFE))
    store(tmp_path).keep(read)
    loaded = store(tmp_path).load()
    assert loaded == read
    states = [(each.state, each.reason) for each in without_screens(loaded).tracked_agents]
    assert states == [(AgentState.UNKNOWN, None), (LIFE.state, LIFE.reason)]
    # A file that an earlier version wrote says nothing of screens.
    older = json.loads(render(read, boot="b"))
    del older["lives"][0]["screen"]
    assert parse(json.dumps(older).encode(), boot="b", now=NOW).tracked_agents == (LIFE, LIFE)


def test_it_is_written_on_a_change_and_once_in_a_while(tmp_path: Path) -> None:
    clock = ManualClock()
    file = store(tmp_path, clock)
    file.keep(MEMORY)
    (tmp_path / NAME).unlink()
    seen = replace(MEMORY, tracked_agents=tuple(replace(each, seen=NOW) for each in MEMORY.tracked_agents))
    file.keep(seen)
    assert not (tmp_path / NAME).exists(), "nothing but when it was seen has changed"
    clock.advance(61.0)
    file.keep(seen)
    assert (tmp_path / NAME).exists()
    (tmp_path / NAME).unlink()
    file.keep(replace(seen, absent=()))
    assert store(tmp_path).load().absent == ()


def test_after_another_boot_only_the_expected_are_remembered(tmp_path: Path) -> None:
    store(tmp_path).keep(MEMORY)
    assert store(tmp_path, boot="c").load() == SavedAgents(absent=MEMORY.absent)
    assert store(tmp_path, boot="").load() == SavedAgents(absent=MEMORY.absent)
    store(tmp_path, boot="").keep(MEMORY)
    assert store(tmp_path, boot="").load() == SavedAgents(absent=MEMORY.absent), "no name, no proof"
    assert boot_id("/nowhere") == ""
    assert len(boot_id("/proc")) == 36


def test_no_time_lies_in_the_future() -> None:
    found = parse(render(MEMORY, boot="b"), boot="b", now=NOW - 1000)
    assert {found.tracked_agents[0].since, found.tracked_agents[0].seen, found.absent[0][3]} == {NOW - 1000}


def _without(document: dict[str, Any], *path: Any) -> None:
    for step in path[:-1]:
        document = document[step]
    del document[path[-1]]


def _with(value: Any, *path: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = value

    return change


SPOILT_LIVES = [
    _with(1, "lives", 0), _with("dozing", "lives", 0, "state"), _with("thirst", "lives", 0, "reason"),
    _with("yes", "lives", 0, "up"), _with(float("nan"), "lives", 0, "since"),
    _with(10**400, "lives", 0, "seen"), _with(True, "lives", 0, "since"),
    _with("a\x1b[0m", "lives", 0, "name"), _with("a\u202e", "lives", 0, "role"),
    _with("\ud800", "lives", 0, "version"), _with([1], "lives", 0, "place"),
    _with([-1, 1, "%0", "x", 0], "lives", 0, "place"),
    lambda document: _without(document, "lives", 0, "role"),
]  # fmt: skip
SPOILT_NAMES = [
    _with([1.5, 1], "names", 0, "holder"),
    _with([1 << 70, 1], "names", 0, "holder"),
    _with(None, "names", 0, "wanted"),
]


@pytest.mark.parametrize(
    ("spoil", "left"),
    [
        *((spoil, replace(MEMORY, tracked_agents=MEMORY.tracked_agents[1:])) for spoil in SPOILT_LIVES),
        *((spoil, replace(MEMORY, names=())) for spoil in SPOILT_NAMES),
        (_with({}, "lives"), replace(MEMORY, tracked_agents=())),
        (lambda document: _without(document, "names"), replace(MEMORY, names=())),
        (_with([["a", "b", "c"]], "absent"), replace(MEMORY, absent=())),
        (lambda document: _without(document, "boot"), SavedAgents(absent=MEMORY.absent)),
    ],
)
def test_a_record_that_this_version_does_not_write_costs_only_itself(
    spoil: Callable[[dict[str, Any]], None], left: SavedAgents
) -> None:
    document = json.loads(render(MEMORY, boot="b"))
    spoil(document)
    assert parse(json.dumps(document).encode(), boot="b", now=NOW) == left


def test_records_left_out_are_reported_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    document = json.loads(render(MEMORY, boot="b"))
    _with("\x1b]0;secret", "lives", 1, "name")(document)
    _without(document, "names", 0, "wanted")
    (tmp_path / NAME).write_text(json.dumps(document))
    assert store(tmp_path).load() == replace(MEMORY, tracked_agents=MEMORY.tracked_agents[:1], names=())
    (line,) = caplog.records
    assert line.message == "records of the state file are not used"
    assert fields_of(line) == {
        "file": str(tmp_path / NAME),
        "records": 2,
        "problem": "lives[1]: a value that this version does not write",
    }


@pytest.mark.parametrize("spoil", [_with(2, "version"), lambda document: _without(document, "version")])
def test_a_file_of_another_version_is_not_guessed_at(spoil: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads(render(MEMORY, boot="b"))
    spoil(document)
    with pytest.raises(ValueError, match="not of version 1"):
        parse(json.dumps(document).encode(), boot="b", now=NOW)


def test_a_name_that_an_older_version_wrote_without_a_bound_gets_the_label_of_today() -> None:
    long = "Ω" * 1000
    document = json.loads(render(MEMORY, boot="b"))
    for path in (("lives", 0, "name"), ("names", 0, "name"), ("names", 0, "wanted")):
        _with(long, *path)(document)
    found = parse(json.dumps(document).encode(), boot="b", now=NOW)
    assert {found.tracked_agents[0].name, found.names[0].name, found.names[0].wanted} == {label_text(long)}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"[" * 100_000, b"\xff", b"null"])
def test_no_content_ends_the_exporter(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    assert store(tmp_path).load() == SavedAgents()


def _link(file: Path) -> None:
    file.rename(file.with_name("other"))
    file.symlink_to(file.with_name("other"))


@pytest.mark.parametrize(
    "spoil",
    [
        _link,
        lambda file: file.chmod(0o666),
        lambda file: file.write_bytes(file.read_bytes() + b" " * LARGEST_BYTES),
    ],
)
def test_a_file_that_others_may_write_is_not_used(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    store(tmp_path).keep(MEMORY)
    spoil(tmp_path / NAME)
    assert store(tmp_path).load() == SavedAgents()
    assert StateFile(tmp_path, uid=os.getuid() + 1, clock=ManualClock(), boot="b").load() == SavedAgents()


def _no_room(_: Path) -> None:
    """No file can grow beyond its first bytes, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def _in_the_way(folder: Path) -> None:
    (folder / NAME).mkdir()


@pytest.mark.parametrize("spoil", [_no_room, _in_the_way])
def test_a_write_that_fails_leaves_no_draft(
    tmp_path: Path, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        spoil(tmp_path)
        store(tmp_path).keep(MEMORY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [each.message for each in caplog.records] == ["the state file cannot be written"]
    assert not [each.name for each in tmp_path.iterdir() if each.name.startswith(".")]


def test_an_unwritable_folder_is_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    file = store(tmp_path / "file" / "state")
    file.keep(MEMORY)
    file.keep(SavedAgents())
    assert [each.message for each in caplog.records] == ["the state file cannot be written"]
