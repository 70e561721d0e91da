"""The remediator as a service: built from a configuration, run in the main thread until a signal ends it."""

import logging
import os
import select
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from tmux_exporter.base import log
from tmux_exporter.base.clock import Clock, SystemClock
from tmux_exporter.base.errors import ConfigError, UsageError
from tmux_exporter.base.log import log_fields
from tmux_exporter.base.paths import REMEDIATOR_OFF, private_folder, runtime_path, state_path
from tmux_exporter.base.runtime import tune_gc
from tmux_exporter.config import Config
from tmux_exporter.facts.cgroups import CgroupPlace
from tmux_exporter.facts.remediation import Mode
from tmux_exporter.facts.report import Report
from tmux_exporter.facts.tmux_quirks import PANE_SCOPES
from tmux_exporter.remediator.decide.candidates import left_out_words
from tmux_exporter.remediator.decide.order import Order
from tmux_exporter.remediator.decide.state import Verdict
from tmux_exporter.remediator.loop import Remediator, Settings, run
from tmux_exporter.remediator.make_plan import plan_of, sample_and_decide
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.load import load
from tmux_exporter.remediator.policies.policy import OptIn, PolicySet
from tmux_exporter.remediator.record.plan import Plan, read
from tmux_exporter.remediator.stop import Stop
from tmux_exporter.sampling.state_file import boot_id
from tmux_exporter.sources.host.cgroups import read_means

_log = logging.getLogger(__name__)

_STOP_SECONDS = 0.2
"""How long a stop may have to wait for an `apply` that only waits."""


def serve(
    config: Config,
    environ: Mapping[str, str],
    *,
    enforce: bool,
    policy_path: str | None = None,
    servers: Sequence[str] = (),
    screen: bool = False,
    time_scale: float = 1.0,
) -> None:
    """Run until SIGTERM or SIGINT. UsageError where a remediator of this user runs already.

    SIGHUP reads the policies again; with a mistake in them those before stay in use.

    `policy_path` is a file or folder of policies, the built-in one where there is none. `servers` are the
    labels of the tmux servers it is for, all where there are none. `screen` lets snapshots hold what stands
    on a screen. `time_scale` multiplies the policy's waits: 1 for people, less for tests and the demo.
    """
    log.configure(config.log.level, config.log.format, "tmux-remediator")
    clock, uid = SystemClock(), os.getuid()
    policies = _able(read_policies(policy_path, uid, servers, time_scale), enforce=enforce)
    stop = Stop()
    settings = Settings(config=config, policies=policies, enforce=enforce, screen=screen)
    remediator = _open(settings, environ, clock)
    try:
        _log.info(
            "started",
            extra=log_fields(
                mode=remediator.mode,
                policies=",".join(each.name for each in policies.policies),
                servers=",".join(servers) or "all",
                time_scale=time_scale,
                switch=str(state_path(environ) / REMEDIATOR_OFF),
            ),
        )

        _warn(policies)

        def reload() -> None:
            _reload(
                remediator,
                lambda: _able(read_policies(policy_path, uid, servers, time_scale), enforce=enforce),
            )

        tune_gc()
        run(remediator, config.sampling.interval, clock, stop, reload)
    finally:
        remediator.close()


def _open(settings: Settings, environ: Mapping[str, str], clock: Clock) -> Remediator:
    uid = os.getuid()
    state = private_folder(state_path(environ), uid)
    runtime = private_folder(runtime_path(environ, uid), uid)
    return Remediator(settings, environ, runtime=runtime, state=state, clock=clock)


def _reload(remediator: Remediator, read_again: Callable[[], PolicySet]) -> None:
    """Apply the policies as they are now, whole or not at all."""
    try:
        policies = read_again()
    except ConfigError as error:
        for problem in error.problems:
            _log.error("policies refused, the ones before stay in use", extra=log_fields(problem=problem))
        remediator.keep_policies()
        return
    remediator.use(policies)
    names = ",".join(each.name for each in policies.policies)
    _log.info("policies applied", extra=log_fields(policies=names, sha256=policies.digest))
    _warn(policies)


