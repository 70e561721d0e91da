"""The zoo of throttles: nothing of it is ever held, and each guard is what spares its decoys."""

import pytest

from tests.support.zoo.throttle_decoys import DECOYS, GUARDS, World, held, is_held

AT_LEAST = 100


@pytest.mark.parametrize("pausing", [True, False])
def test_a_tool_above_its_bound_is_held_with_its_worker(*, pausing: bool) -> None:
    assert held(World(), pausing=pausing) == {700, 701}


def test_no_decoy_is_ever_held() -> None:
    assert len(DECOYS) >= AT_LEAST
    assert [name for name, each in DECOYS.items() if is_held(each)] == []


@pytest.mark.long
@pytest.mark.parametrize("name", DECOYS)
def test_a_decoy_would_be_held_without_its_guards_and_is_not_with_one_of_them(name: str) -> None:
    decoy = DECOYS[name]
    assert is_held(decoy, *decoy.guards)
    for guard in decoy.guards:
        assert not is_held(decoy, *(decoy.guards - {guard}))


@pytest.mark.long
@pytest.mark.parametrize("guard", GUARDS)
def test_without_a_guard_exactly_its_own_decoys_are_held(guard: str) -> None:
    own = [name for name, each in DECOYS.items() if each.guards == {guard}]
    assert [name for name, each in DECOYS.items() if is_held(each, guard)] == own


def test_every_guard_that_a_throttle_can_need_has_a_decoy() -> None:
    used = frozenset().union(*(each.guards for each in DECOYS.values()))
    assert used <= GUARDS.keys()
    assert GUARDS.keys() - used == set()
