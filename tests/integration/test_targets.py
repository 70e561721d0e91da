"""The offline resolver against real tmux: where tmux finds a pane, the resolver may not say otherwise."""

from pathlib import Path

import pytest

from tests.support.fixtures import StartTmux
from tests.support.processes.started import server_pid
from tests.support.tmux.targets import SHOW_ID, check_differential

PROBES = 5_000


@pytest.mark.parametrize("seed", [1, 2])
def test_targets_resolve_as_in_real_tmux(tmux_server: StartTmux, socket_dir: Path, seed: int) -> None:
    server = tmux_server("targets")
    server.cmd("respawn-pane", "-k", "-t", "main:", SHOW_ID)
    check_differential("tmux", socket_dir / "targets", server_pid(server), seed=seed, probes=PROBES)
