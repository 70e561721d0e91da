"""What agents spend, over random files: each request once, kinds disjoint, and not a word of text told."""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.clock import ManualClock
from tests.support.literals.report import example_report
from tests.support.literals.spending import RECORDED, STARTED, answer, head, record
from tmux_exporter.analysis.spending.account import Account
from tmux_exporter.analysis.spending.counters import SpendingCounts
from tmux_exporter.commands.spent_days import spent_by_day
from tmux_exporter.commands.views.spending import as_text
from tmux_exporter.config import defaults
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import Exactness, ProcessSpending, Spent, Tokens
from tmux_exporter.metrics.collectors import collect_all
from tmux_exporter.metrics.render import openmetrics, text
from tmux_exporter.metrics.report_json import render
from tmux_exporter.sources.spending import (
    claude_transcript,
    codex_rollout,
    gemini_chats,
    pi_sessions,
)
from tmux_exporter.sources.spending.follow import FollowedFile

MARKER = "zzmarker4711"


@st.composite
def _transcripts(draw: st.DrawFn) -> tuple[list[bytes], dict[str, int]]:
    """Lines of Claude, and the output of each of its requests; repeated, growing, copied from before."""
    outputs = draw(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 10_000), min_size=1))
    lines = []
    for name, most in outputs.items():
        parts = draw(st.lists(st.integers(0, most), max_size=3))
        side = draw(st.booleans())
        at = STARTED + draw(st.floats(min_value=0, max_value=50))
        lines += [answer(name, at=at, output=each, isSidechain=side) for each in [*parts, most]]
    for _ in range(draw(st.integers(0, 3))):
        lines.append(answer("old", at=STARTED - draw(st.floats(min_value=1, max_value=50)), output=99))
    lines += draw(st.lists(st.sampled_from(lines), max_size=4))
    return draw(st.permutations(lines)), outputs


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=_transcripts(), cuts=st.lists(st.integers(0, 5000), max_size=8))
def test_a_transcript_in_any_pieces_counts_each_request_once(
    tmp_path: Path, found: tuple[list[bytes], dict[str, int]], cuts: list[int]
) -> None:
    lines, outputs = found
    path = tmp_path / "transcript.jsonl"
    path.write_bytes(b"")
    content = b"\n".join(lines) + b"\n"
    account = Account(STARTED)
    conversation = account.conversation()
    file = FollowedFile(str(path), uid=path.stat().st_uid, since=STARTED, note=lambda _: None)
    places = [0, *sorted(min(each, len(content)) for each in cuts), len(content)]
    for start, end in pairwise(places):
        with path.open("ab") as stream:
            stream.write(content[start:end])
        for each in file.read(1 << 30, claude_transcript.wanted):
            assert each is not None
            parsed = claude_transcript.parse(each)
            conversation.observe((parsed,) if parsed else ())
    spent = account.spent()
    count = len(outputs)
    assert spent.requests == count
    assert spent.tokens == {
        "m-1": Tokens(
            input=7 * count,
            output=sum(outputs.values()),
            cache_read=1000 * count,
            cache_write_5m=40 * count,
            cache_write_1h=60 * count,
        )
    }


@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 10_000)), max_size=20),
    st.data(),
)
def test_the_kinds_of_a_rollout_are_disjoint(counts: list[tuple[int, int, int]], data: st.DataObject) -> None:
    parser = codex_rollout.RolloutParser(codex_rollout.parse_head(head()))
    lines = [
        record(f"r{place}", input_tokens=fresh + cached, cached_input_tokens=cached, output_tokens=output)
        for place, (fresh, cached, output) in enumerate(counts)
    ]
    lines += data.draw(st.lists(st.sampled_from(lines), max_size=5)) if lines else []
    account = Account(STARTED)
    account.conversation(begins=STARTED).observe(found for each in lines if (found := parser.parse(each)))
    spent = account.spent()
    assert spent.requests == len(counts)
    # What programs and prices count together: the input with what was cached, and the output.
    assert sum(sum(each.by_kind) for each in spent.tokens.values()) == sum(map(sum, counts))


