"""Offline targets against real tmux of five Debian releases: the rules are the same in all of them.

Not part of the ordinary run: `make check-tmux` selects it.
"""

from pathlib import Path

import pytest

from tests.support.tmux.targets import SHOW_ID, check_differential
from tests.support.tmux.under_test import tmux_under_test
from tests.versions.get_tmux import RELEASES, get_tmux

pytestmark = pytest.mark.versions


@pytest.mark.parametrize("release", RELEASES)
def test_targets_resolve_as_every_release_resolves_them(release: str, socket_dir: Path) -> None:
    program = get_tmux(release)
    with tmux_under_test(program, socket_dir / "default") as server:
        server.ok("respawn-pane", "-k", "-t", "main:", SHOW_ID)
        check_differential(str(program), server.path, server.pid, seed=3, probes=5_000)
