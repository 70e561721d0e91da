"""The remediator as a service: built from a configuration, run in the main thread until a signal ends it."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tmux_exporter import log
from tmux_exporter.clock import SystemClock
from tmux_exporter.config import Config
from tmux_exporter.places import REMEDIATOR_OFF, private_folder, runtime_path, state_path
from tmux_exporter.remediator.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.language.load import load
from tmux_exporter.remediator.rules import PolicySet
from tmux_exporter.remediator.run import Remediator, Settings, run
from tmux_exporter.remediator.stop import Stop

_log = logging.getLogger(__name__)


def serve(
    config: Config,
    environ: Mapping[str, str],
    *,
    enforce: bool,
    policy_path: str | None = None,
    servers: Sequence[str] = (),
    time_scale: float = 1.0,
) -> None:
    """Run until SIGTERM or SIGINT. UsageError where a remediator of this user runs already.

    `policy_path` is a file or folder of policies, the built-in one where there is none. `servers` are the
    labels of the tmux servers it is for, all where there are none. `time_scale` multiplies
    the policy's waits: 1 for people, less for tests and the demo.
    """
    log.configure(config.log.level, config.log.format)
    clock, uid = SystemClock(), os.getuid()
    policies = read_policies(policy_path, uid, servers, time_scale)
    state = private_folder(state_path(environ), uid)
    runtime = private_folder(runtime_path(environ, uid), uid)
    stop = Stop()
    settings = Settings(config=config, policies=policies, enforce=enforce)
    remediator = Remediator(settings, environ, runtime=runtime, state=state, clock=clock)
    try:
        _log.info(
            "started",
            extra={
                "mode": remediator.mode,
                "policies": ",".join(each.name for each in policies.policies),
                "servers": ",".join(servers) or "all",
                "time_scale": time_scale,
                "switch": str(state / REMEDIATOR_OFF),
            },
        )
        run(remediator, config.sampling.interval, clock, stop)
    finally:
        remediator.close()


def read_policies(
    path: str | None, uid: int, servers: Sequence[str] = (), time_scale: float = 1.0
) -> PolicySet:
    """The policies to run, for these servers alone; the built-in one for None. Raises ConfigError."""
    found = PolicySet(policies=(ORPHANED_SCHEDULERS,)) if path is None else load(path, uid)
    return replace(
        found,
        policies=tuple(replace(each.scaled(time_scale), servers=tuple(servers)) for each in found.policies),
    )