def _marked(value: Any, path: tuple[str, ...] = ()) -> Any:
    """A record with a marker in every text of it that is none of the program's own words."""
    if isinstance(value, dict):
        return {name: _marked(each, (*path, name)) for name, each in value.items()}
    if isinstance(value, list):
        return [_marked(each, path) for each in value]
    if value == "<synthetic>":
        return value
    kept = (
        *("type", "subtype", "timestamp", "role", "stop_reason", "kind", "status", "source"),
        *("stopReason", "event.name"),
    )
    return value if not isinstance(value, str) or path[-1] in kept else f"{value} {MARKER}"


def _told(spent: Mapping[str, Spent]) -> bytes:
    """All pages of an exporter whose agents have spent this."""
    counts, report = SpendingCounts(), example_report()
    agents = []
    for number, (name, each) in enumerate(spent.items()):
        process, labels = ProcessId(number, number), ("main", "shop", name)
        found = {process: ProcessSpending(exactness=Exactness.EXACT, spent=each, base=Spent())}
        counts.observe(found, {labels: process}, 1)
        told = counts.observe(found, {labels: process}, 2).agents[labels]
        agents.append(replace(report.agents[0], agent=name, spending=told))
    report = replace(report, agents=tuple(agents))
    families = collect_all(report, defaults()).families
    return text(families) + openmetrics(families) + render(report)


_PARSE = {
    "claude": claude_transcript.parse,
    "gemini": gemini_chats.parse,
    "pi": pi_sessions.parse,
}


def _read(name: str, lines: list[bytes]) -> Spent:
    account = Account(0)
    if name.startswith("codex"):
        thread = codex_rollout.parse_head(lines[0])
        parse = codex_rollout.RolloutParser(thread).parse
    else:
        parse = _PARSE[name.partition("-")[0]]
    account.conversation(begins=0).observe(found for each in lines if (found := parse(each)))
    return account.spent()


_PLACES = {
    "claude": f".claude/projects/-{MARKER}/",
    "codex": ".codex/sessions/2026/12/01/rollout-",
    "gemini": f".gemini/tmp/{MARKER}/chats/",
    "pi": f".pi/agent/sessions/--{MARKER}--/",
}


def test_no_text_of_any_line_reaches_what_is_told_by_day(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor one of the table of prices, nor the name of any folder."""
    caplog.set_level(logging.DEBUG)
    home = tmp_path / MARKER
    for path in sorted(RECORDED.glob("*.jsonl")):
        copy = home / f"{_PLACES[path.name.partition('-')[0]]}{MARKER}{path.name}"
        copy.parent.mkdir(parents=True, exist_ok=True)
        records = [_marked(json.loads(each)) for each in path.read_bytes().splitlines()]
        copy.write_text("".join(json.dumps(each) + "\n" for each in records))
    os.mkfifo(home / ".pi/agent/sessions" / f"--{MARKER}--" / "pipe.jsonl")
    prices = home / "prices.json"
    row = {"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6, "comment": MARKER}
    prices.write_text(json.dumps({"other": row, MARKER: row, "note": MARKER}))
    for table in (str(prices), str(home / "none.json")):
        found = spent_by_day(ManualClock(time=STARTED + 3600), {"HOME": str(home)}, table, 3)
        assert {each["program"] for each in found["rows"]} == _PLACES.keys() and found["unread"]
        assert MARKER not in json.dumps(found) + as_text(found) + caplog.text


def test_no_text_of_any_line_reaches_a_page_or_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    spent = {}
    for path in sorted(RECORDED.glob("*.jsonl")):
        records = [json.loads(each) for each in path.read_bytes().splitlines()]
        # The identities of lines stay as they are: all of it is to be counted.
        plain = _read(path.name, [json.dumps(each).encode() for each in records])
        marked = _read(path.name, [json.dumps(_marked(each)).encode() for each in records])
        assert (marked.requests, marked.turns, marked.tool_calls) == (
            plain.requests,
            plain.turns,
            plain.tool_calls,
        )
        assert marked.requests > 0 and MARKER not in repr(marked)
        spent[path.stem] = marked
    told = _told(spent)
    assert b"tmux_agent_tokens_total{" in told
    assert MARKER.encode() not in told and MARKER not in caplog.text
