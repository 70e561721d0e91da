"""What holds for every test with real servers."""

import pytest

from tmux_exporter.commands.up_children import prometheus


@pytest.fixture(autouse=True)
def _no_usual_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never 9090 or 9093: somebody's Prometheus may look for its own there."""
    free_port = prometheus.free_port
    monkeypatch.setattr(prometheus, "free_port", lambda _: free_port(0))
