"""Replay of audit records: derive each decision again from its recorded evidence, and compare.

The checks of this version judge what an earlier version recorded: if a check has changed, results may differ.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, NamedTuple, TypeVar

from tmux_exporter.facts.cgroups import SCOPE_PREFIX
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.process import Problem, ProcessId
from tmux_exporter.facts.remediation import Action, LeaseMeans, Method, Mode, Refusal, Signal
from tmux_exporter.facts.report import (
    AgentReport,
    LeakReport,
    PaneReport,
    Report,
    SchedulerReport,
    ServerReport,
    SessionReport,
)
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.facts.spending import UsageLimit
from tmux_exporter.remediator.decide.last_checks import (
    ProcessEvidence,
    TargetProcess,
    failed_check,
    stages_refusal,
)
from tmux_exporter.remediator.decide.order import Stage
from tmux_exporter.remediator.decide.vetoes import Case, Moment, Subject, refusal
from tmux_exporter.remediator.policies.policy import Channel, OptIn, SnapshotPart
from tmux_exporter.remediator.record.audit_fields import WEAK

Record = Mapping[str, Any]
_Fact = TypeVar("_Fact")

_FREE = frozenset({Refusal.CHANGED, Refusal.HELD, Refusal.PROTECTED, Refusal.AUDIT})
"""Refusals that a record cannot confirm: they depend on the whole report, on holds, or on the disk."""


_PANE_STEPS = ("save", "clear_history", "set_option", "close_dead_pane")
_QUIET = ("message", "snapshot", "raise_fd_limit", *_PANE_STEPS)
"""Steps that end nothing."""


class RecordedTerms(NamedTuple):
    """What a policy said of the act."""

    servers: tuple[str, ...]
    max_age: float
    remaining: float
    warmup: float
    allow: tuple[OptIn, ...]
    by_hash: bool = True
    by_rest: bool = False


def decisions(records: Iterable[Record]) -> tuple[Record, ...]:
    """Those of the records that decide something."""
    kinds = ("intent", "refusal", "throttle", *_QUIET)
    return tuple(record for record in records if record.get("kind") in kinds)


def differences(records: Iterable[Record]) -> Iterator[str]:
    """One line for each recorded decision that does not follow from its record."""
    for record in decisions(records):
        told = record.get("refusal")
        try:
            found = decide(record)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            yield f"record {record.get('seq')}: it cannot be replayed: {type(error).__name__}"
            continue
        if found != told and told not in _FREE:
            yield f"record {record['seq']}: says {told or 'end it'}; its evidence says {found or 'end it'}"


def decide(record: Record) -> Refusal | None:
    """What a record's evidence says: None where it allows the act.

    Raises ValueError, KeyError, TypeError or AttributeError for what is no such record.
    """
    if record["kind"] in _QUIET:
        _check_step(record)
        return None
    if record["kind"] == "throttle":
        return _throttle(record)
    before = record["before"]
    if reason := stages_refusal(_stages(record["stages"]), None if before is None else Action(before)):
        return reason
    return _judged(record, whole=record["kind"] == "intent")


def _throttle(record: Record) -> Refusal | None:
    """Raise ValueError for one whose lease does not end by itself."""
    LeaseMeans(record["means"])
    if Mode(record["mode"]) is not Mode.ENFORCE or not record["processes"]:
        raise ValueError("a throttle while it only observed, or of nothing")
    if record["keeper"] is None and not record["unit"]:
        raise ValueError("a throttle that nothing ends")
    if record["bounds"].get("whole_pane") and not record["unit"].startswith(SCOPE_PREFIX):
        raise ValueError("bounds of a whole pane for what is no scope of one")
    return _judged(record, whole=True)


def _judged(record: Record, *, whole: bool) -> Refusal | None:
    evidence, look = record["evidence"], record["look"]
    if evidence is not None and (failed := failed_check(_evidence(evidence))) is not None:
        return failed.refusal
    if look is not None and (reason := refusal(_case(look))) is not None:
        return reason
    if whole and (evidence is None or look is None):
        raise ValueError("an act without evidence")
    return None


def _check_step(record: Record) -> None:
    """Raise ValueError for a step that its policy did not ask for, or that it may not take."""
    if Mode(record["mode"]) is Mode.OBSERVE:
        raise ValueError("a step while it only observed")
    if record["kind"] == "raise_fd_limit":
        if Mode(record["mode"]) is not Mode.ENFORCE or not record["processes"]:
            raise ValueError("a limit that was raised without being enforced")
        return
    if record["kind"] in _PANE_STEPS:
        if Mode(record["mode"]) is not Mode.ENFORCE or record["up"] is not True:
            raise ValueError(
                "a step on a pane that was not enforced, or of a server that was not seen to answer"
            )
        return
    if record["kind"] == "snapshot":
        if not list(map(SnapshotPart, record["parts"])):
            raise ValueError("a snapshot of nothing")
    elif Channel.PANE_MESSAGE not in map(Channel, record["via"]) or record["up"] is not True:
        raise ValueError("a message that nobody asked for, or to a server that was not seen to answer")


def _stages(value: Iterable[tuple[str, str, float]]) -> tuple[Stage, ...]:
    return tuple(
        Stage(action=Action(action), signal=Signal(number), seconds=seconds)
        for action, number, seconds in value
    )


def _id(value: Iterable[int]) -> ProcessId:
    pid, start_ticks = value
    return ProcessId(int(pid), int(start_ticks))


def _evidence(value: Record) -> ProcessEvidence:
    members = tuple(TargetProcess(**{**each, "process": _id(each["process"])}) for each in value["members"])
    return ProcessEvidence(
        **{
            **value,
            "method": Method(value["method"]),
            "members": members,
            "children": tuple(map(_id, value["children"])),
            "own": frozenset(value["own"]),
            "allow": tuple(map(OptIn, value["allow"])),
        }
    )


def _case(value: Record) -> Case:
    terms = value["terms"]
    subject = _subject(value["subject"], value)
    return Case(
        subject=subject,
        report=_report(value, subject),
        policy=RecordedTerms(
            **{**terms, "servers": tuple(terms["servers"]), "allow": tuple(map(OptIn, terms["allow"]))}
        ),
        moment=Moment(wall=value["wall"], monotonic=value["monotonic"]),
        own=frozenset(value["own"]),
        below=frozenset(value["below"]),
        culprit=None if value.get("culprit") is None else _id(value["culprit"]),
    )


def _report(value: Record, subject: Subject) -> Report:
    """A report that answers the vetoes as the recorded one did, and has nothing else in it."""
    place = {"server": subject.server, "session": subject.session}
    return _only(
        Report,
        timestamp=value["taken"],
        servers=tuple(_server(each, value) for each in value["servers"]),
        sessions=tuple(_only(SessionReport, **place, attached_clients=each) for each in value["attached"]),
        panes=tuple(_only(PaneReport, pid=each) for each in value["panes"]),
        agents=tuple(_only(AgentReport, process=_id(each)) for each in value["agents"]),
        collector_success={"processes": value["complete"]},
        problems=(Problem(source="", reason=""),) * value["problems"],
    )


def _only(of: type[_Fact], **known: Any) -> _Fact:  # noqa: ANN401 - as the class itself
    """A fact with these fields only; other fields without a default are None, and no check reads them."""
    entries: tuple[Field[Any], ...] = fields(of)  # type: ignore[arg-type]
    unknown = {each.name: None for each in entries if each.default is each.default_factory is MISSING}
    return of(**(unknown | known))


def _judged_at(subject: Record, look: Record) -> float | None:
    """When a scheduler's listing was taken; older records of serverless ones have only the sample's time."""
    if subject["judged_at"] is None and subject["state"] == SchedulerState.SERVERLESS:
        return _sampled_at(look)
    return None if subject["judged_at"] is None else float(subject["judged_at"])


def _sampled_at(look: Record) -> float:
    """When a sample began, monotonic."""
    return float(look["monotonic"] - (look["wall"] - look["taken"]))


def _listed_at(server: Record, look: Record) -> float | None:
    """When a server's listing was taken; earlier records have only its age at the start of the sample."""
    if "listing_taken_at" in server:
        return None if server["listing_taken_at"] is None else float(server["listing_taken_at"])
    return None if server["listing_age"] is None else _sampled_at(look) - float(server["listing_age"])


