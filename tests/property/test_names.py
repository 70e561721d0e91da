"""Names of agents over any sequence of samples: unique at all times, and nobody loses one for a newcomer."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.support.literals.listings import listing, server_view, tmux_view
from tmux_exporter.analysis.agents.names import AgentNames, NameRequest
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey

FLEET = listing({"a": ["w"] * 3, "b": ["w"] * 3})
VIEW = tmux_view(server_view(FLEET))

_PANES = [PaneKey(FLEET.server, pane.id) for pane in FLEET.panes]


def _request(pane: int, program: str, which: int, wanted: str, declared: bool) -> NameRequest:
    """One of few agents, so that the same ones come again in later samples."""
    return NameRequest(
        pane=_PANES[pane],
        session_id="",
        program=program,
        process=ProcessId(10 * pane + which + (1000 if program == "codex" else 0), 1),
        wanted=wanted,
        declared=declared,
    )


_CLAIMS = st.builds(
    _request,
    st.integers(0, 3),
    st.sampled_from(["claude", "codex"]),
    st.integers(0, 1),
    st.sampled_from(["a", "a#2", "a#3", "b"]),
    st.sampled_from([False, False, False, True]),
)
_MOVES = st.dictionaries(st.sampled_from([pane.id for pane in FLEET.panes]), st.sampled_from(["$0", "$1"]))


@given(
    st.lists(
        st.tuples(st.lists(_CLAIMS, max_size=7, unique_by=lambda request: request.process), _MOVES),
        max_size=6,
    )
)
def test_names_are_unique_and_stick(samples: list[tuple[list[NameRequest], dict[str, str]]]) -> None:
    agent_names = AgentNames()
    homes = {pane.id: pane.session_id for pane in FLEET.panes}
    before: dict[tuple[PaneKey, str, ProcessId], tuple[str, NameRequest]] = {}
    for drawn, moves in samples:
        homes.update(moves)
        requests = [replace(request, session_id=homes[request.pane.pane]) for request in drawn]
        names = agent_names.assign(VIEW, requests)
        places = [(request.session_id, name) for request, name in zip(requests, names, strict=True)]
        assert len(set(places)) == len(places)
        now = {
            (request.pane, request.program, request.process): (name, request)
            for request, name in zip(requests, names, strict=True)
        }
        for key, (name, request) in now.items():
            old_name, old = before.get(key, ("", request))
            undisturbed = old.session_id == request.session_id and not request.declared
            if key in before and undisturbed:
                assert name == old_name
            assert name.split("#")[0] in ("a", "b")
        before = now