def _able(policies: PolicySet, *, enforce: bool) -> PolicySet:
    """These policies. Raises ConfigError where they shall be enforced and this machine cannot."""
    if enforce and policies.unable:
        raise ConfigError(policies.unable)
    return policies


def _warn(policies: PolicySet) -> None:
    """Say what of the policy files has no effect."""
    for remark in (*policies.remarks, *policies.unable):
        _log.warning("this has no effect", extra=log_fields(remark=remark))


def read_policies(
    path: str | None, uid: int, servers: Sequence[str] = (), time_scale: float = 1.0
) -> PolicySet:
    """The policies to run, for these servers alone; the built-in one for None. Raises ConfigError."""
    found = PolicySet(policies=(ORPHANED_SCHEDULERS,)) if path is None else load(path, uid, read_means(uid))
    return replace(
        found,
        policies=tuple(replace(each.scaled(time_scale), servers=tuple(servers)) for each in found.policies),
    )


def no_return_words(policies: PolicySet, places: Mapping[str, CgroupPlace]) -> Iterator[str]:
    """A line for each policy that could throttle nothing in some panes: it could not move it back.

    Or these panes have no scope of their own, and it would throttle a whole one.
    """
    stay = [pane for pane, place in places.items() if not place.owned]
    bare = sum(not place.pane_scope for place in places.values())
    for policy in policies.policies:
        asked = [rung.throttle for rung in policy.ladder if rung.throttle and rung.throttle.needs_cgroup]
        if bare and any(each.whole_pane for each in asked):
            yield (
                f"policy '{policy.name}': tmux has made no scope of its own for {bare} of {len(places)} "
                "panes: these are not throttled as a whole; "
                f"{PANE_SCOPES.from_release}, built with systemd, makes them"
            )
        asked = [each for each in asked if not each.whole_pane]
        if stay and asked and OptIn.MOVED_FOR_GOOD not in policy.allow:
            yield (
                f"policy '{policy.name}': what is throttled in {len(stay)} of {len(places)} panes cannot "
                "return to its cgroup, and is left alone; to let it stay: allow: [moved_for_good]"
            )


def make_plan(
    config: Config, environ: Mapping[str, str], policies: PolicySet, say: Callable[[str], None]
) -> tuple[Plan, Report]:
    """A plan of what these policies would terminate now, and its report; `say` gets notes for the user."""
    verdict, report = decide_now(config, environ, policies)
    for words in left_out_words(policies, report).values():
        say(words)
    return plan_of(verdict, policies, SystemClock()), report


def decide_now(config: Config, environ: Mapping[str, str], policies: PolicySet) -> tuple[Verdict, Report]:
    """The verdict of these policies now and its report, from samples `sampling.interval` apart."""

    def pause(number: int) -> None:
        if number:
            select.select((), (), (), config.sampling.interval)

    return sample_and_decide(config, environ, policies, SystemClock(), pause)


def apply_plan(
    config: Config,
    environ: Mapping[str, str],
    policies: PolicySet,
    content: bytes,
    sha256: str,
    *,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Order, bool, str]]:
    """Carry out exactly a plan; yields each order, whether it ended its target, and a text.

    Raises UsageError before the first, and KeyboardInterrupt instead of the next one once `stopping` says so.
    Raises UsageError while a remediator runs: it holds the lock.
    """
    clock, uid = SystemClock(), os.getuid()
    plan = read(content, sha256, policies, wall=clock.time(), boot=boot_id("/proc"), uid=uid)
    for order in plan.orders:
        if order.policy.mode is Mode.OBSERVE:
            raise UsageError(f"policy '{order.policy.name}' only observes; set its mode to recommend")
    settings = Settings(config=config, policies=policies, enforce=True, applies=True)
    remediator = _open(settings, environ, clock)
    try:
        # The samples of a plan are close together: an absent target must still be absent one cycle later.
        cycle = config.sampling.interval
        due = clock.monotonic() + min(plan.made_at + cycle - clock.time(), cycle)
        while (left := due - clock.monotonic()) > 0 and not stopping():
            select.select((), (), (), min(left, _STOP_SECONDS))
        for order in plan.orders:
            if stopping():
                raise KeyboardInterrupt
            ended, words = remediator.apply(order)
            yield order, ended, words
    finally:
        remediator.close()
