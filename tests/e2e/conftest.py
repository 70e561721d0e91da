"""What holds for every test with real servers."""

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.support.web.browser import start_chrome
from tmux_exporter.commands.up_children import prometheus


@pytest.fixture(autouse=True)
def _no_usual_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never 9090 or 9093: somebody's Prometheus may look for its own there."""
    free_port = prometheus.free_port
    monkeypatch.setattr(prometheus, "free_port", lambda _: free_port(0))


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser without a window."""
    driver = start_chrome(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()
