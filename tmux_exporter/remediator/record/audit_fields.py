"""Audit fields of an order and of the evidence for it; `replay` reads them back.

Names appear as labels only, a command line as its hash; messages, scheduler targets and environments never.
"""

import re
from dataclasses import asdict

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Action, Mode
from tmux_exporter.facts.report import AgentReport, LeakReport, SchedulerReport, ServerReport
from tmux_exporter.remediator.decide.last_checks import ProcessEvidence
from tmux_exporter.remediator.decide.order import Order
from tmux_exporter.remediator.decide.state import Decision
from tmux_exporter.remediator.decide.vetoes import Case, Subject, pair_of
from tmux_exporter.remediator.policies.policy import Throttle
from tmux_exporter.remediator.record.leases import Lease
from tmux_exporter.remediator.record.log_fields import seconds_to_end

_LIMIT = "history-limit of its session, for panes to come"
_LIMIT_WORDS = re.compile(rf"{_LIMIT}: ([0-9]+); was (?:([0-9]+)|not set)")

WEAK = ("by_marker", "by_folder", "by_environment", "by_lineage")
"""What makes a leak less than proven."""


def processes_of(subject: Subject) -> tuple[ProcessId, ...]:
    """What would be signalled for it; of a scheduler shell and sleep."""
    if isinstance(subject, SchedulerReport):
        return tuple(pair_of(subject))
    return () if subject.process is None else (subject.process,)


def of_order(
    order: Order, before: Action | None, evidence: ProcessEvidence | None, case: Case | None
) -> dict[str, object]:
    """An order and all that was known when it was carried out or refused, as JSON."""
    return {
        "policy": order.policy.name,
        "policy_sha256": order.policy.digest,
        "plan_sha256": order.plan_sha256,
        "method": str(order.method),
        "stages": [[str(each.action), str(each.signal), each.seconds] for each in order.stages],
        "processes": [list(each) for each in order.target.processes],
        "server": order.target.server,
        "session": order.target.session,
        "culprit": order.culprit,
        "with_below": order.with_below,
        "reasons": [list(each) for each in order.reasons],
        "held": order.held,
        "before": before,
        "evidence": None if evidence is None else _of_evidence(evidence),
        "look": None if case is None else _of_case(case),
    }


def of_throttle(
    order: Order, throttle: Throttle, lease: Lease, evidence: ProcessEvidence | None, case: Case | None
) -> dict[str, object]:
    """A throttle, and all that was known when it began, as JSON; what ends it is named."""
    return {
        "policy": order.policy.name,
        "policy_sha256": order.policy.digest,
        "mode": order.policy.mode,
        "method": str(order.method),
        "server": order.target.server,
        "session": order.target.session,
        "means": lease.means,
        "bounds": asdict(throttle),
        "until": lease.until,
        "target": list(lease.target),
        "culprit": order.culprit,
        "with_below": order.with_below,
        "reasons": [list(each) for each in order.reasons],
        "held": order.held,
        "processes": [list(each) for each in lease.processes],
        "keeper": None if lease.keeper is None else list(lease.keeper),
        "unit": lease.unit,
        "evidence": None if evidence is None else _of_evidence(evidence),
        "look": None if case is None else _of_case(case),
    }


def of_message(decision: Decision, mode: Mode, server: ServerReport, pane: str) -> dict[str, object]:
    """A line that is shown in tmux, and why it may be, as JSON; `ends_in` says which line it is."""
    return {
        **_of_step(decision, mode),
        "via": () if decision.rung is None else decision.rung.via,
        "pane": pane,
        "up": server.up and not server.held,
        "ends_in": seconds_to_end(decision, mode),
    }


def of_snapshot(decision: Decision, mode: Mode) -> dict[str, object]:
    """Evidence that is kept, and why it may be, as JSON."""
    return {**_of_step(decision, mode), "parts": () if decision.rung is None else decision.rung.parts}


def of_limit(decision: Decision, mode: Mode) -> dict[str, object]:
    """A limit that is raised, and why it may be, as JSON."""
    return _of_step(decision, mode)


