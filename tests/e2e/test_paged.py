"""Twelve real faults at scrapes of 15 s, some lost: the right page, the right text, nothing beside."""

from pathlib import Path

import pytest

from tests.support.alert_faults.paged import in_own_place


@pytest.mark.long
@pytest.mark.timeout(2400)
def test_twelve_faults_are_told_each_and_nothing_beside(socket_dir: Path) -> None:
    result = in_own_place(socket_dir.parent, socket_dir)
    assert result.missing == []
    assert result.wrong == []
    assert result.beside == []