def _subject(value: Record, look: Record) -> Subject:
    known = {"server": value["server"], "session": value["session"]}
    if "state" in value:
        return _only(
            SchedulerReport,
            **known,
            process=_id(value["process"]),
            state=SchedulerState(value["state"]),
            due_timestamp_seconds=value["due"],
            sleep=None if value["sleep"] is None else _id(value["sleep"]),
            aimed=tuple(value["aimed"]),
            judged_at=_judged_at(value, look),
            sockets=tuple(value.get("sockets", ())),
        )
    if "program" in value:
        process = None if value["process"] is None else _id(value["process"])
        since, until = value.get("usage_limit") or (None, None)
        limit = None if since is None else UsageLimit(since=since, until=until, stopped=False)
        return _only(AgentReport, **known, process=process, program=value["program"], usage_limit=limit)
    weak = {name: value.get(name, False) for name in WEAK}
    weak["quiet_since"] = value.get("quiet_since")
    return _only(LeakReport, **known, process=_id(value["process"]), kind=LeakKind(value["kind"]), **weak)


def _server(value: Record, look: Record) -> ServerReport:
    problem = value["problem"]
    return _only(
        ServerReport,
        **{name: value[name] for name in ("server", "pid", "up", "held", "ended")},
        socket=value.get("socket", ""),
        listing_age_seconds=value["listing_age"],
        start_time_seconds=value["started"],
        problem=None if problem is None else Problem(source="", reason=problem),
        listing_taken_at=_listed_at(value, look),
    )
