"""Who is in a pane, from sample to sample: what is kept is what a look at all of them would give."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.support.literals.facts import process, table
from tmux_exporter.analysis.report.view import PaneMembers, PaneProcessIds, processes_of
from tmux_exporter.facts.process import Changes, Process, ProcessId
from tmux_exporter.facts.tmux import PaneKey

SERVER = ProcessId(1, 1)
PIDS = range(2, 7)

processes = st.dictionaries(
    st.sampled_from(PIDS),
    st.builds(
        lambda start, state, ticks: (start, state, ticks),
        st.integers(1, 2),
        st.sampled_from("SZ"),
        st.integers(0, 1),
    ),
)
rosters = st.dictionaries(
    st.builds(PaneKey, st.just(SERVER), st.sampled_from(["%1", "%2", "%3"])),
    st.lists(st.builds(ProcessId, st.sampled_from(PIDS), st.integers(1, 2)), unique=True),
    max_size=3,
)
histories = st.lists(st.tuples(processes, st.one_of(st.none(), rosters), st.booleans()), max_size=8)


@given(histories)
def test_what_is_kept_is_what_a_look_at_all_would_give(
    history: list[tuple[dict[int, tuple[int, str, int]], PaneProcessIds | None, bool]],
) -> None:
    members = PaneMembers()
    roster: PaneProcessIds = {}
    before: dict[int, Process] = {}
    for seen, other, told in history:
        roster = roster if other is None else dict(other)
        now = {
            pid: process(pid, start=start, state=state, cpu_ticks=ticks)
            for pid, (start, state, ticks) in seen.items()
        }
        # Who did not change is the same object, as the reader promises.
        now = {pid: before[pid] if before.get(pid) == each else each for pid, each in now.items()}
        changed = frozenset(pid for pid in before.keys() | now.keys() if before.get(pid) is not now.get(pid))
        reading = replace(
            table(), processes=now, changes=Changes(since=before, pids=changed) if told else None
        )
        assert members.of(reading, roster) == {
            key: processes_of(each, reading) for key, each in roster.items()
        }
        before = now


def test_a_pane_of_which_nothing_changed_keeps_the_same_sequence() -> None:
    roster = {PaneKey(SERVER, "%1"): (ProcessId(2, 2),), PaneKey(SERVER, "%2"): (ProcessId(3, 3),)}
    members, still = PaneMembers(), process(2)
    first = members.of(table(still, process(3)), roster)
    second = members.of(table(still, process(3, cpu_ticks=1)), roster)
    one, other = roster
    assert second[one] is first[one]
    assert second[other] != first[other]
