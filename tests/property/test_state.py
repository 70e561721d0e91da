"""The state file takes back whatever it was given: every name that a label can be."""

from hypothesis import given
from hypothesis import strategies as st

from tmux_exporter.facts.agents import AgentKey, AgentState, SavedAgent, SavedAgents, SavedName, WaitingReason
from tmux_exporter.facts.label import Label, label_text
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey
from tmux_exporter.sampling.state_file import parse, render

NOW = 1_700_000_000.0

_TEXTS = st.binary(max_size=300).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
_LABELS = st.builds(label_text, st.text(st.characters(), max_size=150) | _TEXTS)
_COUNTS = st.integers(0, (1 << 63) - 1)
_TIMES = st.floats(0.0, NOW)
_PROCESSES = st.builds(ProcessId, _COUNTS, _COUNTS)
_PLACES = st.builds(
    AgentKey,
    st.builds(PaneKey, _PROCESSES, st.from_regex(r"%[0-9]{1,9}", fullmatch=True)),
    st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True),
    _COUNTS,
)
_MEMORIES = st.builds(
    SavedAgents,
    tracked_agents=st.lists(
        st.builds(
            SavedAgent,
            key=_PLACES,
            name=_LABELS,
            version=_LABELS,
            role=_LABELS,
            process=_PROCESSES,
            up=st.booleans(),
            seen=_TIMES,
            state=st.sampled_from(AgentState),
            reason=st.none() | st.sampled_from(WaitingReason),
            since=_TIMES,
        ),
        max_size=3,
    ).map(tuple),
    names=st.lists(
        st.builds(
            SavedName,
            key=_PLACES,
            name=_LABELS,
            wanted=_LABELS,
            session_id=st.from_regex(r"\$[0-9]{1,9}", fullmatch=True),
            holder=_PROCESSES,
        ),
        max_size=3,
    ).map(tuple),
    absent=st.lists(st.tuples(_LABELS, _LABELS, _LABELS, _TIMES), max_size=3).map(tuple),
)


def _read_back(memory: SavedAgents) -> SavedAgents:
    refused: list[str] = []
    found = parse(render(memory, boot="b"), boot="b", now=NOW, refused=refused)
    assert refused == []
    return found


@given(_MEMORIES)
def test_what_is_written_is_read_back(memory: SavedAgents) -> None:
    assert _read_back(memory) == memory


def _of_every_code_point() -> list[Label]:
    """Eight to a label, so that none is cut: sixteen bytes are the most that one of them takes."""
    return [label_text("".join(map(chr, range(at, at + 8)))) for at in range(0, 0x110000, 8)]


def test_every_code_point_is_read_back() -> None:
    labels = _of_every_code_point()
    assert len({*labels}) == len(labels)
    memory = SavedAgents(absent=tuple(("default", "shop", label, NOW) for label in labels))
    assert _read_back(memory) == memory
