"""What holds for every test with real servers."""

import pytest

from tmux_exporter import stack


@pytest.fixture(autouse=True)
def _no_usual_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never 9090 or 9093: somebody's Prometheus may look for its own there."""
    free_port = stack.free_port
    monkeypatch.setattr(stack, "free_port", lambda _: free_port(0))
