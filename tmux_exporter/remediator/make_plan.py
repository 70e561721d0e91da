"""Make a plan from a few samples taken now; the policies' waits are skipped because a person decides."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.paths import state_path
from tmux_exporter.config import Config
from tmux_exporter.facts.report import Report
from tmux_exporter.remediator.act.live_view import LiveView, limit_files
from tmux_exporter.remediator.decide.candidates import Key
from tmux_exporter.remediator.decide.decide import decide, start
from tmux_exporter.remediator.decide.last_checks import failed_check, gather, servers_in, target_processes
from tmux_exporter.remediator.decide.order import Order
from tmux_exporter.remediator.decide.state import PolicyState, State, Verdict, WatchedTarget
from tmux_exporter.remediator.policies.policy import PolicySet
from tmux_exporter.remediator.record import plan
from tmux_exporter.remediator.record.holds import Holds
from tmux_exporter.remediator.record.waits import Waits, WaitsFile
from tmux_exporter.sampling.open import open_sampler
from tmux_exporter.sampling.state_file import boot_id

SAMPLES = 3
"""A leak needs two samples, and a match two more, one of them shared."""


def sample_and_decide(
    config: Config,
    environ: Mapping[str, str],
    policies: PolicySet,
    clock: Clock,
    pause: Callable[[int], None],
) -> tuple[Verdict, Report]:
    """The verdict of the policies after a few samples, and the last report; `pause` waits before each sample.

    Their waits are left out, their vetoes and proofs are not. Figures that take time (rates) are not known.
    """
    limits = limit_files(config, clock, environ, lambda: policies)
    live = LiveView(config, clock, environ, limits)
    state, uid, boot = state_path(environ), os.getuid(), boot_id("/proc")
    waits = WaitsFile(state, uid=uid, boot=boot, clock=clock).load(policies)
    sampler = open_sampler(
        config, clock, environ, trees=True, screens=False, earlier=waits.earlier, spending=limits
    )
    holds = Holds(state, uid=uid, boot=boot)
    hasty = replace(
        policies,
        policies=tuple(replace(each.scaled(0.0), warmup=each.warmup) for each in policies.policies),
    )
    history: State = start(live.moment())
    # The warm-up of a service: it has not just started, it was only just asked.
    history = replace(history, since=history.since - max(each.warmup for each in policies.policies))
    for number in range(SAMPLES - 1):
        pause(number)
        report = sampler.sample()
        history = decide(hasty, report, history, live.moment(), live.own(), holds=holds.read()).state
    pause(SAMPLES - 1)
    report = sampler.sample()
    verdict = decide(hasty, report, history, live.moment(), live.own(), holds=holds.read())
    return _checked(_since_then(verdict, waits, live.moment().monotonic), live), report


def _since_then(verdict: Verdict, waits: Waits, now: float) -> Verdict:
    """The same, since when the remediator that runs has seen each match."""
    known = {
        name: {key: watch.since for key, watch in each.watches.items()}
        for name, each in waits.policies.items()
    }

    def seen(name: str, state: PolicyState) -> PolicyState:
        since = known.get(name, {})
        watches = {
            key: replace(watch, since=min(watch.since, since.get(key, watch.since)))
            for key, watch in state.watches.items()
        }
        return replace(state, watches=watches)

    def held(order: Order) -> Order:
        key = order.target.kind, order.target.processes, "", ""
        since = known.get(order.policy.name, {}).get(key)
        return order if since is None else replace(order, held=max(order.held, now - since))

    policies = {name: seen(name, each) for name, each in verdict.state.policies.items()}
    return replace(
        verdict, plan=tuple(map(held, verdict.plan)), state=replace(verdict.state, policies=policies)
    )


def _checked(verdict: Verdict, live: LiveView) -> Verdict:
    """The same without targets that fail the last checks: `apply` would refuse them."""
    if not verdict.plan:
        return verdict
    table, own, uid = live.processes(), live.own(), os.getuid()
    members = {member for order in verdict.plan for member in target_processes(order)}
    around = live.around(members, [each.id for each in servers_in(table)])
    kept, against = [], {}
    for order in verdict.plan:
        evidence = gather(table, order, around, uid, own)
        failed = None if evidence is None else failed_check(evidence)
        if failed is None:
            kept.append(order)
        else:
            against[order.policy.name, order.target.kind, order.target.processes] = failed.refusal

    def judged(name: str, key: Key, watch: WatchedTarget) -> WatchedTarget:
        return replace(watch, refusal=against.get((name, *key[:2]), watch.refusal))

    policies = {
        name: replace(each, watches={key: judged(name, key, watch) for key, watch in each.watches.items()})
        for name, each in verdict.state.policies.items()
    }
    return replace(verdict, plan=tuple(kept), state=replace(verdict.state, policies=policies))


def plan_of(verdict: Verdict, policies: PolicySet, clock: Clock) -> plan.Plan:
    """The plan of what was found, in the name of the policies as they are."""
    by_name = {each.name: each for each in policies.policies}
    orders: tuple[Order, ...] = tuple(
        replace(each, policy=by_name[each.policy.name]) for each in plan.plannable(verdict.plan)
    )
    return plan.make(orders, wall=clock.time(), boot=boot_id("/proc"), uid=os.getuid())
