"""Who is a stranger: a process of another user that has to do with none of ours."""

import pytest

from tests.support.literals.facts import UID, process
from tmux_exporter.facts.process import Process
from tmux_exporter.sources.processes.process_cache import find_other_users

ROOT, NOBODY = 0, 65534


def among(*processes: Process, uid: int = UID) -> set[int]:
    return find_other_users({each.id.pid: each for each in processes}, uid)


INIT = process(1, ppid=0, uid=ROOT, session_id=1)
SSHD = process(50, ppid=1, uid=ROOT, session_id=50)
LOGIN = process(51, ppid=50, uid=ROOT, session_id=50)
SHELL = process(52, ppid=51, session_id=52)


def test_daemons_of_others_are_strangers_and_whoever_is_above_ours_is_not() -> None:
    daemon = process(60, ppid=1, uid=NOBODY, session_id=60)
    worker = process(61, ppid=60, uid=NOBODY, session_id=60)
    assert among(INIT, SSHD, LOGIN, SHELL, daemon, worker) == {60, 61}


def test_what_ours_start_as_another_user_is_akin() -> None:
    sudo = process(70, ppid=52, uid=ROOT, session_id=52)
    shell = process(71, ppid=70, uid=ROOT, session_id=71)
    orphan = process(72, ppid=1, uid=ROOT, session_id=52)
    assert among(INIT, SSHD, LOGIN, SHELL, sudo, shell, orphan) == set()


def test_to_root_the_children_of_its_init_are_no_kin_for_that() -> None:
    daemon = process(60, ppid=1, uid=NOBODY, session_id=60)
    assert among(INIT, SSHD, daemon, process(62, ppid=50, uid=NOBODY, session_id=62), uid=ROOT) == {60}


def test_whose_user_is_not_known_may_be_ours() -> None:
    assert among(INIT, process(60, ppid=1, uid=None, session_id=60)) == set()


@pytest.mark.timeout(10)
def test_parents_in_a_circle_end() -> None:
    first = process(60, ppid=61, uid=NOBODY, session_id=60)
    assert among(INIT, first, process(61, ppid=60, uid=NOBODY, session_id=60)) == {60, 61}
