"""The CPU counter of a pane over random histories of its cgroups: smooth, never over, else exact."""

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tmux_exporter.analysis.cpu.ledger_account import LedgerAccount
from tmux_exporter.facts.ledgers import NO_GAIN, CpuGain, CpuSource
from tmux_exporter.facts.process import ProcessId

HZ = 100
TICK_NS = 10_000_000
APART = ProcessId(7, 7)
INSIDE = ProcessId(8, 8)


class Step(NamedTuple):
    """What was used between two samples, in ticks; conservation tells of `late` of it one sample later."""

    source: CpuSource
    inside: int
    orphans: int
    apart: int
    reaped_apart: int
    late: int


def steps(*sources: CpuSource) -> st.SearchStrategy[list[Step]]:
    few = st.integers(0, 50)
    rarely = st.just(0) | st.just(0) | few
    step = st.builds(Step, st.sampled_from(sources or tuple(CpuSource)), few, rarely, few, rarely, few)
    return st.lists(step, min_size=1, max_size=30)


def history(found: list[Step]) -> list[tuple[int, int]]:
    """What was used and what was counted after each step, in ticks."""
    account, used, counted, withheld = LedgerAccount(), 0, 0, 0
    rows = []
    for step in found:
        mixed, active = step.source is CpuSource.MIXED, step.source is not CpuSource.PROCESSES
        apart, reaped_apart = (step.apart, step.reaped_apart) if mixed else (0, 0)
        ledgers = step.inside + step.orphans
        used += ledgers + apart + reaped_apart
        outside = frozenset({APART}) if mixed else frozenset[ProcessId]()
        account.begin(CpuGain(ledgers * TICK_NS, outside, active=True) if active else NO_GAIN)
        late = min(step.late, step.inside + reaped_apart)
        # The part that is late was reaped, by somebody inside or, as with a scope of its own, by one apart.
        account.note(APART, apart, 0)
        account.note(INSIDE, 0, step.inside + reaped_apart - late + withheld)
        withheld = late
        counted += account.settle(HZ)
        rows.append((used, counted))
    return rows


@settings(max_examples=examples(300), deadline=None, derandomize=True)
@given(steps())
def test_it_never_falls_and_is_never_over(found: list[Step]) -> None:
    before = 0
    for used, counted in history(found):
        assert before <= counted <= used
        before = counted


@settings(max_examples=examples(300), deadline=None, derandomize=True)
@given(steps(CpuSource.CGROUP))
def test_it_is_exact_where_all_is_inside(found: list[Step]) -> None:
    assert all(used == counted for used, counted in history(found))


@settings(max_examples=examples(300), deadline=None, derandomize=True)
@given(steps(CpuSource.PROCESSES))
def test_it_is_conservation_where_nothing_is(found: list[Step]) -> None:
    told = late = 0
    for step, (_, counted) in zip(found, history(found), strict=True):
        told += step.inside - (now := min(step.late, step.inside)) + late
        late = now
        assert counted == told


def test_what_others_used_apart_is_hidden_by_one_sample_of_the_cgroups_at_most() -> None:
    early = [Step(CpuSource.CGROUP, 0, 50, 0, 0, 0), Step(CpuSource.CGROUP, 1, 0, 0, 0, 0)]
    apart = Step(CpuSource.MIXED, 0, 0, 5, 30, 0)
    assert [counted for _, counted in history([*early, apart])] == [50, 51, 85]


def test_the_rest_of_a_tick_comes_later() -> None:
    account = LedgerAccount()
    added = []
    for _ in range(4):
        account.begin(CpuGain(TICK_NS // 2, frozenset(), active=True))
        added.append(account.settle(HZ))
    assert added == [0, 1, 0, 1]


@settings(max_examples=examples(300), deadline=None, derandomize=True)
@given(steps(), st.integers(1, 40))
def test_a_switch_costs_no_more_than_one_sample(found: list[Step], last: int) -> None:
    """After the cgroups have gone, processes count again from the second sample on."""
    calm = Step(CpuSource.PROCESSES, last, 0, 0, 0, 0)
    rows = history([*found, calm, calm, calm])
    assert rows[-1][1] - rows[-2][1] == last