def of_pane_step(decision: Decision, mode: Mode, server: ServerReport, pane: str) -> dict[str, object]:
    """A step on a pane that changes something in tmux or copies its history, and why it may be, as JSON."""
    rung = decision.rung
    return {
        **_of_step(decision, mode),
        "pane": pane,
        "server_pid": server.pid,
        "socket": server.socket,
        "up": server.up and not server.held,
        "max_bytes": None if rung is None else rung.max_bytes,
        "value": None if rung is None else rung.value,
    }


def limit_words(value: int, before: str) -> str:
    """What came of setting a session's history-limit; `before` is empty where none was set."""
    return f"{_LIMIT}: {value}; was {before or 'not set'}"


def limits_in(words: str) -> tuple[int, str] | None:
    """The new and the earlier limit in the detail of such an outcome; None in any other."""
    found = _LIMIT_WORDS.fullmatch(words)
    return found and (int(found[1]), found[2] or "")


def _of_step(decision: Decision, mode: Mode) -> dict[str, object]:
    target, culprit = decision.candidate.target, decision.culprit
    shares = {each.condition: each.held for each in culprit.holdings} if culprit else {}
    return {
        "policy": decision.policy.name,
        "policy_sha256": decision.policy.digest,
        "mode": mode,
        "processes": [list(each) for each in target.processes],
        "culprit": culprit.process if culprit else None,
        "reasons": [
            [each.metric, value, each.above, shares.get(each, value), each.rate_over]
            for each, value in decision.readings
        ],
        "held": decision.held,
        "server": target.server,
        "session": target.session,
    }


def _of_evidence(evidence: ProcessEvidence) -> dict[str, object]:
    return {**asdict(evidence), "own": sorted(evidence.own)}


def _of_case(case: Case) -> dict[str, object]:
    """What the vetoes ask a report for, and no more."""
    report, policy, below = case.report, case.policy, case.below | case.pids
    place = (case.subject.server, case.subject.session)
    return {
        "wall": case.moment.wall,
        "monotonic": case.moment.monotonic,
        "taken": report.timestamp,
        "complete": report.collector_success.get("processes", False),
        "problems": len(report.problems),
        "subject": _of_subject(case.subject),
        "servers": [_of_server(each) for each in report.servers],
        "panes": sorted(each.pid for each in report.panes if each.pid in below),
        "agents": sorted(
            each.process for each in report.agents if each.process and each.process.pid in below
        ),
        "attached": [
            each.attached_clients for each in report.sessions if (each.server, each.session) == place
        ],
        "below": sorted(case.below),
        "own": sorted(case.own),
        "culprit": case.culprit,
        "terms": {
            name: getattr(policy, name)
            for name in ("servers", "max_age", "remaining", "warmup", "allow", "by_hash")
        }
        | ({"by_rest": True} if policy.by_rest else {}),
    }


def _of_subject(subject: Subject) -> dict[str, object]:
    words: dict[str, object] = {"server": subject.server, "session": subject.session}
    match subject:
        case SchedulerReport():
            return words | {
                "state": subject.state,
                "process": subject.process,
                "sleep": subject.sleep,
                "due": subject.due_timestamp_seconds,
                "aimed": subject.aimed,
                "judged_at": subject.judged_at,
                "sockets": subject.sockets,
            }
        case AgentReport():
            limit = subject.usage_limit
            limited = {} if limit is None else {"usage_limit": (limit.since, limit.until)}
            return words | {"program": subject.program, "process": subject.process} | limited
        case LeakReport():
            weak = {name: True for name in WEAK if getattr(subject, name)}
            quiet = {"quiet_since": subject.quiet_since}
            return words | {"kind": subject.kind, "process": subject.process} | weak | quiet


def _of_server(server: ServerReport) -> dict[str, object]:
    return {
        **{name: getattr(server, name) for name in ("server", "socket", "pid", "up", "held", "ended")},
        "problem": None if server.problem is None else server.problem.reason,
        "started": server.start_time_seconds,
        "listing_age": server.listing_age_seconds,
        "listing_taken_at": server.listing_taken_at,
    }
