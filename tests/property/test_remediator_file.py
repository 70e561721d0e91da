"""The file between remediator and exporter, whatever is in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import (
    Action,
    ActionOutcome,
    Mode,
    PolicyStatus,
    Refusal,
    RemediatorStatus,
)
from tmux_exporter.remediator.record.status_file import render
from tmux_exporter.sources.own.remediator_status import parse_status

counts = st.integers(min_value=0, max_value=2**53)
numbers = st.floats(min_value=0, max_value=1e12)
processes = st.builds(ProcessId, counts, counts)
statuses = st.builds(
    RemediatorStatus,
    process=processes,
    mode=st.sampled_from(Mode),
    interval_seconds=numbers,
    cycle_timestamp=numbers,
    cycle_at=numbers,
    blind=st.booleans(),
    audit_healthy=st.booleans(),
    reload_successful=st.booleans(),
    policies=st.lists(
        st.builds(
            PolicyStatus,
            policy=st.from_regex(r"[a-z][a-z0-9-]{0,63}", fullmatch=True),
            matches=counts,
            actions=st.dictionaries(
                st.tuples(st.sampled_from(Action), st.sampled_from(ActionOutcome)), counts
            ),
            refusals=st.dictionaries(st.sampled_from(Refusal), counts),
        ),
        max_size=3,
    ).map(tuple),
    ended=st.lists(processes, max_size=5).map(tuple),
)


@given(statuses)
def test_what_is_written_is_read_back(status: RemediatorStatus) -> None:
    assert parse_status(render(status)) == status


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_is_there_gives_a_status_or_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_status(content)
