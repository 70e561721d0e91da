"""The decoy zoo: nothing of it is ever called leaked, and each guard is what spares its decoys."""

import os
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.scenes.own_sockets import own_sockets
from tests.support.scenes.scene import Scene
from tests.support.zoo.decoys import DECOYS, LEFT
from tests.support.zoo.guards import GUARDS
from tests.support.zoo.zoo import Zoo

AT_LEAST = 60


@pytest.fixture(scope="module")
def zoo() -> Iterator[Zoo]:
    with own_sockets() as (sockets, _), closing(Zoo(Scene(sockets.parent, sockets), sockets)) as made:
        made.start()
        yield made


def test_no_decoy_is_ever_called_leaked(zoo: Zoo) -> None:
    assert zoo.red() == set()
    assert len(DECOYS) - len(zoo.missing) >= AT_LEAST
    # Root has a pid namespace for the asking; others where user namespaces are allowed.
    assert not zoo.missing or (zoo.missing == {"in_a_container"} and os.getuid() != 0)


def test_what_is_left_beside_them_is_all_found_and_of_its_kind(zoo: Zoo) -> None:
    first, second, third = ({leak.process.pid: leak for leak in leaks} for leaks in zoo.leaks())
    # What cannot be read may hold its terminal: not told to an ordinary user in a chroot without namespaces.
    sure = [each for each in LEFT if os.getuid() == 0 or each.name != "left_script_session"]
    found = {each.name: third[zoo.pids[each.name]] for each in sure}
    assert {name: leak.kind for name, leak in found.items()} == {each.name: each.kind for each in sure}
    assert {(leak.server, leak.session) for leak in found.values()} == {("default", "main")}
    assert {leak.pane.pane for leak in found.values() if leak.pane} == {zoo.gone}
    # One look is none, but for schedulers, which have a state of their own.
    judged_by_state = {zoo.pids[each.name] for each in LEFT if "check_in" in each.name}
    assert {pid for pid in second if pid in zoo.pids.values()} == judged_by_state
    assert {pid for pid in first if pid in zoo.pids.values()} <= judged_by_state


@pytest.mark.parametrize("guard", GUARDS)
def test_without_a_guard_exactly_its_decoys_turn_red(zoo: Zoo, guard: str) -> None:
    own = {each.name for each in DECOYS if each.guards == {guard}} - zoo.missing
    assert zoo.red(guard) == own
    shared = {each.name for each in DECOYS if guard in each.guards}
    assert shared - zoo.missing or zoo.missing


@pytest.mark.parametrize("name", [each.name for each in DECOYS if len(each.guards) > 1])
def test_a_decoy_of_several_guards_turns_red_without_all_of_them(zoo: Zoo, name: str) -> None:
    (decoy,) = (each for each in DECOYS if each.name == name)
    assert name in zoo.red(*decoy.guards)
    for guard in decoy.guards:
        assert name not in zoo.red(*(decoy.guards - {guard}))


def test_every_name_is_given_once_and_every_guard_exists() -> None:
    names = [*(each.name for each in DECOYS), *(each.name for each in LEFT)]
    assert len(set(names)) == len(names)
    assert frozenset().union(*(each.guards for each in DECOYS)) == set(GUARDS)
