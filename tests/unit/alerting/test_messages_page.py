"""The page of all messages is that of the rules and of a real Alertmanager."""

import pytest

from tests.support.alerts.files import REPOSITORY
from tests.support.alerts.messages import missing, page


def test_each_alert_is_told_with_its_texts_by_a_test() -> None:
    assert missing() == set()


@pytest.mark.long
def test_the_page_has_what_alertmanager_sends_now() -> None:
    written = (REPOSITORY / "docs" / "messages.md").read_text()
    assert written == page(), "run `python -m tests.support.alerts.messages >docs/messages.md`"
